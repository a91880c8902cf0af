//! ACK: each record is delivered, overwritten or present, and only one of these. The exporter's compare-exchange
//! is the reader's own.

use super::advance::advance;
use super::explore;
use super::observer::{Cursor, Round, base_overwritten, base_records};
use super::segments::Segments;
use crate::sync::Ordering;
use loom::thread;
use otlp_mmap_format::{Acknowledged, OverflowPolicy, SegmentEntry};
use std::mem::offset_of;
use std::sync::Arc;

const ACKNOWLEDGED: usize = offset_of!(SegmentEntry, acknowledged);

/// Acknowledges the one record of the generation that it finds, if there is one; the generation if that
/// succeeded.
fn acknowledge(segments: &Segments) -> Option<u32> {
    let committed = segments.committed(Ordering::Acquire);
    let is_there = committed.bytes > 0;
    let advance = || advance(segments.entry(ACKNOWLEDGED), committed.generation, 1, || false);
    (is_there && advance()).then_some(committed.generation)
}

fn acknowledged(segments: &Segments, ordering: Ordering) -> Acknowledged {
    Acknowledged::unpack(segments.entry(ACKNOWLEDGED).load(ordering)).expect("the check of the word")
}

#[test]
fn each_record_counts_once() {
    explore(None, &["[1, 2]", "[1, 3]", "[1]", "[2, 3]", "[2]", "[3]", "[]"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::OverwriteOldest);
        segments.append(0).unwrap();
        let exporter = thread::spawn({
            let segments = Arc::clone(&segments);
            move || [(); 2].map(|()| acknowledge(&segments))
        });
        segments.append(1).unwrap();
        segments.append(2).unwrap();
        let mut delivered: Vec<u32> = exporter.join().unwrap().into_iter().flatten().collect();
        delivered.dedup();
        assert_eq!(base_records(&segments, 3), 2);
        let overwritten = [base_overwritten(&segments, 2), base_overwritten(&segments, 3)];
        for (generation, lost) in [(1, overwritten[0]), (2, overwritten[1] - overwritten[0])] {
            let sent = u64::from(delivered.contains(&generation));
            assert_eq!(
                lost + sent,
                1,
                "the record of generation {generation}: lost {lost}, sent {sent} times"
            );
        }
        let present = acknowledged(&segments, Ordering::Relaxed);
        let sent = u32::from(delivered.contains(&3));
        assert_eq!(present, Acknowledged { generation: 3, closed: false, records: sent });
        outcomes.note(format!("{delivered:?}"));
    });
}

/// What a killed writer's file says at any moment: its acknowledgements are of its generation, or closed.
#[test]
fn closed_before_the_generation_ends_and_open_after_the_next_begins() {
    explore(None, &["1 in 1", "1 in 2", "2 in 2"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::OverwriteOldest);
        segments.append(0).unwrap();
        let observer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || {
                let generation = segments.committed(Ordering::Acquire).generation;
                let found = acknowledged(&segments, Ordering::Relaxed);
                assert!(found.closed || found.generation >= generation, "{found:?} in {generation}");
                let found = acknowledged(&segments, Ordering::Acquire);
                let generation = segments.committed(Ordering::Relaxed).generation;
                assert!(found.generation <= generation, "{found:?} in {generation}");
                outcomes.note(format!("{} in {generation}", found.generation));
            }
        });
        segments.append(1).unwrap();
        observer.join().unwrap();
    });
}

#[test]
fn what_was_not_delivered_is_not_overwritten() {
    explore(None, &["appended", "refused"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::DiscardNewest);
        segments.append(0).unwrap();
        let writer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || segments.append(1).is_ok()
        });
        assert_eq!(Cursor::payloads().round(&segments), Round::Records(vec![0]));
        assert_eq!(acknowledge(&segments), Some(1));
        let is_appended = writer.join().unwrap();
        assert_eq!(base_overwritten(&segments, segments.committed(Ordering::Relaxed).generation), 0);
        outcomes.note(if is_appended { "appended" } else { "refused" });
    });
}
