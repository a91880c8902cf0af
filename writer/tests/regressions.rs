//! Mistakes that were found by people and fuzzers trying to break the writer, each under a name.

mod support;

use otlp_mmap_format::{HeaderState, STATE_OFFSET};
use otlp_mmap_reader::model::{self, Point};
use otlp_mmap_writer::{
    Aggregation, Attributes, Counter, Encoder, Error, Event, Key, KeyValue, Number, Signal, SpanContext,
    SpanEvent, StatusCode, Temporality, Text, Value,
};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Given, Program, attribute, clean, text};

#[test]
fn a_close_leaves_every_span_ended_or_in_flight() {
    for _ in 0..30 {
        let program = Program::new(|_| {});
        let started: u64 = std::thread::scope(|scope| {
            let record = |thread: u64| {
                let program = &program;
                move || {
                    let one = |number: &u64| {
                        let start = program.start(thread << 32 | number, &());
                        match program.writer.start_span(&start) {
                            Ok(span) => (1, program.writer.end_span(span, 1).is_ok()),
                            Err(error) => {
                                assert!(matches!(error, Error::Closed), "{error}");
                                (0, false)
                            }
                        }
                    };
                    let mut started = 0;
                    for number in 1..100_000 {
                        let (begun, ended) = one(&number);
                        started += begun;
                        if !ended {
                            break;
                        }
                    }
                    started
                }
            };
            let threads: Vec<_> = (1..=4).map(|thread| scope.spawn(record(thread))).collect();
            std::thread::sleep(std::time::Duration::from_millis(2));
            program.writer.close();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let snapshot = clean(&otlp_mmap_reader::Recording::open(program.writer.path().unwrap()).unwrap());
        assert_eq!((snapshot.spans.len() + snapshot.spans_in_flight.len()) as u64, started);
        assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Busy), 0);
    }
}

#[test]
fn a_span_that_spilled_ends_once() {
    let program = Program::new(|config| config.active_blocks = 16);
    let fill: Vec<_> =
        (1..=16).map(|id| program.writer.start_span(&program.start(id, &())).unwrap()).collect();
    for id in 100..300 {
        let span = program.writer.start_span(&program.start(id, &())).unwrap();
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    if program.writer.end_span(span, 2).is_ok() {
                        assert!(!ends.swap(true, Ordering::Relaxed), "ended twice");
                    }
                });
            }
        });
        assert!(ends.load(Ordering::Relaxed));
    }
    assert_eq!(program.snapshot().spans.len(), 200);
    drop(fill);
}

#[test]
fn a_large_span_takes_blocks_wherever_they_are_free() {
    let program = Program::new(|_| {});
    let value = "v".repeat(100_000);
    let attributes = [KeyValue { key: "large", value: Value::String(&value) }];
    program.writer.start_span(&program.start(1, &attributes)).unwrap();
    let snapshot = program.snapshot();
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Spilled), 0);
    assert_eq!(snapshot.spans_in_flight[0].attributes, [attribute("large", text(&value))]);
}

#[test]
fn contention_for_a_small_table_spills_nothing() {
    let program = Program::new(|config| config.active_blocks = 64);
    std::thread::scope(|scope| {
        for thread in 1..=4_u64 {
            let program = &program;
            scope.spawn(move || {
                for number in 1..2_000 {
                    let span = program.writer.start_span(&program.start(thread << 32 | number, &())).unwrap();
                    program.writer.end_span(span, 1).unwrap();
                }
            });
        }
    });
    assert_eq!(program.writer.counter(Signal::Spans, Counter::Spilled).unwrap(), 0);
}

#[test]
fn a_large_text_in_a_map_is_cut_and_its_neighbour_stays() {
    let program = Program::new(|_| {});
    let large = "é".repeat(150_000);
    let body = [
        KeyValue { key: "message", value: Value::String(&large) },
        KeyValue { key: "small", value: Value::Int(1) },
    ];
    let event = Event { body: Some(&Value::Map(&body)), ..program.event(1, &()) };
    program.writer.record_event(&event).unwrap();
    let events = program.snapshot().events;
    let Some(model::Value::Map(entries)) = &events[0].body else { panic!("{:?}", events[0].body) };
    let model::Value::String(kept) = &entries[0].value else { panic!("{entries:?}") };
    assert!(large.starts_with(&**kept) && kept.len() > 100_000 && entries[0].truncated);
    assert_eq!(entries[1], attribute("small", model::Value::Int(1)));
}

