//! What was read, in every format of the command line: whatever a recording holds, each record becomes text that no
//! terminal obeys, and JSON that parses.

use otlp_mmap::paint::Paint;
use otlp_mmap::record::RecordView;
use otlp_mmap::{jsonl, text::Text};
use otlp_mmap_reader::{Snapshot, otlp};
use serde::de::IgnoredAny;

/// Most records of each kind that are rendered: it takes longer than to read them.
const RENDERED: usize = 6;

/// Renders the first and last records of each kind in every format.
pub fn render(snapshot: &Snapshot) {
    let [spans, in_flight] = [&snapshot.spans, &snapshot.spans_in_flight].map(|spans| some(spans));
    let (events, series) = (some(&snapshot.events), some(&snapshot.series));
    let measurements = some(&snapshot.measurements);
    let records = spans.iter().chain(&in_flight).map(RecordView::Span);
    let records = records.chain(events.iter().map(RecordView::Event));
    let records = records.chain(measurements.iter().map(RecordView::Measurement));
    records.chain(series.iter().map(RecordView::Metric)).for_each(lines);
    for document in [
        otlp::json::traces(&otlp::traces(&spans)),
        otlp::json::traces(&otlp::traces(&in_flight)),
        otlp::json::logs(&otlp::logs(&events)),
        otlp::json::metrics(&otlp::metrics(&series)),
    ] {
        check_json(&document);
    }
    assert!(some(&snapshot.report.faults).iter().all(|fault| !fault.to_string().is_empty()));
}

fn some<T: Clone>(all: &[T]) -> Vec<T> {
    let middle = all.len().min(RENDERED / 2);
    let last = all.len().saturating_sub(RENDERED / 2).max(middle);
    [&all[..middle], &all[last..]].concat()
}

fn lines(record: RecordView<'_>) {
    let plain = Text { record, paint: Paint { on: false } }.to_string();
    let painted = Text { record, paint: Paint { on: true } }.to_string();
    for control in ['\0', '\x07', '\x08', '\r', '\x1b', '\x7f', '\u{9b}'] {
        assert!(!plain.contains(control), "{control:?} in the text of {record:?}");
    }
    assert!(plain.len() <= painted.len(), "colours are added to the text");
    let line = jsonl::line(record, "fuzzed.otlpmm");
    assert!(!line.contains('\n'), "a line of JSON is one line: {line}");
    check_json(&line);
}

fn check_json(document: &str) {
    let parsed: Result<IgnoredAny, _> = serde_json::from_str(document);
    assert!(document.starts_with('{') && parsed.is_ok(), "{parsed:?}: {document}");
}
