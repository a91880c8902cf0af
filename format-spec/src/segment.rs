//! Segment table entries and the two words that publish and release records (SPEC "Segments").

use crate::{U64, seal, unseal};

/// Smallest segment in bytes.
pub const MIN_SEGMENT_SIZE: u32 = 4096;
/// Largest segment in bytes.
pub const MAX_SEGMENT_SIZE: u32 = 8 << 20;
/// Most segments a pool may have.
pub const MAX_SEGMENT_COUNT: u32 = 65_536;
const MASK_24: u32 = (1 << 24) - 1;

on_disk! {
    /// State of one segment (SPEC "Segment table"). One cache line; every field is a shared word.
    pub struct SegmentEntry [64] {
        /// `Committed`: generation and published bytes. Stored by the writer. SYNC PUB.
        pub committed: U64,
        /// `Acknowledged`: what the exporter has delivered; opened and closed by the writer. SYNC ACK.
        pub acknowledged: U64,
        /// Records this segment held before generation `g`, in `base_records[g & 1]`; checked. SYNC BASE.
        pub base_records: [U64; 2],
        /// How many of those were overwritten before an exporter acknowledged them, in `[g & 1]`; checked. SYNC BASE.
        pub base_overwritten: [U64; 2],
        /// Zero.
        pub reserved: [U64; 2],
    }
}

/// The word that publishes records: generation (32 bits), published bytes (24 bits), and the check of a checked
/// word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Generation, stepped by `next_generation` each time the segment is claimed; 0: never.
    pub generation: u32,
    /// Bytes of whole records published in this generation, a multiple of 8, below 2^24.
    pub bytes: u32,
}

impl Committed {
    /// Takes the stored word apart; `None` if its check does not fit.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the fields of a u64
    pub const fn unpack(word: u64) -> Option<Self> {
        match unseal(word) {
            Some(value) => Some(Self { generation: (value >> 24) as u32, bytes: value as u32 & MASK_24 }),
            None => None,
        }
    }

    /// The word as stored: `generation << 32 | bytes << 8 | check`; `bytes` is cut to 24 bits.
    #[inline]
    pub const fn pack(self) -> u64 {
        seal(((self.generation as u64) << 24) | (self.bytes & MASK_24) as u64)
    }
}

/// The exporter's word: generation (32 bits), a flag by which the writer closes it, a count (23 bits), and the
/// check of a checked word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The generation the count speaks of. The writer sets it when it claims the segment, before the first
    /// record; an exporter never changes it.
    pub generation: u32,
    /// Set by the writer when it begins to recycle the segment: later acknowledgements fail while it lives.
    pub closed: bool,
    /// Every record with a smaller index is delivered or given up; below [`Self::MAX_RECORDS`].
    pub records: u32,
}

impl Acknowledged {
    /// What the writer flips in an open word to close it: the flag, and the bit of the check that goes with it.
    pub const CLOSE_MASK: u64 = seal(Self::CLOSED);
    /// Counts are below this; a segment has room for fewer records.
    pub const MAX_RECORDS: u32 = 1 << 23;
    const CLOSED: u64 = 1 << 23;

    /// Takes the stored word apart; `None` if its check does not fit.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the fields of a u64
    pub const fn unpack(word: u64) -> Option<Self> {
        match unseal(word) {
            Some(value) => Some(Self {
                generation: (value >> 24) as u32,
                closed: value & Self::CLOSED != 0,
                records: value as u32 & (Self::MAX_RECORDS - 1),
            }),
            None => None,
        }
    }

    /// The word as stored: `generation << 32 | closed << 31 | records << 8 | check`; a count is cut to 23 bits.
    #[inline]
    pub const fn pack(self) -> u64 {
        let closed = if self.closed { Self::CLOSED } else { 0 };
        let records = (self.records & (Self::MAX_RECORDS - 1)) as u64;
        seal(((self.generation as u64) << 24) | closed | records)
    }
}
