//! The readers' side, as SPEC 13 has it, on loom's atomics. Each `pread` is relaxed loads, with the fence of the
//! reader behind it.

use super::segments::{RECORD, Segments, word_of_record};
use crate::mapping::Mapping;
use crate::sync::{Ordering, fence};
use otlp_mmap_format::{SegmentEntry, unseal};
use std::mem::offset_of;
use std::ops::Range;

/// How far the one segment of a pool was read (SPEC 13.2).
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// The words of a record that are copied and checked. Each multiplies the number of executions.
    words: &'static [usize],
    generation: u32,
    consumed: u32,
    next_index: u32,
    base: u64,
}

/// What a round over the segment came to.
#[derive(Debug, PartialEq)]
pub(super) enum Round {
    Nothing,
    /// The segment was recycled while it was read.
    Recycled,
    /// The payloads of new records.
    Records(Vec<u64>),
}

impl Cursor {
    /// For reading records whole.
    pub(super) fn whole() -> Self {
        Self { words: &[0, 1, 2, 3, 4], generation: 0, consumed: 0, next_index: 0, base: 0 }
    }

    /// For reading of each record its payload alone.
    pub(super) fn payloads() -> Self {
        Self { words: &[4], ..Self::whole() }
    }

    /// One round; checks of every record that it is whole, and that its number is that of its payload.
    pub(super) fn round(&mut self, segments: &Segments) -> Round {
        let committed = segments.committed(Ordering::Acquire);
        let (generation, bytes) = (committed.generation, committed.bytes);
        if generation == 0 {
            return Round::Nothing;
        }
        let mut next = *self;
        if generation != self.generation {
            let base = base_records(segments, generation);
            next = Self { generation, base, consumed: 0, next_index: 0, ..next };
        }
        if next.consumed == bytes {
            return Round::Nothing;
        }
        let copy = self.copy(segments, next.consumed..bytes);
        if segments.committed(Ordering::Relaxed).generation != generation {
            return Round::Recycled;
        }
        let mut payloads = Vec::new();
        for record in copy {
            let expected = next.base + u64::from(next.next_index);
            for (word, found) in record {
                assert_eq!(found, word_of_record(word, generation, next.next_index, expected), "word {word}");
            }
            payloads.push(expected);
            next.next_index += 1;
        }
        next.consumed = bytes;
        *self = next;
        Round::Records(payloads)
    }

    /// A private copy of records, word by word with each word's number, ordered before what is loaded next.
    fn copy(&self, segments: &Segments, bytes: Range<u32>) -> Vec<Vec<(usize, u64)>> {
        let load = |at: usize, word: usize| {
            let offset = segments.geometry.segment(0) + at + word * 8;
            (word, segments.storage.mapping().word(offset).load(Ordering::Relaxed))
        };
        let copy = (bytes.start as usize..bytes.end as usize)
            .step_by(RECORD)
            .map(|at| self.words.iter().map(|word| load(at, *word)).collect())
            .collect();
        fence(Ordering::Acquire);
        copy
    }
}

/// `base_records` of a generation, valid if the generation is still the same afterwards.
pub(super) fn base_records(segments: &Segments, generation: u32) -> u64 {
    base(segments, offset_of!(SegmentEntry, base_records), generation)
}

/// `base_overwritten` of a generation.
pub(super) fn base_overwritten(segments: &Segments, generation: u32) -> u64 {
    base(segments, offset_of!(SegmentEntry, base_overwritten), generation)
}

fn base(segments: &Segments, field: usize, generation: u32) -> u64 {
    let word = segments.entry(field + (generation & 1) as usize * 8).load(Ordering::Acquire);
    unseal(word).expect("the check of a base word")
}

/// A private copy of whole words, ordered before what is loaded next.
pub(super) fn copy(mapping: &Mapping, offset: usize, bytes: usize) -> Vec<u64> {
    let copy = mapping.words(offset, bytes / 8).iter().map(|word| word.load(Ordering::Relaxed)).collect();
    fence(Ordering::Acquire);
    copy
}
