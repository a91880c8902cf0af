//! The columns of each list as text: what `view` draws of a row, and what is searched when text is looked for.
//!
//! Every text is safe to print, whatever the recording holds. Numbers and durations are short here; details have them
//! in full.

use otlp_mmap_reader::model::{Number, Point};
use otlp_mmap_reader::{Fill, Liveness, Usage};

use super::model::{
    EventRow, FileId, FileRow, LintRule, OperationRow, RecordKind, SeriesRow, Snapshot, SpanRow, TraceRow,
    WaterfallSpan,
};
use super::query::View;
use crate::escape::Printable;
use crate::record::{SPAN_KINDS, enum_name, hex, severity_name};
use crate::text::ValueText;

/// How far a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It ended, or had not yet ended at the time of the cursor.
    Ended,
    /// It runs, or ran at the time of the cursor.
    InFlight,
    /// Its process is gone.
    Died,
}

/// How far a span is. That its process died is known of spans that never ended alone.
pub(crate) fn state(span: &SpanRow, files: &[FileRow]) -> State {
    match (span.end, span.id.kind) {
        (Some(_), _) => State::Ended,
        (None, RecordKind::InFlight(..)) if !is_alive(span.id.file, files) => State::Died,
        (None, _) => State::InFlight,
    }
}

fn is_alive(id: FileId, files: &[FileRow]) -> bool {
    files.iter().find(|file| file.id == id).is_none_or(|file| file.liveness == Liveness::Alive)
}

/// How far a trace is: as its root, or as the only span in flight where that names it. Else, without a root, it is in
/// flight while any of its spans is, and died if the processes of all of these are gone.
pub(crate) fn trace_state(row: &TraceRow, files: &[FileRow]) -> State {
    match state(&row.root, files) {
        state if row.root.end.is_none() && (row.has_root || row.in_flight_count == 1) => state,
        _ if row.end.is_some() => State::Ended,
        _ if row.last.is_some() => State::Died,
        _ => State::InFlight,
    }
}

/// Text of a recording, safe to print; `-` for none.
pub(crate) fn safe(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { Printable(text).to_string() }
}

/// Start, duration, service, name, status, spans, errors, events, trace id.
pub(crate) fn trace_cells(row: &TraceRow, snapshot: &Snapshot) -> [String; 9] {
    let name =
        if row.has_root { safe(&row.root.name) } else { format!("(no root) {}", safe(&row.root.name)) };
    [
        clock(row.start),
        short_duration(row.duration(snapshot.until)),
        safe(&row.root.service),
        name,
        trace_status(row, snapshot).to_owned(),
        count(row.span_count as u64),
        some_count(row.error_count as u64),
        some_count(row.event_count as u64),
        hex(&row.trace_id),
    ]
}

fn trace_status(row: &TraceRow, snapshot: &Snapshot) -> &'static str {
    match trace_state(row, &snapshot.files) {
        State::Ended => status(row.root.status_code, row.error_count > 0),
        State::InFlight => "in flight",
        State::Died => "died",
    }
}

fn status(code: u32, has_errors: bool) -> &'static str {
    match code {
        SpanRow::ERROR => "error",
        // The root is well, another span is not.
        _ if has_errors => "errors",
        1 => "ok",
        _ => "-",
    }
}

/// The status of a span, or how it did not come to one.
pub(crate) fn span_status(span: &SpanRow, files: &[FileRow]) -> &'static str {
    match state(span, files) {
        State::Ended => status(span.status_code, false),
        State::InFlight => "in flight",
        State::Died => "died in flight",
    }
}

/// Service, name, kind, spans, errors, share of errors, p50, p95, p99, longest, in flight.
pub(crate) fn operation_cells(row: &OperationRow) -> [String; 11] {
    let has_ended = row.count > row.in_flight_count;
    let duration = |nanos| if has_ended { short_duration(nanos) } else { "-".to_owned() };
    [
        safe(&row.id.service),
        safe(&row.id.name),
        kind(row.kind).to_owned(),
        count(row.count as u64),
        some_count(row.error_count as u64),
        percent(row.error_count as u64, row.count as u64),
        duration(row.p50),
        duration(row.p95),
        duration(row.p99),
        duration(row.max),
        some_count(row.in_flight_count as u64),
    ]
}

