//! Events, what becomes of full pools, the dictionary, and the end.

use super::{Scenario, end, event, measure, ready, refused_event, small, start};
use crate::step::call::{Call, EventCall, Named, Outcome, Step, attribute, cut, text};
use otlp_mmap_reader::model::{Aggregation, KeyValue, Number, Value};
use otlp_mmap_writer::{Config, Overflow};
use std::time::Duration;

/// Three events of this size fill a segment, nine a pool.
const THIRD: usize = 1_200;
const POOL: usize = 9;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("events", events_setup(), events()),
        Scenario::new("events into fresh segments", ready(vec![]), vec![event("event", THIRD); 7]),
        Scenario::new("events recycle (overwrite-oldest)", full_of_events(), recycle()),
        Scenario::new("events are refused (discard-newest)", full_of_events(), discard())
            .configured(discard_newest),
        Scenario::new("events wait for the exporter (block)", full_of_events(), block()).configured(blocking),
        Scenario::new("large values are cut", ready(vec![start(1, "large")]), large())
            .configured(room_for_a_segment),
        Scenario::new("strings and definitions", ready(vec![]), intern()),
        Scenario::new("dictionary full of strings", no_strings(), strings_full()),
        Scenario::new("dictionary full", no_definitions(), definitions_full()),
        Scenario::new("invalid arguments", ready(vec![]), invalid()),
        Scenario::new("close", ready(vec![start(1, "ended"), start(2, "in flight")]), close()),
    ]
}

fn discard_newest(config: &mut Config) {
    small(config);
    config.overflow = Overflow::DiscardNewest;
}

fn blocking(config: &mut Config) {
    small(config);
    config.overflow = Overflow::Block { timeout: Duration::from_hours(1) };
}

/// So that a span may be as large as a segment.
fn room_for_a_segment(config: &mut Config) {
    small(config);
    config.active_blocks = 32;
}

fn full_of_events() -> Vec<Step> {
    ready(vec![event("event", THIRD); POOL])
}

fn events_setup() -> Vec<Step> {
    ready(vec![Call::Intern("interned".to_owned()).into(), event("warm", 1)])
}

fn every_type() -> Vec<KeyValue> {
    let map = Value::Map(vec![attribute("in", Value::Int(1)), attribute("map", text("entry"))]);
    vec![
        attribute("string", text("höchst")),
        attribute("bool", Value::Bool(true)),
        attribute("int", Value::Int(i64::MIN)),
        attribute("double", Value::Double(0.1)),
        attribute("bytes", Value::Bytes(vec![0, 255, 7])),
        attribute("array", Value::Array(vec![text("one"), Value::Int(2), Value::Empty, map.clone()])),
        attribute("map", map),
        attribute("empty", Value::Empty),
    ]
}

fn events() -> Vec<Step> {
    let whole = EventCall {
        name: Some(Named::Interned(0)),
        body: Some(Value::Map(every_type())),
        attributes: every_type(),
        in_span: true,
        severity_text: "WARN",
        severity_number: 13,
        dropped: 2,
    };
    // The first one interns its keys, the second finds them.
    vec![
        Call::Event(Box::new(whole.clone())).into(),
        Call::Event(Box::new(whole)).into(),
        Call::Event(Box::default()).into(),
        event("event", 100),
    ]
}

/// Overwrites two segments, then one of which a part was acknowledged.
fn recycle() -> Vec<Step> {
    let mut steps = vec![event("newer", THIRD); 4];
    steps.push(Call::Acknowledge.into());
    steps.extend(vec![event("newer still", THIRD); 7]);
    steps
}

fn discard() -> Vec<Step> {
    let mut steps = vec![refused_event(Outcome::Discarded); 2];
    steps.push(Call::Acknowledge.into());
    steps.extend(vec![event("after the acknowledgement", THIRD); 3]);
    steps
}

fn block() -> Vec<Step> {
    // Without an exporter nobody waits.
    let mut steps = vec![refused_event(Outcome::BlockTimeout), Call::Acknowledge.into()];
    steps.extend(vec![event("after the acknowledgement", THIRD); POOL]);
    let waits = event("waits", THIRD);
    steps.push(Step { acknowledged_after: Some(30_000), ..waits });
    steps
}

fn large() -> Vec<Step> {
    let attributes = vec![cut("large", text(&"l".repeat(10_000))), attribute("small", Value::Int(1))];
    vec![
        Call::Event(Box::new(EventCall { attributes: attributes.clone(), ..EventCall::default() })).into(),
        Call::SetAttributes(1, attributes).into(),
        Call::Status(1, crate::step::call::Status::Error, "m".repeat(10_000)).into(),
        end(1),
    ]
}

fn intern() -> Vec<Step> {
    let histogram = Aggregation::Histogram { temporality: 2, boundaries: vec![1.0, 2.5] };
    vec![
        Call::Intern("new".to_owned()).into(),
        Call::Intern("new".to_owned()).into(),
        Call::Intern("é".repeat(1_000)).into(),
        Call::Intern("x".repeat(5_000)).ends(Outcome::Invalid),
        Call::Resource(every_type()).into(),
        Call::Scope(1, "another scope", vec![attribute("new.key", text("value"))]).into(),
        Call::Stream("stream", histogram).into(),
    ]
}

fn no_strings() -> Vec<Step> {
    ready(vec![
        event("warm", 1),
        Call::Stream("orders", super::SUM).into(),
        measure(0, &[("known", text("value"))], 1),
        Call::FillStrings.ends(Outcome::DictionaryFull),
    ])
}

fn inline(key: &str) -> Vec<KeyValue> {
    vec![attribute(key, text("inline"))]
}

fn measure_inline(key: &str) -> Call {
    Call::Measure { stream: 0, attributes: inline(key), value: Number::Int(1), sampled: false }
}

fn strings_full() -> Vec<Step> {
    let start = Call::Start {
        span: 1,
        name: Named::Inline("span"),
        attributes: inline("of the start"),
        by_ids: false,
    };
    let event = EventCall {
        name: Some(Named::Inline("event")),
        attributes: inline("of the event"),
        ..EventCall::default()
    };
    vec![
        Call::Intern("no room".to_owned()).ends(Outcome::DictionaryFull),
        Call::Event(Box::new(event)).inlines(1),
        start.inlines(1),
        Call::SetAttributes(1, inline("of the span")).inlines(1),
        end(1),
        // There is room for the set, with its key in it.
        measure_inline("of the series").inlines(1),
    ]
}

fn no_definitions() -> Vec<Step> {
    let mut steps = no_strings();
    steps.push(Call::FillDefinitions.ends(Outcome::DictionaryFull));
    steps
}

fn definitions_full() -> Vec<Step> {
    vec![
        Call::Resource(vec![attribute("service.name", text("no room"))]).ends(Outcome::DictionaryFull),
        Step { overflows: true, ..measure_inline("of no series").inlines(1) },
        measure(0, &[("known", text("value"))], 1),
    ]
}

fn invalid() -> Vec<Step> {
    let severity = EventCall { severity_number: 25, ..EventCall::default() };
    let key = EventCall { attributes: vec![attribute("", Value::Empty)], ..EventCall::default() };
    vec![
        Call::Event(Box::new(severity)).ends(Outcome::Invalid),
        Call::Event(Box::new(key)).ends(Outcome::Invalid),
        event("valid", 10),
    ]
}

fn close() -> Vec<Step> {
    vec![
        end(1),
        Call::Close.into(),
        refused_event(Outcome::Closed),
        Call::End { span: 2, by_ids: false }.ends(Outcome::Closed),
    ]
}
