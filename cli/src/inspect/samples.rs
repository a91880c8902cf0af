//! Snapshots for tests of the viewer: three processes of a shop at a fixed time, nothing at all, and nothing sane.
//!
//! A snapshot of a view holds what the source would put into it for that view, so that a test sees what is missing, too.

mod hostile;

use std::sync::Arc;

use otlp_mmap_reader::model::{Event, Measurement, Number, Point, Position, Record, Series, Span, Text};
use otlp_mmap_reader::{
    Counter, EntryCount, Fault, Fill, Liveness, Losses, PoolFill, Rule, Signal, SignalLosses, Usage,
};

pub(crate) use self::hostile::hostile;
use super::model::{
    Bucket, Chart, Detail, EventRow, FileId, FileRow, Lint, LintRule, OperationId, OperationRow, RATE_PARTS,
    RecordId, RecordKind, Sample, SeriesId, SeriesRow, Snapshot, SpanId, SpanRow, Totals, TraceId, TraceRow,
    Waterfall, WaterfallSpan,
};
use crate::record::OwnedRecord;
use crate::samples::{self, NOON};

/// Ten seconds after noon.
pub(crate) const NOW: u64 = NOON + 10 * SECOND;

/// Nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// Nanoseconds.
pub(crate) const MILLI: u64 = 1_000_000;

/// The file of `checkout`, which lives.
pub(crate) const CHECKOUT: FileId = FileId(0);
/// The file of `payments`, which died.
pub(crate) const PAYMENTS: FileId = FileId(1);
/// The file of `mailer`, which was closed.
pub(crate) const MAILER: FileId = FileId(2);

/// The failed `GET /users/:id`; the one of [`waterfall`].
pub(crate) const FAILED: TraceId = samples::TRACE;

/// A trace id from a number.
pub(crate) fn trace_id(number: u128) -> TraceId {
    number.to_be_bytes()
}

/// A span id from a number.
pub(crate) fn span_id(number: u64) -> SpanId {
    number.to_be_bytes()
}

/// A record of a file.
pub(crate) fn record_id(file: FileId, signal: Signal, sequence: u64) -> RecordId {
    let offset = sequence.saturating_mul(64).saturating_add(4096);
    RecordId { file, kind: RecordKind::Record(signal, Position { segment: 0, sequence, offset }) }
}

/// A root span of `checkout` that began at noon and took a millisecond; its ids are made from `number`.
pub(crate) fn span_row(number: u64) -> SpanRow {
    SpanRow {
        id: record_id(CHECKOUT, Signal::Spans, number),
        trace_id: trace_id(number.into()),
        span_id: span_id(number),
        parent_span_id: [0; 8],
        name: "GET /cart".into(),
        scope: samples::scope(),
        service: "checkout".into(),
        kind: 2,
        start: NOON,
        end: Some(NOON + MILLI),
        last: None,
        status_code: 0,
        hit: true,
    }
}

/// A trace of the one span.
pub(crate) fn trace_row(root: SpanRow) -> TraceRow {
    TraceRow {
        trace_id: root.trace_id,
        has_root: true,
        start: root.start,
        end: root.end,
        last: root.last,
        span_count: 1,
        error_count: usize::from(root.is_error()),
        in_flight_count: usize::from(root.end.is_none()),
        event_count: 0,
        root: Arc::new(root),
    }
}

/// An event of `checkout`, `number` seconds after noon.
pub(crate) fn event_row(number: u64, severity_number: u32, event_name: &str, body: &str) -> EventRow {
    EventRow {
        id: record_id(CHECKOUT, Signal::Events, number),
        time: NOON.saturating_add(number.saturating_mul(SECOND)),
        severity_number,
        severity_text: "".into(),
        event_name: event_name.into(),
        body: body.into(),
        scope: samples::scope(),
        service: "checkout".into(),
        trace_id: FAILED,
        span_id: span_id(1),
    }
}

