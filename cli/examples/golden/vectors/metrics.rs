//! The vector `metrics`: a series of every kind, of integers and doubles, with exemplars and raw points.

use std::path::Path;

use otlp_mmap_writer::{
    Aggregation, KeyValue, MetricRef, MetricStream, Number, SpanContext, Temporality, Value,
};

use super::{Program, SAMPLED, at, config, pair};

const COUNTER: Aggregation<'_> =
    Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
const UP_DOWN: Aggregation<'_> = Aggregation::Sum { temporality: Temporality::Delta, is_monotonic: false };

pub(super) fn make(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.cardinality_limit = 3;
    config.stream_measurements = true;
    let program = Program::create(config)?;
    gauges(&program)?;
    sums(&program)?;
    histograms(&program)?;
    exponential(&program)?;
    overflow(&program)?;
    exemplars(&program)
}

/// Counts one in a sampled span.
pub(super) fn count(program: &Program, millis: u64) -> anyhow::Result<()> {
    let counter = stream(program, "counter", COUNTER)?;
    measure(program, counter, "a", millis, Number::Int(1), Some(&SAMPLED))
}

/// Defines a stream.
pub(super) fn stream(
    program: &Program,
    name: &str,
    aggregation: Aggregation<'_>,
) -> anyhow::Result<MetricRef> {
    let stream = MetricStream { name, description: "", unit: "1", aggregation };
    Ok(program.writer.create_metric_stream(program.scope, &stream)?)
}

/// Measures; the attribute `key` has this value.
pub(super) fn measure(
    program: &Program,
    metric: MetricRef,
    value: &str,
    millis: u64,
    number: Number,
    context: Option<&SpanContext>,
) -> anyhow::Result<()> {
    let attributes = [pair("key", Value::String(value))];
    Ok(program.writer.record_measurement(metric, &attributes, at(millis), number, context)?)
}

/// Measures without attributes and without a span.
fn plain(program: &Program, metric: MetricRef, millis: u64, numbers: &[Number]) -> anyhow::Result<()> {
    for (number, millis) in numbers.iter().zip(millis..) {
        program.writer.record_measurement(metric, &(), at(millis), *number, None)?;
    }
    Ok(())
}

/// The last value counts; a limit of series; series with every type of attribute, and one without a measurement.
fn gauges(program: &Program) -> anyhow::Result<()> {
    let text = MetricStream {
        name: "gauge",
        description: "What was measured last",
        unit: "Cel",
        aggregation: Aggregation::Gauge,
    };
    let gauge = program.writer.create_limited_metric_stream(program.scope, &text, 100)?;
    plain(program, gauge, 1, &[Number::Int(7), Number::Int(-3)])?;
    let attributes: [KeyValue<'_>; 7] = [
        pair("string", Value::String("text")),
        pair("int", Value::Int(1)),
        pair("double", Value::Double(0.5)),
        pair("bool", Value::Bool(true)),
        pair("bytes", Value::Bytes(b"\x01")),
        pair("empty", Value::Empty),
        pair("array", Value::Array(&[Value::String("a"), Value::String("b")])),
    ];
    program.writer.record_measurement(gauge, &attributes, at(3), Number::Double(21.5), None)?;
    let infinite = stream(program, "infinite gauge", Aggregation::Gauge)?;
    plain(program, infinite, 4, &[Number::Double(f64::NEG_INFINITY)])?;
    program.writer.bind(infinite, &[pair("never", Value::String("measured"))])?;
    Ok(())
}

fn sums(program: &Program) -> anyhow::Result<()> {
    let counter = stream(program, "counter", COUNTER)?;
    plain(program, counter, 10, &[Number::Int(1), Number::Int(41)])?;
    let doubles = stream(program, "double counter", COUNTER)?;
    plain(program, doubles, 12, &[Number::Double(0.25), Number::Double(0.5)])?;
    let mixed = stream(program, "up-down counter", UP_DOWN)?;
    plain(program, mixed, 14, &[Number::Int(-5), Number::Double(0.5)])?;
    let large = stream(program, "integers that overflow", UP_DOWN)?;
    plain(program, large, 16, &[Number::Int(i64::MAX), Number::Int(i64::MAX)])?;
    let bound = program.writer.bind(counter, &[pair("bound", Value::Bool(true))])?;
    Ok(program.writer.record_bound(bound, at(18), Number::Int(2))?)
}

fn histograms(program: &Program) -> anyhow::Result<()> {
    let temporality = Temporality::Cumulative;
    let boundaries = &[0.0, 5.0, 10.0];
    let histogram = stream(program, "histogram", Aggregation::Histogram { temporality, boundaries })?;
    let numbers = [Number::Double(-1.5), Number::Int(5), Number::Double(5.5), Number::Int(1000)];
    plain(program, histogram, 20, &numbers)?;
    let temporality = Temporality::Delta;
    let aggregation = Aggregation::Histogram { temporality, boundaries: &[] };
    let one_bucket = stream(program, "histogram of one bucket", aggregation)?;
    plain(program, one_bucket, 24, &[Number::Int(1)])
}

/// A scale that goes down, both signs, zero and a subnormal number.
fn exponential(program: &Program) -> anyhow::Result<()> {
    let temporality = Temporality::Cumulative;
    let aggregation = Aggregation::ExponentialHistogram { temporality, max_buckets: 4, max_scale: 3 };
    let first = stream(program, "exponential histogram", aggregation)?;
    plain(program, first, 30, &[Number::Double(1.5), Number::Double(1.75), Number::Int(1)])?;
    let second = stream(program, "exponential histogram of everything", aggregation)?;
    let numbers =
        [Number::Int(0), Number::Double(-2.5), Number::Int(-2), Number::Double(5e-324), Number::Int(1 << 40)];
    plain(program, second, 33, &numbers)
}

/// One attribute set more than a stream may have.
fn overflow(program: &Program) -> anyhow::Result<()> {
    let limited = stream(program, "limited", COUNTER)?;
    for (millis, value) in (40..).zip(["a", "b", "one too many", "another one"]) {
        measure(program, limited, value, millis, Number::Int(1), None)?;
    }
    Ok(())
}

/// Exemplars of integers and doubles; a raw point in a span that is not sampled.
fn exemplars(program: &Program) -> anyhow::Result<()> {
    let counter = stream(program, "with exemplars", UP_DOWN)?;
    measure(program, counter, "a", 50, Number::Int(3), Some(&SAMPLED))?;
    measure(program, counter, "a", 51, Number::Double(-0.5), Some(&SAMPLED))?;
    let context = SpanContext { flags: 0, ..SAMPLED };
    measure(program, counter, "a", 52, Number::Int(4), Some(&context))
}
