//! Everything that can be asked of a recording, and what the answers have in common.

use std::collections::HashSet;

use otlp_mmap_reader::model::{Position, Record};
use otlp_mmap_reader::{Batch, Recording, Report, Rule, Signal, Snapshot};

/// Asks a recording that nobody writes everything. Verify, snapshot and observers tell of the same records.
pub fn everything(recording: &Recording) -> Snapshot {
    let _ = (recording.liveness(), recording.same_boot(), recording.fill());
    let report = recording.verify().expect("verify has no errors");
    assert!(report.faults.iter().all(|fault| !fault.to_string().is_empty()));
    let mut observer = recording.observe();
    let first = observer.poll().expect("poll has no errors");
    let second = observer.poll().expect("poll has no errors");
    assert_eq!(second.records, [], "found twice by one observer");
    assert_eq!(second.missed, [0; 3], "missed in a file that nobody writes");
    check_unacknowledged(recording, &first);
    let snapshot = recording.snapshot().expect("snapshot has no errors");
    check_snapshot(recording, &snapshot, &first);
    check_report(&report, &snapshot);
    snapshot
}

fn positions(batch: &Batch) -> Vec<Position> {
    batch.records.iter().map(Record::position).collect()
}

/// Whoever reads what was not acknowledged reads nothing else.
fn check_unacknowledged(recording: &Recording, all: &Batch) {
    let batch = recording.observe_unacknowledged().poll().expect("poll has no errors");
    let all: HashSet<Position> = positions(all).into_iter().collect();
    assert!(
        positions(&batch).iter().all(|position| all.contains(position)),
        "not acknowledged, and not there"
    );
}

/// A snapshot has what an observer finds, each record in a place of its own.
fn check_snapshot(recording: &Recording, snapshot: &Snapshot, batch: &Batch) {
    let spans = snapshot.spans.iter().map(|span| (Signal::Spans, span.position));
    let events = snapshot.events.iter().map(|event| (Signal::Events, event.position));
    let measurements = snapshot.measurements.iter().map(|one| (Signal::Measurements, one.position));
    let all: Vec<(Signal, Position)> = spans.chain(events).chain(measurements).collect();
    let mut found: Vec<Position> = all.iter().map(|(_, position)| *position).collect();
    let mut observed = positions(batch);
    found.sort_by_key(|position| position.offset);
    observed.sort_by_key(|position| position.offset);
    assert_eq!(found, observed, "a snapshot and an observer differ");
    assert!(found.is_sorted_by(|one, next| one.offset < next.offset), "two records in one place");
    let mut numbers = HashSet::new();
    let is_new = |(signal, position): &(Signal, Position)| {
        numbers.insert((*signal, position.segment, position.sequence))
    };
    assert!(all.iter().all(is_new), "two records of one number");
    let file_size = recording.header().file_size;
    assert!(found.iter().all(|position| position.offset < file_size), "a record behind the file");
    for signal in &snapshot.losses.signals {
        let present = all.iter().filter(|(of, _)| *of == signal.signal).count() as u64;
        assert!(signal.recorded >= present, "{present} of {} {:?}", signal.recorded, signal.signal);
    }
    assert!(snapshot.spans_in_flight.iter().all(|span| span.end_time_unix_nano.is_none()));
}

/// Verify counts what a snapshot has, and finds whatever fault a snapshot does.
fn check_report(verified: &Report, snapshot: &Snapshot) {
    let (all, seen) = (verified.readable, snapshot.report.readable);
    assert_eq!((all.spans, all.events), (seen.spans, seen.events), "verify and a snapshot differ");
    assert_eq!(all.spans_in_flight, seen.spans_in_flight, "verify and a snapshot differ");
    assert_eq!((seen.spans, seen.events), (snapshot.spans.len() as u64, snapshot.events.len() as u64));
    let faults = [verified, &snapshot.report];
    // Of definitions that overlap the one that is met first counts, and verify meets them in the file's order.
    let depends = faults
        .iter()
        .any(|report| report.omitted > 0 || report.faults.iter().any(|fault| fault.rule == Rule::Reference));
    if !depends {
        let found = [seen.measurements, seen.series];
        assert_eq!([all.measurements, all.series], found, "verify and a snapshot differ");
    }
    if verified.is_clean() {
        assert_eq!(snapshot.report.faults, [], "verify has not found this");
    }
}