/// Service, name, duration, self time, status.
pub(crate) fn span_cells(row: &WaterfallSpan, snapshot: &Snapshot) -> [String; 5] {
    [
        safe(&row.span.service),
        safe(&row.span.name),
        short_duration(row.span.duration(snapshot.until)),
        short_duration(row.self_time),
        span_status(&row.span, &snapshot.files).to_owned(),
    ]
}

/// Time, severity, service, name, body.
pub(crate) fn event_cells(row: &EventRow) -> [String; 5] {
    [
        clock(row.time),
        severity(row),
        safe(&row.service),
        safe(&row.event_name),
        Printable(&row.body).to_string(),
    ]
}

/// The severity's band in capitals; without a number its text.
fn severity(row: &EventRow) -> String {
    match severity_name(row.severity_number) {
        Some(name) => name.to_uppercase(),
        None => safe(&row.severity_text),
    }
}

/// Service, name, attributes, kind, value, rate, unit.
pub(crate) fn series_cells(row: &SeriesRow) -> [String; 7] {
    let attributes: Vec<_> = row
        .series
        .attributes
        .iter()
        .map(|pair| format!("{}={}", Printable(&pair.key), ValueText(&pair.value)))
        .collect();
    let attributes = if row.series.overflow { "(overflow)".to_owned() } else { attributes.join(" ") };
    [
        safe(&row.service),
        safe(&row.stream().name),
        attributes,
        point_kind(&row.series.point).to_owned(),
        point_value(&row.series.point),
        row.rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", number(rate))),
        Printable(&row.stream().unit).to_string(),
    ]
}

/// The values of a series' attributes, without their keys.
pub(crate) fn series_values(row: &SeriesRow) -> String {
    if row.series.overflow {
        return "(overflow)".to_owned();
    }
    let values: Vec<_> =
        row.series.attributes.iter().map(|pair| ValueText(&pair.value).to_string()).collect();
    values.join(" ")
}

/// The name of a metric's kind, as short as a column.
pub(crate) fn point_kind(point: &Point) -> &'static str {
    match point {
        Point::Gauge(_) => "gauge",
        Point::Sum(_) => "sum",
        Point::Histogram { .. } => "histogram",
        Point::ExponentialHistogram { .. } => "exp.hist.",
    }
}

/// The mean of so many values; `None`: of none.
pub(crate) fn mean(count: u64, sum: f64) -> Option<f64> {
    (count > 0).then(|| sum / to_f64(count))
}

/// The value of a gauge or sum; of a histogram its mean.
fn point_value(point: &Point) -> String {
    match point {
        Point::Gauge(value) | Point::Sum(value) => exact(*value),
        Point::Histogram { count, sum, .. } | Point::ExponentialHistogram { count, sum, .. } => {
            mean(*count, *sum).map_or_else(|| "empty".to_owned(), |mean| format!("~{}", number(mean)))
        }
    }
}

/// File, service, process, state, fill, lost, faults, in flight.
pub(crate) fn file_cells(row: &FileRow) -> [String; 8] {
    [
        safe(&row.name),
        safe(&row.service),
        row.pid.to_string(),
        file_state(row).to_owned(),
        row.fill.as_ref().map_or_else(|| "?".to_owned(), |fill| format!("{}%", worst_fill(fill).1)),
        row.losses.as_ref().map_or_else(|| "?".to_owned(), |_| count(row.lost())),
        count(row.fault_count),
        some_count(row.in_flight as u64),
    ]
}

/// Whether the writer of a file lives.
pub(crate) fn file_state(row: &FileRow) -> &'static str {
    match row.liveness {
        _ if row.vanished => "vanished",
        Liveness::Alive => "alive",
        Liveness::Closed { .. } => "closed",
        Liveness::Dead => "dead",
    }
}

