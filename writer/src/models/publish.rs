//! PUB: what `committed` says is there is there, whole.

use super::explore;
use super::observer::{Cursor, Round};
use super::segments::Segments;
use loom::thread;
use otlp_mmap_format::OverflowPolicy;
use std::sync::Arc;

#[test]
fn append_against_observer() {
    explore(None, &["0 then 0", "0 then 1", "0 then 2", "1 then 0", "1 then 1", "2 then 0"], |outcomes| {
        let segments = Segments::new(2, OverflowPolicy::OverwriteOldest);
        let writer = thread::spawn({
            let segments = Arc::clone(&segments);
            move || {
                segments.append(0).unwrap();
                segments.append(1).unwrap();
            }
        });
        let mut cursor = Cursor::whole();
        let [first, second] = [(); 2].map(|()| match cursor.round(&segments) {
            Round::Nothing => 0,
            Round::Records(records) => records.len(),
            Round::Recycled => panic!("the segment has room for both"),
        });
        outcomes.note(format!("{first} then {second}"));
        writer.join().unwrap();
    });
}
