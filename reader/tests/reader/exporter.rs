//! Acknowledgements, and the losses that follow from them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use otlp_mmap_format::{Acknowledged, EXPORTER_LOCK_BYTE, U64, WRITER_LOCK_BYTE, counter_index};
use otlp_mmap_reader::{Counter, Error, Exporter, Recording, Signal};

use crate::observer::lock;
use crate::support::{COUNTERS_AT, Image};

fn named(image: &Image) -> tempfile::NamedTempFile {
    let named = tempfile::NamedTempFile::new().unwrap();
    named.as_file().write_all_at(&image.bytes, 0).unwrap();
    named
}

fn word(file: &File, signal: Signal, slot: u32) -> Acknowledged {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, Image::table_at(signal, slot) as u64 + 8).unwrap();
    Acknowledged::unpack(u64::from_le_bytes(bytes)).unwrap()
}

fn with_events() -> Image {
    let mut image = Image::new();
    for number in 1..=3 {
        image.event(2, number, &[]);
    }
    image
}

#[test]
fn what_is_delivered_is_acknowledged() {
    let file = named(&with_events());
    let exporter = Exporter::attach(file.path()).unwrap();
    let batch = exporter.recording().observe_unacknowledged().poll().unwrap();
    for progress in &batch.progress {
        let (slot, generation, records) = (progress.segment, progress.generation, progress.records);
        assert!(exporter.acknowledge(progress.signal, slot, generation, records).unwrap());
    }
    let expected = Acknowledged { generation: 1, closed: false, records: 3 };
    assert_eq!(word(file.as_file(), Signal::Events, 2), expected);
    let again = exporter.recording().observe_unacknowledged().poll().unwrap();
    assert!(again.records.is_empty());
}

#[test]
fn an_acknowledgement_is_never_taken_back() {
    let file = named(&with_events());
    let exporter = Exporter::attach(file.path()).unwrap();
    assert!(exporter.acknowledge(Signal::Events, 2, 1, 2).unwrap());
    assert!(exporter.acknowledge(Signal::Events, 2, 1, 1).unwrap());
    assert_eq!(word(file.as_file(), Signal::Events, 2).records, 2);
}

#[test]
fn a_closed_or_recycled_segment_is_not_acknowledged() {
    let image = with_events();
    let file = named(&image);
    let exporter = Exporter::attach(file.path()).unwrap();
    // A closed word binds while the writer lives.
    let writer = File::options().read(true).write(true).open(file.path()).unwrap();
    lock(&writer, WRITER_LOCK_BYTE);
    for present in [
        Acknowledged { generation: 1, closed: true, records: 1 },
        Acknowledged { generation: 2, closed: false, records: 0 },
    ] {
        let at = Image::table_at(Signal::Events, 2) as u64 + 8;
        file.as_file().write_all_at(&present.pack().to_le_bytes(), at).unwrap();
        assert!(!exporter.acknowledge(Signal::Events, 2, 1, 3).unwrap());
        assert_eq!(word(file.as_file(), Signal::Events, 2), present);
    }
}

#[test]
fn a_closed_word_of_a_dead_writer_does_not_bind() {
    let file = named(&with_events());
    let exporter = Exporter::attach(file.path()).unwrap();
    let present = Acknowledged { generation: 1, closed: true, records: 1 };
    let at = Image::table_at(Signal::Events, 2) as u64 + 8;
    file.as_file().write_all_at(&present.pack().to_le_bytes(), at).unwrap();
    assert!(exporter.acknowledge(Signal::Events, 2, 1, 3).unwrap());
    assert_eq!(word(file.as_file(), Signal::Events, 2), Acknowledged { records: 3, ..present });
}

#[test]
fn only_one_exporter_attaches() {
    let file = named(&Image::new());
    let first = Exporter::attach(file.path()).unwrap();
    let second = Exporter::attach(file.path()).unwrap_err();
    assert!(matches!(second, Error::ExporterAttached { offset: EXPORTER_LOCK_BYTE, .. }), "{second}");
    drop(first);
    Exporter::attach(file.path()).unwrap();
    let other = File::options().read(true).write(true).open(file.path()).unwrap();
    lock(&other, EXPORTER_LOCK_BYTE);
    assert!(matches!(Exporter::attach(file.path()), Err(Error::ExporterAttached { .. })));
}

#[test]
fn arguments_are_checked() {
    let file = named(&Image::new());
    let exporter = Exporter::attach(file.path()).unwrap();
    let slot = exporter.acknowledge(Signal::Spans, 4, 1, 0).unwrap_err();
    assert!(matches!(slot, Error::OutOfRange { argument: "slot", limit: 4, found: 4 }));
    let records = exporter.acknowledge(Signal::Spans, 0, 1, 1 << 31).unwrap_err();
    assert!(matches!(records, Error::OutOfRange { argument: "records", .. }));
}

#[test]
fn losses_count_what_was_overwritten_unacknowledged() {
    let mut image = with_events();
    let acknowledged = Acknowledged { generation: 1, closed: false, records: 1 }.pack();
    image.put(Image::table_at(Signal::Events, 2) + 8, &U64::new(acknowledged));
    image.recycle(Signal::Events, 2);
    image.event(2, 4, &[]);
    image.event(0, 5, &[]);
    let counter = COUNTERS_AT + 8 * counter_index(Signal::Events, Counter::Busy);
    image.put(counter, &U64::new(7));
    let counter = COUNTERS_AT + 8 * counter_index(Signal::Events, Counter::Truncated);
    image.put(counter, &U64::new(100));
    let losses = image.open().losses().unwrap();
    let events = losses.signal(Signal::Events);
    assert_eq!((events.recorded, events.overwritten), (5, 2));
    assert_eq!((events.counter(Counter::Busy), events.lost()), (7, 9));
    assert_eq!(losses.signal(Signal::Spans).lost(), 0);
    assert_eq!(losses.counters().map(|(_, _, value)| value).sum::<u64>(), 107);
}

#[test]
fn fill_says_how_full_every_part_is() {
    let mut image = with_events();
    image.active(&[3, 5], &[1; 300]);
    let fill = image.open().fill().unwrap();
    let [spans, events, _] = fill.pools;
    assert_eq!((spans.segments.used, spans.segments.total), (0, 4));
    assert_eq!((events.segments.used, events.bytes.used, events.bytes.total), (1, 3 * 80, 4 * 4096));
    assert_eq!((fill.active_blocks.used, fill.active_blocks.total), (2, 16));
    assert_eq!((fill.cells.used, fill.cells.total), (64, 16384));
    assert!(fill.dictionary.used > 64);
}

#[test]
fn a_read_only_file_has_no_exporter() {
    let missing = Exporter::attach("/nonexistent/recording.otlpmm").unwrap_err();
    assert!(matches!(missing, Error::Io { what: "cannot open", .. }));
    assert!(Recording::open("/").is_err());
}