#[test]
fn ids_may_be_used_again_while_late_ends_arrive() {
    let program = Program::new(|_| {});
    let start = program.start(1, &());
    let end = || program.writer.record_span_end(program.scope, start.trace_id, start.span_id, 2);
    for _ in 0..2_000 {
        program.writer.record_span_start(&start).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(end);
            let _ = end();
        });
        let _ = end();
    }
    let snapshot = program.snapshot();
    assert_eq!((snapshot.spans.len(), snapshot.spans_in_flight.len()), (2_000, 0));
}

#[test]
fn long_keys_stay_apart() {
    let program = Program::new(|_| {});
    let keys = ["a", "b"].map(|end| "k".repeat(5_000) + end);
    let attributes = [attribute(&keys[0], model::Value::Int(1)), attribute(&keys[1], model::Value::Int(2))];
    program.writer.record_event(&program.event(1, &Given(&attributes))).unwrap();
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events[0].attributes, attributes);
    assert_eq!(snapshot.losses.signal(Signal::Events).counter(Counter::DictionaryFull), 0);
}

#[test]
fn dropped_counts_and_names_leave_room_for_the_status() {
    let program = Program::new(|config| config.segment_size = 4096);
    let span = program.writer.start_span(&program.start(1, &())).unwrap();
    for _ in 0..1_000 {
        program.writer.add_dropped(span, 1, 0, 0).unwrap();
        program.writer.update_name(span, "another name").unwrap();
    }
    // Every name takes room until the span ends, so the last ones are cut or left out; the status is not.
    program.writer.set_status(span, StatusCode::Error, "failed").unwrap();
    program.writer.end_span(span, 2).unwrap();
    let span = &program.snapshot().spans[0];
    assert_eq!((span.dropped_attributes_count, span.status_code), (1_000, 2));
    assert!(span.name.starts_with("another ") && span.truncated);
    assert_eq!(&*span.status_message, "failed");
}

/// Encodes an array whose content fails, ignores that, and goes on.
struct Careless;

impl Attributes for Careless {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        let failed = encoder.array(Key::Str("array"), |encoder| encoder.int(Key::Str("a key"), 1));
        assert!(failed.is_err());
        encoder.int(Key::Str("after"), 7)
    }
}

#[test]
fn an_error_that_is_ignored_leaves_no_half_item() {
    let program = Program::new(|_| {});
    program.writer.record_event(&program.event(1, &Careless)).unwrap();
    assert_eq!(program.snapshot().events[0].attributes, [attribute("after", model::Value::Int(7))]);
}

#[test]
fn bound_measurements_over_the_limit_are_counted() {
    let program = Program::new(|config| config.cardinality_limit = 2);
    let sum = program.sum("sum");
    let bind = |user| program.writer.bind(sum, &[KeyValue { key: "user", value: Value::Int(user) }]).unwrap();
    let (first, overflow) = (bind(1), bind(2));
    for series in [first, overflow, overflow] {
        program.writer.record_bound(series, 1, Number::Int(1)).unwrap();
    }
    assert_eq!(program.writer.counter(Signal::Measurements, Counter::CardinalityOverflow).unwrap(), 2);
}

#[test]
fn a_refused_measurement_makes_no_series() {
    let program = Program::new(|config| config.cardinality_limit = 2);
    let sum = program.sum("sum");
    let record = |user, value| {
        let attributes = [KeyValue { key: "user", value: Value::Int(user) }];
        program.writer.record_measurement(sum, &attributes, 1, value, None)
    };
    for (user, value) in [(1, Number::Int(-1)), (2, Number::Double(f64::NAN))] {
        assert!(matches!(record(user, value), Err(Error::Invalid { argument: "value", .. })));
    }
    record(3, Number::Int(5)).unwrap();
    let series = program.snapshot().series;
    assert_eq!((series.len(), series[0].overflow), (1, false));
    assert_eq!(series[0].point, Point::Sum(model::Number::Int(5)));
}

