//! What a reader finds if the file changes right before any one of its reads.
//!
//! A writer waits for nobody, so a recording may go on between any two reads of a reader. Threads that race meet few of
//! these moments; here each is tried. A file goes through a few states, as a writer leaves them, while a reader looks
//! at it: the first change comes before its first, second, third ... read, and the next one so many reads later.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use otlp_mmap_format::{
    ActiveCommit, GaugeCopy, ItemTag, MetricStreamBody, SeriesKind, SumCell, U32, U64, VALUE_INT,
    WRITER_LOCK_BYTE, seal,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::model::{Number, Point, Span};
use crate::source::Source;
use crate::{Liveness, Observer, Recording, Report, Signal};
use support::{CELLS_AT, Image, attribute, name, text_item};

#[allow(dead_code, reason = "the tests of the public API use the rest")]
#[path = "../tests/support/mod.rs"]
mod support;

/// Reads between the first change of a file and the second.
const APART: std::ops::Range<usize> = 0..6;

thread_local! {
    /// What happens before each read of this thread.
    static BEFORE_READ: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Called before each read of a file.
pub(crate) fn before_read() {
    // The hook itself reads nothing through a `Source`.
    BEFORE_READ.with_borrow_mut(|hook| {
        if let Some(hook) = hook {
            hook();
        }
    });
}

/// Has `change` come before each read of `read`, with the number of that read.
fn while_reading<T>(mut change: impl FnMut(usize) + 'static, read: impl FnOnce() -> T) -> T {
    let mut number = 0;
    BEFORE_READ.set(Some(Box::new(move || {
        change(number);
        number += 1;
    })));
    let found = read();
    BEFORE_READ.set(None);
    found
}

/// A file whose writer lives.
struct Live {
    recording: Recording,
    file: tempfile::NamedTempFile,
    /// Holds the writer's lock.
    writer: Source,
}

impl Live {
    fn new(image: &Image) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all_at(&image.bytes, 0).unwrap();
        let writer = Source::new(file.reopen().unwrap(), Path::new("writer"));
        assert!(writer.lock(WRITER_LOCK_BYTE).unwrap());
        let recording = Recording::open(file.path()).unwrap();
        assert_eq!(recording.liveness(), Liveness::Alive);
        Self { recording, file, writer }
    }

    /// Has the file become `states`, the first before the read number `first`, the others each `apart` reads later,
    /// while `read` reads; gives what that found, and whether there was such a read.
    fn change_while<T>(
        &self,
        states: &[Image],
        first: usize,
        apart: usize,
        read: impl FnOnce() -> T,
    ) -> (T, bool) {
        let (file, states) = (self.file.reopen().unwrap(), states.to_vec());
        let is_met = Rc::new(Cell::new(false));
        let met = Rc::clone(&is_met);
        let change = move |number| {
            for (index, state) in states.iter().enumerate() {
                if number == first + index * apart {
                    file.write_all_at(&state.bytes, 0).unwrap();
                    met.set(true);
                }
            }
        };
        (while_reading(change, read), is_met.get())
    }
}

/// Lets a file go through `states` at every moment of `read`; `judge` has the last word on what was read, with the file
/// in its last state.
fn at_every_moment<T>(
    states: &[Image],
    prepare: impl Fn(&Live) -> Observer,
    read: impl Fn(&Live, &mut Observer) -> T,
    judge: impl Fn(&Live, &mut Observer, T, &str),
) {
    for apart in APART {
        for first in 0.. {
            let live = Live::new(&states[0]);
            let mut observer = prepare(&live);
            let (found, is_met) =
                live.change_while(&states[1..], first, apart, || read(&live, &mut observer));
            live.file.as_file().write_all_at(&states.last().unwrap().bytes, 0).unwrap();
            judge(&live, &mut observer, found, &format!("changes before read {first}, {apart} apart"));
            if !is_met {
                assert!(first > 0, "nothing is read");
                break;
            }
        }
    }
}

fn span_ids(spans: &[Span]) -> Vec<u8> {
    spans.iter().map(|span| span.span_id[0]).collect()
}