/// A series of `checkout` with a sample a second.
pub(crate) fn series_row(number: u32, name: &str, series: Series, history: &[f64]) -> SeriesRow {
    let mut stream = (*series.stream).clone();
    stream.name = name.into();
    let time = |i: usize| NOW.saturating_sub((history.len() - i - 1) as u64 * SECOND);
    let samples = history.iter().enumerate().map(|(i, value)| Sample { time: time(i), value: *value });
    let rate = match (&series.point, history) {
        (Point::Gauge(_), _) => None,
        (_, [.., before, last]) => Some(last - before),
        _ => None,
    };
    SeriesRow {
        id: SeriesId { file: CHECKOUT, series: (number, 16) },
        service: "checkout".into(),
        history: samples.collect(),
        rate,
        series: Arc::new(Series { stream: Arc::new(stream), series: (number, 16), ..series }),
    }
}

/// A snapshot with the files and totals of the shop and no rows: what every view has.
pub(crate) fn shop() -> Snapshot {
    Snapshot {
        query: 1,
        now: NOW,
        until: NOW,
        range: Some((NOON, NOW)),
        totals: Totals {
            spans: 27,
            events: 12,
            measurements: 40,
            series: 5,
            in_flight: 2,
            seen: 79,
            hits: 44,
        },
        files: files().into(),
        ..Snapshot::default()
    }
}

/// The view of traces: failed, fast, in flight, died in flight, without a root.
pub(crate) fn traces() -> Snapshot {
    let failed = SpanRow { trace_id: FAILED, ..failed_root() };
    let running = SpanRow {
        name: "POST /checkout".into(),
        start: NOON + 8 * SECOND,
        end: None,
        id: RecordId { file: CHECKOUT, kind: RecordKind::InFlight(trace_id(3), span_id(3)) },
        ..span_row(3)
    };
    let died = SpanRow {
        name: "charge card".into(),
        service: "payments".into(),
        start: NOON + 6 * SECOND,
        end: None,
        id: RecordId { file: PAYMENTS, kind: RecordKind::InFlight(trace_id(4), span_id(4)) },
        kind: 3,
        ..span_row(4)
    };
    let headless = SpanRow {
        name: "send receipt".into(),
        service: "mailer".into(),
        parent_span_id: span_id(99),
        start: NOON + 3 * SECOND,
        end: Some(NOON + 3 * SECOND + 1_200),
        id: record_id(MAILER, Signal::Spans, 5),
        kind: 4,
        status_code: 1,
        ..span_row(5)
    };
    let rows = [
        TraceRow { span_count: 4, in_flight_count: 2, ..trace_row(running) },
        TraceRow { span_count: 3, event_count: 2, ..trace_row(died) },
        TraceRow { has_root: false, span_count: 2, ..trace_row(headless) },
        trace_row(SpanRow { start: NOON + SECOND, end: Some(NOON + SECOND + 1_500_000), ..span_row(2) }),
        TraceRow { span_count: 8, error_count: 2, event_count: 3, ..trace_row(failed) },
    ];
    Snapshot { traces: rows.into(), ..shop() }
}

fn failed_root() -> SpanRow {
    SpanRow {
        name: "GET /users/:id".into(),
        end: Some(NOON + 75 * MILLI),
        status_code: SpanRow::ERROR,
        trace_id: FAILED,
        ..span_row(1)
    }
}

/// So many traces, a millisecond apart, the newest first.
pub(crate) fn many_traces(count: u64) -> Snapshot {
    let root = |i: u64| {
        let start = NOON.saturating_add(i.saturating_mul(MILLI));
        SpanRow { start, end: Some(start + MILLI), ..span_row(i + 1) }
    };
    let rows: Vec<_> = (0..count).rev().map(|i| trace_row(root(i))).collect();
    Snapshot { traces: rows.into(), ..shop() }
}

/// The view of operations.
pub(crate) fn operations() -> Snapshot {
    let row = |service: &str, name: &str, count: usize, errors: usize, p: [u64; 4]| OperationRow {
        id: OperationId { service: service.into(), name: name.into() },
        kind: 2,
        count,
        error_count: errors,
        in_flight_count: 0,
        p50: p[0],
        p95: p[1],
        p99: p[2],
        max: p[3],
        rate: (0..RATE_PARTS as u64).map(|i| (i * i) % 11 * count as u64 / 10).collect(),
    };
    let rows = [
        row("checkout", "GET /users/:id", 12, 3, [40 * MILLI, 75 * MILLI, 80 * MILLI, 81 * MILLI]),
        row("checkout", "GET /cart", 9, 0, [900_000, MILLI, 1_500_000, 1_500_000]),
        OperationRow { in_flight_count: 1, ..row("payments", "charge card", 1, 0, [0; 4]) },
        row("mailer", "send receipt", 2, 0, [1_200, 1_300, 1_300, 1_300]),
    ];
    Snapshot { operations: rows.into(), ..shop() }
}