#[test]
fn attribute_sets_are_refused_rather_than_cut() {
    let program = Program::new(|_| {});
    let sum = program.sum("sum");
    let large = "x".repeat(40_000);
    let attributes = [KeyValue { key: "large", value: Value::String(&large) }];
    let refused = program.writer.record_measurement(sum, &attributes, 1, Number::Int(1), None);
    assert!(matches!(refused, Err(Error::Invalid { argument: "attributes", .. })));
    assert_eq!(program.snapshot().series, []);
}

#[test]
fn a_definition_that_is_cut_is_counted() {
    let program = Program::new(|_| {});
    let large = "x".repeat(40_000);
    let attributes = [KeyValue { key: "large", value: Value::String(&large) }];
    program.writer.create_resource(&attributes, None).unwrap();
    assert_eq!(program.writer.counter(Signal::Events, Counter::Truncated).unwrap(), 1);
}

/// Attributes whose encoding forks; the child goes on inside of the parent's call.
struct Forking(AtomicBool);

impl Attributes for Forking {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        // SAFETY: the child ends its call and leaves.
        if !self.0.load(Ordering::Relaxed) && unsafe { libc::fork() } == 0 {
            self.0.store(true, Ordering::Relaxed);
        }
        encoder.int(Key::Str("key"), 1)
    }
}

#[test]
fn a_fork_inside_of_a_call_records_once() {
    let program = Program::new(|_| {});
    let forking = Forking(AtomicBool::new(false));
    let result = program.writer.record_event(&program.event(1, &forking));
    if forking.0.load(Ordering::Relaxed) {
        // SAFETY: the child leaves at once.
        unsafe { libc::_exit(i32::from(!matches!(result, Err(Error::Forked)))) };
    }
    result.unwrap();
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert!(unsafe { libc::wait(&raw mut status) } > 0);
    assert_eq!(status, 0);
    assert_eq!(program.snapshot().events.len(), 1);
}

#[test]
fn children_of_closed_writers_and_writers_closed_in_children_stay_closed() {
    let program = Program::new(|_| {});
    // SAFETY: the child makes a few calls and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        program.writer.close();
        let record = || program.writer.record_event(&program.event(1, &()));
        let closed = matches!((record(), record()), (Err(Error::Closed), Err(Error::Closed)));
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(!closed)) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!((unsafe { libc::waitpid(child, &raw mut status, 0) }, status), (child, 0));
    program.writer.record_event(&program.event(1, &())).unwrap();
    assert_eq!(std::fs::read_dir(program.directory.path()).unwrap().count(), 1);
}

#[test]
fn a_span_event_keeps_its_dropped_attributes() {
    let program = Program::new(|config| config.segment_size = 4096);
    let span = program.writer.start_span(&program.start(1, &())).unwrap();
    let attributes: Vec<_> = (0..1_000).map(|_| KeyValue { key: "key", value: Value::Int(1) }).collect();
    let event = SpanEvent {
        name: Text::Str("event"),
        time_unix_nano: 1,
        attributes: &attributes,
        dropped_attributes_count: 5,
    };
    program.writer.add_event(span, &event).unwrap();
    program.writer.end_span(span, 2).unwrap();
    let span = &program.snapshot().spans[0];
    assert!(span.events[0].dropped_attributes_count > 700);
    assert_eq!((span.dropped_events_count, span.dropped_attributes_count), (0, 0));
}

#[test]
fn after_a_close_every_start_is_refused_as_closed() {
    let program = Program::new(|_| {});
    let start = program.start(1, &());
    program.writer.record_span_start(&start).unwrap();
    program.writer.close();
    // Its ids are in flight: that it is a duplicate is of no interest any more.
    let refused = program.writer.record_span_start(&start);
    assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    let losses = otlp_mmap_reader::Recording::open(program.writer.path().unwrap()).unwrap().losses().unwrap();
    assert_eq!(losses.signal(Signal::Spans).counter(Counter::Closed), 1);
    assert_eq!(losses.signal(Signal::Spans).counter(Counter::Invalid), 0);
}

