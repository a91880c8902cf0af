//! What happens at the limits: full pools under each policy, oversized values, a full disk, dictionary, span
//! table or metric section, too many series. Nothing fails silently: what is lost is counted exactly.

mod support;

use otlp_mmap_reader::{Exporter, Observer, model};
use otlp_mmap_writer::{
    Config, Counter, Error, Event, KeyValue, Link, Number, Overflow, Signal, SpanContext, SpanEvent, SpanRef,
    SpanStart, StatusCode, Text, Value,
};
use std::time::{Duration, Instant};
use support::{Given, Program, attribute, text};

fn small(config: &mut Config) {
    config.segment_size = 4096;
    (config.span_segments, config.event_segments, config.measurement_segments) = (4, 4, 2);
}

fn record_events(program: &Program, count: u64) -> u64 {
    (0..count).filter(|&time| program.writer.record_event(&program.event(time, &())).is_ok()).count() as u64
}

#[test]
fn overwriting_keeps_the_newest_and_counts_the_rest() {
    let program = Program::new(small);
    assert_eq!(record_events(&program, 10_000), 10_000);
    let snapshot = program.snapshot();
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!(losses.recorded, 10_000);
    assert_eq!(losses.overwritten + snapshot.events.len() as u64, 10_000);
    let times: Vec<_> = snapshot.events.iter().map(|event| event.time_unix_nano).collect();
    assert!(times.iter().copied().eq(10_000 - times.len() as u64..10_000));
}

#[test]
fn many_threads_overwrite_and_the_sum_is_exact() {
    let program = Program::new(small);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(record_events(&program, 5_000), 5_000));
        }
    });
    let snapshot = program.snapshot();
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!((losses.recorded, losses.overwritten + snapshot.events.len() as u64), (40_000, 40_000));
    assert_eq!(losses.lost(), losses.overwritten);
}

#[test]
fn a_lapped_observer_knows_what_it_missed() {
    let program = Program::new(small);
    let mut observer = program.recording().observe();
    let (mut seen, mut missed) = (0, 0);
    for turn in 0..50 {
        record_events(&program, turn * 13 % 400);
        let batch = observer.poll().unwrap();
        seen += batch.records.len() as u64;
        missed += batch.missed(Signal::Events);
    }
    let recorded = program.snapshot().losses.signal(Signal::Events).recorded;
    assert_eq!(seen + missed, recorded);
    assert!(missed > 0 && seen > 0);
}

#[test]
fn discarding_keeps_the_oldest_and_counts_the_rest() {
    let program = Program::new(|config| {
        small(config);
        config.overflow = Overflow::DiscardNewest;
    });
    let kept = record_events(&program, 2_000);
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events.len() as u64, kept);
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!((losses.overwritten, losses.counter(Counter::Discarded)), (0, 2_000 - kept));
    assert!(matches!(program.writer.record_event(&program.event(0, &())), Err(Error::Discarded)));
}

/// Delivers everything there is and acknowledges it; gives how much that was.
fn deliver(exporter: &Exporter, observer: &mut Observer) -> u64 {
    let batch = observer.poll().unwrap();
    assert_eq!((batch.missed, &batch.report.faults[..]), ([0; 3], &[][..]));
    for progress in &batch.progress {
        let done =
            exporter.acknowledge(progress.signal, progress.segment, progress.generation, progress.records);
        assert!(done.unwrap());
    }
    batch.records.len() as u64
}

#[test]
fn discarding_goes_on_when_an_exporter_acknowledges() {
    let program = Program::new(|config| {
        small(config);
        config.overflow = Overflow::DiscardNewest;
    });
    let exporter = Exporter::attach(program.writer.path().unwrap()).unwrap();
    let mut observer = exporter.recording().observe_unacknowledged();
    let mut delivered = 0;
    for _ in 0..100 {
        assert_eq!(record_events(&program, 30), 30);
        delivered += deliver(&exporter, &mut observer);
    }
    assert_eq!(delivered, 3_000);
    let losses = program.snapshot().losses;
    assert_eq!((losses.signal(Signal::Events).recorded, losses.signal(Signal::Events).lost()), (3_000, 0));
}

#[test]
fn overwriting_what_was_acknowledged_is_no_loss() {
    let program = Program::new(small);
    let exporter = Exporter::attach(program.writer.path().unwrap()).unwrap();
    let mut observer = exporter.recording().observe_unacknowledged();
    for _ in 0..100 {
        record_events(&program, 30);
        deliver(&exporter, &mut observer);
    }
    assert_eq!(program.snapshot().losses.signal(Signal::Events).overwritten, 0);
}

fn blocking(timeout: Duration) -> Program {
    Program::new(|config| {
        small(config);
        config.overflow = Overflow::Block { timeout };
    })
}

