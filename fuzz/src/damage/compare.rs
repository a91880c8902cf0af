//! What a record is known by, and what may be left of it where the dictionary is damaged.

use std::sync::Arc;

use otlp_mmap_reader::Signal;
use otlp_mmap_reader::model::{
    Event, KeyValue, Measurement, Position, Record, Resource, Scope, Span, SpanEvent, SpanLink, Value,
};

/// What a record of the sample is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// Span id.
    Span([u8; 8]),
    /// Time it was observed.
    Event(u64),
    /// Time.
    Measurement(u64),
}

impl Identity {
    pub(super) fn of(record: &Record) -> Self {
        match record {
            Record::Span(span) => Self::Span(span.span_id),
            Record::Event(event) => Self::Event(event.observed_time_unix_nano),
            Record::Measurement(measurement) => Self::Measurement(measurement.time_unix_nano),
        }
    }
}

pub(super) fn signal(record: &Record) -> Signal {
    match record {
        Record::Span(_) => Signal::Spans,
        Record::Event(_) => Signal::Events,
        Record::Measurement(_) => Signal::Measurements,
    }
}

/// The record wherever it stands.
pub(super) fn without_position(mut record: Record) -> Record {
    let nowhere = Position { segment: 0, sequence: 0, offset: 0 };
    match &mut record {
        Record::Span(span) => span.position = nowhere,
        Record::Event(event) => event.position = nowhere,
        Record::Measurement(measurement) => measurement.position = nowhere,
    }
    record
}

/// Whether a record is the written one but for names, scopes and keys that a damaged dictionary has lost.
pub(super) fn is_what_is_left(found: &Record, written: &Record) -> bool {
    match (found, written) {
        (Record::Span(found), Record::Span(written)) => span(found, written),
        (Record::Event(found), Record::Event(written)) => event(found, written),
        (Record::Measurement(found), Record::Measurement(written)) => measurement(found, written),
        _ => false,
    }
}

fn span(found: &Span, written: &Span) -> bool {
    let events = found.events.len() == written.events.len()
        && found.events.iter().zip(&written.events).all(|(found, written)| span_event(found, written));
    let links = found.links.len() == written.links.len()
        && found.links.iter().zip(&written.links).all(|(found, written)| link(found, written));
    let rest = Span {
        scope: Arc::clone(&written.scope),
        name: Arc::clone(&written.name),
        attributes: written.attributes.clone(),
        dropped_attributes_count: written.dropped_attributes_count,
        events: written.events.clone(),
        links: written.links.clone(),
        ..found.clone()
    };
    events
        && links
        && rest == *written
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
    let rest = SpanLink {
        attributes: written.attributes.clone(),
        dropped_attributes_count: written.dropped_attributes_count,
        ..found.clone()
    };
    rest == *written
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn event(found: &Event, written: &Event) -> bool {
    let rest = Event {
        scope: Arc::clone(&written.scope),
        event_name: Arc::clone(&written.event_name),
        body: written.body.clone(),
        attributes: written.attributes.clone(),
        dropped_attributes_count: written.dropped_attributes_count,
        ..found.clone()
    };
    let body = match (&found.body, &written.body) {
        (Some(found), Some(written)) => is_left_of_value(found, written),
        (found, written) => found == written,
    };
    body && rest == *written
        && is_left_of_scope(&found.scope, &written.scope)
        && is_left_of_text(&found.event_name, &written.event_name)
        && are_left(&found.attributes, &written.attributes)
        && found.dropped_attributes_count >= written.dropped_attributes_count
}

fn measurement(found: &Measurement, written: &Measurement) -> bool {
    let mut stream = (*found.stream).clone();
    let scope = std::mem::replace(&mut stream.scope, Arc::clone(&written.stream.scope));
    let rest = Measurement {
        stream: Arc::clone(&written.stream),
        series_attributes: Arc::clone(&written.series_attributes),
        ..found.clone()
    };
    rest == *written
        && stream == *written.stream
        && is_left_of_scope(&scope, &written.stream.scope)
        && are_left(&found.series_attributes, &written.series_attributes)
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
        _ => found == written,
    }
}