/// The parts of a file that fill up, with their names.
pub(crate) fn parts(fill: &Fill) -> [(&'static str, Usage); 6] {
    let [spans, events, measurements] = &fill.pools;
    [
        ("spans", spans.bytes),
        ("events", events.bytes),
        ("measurements", measurements.bytes),
        ("dictionary", fill.dictionary),
        ("metric cells", fill.cells),
        ("active spans", fill.active_blocks),
    ]
}

/// The fullest part and its percentage.
pub(crate) fn worst_fill(fill: &Fill) -> (&'static str, u64) {
    let share = parts(fill).map(|(name, usage)| (name, share(usage)));
    share.into_iter().max_by_key(|(_, percent)| *percent).unwrap_or(("", 0))
}

/// Percentage in use, at most 100.
pub(crate) fn share(usage: Usage) -> u64 {
    let percent = u128::from(usage.used) * 100 / u128::from(usage.total.max(1));
    u64::try_from(percent.min(100)).unwrap_or(100)
}

/// The name of a rule, as people say it.
pub(crate) fn lint_name(rule: LintRule) -> &'static str {
    match rule {
        LintRule::Losses => "records lost",
        LintRule::Damage => "damage",
        LintRule::OrphanParent => "orphan parent",
        LintRule::EndBeforeStart => "end before start",
        LintRule::ClockStep => "clock step",
        LintRule::HighCardinality => "high cardinality",
    }
}

/// The text of a row, in which text is looked for: all its columns with a space between them. In the waterfall the
/// index counts the folded rows, too. `None`: there is no such row.
pub(crate) fn row_text(view: View, snapshot: &Snapshot, index: usize) -> Option<String> {
    let cells = match view {
        View::Traces => trace_cells(snapshot.traces.get(index)?, snapshot).join(" "),
        View::Operations => operation_cells(snapshot.operations.get(index)?).join(" "),
        View::Waterfall => {
            let row = snapshot.waterfall.as_ref()?.spans.get(index)?;
            format!("{} {}", span_cells(row, snapshot).join(" "), hex(&row.span.span_id))
        }
        View::Events => {
            let row = snapshot.events.get(index)?;
            format!("{} {}", event_cells(row).join(" "), hex(&row.trace_id))
        }
        View::Metrics => series_cells(snapshot.series.get(index)?).join(" "),
        View::File => file_cells(snapshot.files.get(index)?).join(" "),
    };
    Some(cells)
}

/// OTLP `SpanKind` name.
pub(crate) fn kind(number: u32) -> &'static str {
    enum_name(&SPAN_KINDS, number).unwrap_or("?")
}

/// The time of day in UTC with milliseconds, or `unknown`.
pub(crate) fn clock(unix_nano: u64) -> String {
    if unix_nano == 0 {
        return "unknown".to_owned();
    }
    let (seconds, millis) = (unix_nano / 1_000_000_000 % 86_400, unix_nano / 1_000_000 % 1_000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Nanoseconds with three digits, in at most six characters: `75.0ms`, `1m01s`, `584y`.
pub(crate) fn short_duration(nanos: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s")];
    let seconds = nanos / 1_000_000_000;
    let pair =
        |large: u64, unit: char, small: u64, small_unit: char| format!("{large}{unit}{small:02}{small_unit}");
    match seconds {
        0 if nanos < 1_000 => format!("{nanos}ns"),
        0..60 => {
            let fits = STEPS.iter().rev().find(|(unit, _)| nanos >= *unit);
            fits.map_or_else(String::new, |(unit, name)| format!("{}{name}", three_digits(nanos, *unit)))
        }
        60..3_600 => pair(seconds / 60, 'm', seconds % 60, 's'),
        3_600..86_400 => pair(seconds / 3_600, 'h', seconds / 60 % 60, 'm'),
        86_400..8_640_000 => pair(seconds / 86_400, 'd', seconds / 3_600 % 24, 'h'),
        8_640_000..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// `value / unit` with three digits, cut: `1.23`, `12.3`, `123`.
fn three_digits(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    match whole {
        0..10 => format!("{whole}.{:02}", rest / (unit / 100)),
        10..100 => format!("{whole}.{}", rest / (unit / 10)),
        _ => whole.to_string(),
    }
}

/// A count in at most five characters: `99999`, `1.23M`.
pub(crate) fn count(value: u64) -> String {
    const UNITS: [(u64, char); 6] = [
        (1_000_000_000_000_000_000, 'E'),
        (1_000_000_000_000_000, 'P'),
        (1_000_000_000_000, 'T'),
        (1_000_000_000, 'G'),
        (1_000_000, 'M'),
        (1_000, 'k'),
    ];
    if value < 100_000 {
        return value.to_string();
    }
    let unit = UNITS.iter().find(|(unit, _)| value >= *unit);
    unit.map_or_else(String::new, |(unit, name)| format!("{}{name}", three_digits(value, *unit)))
}

/// A count; `-` for 0.
fn some_count(value: u64) -> String {
    if value == 0 { "-".to_owned() } else { count(value) }
}

/// So many of so many; `-` for none.
fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "-".to_owned();
    }
    let thousandths = u128::from(part) * 1_000 / u128::from(whole);
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// A number as it was recorded, if it is an integer; else as [`number`].
pub(crate) fn exact(value: Number) -> String {
    match value {
        Number::Int(value) => value.to_string(),
        Number::Double(value) => number(value),
    }
}

/// A number with three to five significant digits, in at most ten characters.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        _ if size == 0.0 => "0".to_owned(),
        _ if !(1e-4..1e7).contains(&size) => format!("{value:.2e}"),
        _ if size >= 1_000.0 || size.fract() == 0.0 => format!("{value:.0}"),
        _ if size >= 100.0 => trimmed(format!("{value:.1}")),
        _ if size >= 10.0 => trimmed(format!("{value:.2}")),
        _ if size >= 1.0 => trimmed(format!("{value:.3}")),
        _ => trimmed(format!("{value:.5}")),
    }
}

/// The text of a number with fewer digits, where there is no room for all of them: one that is cut reads as another
/// number. What stands around it (`~` of a mean, `/s` of a rate) stays. `None`: it is no number, or has no room at all.
pub(crate) fn shortened(text: &str, room: usize) -> Option<String> {
    let digits = text.trim_start_matches('~');
    let (before, _) = text.split_at(text.len() - digits.len());
    let (digits, behind) = digits.split_at(digits.len() - digits.trim_start_matches(is_numeric).len());
    let value: f64 = digits.parse().ok()?;
    let forms = [number(value), format!("{value:.1e}"), format!("{value:.0e}")];
    forms.into_iter().map(|form| format!("{before}{form}{behind}")).find(|text| text.len() <= room)
}

/// Whether a character may stand in a finite number.
fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '.' | 'e')
}