#[test]
fn dropped_counts_without_room_are_kept_and_cut_nothing() {
    let program = Program::new(|config| config.segment_size = 4096);
    let span = program.writer.start_span(&program.start(1, &())).unwrap();
    for _ in 0..1_000 {
        program.writer.add_dropped(span, 1, 2, 3).unwrap();
    }
    program.writer.end_span(span, 2).unwrap();
    let snapshot = program.snapshot();
    let span = &snapshot.spans[0];
    let counts = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
    assert_eq!((counts, span.truncated), ((1_000, 2_000, 3_000), false));
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::Truncated), 0);
}

/// Filtered attributes are those that the series does not have.
#[test]
fn an_exemplar_does_not_repeat_the_attribute_of_its_overflow_series() {
    let overflow = |value| attribute("otel.metric.overflow", model::Value::Bool(value));
    let user = |number| attribute("user", model::Value::Int(number));
    let given = [
        (vec![overflow(true)], vec![]),
        (vec![user(1), overflow(true), user(2)], vec![user(2)]),
        (vec![overflow(false), user(3), overflow(true)], vec![user(3)]),
        (vec![overflow(true), user(4), overflow(false)], vec![overflow(false), user(4)]),
        (vec![user(5)], vec![user(5)]),
    ];
    // With a full dictionary the key of the attribute stands inline.
    for full in [false, true] {
        let program = Program::new(|config| {
            (config.dictionary_size, config.cardinality_limit) = (64 << 10, 2);
        });
        let filled = (0..20)
            .take_while(|number| full && program.writer.record_string(&format!("{number:04000}")).is_ok());
        assert_eq!(filled.count(), if full { 12 } else { 0 });
        let sum = program.sum("sum");
        program.writer.record_measurement(sum, &(), 1, Number::Int(1), None).unwrap();
        let context = SpanContext { trace_id: [1; 16], span_id: [1; 8], flags: 1 };
        for (time, (given, _)) in (1..).zip(&given) {
            let measured =
                program.writer.record_measurement(sum, &Given(given), time, Number::Int(1), Some(&context));
            measured.unwrap();
        }
        let found = program.snapshot().measurements;
        let found: Vec<_> = found.into_iter().map(|one| one.filtered_attributes).collect();
        let expected: Vec<_> = given.iter().map(|(_, filtered)| filtered.clone()).collect();
        assert_eq!(found, expected, "full dictionary: {full}");
    }
}

/// What a span left out stays its own when its blocks go to the next one.
#[test]
fn a_span_in_the_blocks_of_another_has_counts_of_its_own() {
    let program = Program::new(|config| (config.segment_size, config.active_blocks) = (4096, 64));
    let filler = "x".repeat(8_000);
    let large =
        [("one", &filler), ("two", &filler)].map(|(key, text)| KeyValue { key, value: Value::String(text) });
    for number in 0..20 {
        let span = program.writer.start_span(&program.start(2 * number + 1, &large)).unwrap();
        for _ in 0..300 {
            program.writer.add_dropped(span, 1, 2, 3).unwrap();
        }
        program.writer.end_span(span, 2).unwrap();
        let span = program.writer.start_span(&program.start(2 * number + 2, &())).unwrap();
        program.writer.end_span(span, 3).unwrap();
    }
    for span in program.snapshot().spans.iter().filter(|span| span.end_time_unix_nano == Some(3)) {
        let counts = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
        assert_eq!((counts, span.truncated), ((0, 0, 0), false), "{:?}", span.span_id);
    }
}

/// A child's streams have the series of its parent's: they are as full.
#[test]
fn a_childs_streams_take_as_many_series_as_its_parents_had_left() {
    let program = Program::new(|config| config.cardinality_limit = 4);
    let sum = program.sum("sum");
    let measure = |user| {
        let attributes = [KeyValue { key: "user", value: Value::Int(user) }];
        program.writer.record_measurement(sum, &attributes, 1, Number::Int(1), None).unwrap();
    };
    (0..2).for_each(measure);
    // SAFETY: the child makes a few calls and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // One more, then the overflow series.
        (2..5).for_each(measure);
        let overflows = program.writer.counter(Signal::Measurements, Counter::CardinalityOverflow);
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(!matches!(overflows, Ok(2)))) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!((unsafe { libc::waitpid(child, &raw mut status, 0) }, status), (child, 0));
    (2..5).for_each(measure);
    assert_eq!(program.writer.counter(Signal::Measurements, Counter::CardinalityOverflow).unwrap(), 2);
}