/// Spans of different sizes, so that records of one generation begin where none of another does.
fn record(image: &mut Image, number: u8) {
    let filler = vec![b'a' + number; usize::from(number) * 40];
    let mut items = name(&format!("span {number}"));
    items.extend(attribute("filler", otlp_mmap_format::ValueType::String, &filler));
    image.span(0, number, &items);
}

/// The generations of a segment: each record is seen once, whole, under its number, or counted as missed.
fn follow(states: &[Image]) {
    let total = states.last().unwrap().open().losses().unwrap().signal(Signal::Spans).recorded;
    let prepare = |live: &Live| {
        let mut observer = live.recording.observe();
        let first = observer.poll().unwrap();
        assert!(first.records.is_empty() && first.report.is_clean());
        observer
    };
    let read = |_: &Live, observer: &mut Observer| observer.poll().unwrap();
    at_every_moment(states, prepare, read, |_, observer, batch, moment| {
        let rest = observer.poll().unwrap();
        let mut seen = Vec::new();
        for batch in [&batch, &rest] {
            assert!(batch.report.is_clean(), "{moment}: {:?}", batch.report);
            for record in &batch.records {
                let crate::model::Record::Span(span) = record else { panic!("{record:?}") };
                let number = span.span_id[0];
                assert_eq!(&*span.name, format!("span {number}"), "{moment}");
                assert_eq!(span.position.sequence + 1, u64::from(number), "{moment}");
                seen.push(number);
            }
        }
        assert!(seen.is_sorted_by(|one, next| one < next), "{moment}: {seen:?}");
        let missed = batch.missed(Signal::Spans) + rest.missed(Signal::Spans);
        assert_eq!(seen.len() as u64 + missed, total, "{moment}: {seen:?} and {missed} missed");
    });
}

#[test]
fn records_are_seen_once_or_missed_whenever_their_segment_is_recycled() {
    let mut states = vec![Image::new()];
    for numbers in [1..=2, 3..=5, 6..=6] {
        let mut next = states.last().unwrap().clone();
        if *numbers.start() > 1 {
            next.recycle(Signal::Spans, 0);
        }
        numbers.for_each(|number| record(&mut next, number));
        states.push(next);
    }
    follow(&states);
    // Claimed by the time of the poll, and not before it.
    follow(&[&states[..1], &states[2..]].concat());
}

/// The same length in each generation.
#[test]
fn a_generation_as_long_as_the_one_before_is_seen() {
    let mut states = vec![Image::new()];
    for number in 1..=4 {
        let mut next = states.last().unwrap().clone();
        if number > 1 {
            next.recycle(Signal::Spans, 0);
        }
        next.span(0, number, &name(&format!("span {number}")));
        states.push(next);
    }
    follow(&states);
}

#[test]
fn records_are_seen_once_whenever_more_come() {
    let mut states = vec![Image::new()];
    for number in 1..=3 {
        let mut next = states.last().unwrap().clone();
        record(&mut next, number);
        states.push(next);
    }
    follow(&states);
}

/// A record whose name was put into the dictionary right before it.
#[test]
fn a_new_name_is_known_whenever_its_record_comes() {
    let (mut interned, mut recorded) = (Image::new(), Image::new());
    for image in [&mut interned, &mut recorded] {
        assert_ne!(image.string("span 1"), 0);
    }
    let reference = Image::new().string("span 1");
    recorded.span(0, 1, &name_by_reference(reference));
    follow(&[Image::new(), interned, recorded.clone()]);
    follow(&[Image::new(), recorded]);
}

/// A `Name` item by reference.
fn name_by_reference(reference: u32) -> Vec<u8> {
    support::item(ItemTag::Name.code(), reference, &[])
}

/// Content over three blocks that says throughout whose it is.
fn content(image: &mut Image, number: u8) -> Vec<u8> {
    let filler = vec![b'a' + number; 600];
    let items =
        [name(&format!("span {number}")), attribute("filler", otlp_mmap_format::ValueType::String, &filler)];
    image.span_content(number, &items.concat())
}