/// Without zeros at the end of the fraction.
fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

/// The nearest `f64`.
#[expect(clippy::cast_precision_loss, reason = "for people: a few digits of it are shown")]
pub(crate) fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::is_dangerous;
    use crate::inspect::samples;
    use proptest::prelude::*;

    const VIEWS: [View; 6] =
        [View::Traces, View::Operations, View::Waterfall, View::Events, View::Metrics, View::File];

    #[test]
    fn durations_are_short() {
        for (nanos, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_234, "1.23us"),
            (75_000_000, "75.0ms"),
            (999_999_999, "999ms"),
            (1_500_000_000, "1.50s"),
            (61_000_000_000, "1m01s"),
            (7_384_000_000_000, "2h03m"),
            (266_400_000_000_000, "3d02h"),
            (u64::MAX, "584y"),
        ] {
            assert_eq!(short_duration(nanos), text, "{nanos}");
        }
    }

    #[test]
    fn counts_are_short() {
        for (value, text) in [(0, "0"), (99_999, "99999"), (1_234_567, "1.23M"), (u64::MAX, "18.4E")] {
            assert_eq!(count(value), text);
        }
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0%");
        assert_eq!(percent(1, 0), "-");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (42.0, "42"),
            (0.25, "0.25"),
            (1234.5678, "1235"),
            (-12.3456, "-12.35"),
            (1e9, "1.00e9"),
            (-f64::MAX, "-1.80e308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn numbers_without_room_lose_digits_and_no_magnitude() {
        for (text, room, short) in [
            ("9007199254740993", 10, Some("9.01e15")),
            ("-9007199254740993", 6, Some("-9e15")),
            ("4294967295", 7, Some("4.29e9")),
            ("~-1.80e-308", 10, Some("~-1.8e-308")),
            ("-1.23e100/s", 10, Some("-1.2e100/s")),
            ("9007199254740993", 3, None),
            ("1m01s", 3, None),
            ("", 0, None),
            ("name", 2, None),
        ] {
            assert_eq!(shortened(text, room).as_deref(), short, "{text}");
        }
    }

    #[test]
    fn a_trace_in_flight_tells_whether_its_process_died() {
        let snapshot = samples::traces();
        let status: Vec<_> =
            snapshot.traces.iter().map(|row| trace_cells(row, &snapshot)[4].clone()).collect();
        assert_eq!(status, ["in flight", "died", "ok", "-", "error"]);
    }

    #[test]
    fn a_trace_without_a_root_died_with_the_last_of_its_spans() {
        let snapshot = samples::traces();
        let state = |has_root, end, last, root_of: usize| {
            let root = snapshot.traces[root_of].root.clone();
            let row = TraceRow { root, has_root, end, last, ..snapshot.traces[0].clone() };
            trace_state(&row, &snapshot.files)
        };
        // The first of the spans that are there ended; others did not.
        assert_eq!(state(false, None, Some(1), 2), State::Died);
        assert_eq!(state(false, None, None, 2), State::InFlight);
        // It died itself, but others are in flight.
        assert_eq!(state(false, None, None, 1), State::InFlight);
        assert_eq!(state(false, None, Some(1), 1), State::Died);
        // A root says it alone.
        assert_eq!(state(true, Some(1), None, 2), State::Ended);
        assert_eq!(state(true, None, None, 1), State::Died);
        assert_eq!(state(true, None, None, 0), State::InFlight);
    }

    #[test]
    fn durations_of_nothing_are_shown_unless_no_span_ended() {
        let snapshot = samples::operations();
        let row = |count, in_flight_count| OperationRow {
            count,
            in_flight_count,
            p50: 0,
            p99: 1,
            ..snapshot.operations[0].clone()
        };
        assert_eq!(operation_cells(&row(2, 1))[6..9], ["0ns", "75.0ms", "1ns"]);
        assert_eq!(operation_cells(&row(1, 1))[6..9], ["-", "-", "-"]);
    }

    #[test]
    fn a_span_that_ended_after_the_cursor_did_not_die() {
        let snapshot = samples::traces();
        let span = SpanRow {
            end: None,
            id: samples::record_id(samples::PAYMENTS, otlp_mmap_reader::Signal::Spans, 0),
            ..samples::span_row(1)
        };
        assert_eq!(state(&span, &snapshot.files), State::InFlight);
    }

    /// Rows of a view, those that are folded included.
    fn row_count(view: View, snapshot: &Snapshot) -> usize {
        match view {
            View::Traces => snapshot.traces.len(),
            View::Operations => snapshot.operations.len(),
            View::Waterfall => snapshot.waterfall.as_ref().map_or(0, |tree| tree.spans.len()),
            View::Events => snapshot.events.len(),
            View::Metrics => snapshot.series.len(),
            View::File => snapshot.files.len(),
        }
    }

    #[test]
    fn every_row_has_a_text() {
        for (view, snapshot, part) in [
            (View::Traces, samples::traces(), "charge card died 3 - 2"),
            (View::Operations, samples::operations(), "GET /users/:id server 12 3 25.0% 40.0ms 75.0ms"),
            (View::Waterfall, samples::waterfall(), "payments charge card"),
            (View::Events, samples::events(), "ERROR payments exception card declined"),
            (View::Metrics, samples::metrics(), "http.route=/cart sum 42 19.25/s By"),
            (View::File, samples::file(), "payments-4712.otlpmmap payments 4712 dead 55% 0 1 1"),
        ] {
            let count = row_count(view, &snapshot);
            let rows: Vec<_> = (0..count).filter_map(|i| row_text(view, &snapshot, i)).collect();
            assert_eq!(rows.len(), count);
            assert!(rows.iter().any(|row| row.contains(part)), "{part}: {rows:#?}");
            assert_eq!(row_text(view, &snapshot, count), None);
        }
    }

    #[test]
    fn nothing_hostile_comes_through() {
        let snapshot = samples::hostile();
        for view in VIEWS {
            assert!(row_count(view, &snapshot) > 0);
            for i in 0..row_count(view, &snapshot) {
                let text = row_text(view, &snapshot, i).unwrap();
                assert!(!text.contains(is_dangerous), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn short_means_short(nanos in any::<u64>(), value in any::<f64>()) {
            prop_assert!(short_duration(nanos).len() <= 6, "{}", short_duration(nanos));
            prop_assert!(count(nanos).len() <= 5, "{}", count(nanos));
            prop_assert!(number(value).len() <= 10, "{}", number(value));
        }
    }
}
