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
//! reordered with a later store. Its acquire fence also orders what threads that came before have read, which is
//! more than the language gives. It compares an access with the last one of the same word alone: in a model with a
//! compare-exchange, which thread runs first makes a difference. Executions are explored without a bound on
//! preemptions, but where a model says so.

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

/// What may come out of the executions of a model, and what did; so that none passes because nothing happened in
/// it.
struct Outcomes {
    expected: BTreeSet<String>,
    found: Mutex<BTreeSet<String>>,
}

impl Outcomes {
    fn note(&self, outcome: impl Into<String>) {
        let outcome = outcome.into();
        assert!(self.expected.contains(&outcome), "unexpected: {outcome}");
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
    }
}

/// Runs `model` in every way that differs in what it can see, with at most so many preemptions, and checks that
/// each of the `expected` outcomes came up and no other.
fn explore(
    preemptions: impl Into<Option<usize>>,
    expected: &[&str],
    model: impl Fn(&'static Outcomes) + Send + Sync + 'static,
) {
    let expected = expected.iter().map(|outcome| (*outcome).to_owned()).collect();
    let outcomes: &'static Outcomes = Box::leak(Box::new(Outcomes { expected, found: Mutex::default() }));
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
    let found = outcomes.found.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*found, outcomes.expected, "what never came up");
}
