//! Values of the reader's model handed to the writer: one value serves as what is recorded and what is expected.

use otlp_mmap_reader::model::{KeyValue, Value};
use otlp_mmap_writer::{AnyValue, Attributes, Encoder, Error, Key};

/// Attributes.
pub struct Given<'a>(pub &'a [KeyValue]);

/// The body of an event.
pub struct GivenBody<'a>(pub &'a Value);

impl Attributes for Given<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|attribute| encode(encoder, Key::Str(&attribute.key), &attribute.value))
    }
}

impl AnyValue for GivenBody<'_> {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        encode(encoder, key, self.0)
    }
}

fn encode(encoder: &mut Encoder<'_>, key: Key<'_>, value: &Value) -> Result<(), Error> {
    match value {
        Value::Empty => encoder.empty(key),
        Value::String(text) => encoder.string(key, text),
        Value::Bool(flag) => encoder.bool(key, *flag),
        Value::Int(number) => encoder.int(key, *number),
        Value::Double(number) => encoder.double(key, *number),
        Value::Bytes(bytes) => encoder.bytes(key, bytes),
        Value::Array(elements) => encoder.array(key, |encoder| {
            elements.iter().try_for_each(|element| encode(encoder, Key::None, element))
        }),
        Value::Map(entries) => encoder.map(key, |encoder| Given(entries).encode(encoder)),
    }
}

/// An attribute.
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value, truncated: false }
}

/// A text.
pub fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}
