//! Properties of every format over any record: it is a line, safe to print, and JSON is JSON.

use otlp_mmap_reader::model::{Buckets, Event, KeyValue, Number, Point, Span, Value};
use proptest::prelude::*;

use super::jsonl;
use super::text::Text;
use crate::escape::is_dangerous;
use crate::paint::Paint;
use crate::record::RecordView;
use crate::samples;
use crate::time::known;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        any::<String>().prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop::num::f64::ANY.prop_map(Value::Double),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|pairs| {
                Value::Map(pairs.into_iter().map(|(key, value)| samples::pair(&key, value)).collect())
            }),
        ]
    })
}

fn any_attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (any::<String>(), any_value()).prop_map(|(key, value)| samples::pair(&key, value));
    prop::collection::vec(pair, 0..4)
}

fn any_point() -> impl Strategy<Value = Point> {
    let number =
        prop_oneof![any::<i64>().prop_map(Number::Int), prop::num::f64::ANY.prop_map(Number::Double)];
    let counts = || prop::collection::vec(any::<u64>(), 0..5);
    let double = || prop::num::f64::ANY;
    let histogram = (any::<u64>(), double(), prop::option::of(double()), counts()).prop_map(
        |(count, sum, min, bucket_counts)| Point::Histogram { count, sum, min, max: min, bucket_counts },
    );
    let exponential = (any::<u64>(), double(), any::<i32>(), any::<i32>(), counts()).prop_map(
        |(count, sum, scale, offset, counts)| Point::ExponentialHistogram {
            count,
            sum,
            min: None,
            max: Some(sum),
            scale,
            zero_count: count,
            positive: Buckets { offset, counts: counts.clone() },
            negative: Buckets { offset: i32::MAX, counts },
        },
    );
    prop_oneof![number.clone().prop_map(Point::Gauge), number.prop_map(Point::Sum), histogram, exponential]
}

fn check(record: RecordView<'_>) {
    let text = Text { record, paint: Paint::default() }.to_string();
    let details = match record {
        RecordView::Span(span) => span.events.len() + span.links.len(),
        _ => 0,
    };
    assert_eq!(text.lines().count(), 1 + details, "{text}");
    assert!(!text.replace('\n', "").contains(is_dangerous), "{text}");
    let line = jsonl::line(record, "a.otlpmm");
    assert!(!line.contains(is_dangerous), "{line}");
    let json: serde_json::Value = serde_json::from_str(&line).expect(&line);
    assert_eq!(json["time_unix_nano"].as_u64(), known(record.time_unix_nano()));
}

proptest! {
    #[test]
    fn any_span(
        name in any::<String>(),
        attributes in any_attributes(),
        (kind, status_code) in any::<(u32, u32)>(),
        (start_time_unix_nano, end_time_unix_nano) in any::<(u64, Option<u64>)>(),
    ) {
        let mut span = Span {
            name: name.as_str().into(),
            status_message: name.as_str().into(),
            trace_state: name.as_str().into(),
            attributes: attributes.clone(),
            kind,
            status_code,
            start_time_unix_nano,
            end_time_unix_nano,
            ..samples::span()
        };
        span.events[0].name = name.as_str().into();
        span.events[0].attributes = attributes;
        check(RecordView::Span(&span));
    }

    #[test]
    fn any_event(
        name in any::<String>(),
        attributes in any_attributes(),
        body in prop::option::of(any_value()),
        severity_number in any::<u32>(),
        (time_unix_nano, observed_time_unix_nano) in any::<(u64, u64)>(),
    ) {
        let event = Event {
            event_name: name.as_str().into(),
            severity_text: name.as_str().into(),
            attributes,
            body,
            severity_number,
            time_unix_nano,
            observed_time_unix_nano,
            ..samples::event()
        };
        check(RecordView::Event(&event));
    }

    #[test]
    fn any_metric(point in any_point(), unit in any::<String>(), attributes in any_attributes()) {
        let mut series = samples::histogram();
        let mut stream = (*series.stream).clone();
        stream.unit = unit.as_str().into();
        series.stream = stream.into();
        series.attributes = attributes.into();
        series.point = point;
        series.exemplars = vec![samples::measurement()];
        check(RecordView::Metric(&series));
    }
}
