//! The details of a record as lines: everything that is in it.

use otlp_mmap_reader::model::{Event, KeyValue, Measurement, Position, Scope, Series, Span, Value};

use super::super::app::App;
use super::super::cells::{exact, kind, number, safe};
use super::super::model::{Detail, RecordId, RecordKind};
use super::pen::Line;
use super::theme::Role;
use crate::escape::Printable;
use crate::record::{OwnedRecord, RecordView, STATUS_CODES, enum_name, hex, severity_name};
use crate::text::ValueText;
use crate::time::{format_duration, format_time};

/// Deepest value that gets lines of its own; what is deeper stands in one line.
const MAX_DEPTH: usize = 24;

/// The lines of the pane: what is selected, in full.
pub(super) fn lines(app: &App) -> Vec<Line> {
    match (app.detail(), app.query.detail) {
        (Some(detail), _) => record_lines(app, detail),
        (None, Some(_)) => vec![Line::new(0, vec![("reading ...".into(), Role::Dim)])],
        (None, None) => vec![Line::new(0, vec![("nothing is selected".into(), Role::Dim)])],
    }
}

fn record_lines(app: &App, detail: &Detail) -> Vec<Line> {
    let Some(record) = &detail.record else {
        let text = "not in the recording any more: overwritten, or its file is gone";
        return vec![Line::new(0, vec![(text.into(), Role::Warning)])];
    };
    let until = app.snapshot.until;
    let mut lines = of_record(record, detail.last.map_or(until, |last| last.min(until)));
    // Below name, status and duration.
    let below = lines.len().min(3);
    lines.splice(below..below, in_tree(app, detail.id));
    let file = app.snapshot.files.iter().find(|file| file.id == detail.id.file);
    lines.push(Line::title("Recording"));
    if let Some(file) = file {
        lines.push(Line::pair(1, "file", safe(&file.path.to_string_lossy()), Role::Text));
        let role = super::lists::writer_role(file);
        lines.push(Line::pair(
            1,
            "writer",
            format!("pid {}, {}", file.pid, super::super::cells::file_state(file)),
            role,
        ));
    }
    lines.push(Line::pair(1, "place", place(detail.id.kind), Role::Dim));
    lines
}

/// What only the tree of the trace tells of a span.
fn in_tree(app: &App, id: RecordId) -> Vec<Line> {
    let Some(row) = app.selected_span().filter(|row| row.span.id == id) else { return Vec::new() };
    let mut lines = vec![text("self time", format_duration(row.self_time))];
    lines.extend(row.is_critical.then(|| text("critical path", "yes: the end of the trace waited for it")));
    lines.extend(row.is_orphan.then(|| mark("its parent is not in the recordings")));
    lines
}

fn place(kind: RecordKind) -> String {
    match kind {
        RecordKind::Record(_, Position { segment, sequence, offset }) => {
            format!("segment {segment}, record {sequence}, offset {offset}")
        }
        RecordKind::InFlight(..) => "table of spans in flight".to_owned(),
        RecordKind::Series((stream, attributes)) => format!("series {stream}:{attributes}"),
    }
}

/// A record, resource and scope included. `until` is the time at which spans in flight are looked at.
pub(super) fn of_record(record: &OwnedRecord, until: u64) -> Vec<Line> {
    let view = record.view();
    let mut lines = match view {
        RecordView::Span(span) => of_span(span, until),
        RecordView::Event(event) => of_event(event),
        RecordView::Measurement(measurement) => of_measurement(measurement),
        RecordView::Metric(series) => of_series(series),
    };
    scope(&mut lines, view.scope());
    lines
}

fn head(what: &str, name: &str) -> Line {
    Line::new(0, vec![(format!("{what} "), Role::Head), (safe(name), Role::Strong)])
}

fn text(name: &str, value: impl Into<String>) -> Line {
    Line::pair(1, name, value, Role::Text)
}

