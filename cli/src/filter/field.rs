//! What a filter's key names, and how a record gives its value.

use std::borrow::Cow;

use otlp_mmap_reader::model::{Number, Value};

use crate::record::{RecordView, SPAN_KINDS, STATUS_CODES, enum_name, find, hex, severity_name};
use crate::time::known;

/// The names that are no attribute, with what they mean; for help and completion.
pub const FIELDS: [(&str, &str); 17] = [
    ("name", "name of the span, event or metric"),
    ("service", "service.name of the resource"),
    ("scope", "name of the instrumentation scope"),
    ("trace_id", "trace id, 32 hexadecimal digits"),
    ("span_id", "span id, 16 hexadecimal digits"),
    ("parent_span_id", "id of the parent span"),
    ("kind", "span kind: internal, server, client, producer, consumer"),
    ("status", "span status: unset, ok, error"),
    ("status_message", "message of the span status"),
    ("duration", "how long the span took, with a unit: 50ms"),
    ("in_flight", "whether the span has not ended: true, false"),
    ("severity", "severity of the event: trace, debug, info, warn, error, fatal, or 1 to 24"),
    ("event_name", "name of the event"),
    ("body", "body of the event"),
    ("metric", "name of the metric"),
    ("value", "value of the measurement, gauge or sum"),
    ("time", "when it happened or began, in RFC 3339"),
];

/// What a key names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Name,
    Service,
    ScopeName,
    TraceId,
    SpanId,
    ParentSpanId,
    Kind,
    Status,
    StatusMessage,
    Duration,
    InFlight,
    Severity,
    EventName,
    Body,
    Metric,
    Value,
    Time,
    /// An attribute of the record, its scope or its resource.
    Attribute(String),
    /// An attribute of the resource.
    Resource(String),
    /// An attribute of the scope.
    Scope(String),
}

/// What a record has for a field.
#[derive(Clone, Debug)]
pub(super) enum Actual<'a> {
    Text(Cow<'a, str>),
    Value(&'a Value),
    Number(Number),
    Nanos(u64),
    Severity(u32),
    Flag(bool),
}

impl Field {
    /// What a bare word names; any word that is no field is an attribute.
    pub(super) fn of_word(word: &str) -> Self {
        match word {
            "name" => Self::Name,
            "service" => Self::Service,
            "scope" => Self::ScopeName,
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            "parent_span_id" => Self::ParentSpanId,
            "kind" => Self::Kind,
            "status" => Self::Status,
            "status_message" => Self::StatusMessage,
            "duration" => Self::Duration,
            "in_flight" => Self::InFlight,
            "severity" => Self::Severity,
            "event_name" => Self::EventName,
            "body" => Self::Body,
            "metric" => Self::Metric,
            "value" => Self::Value,
            "time" => Self::Time,
            _ => match word.split_once('.') {
                Some(("resource", key)) => Self::Resource(key.to_owned()),
                Some(("scope", key)) => Self::Scope(key.to_owned()),
                _ => Self::Attribute(word.to_owned()),
            },
        }
    }

    /// What the record has; `None`: it lacks the field.
    pub(super) fn of<'a>(&self, record: RecordView<'a>) -> Option<Actual<'a>> {
        let scope = record.scope();
        match self {
            Self::Name => text(record.name()),
            Self::Service => find(&scope.resource.attributes, "service.name").map(Actual::Value),
            Self::ScopeName => text(&scope.name),
            Self::TraceId => record.trace_id().map(|id| Actual::Text(hex(id).into())),
            Self::SpanId => record.span_id().map(|id| Actual::Text(hex(id).into())),
            Self::Duration => record.duration_nano().map(Actual::Nanos),
            Self::Metric => text(&record.stream()?.name),
            Self::Value => record.number().map(Actual::Number),
            Self::Time => known(record.time_unix_nano()).map(Actual::Nanos),
            Self::Attribute(key) => record.attribute(key).map(Actual::Value),
            Self::Resource(key) => find(&scope.resource.attributes, key).map(Actual::Value),
            Self::Scope(key) => find(&scope.attributes, key).map(Actual::Value),
            Self::Severity | Self::EventName | Self::Body => self.of_event(record),
            _ => self.of_span(record),
        }
    }

    fn of_event<'a>(&self, record: RecordView<'a>) -> Option<Actual<'a>> {
        let RecordView::Event(event) = record else { return None };
        match self {
            Self::Severity => (event.severity_number > 0).then_some(Actual::Severity(event.severity_number)),
            Self::EventName => text(&event.event_name),
            Self::Body => event.body.as_ref().map(Actual::Value),
            _ => None,
        }
    }

    fn of_span<'a>(&self, record: RecordView<'a>) -> Option<Actual<'a>> {
        let RecordView::Span(span) = record else { return None };
        match self {
            Self::ParentSpanId => {
                (span.parent_span_id != [0; 8]).then(|| Actual::Text(hex(&span.parent_span_id).into()))
            }
            Self::Kind => Some(named(&SPAN_KINDS, span.kind)),
            Self::Status => Some(named(&STATUS_CODES, span.status_code)),
            Self::StatusMessage => text(&span.status_message),
            Self::InFlight => Some(Actual::Flag(span.end_time_unix_nano.is_none())),
            _ => None,
        }
    }
}

impl<'a> Actual<'a> {
    /// As text, for regular expressions and text comparison; `None` for what has no text: empty values and maps.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => text.clone(),
            Self::Value(value) => return value_text(value),
            Self::Number(Number::Int(number)) => number.to_string().into(),
            Self::Number(Number::Double(number)) => number.to_string().into(),
            Self::Nanos(nanos) => nanos.to_string().into(),
            Self::Severity(number) => {
                severity_name(*number).map_or_else(|| number.to_string().into(), Cow::Borrowed)
            }
            Self::Flag(flag) => if *flag { "true" } else { "false" }.into(),
        })
    }
}

fn value_text(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::String(text) => text.into(),
        Value::Bool(flag) => if *flag { "true" } else { "false" }.into(),
        Value::Int(number) => number.to_string().into(),
        Value::Double(number) => number.to_string().into(),
        Value::Bytes(bytes) => hex(bytes).into(),
        Value::Empty | Value::Array(_) | Value::Map(_) => return None,
    })
}

/// A text that a record lacks is empty in the model.
fn text(text: &str) -> Option<Actual<'_>> {
    (!text.is_empty()).then_some(Actual::Text(text.into()))
}

fn named(names: &[&'static str], number: u32) -> Actual<'static> {
    Actual::Text(enum_name(names, number).map_or_else(|| number.to_string().into(), Cow::Borrowed))
}
