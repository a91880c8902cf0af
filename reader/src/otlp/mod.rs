//! From the model to OTLP messages, grouped by resource and scope.
//!
//! Definitions of equal content make one group, be they from one recording or several. Order is that of the first
//! item of each group.
//!
//! What many records share in a recording (a name, the key of an attribute, an attribute set) stands in each of their
//! messages anew. The messages of a large or hostile recording may not fit into memory all at once:
//! [`json::write_traces`] and its siblings make one at a time, and [`Weights`] tells what a message will take.

mod common;
mod content;
pub mod json;
mod metrics;
mod weight;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::span::{Event as SpanEventMessage, Link};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as SpanMessage, Status, TracesData,
};

use self::common::{any_value, attributes, enumeration, id, key_value, resource, scope};
use self::content::Contents;
use crate::model::{Event, Resource, Scope, Span, SpanEvent, SpanLink, Value};

pub use self::metrics::metrics;
pub use self::weight::{Weighed, Weights};

/// Attribute (boolean, true) of a span that is, or was at the crash, in flight; its end time is 0.
pub const UNFINISHED_ATTRIBUTE: &str = "otlp_mmap.span.unfinished";

/// Spans as an OTLP message.
pub fn traces(spans: &[Span]) -> TracesData {
    let groups = group(spans, |span| &span.scope);
    let resource_spans = groups.into_iter().map(|(of, scopes)| ResourceSpans {
        resource: Some(resource(of)),
        scope_spans: scopes.into_iter().map(|(of, spans)| scope_spans(of, &spans)).collect(),
        schema_url: of.schema_url.to_string(),
    });
    TracesData { resource_spans: resource_spans.collect() }
}

/// Events as an OTLP message.
pub fn logs(events: &[Event]) -> LogsData {
    let groups = group(events, |event| &event.scope);
    let resource_logs = groups.into_iter().map(|(of, scopes)| ResourceLogs {
        resource: Some(resource(of)),
        scope_logs: scopes.into_iter().map(|(of, events)| scope_logs(of, &events)).collect(),
        schema_url: of.schema_url.to_string(),
    });
    LogsData { resource_logs: resource_logs.collect() }
}

/// Items of each scope of a resource.
type Scopes<'a, T> = Vec<(&'a Arc<Scope>, Vec<&'a T>)>;

/// Items by resource, then by scope.
type Groups<'a, T> = Vec<(&'a Resource, Scopes<'a, T>)>;

/// Groups items by resource, then by scope.
fn group<'a, T>(items: &'a [T], scope_of: impl Fn(&'a T) -> &'a Arc<Scope>) -> Groups<'a, T> {
    let mut contents = Contents::default();
    let by_scope = group_equal(items.iter(), |item| scope_of(item), |scope| contents.scope(scope));
    let by_resource = group_equal(
        by_scope.into_iter(),
        |(scope, _)| &scope.resource,
        |resource| contents.resource(resource),
    );
    by_resource.into_iter().map(|(resource, scopes)| (resource.as_ref(), scopes)).collect()
}

/// Groups items by what a shared value of theirs says: first by its identity, which is quick, and then by its
/// content, once for each identity.
fn group_equal<'a, T, S, K: Hash + Eq>(
    items: impl Iterator<Item = T>,
    shared: impl Fn(&T) -> &'a Arc<S>,
    mut content: impl FnMut(&'a Arc<S>) -> K,
) -> Vec<(&'a Arc<S>, Vec<T>)> {
    let by_identity = group_by(items, |item| Arc::as_ptr(shared(item)));
    let named = by_identity.into_iter().filter_map(|items| Some((shared(items.first()?), items)));
    let by_content = group_by(named, |(shared, _)| content(shared));
    let merged = by_content.into_iter().filter_map(|groups| {
        let (first, _) = groups.first()?;
        Some((*first, groups.into_iter().flat_map(|(_, items)| items).collect()))
    });
    merged.collect()
}

/// Groups items by a key, in the order of their first ones.
fn group_by<T, K: Hash + Eq>(items: impl Iterator<Item = T>, mut key: impl FnMut(&T) -> K) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut places = HashMap::new();
    for item in items {
        match places.entry(key(&item)) {
            Entry::Vacant(vacant) => {
                vacant.insert(groups.len());
                groups.push(vec![item]);
            }
            Entry::Occupied(place) => {
                if let Some(group) = groups.get_mut(*place.get()) {
                    group.push(item);
                }
            }
        }
    }
    groups
}

fn scope_spans(of: &Scope, spans: &[&Span]) -> ScopeSpans {
    let messages = spans.iter().map(|span| span_message(span)).collect();
    ScopeSpans { scope: Some(scope(of)), spans: messages, schema_url: of.schema_url.to_string() }
}

fn scope_logs(of: &Scope, events: &[&Event]) -> ScopeLogs {
    let log_records = events.iter().map(|event| log_record(event)).collect();
    ScopeLogs { scope: Some(scope(of)), log_records, schema_url: of.schema_url.to_string() }
}

fn span_message(span: &Span) -> SpanMessage {
    let mut attributes = attributes(&span.attributes);
    if span.end_time_unix_nano.is_none() {
        attributes.push(key_value(UNFINISHED_ATTRIBUTE, &Value::Bool(true)));
    }
    SpanMessage {
        trace_id: id(&span.trace_id),
        span_id: id(&span.span_id),
        trace_state: span.trace_state.to_string(),
        parent_span_id: id(&span.parent_span_id),
        flags: span.flags,
        name: span.name.to_string(),
        kind: enumeration(span.kind),
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano.unwrap_or(0),
        attributes,
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(span_event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: status(span),
    }
}

/// The status; an unset one without a message is left out.
fn status(span: &Span) -> Option<Status> {
    let set = span.status_code != 0 || !span.status_message.is_empty();
    set.then(|| Status { message: span.status_message.to_string(), code: enumeration(span.status_code) })
}

fn span_event(event: &SpanEvent) -> SpanEventMessage {
    SpanEventMessage {
        time_unix_nano: event.time_unix_nano,
        name: event.name.to_string(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn link(link: &SpanLink) -> Link {
    Link {
        trace_id: id(&link.trace_id),
        span_id: id(&link.span_id),
        trace_state: link.trace_state.to_string(),
        attributes: attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}

fn log_record(event: &Event) -> LogRecord {
    LogRecord {
        time_unix_nano: event.time_unix_nano,
        observed_time_unix_nano: event.observed_time_unix_nano,
        severity_number: enumeration(event.severity_number),
        severity_text: event.severity_text.to_string(),
        body: event.body.as_ref().map(any_value),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
        flags: event.flags,
        trace_id: id(&event.trace_id),
        span_id: id(&event.span_id),
        event_name: event.event_name.to_string(),
    }
}