#[test]
fn blocking_without_an_exporter_does_not_wait() {
    let program = blocking(Duration::from_hours(1));
    let kept = record_events(&program, 2_000);
    let losses = program.snapshot().losses;
    assert_eq!(losses.signal(Signal::Events).counter(Counter::BlockTimeout), 2_000 - kept);
}

#[test]
fn blocking_waits_for_the_exporter_and_loses_nothing() {
    let program = blocking(Duration::from_mins(1));
    let exporter = Exporter::attach(program.writer.path().unwrap()).unwrap();
    let mut observer = exporter.recording().observe_unacknowledged();
    std::thread::scope(|scope| {
        let recording = scope.spawn(|| record_events(&program, 5_000));
        let mut delivered = 0;
        while delivered < 5_000 {
            delivered += deliver(&exporter, &mut observer);
        }
        assert_eq!(recording.join().unwrap(), 5_000);
    });
    assert_eq!(program.snapshot().losses.signal(Signal::Events).lost(), 0);
}

#[test]
fn blocking_gives_up_after_its_timeout() {
    let program = blocking(Duration::from_millis(20));
    let _exporter = Exporter::attach(program.writer.path().unwrap()).unwrap();
    let kept = (0..1_000_000)
        .take_while(|&time| program.writer.record_event(&program.event(time, &())).is_ok())
        .count();
    let began = Instant::now();
    assert!(matches!(program.writer.record_event(&program.event(0, &())), Err(Error::BlockTimeout)));
    assert!(began.elapsed() >= Duration::from_millis(20));
    let span = (0..).find_map(|number| {
        let span = program.writer.start_span(&program.start(number + 1, &())).unwrap();
        program.writer.end_span(span, 1).is_err().then_some(span)
    });
    assert!(matches!(program.writer.end_span(span.unwrap(), 1), Err(Error::UnknownSpan { .. })));
    let snapshot = program.snapshot();
    assert_eq!((snapshot.events.len(), snapshot.spans_in_flight.len()), (kept, 0));
    assert_eq!(snapshot.losses.signal(Signal::Events).counter(Counter::BlockTimeout), 2);
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::BlockTimeout), 1);
}

/// Values around the size of a segment, and far beyond: cut, marked, counted, and everything else is whole.
#[test]
fn oversized_values_are_cut_and_marked() {
    for size in [0, 1, 3_900, 4_000, 4_095, 4_096, 4_097, 100 << 20] {
        let program = Program::new(small);
        let large = "é".repeat(size / 2) + if size % 2 == 1 { "x" } else { "" };
        let attributes = [
            KeyValue { key: "large", value: Value::String(&large) },
            KeyValue { key: "small", value: Value::Int(7) },
        ];
        let event = Event { body: Some(&Value::String(&large)), ..program.event(1, &attributes) };
        program.writer.record_event(&event).unwrap();
        let span = program.writer.start_span(&program.start(1, &attributes)).unwrap();
        program.writer.set_status(span, StatusCode::Error, &large).unwrap();
        let span_event = SpanEvent {
            name: Text::Str(&large),
            time_unix_nano: 1,
            attributes: &attributes,
            dropped_attributes_count: 0,
        };
        program.writer.add_event(span, &span_event).unwrap();
        program.writer.end_span(span, 2).unwrap();
        let snapshot = program.snapshot();
        let (event, span) = (&snapshot.events[0], &snapshot.spans[0]);
        assert_eq!(
            (event.truncated, span.truncated),
            (size > 1, size > 1).min((size > 1_800, size > 1)),
            "{size}"
        );
        for attributes in [&event.attributes, &span.attributes] {
            let model::Value::String(kept) = &attributes[0].value else { panic!("{attributes:?}") };
            assert!(large.starts_with(&**kept));
            assert_eq!(attributes[0].truncated, kept.len() < large.len());
            assert_eq!(attributes[1], attribute("small", model::Value::Int(7)));
        }
        assert_eq!(span.status_code, 2);
        let truncated = snapshot.losses.signal(Signal::Events).counter(Counter::Truncated);
        assert_eq!(truncated, u64::from(event.truncated));
    }
}

#[test]
fn a_span_takes_what_it_can_and_counts_what_it_leaves_out() {
    let program = Program::new(small);
    let span = program.writer.start_span(&program.start(1, &())).unwrap();
    let value = "v".repeat(100);
    for number in 0..500_u64 {
        let attributes = [KeyValue { key: "key", value: Value::String(&value) }];
        let event = SpanEvent {
            name: Text::Str("event"),
            time_unix_nano: number,
            attributes: &attributes,
            dropped_attributes_count: 0,
        };
        program.writer.add_event(span, &event).unwrap();
    }
    program.writer.set_status(span, StatusCode::Ok, "").unwrap();
    program.writer.update_name(span, "still has a name").unwrap();
    program.writer.end_span(span, 9).unwrap();
    let snapshot = program.snapshot();
    let span = &snapshot.spans[0];
    assert_eq!(span.events.len() + usize::try_from(span.dropped_events_count).unwrap(), 500);
    assert!(span.events.len() > 10 && span.truncated);
    assert_eq!((span.status_code, &*span.name), (1, "still has a name"));
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Truncated), 1);
}

