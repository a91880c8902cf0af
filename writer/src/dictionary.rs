//! Dictionary: appends strings and definitions, and finds strings again (SPEC "Dictionary").
//!
//! Entries go from callers to the mapped section and are never changed; the index from string to reference is
//! private to the process. Looking up is lock-free, bounded and allocates nothing; appending takes a lock.

use crate::error::Error;
use crate::mapping::{Mapping, last_word};
use crate::storage::{Ahead, Storage};
use crate::sync::{AtomicU8, AtomicU64, Ordering, TryLock, zeroed};
use otlp_mmap_format::{DictionaryHeader, EntryHeader, EntryKind, align8, seal, unseal};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// Probes of the index before a string counts as not found.
const PROBES: usize = 64;
/// Longest string that is interned, in bytes; longer ones stand inline.
pub(crate) const MAX_INTERNED: usize = 4096;

/// Where the next entry goes, and what was defined before.
struct End {
    /// Bytes in use.
    used: usize,
    ahead: Ahead,
    /// References of definitions by the hash of kind and payload.
    definitions: HashMap<u64, u32>,
}

pub(crate) struct Dictionary {
    storage: Arc<Storage>,
    /// Start of the section in bytes.
    base: usize,
    length: usize,
    seed: u64,
    /// Open addressing: `hash >> 32 << 32 | reference`; 0: free.
    index: Box<[AtomicU64]>,
    /// The kind of the entry that starts at each reference; 0: none does.
    kinds: Box<[AtomicU8]>,
    end: TryLock<End>,
}

impl Dictionary {
    /// The dictionary of a new recording. Nothing is in it but what `copied` bytes already stand there.
    pub(crate) fn new(
        storage: Arc<Storage>,
        section: Range<usize>,
        seed: u64,
        copied: usize,
    ) -> Result<Self, Error> {
        let (base, length) = (section.start, section.len());
        let slots = (length / 32).next_power_of_two();
        let used = copied.max(DictionaryHeader::SIZE);
        let ahead = Ahead { backed: base, section_end: base + length };
        let no_memory = || Error::invalid("dictionary_size", "no memory for its index");
        let dictionary = Self {
            index: zeroed(slots).ok_or_else(no_memory)?,
            kinds: zeroed(length / 8).ok_or_else(no_memory)?,
            storage,
            base,
            length,
            seed,
            end: TryLock::new(End { used, ahead, definitions: HashMap::new() }),
        };
        dictionary.index_copied(copied);
        Ok(dictionary)
    }

    fn mapping(&self) -> &Mapping {
        self.storage.mapping()
    }

    /// Reference of a string, appended if it is new; `None` if there is no room or it is too long.
    #[inline]
    pub(crate) fn intern(&self, string: &str) -> Option<u32> {
        // Not even hashed: it may be of any length.
        if string.len() > MAX_INTERNED {
            return None;
        }
        let hash = hash(self.seed, string.as_bytes());
        match self.find(hash, string) {
            Some(reference) => Some(reference),
            None => self.intern_new(hash, string),
        }
    }

    #[inline]
    fn find(&self, hash: u64, string: &str) -> Option<u32> {
        let mask = self.index.len() - 1;
        for probe in 0..PROBES {
            let entry = self.index[(low_bits(hash) + probe) & mask].load(Ordering::Acquire);
            if entry == 0 {
                return None;
            }
            if entry >> 32 == hash >> 32 && self.is_string(reference_of(entry), string) {
                return Some(reference_of(entry));
            }
        }
        None
    }

    #[inline]
    fn is_string(&self, reference: u32, string: &str) -> bool {
        let at = self.base + reference as usize * 8;
        let length = self.mapping().word(at).load(Ordering::Relaxed) & u64::from(u32::MAX);
        length == (EntryHeader::SIZE + string.len()) as u64
            && self.mapping().equals(at + EntryHeader::SIZE, string.as_bytes())
    }

