//! A recording cut to every length: what lies before the cut is read, and `verify` says that bytes are missing.

use super::disk::Disk;
use super::oracle::{Whole, look, overlap, pages};
use super::watch::Worker;
use otlp_mmap_format::HEADER_SIZE;
use std::ops::Range;

/// In ranges that nobody looks at, one length in so many.
const STRIDE: usize = 97;
/// Around the ends of such a range every length.
const NEAR: usize = 8;

/// Lengths within a page, of a recording.
pub(super) struct Job<'a>(&'a Whole, Range<usize>);

/// The jobs of a recording.
pub(super) fn jobs(whole: &Whole) -> Vec<Job<'_>> {
    pages(&whole.image).map(|page| Job(whole, page)).collect()
}

/// Cuts the recording to the lengths of the job, one in `one_in` of them.
pub(super) fn run(Job(whole, page): &Job<'_>, one_in: usize, worker: &Worker) {
    let disk = Disk::new(&whole.image);
    let mut attempt = whole.attempt("cut to");
    let regions: Vec<_> = whole.map.regions.iter().filter(|region| overlap(&region.bytes, page)).collect();
    let is_wanted = |length: usize| {
        regions.iter().any(|region| {
            let Range { start, end } = region.bytes;
            region.bytes.contains(&length)
                && (!region.is_bulk()
                    || length.is_multiple_of(STRIDE)
                    || length - start <= NEAR
                    || end - length <= NEAR)
        })
    };
    for length in page.clone().rev().filter(|length| is_wanted(*length) && length % one_in == 0) {
        disk.cut(length);
        attempt.at = length;
        worker.attempt(&attempt, || judge(whole, &disk, length));
    }
}

fn judge(whole: &Whole, disk: &Disk, length: usize) -> Result<(), String> {
    let missing = length..whole.image.len();
    match look(disk) {
        Err(error) => whole.judge_refusal(&missing, &error),
        Ok(_) if length < HEADER_SIZE => Err("read without its header page".to_owned()),
        Ok(look) => whole.judge_cut(&missing, look),
    }
}
