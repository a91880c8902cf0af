//! OTLP JSON, as the OTLP specification and the Collector's file receiver want it.
//!
//! Keys in lowerCamelCase; trace and span ids in hex, other bytes in base64; enumerations as numbers; 64-bit
//! integers as decimal strings; NaN and infinities as strings. A field that is not set is left out, and so is one
//! with the default value of its type, except where presence means something: the one field of a value, and what
//! is optional.
//!
//! The messages serialize themselves, `OtlpValue` keeps the rules that they leave open, and `serde_json` writes
//! the text. Fields come sorted by key.

mod document;
mod value;

use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde::Serialize;

use self::value::OtlpValue;

pub use self::document::{Sink, write_logs, write_metrics, write_traces};

/// `{"resourceSpans":[…]}` on one line, without a line end.
pub fn traces(data: &TracesData) -> String {
    line(data)
}

/// `{"resourceLogs":[…]}` on one line, without a line end.
pub fn logs(data: &LogsData) -> String {
    line(data)
}

/// `{"resourceMetrics":[…]}` on one line, without a line end.
pub fn metrics(data: &MetricsData) -> String {
    line(data)
}

/// A message as text. Nothing here can fail: messages are plain data with names for keys, and the text goes to
/// memory. If it did, `null` would stand for the message: valid JSON that nobody takes for an empty one.
fn line(message: &impl Serialize) -> String {
    let text = message.serialize(OtlpValue).and_then(|value| serde_json::to_string(&value));
    text.unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
