//! OTLP JSON, as the OTLP specification and the Collector's file receiver want it.
//!
//! Keys in lowerCamelCase; trace and span ids in hex, other bytes in base64; enumerations as numbers; 64-bit
//! integers as decimal strings; NaN and infinities as strings. A field that is not set is left out, and so is one
//! with the default value of its type, except where presence means something: the one field of a value, and what
//! is optional.

mod text;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, MetricsData, NumberDataPoint,
    SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, TracesData};

use self::text::{Object, object};

/// `{"resourceSpans":[…]}` on one line, without a line end.
pub fn traces(data: &TracesData) -> String {
    object(|json| {
        json.all("resourceSpans", &data.resource_spans, |json, of| {
            json.some("resource", of.resource.as_ref(), resource);
            json.list("scopeSpans", &of.scope_spans, |json, of| {
                json.some("scope", of.scope.as_ref(), scope);
                json.list("spans", &of.spans, span);
                json.text("schemaUrl", &of.schema_url);
            });
            json.text("schemaUrl", &of.schema_url);
        });
    })
}

/// `{"resourceLogs":[…]}` on one line, without a line end.
pub fn logs(data: &LogsData) -> String {
    object(|json| {
        json.all("resourceLogs", &data.resource_logs, |json, of| {
            json.some("resource", of.resource.as_ref(), resource);
            json.list("scopeLogs", &of.scope_logs, |json, of| {
                json.some("scope", of.scope.as_ref(), scope);
                json.list("logRecords", &of.log_records, log_record);
                json.text("schemaUrl", &of.schema_url);
            });
            json.text("schemaUrl", &of.schema_url);
        });
    })
}

/// `{"resourceMetrics":[…]}` on one line, without a line end.
pub fn metrics(data: &MetricsData) -> String {
    object(|json| {
        json.all("resourceMetrics", &data.resource_metrics, |json, of| {
            json.some("resource", of.resource.as_ref(), resource);
            json.list("scopeMetrics", &of.scope_metrics, |json, of| {
                json.some("scope", of.scope.as_ref(), scope);
                json.list("metrics", &of.metrics, metric);
                json.text("schemaUrl", &of.schema_url);
            });
            json.text("schemaUrl", &of.schema_url);
        });
    })
}

fn resource(json: &mut Object<'_>, of: &Resource) {
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
}

fn scope(json: &mut Object<'_>, of: &InstrumentationScope) {
    json.text("name", &of.name);
    json.text("version", &of.version);
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
}

fn key_value(json: &mut Object<'_>, of: &KeyValue) {
    json.always_text("key", &of.key);
    json.some("value", of.value.as_ref(), any_value);
}

fn any_value(json: &mut Object<'_>, of: &AnyValue) {
    match &of.value {
        // The other one is an index into the string table of the profiles signal, which has no place here.
        None | Some(Value::StringValueStrindex(_)) => {}
        Some(Value::StringValue(text)) => json.always_text("stringValue", text),
        Some(Value::BoolValue(value)) => json.always("boolValue", value),
        Some(Value::IntValue(value)) => json.always_quoted("intValue", value),
        Some(Value::DoubleValue(value)) => json.double("doubleValue", *value),
        Some(Value::BytesValue(bytes)) => json.base64("bytesValue", bytes),
        Some(Value::ArrayValue(array)) => json.some("arrayValue", Some(array), |json, array| {
            json.list("values", &array.values, any_value);
        }),
        Some(Value::KvlistValue(map)) => json.some("kvlistValue", Some(map), |json, map| {
            json.list("values", &map.values, key_value);
        }),
    }
}

fn span(json: &mut Object<'_>, of: &Span) {
    json.hex("traceId", &of.trace_id);
    json.hex("spanId", &of.span_id);
    json.text("traceState", &of.trace_state);
    json.hex("parentSpanId", &of.parent_span_id);
    json.number("flags", of.flags);
    json.text("name", &of.name);
    json.number("kind", of.kind);
    json.quoted("startTimeUnixNano", of.start_time_unix_nano);
    json.quoted("endTimeUnixNano", of.end_time_unix_nano);
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
    json.list("events", &of.events, span_event);
    json.number("droppedEventsCount", of.dropped_events_count);
    json.list("links", &of.links, link);
    json.number("droppedLinksCount", of.dropped_links_count);
    json.some("status", of.status.as_ref(), status);
}

fn status(json: &mut Object<'_>, of: &Status) {
    json.text("message", &of.message);
    json.number("code", of.code);
}

fn span_event(json: &mut Object<'_>, of: &Event) {
    json.quoted("timeUnixNano", of.time_unix_nano);
    json.text("name", &of.name);
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
}

fn link(json: &mut Object<'_>, of: &Link) {
    json.hex("traceId", &of.trace_id);
    json.hex("spanId", &of.span_id);
    json.text("traceState", &of.trace_state);
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
    json.number("flags", of.flags);
}

