//! Any text as a filter, against a record of every kind.
//!
//! Behind the first zero byte of a text stands the value of the attribute `a` and the body of one event, so that
//! the fuzzer chooses both sides of a comparison.

use std::sync::OnceLock;

use otlp_mmap::filter::{Filter, FilterError};
use otlp_mmap::record::OwnedRecord;
use otlp_mmap_reader::model::{Event, Record, Value};
use otlp_mmap_torture::model::given::{attribute, text};

use crate::memory::MemoryFile;
use crate::sample::sample;

/// Checks a filter.
pub fn run(input: &str) {
    let (text, value) = input.split_once('\0').unwrap_or((input, ""));
    match Filter::parse(text) {
        Ok(filter) => check(text, &filter, value),
        Err(error) => check_error(text, &error),
    }
}

/// A filter, its negation and itself twice agree on every record.
fn check(text: &str, filter: &Filter, value: &str) {
    let more = [format!("not ({text})"), format!("({text}) and ({text})"), format!("({text}) or ({text})")];
    // Only the limit of nesting can be in the way.
    let parsed = more.map(|text| Filter::parse(&text).ok());
    let [event, number] = chosen(value);
    for record in records().iter().chain([&event, &number]) {
        let found = filter.matches(&record.view());
        let [negated, both, either] =
            parsed.each_ref().map(|filter| filter.as_ref().map(|f| f.matches(&record.view())));
        assert!(negated.is_none_or(|negated| negated != found), "not ({text}) is no negation");
        assert!(both.is_none_or(|both| both == found), "({text}) and itself differ");
        assert!(either.is_none_or(|either| either == found), "({text}) or itself differ");
    }
}

/// An error points into the text, and can be shown.
fn check_error(text: &str, error: &FilterError) {
    assert!(text.is_char_boundary(error.position), "{error:?}");
    assert!(error.position + error.length <= text.len(), "{error:?}");
    assert!(!error.message.is_empty());
    let shown = error.render(text);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(!shown.contains('\u{1b}'), "an escape reaches the terminal");
}

/// The sample's records: spans, ended and in flight, events, measurements, series of every kind.
fn records() -> &'static [OwnedRecord] {
    static RECORDS: OnceLock<Vec<OwnedRecord>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let file = MemoryFile::new();
        file.put(&sample().image);
        let snapshot = file.recording().and_then(|recording| recording.snapshot()).expect("a recording");
        let spans = snapshot.spans.into_iter().rev().take(6).chain(snapshot.spans_in_flight);
        let records = spans.map(|span| Record::Span(span.into()));
        let events = snapshot.events.into_iter().take(6).map(|event| Record::Event(event.into()));
        let measurements = snapshot.measurements.into_iter().take(3);
        let measurements = measurements.map(|measurement| Record::Measurement(measurement.into()));
        let records = records.chain(events).chain(measurements).map(OwnedRecord::Record);
        records.chain(snapshot.series.into_iter().map(|series| OwnedRecord::Metric(series.into()))).collect()
    })
}

/// Two events with the fuzzer's value: as text, and as a number and in an array.
fn chosen(value: &str) -> [OwnedRecord; 2] {
    let event = records().iter().find_map(|record| match record {
        OwnedRecord::Record(Record::Event(event)) => Some(&**event),
        _ => None,
    });
    let event = event.expect("the sample has events");
    let number = value.parse().map_or(Value::Double(value.parse().unwrap_or(f64::NAN)), Value::Int);
    let bytes = Value::Bytes(value.as_bytes().to_vec());
    let array = Value::Array(vec![text(value), number.clone(), bytes]);
    [with(event, text(value), text(value)), with(event, number, array)]
        .map(|event| OwnedRecord::Record(Record::Event(event.into())))
}

fn with(event: &Event, value: Value, body: Value) -> Event {
    let mut event = event.clone();
    event.attributes.push(attribute("a", value));
    event.body = Some(body);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_mistakes() {
        for text in [
            "name = inline and not (severity > warn or has(resource.service.name))",
            "a =~ '^x+$' or body != 7\x00xxx",
            "a >= 7 and attr(\"a\") < 8.5\x007.5",
            "time > 2026-01-01T00:00:00Z or duration < 5ms or in_flight = true",
            "\u{1b}[31m = (",
            "not not not",
            "",
        ] {
            run(text);
        }
    }
}
