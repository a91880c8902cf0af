//! The readers' side, as SPEC 13 has it, on loom's atomics. Each `pread` is relaxed loads, with the fence of the
//! reader behind it.

use super::segments::{RECORD, Segments, payload_of};
use crate::mapping::Mapping;
use crate::sync::{Ordering, fence};
use otlp_mmap_format::{SegmentEntry, unseal};
use std::mem::offset_of;

/// How far the one segment of a pool was read (SPEC 13.2).
#[derive(Default)]
pub(super) struct Cursor {
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
    /// One round; checks of every record that it is whole, and that its number is that of its payload.
    pub(super) fn round(&mut self, segments: &Segments) -> Round {
        let committed = segments.committed(Ordering::Acquire);
        let (generation, bytes) = (committed.generation, committed.bytes);
        if generation == 0 {
            return Round::Nothing;
        }
        let mut next = Self { generation, ..*self };
        if generation != self.generation {
            next = Self { generation, base: base_records(segments, generation), ..Self::default() };
        }
        if next.consumed == bytes {
            return Round::Nothing;
        }
        let copy = copy(
            segments.storage.mapping(),
            segments.geometry.segment(0) + next.consumed as usize,
            bytes - next.consumed,
        );
        if segments.committed(Ordering::Relaxed).generation != generation {
            return Round::Recycled;
        }
        let mut records = Vec::new();
        for record in copy.chunks_exact(RECORD / 8) {
            let payload = payload_of(record, generation, next.next_index);
            assert_eq!(payload, next.base + u64::from(next.next_index), "number of the record");
            records.push(payload);
            next.next_index += 1;
        }
        next.consumed = bytes;
        *self = next;
        Round::Records(records)
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

/// A private copy of words, ordered before what is loaded next.
pub(super) fn copy(mapping: &Mapping, offset: usize, bytes: u32) -> Vec<u64> {
    let words = mapping.words(offset, bytes as usize / 8);
    let copy = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    fence(Ordering::Acquire);
    copy
}
