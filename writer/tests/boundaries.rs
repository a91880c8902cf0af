//! Sizes at every boundary: values that fill a record to the last byte and those one byte larger, records that fill
//! what is left of a segment, strings and definitions that fill the dictionary, and values of 100 MB.

mod support;

use otlp_mmap_format::{
    DroppedBody, EntryHeader, EventBody, ItemHeader, LinkBody, RecordHeader, SpanBody, SpanEventBody,
    StatusBody, align8,
};
use otlp_mmap_reader::{Snapshot, model};
use otlp_mmap_writer::{
    Config, Counter, Error, Event, KeyValue, Link, Signal, SpanContext, SpanEvent, SpanRef, SpanStart,
    StatusCode, Text, Value,
};
use std::os::unix::fs::MetadataExt;
use support::Program;

const ITEM: usize = ItemHeader::SIZE;
const DROPPED: usize = ITEM + DroppedBody::SIZE;
/// Longest string that is interned.
const MAX_INTERNED: usize = 4096;

/// Room in records of a segment of this size.
#[derive(Clone, Copy)]
struct Room(usize);

impl Room {
    /// For the items of an event.
    fn event(self) -> usize {
        self.0 - RecordHeader::SIZE - EventBody::SIZE - DROPPED
    }

    /// For a span's items.
    fn span(self) -> usize {
        self.0 - RecordHeader::SIZE - SpanBody::SIZE - DROPPED
    }

    /// For those it gets before its last name and status: an eighth of its content is kept for them.
    fn span_items(self) -> usize {
        let content = self.span() + SpanBody::SIZE;
        (content - content / 8) / 8 * 8 - SpanBody::SIZE
    }

    /// For those it gets before its status: half of that eighth is the status's alone.
    fn span_name(self) -> usize {
        usize::midpoint(self.span_items(), self.span()) / 8 * 8
    }
}

/// A place where a text can be.
struct Place {
    name: &'static str,
    signal: Signal,
    /// The longest text that is whole.
    longest: fn(Room) -> usize,
    record: fn(&Program, &str) -> Result<(), Error>,
    /// What is left of the text.
    find: fn(&Snapshot) -> &str,
}

const EVENT_PLACES: [Place; 5] = [
    Place {
        name: "attribute of an event",
        signal: Signal::Events,
        longest: |room| room.event() - ITEM,
        record: |program, text| {
            let attributes = [KeyValue { key: "key", value: Value::String(text) }];
            program.writer.record_event(&Event { attributes: &attributes, ..empty(program) })
        },
        find: |snapshot| string(&snapshot.events[0].attributes[0].value),
    },
    Place {
        name: "key of an attribute",
        signal: Signal::Events,
        // Its length stands in front of it, the number behind.
        longest: |room| room.event() - ITEM - 16,
        record: |program, text| {
            let attributes = [KeyValue { key: text, value: Value::Int(7) }];
            program.writer.record_event(&Event { attributes: &attributes, ..empty(program) })
        },
        find: |snapshot| {
            assert_eq!(snapshot.events[0].attributes[0].value, model::Value::Int(7));
            &snapshot.events[0].attributes[0].key
        },
    },
    Place {
        name: "body of an event",
        signal: Signal::Events,
        longest: |room| room.event() - 2 * ITEM,
        record: |program, text| {
            program.writer.record_event(&Event { body: Some(&Value::String(text)), ..empty(program) })
        },
        find: |snapshot| string(snapshot.events[0].body.as_ref().unwrap()),
    },
    Place {
        name: "name of an event",
        signal: Signal::Events,
        longest: |room| room.event() - ITEM,
        record: |program, text| {
            program.writer.record_event(&Event { name: Some(Text::Str(text)), ..empty(program) })
        },
        find: |snapshot| &snapshot.events[0].event_name,
    },
    Place {
        name: "severity text of an event",
        signal: Signal::Events,
        longest: |room| room.event() - ITEM,
        record: |program, text| program.writer.record_event(&Event { severity_text: text, ..empty(program) }),
        find: |snapshot| &snapshot.events[0].severity_text,
    },
];

