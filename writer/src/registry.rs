//! Registry: an append-only list with an index, private to the process, for streams and series.
//!
//! Looking up is lock-free, bounded and allocates nothing; it gives only entries that are complete. Callers take
//! care that one thread at a time appends.

use crate::error::Error;
use crate::sync::{AtomicU32, AtomicU64, Ordering, zeroed};
use std::sync::OnceLock;

/// Entries that are allocated at once.
const CHUNK: usize = 256;
/// Probes of the index before an entry counts as not found.
const PROBES: usize = 64;

type Chunk<T> = Box<[OnceLock<T>]>;

/// Entries numbered from 0 in the order in which they were appended.
pub(crate) struct Registry<T> {
    chunks: Box<[OnceLock<Chunk<T>>]>,
    length: AtomicU32,
    /// Open addressing: `hash >> 32 << 32 | number + 1`; 0: free.
    index: Box<[AtomicU64]>,
}

/// A free place in the index.
pub(crate) struct Slot {
    at: usize,
    tag: u64,
}

impl<T> Registry<T> {
    /// A registry for up to `capacity` entries; memory is touched as they come. `None`: no memory.
    pub(crate) fn new(capacity: usize) -> Result<Self, Error> {
        let no_memory = || Error::invalid("cells_size", "no memory for its index");
        Ok(Self {
            chunks: (0..capacity.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(),
            length: AtomicU32::new(0),
            index: zeroed((capacity * 2).next_power_of_two()).ok_or_else(no_memory)?,
        })
    }

    /// The entry with a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get()?[number % CHUNK].get()
    }

    /// The entry under a hash that is the `same`, with its number.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<(u32, &T)> {
        for place in self.places(hash) {
            // Acquire pairs with `enter`.
            let word = self.index[place].load(Ordering::Acquire);
            let number = number_of(word)?;
            if word >> 32 == hash >> 32
                && let Some(entry) = self.get(number)
                && same(entry)
            {
                return Some((number, entry));
            }
        }
        None
    }

    /// A free place for a hash, or `None` if the index is too crowded around it.
    pub(crate) fn slot(&self, hash: u64) -> Option<Slot> {
        let is_free = |place: &usize| self.index[*place].load(Ordering::Relaxed) == 0;
        self.places(hash).find(is_free).map(|at| Slot { at, tag: hash >> 32 << 32 })
    }

    /// Appends an entry, not yet in the index; `None` if the list is full.
    pub(crate) fn append(&self, entry: T) -> Option<u32> {
        let number = self.length.load(Ordering::Relaxed);
        let chunk = self.chunks.get(number as usize / CHUNK)?;
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        chunk[number as usize % CHUNK].set(entry).ok()?;
        self.length.store(number + 1, Ordering::Relaxed);
        Some(number)
    }

    /// Enters an appended entry into the index.
    pub(crate) fn enter(&self, slot: &Slot, number: u32) {
        // Release: who finds the number finds the entry.
        self.index[slot.at].store(slot.tag | (u64::from(number) + 1), Ordering::Release);
    }

    #[inline]
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> + use<T> {
        let mask = self.index.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // the low bits are what is meant
        let first = hash as usize;
        (0..PROBES).map(move |probe| first.wrapping_add(probe) & mask)
    }
}

/// The number in a word of the index.
#[inline]
fn number_of(word: u64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation)] // the low half is what is meant
    (word as u32).checked_sub(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_number_and_by_hash() {
        let registry = Registry::new(1000).unwrap();
        let hash = |number: u64| (number << 32) | (number % 8);
        for number in 0..400_u64 {
            let slot = registry.slot(hash(number));
            let appended = registry.append(number).unwrap();
            if let Some(slot) = slot {
                registry.enter(&slot, appended);
            }
        }
        assert_eq!(registry.get(399), Some(&399));
        assert_eq!(registry.get(400), None);
        assert_eq!(registry.get(u32::MAX), None);
        assert_eq!(registry.find(hash(7), |entry| *entry == 7), Some((7, &7)));
        assert_eq!(registry.find(hash(7), |entry| *entry == 8), None);
        // Eight places, 64 probes each: the crowd leaves no more than 71 of them.
        assert_eq!(
            (0..400).filter(|&number| registry.find(hash(number), |e| *e == number).is_some()).count(),
            71
        );
    }
}