fn of_span(span: &Span, until: u64) -> Vec<Line> {
    let mut lines = vec![head("Span", &span.name)];
    let (status, role) = match span.status_code {
        2 => ("error".to_owned(), Role::Error),
        code => (enum_name(&STATUS_CODES, code).map_or_else(|| code.to_string(), str::to_owned), Role::Text),
    };
    let message = if span.status_message.is_empty() {
        String::new()
    } else {
        format!(" {}", safe(&span.status_message))
    };
    lines.push(Line::pair(1, "status", format!("{status}{message}"), role));
    let duration = span.end_time_unix_nano.unwrap_or(until).saturating_sub(span.start_time_unix_nano);
    lines.push(match span.end_time_unix_nano {
        Some(_) => text("duration", format_duration(duration)),
        None => Line::pair(1, "in flight", format!("for {}", format_duration(duration)), Role::Flight),
    });
    lines.push(text("kind", kind(span.kind)));
    lines.push(text("trace", hex(&span.trace_id)));
    lines.push(text("span", hex(&span.span_id)));
    lines.push(match span.parent_span_id {
        [0, 0, 0, 0, 0, 0, 0, 0] => text("parent", "none: a root"),
        parent => text("parent", hex(&parent)),
    });
    lines.push(text("start", format_time(span.start_time_unix_nano)));
    lines.extend(span.end_time_unix_nano.map(|end| text("end", format_time(end))));
    if span.end_time_unix_nano.is_some_and(|end| end < span.start_time_unix_nano) {
        lines.push(mark("it ends before it starts: the clock was set back"));
    }
    lines.extend((!span.trace_state.is_empty()).then(|| text("trace state", safe(&span.trace_state))));
    lines.push(text("flags", format!("{:#x}", span.flags)));
    lines.extend(span.truncated.then(|| mark("truncated: values were cut so that it fits")));
    lines.extend(span.spilled.then(|| mark("incomplete: later items were in the process's memory alone")));
    attributes(&mut lines, &span.attributes, span.dropped_attributes_count);
    span_events(&mut lines, span);
    links(&mut lines, span);
    lines
}

fn mark(text: &str) -> Line {
    Line::new(1, vec![(text.to_owned(), Role::Warning)])
}

fn span_events(lines: &mut Vec<Line>, span: &Span) {
    part(lines, "Events", span.events.len(), span.dropped_events_count);
    for event in &span.events {
        let offset = event.time_unix_nano.saturating_sub(span.start_time_unix_nano);
        let parts =
            vec![(format!("+{} ", format_duration(offset)), Role::Dim), (safe(&event.name), Role::Strong)];
        lines.push(Line::new(1, parts));
        pairs(lines, 2, &event.attributes);
        dropped(lines, 2, event.dropped_attributes_count);
    }
}

fn links(lines: &mut Vec<Line>, span: &Span) {
    part(lines, "Links", span.links.len(), span.dropped_links_count);
    for link in &span.links {
        lines.push(Line::pair(1, "trace", hex(&link.trace_id), Role::Text));
        lines.push(Line::pair(2, "span", hex(&link.span_id), Role::Text));
        pairs(lines, 2, &link.attributes);
        dropped(lines, 2, link.dropped_attributes_count);
    }
}

fn of_event(event: &Event) -> Vec<Line> {
    let mut lines = vec![head("Event", &event.event_name)];
    let band = severity_name(event.severity_number).unwrap_or("unspecified");
    let severity = format!("{band} ({}) {}", event.severity_number, Printable(&event.severity_text));
    let role = super::lists::severity_role(event.severity_number);
    lines.push(Line::pair(1, "severity", severity.trim_end(), role));
    lines.push(text("time", format_time(event.time_unix_nano)));
    lines.push(text("observed", format_time(event.observed_time_unix_nano)));
    context(&mut lines, &event.trace_id, &event.span_id);
    lines.push(text("flags", format!("{:#x}", event.flags)));
    lines.extend(event.truncated.then(|| mark("truncated: values were cut so that it fits")));
    if let Some(body) = &event.body {
        lines.push(Line::title("Body"));
        value(&mut lines, 1, None, body, false);
    }
    attributes(&mut lines, &event.attributes, event.dropped_attributes_count);
    lines
}

fn context(lines: &mut Vec<Line>, trace_id: &[u8], span_id: &[u8]) {
    let id = |id: &[u8]| if id.iter().all(|byte| *byte == 0) { "none".to_owned() } else { hex(id) };
    lines.push(text("trace", id(trace_id)));
    lines.push(text("span", id(span_id)));
}

fn of_measurement(measurement: &Measurement) -> Vec<Line> {
    let what = if measurement.raw { "Raw point" } else { "Exemplar" };
    let mut lines = vec![head(what, &measurement.stream.name)];
    lines
        .push(text("value", format!("{} {}", exact(measurement.value), Printable(&measurement.stream.unit))));
    lines.push(text("time", format_time(measurement.time_unix_nano)));
    context(&mut lines, &measurement.trace_id, &measurement.span_id);
    attributes(&mut lines, &measurement.series_attributes, 0);
    part(&mut lines, "Further attributes", measurement.filtered_attributes.len(), 0);
    pairs(&mut lines, 1, &measurement.filtered_attributes);
    lines
}