fn publish(image: &mut Image, head: u32, generation: u32, bytes: usize) {
    let bytes = u32::try_from(bytes).unwrap();
    image.put(Image::block_at(head), &U64::new(ActiveCommit { generation, bytes }.pack(head)));
}

fn spans_in_flight(states: &[Image], judge: impl Fn(Vec<u8>, &str)) {
    let read = |live: &Live, _: &mut Observer| {
        let mut report = Report::default();
        (live.recording.spans_in_flight(&mut report).unwrap(), report)
    };
    at_every_moment(
        states,
        |live| live.recording.observe(),
        read,
        |_, _, (spans, report), moment| {
            assert!(report.is_clean(), "{moment}: {report:?}");
            for span in &spans {
                let number = span.span_id[0];
                let filler = String::from_utf8(vec![b'a' + number; 600]).unwrap();
                assert_eq!(&*span.name, format!("span {number}"), "{moment}");
                assert_eq!(span.attributes[0].value, crate::model::Value::String(filler), "{moment}");
                assert!(!span.spilled, "{moment}");
            }
            judge(span_ids(&spans), moment);
        },
    );
}

#[test]
fn a_span_in_flight_is_whole_or_not_there_whenever_its_blocks_go_to_another() {
    let mut one = Image::new();
    let first = content(&mut one, 1);
    one.active(&[7, 2, 15], &first);
    let mut ended = one.clone();
    publish(&mut ended, 7, 1, 0);
    // Its content is being stored, over the blocks in another order.
    let mut begun = ended.clone();
    let second = content(&mut begun, 2);
    begun.active(&[7, 15, 2], &second);
    publish(&mut begun, 7, 1, 0);
    let mut other = begun.clone();
    publish(&mut other, 7, 2, second.len());
    for states in [
        vec![one.clone(), other.clone()],
        vec![one.clone(), begun, other.clone()],
        vec![one.clone(), ended, other.clone()],
    ] {
        spans_in_flight(&states, |ids, moment| {
            assert!(ids.is_empty() || ids == [1] || ids == [2], "{moment}: {ids:?}");
        });
    }
}

/// There is no instant between the two.
#[test]
fn a_span_is_in_flight_or_recorded_whenever_it_ends() {
    let mut started = Image::new();
    let bytes = content(&mut started, 1);
    started.active(&[7, 2, 15], &bytes);
    let mut recorded = started.clone();
    record(&mut recorded, 1);
    let mut ended = recorded.clone();
    publish(&mut ended, 7, 1, 0);
    let states = [started, recorded, ended];
    let read = |live: &Live, _: &mut Observer| live.recording.snapshot().unwrap();
    at_every_moment(
        &states,
        |live| live.recording.observe(),
        read,
        |_, _, snapshot, moment| {
            assert!(snapshot.report.is_clean(), "{moment}: {:?}", snapshot.report);
            let found = [span_ids(&snapshot.spans), span_ids(&snapshot.spans_in_flight)].concat();
            assert_eq!(found, [1], "{moment}");
        },
    );
}

/// A series and the offset of its header.
fn series(aggregation: u32, kind: SeriesKind, cell: &[u8]) -> (Image, usize) {
    let mut image = Image::new();
    let body = MetricStreamBody { aggregation: U32::new(aggregation), ..MetricStreamBody::new_zeroed() };
    let stream = image.stream(body, &text_item(ItemTag::Unit.code(), 0, "1"));
    let at = image.series(kind, stream, 0, 0, cell);
    assert!(at > CELLS_AT);
    (image, at)
}

/// The values that are found, with their times, whenever the file changes.
fn values(states: &[Image], expected: &[Option<(u64, Number)>]) {
    let read = |live: &Live, _: &mut Observer| {
        let mut report = Report::default();
        (live.recording.series(&mut report).unwrap(), report)
    };
    at_every_moment(
        states,
        |live| live.recording.observe(),
        read,
        |_, _, (series, report), moment| {
            assert!(report.is_clean(), "{moment}: {report:?}");
            let found = series.first().map(|series| match series.point {
                Point::Gauge(value) | Point::Sum(value) => (series.time_unix_nano, value),
                ref other => panic!("{other:?}"),
            });
            assert!(expected.contains(&found), "{moment}: {found:?}");
        },
    );
}

