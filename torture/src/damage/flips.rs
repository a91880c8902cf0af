//! Every bit of a recording flipped, one at a time.
//!
//! Each is read as of the same boot, and as of another one with the state the vector has; all but the bits of content
//! (records, dictionary entries, spans in flight, the header) with the other state, too.
//!
//! Unused ranges are large, and nobody looks at them. There one bit in every 64 bytes is flipped at once, for each of
//! the 512 bits there are in 64 bytes: whoever looked for a structure there (a record or series header is at most 64
//! bytes long) would see one flipped bit in it, as if it were alone. With [`Bulk::EachAlone`] they are flipped alone.

use super::disk::Disk;
use super::oracle::{Whole, look, overlap, pages};
use super::watch::{Attempt, Worker};
use std::ops::Range;

/// Bytes with one flipped bit among them.
const COMB: usize = 64;

/// What is done with large ranges that nobody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Many bits at once.
    Combs,
    /// Each bit alone: takes hours.
    EachAlone,
}

/// Which bits are flipped.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// One in so many of the bits of records, dictionary entries, headers and contents.
    pub one_in: u64,
    /// One in so many of the others: control words, cells, paddings.
    pub control_one_in: u64,
    /// One in so many combs.
    pub combs_one_in: u64,
    /// Which ones.
    pub seed: u64,
    /// What is done with unused ranges.
    pub bulk: Bulk,
}

impl Sample {
    /// Every bit.
    pub const WHOLE: Self =
        Self { one_in: 1, control_one_in: 1, combs_one_in: 1, seed: 0, bulk: Bulk::Combs };

    pub(super) fn takes(&self, at: usize, bit: usize, one_in: u64) -> bool {
        let number = (at as u64 * 8 + bit as u64 + 1).wrapping_add(self.seed << 40);
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).is_multiple_of(one_in)
    }
}

/// A piece of work: a page, or the combs of the unused ranges.
pub(super) enum Job<'a> {
    Page(&'a Whole, Range<usize>),
    Combs(&'a Whole),
}

/// The jobs of a recording.
pub(super) fn jobs<'a>(whole: &'a Whole, sample: &Sample) -> Vec<Job<'a>> {
    let mut jobs: Vec<_> = pages(&whole.image).map(|page| Job::Page(whole, page)).collect();
    if sample.bulk == Bulk::Combs {
        jobs.push(Job::Combs(whole));
    }
    jobs
}

/// Does a job.
pub(super) fn run(job: &Job<'_>, sample: &Sample, worker: &Worker) {
    match job {
        Job::Page(whole, page) => flip_page(whole, page, sample, worker),
        Job::Combs(whole) => flip_combs(whole, sample, worker),
    }
}

fn flip_page(whole: &Whole, page: &Range<usize>, sample: &Sample, worker: &Worker) {
    let disk = Disk::new(&whole.image);
    let mut attempt = whole.attempt("bit of byte");
    let regions = whole.map.regions.iter().filter(|region| overlap(&region.bytes, page));
    let regions = regions.filter(|region| sample.bulk == Bulk::EachAlone || !region.is_bulk());
    for region in regions.filter(|region| whole.is_own_state || !region.is_content()) {
        let one_in = if region.is_content() { sample.one_in } else { sample.control_one_in };
        for at in region.bytes.start.max(page.start)..region.bytes.end.min(page.end) {
            for bit in (0..8).filter(|bit| sample.takes(at, *bit, one_in)) {
                disk.put(at, &[whole.image[at] ^ 1 << bit]);
                (attempt.at, attempt.detail) = (at, bit);
                worker.attempt(&attempt, || {
                    let judged = whole.judge_flip(region, at, look(&disk));
                    judged.map_err(|found| format!("{}: {found}", region.name))
                });
            }
            disk.put(at, &whole.image[at..=at]);
        }
    }
}

fn flip_combs(whole: &Whole, sample: &Sample, worker: &Worker) {
    let bulk: Vec<_> = whole.map.regions.iter().filter(|region| region.is_bulk()).collect();
    let mut attempt = whole.attempt("comb");
    for comb in (0..COMB * 8).filter(|comb| sample.takes(*comb, 0, sample.combs_one_in)) {
        let mut image = whole.image.clone();
        for region in &bulk {
            let first = (region.bytes.start + COMB - 1 - comb / 8) / COMB * COMB + comb / 8;
            for at in (first..region.bytes.end).step_by(COMB) {
                image[at] ^= 1 << (comb % 8);
            }
        }
        (attempt.at, attempt.detail) = (comb / 8, comb % 8);
        worker.attempt(&attempt, || {
            let look = look(&Disk::new(&image)).map_err(|error| error.to_string())?;
            whole.judge_nothing(&look)
        });
    }
}

impl Whole {
    /// An attempt on this recording.
    pub(super) fn attempt(&self, what: &'static str) -> Attempt {
        let image = format!("{}, {}", self.name, self.reading.name());
        Attempt { image, what, ..Attempt::default() }
    }
}
