//! What is written is read: every kind of telemetry, every type of value, compared field by field.

mod support;

use otlp_mmap_reader::model::{self, Number as ReadNumber, Point};
use otlp_mmap_writer::{
    Aggregation, Event, KeyValue, Link, MetricStream, Number, SpanContext, SpanEvent, SpanKind, SpanStart,
    StatusCode, Temporality, Text, Value,
};
use proptest::prelude::*;
use support::{Given, GivenBody, Program, attribute, text};

/// One attribute of each type.
fn every_type() -> Vec<model::KeyValue> {
    let nested = model::Value::Map(vec![
        attribute(
            "array",
            model::Value::Array(vec![model::Value::Empty, text("deep"), model::Value::Int(-1)]),
        ),
        attribute("map", model::Value::Map(vec![])),
    ]);
    vec![
        attribute("empty", model::Value::Empty),
        attribute("string", text("grüße, 世界 🎉")),
        attribute("empty string", text("")),
        attribute("bool", model::Value::Bool(true)),
        attribute("int", model::Value::Int(i64::MIN)),
        attribute("double", model::Value::Double(-0.5)),
        attribute("infinity", model::Value::Double(f64::INFINITY)),
        attribute("bytes", model::Value::Bytes(vec![0, 255, 7])),
        attribute("array", model::Value::Array(vec![model::Value::Bool(false), model::Value::Double(1.5)])),
        attribute("nested", nested),
    ]
}

#[test]
fn a_span_with_everything() {
    let program = Program::new(|_| {});
    let (writer, attributes) = (&program.writer, every_type());
    let name = writer.record_string("name by reference").unwrap();
    let given = Given(&attributes);
    let start = SpanStart {
        parent_span_id: [9; 8],
        trace_state: "a=1,b=2",
        flags: 0x301,
        name: Text::Ref(name),
        kind: SpanKind::Consumer,
        start_time_unix_nano: 1_000,
        ..program.start(7, &given)
    };
    let span = writer.start_span(&start).unwrap();
    writer.set_attributes(span, &[KeyValue { key: "string", value: Value::Int(5) }]).unwrap();
    writer.set_attributes(span, &[KeyValue { key: "late", value: Value::Bool(false) }]).unwrap();
    for (number, attributes) in [(1, &attributes[..]), (2, &[])] {
        let event = SpanEvent {
            name: if number == 1 { Text::Str("inline") } else { Text::Ref(name) },
            time_unix_nano: 1_000 + number,
            attributes: &Given(attributes),
            dropped_attributes_count: 3,
        };
        writer.add_event(span, &event).unwrap();
        let context = SpanContext { trace_id: [3; 16], span_id: [4; 8], flags: 0x100 };
        let link =
            Link { context, trace_state: "c=3", attributes: &Given(attributes), dropped_attributes_count: 4 };
        writer.add_link(span, &link).unwrap();
    }
    writer.set_status(span, StatusCode::Error, "first").unwrap();
    writer.set_status(span, StatusCode::Ok, "second").unwrap();
    writer.add_dropped(span, 1, 2, 3).unwrap();

    let in_flight = program.snapshot().spans_in_flight;
    assert_eq!(in_flight.len(), 1);
    assert_eq!((&*in_flight[0].name, in_flight[0].end_time_unix_nano), ("name by reference", None));
    assert_eq!((in_flight[0].attributes.len(), in_flight[0].events.len()), (11, 2));
    assert_eq!((in_flight[0].dropped_attributes_count, in_flight[0].dropped_links_count), (1, 3));

    writer.update_name(span, "a new name").unwrap();
    writer.end_span(span, 2_000).unwrap();
    let snapshot = program.snapshot();
    assert_eq!(snapshot.spans_in_flight, []);
    let [span] = &snapshot.spans[..] else { panic!("{} spans", snapshot.spans.len()) };
    let mut expected = attributes.clone();
    expected[1].value = model::Value::Int(5);
    expected.push(attribute("late", model::Value::Bool(false)));
    assert_eq!(span.attributes, expected);
    assert_eq!((span.trace_id, span.span_id, span.parent_span_id), (start.trace_id, start.span_id, [9; 8]));
    assert_eq!((&*span.name, &*span.trace_state, span.flags, span.kind), ("a new name", "a=1,b=2", 0x301, 5));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_000, Some(2_000)));
    assert_eq!((span.status_code, &*span.status_message), (1, "second"));
    let dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
    assert_eq!(dropped, (1, 2, 3));
    let events: Vec<_> = span.events.iter().map(|event| (&*event.name, event.time_unix_nano)).collect();
    assert_eq!(events, [("inline", 1_001), ("name by reference", 1_002)]);
    assert_eq!((&span.events[0].attributes, span.events[0].dropped_attributes_count), (&attributes, 3));
    let link = model::SpanLink {
        trace_id: [3; 16],
        span_id: [4; 8],
        trace_state: "c=3".into(),
        flags: 0x100,
        attributes: attributes.clone(),
        dropped_attributes_count: 4,
    };
    assert_eq!(span.links, [link.clone(), model::SpanLink { attributes: vec![], ..link }]);
    assert_eq!((&*span.scope.name, span.truncated, span.spilled), ("scope", false, false));
}

