//! From the model to OTLP messages, grouped by resource and scope.

pub mod json;

use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;

use crate::model::{Event, Series, Span};

/// Attribute (boolean, true) of a span that is, or was at the crash, in flight; its end time is 0.
pub const UNFINISHED_ATTRIBUTE: &str = "otlp_mmap.span.unfinished";

/// Spans as an OTLP message.
pub fn traces(spans: &[Span]) -> TracesData {
    let _ = spans;
    todo!()
}

/// Events as an OTLP message.
pub fn logs(events: &[Event]) -> LogsData {
    let _ = events;
    todo!()
}

/// Series as an OTLP message. Temporality is always cumulative, as the cells are.
pub fn metrics(series: &[Series]) -> MetricsData {
    let _ = series;
    todo!()
}
