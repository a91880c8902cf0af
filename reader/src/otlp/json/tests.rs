//! Each rule of OTLP JSON, on the messages it concerns.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, MetricsData, NumberDataPoint, Sum, exemplar,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use serde_json::{Value, json};

use super::{line, logs, metrics, traces};

/// A value as text.
fn any(kind: Kind) -> String {
    line(&AnyValue { value: Some(kind) })
}

/// A message as JSON that can be compared to what `json!` makes.
fn parsed(message: &impl serde::Serialize) -> Value {
    serde_json::from_str(&line(message)).unwrap()
}

fn attribute(key: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Kind::BoolValue(false)) });
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

#[test]
fn doubles_that_json_lacks_are_strings() {
    for (double, expected) in [
        (f64::NAN, r#""NaN""#),
        (-f64::NAN, r#""NaN""#),
        (f64::INFINITY, r#""Infinity""#),
        (f64::NEG_INFINITY, r#""-Infinity""#),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1e22, "1e+22"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (0.1, "0.1"),
    ] {
        assert_eq!(any(Kind::DoubleValue(double)), format!(r#"{{"doubleValue":{expected}}}"#));
    }
    let histogram = HistogramDataPoint {
        sum: Some(f64::NAN),
        min: Some(f64::NEG_INFINITY),
        max: Some(f64::INFINITY),
        explicit_bounds: vec![0.0, f64::INFINITY],
        ..HistogramDataPoint::default()
    };
    let expected = r#"{"explicitBounds":[0.0,"Infinity"],"max":"Infinity","min":"-Infinity","sum":"NaN"}"#;
    assert_eq!(line(&histogram), expected);
    let exemplar = Exemplar { value: Some(exemplar::Value::AsDouble(f64::INFINITY)), ..Exemplar::default() };
    assert_eq!(line(&exemplar), r#"{"asDouble":"Infinity"}"#);
}

#[test]
fn integers_of_64_bits_are_strings() {
    assert_eq!(any(Kind::IntValue(i64::MIN)), r#"{"intValue":"-9223372036854775808"}"#);
    assert_eq!(any(Kind::IntValue(0)), r#"{"intValue":"0"}"#);
    let point = NumberDataPoint {
        time_unix_nano: u64::MAX,
        value: Some(Number::AsInt(i64::MAX)),
        ..NumberDataPoint::default()
    };
    assert_eq!(line(&point), r#"{"asInt":"9223372036854775807","timeUnixNano":"18446744073709551615"}"#);
    let buckets = Buckets { offset: i32::MIN, bucket_counts: vec![0, u64::MAX] };
    assert_eq!(line(&buckets), r#"{"bucketCounts":["0","18446744073709551615"],"offset":-2147483648}"#);
    // Should a message not make strings of them itself.
    assert_eq!(line(&vec![u64::MAX]), r#"["18446744073709551615"]"#);
    assert_eq!(line(&vec![i64::MIN]), r#"["-9223372036854775808"]"#);
}

#[test]
fn base64_is_padded() {
    for (bytes, expected) in [
        (&b""[..], ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"foobar", "Zm9vYmFy"),
        (b"\xfb\xff\xfe", "+//+"),
    ] {
        assert_eq!(any(Kind::BytesValue(bytes.to_vec())), format!(r#"{{"bytesValue":"{expected}"}}"#));
    }
}

#[test]
fn text_is_escaped_and_stays_on_one_line() {
    let json = any(Kind::StringValue("\"\\\n\r\t\u{0}\u{1f}é😀\u{2028}".to_owned()));
    assert_eq!(json, "{\"stringValue\":\"\\\"\\\\\\n\\r\\t\\u0000\\u001fé😀\u{2028}\"}");
}

#[test]
fn ids_are_in_lower_hex() {
    let link = Link { trace_id: vec![0xAB, 0x01], span_id: vec![0xCD], ..Link::default() };
    assert_eq!(line(&link), r#"{"spanId":"cd","traceId":"ab01"}"#);
}

#[test]
fn enumerations_are_numbers() {
    let status = Some(Status { code: 2, ..Status::default() });
    for kind in [2, 99] {
        let span = Span { kind, status: status.clone(), ..Span::default() };
        assert_eq!(line(&span), format!(r#"{{"kind":{kind},"status":{{"code":2}}}}"#));
    }
    let record = LogRecord { severity_number: 17, ..LogRecord::default() };
    assert_eq!(line(&record), r#"{"severityNumber":17}"#);
    let sum = Sum { aggregation_temporality: 2, ..Sum::default() };
    assert_eq!(line(&sum), r#"{"aggregationTemporality":2}"#);
}

#[test]
fn what_is_not_set_is_left_out() {
    let empty = [
        line(&Resource::default()),
        line(&InstrumentationScope::default()),
        line(&Span::default()),
        line(&Event::default()),
        line(&Link::default()),
        line(&LogRecord::default()),
        line(&Sum::default()),
        line(&NumberDataPoint::default()),
        line(&Exemplar::default()),
        line(&HistogramDataPoint::default()),
        line(&ExponentialHistogramDataPoint::default()),
    ];
    assert_eq!(empty, [const { "{}" }; 11]);
}

#[test]
fn what_is_set_is_kept_with_any_value() {
    let histogram = HistogramDataPoint {
        sum: Some(0.0),
        min: Some(0.0),
        max: Some(0.0),
        bucket_counts: vec![0],
        ..HistogramDataPoint::default()
    };
    assert_eq!(line(&histogram), r#"{"bucketCounts":["0"],"max":0.0,"min":0.0,"sum":0.0}"#);
    let points = [Number::AsInt(0), Number::AsDouble(0.0)];
    let points =
        points.map(|value| line(&NumberDataPoint { value: Some(value), ..NumberDataPoint::default() }));
    assert_eq!(points, [r#"{"asInt":"0"}"#, r#"{"asDouble":0.0}"#]);
    let metric = Metric { data: Some(Data::Gauge(Gauge::default())), ..Metric::default() };
    assert_eq!(line(&metric), r#"{"gauge":{}}"#);
    let span = Span { name: "0".to_owned(), status: Some(Status::default()), ..Span::default() };
    assert_eq!(line(&span), r#"{"name":"0","status":{}}"#);
    assert_eq!(line(&attribute("")), r#"{"key":"","value":{"boolValue":false}}"#);
}

#[test]
fn the_empty_value_is_an_object_wherever_it_stands() {
    let empty = AnyValue { value: None };
    let entry = KeyValue { key: "k".to_owned(), value: Some(empty.clone()), key_strindex: 0 };
    assert_eq!(line(&empty), "{}");
    assert_eq!(line(&entry), r#"{"key":"k","value":{}}"#);
    assert_eq!(line(&LogRecord { body: Some(empty.clone()), ..LogRecord::default() }), r#"{"body":{}}"#);
    let array = ArrayValue { values: vec![empty, AnyValue { value: Some(Kind::IntValue(1)) }] };
    assert_eq!(any(Kind::ArrayValue(array)), r#"{"arrayValue":{"values":[{},{"intValue":"1"}]}}"#);
    let map = KeyValueList { values: vec![entry] };
    assert_eq!(any(Kind::KvlistValue(map)), r#"{"kvlistValue":{"values":[{"key":"k","value":{}}]}}"#);
    assert_eq!(any(Kind::StringValue(String::new())), r#"{"stringValue":""}"#);
    assert_eq!(any(Kind::ArrayValue(ArrayValue::default())), r#"{"arrayValue":{}}"#);
    assert_eq!(any(Kind::KvlistValue(KeyValueList::default())), r#"{"kvlistValue":{}}"#);
}

#[test]
fn the_wrapper_has_its_list_even_if_it_is_empty() {
    assert_eq!(traces(&TracesData::default()), r#"{"resourceSpans":[]}"#);
    assert_eq!(logs(&LogsData::default()), r#"{"resourceLogs":[]}"#);
    assert_eq!(metrics(&MetricsData::default()), r#"{"resourceMetrics":[]}"#);
}

#[test]
fn every_field_of_a_span() {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".to_owned(),
        parent_span_id: vec![3; 8],
        flags: 0x301,
        name: "n".to_owned(),
        kind: 3,
        start_time_unix_nano: 4,
        end_time_unix_nano: 5,
        attributes: vec![attribute("s")],
        dropped_attributes_count: 6,
        events: vec![Event {
            time_unix_nano: 7,
            name: "e".to_owned(),
            attributes: vec![attribute("e")],
            dropped_attributes_count: 8,
        }],
        dropped_events_count: 9,
        links: vec![Link {
            trace_id: vec![10; 16],
            span_id: vec![11; 8],
            trace_state: "c=d".to_owned(),
            attributes: vec![attribute("l")],
            dropped_attributes_count: 12,
            flags: 0x100,
        }],
        dropped_links_count: 13,
        status: Some(Status { message: "m".to_owned(), code: 1 }),
    };
    let expected = json!({
        "traceId": "01".repeat(16), "spanId": "02".repeat(8), "traceState": "a=b", "parentSpanId": "03".repeat(8),
        "flags": 0x301, "name": "n", "kind": 3, "startTimeUnixNano": "4", "endTimeUnixNano": "5",
        "attributes": [{"key": "s", "value": {"boolValue": false}}], "droppedAttributesCount": 6,
        "events": [{
            "timeUnixNano": "7", "name": "e", "attributes": [{"key": "e", "value": {"boolValue": false}}],
            "droppedAttributesCount": 8,
        }],
        "droppedEventsCount": 9,
        "links": [{
            "traceId": "0a".repeat(16), "spanId": "0b".repeat(8), "traceState": "c=d",
            "attributes": [{"key": "l", "value": {"boolValue": false}}], "droppedAttributesCount": 12, "flags": 0x100,
        }],
        "droppedLinksCount": 13, "status": {"message": "m", "code": 1},
    });
    assert_eq!(parsed(&span), expected);
}

#[test]
fn every_field_of_a_log_record_and_what_is_around_it() {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue { value: Some(Kind::StringValue("b".to_owned())) }),
        attributes: vec![attribute("r")],
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: vec![4; 16],
        span_id: vec![5; 8],
        event_name: "n".to_owned(),
    };
    let scope = InstrumentationScope {
        name: "s".to_owned(),
        version: "1".to_owned(),
        attributes: vec![attribute("s")],
        dropped_attributes_count: 6,
    };
    let resource =
        Resource { attributes: vec![attribute("o")], dropped_attributes_count: 7, entity_refs: vec![] };
    let scope_logs =
        vec![ScopeLogs { scope: Some(scope), log_records: vec![record], schema_url: "u".to_owned() }];
    let data = LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs,
            schema_url: "v".to_owned(),
        }],
    };
    let expected = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "o", "value": {"boolValue": false}}], "droppedAttributesCount": 7},
        "scopeLogs": [{
            "scope": {
                "name": "s", "version": "1", "attributes": [{"key": "s", "value": {"boolValue": false}}],
                "droppedAttributesCount": 6,
            },
            "logRecords": [{
                "timeUnixNano": "1", "observedTimeUnixNano": "2", "severityNumber": 9, "severityText": "INFO",
                "body": {"stringValue": "b"}, "attributes": [{"key": "r", "value": {"boolValue": false}}],
                "droppedAttributesCount": 3, "flags": 1, "traceId": "04".repeat(16), "spanId": "05".repeat(8),
                "eventName": "n",
            }],
            "schemaUrl": "u",
        }],
        "schemaUrl": "v",
    }]});
    assert_eq!(serde_json::from_str::<Value>(&logs(&data)).unwrap(), expected);
}

#[test]
fn every_field_of_a_histogram() {
    let point = HistogramDataPoint {
        attributes: vec![attribute("p")],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![1.0],
        exemplars: vec![Exemplar {
            filtered_attributes: vec![attribute("e")],
            time_unix_nano: 5,
            span_id: vec![6; 8],
            trace_id: vec![7; 16],
            value: Some(exemplar::Value::AsInt(-8)),
        }],
        flags: 1,
        min: Some(0.5),
        max: Some(2.5),
    };
    let metric = Metric {
        name: "m".to_owned(),
        description: "d".to_owned(),
        unit: "s".to_owned(),
        metadata: vec![attribute("m")],
        data: Some(Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 2 })),
    };
    let expected = json!({
        "name": "m", "description": "d", "unit": "s", "metadata": [{"key": "m", "value": {"boolValue": false}}],
        "histogram": {"aggregationTemporality": 2, "dataPoints": [{
            "attributes": [{"key": "p", "value": {"boolValue": false}}], "startTimeUnixNano": "1",
            "timeUnixNano": "2", "count": "3", "sum": 4.5, "bucketCounts": ["1", "2"], "explicitBounds": [1.0],
            "exemplars": [{
                "filteredAttributes": [{"key": "e", "value": {"boolValue": false}}], "timeUnixNano": "5",
                "spanId": "06".repeat(8), "traceId": "07".repeat(16), "asInt": "-8",
            }],
            "flags": 1, "min": 0.5, "max": 2.5,
        }]},
    });
    assert_eq!(parsed(&metric), expected);
}

#[test]
fn every_field_of_an_exponential_histogram() {
    let point = ExponentialHistogramDataPoint {
        attributes: vec![attribute("p")],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        scale: -10,
        zero_count: 5,
        positive: Some(Buckets { offset: -6, bucket_counts: vec![7] }),
        negative: Some(Buckets::default()),
        flags: 1,
        exemplars: vec![Exemplar::default()],
        min: Some(-1.5),
        max: Some(2.5),
        zero_threshold: 0.25,
    };
    let histogram = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 };
    let metric = Metric { data: Some(Data::ExponentialHistogram(histogram)), ..Metric::default() };
    let expected = json!({"exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [{
        "attributes": [{"key": "p", "value": {"boolValue": false}}], "startTimeUnixNano": "1", "timeUnixNano": "2",
        "count": "3", "sum": 4.5, "scale": -10, "zeroCount": "5", "positive": {"offset": -6, "bucketCounts": ["7"]},
        "negative": {}, "flags": 1, "exemplars": [{}], "min": -1.5, "max": 2.5, "zeroThreshold": 0.25,
    }]}});
    assert_eq!(parsed(&metric), expected);
}

#[test]
fn fields_are_sorted_by_key() {
    let spans = vec![Span { name: "n".to_owned(), kind: 1, ..Span::default() }];
    let scope_spans = vec![ScopeSpans { spans, schema_url: "s".to_owned(), ..ScopeSpans::default() }];
    let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let expected =
        r#"{"resourceSpans":[{"scopeSpans":[{"schemaUrl":"s","spans":[{"kind":1,"name":"n"}]}]}]}"#;
    assert_eq!(traces(&data), expected);
}