#[test]
fn an_event_with_everything_and_one_with_nothing() {
    let program = Program::new(|_| {});
    let attributes = every_type();
    let body = model::Value::Map(attributes.clone());
    let context = SpanContext { trace_id: [1; 16], span_id: [2; 8], flags: 1 };
    let full = Event {
        scope: program.scope,
        context: Some(context),
        name: Some(Text::Ref(program.writer.record_string("referred").unwrap())),
        time_unix_nano: 20,
        observed_time_unix_nano: 30,
        severity_number: 24,
        severity_text: "FATAL4",
        body: Some(&GivenBody(&body)),
        attributes: &Given(&attributes),
        dropped_attributes_count: 6,
    };
    program.writer.record_event(&full).unwrap();
    let nothing = Event {
        context: None,
        name: None,
        time_unix_nano: 0,
        observed_time_unix_nano: 0,
        severity_number: 0,
        severity_text: "",
        body: None,
        attributes: &(),
        dropped_attributes_count: 0,
        ..full
    };
    program.writer.record_event(&nothing).unwrap();
    let snapshot = program.snapshot();
    let [first, second] = &snapshot.events[..] else { panic!("{} events", snapshot.events.len()) };
    let expected = model::Event {
        position: second.position,
        scope: second.scope.clone(),
        time_unix_nano: 20,
        observed_time_unix_nano: 30,
        severity_number: 24,
        severity_text: "FATAL4".into(),
        event_name: "referred".into(),
        body: Some(body),
        attributes,
        dropped_attributes_count: 6,
        flags: 1,
        trace_id: [1; 16],
        span_id: [2; 8],
        truncated: false,
    };
    assert_eq!(*second, expected);
    let expected = model::Event {
        position: first.position,
        time_unix_nano: 0,
        observed_time_unix_nano: 0,
        severity_number: 0,
        severity_text: "".into(),
        event_name: "".into(),
        body: None,
        attributes: vec![],
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: [0; 16],
        span_id: [0; 8],
        ..expected
    };
    assert_eq!(*first, expected);
}

#[test]
fn resources_and_scopes() {
    let program = Program::new(|_| {});
    let attributes = every_type();
    // With an instance id: a reader adds one to a resource that has none.
    let mut of_resource = every_type();
    of_resource.push(attribute("service.instance.id", text("1")));
    let resource = program.writer.create_resource(&Given(&of_resource), Some("https://resource")).unwrap();
    let scope = program
        .writer
        .create_instrumentation_scope(
            resource,
            "name",
            Some("1.2.3"),
            Some("https://scope"),
            &Given(&attributes),
        )
        .unwrap();
    program.writer.record_event(&Event { scope, ..program.event(1, &()) }).unwrap();
    let events = program.snapshot().events;
    let expected = model::Scope {
        resource: model::Resource { attributes: of_resource, schema_url: "https://resource".into() }.into(),
        name: "name".into(),
        version: "1.2.3".into(),
        schema_url: "https://scope".into(),
        attributes,
    };
    assert_eq!(*events[0].scope, expected);
}

