//! Values that programs are made of, what a reader makes of them, the bytes they take, and what may be left when they are
//! cut.

use arbitrary::Arbitrary;
use otlp_mmap_format::{ItemHeader, MAX_VALUE_DEPTH, align8};
use otlp_mmap_reader::model::{KeyValue, Value};

use super::given::{attribute, text};
use super::input::{Attributes, SeriesAttributes};

/// A value in few bytes of input, however large.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Generated {
    Empty,
    Bool(bool),
    Small(i8),
    Int(i64),
    Eighths(i32),
    Text(GeneratedText),
    Bytes(u8, u16),
    Array(Vec<Generated>),
    Map(Vec<(u8, Generated)>),
    /// An array in an array, and so on.
    Deep(u8),
}

/// A text in few bytes of input.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum GeneratedText {
    Word(u8),
    Repeated(u8, u16),
}

/// Deeper ones are left out of the input, so that nothing here needs much stack.
const MAX_GENERATED_DEPTH: usize = 40;
const UNITS: [&str; 4] = ["x", "é", "世", "🎉"];

impl GeneratedText {
    pub(super) fn text(&self) -> String {
        match *self {
            Self::Word(0) => String::new(),
            Self::Word(number) => format!("word {}", number % 50),
            Self::Repeated(unit, times) => UNITS[usize::from(unit) % 4].repeat(usize::from(times) % 2_500),
        }
    }
}

impl Generated {
    /// The value as it is given to the writer.
    pub(super) fn value(&self) -> Value {
        self.value_at(1)
    }

    fn value_at(&self, depth: usize) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Small(number) => Value::Int(i64::from(*number)),
            Self::Int(number) => Value::Int(*number),
            Self::Eighths(number) => Value::Double(f64::from(*number) / 8.0),
            Self::Text(generated) => text(generated.text()),
            Self::Bytes(byte, times) => Value::Bytes(vec![*byte; usize::from(*times) % 5_000]),
            Self::Array(_) | Self::Map(_) if depth > MAX_GENERATED_DEPTH => Value::Empty,
            Self::Array(elements) => {
                Value::Array(elements.iter().map(|element| element.value_at(depth + 1)).collect())
            }
            Self::Map(entries) => {
                let entry = |(key, value): &(u8, Self)| attribute(&word(*key), value.value_at(depth + 1));
                Value::Map(entries.iter().map(entry).collect())
            }
            Self::Deep(levels) => (0..levels % 40).fold(Value::Int(1), |inner, _| Value::Array(vec![inner])),
        }
    }
}

/// One of the 20 keys.
pub(super) fn word(number: u8) -> String {
    format!("key {}", number % 20)
}

/// Attributes as given to the writer. One key in 256 is empty, which is refused.
pub(super) fn attributes(generated: &Attributes) -> Vec<KeyValue> {
    let key = |number: u8| if number == u8::MAX { String::new() } else { word(number) };
    generated.iter().map(|(number, value)| attribute(&key(*number), value.value())).collect()
}

/// Attributes of a series as given to the writer.
pub(super) fn series_attributes(generated: &SeriesAttributes) -> Vec<KeyValue> {
    let one = |&(key, value): &(u8, u8)| match (key, value % 8) {
        (u8::MAX, _) => overflow_attribute(),
        (key, value) if value % 2 == 0 => attribute(&word(key % 3), Value::Int(value.into())),
        (key, value) => attribute(&word(key % 3), text(format!("value {value}"))),
    };
    generated.iter().take(4).map(one).collect()
}

/// What an overflow series has.
pub(super) fn overflow_attribute() -> KeyValue {
    attribute("otel.metric.overflow", Value::Bool(true))
}

/// The form in which an attribute set identifies a series: sorted, of a key given twice the last value.
pub(super) fn canonical(given: &[KeyValue]) -> Vec<KeyValue> {
    let mut set = fold(given);
    set.sort_by(|one, other| one.key.cmp(&other.key));
    set
}

/// Attributes as they are read: of a key given twice the last value, in the first place.
pub(super) fn fold(given: &[KeyValue]) -> Vec<KeyValue> {
    let mut list: Vec<KeyValue> = Vec::new();
    for one in given {
        let one = KeyValue { value: fold_value(&one.value), ..one.clone() };
        match list.iter_mut().find(|present| present.key == one.key) {
            Some(present) => *present = one,
            None => list.push(one),
        }
    }
    list
}

/// A value as it is read.
pub(super) fn fold_value(given: &Value) -> Value {
    match given {
        Value::Array(elements) => Value::Array(elements.iter().map(fold_value).collect()),
        Value::Map(entries) => Value::Map(fold(entries)),
        other => other.clone(),
    }
}

/// Bytes that an item with this payload takes.
pub(super) fn size_of_item(payload: usize) -> usize {
    align8(ItemHeader::SIZE + payload)
}

/// Whether values nest deeper than is written.
pub(super) fn are_too_deep(given: &[KeyValue]) -> bool {
    given.iter().any(|one| is_too_deep(&one.value, 1))
}

/// Whether a value at this depth nests deeper than is written.
pub(super) fn is_too_deep(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(_) | Value::Map(_) if depth >= MAX_VALUE_DEPTH => true,
        Value::Array(elements) => elements.iter().any(|element| is_too_deep(element, depth + 1)),
        Value::Map(entries) => entries.iter().any(|entry| is_too_deep(&entry.value, depth + 1)),
        _ => false,
    }
}

/// Whether what is found can be left of what was given when it was cut.
pub(super) fn are_cut(found: &[KeyValue], given: &[KeyValue]) -> bool {
    found.iter().all(|found| {
        given.iter().any(|given| {
            given.key == found.key
                && if found.truncated {
                    is_cut(&found.value, &given.value)
                } else {
                    found.value == fold_value(&given.value)
                }
        })
    })
}

/// Whether a value can be left of another.
pub(super) fn is_cut(found: &Value, given: &Value) -> bool {
    match (found, given) {
        (Value::String(found), Value::String(given)) => given.starts_with(found.as_str()),
        (Value::Bytes(found), Value::Bytes(given)) => given.starts_with(found),
        (Value::Array(found), Value::Array(given)) => {
            let mut given = given.iter();
            found.iter().all(|found| given.any(|given| is_cut(found, given)))
        }
        (Value::Map(found), Value::Map(given)) => are_cut(found, given),
        _ => found == given,
    }
}

/// Whether no key is given twice.
pub(super) fn are_distinct(given: &[KeyValue]) -> bool {
    fold(given).len() == given.len()
}
