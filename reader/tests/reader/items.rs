//! Items and values: every type, every kind of damage that a CRC does not tell of.

use otlp_mmap_format::{
    DroppedBody, ITEM_TRUNCATED, ItemHeader, ItemTag, LinkBody, MAX_VALUE_DEPTH, MEASUREMENT_FLAG_DOUBLE,
    MeasurementBody, MetricStreamBody, RecordType, Signal, SpanEventBody, U32, U64, ValueType,
};
use otlp_mmap_reader::model::{Event, KeyValue, Number, Record, Span, Value};
use otlp_mmap_reader::{Report, Rule};
use zerocopy::IntoBytes;

use crate::observer::rules;
use crate::support::{Image, TRACE, attribute, item, name, text_item};

fn span_of(items: &[u8]) -> (Span, Report) {
    let mut image = Image::new();
    image.span(0, 1, items);
    let batch = image.open().observe().poll().unwrap();
    let [Record::Span(span)] = &batch.records[..] else { panic!("{batch:?}") };
    ((**span).clone(), batch.report)
}

fn clean_span_of(items: &[u8]) -> Span {
    let (span, report) = span_of(items);
    assert!(report.is_clean(), "{report:?}");
    span
}

fn event_of(items: &[u8]) -> (Event, Report) {
    let mut image = Image::new();
    image.event(0, 1, items);
    let batch = image.open().observe().poll().unwrap();
    let [Record::Event(event)] = &batch.records[..] else { panic!("{batch:?}") };
    ((**event).clone(), batch.report)
}

fn values(attributes: &[KeyValue]) -> Vec<Value> {
    attributes.iter().map(|attribute| attribute.value.clone()).collect()
}

/// An element of an array.
fn element(kind: ValueType, payload: &[u8]) -> Vec<u8> {
    item(kind.code(), 0, payload)
}

#[test]
fn every_type_of_value_is_read() {
    let array = [element(ValueType::Int, &7_i64.to_le_bytes()), element(ValueType::Empty, &[])].concat();
    let map = [attribute("x", ValueType::Bool, &[0]), attribute("y", ValueType::Empty, &[])].concat();
    let items = [
        attribute("empty", ValueType::Empty, &[]),
        attribute("string", ValueType::String, "é".as_bytes()),
        attribute("bool", ValueType::Bool, &[1]),
        attribute("int", ValueType::Int, &i64::MIN.to_le_bytes()),
        attribute("double", ValueType::Double, &f64::INFINITY.to_le_bytes()),
        attribute("bytes", ValueType::Bytes, &[0, 255]),
        attribute("array", ValueType::Array, &array),
        attribute("map", ValueType::Map, &map),
        attribute("", ValueType::String, b""),
    ];
    let entry = |key: &str, value| KeyValue { key: key.into(), value, truncated: false };
    let expected = [
        Value::Empty,
        Value::String("é".into()),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Double(f64::INFINITY),
        Value::Bytes(vec![0, 255]),
        Value::Array(vec![Value::Int(7), Value::Empty]),
        Value::Map(vec![entry("x", Value::Bool(false)), entry("y", Value::Empty)]),
        Value::String(String::new()),
    ];
    assert_eq!(values(&clean_span_of(&items.concat()).attributes), expected);
}

#[test]
fn an_empty_value_may_end_with_its_key() {
    let mut payload = U32::new(3).as_bytes().to_vec();
    payload.extend([0, 0, 0, 0, b'k', b'e', b'y']);
    let span = clean_span_of(&item(ValueType::Empty.code(), 0, &payload));
    assert_eq!((&*span.attributes[0].key, &span.attributes[0].value), ("key", &Value::Empty));
}

#[test]
fn a_cut_value_is_marked() {
    let mut items = attribute("cut", ValueType::String, b"abc");
    items[0] |= ITEM_TRUNCATED;
    let span = clean_span_of(&items);
    assert!(span.attributes[0].truncated);
    assert_eq!(span.attributes[0].value, Value::String("abc".into()));
}

#[test]
fn unknown_tags_are_skipped() {
    let items = [item(100, 5, b"later version"), name("n")].concat();
    assert_eq!(&*clean_span_of(&items).name, "n");
}

