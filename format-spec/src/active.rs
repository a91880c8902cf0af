//! Active spans: the blocks that hold a span from its start to its end (SPEC "Active spans").
//!
//! A span is a chain of blocks. Its content (a `SpanBody`, then items) is the concatenation of the blocks'
//! content areas, cut at the published length.

use crate::checked::fold;
use crate::{U32, U64};

/// Size of a block in bytes.
pub const BLOCK_SIZE: usize = 256;
/// Bytes of content a block holds.
pub const BLOCK_CONTENT_SIZE: usize = 240;
/// Set in `ActiveBlock::flags` of a head: later items of the span are in the writer's memory alone.
pub const BLOCK_FLAG_SPILLED: u32 = 1;

on_disk! {
    /// One block.
    pub struct ActiveBlock [256] {
        /// `ActiveCommit`; 0 bytes: not the head of a span in flight. SYNC SPAN.
        pub committed: U64,
        /// Index of the next block of the chain plus 1; 0: none. Valid if `committed` reaches past this block.
        pub next: U32,
        /// `BLOCK_FLAG_SPILLED` or 0; head blocks only. SYNC SPAN.
        pub flags: U32,
        /// Content.
        pub content: [u8; 240],
    }
}

/// The word that publishes content of an active span: generation (32 bits), bytes (24 bits), and an 8-bit check
/// by which a flipped bit cannot bring an ended span back to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveCommit {
    /// Generation of the block, stepped by `next_generation` each time it becomes a head; 0: never.
    pub generation: u32,
    /// Published content bytes, below 2^24; 0: free, or not a head.
    pub bytes: u32,
}

impl ActiveCommit {
    /// The word as stored in block `index`: `generation << 32 | bytes << 8 | check`, where `check` is the
    /// exclusive or of the other seven bytes, of the four bytes of `index` and of 0x5a. A word of 0 is a
    /// block that was never taken.
    pub const fn pack(self, index: u32) -> u64 {
        let word = ((self.generation as u64) << 32) | (((self.bytes & 0x00ff_ffff) as u64) << 8);
        word | Self::check(word, index) as u64
    }

    /// Takes the stored word of block `index` apart; `None` if its check does not fit, or if it has no
    /// generation (so that one flipped bit cannot make a head of a block that was never taken).
    #[allow(clippy::cast_possible_truncation)] // the fields of a u64
    pub const fn unpack(word: u64, index: u32) -> Option<Self> {
        if word == 0 {
            return Some(Self { generation: 0, bytes: 0 });
        }
        let generation = (word >> 32) as u32;
        if generation == 0 || Self::check(word & !0xff, index) != (word & 0xff) as u8 {
            return None;
        }
        Some(Self { generation, bytes: ((word >> 8) & 0x00ff_ffff) as u32 })
    }

    const fn check(word: u64, index: u32) -> u8 {
        fold(word ^ index as u64) ^ 0x5a
    }
}