/// The waterfall of [`FAILED`]: two services, an error, an orphan, a span in flight, one that died in flight. Spans have
/// the ids 1 to 8 in the order of the tree.
pub(crate) fn waterfall() -> Snapshot {
    let root = failed_root();
    let child = |number: u64, parent: u64, name: &str, start: u64, end: Option<u64>| SpanRow {
        trace_id: FAILED,
        parent_span_id: span_id(parent),
        name: name.into(),
        kind: 1,
        start: NOON + start * MILLI,
        end: end.map(|end| NOON + end * MILLI),
        ..span_row(number)
    };
    let of = |file, service: &str, span: SpanRow| SpanRow {
        id: RecordId { file, ..span.id },
        service: service.into(),
        ..span
    };
    let in_flight = |span: SpanRow| {
        let kind = RecordKind::InFlight(span.trace_id, span.span_id);
        SpanRow { id: RecordId { kind, ..span.id }, ..span }
    };
    let died = in_flight(of(PAYMENTS, "payments", child(5, 4, "charge card", 45, None)));
    let spans = [
        node(root, 0, 5, 4, true),
        node(child(2, 1, "authenticate", 2, Some(12)), 1, 0, 10, true),
        node(child(3, 1, "SELECT users", 12, Some(40)), 1, 0, 28, true),
        node(of(PAYMENTS, "payments", child(4, 1, "POST /charge", 41, Some(74))), 1, 2, 4, true),
        node(died, 2, 0, 30, false),
        node(
            SpanRow { status_code: SpanRow::ERROR, ..child(6, 4, "write ledger", 50, Some(73)) },
            2,
            0,
            23,
            true,
        ),
        WaterfallSpan { is_orphan: true, ..node(child(7, 98, "flush cache", 20, Some(22)), 0, 1, 1, false) },
        node(in_flight(child(8, 7, "evict", 21, None)), 1, 0, 54, false),
    ];
    let waterfall = Waterfall {
        trace_id: FAILED,
        start: NOON,
        end: NOON + 75 * MILLI,
        spans: spans.into(),
        events: vec![
            Arc::new(EventRow { time: NOON + 13 * MILLI, ..event_row(0, 5, "db.query", "SELECT 1") }),
            Arc::new(EventRow {
                time: NOON + 70 * MILLI,
                span_id: span_id(6),
                ..event_row(1, 17, "exception", "ledger is read-only")
            }),
        ],
    };
    Snapshot {
        waterfall: Some(Arc::new(waterfall)),
        detail: Some(Arc::new(detail(root_record()))),
        ..traces()
    }
}

fn node(
    span: SpanRow,
    depth: usize,
    descendants: usize,
    self_millis: u64,
    is_critical: bool,
) -> WaterfallSpan {
    WaterfallSpan {
        event_count: usize::from(span.span_id == span_id(6) || span.span_id == span_id(1)),
        span: Arc::new(span),
        depth,
        descendants,
        is_orphan: false,
        self_time: self_millis * MILLI,
        is_critical,
    }
}

/// A waterfall of a chain so many spans deep.
pub(crate) fn deep_waterfall(depth: usize) -> Snapshot {
    let span = |i: usize| {
        let number = i as u64 + 1;
        let span = SpanRow { trace_id: FAILED, parent_span_id: span_id(i as u64), ..span_row(number) };
        WaterfallSpan { event_count: 0, ..node(span, i, depth - i - 1, 0, true) }
    };
    let spans = (0..depth).map(span).collect();
    let tree = Waterfall { trace_id: FAILED, start: NOON, end: NOON + MILLI, spans, events: vec![] };
    Snapshot { waterfall: Some(Arc::new(tree)), ..shop() }
}

/// The span of the first row of [`waterfall`], in full.
pub(crate) fn root_record() -> OwnedRecord {
    OwnedRecord::Record(Record::Span(Box::new(Span {
        span_id: span_id(1),
        dropped_attributes_count: 2,
        truncated: true,
        ..samples::span()
    })))
}

