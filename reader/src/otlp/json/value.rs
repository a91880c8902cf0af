//! OTLP messages as JSON values, by the rules that neither their own `serde` code nor `serde_json` keeps.
//!
//! Those are: NaN and infinities, which `serde_json` makes null; 64-bit integers, should a message not make strings
//! of them; and what is left out. All the rest is `serde_json`'s.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::value::Serializer as Plain;
use serde_json::{Error, Map, Number, Value};

/// Fields that are written with any value: the wrapper's list, the fields of which a value has one, the optional
/// ones, and an attribute's key.
const ALWAYS: [&str; 14] = [
    "resourceSpans",
    "resourceLogs",
    "resourceMetrics",
    "key",
    "stringValue",
    "boolValue",
    "intValue",
    "doubleValue",
    "bytesValue",
    "asInt",
    "asDouble",
    "sum",
    "min",
    "max",
];

/// Fields of 64 bits, which are strings in JSON and by default 0; those that are written always are not among them.
const INTEGERS: [&str; 6] =
    ["startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano", "count", "zeroCount"];

/// Makes a value of a message.
pub(super) struct OtlpValue;

/// An array that is being made.
pub(super) struct Elements(Vec<Value>);

/// An object that is being made, and the key of its next field.
#[derive(Default)]
pub(super) struct Fields {
    fields: Map<String, Value>,
    key: String,
}

impl Fields {
    fn insert(&mut self, key: String, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let value = value.serialize(OtlpValue)?;
        if !is_left_out(&key, &value) {
            self.fields.insert(key, value);
        }
        Ok(())
    }
}

/// Whether a field is not set, or has the default value of its type and is not one of [`ALWAYS`].
fn is_left_out(key: &str, value: &Value) -> bool {
    let is_default = match value {
        Value::Null => return true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0" && INTEGERS.contains(&key),
        Value::Array(elements) => elements.is_empty(),
        // A message that is set, be it empty.
        Value::Object(_) => false,
    };
    is_default && !ALWAYS.contains(&key)
}

/// Methods that do what `serde_json` does.
macro_rules! plain {
    ($($method:ident($($argument:ident: $type:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $($argument: $type),*) -> Result<$ok, Error> {
            Plain.$method($($argument),*)
        })*
    };
}

impl Serializer for OtlpValue {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Elements;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    // OTLP messages have none of these.
    type SerializeTuple = <Plain as Serializer>::SerializeTuple;
    type SerializeTupleStruct = <Plain as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <Plain as Serializer>::SerializeTupleVariant;
    type SerializeStructVariant = <Plain as Serializer>::SerializeStructVariant;

    plain! {
        serialize_bool(value: bool) -> Value;
        serialize_i8(value: i8) -> Value;
        serialize_i16(value: i16) -> Value;
        serialize_i32(value: i32) -> Value;
        serialize_u8(value: u8) -> Value;
        serialize_u16(value: u16) -> Value;
        serialize_u32(value: u32) -> Value;
        serialize_char(value: char) -> Value;
        serialize_str(value: &str) -> Value;
        serialize_bytes(value: &[u8]) -> Value;
        serialize_none() -> Value;
        serialize_unit() -> Value;
        serialize_unit_struct(name: &'static str) -> Value;
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> Value;
        serialize_tuple(len: usize) -> Self::SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> Self::SerializeTupleVariant;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> Self::SerializeStructVariant;
    }

    fn serialize_i64(self, value: i64) -> Result<Value, Error> {
        Ok(Value::String(value.to_string()))
    }

    fn serialize_u64(self, value: u64) -> Result<Value, Error> {
        Ok(Value::String(value.to_string()))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        Ok(match Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None if value.is_nan() => Value::from("NaN"),
            None if value > 0.0 => Value::from("Infinity"),
            None => Value::from("-Infinity"),
        })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        let mut fields = Fields::default();
        fields.insert(variant.to_owned(), value)?;
        Ok(Value::Object(fields.fields))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements, Error> {
        Ok(Elements(Vec::with_capacity(len.unwrap_or(0))))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields, Error> {
        Ok(Fields::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Error> {
        Ok(Fields::default())
    }
}

impl SerializeSeq for Elements {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(value.serialize(OtlpValue)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Array(self.0))
    }
}

/// A message with a choice of fields (`oneof`) is a map to `serde`.
impl SerializeMap for Fields {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = match key.serialize(OtlpValue)? {
            Value::String(key) => key,
            other => other.to_string(),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.insert(key, value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Object(self.fields))
    }
}

impl SerializeStruct for Fields {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.insert(key.to_owned(), value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Object(self.fields))
    }
}
