//! What the viewer asks its source for.

use std::sync::Arc;

use super::model::{FileId, OperationId, RecordId, SeriesId, TraceId};
use crate::filter::Filter;

/// What is to be shown. A snapshot answers one query; a newer query takes the place of an older one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// Counts up with each query, so that an answer is known by what it answers.
    pub(crate) number: u64,
    /// The view that is shown: only its rows are made anew.
    pub(crate) view: View,
    /// Only records that pass, and traces and series with one that does. `None`: all.
    pub(crate) filter: Option<Arc<NamedFilter>>,
    /// The time cursor, unix nanoseconds: what was recorded later is not there yet, and spans that ended later are in
    /// flight. `None`: now.
    pub(crate) until: Option<u64>,
    /// Order of the rows of each view.
    pub(crate) order: Orders,
    /// Only records of this file. `None`: all.
    pub(crate) file: Option<FileId>,
    /// Only traces with a span of this operation. `None`: all.
    pub(crate) operation: Option<OperationId>,
    /// The trace whose waterfall is shown.
    pub(crate) trace: Option<TraceId>,
    /// The events of this trace alone are listed. `None`: all.
    pub(crate) events_of: Option<TraceId>,
    /// The series whose chart is shown.
    pub(crate) series: Option<SeriesId>,
    /// The record whose details are shown.
    pub(crate) detail: Option<RecordId>,
}

/// A filter with the text it was read from.
#[derive(Clone, Debug)]
pub(crate) struct NamedFilter {
    pub(crate) text: String,
    pub(crate) filter: Filter,
}

/// What fills the screen. The first four are the views of the number keys; the others are reached from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Traces, one a row.
    #[default]
    Traces,
    /// Metric series, and the chart of one.
    Metrics,
    /// Events.
    Events,
    /// The recordings: headers, fill, losses, dictionary, lints.
    File,
    /// Rate, errors and durations of each operation.
    Operations,
    /// The spans of one trace.
    Waterfall,
}

/// An order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order<K> {
    /// What is compared.
    pub(crate) key: K,
    /// Largest first.
    pub(crate) descending: bool,
}

/// The order of each view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) traces: Order<TraceKey>,
    pub(crate) operations: Order<OperationKey>,
    pub(crate) metrics: Order<SeriesKey>,
    pub(crate) events: Order<EventKey>,
    pub(crate) files: Order<FileKey>,
}

impl Default for Orders {
    /// The newest and the worst first; events as they came.
    fn default() -> Self {
        Self {
            traces: Order { key: TraceKey::Start, descending: true },
            operations: Order { key: OperationKey::Count, descending: true },
            metrics: Order { key: SeriesKey::Name, descending: false },
            events: Order { key: EventKey::Time, descending: false },
            files: Order { key: FileKey::Name, descending: false },
        }
    }
}

/// What traces are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceKey {
    Start,
    Duration,
    Name,
    Service,
    Spans,
    Errors,
}

/// What operations are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKey {
    Count,
    Errors,
    P50,
    P95,
    P99,
    Name,
    Service,
}

/// What series are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeriesKey {
    Name,
    Service,
    Value,
    Rate,
    Time,
}

/// What events are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKey {
    Time,
    Severity,
    Service,
    Name,
}

/// What files are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKey {
    Name,
    Process,
    Fill,
    Losses,
    State,
}
