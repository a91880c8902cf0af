//! Messages that every signal uses.

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValueKind;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue as KeyValueMessage, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;

use crate::model::{KeyValue, Resource, Scope, Value};

pub(super) fn resource(resource: &Resource) -> ResourceMessage {
    ResourceMessage { attributes: attributes(&resource.attributes), ..ResourceMessage::default() }
}

pub(super) fn scope(scope: &Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: scope.name.to_string(),
        version: scope.version.to_string(),
        attributes: attributes(&scope.attributes),
        dropped_attributes_count: 0,
    }
}

pub(super) fn attributes(attributes: &[KeyValue]) -> Vec<KeyValueMessage> {
    attributes.iter().map(|attribute| key_value(&attribute.key, &attribute.value)).collect()
}

pub(super) fn key_value(key: &str, value: &Value) -> KeyValueMessage {
    KeyValueMessage { key: key.to_owned(), value: Some(any_value(value)), key_strindex: 0 }
}

/// The depth of a value was limited when it was read.
pub(super) fn any_value(value: &Value) -> AnyValue {
    let kind = match value {
        Value::Empty => return AnyValue { value: None },
        Value::String(text) => AnyValueKind::StringValue(text.clone()),
        Value::Bool(value) => AnyValueKind::BoolValue(*value),
        Value::Int(value) => AnyValueKind::IntValue(*value),
        Value::Double(value) => AnyValueKind::DoubleValue(*value),
        Value::Bytes(bytes) => AnyValueKind::BytesValue(bytes.clone()),
        Value::Array(values) => {
            AnyValueKind::ArrayValue(ArrayValue { values: values.iter().map(any_value).collect() })
        }
        Value::Map(entries) => AnyValueKind::KvlistValue(KeyValueList { values: attributes(entries) }),
    };
    AnyValue { value: Some(kind) }
}

/// A trace or span id; none at all if it is zero.
pub(super) fn id(bytes: &[u8]) -> Vec<u8> {
    if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes.to_vec() }
}

/// A number of an OTLP enumeration; one that OTLP cannot hold becomes 0, which means unspecified.
pub(super) fn enumeration(code: u32) -> i32 {
    i32::try_from(code).unwrap_or(0)
}