#[test]
fn the_four_aggregations() {
    let program = Program::new(|_| {});
    let (delta, cumulative) = (Temporality::Delta, Temporality::Cumulative);
    let boundaries = [0.0, 10.0];
    let streams = [
        Aggregation::Gauge,
        Aggregation::Sum { temporality: delta, is_monotonic: false },
        Aggregation::Histogram { temporality: cumulative, boundaries: &boundaries },
        Aggregation::ExponentialHistogram { temporality: cumulative, max_buckets: 4, max_scale: 1 },
    ]
    .map(|aggregation| {
        let stream = MetricStream { name: "m", description: "about m", unit: "ms", aggregation };
        program.writer.create_metric_stream(program.scope, &stream).unwrap()
    });
    let attributes = [attribute("b", text("2")), attribute("a", model::Value::Int(1))];
    for (time, value) in [(100, 4), (101, -8), (102, 0), (103, 16)] {
        for stream in streams {
            let value = Number::Int(value);
            program.writer.record_measurement(stream, &Given(&attributes), time, value, None).unwrap();
        }
    }
    let snapshot = program.snapshot();
    assert_eq!(snapshot.series.len(), 4);
    for series in &snapshot.series {
        assert_eq!(
            (&*series.stream.name, &*series.stream.description, &*series.stream.unit),
            ("m", "about m", "ms")
        );
        assert_eq!(**series.attributes, [attributes[1].clone(), attributes[0].clone()]);
        assert_eq!((series.start_time_unix_nano, series.time_unix_nano, series.overflow), (100, 103, false));
        assert_eq!(&*series.stream.scope.name, "scope");
    }
    assert_eq!(snapshot.series[0].point, Point::Gauge(ReadNumber::Int(16)));
    assert_eq!(snapshot.series[1].point, Point::Sum(ReadNumber::Int(12)));
    let aggregation = model::Aggregation::Sum { temporality: 1, is_monotonic: false };
    assert_eq!(snapshot.series[1].stream.aggregation, aggregation);
    let histogram = Point::Histogram {
        count: 4,
        sum: 12.0,
        min: Some(-8.0),
        max: Some(16.0),
        bucket_counts: vec![2, 1, 1],
    };
    assert_eq!(snapshot.series[2].point, histogram);
    let exponential = Point::ExponentialHistogram {
        count: 4,
        sum: 12.0,
        min: Some(-8.0),
        max: Some(16.0),
        // 4 and 16 are 4 buckets apart at scale 1, so they stand at scale 0 in (2, 4] and (8, 16].
        scale: 0,
        zero_count: 1,
        positive: model::Buckets { offset: 1, counts: vec![1, 0, 1] },
        negative: model::Buckets { offset: 2, counts: vec![1] },
    };
    assert_eq!(snapshot.series[3].point, exponential);
}

#[test]
fn equal_definitions_are_one() {
    let program = Program::new(|_| {});
    let sum = program.sum("sum");
    assert_eq!(program.sum("sum"), sum);
    assert_ne!(program.sum("another sum"), sum);
    let scope =
        |name| program.writer.create_instrumentation_scope(program.resource, name, None, None, &()).unwrap();
    assert_eq!(scope("scope"), program.scope);
    assert_ne!(scope("another scope"), program.scope);
}