#[test]
fn deep_values_are_cut_at_the_limit() {
    let program = Program::new(|_| {});
    let mut value = text("bottom");
    for _ in 0..100 {
        value = model::Value::Array(vec![value]);
    }
    program.writer.record_event(&program.event(1, &Given(&[attribute("deep", value)]))).unwrap();
    let snapshot = program.snapshot();
    let mut depth = 1;
    let mut value = &snapshot.events[0].attributes[0].value;
    while let model::Value::Array(elements) = value
        && let [element] = &elements[..]
    {
        (value, depth) = (element, depth + 1);
    }
    assert_eq!((depth, value), (32, &model::Value::Array(vec![])));
    assert!(snapshot.events[0].truncated);
}

#[test]
fn a_full_dictionary_puts_strings_inline_and_still_takes_definitions() {
    let program = Program::new(|config| config.dictionary_size = 64 << 10);
    for number in 0..3_000 {
        let key = format!("a key that is used once, number {number}");
        let attributes = [KeyValue { key: &key, value: Value::Int(number) }];
        program.writer.record_event(&program.event(number.cast_unsigned(), &attributes)).unwrap();
    }
    let scope =
        program.writer.create_instrumentation_scope(program.resource, "late", None, None, &()).unwrap();
    let sum = program.sum("late");
    program.writer.record_measurement(sum, &(), 1, Number::Int(1), None).unwrap();
    program.writer.record_event(&Event { scope, ..program.event(9_999, &()) }).unwrap();
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events.len(), 3_001);
    for (number, event) in (0..).zip(&snapshot.events[..3_000]) {
        let expected =
            attribute(&format!("a key that is used once, number {number}"), model::Value::Int(number));
        assert_eq!(event.attributes, [expected]);
    }
    assert_eq!((&*snapshot.events[3_000].scope.name, snapshot.series.len()), ("late", 1));
    let events = snapshot.losses.signal(Signal::Events);
    let inline = events.counter(Counter::DictionaryFull);
    assert!((1_500..3_000).contains(&inline), "{inline} inline");
    assert!(matches!(program.writer.record_string("another one"), Err(Error::DictionaryFull)));
    // One more string that stands inline, counted once though its record is encoded several times; no definition.
    let large = "x".repeat(1 << 20);
    let attributes = [KeyValue { key: "yet another key that is used once", value: Value::String(&large) }];
    program.writer.record_event(&program.event(10_000, &attributes)).unwrap();
    let losses = program.snapshot().losses;
    let events = losses.signal(Signal::Events);
    assert_eq!(events.counter(Counter::DictionaryFull), inline + 2);
    assert_eq!((events.counter(Counter::DefinitionLost), events.lost()), (0, 0));
}

#[test]
fn a_dictionary_without_room_refuses_definitions_and_counts_them() {
    let program = Program::new(|config| config.dictionary_size = 64 << 10);
    let refused = (0..3_000)
        .filter(|number| {
            let name = format!("scope {number}");
            let scope = program.writer.create_instrumentation_scope(program.resource, &name, None, None, &());
            matches!(scope, Err(Error::DictionaryFull))
        })
        .count() as u64;
    assert!(refused > 1_000);
    assert_eq!(program.writer.counter(Signal::Events, Counter::DefinitionLost).unwrap(), refused);
}

#[test]
fn a_full_span_table_spills_and_loses_nothing() {
    let program = Program::new(|config| config.active_blocks = 16);
    let attributes = [KeyValue { key: "key", value: Value::Int(1) }];
    let start = |number| program.writer.start_span(&program.start(number, &attributes)).unwrap();
    let spans: Vec<_> = (1..=40).map(start).collect();
    let filler = "x".repeat(300);
    for &span in &spans {
        let late = [KeyValue { key: "late", value: Value::String(&filler) }];
        program.writer.set_attributes(span, &late).unwrap();
    }
    let in_flight = program.snapshot().spans_in_flight;
    assert_eq!(in_flight.len(), 16);
    assert!(in_flight.iter().all(|span| span.spilled && span.attributes.len() == 1));
    for span in spans {
        program.writer.end_span(span, 99).unwrap();
    }
    let snapshot = program.snapshot();
    assert_eq!((snapshot.spans.len(), snapshot.spans_in_flight.len()), (40, 0));
    let late = attribute("late", text(&filler));
    assert!(snapshot.spans.iter().all(|span| span.attributes[1] == late));
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Spilled), 40);
    assert_eq!(program.recording().fill().unwrap().active_blocks.used, 0);
    // The table is usable again.
    start(100);
    assert_eq!(program.snapshot().spans_in_flight.len(), 1);
}

