//! Spans from start to end.

use super::{Scenario, end, ready, start, start_with};
use crate::step::call::{Call, Named, Status, Step, attribute, text};
use otlp_mmap_reader::model::Value;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("spans", ready(vec![start(9, "warm"), end(9)]), one_span()),
        Scenario::new("spans found by their ids", ready(vec![]), by_ids()),
        Scenario::new("a span over several blocks", ready(vec![start(2, "beside")]), long_span()),
        Scenario::new("spans recycle (overwrite-oldest)", full_of_spans(), recycle()),
        Scenario::new("span table full", ready(vec![start(1, "spills"), start(2, "first")]), table_full()),
    ]
}

fn one_span() -> Vec<Step> {
    vec![
        start(1, "span"),
        Call::SetAttributes(1, vec![attribute("set", text("later")), attribute("key", text("again"))]).into(),
        Call::AddEvent(1, Named::Inline("span event"), vec![attribute("of", text("event"))]).into(),
        Call::AddLink(1, vec![attribute("of", text("link"))]).into(),
        Call::Rename(1, "renamed").into(),
        Call::Status(1, Status::Error, "failed".to_owned()).into(),
        Call::Status(1, Status::Ok, String::new()).into(),
        Call::AddDropped(1, [1, 2, 3]).into(),
        end(1),
    ]
}

fn by_ids() -> Vec<Step> {
    let start = |span| Call::Start {
        span,
        name: Named::Inline("by its ids"),
        attributes: vec![attribute("key", Value::Bool(false))],
        by_ids: true,
    };
    vec![
        start(1).into(),
        start(1).ends(crate::step::call::Outcome::Invalid),
        start(2).into(),
        Call::End { span: 1, by_ids: true }.into(),
        Call::End { span: 1, by_ids: true }.ends(crate::step::call::Outcome::Invalid),
    ]
}

fn long_span() -> Vec<Step> {
    let value = |key, bytes| vec![attribute(key, text(&"v".repeat(bytes)))];
    vec![
        start_with(1, "over three blocks", value("first", 500)),
        Call::SetAttributes(1, value("second", 100)).into(),
        Call::SetAttributes(1, value("third", 400)).into(),
        Call::AddEvent(1, Named::Inline("event"), value("fourth", 200)).into(),
        end(1),
        // Uses the blocks again.
        start_with(3, "over the same blocks", value("fifth", 400)),
        end(3),
    ]
}

/// Nine spans of this size fill the pool.
fn large_span(span: u8) -> [Step; 2] {
    [start_with(span, "large", vec![attribute("value", text(&"v".repeat(1_200)))]), end(span)]
}

fn full_of_spans() -> Vec<Step> {
    ready((1..=9).flat_map(large_span).collect())
}

fn recycle() -> Vec<Step> {
    (10..=13).flat_map(large_span).collect()
}

/// Fourteen of the sixteen blocks are free.
fn table_full() -> Vec<Step> {
    let value = |key, bytes| vec![attribute(key, text(&"v".repeat(bytes)))];
    let start = |span| Call::Start {
        span,
        name: Named::Inline("spilled"),
        attributes: vec![attribute("key", Value::Int(1))],
        by_ids: false,
    };
    vec![
        start_with(3, "takes the others", value("value", 3_200)),
        start(4).spills(),
        Call::SetAttributes(4, value("of the spilled", 300)).into(),
        Call::SetAttributes(1, value("spilled", 300)).spills(),
        Call::SetAttributes(1, value("spilled, too", 10)).into(),
        end(1),
        end(4),
        end(3),
        start_with(5, "has blocks again", value("value", 500)),
    ]
}
