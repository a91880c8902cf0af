//! Random kills: processes that record on 1 to 16 threads are killed at random moments, and what their files hold is
//! compared with what their calls had returned (SPEC "Writer protocols").
//!
//! A worker process with one thread forks a victim, follows its file as an observer and as an exporter, kills it, and
//! judges the file. A victim enters each call into memory that it shares with its worker, before the call and after it.
//! So all that had returned is known, and which calls were cut off: only those may be there or not. The parts:
//!
//! - `round`: the plan of a kill, drawn from a seed; `content`: what is recorded, and the comparison field by field;
//! - `ledger`: the shared memory; `victim`: the process that is killed; `consumers`: observer and exporter;
//! - `oracle`: what must hold; `worker`: one kill after the other; `tally`: the figures.

mod consumers;
mod content;
mod ledger;
mod numbers;
mod oracle;
mod process;
mod round;
mod shared;
mod tally;
mod victim;
mod worker;

use crate::table::Table;
use clap::Args;
use process::{Child, Ended};
use round::Round;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tally::Tally;

/// Kills between two lines that say how far the run is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(30);

/// How often to kill, and what.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Processes to kill.
    #[arg(long, default_value_t = 100_000)]
    pub count: u64,
    /// Seed of the plans; by default the clock.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Number of the first kill, to repeat one of a longer run.
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Processes that kill at the same time; by default one for each processor.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Where the recordings are made; by default the directory for temporary files.
    #[arg(long)]
    pub directory: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { count: 100_000, seed: None, first: 0, workers: None, directory: None }
    }
}

/// Kills as often as the options say, and adds a line for each policy and range of threads.
///
/// # Errors
/// If this process has more than one thread, or the system refuses shared memory, a directory or a process.
pub fn run(options: &Options, table: &mut Table) -> io::Result<()> {
    if !process::is_single_threaded() {
        return Err(io::Error::other("random kills need a process with one thread, which may fork"));
    }
    let seed = options.seed.unwrap_or_else(seed_of_clock);
    let workers =
        options.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    eprintln!("random kills: {} from {}, --seed {seed}, {workers} workers", options.count, options.first);
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let directory = tempfile::Builder::new().prefix("otlp-mmap-kills-").tempdir_in(parent)?;
    let tally = Tally::new()?;
    let mut children = Vec::new();
    for worker in 0..workers {
        let home = directory.path().join(worker.to_string());
        std::fs::create_dir(&home)?;
        let rounds = (options.first..options.first + options.count).skip(worker).step_by(workers);
        let child =
            Child::start(|| worker::run(rounds.map(|number| Round::new(seed, number)), &home, &tally))?;
        children.push(child);
    }
    let failed = wait(children, &tally);
    finish(&tally, failed, options, table);
    keep_recordings(directory, &tally);
    Ok(())
}

/// Waits for the workers; gives how many of them failed.
fn wait(mut children: Vec<Child>, tally: &Tally) -> u64 {
    let (began, mut reported, mut failed) = (Instant::now(), Instant::now(), 0);
    while !children.is_empty() {
        children.retain(|child| match child.try_wait() {
            None => true,
            Some(ended) => {
                failed += u64::from(ended != Ended::Exit(0));
                false
            }
        });
        if reported.elapsed() >= BETWEEN_REPORTS {
            reported = Instant::now();
            let (kills, violations) = (tally.kills(), tally.violations());
            eprintln!("{kills} kills in {:.0?}, {violations} violations", began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!("{} kills in {:.1?}", tally.kills(), began.elapsed());
    failed
}

fn finish(tally: &Tally, failed: u64, options: &Options, table: &mut Table) {
    tally.lines().into_iter().for_each(|line| table.push(line));
    let missing = options.count - tally.kills().min(options.count);
    if failed > 0 || missing > 0 {
        table.push(crate::table::Line {
            what: "random kills, workers".to_owned(),
            count: format!("{failed} ended badly"),
            violations: failed.max(1),
            notes: format!("{missing} kills were not made"),
        });
    }
}

/// Leaves the directory in place if something in it is worth a look.
fn keep_recordings(directory: tempfile::TempDir, tally: &Tally) {
    if tally.violations() > 0 {
        let kept: &Path = &directory.keep();
        eprintln!("the recordings of violations are kept in {}", kept.display());
    }
}

fn seed_of_clock() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    clock.map_or(0, |clock| clock.as_secs() << 20 | u64::from(clock.subsec_micros()))
}