/// Details of a record.
pub(crate) fn detail(record: OwnedRecord) -> Detail {
    Detail { id: record_id(CHECKOUT, Signal::Spans, 1), record: Some(record), last: None }
}

/// The view of metrics: one series of each kind and an empty one, with the chart of the first.
pub(crate) fn metrics() -> Snapshot {
    let rows = series_rows();
    let chart = rows.first().map(|row| Arc::new(chart(row.clone())));
    Snapshot { series: rows.into(), chart, ..shop() }
}

/// A gauge, a sum, a histogram, an exponential histogram, a gauge that is no number.
pub(crate) fn series_rows() -> Vec<SeriesRow> {
    let wave: Vec<f64> = (0..40).map(|i| 20.0 + 10.0 * (f64::from(i) / 5.0).sin()).collect();
    let growth: Vec<f64> = (0..40).map(|i| f64::from(i * i) / 4.0).collect();
    vec![
        series_row(1, "process.memory", samples::gauge(23.5), &wave),
        series_row(2, "http.server.requests", samples::sum(), &growth),
        series_row(3, "http.server.duration", samples::histogram(), &[0.0, 1.0, 3.0]),
        series_row(4, "rpc.duration", samples::exponential_histogram(), &[4.0]),
        series_row(5, "temperature", samples::gauge(f64::NAN), &[f64::NAN, f64::INFINITY]),
    ]
}

/// The chart of a row, with an exemplar; buckets and percentiles as the source makes them of [`samples::histogram`]
/// and [`samples::exponential_histogram`].
pub(crate) fn chart(row: SeriesRow) -> Chart {
    let bucket =
        |(lower, upper, count): &(f64, f64, u64)| Bucket { lower: *lower, upper: *upper, count: *count };
    let (buckets, percentiles): (&[(f64, f64, u64)], _) = match row.series.point {
        Point::Histogram { .. } => (
            &[(f64::NEG_INFINITY, 0.5, 2), (0.5, 5.0, 0), (5.0, f64::INFINITY, 1)],
            Some([0.4375, 6.4, 6.7, 6.94]),
        ),
        Point::ExponentialHistogram { .. } => {
            (&[(0.0, 0.0, 1), (1.0, 2.0, 1), (2.0, 4.0, 2)], Some([2.0, 3.6, 3.8, 3.96]))
        }
        _ => (&[], None),
    };
    Chart {
        point: row.series.point.clone(),
        exemplars: vec![Measurement { time_unix_nano: NOON + 3 * SECOND, ..samples::measurement() }],
        buckets: buckets.iter().map(bucket).collect(),
        percentiles,
        row,
    }
}

/// The metrics with the chart of the series with this index.
pub(crate) fn chart_of(index: usize) -> Snapshot {
    let rows = series_rows();
    let chart = rows.get(index).map(|row| Arc::new(chart(row.clone())));
    Snapshot { series: rows.into(), chart, ..shop() }
}

/// The view of events: every severity, with the details of one.
pub(crate) fn events() -> Snapshot {
    let rows = [
        event_row(0, 1, "cache.lookup", "key=17"),
        event_row(1, 5, "db.query", "SELECT * FROM users WHERE id = ?"),
        event_row(2, 9, "", "listening on :8080"),
        event_row(3, 13, "cart.slow", "cart took\\nlong"),
        EventRow { service: "payments".into(), ..event_row(4, 17, "exception", "card declined") },
        EventRow { service: "payments".into(), ..event_row(5, 21, "", "out of memory") },
        EventRow {
            severity_text: "note".into(),
            trace_id: [0; 16],
            ..event_row(6, 0, "unknown severity", "")
        },
    ];
    let event = Event { dropped_attributes_count: 1, ..samples::event() };
    let record = OwnedRecord::Record(Record::Event(Box::new(event)));
    let detail = Detail { id: record_id(CHECKOUT, Signal::Events, 3), record: Some(record), last: None };
    Snapshot { events: rows.map(Arc::new).into(), detail: Some(Arc::new(detail)), ..shop() }
}

/// So many events, a second apart.
pub(crate) fn many_events(count: u64) -> Snapshot {
    let rows: Vec<_> = (0..count).map(|i| Arc::new(event_row(i, 9, "tick", "tock"))).collect();
    Snapshot { events: rows.into(), ..shop() }
}

