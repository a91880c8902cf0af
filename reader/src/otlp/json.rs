//! OTLP JSON.

use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;

/// `{"resourceSpans":[…]}` on one line, without a line end.
pub fn traces(data: &TracesData) -> String {
    let _ = data;
    todo!()
}

/// `{"resourceLogs":[…]}` on one line, without a line end.
pub fn logs(data: &LogsData) -> String {
    let _ = data;
    todo!()
}

/// `{"resourceMetrics":[…]}` on one line, without a line end.
pub fn metrics(data: &MetricsData) -> String {
    let _ = data;
    todo!()
}
