//! Models: the writer's protocols under every interleaving and reordering that loom knows of.
//!
//! What runs here is the writer's own code, on a mapping of loom's atomics (`mapping`), with loom's scheduler
//! under its locks (`sync`), and without a file (`storage`). Segments of one or two records and dictionaries of
//! a few words keep the number of executions small. The readers' side is [`observer`], which follows SPEC 13
//! step by step; the exporter's compare-exchange is the reader's own (`advance`). `make models` runs them;
//! `make mutants` shows of each ordering and fence of SPEC 12 that a model fails without it.
//!
//! Limits of loom: it takes sequentially consistent accesses for acquire-release ones (there are none here) and
//! never has a load give a value that is stored later in time, so it finds nothing that needs a load to be
//! reordered with a later store. Executions are explored up to a number of preemptions, given with each model
//! where it is bounded at all.

mod acknowledge;
#[path = "../../reader/src/advance.rs"]
mod advance;
mod base;
mod cells;
mod dictionary;
mod lock;
mod observer;
mod publish;
mod recording;
mod recycle;
mod segments;
mod spans;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What came out of the executions of a model; so that no model passes because nothing happened in it.
#[derive(Default)]
struct Outcomes(Mutex<BTreeSet<String>>);

impl Outcomes {
    fn note(&self, outcome: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome.into());
    }
}

/// Runs `model` in every way that differs in what it can see, with at most so many preemptions, and checks that
/// each of the `expected` outcomes came up and no other.
fn explore(
    preemptions: impl Into<Option<usize>>,
    expected: &[&str],
    model: impl Fn(&'static Outcomes) + Send + Sync + 'static,
) {
    let outcomes: &'static Outcomes = Box::leak(Box::default());
    let executions: &'static AtomicU64 = Box::leak(Box::default());
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = preemptions.into();
    }
    builder.check(move || {
        executions.fetch_add(1, Ordering::Relaxed);
        model(outcomes);
    });
    let thread = std::thread::current();
    println!("{}: {} executions", thread.name().unwrap_or_default(), executions.load(Ordering::Relaxed));
    let found = outcomes.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "outcomes");
}
