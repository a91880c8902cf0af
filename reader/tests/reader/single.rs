//! Reading one record again, and what costs no look at the records.

use std::fs::File;
use std::os::unix::fs::FileExt;

use otlp_mmap_format::U64;
use otlp_mmap_reader::model::{Position, Record};
use otlp_mmap_reader::{Recording, Report, Signal};

use crate::support::{Image, name};

fn signal(record: &Record) -> Signal {
    match record {
        Record::Span(_) => Signal::Spans,
        Record::Event(_) => Signal::Events,
        Record::Measurement(_) => Signal::Measurements,
    }
}

/// Some records, and a recycled segment.
fn image() -> Image {
    let mut image = Image::new();
    image.span(0, 1, &name("one"));
    image.recycle(Signal::Spans, 0);
    image.span(0, 2, &name("two"));
    image.span(0, 3, &name("three"));
    image.span(3, 4, &name("four"));
    image.event(1, 5, &name("five"));
    image
}

fn records(recording: &Recording) -> Vec<Record> {
    recording.observe().poll().unwrap().records
}

#[test]
fn every_record_is_read_again_as_it_was() {
    let recording = image().open();
    let records = records(&recording);
    assert_eq!(records.len(), 4);
    for record in records {
        let again = recording.record(signal(&record), record.position());
        assert_eq!(again, Some(record));
    }
}

#[test]
fn no_other_position_gives_a_record() {
    let recording = image().open();
    for record in records(&recording) {
        let at = record.position();
        for (segment, sequence, offset) in [
            (at.segment + 1, at.sequence, at.offset),
            (9, at.sequence, at.offset),
            (u32::MAX, at.sequence, at.offset),
            (at.segment, at.sequence + 1, at.offset),
            (at.segment, u64::MAX, at.offset),
            (at.segment, at.sequence, at.offset + 8),
            (at.segment, at.sequence, at.offset + 4),
            (at.segment, at.sequence, 0),
            (at.segment, at.sequence, u64::MAX),
        ] {
            let position = Position { segment, sequence, offset };
            assert_eq!(recording.record(signal(&record), position), None, "{position:?}");
        }
        assert_eq!(recording.record(Signal::Measurements, at), None);
    }
}

#[test]
fn an_overwritten_record_is_gone() {
    let mut image = image();
    let file: File = image.file();
    let recording = Recording::from_file(file.try_clone().unwrap(), "live").unwrap();
    let before = records(&recording);
    image.recycle(Signal::Spans, 0);
    file.write_all_at(&image.bytes, 0).unwrap();
    // The bytes of the records stand there still.
    let found = before.iter().filter(|record| recording.record(signal(record), record.position()).is_some());
    let found: Vec<_> = found.map(|record| record.position().segment).collect();
    assert_eq!(found, [3, 1]);
    image.span(0, 6, &name("six"));
    file.write_all_at(&image.bytes, 0).unwrap();
    let position = before[0].position();
    assert_eq!((position.segment, recording.record(Signal::Spans, position)), (0, None));
}

#[test]
fn a_damaged_record_and_one_that_is_cut_off_are_gone() {
    let mut image = image();
    let file = image.file();
    let recording = Recording::from_file(file.try_clone().unwrap(), "live").unwrap();
    let before = records(&recording);
    for record in &before {
        let at = usize::try_from(record.position().offset).unwrap();
        image.bytes[at] ^= 8;
        file.write_all_at(&image.bytes, 0).unwrap();
        assert_eq!(recording.record(signal(record), record.position()), None);
        image.bytes[at] ^= 8;
        file.write_all_at(&image.bytes, 0).unwrap();
        assert!(recording.record(signal(record), record.position()).is_some());
    }
    file.set_len(4096).unwrap();
    for record in &before {
        assert_eq!(recording.record(signal(record), record.position()), None);
    }
}

#[test]
fn a_record_found_without_its_committed_word_is_read_again() {
    let mut image = image();
    image.close(1);
    image.put(Image::table_at(Signal::Spans, 3), &U64::new(77));
    let recording = image.open();
    let records = records(&recording);
    assert_eq!(records.len(), 4);
    for record in records {
        assert_eq!(recording.record(signal(&record), record.position()), Some(record));
    }
}

#[test]
fn the_table_of_spans_in_flight_is_told_as_it_is() {
    let mut image = image();
    let content = image.span_content(7, &name("seven"));
    image.active(&[0], &content);
    let ended = image.span_content(2, &name("two"));
    image.active(&[1], &ended);
    let recording = image.open();
    let ids = |spans: Vec<otlp_mmap_reader::model::Span>| -> Vec<u8> {
        spans.iter().map(|span| span.span_id[0]).collect()
    };
    let mut all = ids(recording.active_spans(&mut Report::default()));
    all.sort_unstable();
    assert_eq!(all, [2, 7]);
    assert_eq!(ids(recording.spans_in_flight(&mut Report::default()).unwrap()), [7]);
}

#[test]
fn losses_are_the_same_without_a_look_at_the_records() {
    let recording = image().open();
    let mut observer = recording.observe();
    observer.poll().unwrap();
    let losses = observer.losses().unwrap();
    assert_eq!(losses, recording.losses().unwrap());
    let spans = losses.signal(Signal::Spans);
    assert_eq!((spans.recorded, spans.overwritten), (4, 1));
}
