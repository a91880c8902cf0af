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
            move || {
                let generation = segments.committed(Ordering::Acquire).generation;
                let bases = [base_records(&segments, generation), base_overwritten(&segments, generation)];
                if segments.committed(Ordering::Relaxed).generation != generation {
                    return outcomes.note("recycled");
                }
                // Each generation has one record, and nobody acknowledges any.
                assert_eq!(bases, [u64::from(generation).saturating_sub(1); 2], "generation {generation}");
                outcomes.note(generation.to_string());
            }
        });
        for payload in 0..3 {
            segments.append(payload).unwrap();
        }
        observer.join().unwrap();
    });
}
