//! BASE: the base words in force belong to the generation.

use super::explore;
use super::observer::{base_overwritten, base_records};
use super::segments::Segments;
use crate::sync::Ordering;
use loom::thread;
use otlp_mmap_format::OverflowPolicy;
use std::sync::Arc;

#[test]
fn bases_are_those_of_the_generation() {
    explore(None, &["0", "1", "2", "3", "recycled"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::OverwriteOldest);
        let observer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || outcomes.note(observe(&segments))
        });
        for payload in 0..3 {
            segments.append(payload).unwrap();
        }
        observer.join().unwrap();
    });
}

/// The claim that fills in the pair of the first generation again is another thread's than the one in between.
#[test]
fn another_thread_claims_next() {
    explore(None, &["1", "2", "3", "recycled"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::OverwriteOldest);
        segments.append(0).unwrap();
        let observer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || outcomes.note(observe(&segments))
        });
        segments.append(1).unwrap();
        let other = thread::spawn({
            let segments = Arc::clone(&segments);
            move || segments.append(2).unwrap()
        });
        other.join().unwrap();
        observer.join().unwrap();
    });
}

/// The generation whose base words were found, each generation having one record that nobody acknowledges.
fn observe(segments: &Segments) -> String {
    let generation = segments.committed(Ordering::Acquire).generation;
    let bases = [base_records(segments, generation), base_overwritten(segments, generation)];
    if segments.committed(Ordering::Relaxed).generation != generation {
        return "recycled".to_owned();
    }
    assert_eq!(bases, [u64::from(generation).saturating_sub(1); 2], "generation {generation}");
    generation.to_string()
}