const SPAN_PLACES: [Place; 8] = [
    Place {
        name: "name of a span",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM,
        record: |program, text| {
            let start = SpanStart { name: Text::Str(text), ..program.start(1, &()) };
            program.writer.end_span(program.writer.start_span(&start)?, 2)
        },
        find: |snapshot| &snapshot.spans[0].name,
    },
    Place {
        name: "trace state of a span",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM,
        record: |program, text| {
            let start = SpanStart { name: Text::Str(""), trace_state: text, ..program.start(1, &()) };
            program.writer.end_span(program.writer.start_span(&start)?, 2)
        },
        find: |snapshot| &snapshot.spans[0].trace_state,
    },
    Place {
        name: "attribute of a span at its start",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM,
        record: |program, text| {
            let attributes = [KeyValue { key: "key", value: Value::String(text) }];
            let start = SpanStart { name: Text::Str(""), ..program.start(1, &attributes) };
            program.writer.end_span(program.writer.start_span(&start)?, 2)
        },
        find: |snapshot| string(&snapshot.spans[0].attributes[0].value),
    },
    Place {
        name: "attribute of a span in flight",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM,
        record: |program, text| {
            let attributes = [KeyValue { key: "key", value: Value::String(text) }];
            within_span(program, |span| program.writer.set_attributes(span, &attributes))
        },
        find: |snapshot| string(&snapshot.spans[0].attributes[0].value),
    },
    Place {
        name: "name of a span's event",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM - SpanEventBody::SIZE,
        record: |program, text| {
            let event = SpanEvent {
                name: Text::Str(text),
                time_unix_nano: 1,
                attributes: &(),
                dropped_attributes_count: 0,
            };
            within_span(program, |span| program.writer.add_event(span, &event))
        },
        find: |snapshot| &snapshot.spans[0].events[0].name,
    },
    Place {
        name: "trace state of a link",
        signal: Signal::Spans,
        longest: |room| room.span_items() - ITEM - LinkBody::SIZE,
        record: |program, text| {
            let context = SpanContext { trace_id: [7; 16], span_id: [8; 8], flags: 1 };
            let link = Link { context, trace_state: text, attributes: &(), dropped_attributes_count: 0 };
            within_span(program, |span| program.writer.add_link(span, &link))
        },
        find: |snapshot| &snapshot.spans[0].links[0].trace_state,
    },
    Place {
        name: "new name of a span",
        signal: Signal::Spans,
        longest: |room| room.span_name() - ITEM,
        record: |program, text| within_span(program, |span| program.writer.update_name(span, text)),
        find: |snapshot| &snapshot.spans[0].name,
    },
    Place {
        name: "status message of a span",
        signal: Signal::Spans,
        longest: |room| room.span() - ITEM - StatusBody::SIZE,
        record: |program, text| {
            within_span(program, |span| program.writer.set_status(span, StatusCode::Error, text))
        },
        find: |snapshot| &snapshot.spans[0].status_message,
    },
];

/// An event with nothing in it.
fn empty<'a>(program: &Program) -> Event<'a> {
    Event { name: None, ..program.event(1, &()) }
}

fn within_span(program: &Program, change: impl FnOnce(SpanRef) -> Result<(), Error>) -> Result<(), Error> {
    let start = SpanStart { name: Text::Str(""), ..program.start(1, &()) };
    let span = program.writer.start_span(&start)?;
    change(span)?;
    program.writer.end_span(span, 2)
}

fn string(value: &model::Value) -> &str {
    match value {
        model::Value::String(text) => text,
        other => panic!("{other:?}"),
    }
}

fn segments(size: usize) -> impl FnOnce(&mut Config) {
    move |config| {
        config.segment_size = size.try_into().unwrap();
        (config.span_segments, config.event_segments, config.measurement_segments) = (2, 2, 2);
        config.active_blocks = 128;
    }
}

/// Records a text and checks what is left of it: all, or, if it is too long, most of what there is room for.
fn check(place: &Place, segment: usize, given: &str) {
    let program = Program::new(segments(segment));
    let longest = (place.longest)(Room(segment));
    (place.record)(&program, given).unwrap();
    let snapshot = program.snapshot();
    let is_cut = given.len() > longest;
    let context = format!("{} of {} bytes, at most {longest}", place.name, given.len());
    let found = (place.find)(&snapshot);
    assert!(given.starts_with(found), "{context}");
    if is_cut {
        assert!(found.len() <= longest && found.len() > longest / 10 * 9, "{context}: {}", found.len());
    } else {
        assert_eq!(found.len(), given.len(), "{context}");
    }
    let marks = snapshot.events.iter().map(|event| event.truncated);
    let marks: Vec<bool> = marks.chain(snapshot.spans.iter().map(|span| span.truncated)).collect();
    assert_eq!(marks, [is_cut], "{context}");
    let losses = snapshot.losses.signal(place.signal);
    assert_eq!(losses.counter(Counter::Truncated), u64::from(is_cut), "{context}");
    assert_eq!(losses.lost(), 0, "{context}");
}