/// Each of these calls fills blocks of its own, so a full table makes its span spill, which counts once.
#[test]
fn whatever_makes_a_span_spill_is_counted() {
    let program = Program::new(|config| config.active_blocks = 16);
    let spilled = || program.writer.counter(Signal::Spans, Counter::Spilled).unwrap();
    let spans: Vec<_> =
        (1..=16).map(|number| program.writer.start_span(&program.start(number, &())).unwrap()).collect();
    let context = SpanContext { trace_id: [1; 16], span_id: [1; 8], flags: 1 };
    let changes: [&dyn Fn(SpanRef) -> Result<(), Error>; 6] = [
        &|span| program.writer.set_attributes(span, &[KeyValue { key: "key", value: Value::Int(1) }]),
        &|span| {
            let (name, attributes) = (Text::Str("event"), &());
            let event = SpanEvent { name, time_unix_nano: 1, attributes, dropped_attributes_count: 0 };
            program.writer.add_event(span, &event)
        },
        &|span| {
            let link = Link { context, trace_state: "", attributes: &(), dropped_attributes_count: 0 };
            program.writer.add_link(span, &link)
        },
        &|span| program.writer.set_status(span, StatusCode::Error, "status"),
        &|span| program.writer.update_name(span, "name"),
        &|span| program.writer.add_dropped(span, 1, 2, 3),
    ];
    for ((change, &span), before) in changes.iter().zip(&spans).zip(0..) {
        // What is left of the span's one block has room for a few of them.
        let calls = (0..30).take_while(|_| spilled() == before && change(span).is_ok()).count();
        assert!((1..30).contains(&calls), "{calls} calls of number {before}");
        assert_eq!(spilled(), before + 1, "number {before}");
        change(span).unwrap();
        assert_eq!(spilled(), before + 1, "number {before}, once more");
    }
}

#[test]
fn a_cardinality_limit_sends_the_rest_to_one_overflow_series() {
    let program = Program::new(|config| config.cardinality_limit = 10);
    let sum = program.sum("sum");
    let context = SpanContext { trace_id: [1; 16], span_id: [1; 8], flags: 1 };
    for number in 0..100 {
        let attributes = [KeyValue { key: "user", value: Value::Int(number) }];
        let context = (number == 99).then_some(&context);
        program.writer.record_measurement(sum, &attributes, 1, Number::Int(1), context).unwrap();
    }
    let snapshot = program.snapshot();
    assert_eq!(snapshot.series.len(), 10);
    let overflow: Vec<_> = snapshot.series.iter().filter(|series| series.overflow).collect();
    let [overflow] = &overflow[..] else { panic!("{} overflow series", overflow.len()) };
    assert_eq!(**overflow.attributes, [attribute("otel.metric.overflow", model::Value::Bool(true))]);
    assert_eq!(overflow.point, model::Point::Sum(model::Number::Int(91)));
    // What the series does not say, its exemplar does.
    let filtered = [attribute("user", model::Value::Int(99))];
    assert_eq!(overflow.exemplars.last().unwrap().filtered_attributes, filtered);
    let counted = snapshot.losses.signal(Signal::Measurements).counter(Counter::CardinalityOverflow);
    assert_eq!(counted, 91);
}

#[test]
fn full_metric_cells_send_the_rest_to_the_overflow_series() {
    let program = Program::new(|config| config.cells_size = 64 << 10);
    let sum = program.sum("sum");
    for number in 0..1_500 {
        let attributes = [KeyValue { key: "user", value: Value::Int(number) }];
        program.writer.record_measurement(sum, &attributes, 1, Number::Int(1), None).unwrap();
    }
    let snapshot = program.snapshot();
    let total: i64 = snapshot
        .series
        .iter()
        .map(|series| match series.point {
            model::Point::Sum(model::Number::Int(sum)) => sum,
            ref other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(total, 1_500);
    assert_eq!(snapshot.series.iter().filter(|series| series.overflow).count(), 1);
}

#[test]
fn what_comes_after_the_close_is_refused_and_counted() {
    let program = Program::new(|_| {});
    let span = program.writer.start_span(&program.start(1, &())).unwrap();
    program.writer.close();
    assert!(matches!(program.writer.record_event(&program.event(1, &())), Err(Error::Closed)));
    assert!(matches!(program.writer.end_span(span, 2), Err(Error::Closed)));
    assert!(matches!(program.writer.start_span(&SpanStart { ..program.start(2, &()) }), Err(Error::Closed)));
    let snapshot = program.snapshot();
    assert_eq!((snapshot.events.len(), snapshot.spans_in_flight.len()), (0, 1));
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Closed), 2);
}
