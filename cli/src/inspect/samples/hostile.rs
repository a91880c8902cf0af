//! A snapshot in which nothing is sane, as a damaged or forged recording may give it.

use std::sync::Arc;

use otlp_mmap_reader::model::{Point, Record, Series, Span, Text, Value};
use otlp_mmap_reader::{EntryCount, Fill, Liveness, PoolFill, Usage};

use super::super::model::{
    Bucket, Chart, EventRow, FileId, FileRow, Lint, LintRule, OperationId, OperationRow, SeriesRow, Snapshot,
    SpanRow, Totals, TraceRow, Waterfall, WaterfallSpan,
};
use super::{FAILED, chart, detail, event_row, file_row, fill, losses, series_row, span_row, trace_row};
use crate::record::OwnedRecord;
use crate::samples::{self, NOON, pair, string};

/// Names that a terminal would obey, or that are wide, or that go from right to left, or that are empty.
pub(crate) const NAMES: [&str; 6] = [
    "\u{1b}[2J\n\u{9b}31m",
    "日本語のスパン名前",
    "مرحبا \u{202e}txt",
    "",
    "👩‍👩‍👧 e\u{301}\u{200b}",
    "\u{7f}\u{fff9}\u{ad}\u{e0041}",
];

/// Every number at its limit, times that go backwards, names from [`NAMES`]; in every view.
pub(crate) fn hostile() -> Snapshot {
    let name = |i: usize| -> Text { NAMES.get(i % NAMES.len()).copied().unwrap_or_default().into() };
    let times =
        [(0, Some(0)), (u64::MAX, Some(0)), (0, Some(u64::MAX)), (u64::MAX, None), (0, None), (NOON, None)];
    let span = |i: usize| {
        let (start, end) = times.get(i % times.len()).copied().unwrap_or_default();
        let row = SpanRow { name: name(i), service: name(i + 1), start, end, ..span_row(i as u64) };
        SpanRow { kind: u32::MAX, status_code: [0, 2, u32::MAX][i % 3], ..row }
    };
    let trace = |i: usize| TraceRow {
        span_count: usize::MAX,
        error_count: usize::MAX,
        in_flight_count: usize::MAX,
        ..trace_row(span(i))
    };
    let event = |i: usize| EventRow {
        severity_number: [u32::MAX, 24, 0][i % 3],
        service: name(i),
        ..event_row([0, u64::MAX, 1][i % 3], 0, &name(i + 2), &name(i + 3))
    };
    let tree = Waterfall {
        trace_id: FAILED,
        start: u64::MAX,
        end: 0,
        spans: (0..12).map(hostile_node(&span)).collect(),
        events: (0..6).map(event).map(Arc::new).collect(),
    };
    let operation = |i: usize| OperationRow {
        id: OperationId { service: name(i), name: name(i + 1) },
        kind: u32::MAX,
        count: usize::MAX,
        error_count: usize::MAX,
        in_flight_count: usize::MAX,
        p50: u64::MAX,
        p95: 0,
        p99: u64::MAX,
        max: u64::MAX,
        rate: vec![u64::MAX; i * 60],
    };
    let series = hostile_series(&name);
    Snapshot {
        query: u64::MAX,
        now: 0,
        until: u64::MAX,
        range: Some((u64::MAX, 0)),
        totals: Totals {
            spans: usize::MAX,
            events: usize::MAX,
            measurements: usize::MAX,
            series: usize::MAX,
            in_flight: usize::MAX,
            seen: u64::MAX,
            hits: usize::MAX,
        },
        files: hostile_files(&name).into(),
        lints: NAMES
            .iter()
            .map(|name| Lint {
                rule: LintRule::ClockStep,
                detail: (*name).to_owned(),
                count: usize::MAX,
                trace: None,
                file: Some(FileId(u32::MAX)),
            })
            .collect(),
        traces: (0..12).map(trace).collect(),
        operations: (0..6).map(operation).collect(),
        waterfall: Some(Arc::new(tree)),
        events: (0..12).map(event).map(Arc::new).collect(),
        chart: series.first().map(|row| Arc::new(hostile_chart(row))),
        series: series.into(),
        detail: Some(Arc::new(detail(hostile_record(&name)))),
        problems: NAMES.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn hostile_node(span: &dyn Fn(usize) -> SpanRow) -> impl Fn(usize) -> WaterfallSpan {
    move |i| WaterfallSpan {
        span: Arc::new(span(i)),
        depth: [0, usize::MAX, 3, 90][i % 4],
        descendants: [usize::MAX, 0, 1, 7][i % 4],
        is_orphan: i % 2 == 0,
        self_time: u64::MAX,
        is_critical: i % 3 == 0,
        event_count: usize::MAX,
    }
}

fn hostile_series(name: &dyn Fn(usize) -> Text) -> Vec<SeriesRow> {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 0.0, -0.0, 5e-324];
    let row = |i: usize, series: Series| SeriesRow {
        rate: values.get(i % values.len()).copied(),
        service: name(i),
        ..series_row(u32::MAX, &name(i), series, &values)
    };
    let histogram = Series {
        point: Point::Histogram {
            count: u64::MAX,
            sum: f64::NAN,
            min: Some(f64::INFINITY),
            max: None,
            bucket_counts: vec![u64::MAX; 3],
        },
        ..samples::histogram()
    };
    let gauges = values.iter().enumerate().map(|(i, value)| row(i, samples::gauge(*value)));
    std::iter::once(row(1, histogram)).chain(gauges).collect()
}

/// A chart of buckets that no histogram has.
fn hostile_chart(row: &SeriesRow) -> Chart {
    let bounds = [f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN, 0.0, f64::INFINITY];
    let bucket = |lower: &f64| Bucket { lower: *lower, upper: f64::NAN, count: u64::MAX };
    Chart {
        buckets: bounds.iter().map(bucket).collect(),
        percentiles: Some([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX]),
        ..chart(row.clone())
    }
}

fn hostile_files(name: &dyn Fn(usize) -> Text) -> Vec<FileRow> {
    let full = Usage { used: u64::MAX, total: 0 };
    let worst = Fill {
        pools: fill(0).pools.map(|pool| PoolFill { segments: full, bytes: full, ..pool }),
        dictionary: full,
        active_blocks: full,
        cells: full,
        backed_bytes: u64::MAX,
    };
    let row = |i: usize| FileRow {
        name: name(i),
        service: name(i + 1),
        path: name(i).to_string().into(),
        pid: u32::MAX,
        vanished: true,
        size: u64::MAX,
        fill: (i != 2).then(|| worst.clone()),
        entries: [EntryCount { count: u64::MAX, bytes: u64::MAX }; 5],
        losses: (i != 3).then(|| losses(u64::MAX, u64::MAX)),
        missed: [u64::MAX; 3],
        in_flight: usize::MAX,
        fault_count: u64::MAX,
        ..file_row(FileId(u32::try_from(i).unwrap_or(0)), "", Liveness::Closed { realtime_nanos: u64::MAX })
    };
    (0..6).map(row).collect()
}

fn hostile_record(name: &dyn Fn(usize) -> Text) -> OwnedRecord {
    let nested = (0..40).fold(Value::Double(f64::NAN), |value, i| {
        if i % 2 == 0 {
            Value::Array(vec![value, Value::Empty])
        } else {
            Value::Map(vec![pair(&name(i), value)])
        }
    });
    let mut attributes: Vec<_> = NAMES.iter().map(|name| pair(name, string(name))).collect();
    attributes.push(pair("nested", nested));
    attributes.push(pair("bytes", Value::Bytes(vec![0xff; 3_000])));
    attributes.push(pair("number", Value::Int(i64::MIN)));
    OwnedRecord::Record(Record::Span(Box::new(Span {
        name: name(0),
        attributes,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: Some(0),
        status_message: name(2),
        status_code: u32::MAX,
        kind: u32::MAX,
        dropped_attributes_count: u32::MAX,
        truncated: true,
        ..samples::span()
    })))
}