#[test]
fn a_payload_that_does_not_fit_its_type_is_a_fault() {
    for (kind, payload) in [
        (ValueType::Bool, &b""[..]),
        (ValueType::Empty, b"x"),
        (ValueType::Int, b"1234567"),
        (ValueType::Double, b""),
    ] {
        let items = [attribute("bad", kind, payload), name("after")].concat();
        let (span, report) = span_of(&items);
        assert_eq!((values(&span.attributes), &*span.name), (vec![Value::Empty], "after"));
        assert_eq!(rules(&report), [Rule::ItemPayload]);
    }
}

#[test]
fn lengths_that_leave_the_record_end_its_items() {
    for length in [0, 7, 17, 24, 1 << 20, (1 << 24) - 1] {
        let mut items = name("before");
        let at = items.len();
        items.extend(ItemHeader::new(ItemTag::Name.code(), length, 0).as_bytes());
        items.extend([b'x'; 8]);
        let (span, report) = span_of(&items);
        assert_eq!((&*span.name, rules(&report)), ("before", vec![Rule::ItemLength]), "{length}");
        let record = Image::segment_at(Signal::Spans, 0);
        assert_eq!(report.faults[0].offset, (record + 32 + 56 + at) as u64);
    }
}

#[test]
fn an_inline_key_that_does_not_fit_is_a_fault() {
    for (length, payload) in [(0_u32, 4), (9, 16), (u32::MAX, 24)] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(payload, 0);
        let (span, report) = span_of(&item(ValueType::Int.code(), 0, &bytes));
        assert!(span.attributes.is_empty());
        assert_eq!(rules(&report), [Rule::ItemLength], "{length}");
    }
}

#[test]
fn text_that_is_not_utf8_is_a_fault_and_readable() {
    let (span, report) = span_of(&attribute("k", ValueType::String, b"a\xffb"));
    assert_eq!(values(&span.attributes), [Value::String("a\u{fffd}b".into())]);
    assert_eq!(rules(&report), [Rule::Utf8]);
}

