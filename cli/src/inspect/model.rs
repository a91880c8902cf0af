//! What the viewer shows: rows, and the snapshot that holds those of one moment.
//!
//! Plain values, made by `source` and drawn by `view`. Times are unix nanoseconds, 0 if unknown; durations are in
//! nanoseconds; names are those of `otlp_mmap_reader::model`.

use std::path::PathBuf;
use std::sync::Arc;

use otlp_mmap_reader::model::{Measurement, MetricStream, Point, Position, Scope, Series, Text};
use otlp_mmap_reader::{EntryCount, Fault, Fill, Liveness, Losses, Signal};

use crate::record::OwnedRecord;

/// A trace id.
pub(crate) type TraceId = [u8; 16];
/// A span id.
pub(crate) type SpanId = [u8; 8];

/// A recording, for as long as the viewer runs. Numbers are given in the order in which recordings are found, and
/// never to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileId(pub(crate) u32);

/// A record of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecordId {
    pub(crate) file: FileId,
    pub(crate) kind: RecordKind,
}

/// Where a record is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RecordKind {
    /// A record of the segments of a signal.
    Record(Signal, Position),
    /// A span in flight, by its ids: its blocks move.
    InFlight(TraceId, SpanId),
    /// A series, by the references of its stream and attribute set.
    Series((u32, u32)),
}

/// A series of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeriesId {
    pub(crate) file: FileId,
    pub(crate) series: (u32, u32),
}

/// Spans that do the same: those of one service and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OperationId {
    pub(crate) service: Text,
    pub(crate) name: Text,
}

/// A span: what lists need of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpanRow {
    pub(crate) id: RecordId,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// Zero for a root.
    pub(crate) parent_span_id: SpanId,
    pub(crate) name: Text,
    pub(crate) scope: Arc<Scope>,
    /// `service.name` of its resource; empty: none.
    pub(crate) service: Text,
    /// OTLP `SpanKind` number.
    pub(crate) kind: u32,
    pub(crate) start: u64,
    /// `None`: in flight, now or at the time of the cursor.
    pub(crate) end: Option<u64>,
    /// Of a span in flight whose process is gone: the last time that the recording knows of, which it did not outlive.
    pub(crate) last: Option<u64>,
    /// OTLP `StatusCode` number.
    pub(crate) status_code: u32,
    /// It passes the filter.
    pub(crate) hit: bool,
}

impl SpanRow {
    /// OTLP `STATUS_CODE_ERROR`.
    pub(crate) const ERROR: u32 = 2;

    /// Whether its status is an error.
    pub(crate) fn is_error(&self) -> bool {
        self.status_code == Self::ERROR
    }

    /// How long it took; of a span in flight how old it is at `now`, or was when its process died. A clock that stepped
    /// back gives 0.
    pub(crate) fn duration(&self, now: u64) -> u64 {
        reach(self.end, self.last, now).saturating_sub(self.start)
    }
}

/// How far something reaches at `now`: up to its end, else no further than its process lived.
fn reach(end: Option<u64>, last: Option<u64>, now: u64) -> u64 {
    end.unwrap_or_else(|| last.map_or(now, |last| last.min(now)))
}

/// A trace: its spans in one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TraceRow {
    pub(crate) trace_id: TraceId,
    /// The root span; without one, the first of those whose parent is not there. Names the trace.
    pub(crate) root: Arc<SpanRow>,
    /// The root span is there.
    pub(crate) has_root: bool,
    /// Earliest start.
    pub(crate) start: u64,
    /// Latest end; `None` while the root, or without one any span, is in flight.
    pub(crate) end: Option<u64>,
    /// If the processes of all spans in flight are gone: the last time that any of its spans reaches.
    pub(crate) last: Option<u64>,
    pub(crate) span_count: usize,
    pub(crate) error_count: usize,
    pub(crate) in_flight_count: usize,
    /// Events that belong to it.
    pub(crate) event_count: usize,
}

impl TraceRow {
    /// From the earliest start to the latest end, or to `now` while it is in flight.
    pub(crate) fn duration(&self, now: u64) -> u64 {
        reach(self.end, self.last, now).saturating_sub(self.start)
    }
}

