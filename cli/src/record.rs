//! One view of every kind of record: what the filter asks, the formats print and the viewer lists.
//!
//! A view borrows from the reader's model and costs nothing to make.

use otlp_mmap_reader::model::{
    Event, KeyValue, Measurement, MetricStream, Number, Point, Record, Scope, Series, Span, Value,
};

use crate::time::known;

/// What a record is about; the values of `--signal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Signal {
    /// Spans, those in flight too.
    Spans,
    /// Events: OTLP log records.
    Events,
    /// Metric series with their value.
    Metrics,
    /// Single measurements: exemplars, and the raw points of a streaming writer.
    Measurements,
}

/// A record of any kind, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum RecordView<'a> {
    /// A span, ended or in flight.
    Span(&'a Span),
    /// An event.
    Event(&'a Event),
    /// A metric series.
    Metric(&'a Series),
    /// A measurement.
    Measurement(&'a Measurement),
}

/// A record of any kind, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedRecord {
    /// A record of a segment, or a span in flight.
    Record(Record),
    /// A metric series.
    Metric(Box<Series>),
}

impl OwnedRecord {
    /// The view of it.
    pub fn view(&self) -> RecordView<'_> {
        match self {
            Self::Record(record) => record.into(),
            Self::Metric(series) => RecordView::Metric(series),
        }
    }
}

impl<'a> From<&'a Record> for RecordView<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Span(span) => Self::Span(span),
            Record::Event(event) => Self::Event(event),
            Record::Measurement(measurement) => Self::Measurement(measurement),
        }
    }
}

impl<'a> RecordView<'a> {
    /// The signal it belongs to.
    pub fn signal(self) -> Signal {
        match self {
            Self::Span(_) => Signal::Spans,
            Self::Event(_) => Signal::Events,
            Self::Metric(_) => Signal::Metrics,
            Self::Measurement(_) => Signal::Measurements,
        }
    }

    /// When it began, or happened, in unix nanoseconds; an event without a time gives when it was observed. 0:
    /// unknown.
    pub fn time_unix_nano(self) -> u64 {
        match self {
            Self::Span(span) => span.start_time_unix_nano,
            Self::Event(event) if event.time_unix_nano == 0 => event.observed_time_unix_nano,
            Self::Event(event) => event.time_unix_nano,
            Self::Metric(series) => series.time_unix_nano,
            Self::Measurement(measurement) => measurement.time_unix_nano,
        }
    }

    /// When it ended, in unix nanoseconds: later than [`Self::time_unix_nano`] for an ended span only.
    /// `None`: in flight.
    pub fn end_time_unix_nano(self) -> Option<u64> {
        match self {
            Self::Span(span) => span.end_time_unix_nano,
            _ => Some(self.time_unix_nano()),
        }
    }

    /// How long it took in nanoseconds: ended spans only, and only if both times are known. A clock that stepped
    /// back gives 0.
    pub fn duration_nano(self) -> Option<u64> {
        match self {
            Self::Span(span) => {
                let start = known(span.start_time_unix_nano)?;
                span.end_time_unix_nano.and_then(known).map(|end| end.saturating_sub(start))
            }
            _ => None,
        }
    }

    /// Its metric stream: metrics and measurements only.
    pub fn stream(self) -> Option<&'a MetricStream> {
        match self {
            Self::Metric(series) => Some(&series.stream),
            Self::Measurement(measurement) => Some(&measurement.stream),
            Self::Span(_) | Self::Event(_) => None,
        }
    }

    /// Its instrumentation scope.
    pub fn scope(self) -> &'a Scope {
        match self {
            Self::Span(span) => &span.scope,
            Self::Event(event) => &event.scope,
            Self::Metric(series) => &series.stream.scope,
            Self::Measurement(measurement) => &measurement.stream.scope,
        }
    }

    /// The span's, event's or metric's name; may be empty.
    pub fn name(self) -> &'a str {
        match self {
            Self::Span(span) => &span.name,
            Self::Event(event) => &event.event_name,
            Self::Metric(series) => &series.stream.name,
            Self::Measurement(measurement) => &measurement.stream.name,
        }
    }

    /// `service.name` of its resource.
    pub fn service(self) -> Option<&'a str> {
        match find(&self.scope().resource.attributes, "service.name") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    /// The trace it belongs to.
    pub fn trace_id(self) -> Option<&'a [u8; 16]> {
        let id = match self {
            Self::Span(span) => &span.trace_id,
            Self::Event(event) => &event.trace_id,
            Self::Measurement(measurement) => &measurement.trace_id,
            Self::Metric(_) => return None,
        };
        (*id != [0; 16]).then_some(id)
    }

    /// The span that it is or belongs to.
    pub fn span_id(self) -> Option<&'a [u8; 8]> {
        let id = match self {
            Self::Span(span) => &span.span_id,
            Self::Event(event) => &event.span_id,
            Self::Measurement(measurement) => &measurement.span_id,
            Self::Metric(_) => return None,
        };
        (*id != [0; 8]).then_some(id)
    }

    /// The value, if it is one number: measurements, gauges and sums.
    pub fn number(self) -> Option<Number> {
        match self {
            Self::Measurement(measurement) => Some(measurement.value),
            Self::Metric(Series { point: Point::Gauge(number) | Point::Sum(number), .. }) => Some(*number),
            _ => None,
        }
    }

    /// An attribute of the record itself.
    pub fn own_attribute(self, key: &str) -> Option<&'a Value> {
        match self {
            Self::Span(span) => find(&span.attributes, key),
            Self::Event(event) => find(&event.attributes, key),
            Self::Metric(series) => find(&series.attributes, key),
            Self::Measurement(measurement) => find(&measurement.filtered_attributes, key)
                .or_else(|| find(&measurement.series_attributes, key)),
        }
    }

    /// An attribute of the record, else of its scope, else of its resource.
    pub fn attribute(self, key: &str) -> Option<&'a Value> {
        let scope = self.scope();
        self.own_attribute(key)
            .or_else(|| find(&scope.attributes, key))
            .or_else(|| find(&scope.resource.attributes, key))
    }
}

/// The value of a key.
pub fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| &*attribute.key == key).map(|attribute| &attribute.value)
}

/// OTLP `SpanKind` names by number.
pub const SPAN_KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// OTLP `StatusCode` names by number.
pub const STATUS_CODES: [&str; 3] = ["unset", "ok", "error"];

/// Names of the six bands of four `SeverityNumber`s; the first begins at 1.
pub const SEVERITIES: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// The name of an OTLP enum number; a number that OTLP does not define has none.
pub fn enum_name(names: &[&'static str], number: u32) -> Option<&'static str> {
    names.get(usize::try_from(number).ok()?).copied()
}

/// The name of a severity number: that of its band. 0 (unspecified) and numbers over 24 have none.
pub fn severity_name(number: u32) -> Option<&'static str> {
    enum_name(&SEVERITIES, number.checked_sub(1)? / 4)
}

/// An id as lower-case hexadecimal digits.
pub fn hex(id: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_bands() {
        assert_eq!(severity_name(0), None);
        assert_eq!(severity_name(1), Some("trace"));
        assert_eq!(severity_name(9), Some("info"));
        assert_eq!(severity_name(16), Some("warn"));
        assert_eq!(severity_name(24), Some("fatal"));
        assert_eq!(severity_name(25), None);
        assert_eq!(severity_name(u32::MAX), None);
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(&[0, 0x1f, 0xa0]), "001fa0");
    }
}
