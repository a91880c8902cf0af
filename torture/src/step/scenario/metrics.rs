//! Measurements of every aggregation.

use super::{SUM, Scenario, measure, ready, small};
use crate::step::call::{Call, Outcome, Step, attribute, text};
use otlp_mmap_reader::model::{Aggregation, Number, Value};
use otlp_mmap_writer::Config;

pub(super) fn scenarios() -> Vec<Scenario> {
    let up_down = Aggregation::Sum { temporality: 2, is_monotonic: false };
    vec![
        Scenario::new("sums", stream(SUM), sums()),
        Scenario::new("sums of both types", stream(up_down), mixed_sums()),
        Scenario::new("gauges", stream(Aggregation::Gauge), numbers(&[1.5, -2.5, 3.0])),
        Scenario::new("histograms", stream(histogram()), numbers(&[0.5, 7.0, 12.0, 7.5])),
        Scenario::new("exponential histograms with rescales", stream(exponential()), exponentials()),
        Scenario::new("cardinality limit", stream(SUM), cardinality()).configured(three_series),
        Scenario::new("metric cells full", full_of_series(), cells_full()),
        Scenario::new("exemplars", stream(SUM), exemplars()),
        Scenario::new("exemplars recycle (overwrite-oldest)", full_of_exemplars(), vec![exemplar(1); 3]),
    ]
}

/// A stream with one series that was measured, and that series bound.
fn stream(aggregation: Aggregation) -> Vec<Step> {
    ready(vec![
        Call::Stream("stream", aggregation).into(),
        measure(0, &[("warm", text("series"))], 1),
        Call::Bind(0, vec![attribute("bound", text("series"))]).into(),
    ])
}

fn histogram() -> Aggregation {
    Aggregation::Histogram { temporality: 2, boundaries: vec![1.0, 5.0, 10.0] }
}

fn exponential() -> Aggregation {
    Aggregation::ExponentialHistogram { temporality: 2, max_buckets: 6, max_scale: 8 }
}

fn bound(value: Number) -> Call {
    Call::MeasureBound(0, value)
}

fn sums() -> Vec<Step> {
    let new = [("new", text("series")), ("another", Value::Int(2))];
    vec![
        bound(Number::Int(5)).into(),
        bound(Number::Int(7)).into(),
        measure(0, &[("warm", text("series"))], 3),
        measure(0, &new, 1),
        // In another order it is the same series.
        measure(0, &[new[1].clone(), new[0].clone()], 1),
        measure(0, &[], 1),
        bound(Number::Int(-1)).ends(Outcome::Invalid),
        bound(Number::Double(f64::INFINITY)).ends(Outcome::Invalid),
    ]
}

fn mixed_sums() -> Vec<Step> {
    vec![
        bound(Number::Int(5)).into(),
        bound(Number::Double(0.5)).into(),
        bound(Number::Int(-2)).into(),
        bound(Number::Int(i64::MAX)).into(),
        // Overflows, and goes to the doubles.
        bound(Number::Int(i64::MAX)).into(),
    ]
}

/// These values, bound and looked up, and a new series.
fn numbers(values: &[f64]) -> Vec<Step> {
    let mut steps: Vec<Step> = values.iter().map(|value| bound(Number::Double(*value)).into()).collect();
    steps.push(measure(0, &[("warm", text("series"))], 8));
    steps.push(measure(0, &[("warm", text("series"))], 9));
    steps.push(measure(0, &[("new", text("series"))], 2));
    steps
}

/// Each value that is far from those before takes a step down in scale, or several.
fn exponentials() -> Vec<Step> {
    numbers(&[1.1, 1.11, 3.3, 0.0, 0.7, 1e5, -2.3, -1e-7, 1.1])
}

fn three_series(config: &mut Config) {
    small(config);
    config.cardinality_limit = 3;
}

fn cardinality() -> Vec<Step> {
    // The warm one and the bound one are two, the overflow series is the third.
    let one_more = |value| Call::Measure {
        stream: 0,
        attributes: vec![attribute("one", Value::Int(value))],
        value: Number::Int(value),
        sampled: value == 3,
    };
    vec![
        one_more(1).overflows(),
        one_more(2).overflows(),
        one_more(3).overflows(),
        bound(Number::Int(1)).into(),
    ]
}

/// Series of 5 KiB each: twelve with the one kept for the overflow.
fn full_of_series() -> Vec<Step> {
    let aggregation = Aggregation::ExponentialHistogram { temporality: 2, max_buckets: 160, max_scale: 20 };
    let mut steps = vec![Call::Stream("stream", aggregation).into()];
    steps.extend((0..11).map(|number| measure(0, &[("number", Value::Int(number))], 1)));
    ready(steps)
}

fn cells_full() -> Vec<Step> {
    let one_more = |number| Step { overflows: true, ..measure(0, &[("number", Value::Int(number))], 2) };
    vec![one_more(20), one_more(21), measure(0, &[("number", Value::Int(0))], 3)]
}

fn exemplar(value: i64) -> Step {
    let attributes = vec![attribute("warm", text("series"))];
    Call::Measure { stream: 0, attributes, value: Number::Int(value), sampled: true }.into()
}

fn exemplars() -> Vec<Step> {
    let double = Call::Measure {
        stream: 0,
        attributes: vec![attribute("new", text("series"))],
        value: Number::Double(2.5),
        sampled: true,
    };
    vec![exemplar(1), double.into(), exemplar(2)]
}

/// A record takes 80 bytes: 51 fill a segment.
fn full_of_exemplars() -> Vec<Step> {
    let mut steps = stream(SUM);
    steps.extend(vec![exemplar(1); 3 * 51 - 1]);
    steps
}