#[test]
fn integers_stay_integers_and_doubles_join_them() {
    let program = Program::new(|_| {});
    let sum = program.sum("sum");
    let add = |value| program.writer.record_measurement(sum, &(), 1, value, None).unwrap();
    add(Number::Int(3));
    assert_eq!(program.snapshot().series[0].point, Point::Sum(ReadNumber::Int(3)));
    add(Number::Double(0.5));
    assert_eq!(program.snapshot().series[0].point, Point::Sum(ReadNumber::Double(3.5)));
}

#[test]
fn a_measurement_in_a_sampled_span_leaves_an_exemplar() {
    let program = Program::new(|_| {});
    let sum = program.sum("sum");
    let attributes = [attribute("key", text("value"))];
    for flags in [0, 1] {
        let context = SpanContext { trace_id: [5; 16], span_id: [6; 8], flags };
        let value = Number::Double(2.5);
        program.writer.record_measurement(sum, &Given(&attributes), 77, value, Some(&context)).unwrap();
    }
    let snapshot = program.snapshot();
    let [exemplar] = &snapshot.series[0].exemplars[..] else { panic!("{:?}", snapshot.series[0].exemplars) };
    assert_eq!((exemplar.trace_id, exemplar.span_id, exemplar.time_unix_nano), ([5; 16], [6; 8], 77));
    assert_eq!((exemplar.value, exemplar.raw), (ReadNumber::Double(2.5), false));
    assert_eq!(**exemplar.series_attributes, attributes);
}

#[test]
fn a_streaming_writer_leaves_every_measurement() {
    let program = Program::new(|config| config.stream_measurements = true);
    let sum = program.sum("sum");
    for time in 1..=3 {
        program.writer.record_measurement(sum, &(), time, Number::Int(1), None).unwrap();
    }
    let snapshot = program.snapshot();
    let times: Vec<_> = snapshot.measurements.iter().map(|point| (point.time_unix_nano, point.raw)).collect();
    assert_eq!(times, [(1, true), (2, true), (3, true)]);
}

#[test]
fn without_crc_all_the_same() {
    let program = Program::new(|config| config.crc = false);
    program.writer.record_event(&program.event(5, &())).unwrap();
    assert_eq!(program.snapshot().events[0].time_unix_nano, 5);
}

fn any_value() -> impl Strategy<Value = model::Value> {
    let leaf = prop_oneof![
        Just(model::Value::Empty),
        any::<String>().prop_map(model::Value::String),
        any::<bool>().prop_map(model::Value::Bool),
        any::<i64>().prop_map(model::Value::Int),
        // Not NaN, which equals nothing.
        (-1e300..1e300_f64).prop_map(model::Value::Double),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(model::Value::Bytes),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let entries = prop::collection::btree_map("[a-z]{1,6}", inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(model::Value::Array),
            entries.prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, value)| attribute(&key, value));
                model::Value::Map(entries.collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_attributes_come_back(
        attributes in prop::collection::btree_map(".{1,20}", any_value(), 0..12),
        body in any_value(),
    ) {
        let attributes: Vec<_> = attributes.into_iter().map(|(key, value)| attribute(&key, value)).collect();
        let program = Program::new(|_| {});
        let given = Given(&attributes);
        let span = program.writer.start_span(&program.start(1, &given)).unwrap();
        let span_event = SpanEvent {
            name: Text::Str("event"), time_unix_nano: 1, attributes: &given, dropped_attributes_count: 0,
        };
        program.writer.add_event(span, &span_event).unwrap();
        program.writer.end_span(span, 2).unwrap();
        let event = Event { body: Some(&GivenBody(&body)), ..program.event(3, &given) };
        program.writer.record_event(&event).unwrap();
        let snapshot = program.snapshot();
        prop_assert_eq!(&snapshot.spans[0].attributes, &attributes);
        prop_assert_eq!(&snapshot.spans[0].events[0].attributes, &attributes);
        prop_assert_eq!(&snapshot.events[0].attributes, &attributes);
        prop_assert_eq!(snapshot.events[0].body.as_ref(), Some(&body));
    }
}
