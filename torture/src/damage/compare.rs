//! What a record is known by, and what may be left of it where the dictionary is damaged.
//!
//! The fuzz target `damage` goes by it, too: there is one notion of "invented".

use std::sync::Arc;

use otlp_mmap_reader::Signal;
use otlp_mmap_reader::model::{
    Event, KeyValue, Measurement, MetricStream, Position, Record, Resource, Scope, Series, Span, SpanEvent,
    SpanLink, Text, Value,
};

/// What a record of the sample is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Span id.
    Span([u8; 8]),
    /// Time it was observed.
    Event(u64),
    /// Time.
    Measurement(u64),
}

impl Identity {
    /// What `record` is known by.
    pub fn of(record: &Record) -> Self {
        match record {
            Record::Span(span) => Self::Span(span.span_id),
            Record::Event(event) => Self::Event(event.observed_time_unix_nano),
            Record::Measurement(measurement) => Self::Measurement(measurement.time_unix_nano),
        }
    }
}

/// The pool a record belongs to.
pub fn signal(record: &Record) -> Signal {
    match record {
        Record::Span(_) => Signal::Spans,
        Record::Event(_) => Signal::Events,
        Record::Measurement(_) => Signal::Measurements,
    }
}

/// The record wherever it stands.
pub fn without_position(mut record: Record) -> Record {
    let nowhere = Position { segment: 0, sequence: 0, offset: 0 };
    match &mut record {
        Record::Span(span) => span.position = nowhere,
        Record::Event(event) => event.position = nowhere,
        Record::Measurement(measurement) => measurement.position = nowhere,
    }
    record
}

/// Whether a record is the written one but for names, scopes and keys that a damaged dictionary has lost.
pub fn is_what_is_left(found: &Record, written: &Record) -> bool {
    match (found, written) {
        (Record::Span(found), Record::Span(written)) => span(found, written),
        (Record::Event(found), Record::Event(written)) => event(found, written),
        (Record::Measurement(found), Record::Measurement(written)) => measurement(found, written),
        _ => false,
    }
}

fn span(found: &Span, written: &Span) -> bool {
    // What is compared by rules of its own; and a NaN in it is not equal to itself.
    let bare = |span: &Span| Span {
        scope: Arc::default(),
        name: Text::default(),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        links: Vec::new(),
        ..span.clone()
    };
    let events = found.events.len() == written.events.len()
        && found.events.iter().zip(&written.events).all(|(found, written)| span_event(found, written));
    let links = found.links.len() == written.links.len()
        && found.links.iter().zip(&written.links).all(|(found, written)| link(found, written));
    events
        && links
        && bare(found) == bare(written)
        && is_left_of_scope(&found.scope, &written.scope)
        && is_left_of_text(&found.name, &written.name)
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn span_event(found: &SpanEvent, written: &SpanEvent) -> bool {
    found.time_unix_nano == written.time_unix_nano
        && is_left_of_text(&found.name, &written.name)
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn link(found: &SpanLink, written: &SpanLink) -> bool {
    let bare =
        |link: &SpanLink| SpanLink { attributes: Vec::new(), dropped_attributes_count: 0, ..link.clone() };
    bare(found) == bare(written)
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn event(found: &Event, written: &Event) -> bool {
    let bare = |event: &Event| Event {
        scope: Arc::default(),
        event_name: Text::default(),
        body: None,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        ..event.clone()
    };
    let body = match (&found.body, &written.body) {
        (Some(found), Some(written)) => is_left_of_value(found, written),
        (found, written) => found == written,
    };
    body && bare(found) == bare(written)
        && is_left_of_scope(&found.scope, &written.scope)
        && is_left_of_text(&found.event_name, &written.event_name)
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn measurement(found: &Measurement, written: &Measurement) -> bool {
    let bare = |measurement: &Measurement| Measurement {
        stream: Arc::clone(&written.stream),
        series_attributes: Arc::default(),
        filtered_attributes: Vec::new(),
        ..measurement.clone()
    };
    bare(found) == bare(written)
        && is_left_of_stream(&found.stream, &written.stream)
        && are_left(&found.series_attributes, &written.series_attributes)
        && are_left(&found.filtered_attributes, &written.filtered_attributes)
}

/// Whether a series is the written one but for names, scopes and keys that a damaged dictionary has lost, and for
/// its exemplars, which are records.
pub fn is_what_is_left_of_series(found: &Series, written: &Series) -> bool {
    let rest = Series {
        stream: Arc::clone(&written.stream),
        attributes: Arc::clone(&written.attributes),
        exemplars: written.exemplars.clone(),
        ..found.clone()
    };
    rest == *written
        && is_left_of_stream(&found.stream, &written.stream)
        && are_left(&found.attributes, &written.attributes)
}

fn is_left_of_stream(found: &MetricStream, written: &MetricStream) -> bool {
    let rest = MetricStream { scope: Arc::clone(&written.scope), ..found.clone() };
    rest == *written && is_left_of_scope(&found.scope, &written.scope)
}

fn is_left_of_scope(found: &Scope, written: &Scope) -> bool {
    let rest = Scope {
        resource: Arc::clone(&written.resource),
        attributes: written.attributes.clone(),
        ..found.clone()
    };
    *found == Scope::default()
        || (rest == *written
            && are_left(&found.attributes, &written.attributes)
            && is_left_of_resource(&found.resource, &written.resource))
}

fn is_left_of_resource(found: &Resource, written: &Resource) -> bool {
    *found == Resource::default()
        || (found.schema_url == written.schema_url && are_left(&found.attributes, &written.attributes))
}

fn is_left_of_text(found: &str, written: &str) -> bool {
    found.is_empty() || found == written
}

/// Whether some of the attributes, in their order, are what is found.
fn are_left(found: &[KeyValue], written: &[KeyValue]) -> bool {
    let mut written = written.iter();
    found.iter().all(|found| {
        written.any(|written| {
            found.key == written.key
                && found.truncated == written.truncated
                && is_left_of_value(&found.value, &written.value)
        })
    })
}

fn is_left_of_value(found: &Value, written: &Value) -> bool {
    match (found, written) {
        (Value::Map(found), Value::Map(written)) => are_left(found, written),
        (Value::Array(found), Value::Array(written)) => {
            found.len() == written.len()
                && found.iter().zip(written).all(|(found, written)| is_left_of_value(found, written))
        }
        (Value::Double(found), Value::Double(written)) => found.to_bits() == written.to_bits(),
        _ => found == written,
    }
}
