//! Pages of different age: what a disk holds after a loss of power. What is read was written, at one time or another.
//!
//! One page at a time, all else that a version holds is there. With random mixtures of pages, nothing is invented.

use super::compare::{Identity, is_what_is_left, without_position};
use super::disk::Disk;
use super::found::{Change, Found, Value, change, differences};
use super::image::{Reading, index};
use super::map::Key;
use super::oracle::{Look, Whole, look};
use super::recorded::{Recorded, SEGMENT_SIZE};
use super::watch::{Attempt, Worker};
use otlp_mmap_format::PAGE_SIZE;
use otlp_mmap_reader::model::Record;
use std::collections::HashMap;
use std::ops::Range;

/// Ways of reading a file of another boot.
const READINGS: [Reading; 2] = [Reading::ClosedBefore, Reading::DeadBefore];
/// Mixtures of a job.
const MIXTURES: u64 = 32;

/// What was ever in the recording, by what it is known by.
pub(super) struct History<'a> {
    recorded: &'a Recorded,
    records: HashMap<Identity, Record>,
    wholes: Vec<Whole>,
}

/// A version with pages of an older one, one at a time; or mixtures of all.
pub(super) enum Job {
    Pages { new: usize, old: usize },
    Mixtures { seed: u64 },
}

impl<'a> History<'a> {
    pub(super) fn new(recorded: &'a Recorded) -> Self {
        let records = recorded.history.iter();
        let records = records.map(|record| (Identity::of(record), without_position(record.clone())));
        let images = recorded.versions.iter();
        let wholes =
            images.flat_map(|image| READINGS.map(|reading| Whole::new("stale", reading, image.clone())));
        Self { recorded, records: records.collect(), wholes: wholes.collect() }
    }

    /// Every pair of versions one in `one_in`, and so many sets of mixtures.
    pub(super) fn jobs(&self, one_in: usize, mixtures: u64) -> Vec<Job> {
        let versions = self.recorded.versions.len();
        let pairs = (0..versions).flat_map(|new| (0..new).map(move |old| Job::Pages { new, old }));
        pairs.step_by(one_in).chain((0..mixtures).map(|seed| Job::Mixtures { seed })).collect()
    }

    /// Does a job.
    pub(super) fn run(&self, job: &Job, worker: &Worker) {
        match *job {
            Job::Pages { new, old } => {
                for whole in &self.wholes[new * READINGS.len()..(new + 1) * READINGS.len()] {
                    self.replace_pages(whole, &self.recorded.versions[old], worker);
                }
            }
            Job::Mixtures { seed } => (0..MIXTURES).for_each(|n| self.mix(seed * MIXTURES + n, worker)),
        }
    }

    fn replace_pages(&self, whole: &Whole, old: &[u8], worker: &Worker) {
        let mut attempt = whole.attempt("stale page");
        // The header page is the same but for the state, which says how the file is read.
        for start in (PAGE_SIZE..old.len()).step_by(PAGE_SIZE) {
            let page = start..start + PAGE_SIZE;
            if whole.image[page.clone()] == old[page.clone()] {
                continue;
            }
            let mut image = whole.image.clone();
            image[page.clone()].copy_from_slice(&old[page.clone()]);
            attempt.at = start / PAGE_SIZE;
            worker.attempt(&attempt, || {
                let after = look(&Disk::new(&image)).map_err(|error| error.to_string())?;
                self.check_page(whole, &page, &after)
            });
        }
    }

    /// Every page is that of a random version.
    fn mix(&self, seed: u64, worker: &Worker) {
        let versions = &self.recorded.versions;
        let mut random = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut image = versions[0].clone();
        for start in (PAGE_SIZE..image.len()).step_by(PAGE_SIZE) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let version = &versions[usize::try_from(random >> 33).expect("31 bits") % versions.len()];
            image[start..start + PAGE_SIZE].copy_from_slice(&version[start..start + PAGE_SIZE]);
        }
        let reading = READINGS[usize::from(seed.is_multiple_of(2))];
        reading.prepare(&mut image);
        let image_name = format!("mixture, {}", reading.name());
        let at = usize::try_from(seed).expect("few");
        worker.attempt(&Attempt { image: image_name, what: "seed", at, detail: 0 }, || {
            let after = look(&Disk::new(&image)).map_err(|error| error.to_string())?;
            self.check_written(&after.found())
        });
    }

    /// Nothing but what the page held is lost, what is lost is a fault, and what came was there before.
    fn check_page(&self, whole: &Whole, page: &Range<usize>, look: &Look) -> Result<(), String> {
        let (after, faults) = (look.found(), look.faults());
        // What is missing of a segment may be told at its start.
        let place = page.start.saturating_sub(SEGMENT_SIZE)..page.end;
        let is_told = faults.iter().any(|fault| place.contains(&index(fault.offset)));
        for (key, change) in differences(&whole.found, &after) {
            if change != Change::Lost {
                continue;
            }
            let value = whole.found.get(&key);
            if !whole.may_be_lost(key, page) {
                return Err(format!("{key:?} is lost, faults {faults:?}: {value:?}"));
            }
            // Blocks, cells and their headers of another time are as whole as any.
            if matches!(key, Key::Record(..)) && !is_told {
                return Err(format!("{key:?} is lost without a fault in {place:?}, {faults:?}: {value:?}"));
            }
        }
        self.check_written(&after)
    }

    /// Every record is one that was written, and is there once; every span in flight and series was one at some time.
    fn check_written(&self, after: &Found) -> Result<(), String> {
        let mut seen = HashMap::new();
        for (key, value) in after {
            let known = match value {
                Value::Record(record) => {
                    if let Some(other) = seen.insert(Identity::of(record), key) {
                        return Err(format!("found twice: {key:?} and {other:?}"));
                    }
                    self.records.get(&Identity::of(record)).is_some_and(|written| {
                        let record = without_position(record.clone());
                        record == *written || is_what_is_left(&record, written)
                    })
                }
                Value::Number(_) => true,
                Value::InFlight(_) | Value::Series(_) => self.was_there(*key, value),
            };
            if !known {
                return Err(format!("invented: {key:?} {value:?}"));
            }
        }
        Ok(())
    }

    fn was_there(&self, key: Key, value: &Value) -> bool {
        let wholes = self.wholes.iter().map(|whole| whole.ever(key));
        wholes.flatten().any(|was| matches!(change(was, value), None | Some(Change::Less)))
    }
}