fn nested(depth: usize) -> Vec<u8> {
    let mut value = element(ValueType::Int, &1_i64.to_le_bytes());
    for _ in 2..depth {
        value = element(ValueType::Array, &value);
    }
    attribute("deep", ValueType::Array, &value)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

#[test]
fn values_nest_to_the_limit_and_no_deeper() {
    let span = clean_span_of(&nested(MAX_VALUE_DEPTH));
    assert_eq!(depth(&span.attributes[0].value), MAX_VALUE_DEPTH);
    for too_deep in [MAX_VALUE_DEPTH + 1, 200] {
        let (span, report) = span_of(&nested(too_deep));
        assert_eq!(depth(&span.attributes[0].value), MAX_VALUE_DEPTH);
        assert_eq!(rules(&report), [Rule::ValueDepth]);
    }
}

#[test]
fn span_events_links_and_dropped_counts_are_read() {
    let event = SpanEventBody {
        time_unix_nano: U64::new(11),
        dropped_attributes_count: U32::new(1),
        name_length: U32::new(5),
    };
    let attribute = attribute("k", ValueType::Bool, &[1]);
    let event = [event.as_bytes(), b"event\0\0\0", &attribute].concat();
    let link = LinkBody {
        trace_id: TRACE,
        span_id: [3; 8],
        flags: U32::new(0x101),
        dropped_attributes_count: U32::new(2),
        trace_state_length: U32::new(3),
        reserved: U32::ZERO,
    };
    let link = [link.as_bytes(), b"a=b\0\0\0\0\0", &attribute].concat();
    let dropped = DroppedBody {
        attributes: U32::new(u32::MAX),
        events: U32::new(2),
        links: U32::new(3),
        reserved: U32::ZERO,
    };
    let items = [
        item(ItemTag::SpanEvent.code(), 0, &event),
        item(ItemTag::Link.code(), 0, &link),
        item(ItemTag::Dropped.code(), 0, dropped.as_bytes()),
        item(ItemTag::Dropped.code(), 0, dropped.as_bytes()),
        text_item(ItemTag::TraceState.code(), 0, "c=d"),
    ];
    let span = clean_span_of(&items.concat());
    let (event, link) = (&span.events[0], &span.links[0]);
    assert_eq!((&*event.name, event.time_unix_nano, event.attributes.len()), ("event", 11, 1));
    assert_eq!((&*link.trace_state, link.flags, link.attributes.len()), ("a=b", 0x101, 1));
    assert_eq!((link.dropped_attributes_count, event.dropped_attributes_count), (2, 1));
    assert_eq!((span.dropped_attributes_count, span.dropped_events_count), (u32::MAX, 4));
    assert_eq!((span.dropped_links_count, &*span.trace_state), (6, "c=d"));
}

#[test]
fn short_bodies_of_items_are_faults() {
    for tag in [ItemTag::SpanEvent, ItemTag::Link, ItemTag::Dropped, ItemTag::Status] {
        let (span, report) = span_of(&item(tag.code(), 0, &[1; 4]));
        assert!(span.events.is_empty() && span.links.is_empty());
        assert_eq!(rules(&report), [Rule::ItemPayload], "{tag:?}");
    }
    let mut event = [0; 16];
    event[12] = 200;
    let (span, report) = span_of(&item(ItemTag::SpanEvent.code(), 0, &event));
    assert!(span.events.is_empty());
    assert_eq!(rules(&report), [Rule::ItemLength]);
}

#[test]
fn the_body_of_an_event_is_one_value() {
    let map = attribute("k", ValueType::String, b"v");
    let items = [
        item(ItemTag::Body.code(), 0, &element(ValueType::Map, &map)),
        text_item(ItemTag::SeverityText.code(), 0, "ERROR"),
        name("named"),
    ];
    let (event, report) = event_of(&items.concat());
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((&*event.severity_text, &*event.event_name, event.severity_number), ("ERROR", "named", 17));
    let entry = KeyValue { key: "k".into(), value: Value::String("v".into()), truncated: false };
    assert_eq!(event.body, Some(Value::Map(vec![entry])));
    assert_eq!(event_of(&[]).0.body, None);
    assert_eq!(event_of(&item(ItemTag::Body.code(), 0, &[])).0.body, Some(Value::Empty));
}

#[test]
fn a_measurement_names_its_stream_and_series() {
    let mut image = Image::new();
    let stream = image.stream(
        MetricStreamBody {
            scope_ref: U32::ZERO,
            aggregation: U32::new(1),
            temporality: U32::ZERO,
            is_monotonic: U32::ZERO,
            max_buckets: U32::ZERO,
            max_scale: 0.into(),
        },
        &[],
    );
    let body = MeasurementBody {
        trace_id: TRACE,
        span_id: [1; 8],
        stream_ref: U32::new(stream),
        attributes_ref: U32::ZERO,
        value_bits: U64::new(1.5_f64.to_bits()),
        flags: U32::new(MEASUREMENT_FLAG_DOUBLE),
        reserved: U32::ZERO,
    };
    image.measurement(0, 8, body);
    let snapshot = image.open().snapshot().unwrap();
    assert!(snapshot.report.is_clean(), "{:?}", snapshot.report);
    let measurement = &snapshot.measurements[0];
    assert_eq!((&*measurement.stream.name, measurement.value), ("metric", Number::Double(1.5)));
    assert_eq!((measurement.series, measurement.raw), ((stream, 0), false));
}

#[test]
fn many_attributes_stand_once_each() {
    let mut items = Vec::new();
    for round in 0..3_i64 {
        for key in 0..30 {
            items.extend(attribute(&key.to_string(), ValueType::Int, &round.to_le_bytes()));
        }
    }
    let span = clean_span_of(&items);
    assert_eq!(span.attributes.len(), 30);
    assert!(span.attributes.iter().enumerate().all(|(at, kv)| *kv.key == at.to_string()));
    assert!(values(&span.attributes).iter().all(|value| *value == Value::Int(2)));
}

#[test]
fn a_key_stands_once_in_a_map_too() {
    let entries = [1_i64, 2].map(|number| attribute("k", ValueType::Int, &number.to_le_bytes()));
    let span = clean_span_of(&attribute("map", ValueType::Map, &entries.concat()));
    let entry = KeyValue { key: "k".into(), value: Value::Int(2), truncated: false };
    assert_eq!(values(&span.attributes), [Value::Map(vec![entry])]);
}

#[test]
fn a_bool_that_is_neither_is_true_and_bytes_behind_a_value_are_ignored() {
    let (span, report) = span_of(&attribute("k", ValueType::Bool, &[2]));
    assert_eq!(
        (values(&span.attributes), rules(&report)),
        (vec![Value::Bool(true)], vec![Rule::ItemPayload])
    );
    let long = [&7_i64.to_le_bytes()[..], b"more"].concat();
    assert_eq!(values(&clean_span_of(&attribute("k", ValueType::Int, &long)).attributes), [Value::Int(7)]);
}

#[test]
fn an_element_keeps_its_place_whatever_it_is() {
    let keyed = item(ValueType::Bool.code(), 77, &[1]);
    let elements = [item(20, 0, b"later"), keyed, element(ValueType::Bool, &[0])].concat();
    let (span, report) = span_of(&attribute("k", ValueType::Array, &elements));
    let expected = Value::Array(vec![Value::Empty, Value::Bool(true), Value::Bool(false)]);
    assert_eq!((values(&span.attributes), rules(&report)), (vec![expected], vec![Rule::ItemPayload]));
}

#[test]
fn a_known_tag_where_it_has_no_business_is_a_fault() {
    let link = item(ItemTag::Link.code(), 0, &[0; 40]);
    let (event, report) = event_of(&[link, name("named")].concat());
    assert_eq!((&*event.event_name, rules(&report)), ("named", vec![Rule::ItemPayload]));
    let (span, report) = span_of(&attribute("map", ValueType::Map, &name("lost")));
    assert_eq!(
        (values(&span.attributes), rules(&report)),
        (vec![Value::Map(Vec::new())], vec![Rule::ItemPayload])
    );
}

#[test]
fn numbers_that_otlp_does_not_have_are_unspecified() {
    let mut status = 3_u32.to_le_bytes().to_vec();
    status.extend([0; 4]);
    let mut image = Image::new();
    let mut content = image.span_content(1, &item(ItemTag::Status.code(), 0, &status));
    content[52] = 6;
    content[..16].fill(0);
    image.append(Signal::Spans, 0, RecordType::Span, 5, &content);
    let snapshot = image.open().snapshot().unwrap();
    let span = &snapshot.spans[0];
    assert_eq!((span.kind, span.status_code), (0, 0));
    assert_eq!(rules(&snapshot.report), [Rule::ItemPayload, Rule::RecordBody, Rule::RecordBody]);
}

#[test]
fn an_item_that_is_no_value_is_empty_in_an_array_and_a_fault() {
    let elements = [item(ItemTag::Name.code(), 0, b"x"), item(100, 0, b"later version")].concat();
    let (span, report) = span_of(&attribute("array", ValueType::Array, &elements));
    assert_eq!(values(&span.attributes), [Value::Array(vec![Value::Empty, Value::Empty])]);
    assert_eq!(rules(&report), [Rule::ItemPayload]);
    let (event, report) = event_of(&item(ItemTag::Body.code(), 0, &item(ItemTag::Name.code(), 0, b"x")));
    assert_eq!((event.body, rules(&report)), (Some(Value::Empty), vec![Rule::ItemPayload]));
}

#[test]
fn a_fault_behind_an_inline_key_is_where_it_stands() {
    let mut image = Image::new();
    let bad = item(ValueType::Bool.code(), 0, &[]);
    let record = image.span(0, 1, &attribute("a key", ValueType::Array, &bad));
    let report = image.open().verify().unwrap();
    let [fault] = &report.faults[..] else { panic!("{report:?}") };
    // Header, body, then the attribute's header, the length of its key, and the key.
    assert_eq!((fault.rule, fault.offset), (Rule::ItemPayload, record as u64 + 32 + 56 + 8 + 8 + 8));
}