fn log_record(json: &mut Object<'_>, of: &LogRecord) {
    json.quoted("timeUnixNano", of.time_unix_nano);
    json.quoted("observedTimeUnixNano", of.observed_time_unix_nano);
    json.number("severityNumber", of.severity_number);
    json.text("severityText", &of.severity_text);
    json.some("body", of.body.as_ref(), any_value);
    json.list("attributes", &of.attributes, key_value);
    json.number("droppedAttributesCount", of.dropped_attributes_count);
    json.number("flags", of.flags);
    json.hex("traceId", &of.trace_id);
    json.hex("spanId", &of.span_id);
    json.text("eventName", &of.event_name);
}

fn metric(json: &mut Object<'_>, of: &Metric) {
    json.text("name", &of.name);
    json.text("description", &of.description);
    json.text("unit", &of.unit);
    json.list("metadata", &of.metadata, key_value);
    match &of.data {
        None => {}
        Some(Data::Gauge(gauge)) => json.some("gauge", Some(gauge), |json, of| {
            json.list("dataPoints", &of.data_points, number_point);
        }),
        Some(Data::Sum(sum)) => json.some("sum", Some(sum), |json, of| {
            json.list("dataPoints", &of.data_points, number_point);
            json.number("aggregationTemporality", of.aggregation_temporality);
            json.flag("isMonotonic", of.is_monotonic);
        }),
        Some(Data::Histogram(histogram)) => json.some("histogram", Some(histogram), |json, of| {
            json.list("dataPoints", &of.data_points, histogram_point);
            json.number("aggregationTemporality", of.aggregation_temporality);
        }),
        Some(Data::ExponentialHistogram(histogram)) => {
            json.some("exponentialHistogram", Some(histogram), |json, of| {
                json.list("dataPoints", &of.data_points, exponential_point);
                json.number("aggregationTemporality", of.aggregation_temporality);
            });
        }
        Some(Data::Summary(summary)) => json.some("summary", Some(summary), |json, of| {
            json.list("dataPoints", &of.data_points, summary_point);
        }),
    }
}

fn number_point(json: &mut Object<'_>, of: &NumberDataPoint) {
    json.list("attributes", &of.attributes, key_value);
    json.quoted("startTimeUnixNano", of.start_time_unix_nano);
    json.quoted("timeUnixNano", of.time_unix_nano);
    match of.value {
        None => {}
        Some(number_data_point::Value::AsInt(value)) => json.always_quoted("asInt", value),
        Some(number_data_point::Value::AsDouble(value)) => json.double("asDouble", value),
    }
    json.list("exemplars", &of.exemplars, exemplar);
    json.number("flags", of.flags);
}

fn histogram_point(json: &mut Object<'_>, of: &HistogramDataPoint) {
    json.list("attributes", &of.attributes, key_value);
    json.quoted("startTimeUnixNano", of.start_time_unix_nano);
    json.quoted("timeUnixNano", of.time_unix_nano);
    json.quoted("count", of.count);
    json.optional_double("sum", of.sum);
    json.counts("bucketCounts", &of.bucket_counts);
    json.doubles("explicitBounds", &of.explicit_bounds);
    json.list("exemplars", &of.exemplars, exemplar);
    json.number("flags", of.flags);
    json.optional_double("min", of.min);
    json.optional_double("max", of.max);
}

fn exponential_point(json: &mut Object<'_>, of: &ExponentialHistogramDataPoint) {
    json.list("attributes", &of.attributes, key_value);
    json.quoted("startTimeUnixNano", of.start_time_unix_nano);
    json.quoted("timeUnixNano", of.time_unix_nano);
    json.quoted("count", of.count);
    json.optional_double("sum", of.sum);
    json.number("scale", of.scale);
    json.quoted("zeroCount", of.zero_count);
    json.some("positive", of.positive.as_ref(), buckets);
    json.some("negative", of.negative.as_ref(), buckets);
    json.number("flags", of.flags);
    json.list("exemplars", &of.exemplars, exemplar);
    json.optional_double("min", of.min);
    json.optional_double("max", of.max);
    json.optional_double("zeroThreshold", Some(of.zero_threshold).filter(|value| *value != 0.0));
}

fn buckets(json: &mut Object<'_>, of: &Buckets) {
    json.number("offset", of.offset);
    json.counts("bucketCounts", &of.bucket_counts);
}

fn summary_point(json: &mut Object<'_>, of: &SummaryDataPoint) {
    json.list("attributes", &of.attributes, key_value);
    json.quoted("startTimeUnixNano", of.start_time_unix_nano);
    json.quoted("timeUnixNano", of.time_unix_nano);
    json.quoted("count", of.count);
    json.double("sum", of.sum);
    json.list("quantileValues", &of.quantile_values, |json, of: &ValueAtQuantile| {
        json.double("quantile", of.quantile);
        json.double("value", of.value);
    });
    json.number("flags", of.flags);
}

fn exemplar(json: &mut Object<'_>, of: &Exemplar) {
    json.list("filteredAttributes", &of.filtered_attributes, key_value);
    json.quoted("timeUnixNano", of.time_unix_nano);
    match of.value {
        None => {}
        Some(exemplar::Value::AsInt(value)) => json.always_quoted("asInt", value),
        Some(exemplar::Value::AsDouble(value)) => json.double("asDouble", value),
    }
    json.hex("spanId", &of.span_id);
    json.hex("traceId", &of.trace_id);
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