    #[cold]
    fn intern_new(&self, hash: u64, string: &str) -> Option<u32> {
        if let Some(mut end) = self.end.lock_bounded() {
            if let Some(reference) = self.find(hash, string) {
                return Some(reference);
            }
            if let Some(slot) = self.free_slot(hash)
                && let Ok(reference) = self.append(&mut end, EntryKind::String, string.as_bytes())
            {
                self.index[slot].store(hash >> 32 << 32 | u64::from(reference), Ordering::Release);
                return Some(reference);
            }
        }
        None
    }

    fn free_slot(&self, hash: u64) -> Option<usize> {
        let mask = self.index.len() - 1;
        (0..PROBES)
            .map(|probe| (low_bits(hash) + probe) & mask)
            .find(|&slot| self.index[slot].load(Ordering::Relaxed) == 0)
    }

    /// Reference of a definition or an attribute set, appended if there is no equal one.
    pub(crate) fn define(&self, kind: EntryKind, payload: &[u8]) -> Result<u32, Error> {
        let mut end = self.end.lock_bounded().ok_or(Error::Busy)?;
        let hash = hash(self.seed ^ u64::from(kind.code()), payload);
        if let Some(&reference) = end.definitions.get(&hash)
            && self.kinds[reference as usize].load(Ordering::Relaxed) == code(kind)
            && self.payload_equals(reference, payload)
        {
            return Ok(reference);
        }
        let reference = self.append(&mut end, kind, payload)?;
        end.definitions.insert(hash, reference);
        Ok(reference)
    }

    /// Writes an entry past the end and publishes it, if the section has room for it and the file system too.
    fn append(&self, end: &mut End, kind: EntryKind, payload: &[u8]) -> Result<u32, Error> {
        let limit = if kind == EntryKind::String { self.length / 4 * 3 } else { self.length };
        let length = EntryHeader::SIZE + payload.len();
        if align8(length) > limit.saturating_sub(end.used) {
            return Err(Error::DictionaryFull);
        }
        let at = self.base + end.used;
        self.storage.back_ahead(&mut end.ahead, at, align8(length)).map_err(|_| Error::NoSpace)?;
        let mut header = EntryHeader::new_zeroed();
        // At most 1 GiB by `Config::check`.
        header.length.set(u32::try_from(length).map_err(|_| Error::DictionaryFull)?);
        header.kind.set(kind.code());
        header.crc.set(crc32c::crc32c_append(crc32c::crc32c(&header.as_bytes()[..8]), payload));
        self.mapping().store_bytes(at + EntryHeader::SIZE, payload);
        self.mapping().store_bytes(at, header.as_bytes());
        let reference = u32::try_from(end.used / 8).map_err(|_| Error::DictionaryFull)?;
        end.used += align8(length);
        // SYNC DICT: orders the entry before its publication; paired with a reader's load of `committed`.
        self.mapping().word(self.base).store(seal(end.used as u64), Ordering::Release);
        // Release: a thread that got the reference finds the entry.
        self.kinds[reference as usize].store(code(kind), Ordering::Release);
        Ok(reference)
    }

    /// Checks that a reference was given out for an entry of this kind.
    #[inline]
    pub(crate) fn check(&self, argument: &'static str, reference: u32, kind: EntryKind) -> Result<(), Error> {
        match self.kinds.get(reference as usize) {
            Some(stored) if stored.load(Ordering::Acquire) == code(kind) => Ok(()),
            _ => Err(Error::UnknownReference { argument, reference, expected: noun(kind) }),
        }
    }

    /// Payload of an entry that `check` or `define` vouched for.
    pub(crate) fn payload(&self, reference: u32) -> Vec<u8> {
        let at = self.base + reference as usize * 8;
        let mut payload = Vec::new();
        self.mapping().load_bytes(
            at + EntryHeader::SIZE,
            self.entry_length(at) - EntryHeader::SIZE,
            &mut payload,
        );
        payload
    }

    /// Whether an entry's payload is `payload`.
    fn payload_equals(&self, reference: u32, payload: &[u8]) -> bool {
        let at = self.base + reference as usize * 8;
        self.entry_length(at) == EntryHeader::SIZE + payload.len()
            && self.mapping().equals(at + EntryHeader::SIZE, payload)
    }