/// What comes late is refused and counted. A call that had begun may still add to its sum, and say what it had the file
/// system allocate.
#[test]
fn after_a_close_nothing_in_the_file_changes_but_counters() {
    for round in 0..8 {
        // Small: it is compared byte by byte.
        let program = Program::new(|config| {
            (config.segment_size, config.active_blocks, config.cells_size) = (4096, 64, 64 << 10);
            (config.span_segments, config.event_segments, config.measurement_segments) = (2, 2, 2);
            config.dictionary_size = 1 << 20;
        });
        let histogram =
            Aggregation::Histogram { temporality: Temporality::Cumulative, boundaries: &[1.0, 9.0] };
        let metrics = [program.stream("gauge", Aggregation::Gauge), program.stream("histogram", histogram)];
        let record = |thread: u64| {
            for number in 0.. {
                let text = format!("{thread} {number}");
                let attributes = [KeyValue { key: &text, value: Value::String(&text) }];
                let event = program.writer.record_event(&program.event(number, &attributes));
                let string = program.writer.record_string(&text);
                let series = [KeyValue { key: "series", value: Value::Int((number % 9).cast_signed()) }];
                let measured = metrics.map(|metric| {
                    program.writer.record_measurement(metric, &series, 1, Number::Int(1), None)
                });
                let span =
                    program.writer.start_span(&program.start(thread << 32 | (number + 1), &attributes));
                if event.is_err() && string.is_err() && measured.iter().all(Result::is_err) && span.is_err() {
                    break;
                }
            }
        };
        let path = program.writer.path().unwrap();
        let at_the_close = std::thread::scope(|scope| {
            for thread in 1..=4 {
                let record = &record;
                scope.spawn(move || record(thread));
            }
            std::thread::sleep(std::time::Duration::from_millis(1 + round % 3));
            program.writer.close();
            std::fs::read(&path).unwrap()
        });
        let after = std::fs::read(&path).unwrap();
        let section = program.recording().header().counters;
        let section = usize::try_from(section.offset).unwrap()
            ..usize::try_from(section.offset + section.length).unwrap();
        let field = HeaderState::FIELDS.iter().find(|field| field.name == "backed_bytes").unwrap();
        let backed_bytes = STATE_OFFSET + field.offset..STATE_OFFSET + field.offset + 8;
        let changed =
            at_the_close.iter().zip(&after).enumerate().find(|(at, (before, now))| {
                before != now && !section.contains(at) && !backed_bytes.contains(at)
            });
        assert_eq!(changed, None, "byte, before and after");
    }
}

/// A program that closes all descriptors it can, as those do that become daemons, and then opens a file.
#[test]
fn a_file_under_the_number_of_a_descriptor_that_was_closed_does_not_grow() {
    let program = Program::new(|config| config.event_segments = 64);
    let path = program.writer.path().unwrap();
    program.writer.record_event(&program.event(1, &())).unwrap();
    let other = tempfile::tempfile().unwrap();
    let inode = |path: &Path| path.metadata().map(|metadata| metadata.ino()).ok();
    let mut replaced = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        if inode(&entry.path()) == inode(&path) {
            let descriptor = entry.file_name().to_str().unwrap().parse().unwrap();
            // SAFETY: plain numbers. The writer's descriptor is another open one from now on, which it may close.
            assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), descriptor) }, descriptor);
            replaced += 1;
        }
    }
    assert!(replaced >= 2, "{replaced} descriptors");
    // As on a full disk: without further segments the oldest records make room.
    for time in 2..=10_000 {
        program.writer.record_event(&program.event(time, &())).unwrap();
    }
    assert_eq!(other.metadata().unwrap().len(), 0);
    assert!(program.writer.file().is_err());
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events.last().unwrap().time_unix_nano, 10_000);
    let lost = snapshot.losses.signal(Signal::Events).overwritten;
    assert_eq!(snapshot.events.len() as u64 + lost, 10_000);
}
