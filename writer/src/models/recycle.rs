//! RECYCLE: a copy of a segment that was recycled meanwhile is known for one.

use super::explore;
use super::observer::{Cursor, Round};
use super::segments::Segments;
use loom::thread;
use otlp_mmap_format::OverflowPolicy;
use std::sync::Arc;

#[test]
fn claim_against_observer() {
    explore(None, &["Nothing", "Records([0])", "Records([1])", "Records([2])", "Recycled"], |outcomes| {
        let segments = Segments::new(1, OverflowPolicy::OverwriteOldest);
        segments.append(0).unwrap();
        let observer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || outcomes.note(format!("{:?}", Cursor::payloads().round(&segments)))
        });
        segments.append(1).unwrap();
        segments.append(2).unwrap();
        observer.join().unwrap();
    });
}

/// The thread that recycles a segment and the one that stores payload into it are not the same.
#[test]
fn another_thread_stores_the_payload() {
    explore(
        None,
        &["Nothing", "Records([0, 1])", "Records([2, 3])", "Records([2])", "Recycled"],
        |outcomes| {
            let segments = Segments::new(2, OverflowPolicy::OverwriteOldest);
            segments.append(0).unwrap();
            segments.append(1).unwrap();
            let observer = thread::spawn({
                let segments = Arc::clone(&segments);
                move || outcomes.note(format!("{:?}", Cursor::payloads().round(&segments)))
            });
            segments.append(2).unwrap();
            let other = thread::spawn({
                let segments = Arc::clone(&segments);
                move || segments.append(3).unwrap()
            });
            other.join().unwrap();
            observer.join().unwrap();
        },
    );
}