/// The view of files, with lints.
pub(crate) fn file() -> Snapshot {
    let lint =
        |rule, detail: &str, count, trace, file| Lint { rule, detail: detail.into(), count, trace, file };
    let lints = [
        lint(LintRule::Losses, "3 spans: overwritten", 3, None, Some(CHECKOUT)),
        lint(LintRule::Damage, "record-check", 1, None, Some(PAYMENTS)),
        lint(LintRule::OrphanParent, "flush cache", 1, Some(FAILED), Some(CHECKOUT)),
        lint(LintRule::HighCardinality, "http.server.requests: user.id", 2_000, None, Some(CHECKOUT)),
    ];
    Snapshot { lints: lints.into(), ..shop() }
}

/// The three recordings of the shop.
pub(crate) fn files() -> Vec<FileRow> {
    vec![
        FileRow {
            losses: Some(losses(3, 1)),
            in_flight: 1,
            ..file_row(CHECKOUT, "checkout", Liveness::Alive)
        },
        FileRow {
            in_flight: 1,
            faults: vec![Fault {
                offset: 81_920,
                rule: Rule::RecordCheck,
                detail: "the check of the record header does not fit".to_owned(),
            }]
            .into(),
            fault_count: 1,
            ..file_row(PAYMENTS, "payments", Liveness::Dead)
        },
        file_row(MAILER, "mailer", Liveness::Closed { realtime_nanos: NOON + 5 * SECOND }),
    ]
}

/// A recording without losses or faults.
pub(crate) fn file_row(id: FileId, service: &str, liveness: Liveness) -> FileRow {
    let pid = id.0 + 4711;
    let name: Text = format!("{service}-{pid}.otlpmmap").into();
    let header = [
        ("file id", "0123456789abcdef0123456789abcdef"),
        ("format", "version 1.0"),
        ("size", "16.0 MiB"),
        ("created", "2026-01-31T11:59:59.000000000Z"),
        ("policy", "overwrite-oldest"),
    ];
    FileRow {
        id,
        path: format!("/var/lib/telemetry/{name}").into(),
        name,
        service: service.into(),
        pid,
        liveness,
        vanished: false,
        header: header.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        size: 16 << 20,
        fill: Some(fill(u64::from(id.0) * 20 + 35)),
        entries: [(1_200, 96 << 10), (1, 160), (2, 256), (5, 640), (300, 24 << 10)]
            .map(|(count, bytes)| EntryCount { count, bytes }),
        losses: Some(losses(0, 0)),
        missed: [0; 3],
        in_flight: 0,
        faults: Arc::default(),
        fault_count: 0,
    }
}

fn fill(percent: u64) -> Fill {
    let usage = |percent: u64, total: u64| Usage { used: (total * percent).div_ceil(100), total };
    let pool =
        |signal, percent| PoolFill { signal, segments: usage(percent, 200), bytes: usage(percent, 8 << 20) };
    Fill {
        pools: [
            pool(Signal::Spans, percent),
            pool(Signal::Events, percent / 2),
            pool(Signal::Measurements, percent / 7),
        ],
        dictionary: usage(12, 1 << 20),
        active_blocks: usage(1, 4_096),
        cells: usage(7, 512 << 10),
        backed_bytes: 9 << 20,
    }
}

fn losses(overwritten: u64, truncated: u64) -> Losses {
    let signal = |signal, recorded, overwritten, truncated| SignalLosses {
        signal,
        recorded,
        overwritten,
        counters: vec![(Counter::Busy, overwritten / 3), (Counter::Truncated, truncated)],
        unknown: vec![],
    };
    Losses {
        signals: [
            signal(Signal::Spans, 30, overwritten, truncated),
            signal(Signal::Events, 12, 0, 0),
            signal(Signal::Measurements, 40, 0, 0),
        ],
    }
}

/// Nothing was recorded, and there is no file.
pub(crate) fn empty() -> Snapshot {
    Snapshot { now: NOW, until: NOW, ..Snapshot::default() }
}

/// The record of a series, for details.
pub(crate) fn series_record(value: f64) -> OwnedRecord {
    OwnedRecord::Metric(Box::new(Series {
        point: Point::Gauge(Number::Double(value)),
        ..samples::gauge(value)
    }))
}
