//! What a thing says, fact by fact: so that a changed byte is known to have changed no more than it feeds.

use super::found::Value;
use otlp_mmap_reader::model::{Event, Measurement, Number, Point, Record, Series, Span};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Facts that a damaged dictionary changes, in things that refer to it.
pub(super) const OF_NAMES: &[&str] = &[
    "scope",
    "name",
    "attributes",
    "dropped attributes",
    "events",
    "links",
    "body",
    "stream",
    "series attributes",
];

/// Facts by name, as text: so that a NaN is equal to itself.
type Facts = BTreeMap<&'static str, String>;

/// The names of the facts in which two things of a kind differ.
pub(super) fn differing(before: &Value, after: &Value) -> Vec<&'static str> {
    let (before, after) = (facts(before), facts(after));
    let differs = |(name, fact): &(&&str, &String)| after.get(**name).is_some_and(|now| now != *fact);
    before.iter().filter(differs).map(|(name, _)| *name).collect()
}

fn facts(value: &Value) -> Facts {
    match value {
        Value::Number(number) => collect([("number", &number)]),
        Value::InFlight(span) => span_facts(span),
        Value::Record(Record::Span(span)) => span_facts(span),
        Value::Record(Record::Event(event)) => event_facts(event),
        Value::Record(Record::Measurement(measurement)) => measurement_facts(measurement),
        Value::Series(series) => series_facts(series),
    }
}

fn collect<const COUNT: usize>(facts: [(&'static str, &dyn Debug); COUNT]) -> Facts {
    facts.into_iter().map(|(name, fact)| (name, format!("{fact:?}"))).collect()
}

/// Smallest and largest: there are none of no measurements.
fn extremes(min: Option<f64>, max: Option<f64>) -> Facts {
    min.zip(max).map(|(min, max)| collect([("min", &min), ("max", &max)])).unwrap_or_default()
}

fn span_facts(span: &Span) -> Facts {
    let Span {
        position,
        scope,
        trace_id,
        span_id,
        parent_span_id,
        trace_state,
        flags,
        name,
        kind,
        start_time_unix_nano,
        end_time_unix_nano,
        attributes,
        dropped_attributes_count,
        events,
        dropped_events_count,
        links,
        dropped_links_count,
        status_code,
        status_message,
        truncated,
        spilled,
    } = span;
    collect([
        ("position", position),
        ("scope", scope),
        ("trace id", trace_id),
        ("span id", span_id),
        ("parent span id", parent_span_id),
        ("trace state", trace_state),
        ("flags", flags),
        ("name", name),
        ("kind", kind),
        ("start time", start_time_unix_nano),
        ("time", end_time_unix_nano),
        ("attributes", attributes),
        ("dropped attributes", dropped_attributes_count),
        ("events", events),
        ("dropped events", dropped_events_count),
        ("links", links),
        ("dropped links", dropped_links_count),
        ("status code", status_code),
        ("status message", status_message),
        ("truncated", truncated),
        ("spilled", spilled),
    ])
}

fn event_facts(event: &Event) -> Facts {
    let Event {
        position,
        scope,
        time_unix_nano,
        observed_time_unix_nano,
        severity_number,
        severity_text,
        event_name,
        body,
        attributes,
        dropped_attributes_count,
        flags,
        trace_id,
        span_id,
        truncated,
    } = event;
    collect([
        ("position", position),
        ("scope", scope),
        ("time", time_unix_nano),
        ("observed time", observed_time_unix_nano),
        ("severity number", severity_number),
        ("severity text", severity_text),
        ("name", event_name),
        ("body", body),
        ("attributes", attributes),
        ("dropped attributes", dropped_attributes_count),
        ("flags", flags),
        ("trace id", trace_id),
        ("span id", span_id),
        ("truncated", truncated),
    ])
}

fn measurement_facts(measurement: &Measurement) -> Facts {
    let Measurement {
        position,
        stream,
        series_attributes,
        series,
        time_unix_nano,
        value,
        trace_id,
        span_id,
        filtered_attributes,
        raw,
    } = measurement;
    collect([
        ("position", position),
        ("stream", stream),
        ("series attributes", series_attributes),
        ("series", series),
        ("time", time_unix_nano),
        ("value", value),
        ("type", &type_of(value)),
        ("trace id", trace_id),
        ("span id", span_id),
        ("attributes", filtered_attributes),
        ("raw", raw),
    ])
}

fn series_facts(one: &Series) -> Facts {
    // Exemplars are records.
    let Series { stream, attributes, series, overflow, start_time_unix_nano, time_unix_nano, point, .. } =
        one;
    let mut facts = collect([
        ("stream", stream),
        ("series attributes", attributes),
        ("series", series),
        ("overflow", overflow),
        ("start time", start_time_unix_nano),
        ("time", time_unix_nano),
    ]);
    facts.append(&mut point_facts(point));
    facts
}

fn point_facts(point: &Point) -> Facts {
    match point {
        Point::Gauge(value) => {
            collect([("aggregation", &"gauge"), ("value", value), ("type", &type_of(value))])
        }
        Point::Sum(value) => collect([("aggregation", &"sum"), ("value", value), ("type", &type_of(value))]),
        Point::Histogram { count, sum, min, max, bucket_counts } => {
            let mut facts = collect([
                ("aggregation", &"histogram"),
                ("count", count),
                ("sum", sum),
                ("buckets", bucket_counts),
                ("number of buckets", &bucket_counts.len()),
            ]);
            facts.append(&mut extremes(*min, *max));
            facts
        }
        Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative } => {
            let mut facts = collect([
                ("aggregation", &"exponential histogram"),
                ("count", count),
                ("sum", sum),
                ("scale", scale),
                ("zero count", zero_count),
                ("positive offset", &positive.offset),
                ("positive", &positive.counts),
                ("negative offset", &negative.offset),
                ("negative", &negative.counts),
            ]);
            facts.append(&mut extremes(*min, *max));
            facts
        }
    }
}

fn type_of(number: &Number) -> &'static str {
    match number {
        Number::Int(_) => "integer",
        Number::Double(_) => "double",
    }
}
