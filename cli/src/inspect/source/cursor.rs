//! The time cursor: what was there at a time in the past.

use std::sync::Arc;

use crate::inspect::model::SpanRow;

/// A time as of which the recordings are shown; `None`: now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor(pub(super) Option<u64>);

impl Cursor {
    /// Whether what happened at `time` is there. What has no known time always is.
    pub(super) fn has(self, time: u64) -> bool {
        self.0.is_none_or(|until| time <= until)
    }

    /// The end of a span; `None`: it is in flight.
    pub(super) fn end(self, span: &SpanRow) -> Option<u64> {
        span.end.filter(|end| self.has(*end))
    }

    /// Whether a span's status was known: it has ended.
    pub(super) fn is_error(self, span: &SpanRow) -> bool {
        span.is_error() && (span.end.is_none() || self.end(span).is_some())
    }

    /// The span as it was: one that ended later is in flight, and how it ended is not known.
    pub(super) fn row(self, span: &Arc<SpanRow>) -> Arc<SpanRow> {
        if span.end == self.end(span) {
            return Arc::clone(span);
        }
        Arc::new(SpanRow { end: None, status_code: 0, ..SpanRow::clone(span) })
    }
}
