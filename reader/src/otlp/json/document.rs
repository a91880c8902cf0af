//! Whole documents in pieces: one record is made into a message and text at a time.
//!
//! A name or an attribute set stands once in a recording and in each of the records that share it here. So the
//! document of a small file may be huge; but never is more of it in memory than one record, point or definition.
//! The pieces together are what the functions for whole messages give.

use std::io;

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::common::{resource, scope};
use super::super::metrics::{empty_metric, point, streams};
use super::super::{Groups, group, log_record, span_message};
use super::line;
use super::value::OtlpValue;
use crate::model::{Event, Series, Span};

/// Takes the pieces. Each is whole: a string of the document never goes on in the next one.
pub type Sink<'a> = dyn FnMut(&str) -> io::Result<()> + 'a;

/// Writes `{"resourceSpans":[…]}`.
///
/// # Errors
/// That of `sink`.
pub fn write_traces(spans: &[Span], sink: &mut Sink<'_>) -> io::Result<()> {
    let groups = group(spans, |span| &span.scope);
    document(groups, ["resourceSpans", "scopeSpans", "spans"], sink, |spans, sink| {
        elements(spans, sink, |span, sink| sink(&line(&span_message(span))))
    })
}

/// Writes `{"resourceLogs":[…]}`.
///
/// # Errors
/// That of `sink`.
pub fn write_logs(events: &[Event], sink: &mut Sink<'_>) -> io::Result<()> {
    let groups = group(events, |event| &event.scope);
    document(groups, ["resourceLogs", "scopeLogs", "logRecords"], sink, |events, sink| {
        elements(events, sink, |event, sink| sink(&line(&log_record(event))))
    })
}

/// Writes `{"resourceMetrics":[…]}`.
///
/// # Errors
/// That of `sink`.
pub fn write_metrics(series: &[Series], sink: &mut Sink<'_>) -> io::Result<()> {
    let groups = group(series, |series| &series.stream.scope);
    document(groups, ["resourceMetrics", "scopeMetrics", "metrics"], sink, |series, sink| {
        elements(streams(&series), sink, |(stream, series), sink| {
            let mut fields = fields(&empty_metric(stream))?;
            let data = fields.iter().find(|(_, value)| value.is_object()).map(|(name, _)| name.clone());
            let data = data.unwrap_or_default();
            let Some(Value::Object(inner)) = fields.remove(&data) else { return sink("{}") };
            object(fields, &data, sink, |sink| {
                object(inner, "dataPoints", sink, |sink| {
                    let points = series.iter().filter_map(|series| point(stream, series));
                    elements(points, sink, |point, sink| sink(&line(&point)))
                })
            })
        })
    })
}

/// Groups with the names of the three lists they make; `list` writes the innermost. What resources and scopes say is
/// the same in each signal.
fn document<T>(
    groups: Groups<'_, T>,
    [outer, middle, inner]: [&str; 3],
    sink: &mut Sink<'_>,
    list: impl Fn(Vec<&T>, &mut Sink<'_>) -> io::Result<()>,
) -> io::Result<()> {
    object(Map::new(), outer, sink, |sink| {
        elements(groups, sink, |(of, scopes), sink| {
            let head = ResourceSpans {
                resource: Some(resource(of)),
                scope_spans: Vec::new(),
                schema_url: of.schema_url.to_string(),
            };
            object(fields(&head)?, middle, sink, |sink| {
                elements(scopes, sink, |(of, items), sink| {
                    let (scope, schema_url) = (Some(scope(of)), of.schema_url.to_string());
                    let head = ScopeSpans { scope, spans: Vec::new(), schema_url };
                    object(fields(&head)?, inner, sink, |sink| list(items, sink))
                })
            })
        })
    })
}

/// The fields of a message as they are written.
fn fields(message: &impl Serialize) -> io::Result<Map<String, Value>> {
    match message.serialize(OtlpValue)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// An object of `fields` and of one more, which `write` writes in its place in the order of the keys.
fn object(
    mut fields: Map<String, Value>,
    key: &str,
    sink: &mut Sink<'_>,
    write: impl FnOnce(&mut Sink<'_>) -> io::Result<()>,
) -> io::Result<()> {
    fields.remove(key);
    let (before, after): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name.as_str() < key);
    sink("{")?;
    for (name, value) in before {
        sink(&format!("{}:{},", Value::String(name), value))?;
    }
    sink(&format!("\"{key}\":"))?;
    write(sink)?;
    for (name, value) in after {
        sink(&format!(",{}:{}", Value::String(name), value))?;
    }
    sink("}")
}

fn elements<T>(
    items: impl IntoIterator<Item = T>,
    sink: &mut Sink<'_>,
    mut write: impl FnMut(T, &mut Sink<'_>) -> io::Result<()>,
) -> io::Result<()> {
    sink("[")?;
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            sink(",")?;
        }
        write(item, sink)?;
    }
    sink("]")
}