#[test]
fn a_gauge_is_never_half_of_one_value_and_half_of_another() {
    const COPIES: usize = 64;
    let copy = |time: u64, value: u64| {
        let (time, value) = (U64::new(time), U64::new(value));
        GaugeCopy {
            time_unix_nano: time,
            value_bits: value,
            value_type: U64::new(VALUE_INT),
            reserved: U64::ZERO,
        }
    };
    let cell = [copy(2, 2).as_bytes(), copy(1, 1).as_bytes()].concat();
    let (second, at) = series(1, SeriesKind::Gauge, &cell);
    let mut third = second.clone();
    third.put(at + COPIES + GaugeCopy::SIZE, &copy(3, 3));
    third.put(at + 32, &U64::new(seal(3)));
    // The copy of the second value is being changed.
    let mut changing = third.clone();
    changing.put(at + COPIES, &copy(4, 2));
    let mut fourth = third.clone();
    fourth.put(at + COPIES, &copy(4, 4));
    fourth.put(at + 32, &U64::new(seal(4)));
    let expected = [2_u64, 3, 4].map(|value| Some((value, Number::Int(value.cast_signed()))));
    values(&[second.clone(), third.clone(), changing.clone()], &expected[..2]);
    values(&[second.clone(), changing.clone(), fourth.clone()], &expected);
    values(&[second, changing], &expected[..2]);
    values(&[third, fourth], &expected[1..]);
}

#[test]
fn a_sum_never_lacks_its_type() {
    let cell = |int: i64, seen: u64, time: u64| SumCell {
        int_value: U64::new(int.cast_unsigned()),
        seen: U64::new(seen),
        time_unix_nano: U64::new(time),
        ..SumCell::new_zeroed()
    };
    let (empty, at) = series(2, SeriesKind::Sum, cell(0, 0, 0).as_bytes());
    let state = |next: SumCell| {
        let mut image = empty.clone();
        image.put(at + 64, &next);
        image
    };
    let states = [empty.clone(), state(cell(0, VALUE_INT, 7)), state(cell(5, VALUE_INT, 7))];
    let expected = [None, Some((7, Number::Int(0))), Some((7, Number::Int(5)))];
    values(&states, &expected);
    values(&[states[0].clone(), states[2].clone()], &expected);
}

/// An observer can rely on it: what counts as overwritten was recorded, but for what is in the file.
#[test]
fn losses_are_those_of_some_moment() {
    let mut states = vec![Image::new()];
    record(&mut states[0], 1);
    for number in 2..=3 {
        let mut next = states.last().unwrap().clone();
        next.recycle(Signal::Spans, 0);
        record(&mut next, number);
        states.push(next);
    }
    let read = |live: &Live, _: &mut Observer| live.recording.losses().unwrap();
    at_every_moment(
        &states,
        |live| live.recording.observe(),
        read,
        |_, _, losses, moment| {
            let spans = losses.signal(Signal::Spans);
            // Overwritten is looked up after recorded, and may be newer.
            let (recorded, overwritten) = (spans.recorded, spans.overwritten);
            assert!(
                (1..=3).contains(&recorded) && (recorded - 1..=2).contains(&overwritten),
                "{moment}: {spans:?}"
            );
        },
    );
}

#[test]
fn a_writer_is_never_dead_whenever_it_closes() {
    for first in 0..8 {
        let Live { recording, file, writer } = Live::new(&Image::new());
        let mut closed = Image::new();
        closed.close(5);
        let mut writer = Some(writer);
        let change = move |number| {
            if number == first {
                file.as_file().write_all_at(&closed.bytes, 0).unwrap();
                // Closed first, then unlocked.
                drop(writer.take());
            }
        };
        let liveness = while_reading(change, || recording.liveness());
        let expected = [Liveness::Alive, Liveness::Closed { realtime_nanos: 5 }];
        assert!(expected.contains(&liveness), "closed before read {first}: {liveness:?}");
    }
}
