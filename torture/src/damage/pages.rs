//! Pages that were lost: zeros in their place.

use super::disk::Disk;
use super::oracle::{Whole, look, pages};
use super::watch::Worker;
use otlp_mmap_format::PAGE_SIZE;
use std::ops::Range;

/// A page of a recording.
pub(super) struct Job<'a>(&'a Whole, Range<usize>);

/// The jobs of a recording.
pub(super) fn jobs(whole: &Whole) -> Vec<Job<'_>> {
    pages(&whole.image).map(|page| Job(whole, page)).collect()
}

/// Zeroes the page: stored as zeros, and as a hole of the file.
pub(super) fn run(Job(whole, page): &Job<'_>, worker: &Worker) {
    let mut image = whole.image.clone();
    image[page.clone()].fill(0);
    let mut attempt = whole.attempt("zeroed page");
    attempt.at = page.start / PAGE_SIZE;
    for is_hole in [false, true] {
        let disk = Disk::new(if is_hole { &image } else { &whole.image });
        if !is_hole {
            disk.put(page.start, &image[page.clone()]);
        }
        attempt.detail = usize::from(is_hole);
        worker.attempt(&attempt, || judge(whole, &disk, page));
    }
}

fn judge(whole: &Whole, disk: &Disk, page: &Range<usize>) -> Result<(), String> {
    match look(disk) {
        Err(error) => whole.judge_refusal(page, &error),
        Ok(look) if whole.image[page.clone()].iter().all(|byte| *byte == 0) => whole.judge_nothing(&look),
        Ok(look) => {
            if let Some(structures) = whole.guarded(page) {
                whole.judge_places(&structures, &look)?;
            }
            whole.judge_look(page, look)
        }
    }
}

impl Whole {
    /// From the first to the last structure whose checked bytes stand in `page`, and are not zero. A block whose word
    /// is zero was never taken: nothing tells that it was lost.
    fn guarded(&self, page: &Range<usize>) -> Option<Range<usize>> {
        let regions = self.map.regions.iter();
        let regions =
            regions.filter(|region| region.unchecked.is_none() && region.name != "ActiveBlock.committed");
        let changed = regions.filter(|region| {
            let bytes = region.bytes.start.max(page.start)..region.bytes.end.min(page.end);
            bytes.start < bytes.end && self.image[bytes].iter().any(|byte| *byte != 0)
        });
        let structures: Vec<_> = changed.map(|region| region.structure.clone()).collect();
        let start = structures.iter().map(|structure| structure.start).min()?;
        let end = structures.iter().map(|structure| structure.end).max()?;
        Some(start..end)
    }
}