/// Rate, errors and durations of the spans of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OperationRow {
    pub(crate) id: OperationId,
    /// OTLP `SpanKind` number of the first of them.
    pub(crate) kind: u32,
    pub(crate) count: usize,
    pub(crate) error_count: usize,
    pub(crate) in_flight_count: usize,
    /// Durations of the ended ones, by nearest rank; 0 without any.
    pub(crate) p50: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
    /// Longest duration.
    pub(crate) max: u64,
    /// Spans by start time in equal parts of [`Snapshot::range`].
    pub(crate) rate: Vec<u64>,
}

/// Parts of the range of a sparkline.
pub(crate) const RATE_PARTS: usize = 40;

/// A trace as a tree, in the order in which it is drawn when nothing is folded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waterfall {
    pub(crate) trace_id: TraceId,
    /// From the earliest start ...
    pub(crate) start: u64,
    /// ... to the latest end, or to the time it is looked at if a span is in flight.
    pub(crate) end: u64,
    pub(crate) spans: Vec<WaterfallSpan>,
    /// The events of the trace, by time.
    pub(crate) events: Vec<Arc<EventRow>>,
}

/// A span of a waterfall.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WaterfallSpan {
    pub(crate) span: Arc<SpanRow>,
    /// Spans above it.
    pub(crate) depth: usize,
    /// Spans below it, which follow it directly.
    pub(crate) descendants: usize,
    /// Its parent is not in the recordings.
    pub(crate) is_orphan: bool,
    /// Duration without the time in which a child ran.
    pub(crate) self_time: u64,
    /// It is on the critical path: the end of the trace waited for it.
    pub(crate) is_critical: bool,
    /// Events that belong to it.
    pub(crate) event_count: usize,
}

/// An event: what lists need of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventRow {
    pub(crate) id: RecordId,
    /// When it happened, or was observed.
    pub(crate) time: u64,
    /// OTLP `SeverityNumber`.
    pub(crate) severity_number: u32,
    pub(crate) severity_text: Text,
    pub(crate) event_name: Text,
    /// Its body in one line, the first [`BODY_LENGTH`] characters; nothing in it reaches a terminal raw.
    pub(crate) body: Box<str>,
    pub(crate) scope: Arc<Scope>,
    /// `service.name` of its resource; empty: none.
    pub(crate) service: Text,
    /// Zero: none.
    pub(crate) trace_id: TraceId,
    /// Zero: none.
    pub(crate) span_id: SpanId,
}

/// Characters of a body that a row keeps.
pub(crate) const BODY_LENGTH: usize = 160;

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesRow {
    pub(crate) id: SeriesId,
    /// `service.name` of its resource; empty: none.
    pub(crate) service: Text,
    /// Stream, attributes, value and exemplars.
    pub(crate) series: Arc<Series>,
    /// What it was when the viewer looked at it, oldest first.
    pub(crate) history: Arc<[Sample]>,
    /// Growth a second between the last two samples that differ in time: of a sum its value, of a histogram its count.
    /// `None`: a gauge, or fewer than two samples.
    pub(crate) rate: Option<f64>,
}

impl SeriesRow {
    /// Its stream.
    pub(crate) fn stream(&self) -> &MetricStream {
        &self.series.stream
    }
}

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) time: u64,
    /// Of a gauge or sum its value, of a histogram the number of its measurements.
    pub(crate) value: f64,
}

/// Samples of a series that are kept.
pub(crate) const SAMPLES: usize = 240;

/// The chart of a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    pub(crate) row: SeriesRow,
    /// What is drawn of its present value.
    pub(crate) point: Point,
    /// Its exemplars, oldest first; each may lead to a trace.
    pub(crate) exemplars: Vec<Measurement>,
    /// Buckets of a histogram of either kind with their boundaries, lowest first; empty of gauges and sums.
    pub(crate) buckets: Vec<Bucket>,
    /// p50, p90, p95, p99 as estimated from the buckets; `None` of gauges, sums and without measurements.
    pub(crate) percentiles: Option<[f64; 4]>,
}