fn of_series(series: &Series) -> Vec<Line> {
    let mut lines = vec![head("Series", &series.stream.name)];
    lines.extend(super::chart::facts(series));
    attributes(&mut lines, &series.attributes, 0);
    lines
}

/// Scope and resource.
pub(super) fn scope(lines: &mut Vec<Line>, scope: &Scope) {
    lines.push(Line::title("Scope"));
    lines.push(text("name", safe(&scope.name)));
    lines.extend((!scope.version.is_empty()).then(|| text("version", safe(&scope.version))));
    lines.extend((!scope.schema_url.is_empty()).then(|| text("schema", safe(&scope.schema_url))));
    pairs(lines, 1, &scope.attributes);
    let resource = &scope.resource;
    lines.push(Line::title("Resource"));
    lines.extend((!resource.schema_url.is_empty()).then(|| text("schema", safe(&resource.schema_url))));
    pairs(lines, 1, &resource.attributes);
}

/// The title of a part with how many there are; nothing if there are none.
fn part(lines: &mut Vec<Line>, title: &str, count: usize, dropped: u32) {
    if count == 0 && dropped == 0 {
        return;
    }
    let mut parts = vec![(format!("{title} ({count})"), Role::Head)];
    if dropped > 0 {
        parts.push((format!(" and {dropped} dropped"), Role::Warning));
    }
    lines.push(Line::new(0, parts));
}

fn dropped(lines: &mut Vec<Line>, indent: usize, count: u32) {
    if count > 0 {
        lines.push(Line::new(indent, vec![(format!("and {count} dropped"), Role::Warning)]));
    }
}

/// Attributes with the title of their part.
pub(super) fn attributes(lines: &mut Vec<Line>, list: &[KeyValue], dropped: u32) {
    part(lines, "Attributes", list.len(), dropped);
    pairs(lines, 1, list);
}

fn pairs(lines: &mut Vec<Line>, indent: usize, list: &[KeyValue]) {
    for pair in list {
        value(lines, indent, Some(&pair.key), &pair.value, pair.truncated);
    }
}

/// A value with its name and its type, as a tree.
fn value(lines: &mut Vec<Line>, indent: usize, name: Option<&str>, value: &Value, truncated: bool) {
    let name = name.map(|name| (format!("{}: ", safe(name)), Role::Name));
    let cut = truncated.then(|| (" (truncated)".to_owned(), Role::Warning));
    let mut line = |text: String, kind: &str| {
        let space = if text.is_empty() { "" } else { " " };
        let parts = [(text, Role::Text), (format!("{space}{kind}"), Role::Dim)];
        lines.push(Line::new(indent, name.iter().cloned().chain(parts).chain(cut.clone()).collect()));
    };
    match value {
        Value::Empty => line(String::new(), "empty"),
        Value::Bool(flag) => line(flag.to_string(), "bool"),
        Value::Int(number) => line(number.to_string(), "int"),
        Value::Double(number) => line(format!("{number:?}"), "double"),
        Value::Bytes(bytes) => line(format!("0x{}", hex(bytes)), &format!("bytes ({})", bytes.len())),
        Value::Array(_) | Value::Map(_) if indent > MAX_DEPTH => line(ValueText(value).to_string(), ""),
        Value::Array(values) => {
            line(String::new(), &format!("array ({})", values.len()));
            for (index, item) in values.iter().enumerate() {
                self::value(lines, indent + 1, Some(&format!("[{index}]")), item, false);
            }
        }
        Value::Map(entries) => {
            line(String::new(), &format!("map ({})", entries.len()));
            pairs(lines, indent + 1, entries);
        }
        Value::String(text) if text.contains('\n') => {
            line(String::new(), &format!("string ({} lines)", text.split('\n').count()));
            let row = |text| Line::new(indent + 1, vec![(Printable(text).to_string(), Role::Text)]);
            lines.extend(text.split('\n').map(row));
        }
        Value::String(text) if text.is_empty() => line(String::new(), "empty string"),
        Value::String(text) => line(Printable(text).to_string(), "string"),
    }
}

/// Numbers of a measurement for one line: value, time, trace.
pub(super) fn exemplar(measurement: &Measurement) -> String {
    let value = exact(measurement.value);
    let time = super::super::cells::clock(measurement.time_unix_nano);
    let trace =
        if measurement.trace_id == [0; 16] { "no trace".to_owned() } else { hex(&measurement.trace_id) };
    format!("{value} at {time} trace {trace}")
}

/// `None` is unknown.
pub(super) fn bound(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}
