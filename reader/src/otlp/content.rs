//! When two definitions are the same: if their contents are, be they from one recording or several.
//!
//! A key of numbers stands for a content. Each text has one number, found by its address where that is known. So a
//! key takes no more memory than the definition in a file, whatever large texts many definitions share.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{KeyValue, MetricStream, Resource, Scope, Text, Value};

/// Equal for equal contents.
pub(super) type Key = Vec<u64>;

/// Contents that were met.
#[derive(Default)]
pub(super) struct Contents<'a> {
    numbers: HashMap<&'a [u8], u64>,
    texts: HashMap<(usize, usize), u64>,
    resources: HashMap<usize, u64>,
    keys: HashMap<Key, u64>,
}

impl<'a> Contents<'a> {
    /// The number of a resource.
    pub(super) fn resource(&mut self, resource: &'a Arc<Resource>) -> u64 {
        let address = Arc::as_ptr(resource).addr();
        if let Some(known) = self.resources.get(&address) {
            return *known;
        }
        let mut key = vec![self.text(&resource.schema_url)];
        self.attributes(&resource.attributes, &mut key);
        let next = number(self.keys.len());
        let number = *self.keys.entry(key).or_insert(next);
        self.resources.insert(address, number);
        number
    }

    pub(super) fn scope(&mut self, scope: &'a Scope) -> Key {
        let mut key = vec![
            self.resource(&scope.resource),
            self.text(&scope.name),
            self.text(&scope.version),
            self.text(&scope.schema_url),
        ];
        self.attributes(&scope.attributes, &mut key);
        key
    }

    /// Its scope left out, and with it what its aggregation holds.
    pub(super) fn metric_stream(&mut self, stream: &'a MetricStream) -> (Key, String) {
        let MetricStream { name, description, unit, aggregation, .. } = stream;
        (vec![self.text(name), self.text(description), self.text(unit)], format!("{aggregation:?}"))
    }

    fn attributes(&mut self, attributes: &'a [KeyValue], key: &mut Key) {
        key.push(number(attributes.len()));
        for KeyValue { key: name, value, truncated } in attributes {
            key.extend([self.text(name), u64::from(*truncated)]);
            self.value(value, key);
        }
    }

    /// The type of a value, and what it says.
    fn value(&mut self, value: &'a Value, key: &mut Key) {
        match value {
            Value::Empty => key.push(0),
            Value::String(text) => key.extend([1, self.bytes(text.as_bytes())]),
            Value::Bool(value) => key.extend([2, u64::from(*value)]),
            Value::Int(value) => key.extend([3, value.cast_unsigned()]),
            Value::Double(value) => key.extend([4, value.to_bits()]),
            Value::Bytes(bytes) => key.extend([5, self.bytes(bytes)]),
            Value::Array(values) => {
                key.extend([6, number(values.len())]);
                for value in values {
                    self.value(value, key);
                }
            }
            Value::Map(entries) => {
                key.push(7);
                self.attributes(entries, key);
            }
        }
    }

    fn text(&mut self, text: &'a Text) -> u64 {
        let place = (text.as_ptr().addr(), text.len());
        if let Some(known) = self.texts.get(&place) {
            return *known;
        }
        let number = self.bytes(text.as_bytes());
        self.texts.insert(place, number);
        number
    }

    fn bytes(&mut self, bytes: &'a [u8]) -> u64 {
        let next = number(self.numbers.len());
        *self.numbers.entry(bytes).or_insert(next)
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
