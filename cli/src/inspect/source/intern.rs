//! Texts that many rows share, held once; and a fast hash for ids that may be anybody's.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use otlp_mmap_reader::model::{Scope, Text};

use crate::inspect::model::{SpanId, TraceId};
use crate::record::find;

/// Scopes whose service is remembered; a damaged file may have one for each record.
const MAX_SCOPES: usize = 4096;

/// Holds every text once, as long as a row has it.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: HashSet<Text, FastHash>,
    /// Number of texts at which those that no row has are let go.
    limit: usize,
    /// The service of each scope, by the address of the scope, which is held so that it stays its own.
    services: HashMap<usize, (Arc<Scope>, Text), FastHash>,
}

impl Interner {
    /// The one of all texts that are equal to this.
    pub(super) fn text(&mut self, text: &Text) -> Text {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        if self.texts.len() >= self.limit {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.limit = self.texts.len().saturating_mul(2).max(1024);
        }
        self.texts.insert(Arc::clone(text));
        Arc::clone(text)
    }

    /// `service.name` of the resource of a scope; empty: none.
    pub(super) fn service(&mut self, scope: &Arc<Scope>) -> Text {
        let address = Arc::as_ptr(scope).addr();
        if let Some((_, service)) = self.services.get(&address) {
            return Arc::clone(service);
        }
        let service = match find(&scope.resource.attributes, "service.name") {
            Some(otlp_mmap_reader::model::Value::String(name)) => self.text(&name.as_str().into()),
            _ => self.text(&Text::default()),
        };
        if self.services.len() >= MAX_SCOPES {
            self.services.clear();
        }
        self.services.insert(address, (Arc::clone(scope), Arc::clone(&service)));
        service
    }
}

/// Ids of a span.
pub(super) type SpanKey = (TraceId, SpanId);

/// Hashes ids and addresses by a multiplication of each word, with a key that nobody knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct FastHash {
    key: u64,
}

impl Default for FastHash {
    fn default() -> Self {
        Self { key: RandomState::new().hash_one(0) | 1 }
    }
}

impl BuildHasher for FastHash {
    type Hasher = FastHasher;

    fn build_hasher(&self) -> FastHasher {
        FastHasher { state: self.key, key: self.key }
    }
}

/// See [`FastHash`].
#[derive(Clone, Copy, Debug)]
pub(super) struct FastHasher {
    state: u64,
    key: u64,
}

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product =
            u128::from(self.state ^ word).wrapping_mul(u128::from(self.key ^ 0x9e37_79b9_7f4a_7c15));
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        // Both halves fit.
        self.state = u64::try_from(low ^ high).unwrap_or(0) ^ self.key.rotate_left(23);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(u64::try_from(word).unwrap_or(u64::MAX));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_unused_ones_go() {
        let mut interner = Interner::default();
        let one = interner.text(&"a".into());
        let other = interner.text(&"a".into());
        assert!(Arc::ptr_eq(&one, &other));
        for number in 0..10_000 {
            interner.text(&number.to_string().into());
        }
        assert!(interner.texts.len() <= 1024 + 1, "{}", interner.texts.len());
        assert!(Arc::ptr_eq(&one, &interner.text(&"a".into())));
    }

    #[test]
    fn ids_that_differ_in_one_bit_are_apart() {
        let hash = FastHash::default();
        let mut seen = HashSet::new();
        for byte in 0..16 {
            for bit in 0..8 {
                let mut id: TraceId = [0; 16];
                id[byte] = 1 << bit;
                assert!(seen.insert(hash.hash_one(id)), "byte {byte}, bit {bit}");
            }
        }
    }
}
