//! The vectors `overwritten` and `full`: pools that are used up, and the counters of what was lost.

use std::path::Path;

use anyhow::ensure;
use otlp_mmap_reader::Exporter;
use otlp_mmap_writer::{
    Aggregation, Counter, Error, Event, Number, Overflow, Signal, SpanStart, Temporality, Value,
};

use super::metrics::{count, measure, stream};
use super::{Program, SAMPLED, at, config, pair};

/// Three records of this size fill a segment.
const LARGE: usize = 1_200;

/// Pools that go round several times, partly acknowledged; what can be lost all the same is lost once.
pub(super) fn overwritten(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.cardinality_limit = 2;
    let program = Program::create(config)?;
    let exporter = Exporter::attach(path)?;
    large_events(&program, 0..7)?;
    // Of the segment that is recycled next, two records of three; of the other one, all three.
    ensure!(exporter.acknowledge(Signal::Events, 1, 1, 2)?, "generation 1 of the second slot is there");
    large_events(&program, 7..13)?;
    ensure!(exporter.acknowledge(Signal::Events, 1, 2, 3)?, "generation 2 of the second slot is there");
    large_events(&program, 13..17)?;
    large_spans(&program, 1..9)?;
    count(&program, 30)?;
    lose_spans(&program)?;
    lose_events(&program)?;
    lose_measurements(&program)?;
    let SpanStart { trace_id, span_id, .. } = program.span(50);
    program.writer.close();
    let closed = [
        program.writer.record_span_end(program.scope, trace_id, span_id, at(51)),
        program.writer.record_event(&program.event(51)),
        program.writer.record_string("late").map(|_| ()),
    ];
    ensure!(closed.iter().all(|result| matches!(result, Err(Error::Closed))), "{closed:?}");
    Ok(())
}

fn large_events(program: &Program, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let text = "large ".repeat(LARGE / 6);
    for number in numbers {
        let attributes = [pair("number", Value::Int(number.cast_signed()))];
        let body = Value::String(&text);
        let event = Event { body: Some(&body), ..program.event(number) };
        program.writer.record_event(&Event { attributes: &attributes, ..event })?;
    }
    Ok(())
}

fn large_spans(program: &Program, numbers: std::ops::Range<u8>) -> anyhow::Result<()> {
    let text = "large ".repeat(LARGE / 6);
    let attributes = [pair("text", Value::String(&text))];
    for number in numbers {
        let span =
            program.writer.start_span(&SpanStart { attributes: &attributes, ..program.span(number) })?;
        program.writer.end_span(span, at(u64::from(number) + 1))?;
    }
    Ok(())
}

/// Refused, cut, and kept in memory.
fn lose_spans(program: &Program) -> anyhow::Result<()> {
    let invalid = program.writer.start_span(&SpanStart { trace_id: [0; 16], ..program.span(40) });
    ensure!(matches!(invalid, Err(Error::Invalid { .. })), "{invalid:?}");
    let text = "cut ".repeat(2_000);
    let attributes = [pair("text", Value::String(&text))];
    let start = |number| SpanStart { attributes: &attributes, ..program.span(number) };
    let (first, second) = (program.writer.start_span(&start(41))?, program.writer.start_span(&start(42))?);
    program.writer.end_span(first, at(43))?;
    program.writer.end_span(second, at(43))?;
    ensure!(program.writer.counter(Signal::Spans, Counter::Spilled)? == 1, "the second one spills");
    Ok(())
}

/// Refused, cut, without room in the dictionary.
fn lose_events(program: &Program) -> anyhow::Result<()> {
    let invalid = program.writer.record_event(&Event { severity_number: 25, ..program.event(20) });
    ensure!(matches!(invalid, Err(Error::Invalid { .. })), "{invalid:?}");
    let key = "key ".repeat(1_100);
    let text = "cut ".repeat(1_500);
    let attributes = [pair(&key, Value::String(&text))];
    program.writer.record_event(&Event { attributes: &attributes, ..program.event(20) })?;
    let full = (0..3).find_map(|number| {
        let text = format!("definition {number} ").repeat(2_200);
        program.writer.create_resource(&[pair("text", Value::String(&text))], None).err()
    });
    ensure!(matches!(full, Some(Error::DictionaryFull)), "{full:?}");
    Ok(())
}

/// Refused, beyond the limit, and without room for the cells.
fn lose_measurements(program: &Program) -> anyhow::Result<()> {
    let counter = stream_of_sums(program, "limited")?;
    for (millis, key) in [(31, "a"), (32, "one too many")] {
        measure(program, counter, key, millis, Number::Int(1), None)?;
    }
    let invalid = measure(program, counter, "a", 33, Number::Double(f64::NAN), None);
    ensure!(invalid.is_err(), "a counter takes no NaN");
    let (temporality, max_scale) = (Temporality::Cumulative, 20);
    let large = Aggregation::ExponentialHistogram { temporality, max_buckets: 1_100, max_scale };
    stream(program, "large", large)?;
    ensure!(stream(program, "too large", large).is_err(), "the cells have room for one of them");
    Ok(())
}

fn stream_of_sums(program: &Program, name: &str) -> anyhow::Result<otlp_mmap_writer::MetricRef> {
    let temporality = Temporality::Cumulative;
    stream(program, name, Aggregation::Sum { temporality, is_monotonic: true })
}

/// Pools that keep what they have: later events and exemplars are lost.
pub(super) fn full(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.overflow = Overflow::DiscardNewest;
    let program = Program::create(config)?;
    large_events(&program, 0..6)?;
    let discarded = large_events(&program, 6..7);
    ensure!(discarded.is_err(), "the seventh event finds no segment");
    let counter = stream_of_sums(&program, "counter")?;
    let lost = || program.writer.counter(Signal::Measurements, Counter::ExemplarLost);
    for millis in 10.. {
        measure(&program, counter, "a", millis, Number::Int(1), Some(&SAMPLED))?;
        if lost()? > 0 {
            break;
        }
    }
    Ok(())
}