/// A bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    /// Lower boundary, exclusive (of negative buckets inclusive); may be minus infinity.
    pub(crate) lower: f64,
    /// Upper boundary; may be infinity.
    pub(crate) upper: f64,
    pub(crate) count: u64,
}

/// A recording and its state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileRow {
    pub(crate) id: FileId,
    pub(crate) path: PathBuf,
    /// File name.
    pub(crate) name: Text,
    /// `service.name` of what was recorded first; empty: none.
    pub(crate) service: Text,
    /// Process id of the writer.
    pub(crate) pid: u32,
    pub(crate) liveness: Liveness,
    /// It is gone from its directory.
    pub(crate) vanished: bool,
    /// Facts of the header, as name and value.
    pub(crate) header: Arc<[(&'static str, String)]>,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// `None`: cannot be read any more.
    pub(crate) fill: Option<Fill>,
    /// Entries of its dictionary: strings, resources, scopes, metric streams, attribute sets.
    pub(crate) entries: [EntryCount; 5],
    /// `None`: cannot be read, or not exactly.
    pub(crate) losses: Option<Losses>,
    /// Records that the viewer was too slow to see: spans, events, measurements.
    pub(crate) missed: [u64; 3],
    /// Spans in flight.
    pub(crate) in_flight: usize,
    /// Faults that were met: damage, torn records.
    pub(crate) faults: Arc<[Fault]>,
    /// Faults in all.
    pub(crate) fault_count: u64,
}

impl FileRow {
    /// Records of every signal that are in no file, for whatever reason.
    pub(crate) fn lost(&self) -> u64 {
        let signals = self.losses.iter().flat_map(|losses| &losses.signals);
        signals.fold(0, |sum, signal| sum.saturating_add(signal.lost()))
    }
}

/// Something that looks wrong in what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lint {
    pub(crate) rule: LintRule,
    /// What was found, with a number or a name.
    pub(crate) detail: String,
    /// How often.
    pub(crate) count: usize,
    /// Where to look: a trace.
    pub(crate) trace: Option<TraceId>,
    pub(crate) file: Option<FileId>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum LintRule {
    /// Records were lost.
    Losses,
    /// The file is damaged.
    Damage,
    /// Spans whose parent, of the same service, is not there.
    OrphanParent,
    /// Spans that end before they start.
    EndBeforeStart,
    /// The clock stepped: records in the order they were written go back in time.
    ClockStep,
    /// An attribute of a metric with many values.
    HighCardinality,
}

/// A record with everything in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Detail {
    pub(crate) id: RecordId,
    /// `None`: it was overwritten, or its file cannot be read any more.
    pub(crate) record: Option<OwnedRecord>,
    /// As of its row: the last time of a process that is gone.
    pub(crate) last: Option<u64>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Ended spans that the recordings hold.
    pub(crate) spans: usize,
    pub(crate) events: usize,
    pub(crate) measurements: usize,
    pub(crate) series: usize,
    pub(crate) in_flight: usize,
    /// Records that came since the viewer began; only grows.
    pub(crate) seen: u64,
    /// Spans, events and series that pass the filter.
    pub(crate) hits: usize,
}

/// What the recordings held at one moment, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Number of the query that it answers.
    pub(crate) query: u64,
    /// When it was taken.
    pub(crate) now: u64,
    /// Time as of which it shows the recordings: the cursor; now while any writer lives; else the end of what was
    /// recorded. Ages count up to it.
    pub(crate) until: u64,
    /// First and last time in the recordings, whatever the filter.
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) totals: Totals,
    pub(crate) files: Arc<[FileRow]>,
    pub(crate) lints: Arc<[Lint]>,
    pub(crate) traces: Arc<[TraceRow]>,
    pub(crate) operations: Arc<[OperationRow]>,
    pub(crate) waterfall: Option<Arc<Waterfall>>,
    pub(crate) events: Arc<[Arc<EventRow>]>,
    pub(crate) series: Arc<[SeriesRow]>,
    pub(crate) chart: Option<Arc<Chart>>,
    pub(crate) detail: Option<Arc<Detail>>,
    /// What could not be read, in the words of an error: paths that are gone, files that are none.
    pub(crate) problems: Arc<[String]>,
}
