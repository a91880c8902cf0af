//! Pages that were lost: zeros in their place.

use super::disk::Disk;
use super::map::{Key, Region};
use super::oracle::{Whole, look, pages};
use super::unchecked::UNSEEN_ZEROS;
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
            whole.judge_page(page, &look)?;
            whole.judge_look(page, look)
        }
    }
}

impl Whole {
    /// The structures of which checked bytes stand in `page`, other than zeros; and the heads of chains of which a
    /// link does that counts.
    pub(super) fn guarded(&self, page: &Range<usize>) -> Vec<Range<usize>> {
        let is_changed = |region: &&Region| {
            let bytes = region.bytes.start.max(page.start)..region.bytes.end.min(page.end);
            self.image[bytes].iter().any(|byte| *byte != 0)
        };
        let is_seen = |region: &&Region| {
            region.unchecked.is_none() && !UNSEEN_ZEROS.iter().any(|(unseen, _)| *unseen == region.name)
        };
        let mut guarded: Vec<_> = self
            .map
            .hit(page)
            .filter(is_seen)
            .filter(is_changed)
            .map(|region| region.structure.clone())
            .collect();
        for chain in self.map.things.iter().filter(|thing| matches!(thing.key, Key::InFlight(_))) {
            let (head, last) = (&chain.bytes[0], chain.bytes.len() - 1);
            let is_cut = chain.bytes[..last].iter().any(|block| page.contains(&block.start));
            if is_cut && !page.contains(&head.start) {
                guarded.push(head.clone());
            }
        }
        guarded
    }
}
