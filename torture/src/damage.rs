//! Damaged recordings: what a reader finds in them is what was there, and it says where the damage is.
//!
//! - [`flips`]: each bit of each golden vector flipped.
//! - [`prefixes`]: each golden vector cut to each length.
//! - [`pages`]: each page of each golden vector zeroed, and pages of a recording replaced by what stood there earlier.
//!
//! Each damaged image is read as a file of this boot and of another one, closed and not, because a reader trusts
//! them differently (SPEC 13.1). `oracle` says what may be found, by `map`, which knows what each byte means;
//! [`unchecked`] lists the bytes that no check guards.

pub mod compare;
mod disk;
mod facts;
pub mod flips;
mod found;
mod image;
mod map;
mod oracle;
pub mod pages;
pub mod prefixes;
mod recorded;
mod stale;
pub mod unchecked;
mod watch;

use self::flips::{Bulk, Sample};
use self::oracle::Whole;
use self::watch::Worker;
use crate::table::{Line, thousands};
use std::path::{Path, PathBuf};

pub use self::image::Reading;
pub use self::watch::Tally;

/// What is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only vectors whose name contains this.
    pub only: String,
    /// Which bits are flipped.
    pub sample: Sample,
    /// One length in so many is cut to.
    pub cuts_one_in: usize,
    /// One page in so many is zeroed.
    pub pages_one_in: usize,
    /// One pair in so many, of an old and a new version of a recording whose pages are mixed.
    pub stale_one_in: usize,
    /// Sets of 32 random mixtures.
    pub mixtures: u64,
    /// How the files are read.
    pub readings: Vec<Reading>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: String::new(),
            sample: Sample::WHOLE,
            cuts_one_in: 1,
            pages_one_in: 1,
            stale_one_in: 1,
            mixtures: 2_000,
            readings: Reading::ALL.to_vec(),
        }
    }
}

impl Options {
    /// A sample.
    pub fn one_in(one_in: u64, seed: u64, each_alone: bool) -> Self {
        let bulk = if each_alone { Bulk::EachAlone } else { Bulk::Combs };
        let step = usize::try_from(one_in).unwrap_or(usize::MAX).max(1);
        let sample = Sample { one_in, control_one_in: one_in, combs_one_in: one_in, seed, bulk };
        let mixtures = Self::default().mixtures.div_ceil(one_in.max(1));
        Self {
            sample,
            cuts_one_in: step,
            pages_one_in: step,
            stale_one_in: step,
            mixtures,
            ..Self::default()
        }
    }
}

/// What was tried with one recording.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The vector and the kind of damage.
    pub what: String,
    /// What came of it.
    pub tally: Tally,
}

impl Outcome {
    /// A line of the table.
    pub fn line(&self) -> Line {
        let Tally { count, violations, told } = &self.tally;
        let count = format!("{} images", thousands(*count));
        Line { what: self.what.clone(), count, violations: *violations, notes: told.join("; ") }
    }
}

/// The golden vectors of this checkout, by name.
fn golden() -> Vec<(String, PathBuf)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../format-spec/golden");
    let entries = std::fs::read_dir(directory).expect("the golden vectors");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let vectors = paths.filter(|path| path.extension().is_some_and(|extension| extension == "otlpmm"));
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut vectors: Vec<_> = vectors.map(|path| (name(&path), path)).collect();
    vectors.sort();
    vectors
}

/// Damages every golden vector in every way, and mixes the pages of a recording.
pub fn run(options: &Options) -> impl Iterator<Item = Outcome> + use<'_> {
    let vectors = golden().into_iter().filter(|(name, _)| name.contains(&options.only));
    let outcomes = vectors.flat_map(|(name, path)| run_vector(&name, &path, options));
    outcomes.chain("stale".contains(&options.only).then(|| run_stale(options)))
}

fn run_stale(options: &Options) -> Outcome {
    let recorded = recorded::record();
    let history = stale::History::new(&recorded);
    let jobs = history.jobs(options.stale_one_in, options.mixtures);
    let tally = watch::run(&jobs, |job, worker| history.run(job, worker));
    Outcome { what: "pages stale: a recording of 24 rounds".to_owned(), tally }
}

fn run_vector(name: &str, path: &Path, options: &Options) -> Vec<Outcome> {
    let image = std::fs::read(path).expect("a golden vector");
    let wholes: Vec<_> =
        options.readings.iter().map(|reading| Whole::new(name, *reading, image.clone())).collect();
    let outcome = |kind: &str, tally| Outcome { what: format!("{kind}: {name}"), tally };
    let flipped: Vec<_> = wholes.iter().flat_map(|whole| flips::jobs(whole, &options.sample)).collect();
    let cut: Vec<_> = wholes.iter().flat_map(prefixes::jobs).collect();
    let zeroed: Vec<_> = wholes.iter().flat_map(pages::jobs).step_by(options.pages_one_in).collect();
    let flip = |job: &_, worker: &Worker| flips::run(job, &options.sample, worker);
    let shorten = |job: &_, worker: &Worker| prefixes::run(job, options.cuts_one_in, worker);
    vec![
        outcome("bits flipped", watch::run(&flipped, flip)),
        outcome("cut", watch::run(&cut, shorten)),
        outcome("pages zeroed", watch::run(&zeroed, pages::run)),
    ]
}

#[cfg(test)]
mod tests;
