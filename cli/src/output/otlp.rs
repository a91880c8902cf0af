//! Records as OTLP JSON: each line or document is of one signal, `{"resourceSpans":[…]}` and so on.
//!
//! Measurements have no message of their own: OTLP carries them as exemplars of their metrics.

use std::io::{self, Write};

use otlp_mmap_reader::model::{Event, Record, Series, Span};
use otlp_mmap_reader::otlp;
use otlp_mmap_reader::otlp::json::{Sink as Pieces, write_logs, write_metrics, write_traces};
use otlp_mmap_reader::otlp::{Weighed, Weights};

use super::{Item, OtlpSignal, Sinks};
use crate::escape::json_safe;
use crate::record::OwnedRecord;

/// Bytes that a line stays below, its line end included: what the Collector's file receivers take by default.
const LINE_LIMIT: usize = 512 * 1024;

/// Most records that are tried as one line.
const LINE_RECORDS: usize = 512;

/// Records by OTLP signal, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    spans: Vec<Span>,
    series: Vec<Series>,
    events: Vec<Event>,
}

impl Extend<Item> for Batch {
    fn extend<I: IntoIterator<Item = Item>>(&mut self, items: I) {
        for item in items {
            match item.record {
                OwnedRecord::Record(Record::Span(span)) => self.spans.push(*span),
                OwnedRecord::Record(Record::Event(event)) => self.events.push(*event),
                OwnedRecord::Record(Record::Measurement(_)) => {}
                OwnedRecord::Metric(series) => self.series.push(*series),
            }
        }
    }
}

impl FromIterator<Item> for Batch {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut batch = Self::default();
        batch.extend(items);
        batch
    }
}

impl Batch {
    /// Writes lines of several records each, as long as they stay below the limit. Returns how many lines do not.
    pub(super) fn write_lines(&self, sinks: &mut Sinks<'_>) -> io::Result<u64> {
        Ok(lines(&self.spans, &mut unless_heavy(traces), LINE_LIMIT, sinks.of(OtlpSignal::Traces))?
            + lines(&self.series, &mut unless_heavy(metrics), LINE_LIMIT, sinks.of(OtlpSignal::Metrics))?
            + lines(&self.events, &mut unless_heavy(logs), LINE_LIMIT, sinks.of(OtlpSignal::Logs))?)
    }

    /// Writes one document for each signal that has records, and for those in `wanted`: in pieces, since a document is
    /// larger than what it is made of.
    pub(super) fn write_documents(&self, wanted: &[OtlpSignal], sinks: &mut Sinks<'_>) -> io::Result<()> {
        let mut document = |signal, empty: bool, write: &dyn Fn(&mut Pieces<'_>) -> io::Result<()>| {
            if empty && !wanted.contains(&signal) {
                return Ok(());
            }
            let sink = sinks.of(signal);
            write(&mut |piece| sink.write_all(json_safe(piece).as_bytes()))?;
            writeln!(sink)
        };
        document(OtlpSignal::Traces, self.spans.is_empty(), &|sink| write_traces(&self.spans, sink))?;
        document(OtlpSignal::Metrics, self.series.is_empty(), &|sink| write_metrics(&self.series, sink))?;
        document(OtlpSignal::Logs, self.events.is_empty(), &|sink| write_logs(&self.events, sink))
    }
}

/// Encodes several records only if their texts may be below the limit of a line: names that many share may make them
/// larger than memory. One record is encoded whatever it weighs.
fn unless_heavy<T: Weighed>(encode: fn(&[T]) -> String) -> impl FnMut(&[T]) -> Option<String> {
    let mut weights = Weights::default();
    move |part| (part.len() == 1 || weights.of(part, LINE_LIMIT) < LINE_LIMIT).then(|| encode(part))
}

fn traces(spans: &[Span]) -> String {
    json_safe(&otlp::json::traces(&otlp::traces(spans))).into_owned()
}

fn metrics(series: &[Series]) -> String {
    json_safe(&otlp::json::metrics(&otlp::metrics(series))).into_owned()
}

fn logs(events: &[Event]) -> String {
    json_safe(&otlp::json::logs(&otlp::logs(events))).into_owned()
}

/// Writes records as lines shorter than `limit`, halving what is too long. One record that is too long by itself is
/// written all the same, and counted: a line that a receiver may refuse is better than a record nobody sees.
fn lines<T>(
    records: &[T],
    encode: &mut dyn FnMut(&[T]) -> Option<String>,
    limit: usize,
    sink: &mut dyn Write,
) -> io::Result<u64> {
    let mut too_long = 0;
    let mut rest: Vec<&[T]> = records.rchunks(LINE_RECORDS).collect();
    while let Some(part) = rest.pop() {
        let fits = |line: &String| line.len() + 1 < limit;
        if let Some(line) = encode(part).filter(|line| part.len() == 1 || fits(line)) {
            writeln!(sink, "{line}")?;
            too_long += u64::from(!fits(&line));
        } else {
            let (first, second) = part.split_at(part.len() / 2);
            rest.extend([second, first]);
        }
    }
    Ok(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(numbers: &[u32]) -> String {
        format!("{numbers:?}")
    }

    fn split(numbers: &[u32], limit: usize) -> Vec<String> {
        let mut out = Vec::new();
        let too_long = lines(numbers, &mut |part| Some(encode(part)), limit, &mut out).unwrap();
        let lines: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
        let counted = lines.iter().filter(|line| line.len() + 1 >= limit).count();
        assert_eq!(usize::try_from(too_long).unwrap(), counted);
        lines
    }

    #[test]
    fn lines_are_split_in_order() {
        assert_eq!(split(&[1, 2, 3, 4], 100), ["[1, 2, 3, 4]"]);
        assert_eq!(split(&[1, 2, 3, 4], 13), ["[1, 2]", "[3, 4]"]);
        assert_eq!(split(&[1, 2_000_000_000, 3], 8), ["[1]", "[2000000000]", "[3]"]);
        assert!(split(&[], 8).is_empty());
    }

    proptest! {
        #[test]
        fn every_record_is_on_one_line_and_lines_keep_the_limit(
            numbers in prop::collection::vec(any::<u32>(), 0..2_000),
            limit in 16_usize..500,
        ) {
            let lines = split(&numbers, limit);
            prop_assert!(lines.iter().all(|line| line.len() + 1 < limit));
            let read: Vec<u32> = lines
                .iter()
                .flat_map(|line| line.trim_matches(['[', ']']).split(", "))
                .map(|number| number.parse().unwrap())
                .collect();
            prop_assert_eq!(read, numbers);
        }
    }
}
