//! From a recording to OTLP messages and OTLP JSON.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use otlp_mmap_format::{ItemTag, SeriesKind, StatusBody, VALUE_INT, ValueType};
use otlp_mmap_reader::otlp;
use zerocopy::IntoBytes;

use crate::series::{exponential_cell, histogram_cell, stream, sum};
use crate::support::{Image, attribute, item, name};

#[test]
fn spans_are_grouped_by_resource_and_scope() {
    let mut image = Image::new();
    let resource = image.entry(otlp_mmap_format::EntryKind::Resource, &[]);
    let first = image.scope;
    image.span(0, 1, &[]);
    image.scope = image.new_scope(resource, "second");
    image.span(0, 2, &[]);
    image.scope = image.new_scope(resource, "third");
    image.span(0, 3, &[]);
    image.scope = first;
    image.span(0, 4, &[]);
    let snapshot = image.open().snapshot().unwrap();
    let data = otlp::traces(&snapshot.spans);
    let counts: Vec<Vec<usize>> = data
        .resource_spans
        .iter()
        .map(|resource| resource.scope_spans.iter().map(|scope| scope.spans.len()).collect())
        .collect();
    assert_eq!(counts, [vec![2], vec![1, 1]]);
}

#[test]
fn a_span_in_flight_is_marked_and_has_no_end() {
    let mut image = Image::new();
    let content = image.span_content(1, &name("open"));
    image.active(&[0], &content);
    let snapshot = image.open().snapshot().unwrap();
    let data = otlp::traces(&snapshot.spans_in_flight);
    let span = &data.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.end_time_unix_nano, span.name.as_str()), (0, "open"));
    let mark = span.attributes.iter().find(|kv| kv.key == otlp::UNFINISHED_ATTRIBUTE).unwrap();
    assert_eq!(mark.value.as_ref().unwrap().value, Some(Kind::BoolValue(true)));
    assert!(!otlp::json::traces(&data).contains("endTimeUnixNano"));
}

#[test]
fn a_span_as_json() {
    let status = StatusBody { code: 2.into(), reserved: 0.into() };
    let items = [
        name("say \"hi\"\n"),
        attribute("n", ValueType::Int, &i64::MIN.to_le_bytes()),
        attribute("d", ValueType::Double, &f64::NAN.to_le_bytes()),
        attribute("b", ValueType::Bytes, &[0xff, 0xfe]),
        attribute("e", ValueType::Empty, &[]),
        item(ItemTag::Status.code(), 0, &[status.as_bytes(), b"no"].concat()),
    ];
    let mut image = Image::new();
    image.span(0, 1, &items.concat());
    let snapshot = image.open().snapshot().unwrap();
    let expected = concat!(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},"#,
        r#"{"key":"service.instance.id","value":{"stringValue":"30313233-3435-3637-3839-616263646566"}}]},"#,
        r#""scopeSpans":[{"scope":{"name":"scope","version":"1.2"},"spans":[{"attributes":["#,
        r#"{"key":"n","value":{"intValue":"-9223372036854775808"}},{"key":"d","value":{"doubleValue":"NaN"}},"#,
        r#"{"key":"b","value":{"bytesValue":"//4="}},{"key":"e","value":{}}],"#,
        r#""endTimeUnixNano":"1000000000","flags":1,"kind":2,"name":"say \"hi\"\n","spanId":"0101010101010101","#,
        r#""startTimeUnixNano":"5","status":{"code":2,"message":"no"},"#,
        r#""traceId":"abababababababababababababababab"}]}]}]}"#
    );
    assert_eq!(otlp::json::traces(&otlp::traces(&snapshot.spans)), expected);
}

#[test]
fn an_event_as_json() {
    let items = [
        name("login"),
        item(ItemTag::Body.code(), 0, &item(ValueType::String.code(), 0, b"text")),
        item(ItemTag::SeverityText.code(), 0, b"ERROR"),
    ];
    let mut image = Image::new();
    image.event(0, 1, &items.concat());
    let snapshot = image.open().snapshot().unwrap();
    let json = otlp::json::logs(&otlp::logs(&snapshot.events));
    let record = concat!(
        r#""logRecords":[{"body":{"stringValue":"text"},"eventName":"login","flags":1,"#,
        r#""observedTimeUnixNano":"9","severityNumber":17,"severityText":"ERROR","spanId":"0101010101010101","#,
        r#""timeUnixNano":"1000000000","traceId":"abababababababababababababababab"}]"#
    );
    assert!(json.starts_with(r#"{"resourceLogs":[{"resource":"#) && json.contains(record), "{json}");
}

#[test]
fn metrics_are_cumulative_and_of_their_kind() {
    let mut image = Image::new();
    let streams = [2, 3, 4].map(|aggregation| stream(&mut image, aggregation));
    image.series(SeriesKind::Sum, streams[0], 0, 0, sum(4, 0.0, VALUE_INT).as_bytes());
    image.series(SeriesKind::Histogram, streams[1], 0, 3, &histogram_cell([1, 2, 3]));
    image.series(SeriesKind::ExponentialHistogram, streams[2], 0, 4, &exponential_cell(3, 1));
    let snapshot = image.open().snapshot().unwrap();
    let data = otlp::metrics(&snapshot.series);
    let metrics = &data.resource_metrics[0].scope_metrics[0].metrics;
    assert!(
        matches!(&metrics[0].data, Some(Data::Sum(sum)) if sum.is_monotonic && sum.aggregation_temporality == 2)
    );
    assert!(matches!(&metrics[1].data, Some(Data::Histogram(_))));
    assert!(matches!(&metrics[2].data, Some(Data::ExponentialHistogram(_))));
    let json = otlp::json::metrics(&data);
    for part in [
        r#""sum":{"aggregationTemporality":2,"dataPoints":[{"asInt":"4","startTimeUnixNano":"1","timeUnixNano":"9"}],"isMonotonic":true}"#,
        r#""bucketCounts":["1","2","3"],"count":"6","explicitBounds":[1.0,1e+22],"max":4.0,"min":0.5,"startTimeUnixNano":"1","sum":7.5,"#,
        r#""negative":{"bucketCounts":["10"],"offset":3},"positive":{"bucketCounts":["1","2","3"],"offset":-7},"scale":-2,"startTimeUnixNano":"1","#,
        r#""zeroCount":"5"}"#,
    ] {
        assert!(json.contains(part), "{part}\n{json}");
    }
}

#[test]
fn series_of_one_stream_are_points_of_one_metric() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    let set =
        image.entry(otlp_mmap_format::EntryKind::AttributeSet, &attribute("k", ValueType::String, b"v"));
    for set in [0, set] {
        image.series(SeriesKind::Sum, stream, set, 0, sum(4, 0.0, VALUE_INT).as_bytes());
    }
    let data = otlp::metrics(&image.open().snapshot().unwrap().series);
    let metrics = &data.resource_metrics[0].scope_metrics[0].metrics;
    let Some(Data::Sum(sum)) = &metrics[0].data else { panic!() };
    assert_eq!((metrics.len(), sum.data_points.len()), (1, 2));
    assert_eq!(sum.data_points[1].attributes[0].key, "k");
}

#[test]
fn nothing_is_an_empty_list() {
    assert_eq!(otlp::json::traces(&otlp::traces(&[])), r#"{"resourceSpans":[]}"#);
    assert_eq!(otlp::json::logs(&otlp::logs(&[])), r#"{"resourceLogs":[]}"#);
    assert_eq!(otlp::json::metrics(&otlp::metrics(&[])), r#"{"resourceMetrics":[]}"#);
}
