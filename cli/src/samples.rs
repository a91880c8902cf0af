//! Hand-made model values for unit tests.

use std::sync::Arc;

use otlp_mmap_reader::model::{
    Aggregation, Buckets, Event, KeyValue, Measurement, MetricStream, Number, Point, Position, Resource,
    Scope, Series, Span, SpanEvent, SpanLink, Value,
};

/// 2026-01-31T12:00:00Z.
pub(crate) const NOON: u64 = 1_769_860_800_000_000_000;

pub(crate) const TRACE: [u8; 16] =
    [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];

pub(crate) const POSITION: Position = Position { segment: 0, sequence: 0, offset: 4096 };

pub(crate) fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value, truncated: false }
}

pub(crate) fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(crate) fn scope() -> Arc<Scope> {
    Arc::new(Scope {
        resource: Arc::new(Resource {
            attributes: vec![
                pair("service.name", string("checkout")),
                pair("host.name", string("web-1")),
                pair("process.pid", Value::Int(4711)),
            ],
            schema_url: "".into(),
        }),
        name: "shop.http".into(),
        version: "1.2.0".into(),
        schema_url: "".into(),
        attributes: vec![pair("team", string("cart"))],
    })
}

/// `GET /users/:id`: server, 75 ms, error, root, one event, one link.
pub(crate) fn span() -> Span {
    Span {
        position: POSITION,
        scope: scope(),
        trace_id: TRACE,
        span_id: [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7],
        parent_span_id: [0; 8],
        trace_state: "".into(),
        flags: 1,
        name: "GET /users/:id".into(),
        kind: 2,
        start_time_unix_nano: NOON,
        end_time_unix_nano: Some(NOON + 75_000_000),
        attributes: vec![
            pair("http.route", string("/users/:id")),
            pair("http.response.status_code", Value::Int(500)),
            pair("retry", Value::Bool(true)),
            pair("ratio", Value::Double(0.25)),
            pair("key with space", string("x y")),
            pair("tags", Value::Array(vec![string("a"), string("b"), Value::Int(7)])),
        ],
        dropped_attributes_count: 0,
        events: vec![SpanEvent {
            time_unix_nano: NOON + 1_500_000,
            name: "exception".into(),
            attributes: vec![pair("exception.message", string("no such user"))],
            dropped_attributes_count: 0,
        }],
        dropped_events_count: 0,
        links: vec![SpanLink {
            trace_id: [0x11; 16],
            span_id: [0x22; 8],
            trace_state: "".into(),
            flags: 0,
            attributes: vec![pair("why", string("retry"))],
            dropped_attributes_count: 0,
        }],
        dropped_links_count: 0,
        status_code: 2,
        status_message: "boom".into(),
        truncated: false,
        spilled: false,
    }
}

/// The same in flight, child of the span above, client, without status.
pub(crate) fn span_in_flight() -> Span {
    Span {
        span_id: [0x33; 8],
        parent_span_id: [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7],
        name: "SELECT".into(),
        kind: 3,
        end_time_unix_nano: None,
        attributes: vec![],
        events: vec![],
        links: vec![],
        status_code: 0,
        status_message: "".into(),
        ..span()
    }
}

/// A warning with a body.
pub(crate) fn event() -> Event {
    Event {
        position: POSITION,
        scope: scope(),
        time_unix_nano: NOON + 1_000_000_000,
        observed_time_unix_nano: NOON + 1_000_000_001,
        severity_number: 13,
        severity_text: "WARNING".into(),
        event_name: "cart.slow".into(),
        body: Some(string("cart took\nlong")),
        attributes: vec![pair("cart.items", Value::Int(12))],
        dropped_attributes_count: 0,
        flags: 1,
        trace_id: TRACE,
        span_id: [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7],
        truncated: false,
    }
}

pub(crate) fn stream(name: &str, unit: &str, aggregation: Aggregation) -> Arc<MetricStream> {
    Arc::new(MetricStream {
        scope: scope(),
        name: name.into(),
        description: "what it is".into(),
        unit: unit.into(),
        aggregation,
    })
}

pub(crate) fn series(aggregation: Aggregation, point: Point) -> Series {
    Series {
        stream: stream("shop.metric", "By", aggregation),
        attributes: Arc::new(vec![pair("http.route", string("/cart"))]),
        series: (8, 16),
        overflow: false,
        start_time_unix_nano: NOON,
        time_unix_nano: NOON + 2_000_000_000,
        point,
        exemplars: vec![],
    }
}

pub(crate) fn gauge(value: f64) -> Series {
    series(Aggregation::Gauge, Point::Gauge(Number::Double(value)))
}

pub(crate) fn sum() -> Series {
    series(Aggregation::Sum { temporality: 2, is_monotonic: true }, Point::Sum(Number::Int(42)))
}

pub(crate) fn histogram() -> Series {
    series(
        Aggregation::Histogram { temporality: 2, boundaries: vec![0.5, 5.0] },
        Point::Histogram {
            count: 3,
            sum: 7.5,
            min: Some(0.25),
            max: Some(7.0),
            bucket_counts: vec![2, 0, 1],
        },
    )
}

pub(crate) fn exponential_histogram() -> Series {
    series(
        Aggregation::ExponentialHistogram { temporality: 2, max_buckets: 160, max_scale: 20 },
        Point::ExponentialHistogram {
            count: 4,
            sum: 9.0,
            min: Some(0.0),
            max: Some(4.0),
            scale: 0,
            zero_count: 1,
            positive: Buckets { offset: 0, counts: vec![1, 2] },
            negative: Buckets::default(),
        },
    )
}

pub(crate) fn measurement() -> Measurement {
    Measurement {
        position: POSITION,
        stream: stream("shop.latency", "ms", Aggregation::Histogram { temporality: 2, boundaries: vec![] }),
        series_attributes: Arc::new(vec![pair("http.route", string("/cart"))]),
        series: (8, 16),
        time_unix_nano: NOON + 3_000_000_000,
        value: Number::Double(12.5),
        trace_id: TRACE,
        span_id: [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7],
        filtered_attributes: vec![pair("user.id", Value::Int(9))],
        raw: false,
    }
}
