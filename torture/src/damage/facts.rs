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
        Value::InFlight(span) | Value::Record(Record::Span(span)) => span_facts(span),
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
    collect([
        ("position", &span.position),
        ("scope", &span.scope),
        ("trace id", &span.trace_id),
        ("span id", &span.span_id),
        ("parent span id", &span.parent_span_id),
        ("trace state", &span.trace_state),
        ("flags", &span.flags),
        ("name", &span.name),
        ("kind", &span.kind),
        ("start time", &span.start_time_unix_nano),
        ("time", &span.end_time_unix_nano),
        ("attributes", &span.attributes),
        ("dropped attributes", &span.dropped_attributes_count),
        ("events", &span.events),
        ("dropped events", &span.dropped_events_count),
        ("links", &span.links),
        ("dropped links", &span.dropped_links_count),
        ("status code", &span.status_code),
        ("status message", &span.status_message),
        ("truncated", &span.truncated),
        ("spilled", &span.spilled),
    ])
}

fn event_facts(event: &Event) -> Facts {
    collect([
        ("position", &event.position),
        ("scope", &event.scope),
        ("time", &event.time_unix_nano),
        ("observed time", &event.observed_time_unix_nano),
        ("severity number", &event.severity_number),
        ("severity text", &event.severity_text),
        ("name", &event.event_name),
        ("body", &event.body),
        ("attributes", &event.attributes),
        ("dropped attributes", &event.dropped_attributes_count),
        ("flags", &event.flags),
        ("trace id", &event.trace_id),
        ("span id", &event.span_id),
        ("truncated", &event.truncated),
    ])
}

fn measurement_facts(measurement: &Measurement) -> Facts {
    collect([
        ("position", &measurement.position),
        ("stream", &measurement.stream),
        ("series attributes", &measurement.series_attributes),
        ("series", &measurement.series),
        ("time", &measurement.time_unix_nano),
        ("value", &measurement.value),
        ("type", &type_of(&measurement.value)),
        ("trace id", &measurement.trace_id),
        ("span id", &measurement.span_id),
        ("attributes", &measurement.filtered_attributes),
        ("raw", &measurement.raw),
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
