//! The model of the dictionary: which keys stand inline, how many bytes values take with them, and which definitions
//! have room (SPEC "Dictionary").

use std::collections::HashSet;

use otlp_mmap_format::{EntryHeader, align8};
use otlp_mmap_reader::Recording;
use otlp_mmap_reader::model::{KeyValue, Value};
use otlp_mmap_writer::{ResourceRef, Writer};

use super::given::{Given, attribute, text};
use super::values::{size_of_item, word};

/// Size of the section.
pub(super) const DICTIONARY: u32 = 64 << 10;
/// The part of it that strings may not take.
pub(super) const DEFINITIONS: u32 = DICTIONARY / 4;
/// Keys with lower numbers are in every dictionary: those of series.
const FIRST_KEYS: u8 = 3;
/// Longest string that is interned.
pub(super) const MAX_INTERNED: usize = 4096;

/// A dictionary that is full of strings from the start, or one that is empty.
pub(super) struct Dictionary {
    /// Bytes left for definitions; `None`: it is not known, and enough.
    left: Option<usize>,
    defined: HashSet<String>,
}

impl Dictionary {
    /// Prepares a new writer's dictionary: fills it but for so many bytes.
    pub(super) fn new(writer: &Writer, left: Option<u32>) -> Self {
        for number in 0..FIRST_KEYS {
            writer.record_string(&word(number)).expect("room");
        }
        if let Some(left) = left {
            fill_with_strings(writer);
            fill_with_a_resource(writer, left);
        }
        Self { left: left.map(usize_of), defined: HashSet::new() }
    }

    /// Whether it is known which keys are in it, and how much room it has.
    pub(super) fn is_exact(&self) -> bool {
        self.left.is_some()
    }

    /// Bytes in use, if they are known.
    pub(super) fn used(&self) -> Option<u64> {
        self.left.map(|left| (usize_of(DICTIONARY) - left) as u64)
    }

    /// Whether a definition has room, which it takes then. One that is there needs none.
    pub(super) fn takes(&mut self, definition: String, payload: usize) -> bool {
        let Some(left) = &mut self.left else { return true };
        if self.defined.contains(&definition) {
            return true;
        }
        let Some(rest) = left.checked_sub(align8(EntryHeader::SIZE + payload)) else { return false };
        *left = rest;
        self.defined.insert(definition);
        true
    }

    /// Bytes that items of these attributes take.
    pub(super) fn size_of_all(&self, given: &[KeyValue]) -> usize {
        given.iter().map(|one| self.size_under(&one.key, &one.value)).sum()
    }

    /// Bytes that the item of a value takes.
    pub(super) fn size_of_value(&self, value: &Value) -> usize {
        size_of_item(self.size_of_payload(value))
    }

    fn size_under(&self, key: &str, value: &Value) -> usize {
        let is_known = self.left.is_none() || (0..FIRST_KEYS).any(|number| word(number) == key);
        let inline = if is_known { 0 } else { size_of::<u64>() + align8(key.len()) };
        size_of_item(inline + self.size_of_payload(value))
    }

    fn size_of_payload(&self, value: &Value) -> usize {
        match value {
            Value::Empty => 0,
            Value::Bool(_) => 1,
            Value::Int(_) | Value::Double(_) => 8,
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(elements) => elements.iter().map(|element| self.size_of_value(element)).sum(),
            Value::Map(entries) => self.size_of_all(entries),
        }
    }
}

/// Interns strings until there is no room for even the empty one.
fn fill_with_strings(writer: &Writer) {
    let most = EntryHeader::SIZE + MAX_INTERNED;
    let mut number = 0;
    loop {
        let used = used(writer);
        let left = usize_of(DICTIONARY - DEFINITIONS) - used;
        // What is left in the end must be room for an entry.
        let size = if left > most && left - most < EntryHeader::SIZE {
            most - EntryHeader::SIZE
        } else {
            left.min(most)
        };
        if size < EntryHeader::SIZE {
            return;
        }
        let width = size - EntryHeader::SIZE;
        writer.record_string(&format!("{number:0width$}")[..width]).expect("room");
        number += 1;
    }
}

fn fill_with_a_resource(writer: &Writer, left: u32) {
    let filling = usize_of(DICTIONARY - left) - used(writer);
    if let Some(length) = filling.checked_sub(EntryHeader::SIZE + size_of_item(0)) {
        let attributes = [attribute(&word(0), text("f".repeat(length)))];
        let _: ResourceRef = writer.create_resource(&Given(&attributes), None).expect("room");
    }
    assert_eq!(used(writer), usize_of(DICTIONARY - left));
}

fn used(writer: &Writer) -> usize {
    let file = writer.file().expect("the recording");
    let recording = Recording::from_file(file, "model").expect("a whole header");
    let dictionary = recording.fill().expect("everything can be read").dictionary;
    usize::try_from(dictionary.used).expect("small")
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).expect("small")
}