    #[inline]
    fn entry_length(&self, at: usize) -> usize {
        low_bits(self.mapping().word(at).load(Ordering::Relaxed) & u64::from(u32::MAX)).max(EntryHeader::SIZE)
    }

    /// Ends all appending for good; an entry under way is finished first.
    pub(crate) fn freeze(&self) {
        self.end.keep();
    }

    /// Bytes in use, as published.
    pub(crate) fn committed(&self) -> usize {
        // SYNC DICT: what is copied up to here is whole.
        low_bits(unseal(self.mapping().word(self.base).load(Ordering::Acquire)).unwrap_or(0))
    }

    /// Appends the published bytes to `out`, for a forked child's own dictionary.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>) {
        self.mapping().load_bytes(self.base, self.committed(), out);
    }

    /// References of all entries of a kind, in order.
    pub(crate) fn entries(&self, kind: EntryKind) -> Vec<u32> {
        let offsets = self.offsets(self.committed());
        offsets.filter(|(_, found)| *found == Some(kind)).map(|(reference, _)| reference).collect()
    }

    /// References and kinds of the entries in the first `used` bytes.
    fn offsets(&self, used: usize) -> impl Iterator<Item = (u32, Option<EntryKind>)> {
        let mut at = DictionaryHeader::SIZE;
        std::iter::from_fn(move || {
            let entry = (at < used).then_some(at)?;
            at += align8(self.entry_length(self.base + entry));
            let word = self.mapping().word(self.base + entry).load(Ordering::Relaxed);
            let kind = u32::try_from(word >> 32).ok().and_then(EntryKind::from_code);
            Some((u32::try_from(entry / 8).ok()?, kind))
        })
    }

    /// Fills index and kinds from entries that a forked child copied from its parent.
    fn index_copied(&self, copied: usize) {
        for (reference, kind) in self.offsets(copied) {
            if let Some(kind) = kind {
                self.kinds[reference as usize].store(code(kind), Ordering::Relaxed);
                self.index_entry(kind, reference);
            }
        }
    }

    fn index_entry(&self, kind: EntryKind, reference: u32) {
        let payload = self.payload(reference);
        if kind != EntryKind::String {
            if let Some(mut end) = self.end.try_lock() {
                end.definitions.insert(hash(self.seed ^ u64::from(kind.code()), &payload), reference);
            }
            return;
        }
        let hash = hash(self.seed, &payload);
        if let Some(slot) = self.free_slot(hash) {
            self.index[slot].store(hash >> 32 << 32 | u64::from(reference), Ordering::Relaxed);
        }
    }
}

const fn code(kind: EntryKind) -> u8 {
    kind.code().to_le_bytes()[0]
}

const fn noun(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::String => "a string",
        EntryKind::Resource => "a resource",
        EntryKind::Scope => "an instrumentation scope",
        EntryKind::MetricStream => "a metric stream",
        EntryKind::AttributeSet => "an attribute set",
    }
}

#[allow(clippy::cast_possible_truncation)] // the low half is what is meant
const fn reference_of(entry: u64) -> u32 {
    entry as u32
}

#[allow(clippy::cast_possible_truncation)] // 64-bit targets only, see `mapping`
const fn low_bits(word: u64) -> usize {
    word as usize
}

/// A keyed hash: the seed is random per file, so that nobody can choose strings that collide.
#[inline]
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (chunks, tail) = bytes.as_chunks::<8>();
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk));
    }
    if !tail.is_empty() {
        state = mix(state ^ last_word(tail));
    }
    mix(state ^ seed)
}

#[inline]
fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ 0xd6e8_feb8_6659_fd93) * 0xa076_1d64_78bd_642f;
    low_half(product) ^ low_half(product >> 64)
}

#[allow(clippy::cast_possible_truncation)] // the low half is what is meant
const fn low_half(value: u128) -> u64 {
    value as u64
}
