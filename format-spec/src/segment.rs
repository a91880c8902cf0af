//! Segment table entries and the two words that publish and release records (SPEC "Segments").

use crate::U64;

/// Smallest segment in bytes.
pub const MIN_SEGMENT_SIZE: u32 = 4096;
/// Largest segment in bytes.
pub const MAX_SEGMENT_SIZE: u32 = 8 << 20;
/// Most segments a pool may have.
pub const MAX_SEGMENT_COUNT: u32 = 65_536;

on_disk! {
    /// State of one segment (SPEC "Segment table"). One cache line; every field is a shared word.
    pub struct SegmentEntry [64] {
        /// `Committed`: generation and published bytes. Stored by the writer. SYNC PUB.
        pub committed: U64,
        /// `Acknowledged`: what the exporter has delivered; opened and closed by the writer. SYNC ACK.
        pub acknowledged: U64,
        /// Records this segment held before generation `g`, in `base_records[g & 1]`. SYNC BASE.
        pub base_records: [U64; 2],
        /// How many of those were overwritten before an exporter acknowledged them, in `[g & 1]`. SYNC BASE.
        pub base_overwritten: [U64; 2],
        /// Zero.
        pub reserved: [U64; 2],
    }
}

/// The word that publishes records: generation in the high half, published bytes in the low half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Generation, stepped by `next_generation` each time the segment is claimed; 0: never.
    pub generation: u32,
    /// Bytes of whole records published in this generation, a multiple of 8.
    pub bytes: u32,
}

impl Committed {
    /// Takes the stored word apart.
    #[allow(clippy::cast_possible_truncation)] // the halves of a u64
    pub const fn unpack(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, bytes: word as u32 }
    }

    /// The word as stored.
    pub const fn pack(self) -> u64 {
        ((self.generation as u64) << 32) | self.bytes as u64
    }
}

/// The exporter's word: generation in the high half, then a flag by which the writer closes it, then a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The generation the count speaks of. The writer sets it when it claims the segment, before the first
    /// record; an exporter never changes it.
    pub generation: u32,
    /// Set by the writer when it begins to recycle the segment: later acknowledgements fail while it lives.
    pub closed: bool,
    /// Every record with a smaller index is delivered or given up; below 2^31.
    pub records: u32,
}

impl Acknowledged {
    /// The bit that the writer sets to close a generation's acknowledgements.
    pub const CLOSED_BIT: u64 = 1 << 31;

    /// Takes the stored word apart.
    #[allow(clippy::cast_possible_truncation)] // the fields of a u64
    pub const fn unpack(word: u64) -> Self {
        Self {
            generation: (word >> 32) as u32,
            closed: word & Self::CLOSED_BIT != 0,
            records: (word & (Self::CLOSED_BIT - 1)) as u32,
        }
    }

    /// The word as stored; a count of 2^31 or more is cut to 31 bits.
    pub const fn pack(self) -> u64 {
        let closed = if self.closed { Self::CLOSED_BIT } else { 0 };
        ((self.generation as u64) << 32) | closed | (self.records as u64 & (Self::CLOSED_BIT - 1))
    }
}
