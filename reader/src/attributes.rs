//! A list of attributes in which each key stands once: the last value wins, the first place stays.

use std::collections::HashMap;

use crate::model::{KeyValue, Text};

/// Lists up to this length are searched from start to end.
const SEARCHED_LENGTH: usize = 16;

/// Attributes by key. Adding is quick whatever a file holds: long lists are indexed, and a key that was
/// looked up by its dictionary reference is known again by the reference alone.
#[derive(Debug, Default)]
pub(crate) struct AttributeList {
    list: Vec<KeyValue>,
    by_key: HashMap<Text, usize>,
    by_reference: HashMap<u32, usize>,
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

    /// The attributes.
    pub(crate) fn into_vec(self) -> Vec<KeyValue> {
        self.list
    }

    fn push(&mut self, attribute: KeyValue, reference: u32) {
        let place = self.list.len();
        if reference != 0 && place >= SEARCHED_LENGTH {
            self.by_reference.insert(reference, place);
        }
        if place == SEARCHED_LENGTH {
            self.by_key = self.list.iter().enumerate().map(|(at, kv)| (kv.key.clone(), at)).collect();
        }
        if place >= SEARCHED_LENGTH {
            self.by_key.insert(attribute.key.clone(), place);
        }
        self.list.push(attribute);
    }

    fn find(&mut self, key: &Text, reference: u32) -> Option<usize> {
        if self.by_key.is_empty() {
            return self.list.iter().position(|present| present.key == *key);
        }
        if let Some(place) = self.by_reference.get(&reference) {
            return Some(*place);
        }
        let place = self.by_key.get(key).copied();
        if let (Some(place), true) = (place, reference != 0) {
            self.by_reference.insert(reference, place);
        }
        place
    }
}