#[test]
fn texts_are_whole_up_to_the_last_byte_of_a_record() {
    const SEGMENT: usize = 8192;
    let text = "t".repeat(SEGMENT + 1);
    for place in EVENT_PLACES.iter().chain(&SPAN_PLACES) {
        let longest = (place.longest)(Room(SEGMENT));
        assert!(longest > MAX_INTERNED, "a key that stands inline");
        let around = [longest - 1, longest, longest + 1, SEGMENT - 1, SEGMENT, SEGMENT + 1];
        let few = if place.name == "key of an attribute" { vec![1] } else { vec![0, 1] };
        for length in few.into_iter().chain(around) {
            check(place, SEGMENT, &text[..length]);
        }
    }
}

#[test]
fn texts_of_100_megabytes_are_cut_to_the_largest_segment_and_to_small_ones() {
    let text = "t".repeat(100 << 20);
    for place in EVENT_PLACES.iter().chain(&SPAN_PLACES) {
        check(place, 8192, &text);
    }
    for place in [&EVENT_PLACES[0], &EVENT_PLACES[1], &EVENT_PLACES[2], &SPAN_PLACES[0]] {
        check(place, 8 << 20, &text);
    }
    let program = Program::new(|_| {});
    assert!(matches!(program.writer.record_string(&text), Err(Error::Invalid { argument: "string", .. })));
    let attributes = [KeyValue { key: "key", value: Value::String(&text) }];
    let sum = program.sum("sum");
    assert!(matches!(program.writer.bind(sum, &attributes), Err(Error::Invalid { .. })));
}

/// With a count of its own of what was left out, an event is as long as a segment.
#[test]
fn a_record_as_long_as_a_segment() {
    const SEGMENT: usize = 4096;
    let text = "t".repeat(Room(SEGMENT).event() - ITEM);
    let attributes = [KeyValue { key: "key", value: Value::String(&text) }];
    let program = Program::new(segments(SEGMENT));
    for _ in 0..9 {
        let event = Event { attributes: &attributes, dropped_attributes_count: 5, ..empty(&program) };
        program.writer.record_event(&event).unwrap();
    }
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events.len(), 2);
    for event in &snapshot.events {
        assert_eq!((event.dropped_attributes_count, event.truncated), (5, false));
        assert_eq!(string(&event.attributes[0].value), text);
    }
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!((losses.recorded, losses.overwritten), (9, 7));
    let fill = program.recording().fill().unwrap().pools[1];
    assert_eq!(fill.bytes.used, fill.bytes.total);
}

/// A record goes into what is left of a segment if it fits to the byte, and into the next one if it does not.
#[test]
fn records_fill_what_is_left_of_a_segment() {
    const SEGMENT: usize = 4096;
    const SMALLEST: usize = RecordHeader::SIZE + EventBody::SIZE;
    let text = "t".repeat(SEGMENT);
    let record = |program: &Program, time, size: usize| {
        // An item has 8 bytes at least.
        let attributes = [KeyValue { key: "key", value: Value::String(&text[..size - SMALLEST - ITEM]) }];
        let event = Event { attributes: &attributes, ..program.event(time, &()) };
        program.writer.record_event(&Event { name: None, ..event }).unwrap();
    };
    let second = SMALLEST + ITEM + 40;
    for left in [0, 8, second - 8, second, second + 8] {
        let program = Program::new(segments(SEGMENT));
        // In two, since a record with no count of what was left out is shorter than a segment.
        record(&program, 1, 1024);
        record(&program, 2, SEGMENT - 1024 - left);
        record(&program, 3, second);
        record(&program, 4, second);
        let events = program.snapshot().events;
        let places: Vec<(u32, u64)> =
            events.iter().map(|event| (event.position.segment, event.position.sequence)).collect();
        let expected = if left < second { [(1, 0), (1, 1)] } else { [(0, 2), (1, 0)] };
        assert_eq!(places[..2], [(0, 0), (0, 1)]);
        assert_eq!(places[2..], expected, "{left} bytes left for {second}");
        let end = events[1].position.offset + (SEGMENT - 1024 - left) as u64;
        let segment = events[0].position.offset;
        assert_eq!(end + left as u64, segment + SEGMENT as u64);
    }
}

