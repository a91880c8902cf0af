//! Tally: what the workers' kills came to, by policy and number of threads, in memory that they share.

use super::round::{MAX_THREADS, POLICIES, Policy, Round};
use super::shared::Shared;
use super::worker::Outcome;
use crate::table::{Line, thousands};
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

/// Numbers of threads that share a line of the table.
const GROUPS: [RangeInclusive<usize>; 5] = [1..=1, 2..=3, 4..=7, 8..=11, 12..=16];
/// Sums of each policy and number of threads.
const FIELDS: usize = 20;

/// What is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Kills,
    Violations,
    InCreation,
    Recorded,
    Present,
    Overwritten,
    Refused,
    Busy,
    UnderWay,
    InFlight,
    Seen,
    Missed,
    Attachments,
    ExportersKilled,
    Stopped,
    Forked,
    Closed,
}

/// Sums over all workers.
pub(super) struct Tally {
    shared: Shared,
}

impl Tally {
    /// With one word for each worker, which says at which round it is.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { shared: Shared::new(POLICIES.len() * MAX_THREADS * FIELDS)? })
    }

    fn add(&self, round: &Round, field: Field, amount: u64) {
        let policy = POLICIES.iter().position(|policy| *policy == round.policy).unwrap_or(0);
        let place = place(policy, round.threads, field);
        self.shared.words()[place].fetch_add(amount, Ordering::Relaxed);
    }

    /// Enters a kill.
    pub(super) fn enter(&self, round: &Round, outcome: &Outcome, violations: u64) {
        let found = &outcome.found;
        for (field, amount) in [
            (Field::Kills, 1),
            (Field::Violations, violations),
            (Field::InCreation, outcome.in_creation.into()),
            (Field::Recorded, found.recorded),
            (Field::Present, found.present),
            (Field::Overwritten, found.overwritten),
            (Field::Refused, found.refused),
            (Field::Busy, found.busy),
            (Field::UnderWay, outcome.under_way),
            (Field::InFlight, found.in_flight),
            (Field::Seen, outcome.seen),
            (Field::Missed, outcome.missed),
            (Field::Attachments, outcome.attachments),
            (Field::ExportersKilled, outcome.exporter_killed.into()),
            (Field::Stopped, outcome.stopped.into()),
            (Field::Forked, outcome.forked.into()),
            (Field::Closed, outcome.closed.into()),
        ] {
            self.add(round, field, amount);
        }
    }

    fn sum(&self, policies: RangeInclusive<usize>, threads: &RangeInclusive<usize>, field: Field) -> u64 {
        let places =
            policies.flat_map(|policy| threads.clone().map(move |threads| place(policy, threads, field)));
        places.map(|place| self.shared.words()[place].load(Ordering::Relaxed)).sum()
    }

    fn total(&self, field: Field) -> u64 {
        self.sum(0..=POLICIES.len() - 1, &(1..=MAX_THREADS), field)
    }

    pub(super) fn kills(&self) -> u64 {
        self.total(Field::Kills)
    }

    pub(super) fn violations(&self) -> u64 {
        self.total(Field::Violations)
    }

    /// The lines of the table, without those of which there was no kill.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, policy) in POLICIES.iter().enumerate() {
            for threads in &GROUPS {
                let of = |field| self.sum(at..=at, threads, field);
                if of(Field::Kills) > 0 {
                    lines.push(line(&name(*policy, threads), of));
                }
            }
        }
        lines
    }
}

fn place(policy: usize, threads: usize, field: Field) -> usize {
    (policy * MAX_THREADS + threads - 1) * FIELDS + field as usize
}

fn name(policy: Policy, threads: &RangeInclusive<usize>) -> String {
    match (threads.start(), threads.end()) {
        (1, 1) => format!("random kills, {policy:?}, 1 thread"),
        (first, last) => format!("random kills, {policy:?}, {first}-{last} threads"),
    }
}

fn line(what: &str, of: impl Fn(Field) -> u64) -> Line {
    let violations = of(Field::Violations);
    let of = |field| thousands(of(field));
    let notes = [
        format!("{} records published, {} overwritten", of(Field::Recorded), of(Field::Overwritten)),
        format!("{} calls refused ({} busy)", of(Field::Refused), of(Field::Busy)),
        format!("{} calls cut off", of(Field::UnderWay)),
        format!("{} spans in flight", of(Field::InFlight)),
        format!("observer: {} seen, {} missed", of(Field::Seen), of(Field::Missed)),
        format!("exporter: {} attached, {} killed", of(Field::Attachments), of(Field::ExportersKilled)),
        format!("{} before there was a file", of(Field::InCreation)),
        format!(
            "{} stopped first, {} forked, {} closed",
            of(Field::Stopped),
            of(Field::Forked),
            of(Field::Closed)
        ),
    ];
    Line {
        what: what.to_owned(),
        count: format!("{} kills", of(Field::Kills)),
        violations,
        notes: notes.join("; "),
    }
}
