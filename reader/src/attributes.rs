//! A list of attributes in which each key stands once: the last value wins, the first place stays.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{KeyValue, Text};

/// Lists up to this length are searched from start to end.
const SEARCHED_LENGTH: usize = 16;
/// Longest key that is compared as text, in bytes. Longer ones, which only a hostile file has, are the same if
/// they are the same dictionary entry; so no file can make every attribute cost the length of a huge key.
const COMPARED_LENGTH: usize = 4096;

/// Attributes by key. Adding is quick whatever a file holds: long lists are indexed, and a key that was
/// looked up by its dictionary reference is known again by the reference alone.
#[derive(Debug, Default)]
pub(crate) struct AttributeList {
    list: Vec<KeyValue>,
    by_key: HashMap<Text, usize>,
    by_reference: HashMap<u32, usize>,
    dropped: u32,
}

impl AttributeList {
    /// Adds `attribute`, whose key has the dictionary reference `reference` (0: it stood inline).
    pub(crate) fn set(&mut self, attribute: KeyValue, reference: u32) {
        let place = self.find(&attribute.key, reference);
        match place.and_then(|place| self.list.get_mut(place)) {
            Some(present) => *present = attribute,
            None => self.push(attribute, reference),
        }
    }

    /// Notes an attribute whose key is lost.
    pub(crate) fn drop_one(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Attributes whose keys are lost.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The attributes.
    pub(crate) fn into_vec(self) -> Vec<KeyValue> {
        self.list
    }

    fn push(&mut self, attribute: KeyValue, reference: u32) {
        let place = self.list.len();
        if place == SEARCHED_LENGTH {
            self.by_key = self.list.iter().enumerate().filter_map(|(at, kv)| compared(&kv.key, at)).collect();
        }
        if place >= SEARCHED_LENGTH {
            self.by_key.extend(compared(&attribute.key, place));
            self.by_reference.insert(reference, place);
        }
        self.list.push(attribute);
    }

    fn find(&mut self, key: &Text, reference: u32) -> Option<usize> {
        if self.list.len() <= SEARCHED_LENGTH {
            return self.list.iter().position(|present| same(&present.key, key));
        }
        if let Some(place) = self.by_reference.get(&reference).filter(|_| reference != 0) {
            return Some(*place);
        }
        let place = compared(key, 0).and_then(|(key, _)| self.by_key.get(&key).copied())?;
        self.by_reference.insert(reference, place);
        Some(place)
    }
}

/// A key with its place, if it is compared as text.
fn compared(key: &Text, place: usize) -> Option<(Text, usize)> {
    (key.len() <= COMPARED_LENGTH).then(|| (Arc::clone(key), place))
}

fn same(one: &Text, other: &Text) -> bool {
    Arc::ptr_eq(one, other) || (one.len() <= COMPARED_LENGTH && one == other)
}