#[test]
fn strings_up_to_the_longest_and_up_to_the_last_byte_of_their_room() {
    let text = "s".repeat(100_000);
    let entry = |length| align8(EntryHeader::SIZE + length) as u64;
    let program = Program::new(|config| config.dictionary_size = 64 << 10);
    let used = || program.recording().fill().unwrap().dictionary.used;
    for length in [0, 1, 7, 8, 9, MAX_INTERNED - 1, MAX_INTERNED] {
        let before = used();
        let reference = program.writer.record_string(&text[..length]).unwrap();
        assert_eq!(used(), before + entry(length), "{length}");
        assert_eq!(program.writer.record_string(&text[..length]).unwrap(), reference);
        let event = Event { name: Some(Text::Ref(reference)), ..program.event(length as u64, &()) };
        program.writer.record_event(&event).unwrap();
        let events = program.snapshot().events;
        assert_eq!(events.last().unwrap().event_name.len(), length);
    }
    let longer = program.writer.record_string(&text[..=MAX_INTERNED]);
    assert!(matches!(longer, Err(Error::Invalid { argument: "string", .. })));
    // Strings may take three quarters.
    let limit = (64 << 10) / 4 * 3;
    for number in 0.. {
        let left = limit - used();
        if left < entry(MAX_INTERNED) + entry(64) {
            break;
        }
        program.writer.record_string(&format!("{number:04096}")).unwrap();
    }
    let half = |left: u64| usize::try_from(left / 16 * 8).unwrap() - EntryHeader::SIZE;
    program.writer.record_string(&text[..half(limit - used()) - 100]).unwrap();
    let left = usize::try_from(limit - used()).unwrap() - EntryHeader::SIZE;
    assert!(left < MAX_INTERNED);
    assert!(matches!(program.writer.record_string(&text[..=left]), Err(Error::DictionaryFull)));
    program.writer.record_string(&text[..left]).unwrap();
    assert_eq!(used(), limit);
    assert!(matches!(program.writer.record_string("a"), Err(Error::DictionaryFull)));
    fill_with_definitions(&program, &text);
}

/// Definitions take the rest, to the last byte.
fn fill_with_definitions(program: &Program, text: &str) {
    let left = || {
        let usage = program.recording().fill().unwrap().dictionary;
        usize::try_from(usage.total - usage.used).unwrap()
    };
    let resource = |length: usize| {
        let attributes = [KeyValue { key: "service.name", value: Value::String(&text[..length]) }];
        program.writer.create_resource(&attributes, None)
    };
    let longest = left() - EntryHeader::SIZE - ITEM;
    assert!(matches!(resource(longest + 1), Err(Error::DictionaryFull)));
    resource(longest).unwrap();
    assert_eq!(left(), 0);
    resource(longest).unwrap();
    assert!(matches!(resource(1), Err(Error::DictionaryFull)));
    assert_eq!(program.writer.counter(Signal::Events, Counter::DefinitionLost).unwrap(), 2);
    program.snapshot();
}

/// Bytes that the file system has allocated for the recording.
fn allocated(program: &Program) -> u64 {
    std::fs::metadata(program.writer.path().unwrap()).unwrap().blocks() * 512
}

/// By how much the recording's space grows when it grows next.
fn next_growth(program: &Program, mut record: impl FnMut()) -> u64 {
    let before = allocated(program);
    for _ in 0..10_000 {
        record();
        if allocated(program) != before {
            return allocated(program) - before;
        }
    }
    panic!("it needs no space");
}

#[test]
fn what_is_used_has_space_to_its_last_page() {
    let program = Program::new(|_| {});
    let event = || program.writer.record_event(&program.event(1, &())).unwrap();
    let mut number = 0;
    let intern = || {
        number += 1;
        program.writer.record_string(&format!("{number}{}", "x".repeat(4_000))).unwrap();
    };
    // The first takes a segment, and puts its name into the dictionary. From then on space comes before it is used, for
    // a whole segment, and in steps of 64 KiB for the dictionary; a page without any would come when it is stored to.
    event();
    assert_eq!(next_growth(&program, event), u64::from(Config::new("").segment_size));
    assert_eq!(next_growth(&program, intern), 64 << 10);
}
