//! The mapped file: the only file of this crate with raw pointers into it.
//!
//! All access is by 64-bit atomics. Payload is stored with relaxed stores, which compile to plain moves: so no
//! interleaving of threads, however wrong, is undefined behaviour, and only the control words need thought.
//! Offsets are checked against the mapping's length on every call; a wrong one would be a bug of this crate
//! and panics instead of reaching memory that is not ours.

use self::memory::Memory;
use crate::sync::{AtomicU64, Ordering};
use std::io;

#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
compile_error!("the recording format is little-endian and its mapping is addressed with 64 bits");

/// A shared mapping of a whole recording.
pub(crate) struct Mapping(Memory);

impl Mapping {
    /// Maps `length` bytes of `file`, which must be that long at least.
    #[cfg(not(loom))]
    pub(crate) fn new(file: &std::fs::File, length: usize) -> io::Result<Self> {
        Memory::map(file, length).map(Self)
    }

    /// Stands for a mapping in models: `length` bytes of zeros.
    #[cfg(loom)]
    pub(crate) fn zeroed(length: usize) -> Self {
        Self(Memory::zeroed(length))
    }

    /// The 64-bit word at `offset` bytes, a multiple of 8.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        &self.words(offset, 1)[0]
    }

    /// `count` words from `offset` bytes on.
    #[inline]
    pub(crate) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        self.0.words(offset, count)
    }

    /// Stores `bytes` from `offset` (a multiple of 8) on; the last word is filled up with zeros.
    #[inline]
    pub(crate) fn store_bytes(&self, offset: usize, bytes: &[u8]) {
        let words = self.words(offset, bytes.len().div_ceil(8));
        let (chunks, tail) = bytes.as_chunks::<8>();
        for (word, chunk) in words.iter().zip(chunks) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
        }
        if let (false, Some(word)) = (tail.is_empty(), words.last()) {
            word.store(last_word(tail), Ordering::Relaxed);
        }
    }

    /// Appends `length` bytes from `offset` (a multiple of 8) on to `out`.
    pub(crate) fn load_bytes(&self, offset: usize, length: usize, out: &mut Vec<u8>) {
        let words = self.words(offset, length.div_ceil(8));
        let end = out.len() + length;
        out.reserve(length.next_multiple_of(8));
        for word in words {
            out.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        out.truncate(end);
    }

    /// Whether the bytes from `offset` (a multiple of 8) on are `bytes`; what follows up to 8 must be zero.
    #[inline]
    pub(crate) fn equals(&self, offset: usize, bytes: &[u8]) -> bool {
        let words = self.words(offset, bytes.len().div_ceil(8));
        let (chunks, tail) = bytes.as_chunks::<8>();
        let same = words
            .iter()
            .zip(chunks)
            .all(|(word, chunk)| word.load(Ordering::Relaxed) == u64::from_le_bytes(*chunk));
        same && (tail.is_empty()
            || words.last().is_some_and(|word| word.load(Ordering::Relaxed) == last_word(tail)))
    }

    /// Writes everything to the storage device and waits for it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Up to 7 bytes as a word, filled up with zeros. A loop, since a copy of unknown length is a call.
#[inline]
pub(crate) fn last_word(tail: &[u8]) -> u64 {
    tail.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The memory behind a mapping: pages of the file.
#[cfg(not(loom))]
mod memory {
    use crate::sync::AtomicU64;
    use memmap2::{MmapOptions, MmapRaw};
    use std::fs::File;
    use std::io;

    pub(super) struct Memory {
        map: MmapRaw,
        words: usize,
    }

    impl Memory {
        pub(super) fn map(file: &File, length: usize) -> io::Result<Self> {
            let map = MmapOptions::new().len(length).map_raw(file)?;
            Ok(Self { words: map.len() / 8, map })
        }

        #[inline]
        pub(super) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
            let first = offset / 8;
            assert!(
                offset.is_multiple_of(8) && count <= self.words && first <= self.words - count,
                "offset in the mapping"
            );
            // SAFETY: a mapping starts at a page boundary, so words at multiples of 8 are aligned; `first + count`
            // words lie inside it by the assertion; it lives as long as `self`; memory of atomics may be shared,
            // in this process every access goes through these atomics, and other processes change only the
            // acknowledgement words (SPEC "Security": the file belongs to one user).
            #[allow(clippy::cast_ptr_alignment)]
            unsafe {
                std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>().add(first), count)
            }
        }

        pub(super) fn flush(&self) -> io::Result<()> {
            self.map.flush()
        }
    }
}

/// The same in models: words that loom knows of.
#[cfg(loom)]
#[allow(clippy::unnecessary_wraps, clippy::unused_self)] // as the mapping of a file
mod memory {
    use crate::sync::{AtomicU64, zeroed};
    use std::io;

    pub(super) struct Memory(Box<[AtomicU64]>);

    impl Memory {
        pub(super) fn zeroed(length: usize) -> Self {
            Self(zeroed(length / 8).unwrap_or_default())
        }

        pub(super) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
            assert!(offset.is_multiple_of(8), "offset in the mapping");
            &self.0[offset / 8..][..count]
        }

        pub(super) fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        Mapping::new(&file, 4096).unwrap()
    }

    #[test]
    fn bytes_come_back_at_every_length() {
        let mapping = mapping();
        for length in 0..40_usize {
            let bytes: Vec<u8> = (1..).take(length).collect();
            mapping.word(64 + length / 8 * 8).store(u64::MAX, Ordering::Relaxed);
            mapping.store_bytes(64, &bytes);
            let mut back = vec![9];
            mapping.load_bytes(64, length, &mut back);
            assert_eq!(back[1..], bytes);
            assert!(mapping.equals(64, &bytes));
        }
        assert!(!mapping.equals(64, &[1; 39]));
    }

    #[test]
    #[should_panic(expected = "offset in the mapping")]
    fn a_store_past_the_end_is_refused() {
        mapping().store_bytes(4088, &[0; 9]);
    }
}
