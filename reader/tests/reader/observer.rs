//! Following records: what comes, what is missed, what is damaged.

use std::fs::File;
use std::os::unix::fs::FileExt;

use otlp_mmap_format::{Acknowledged, Committed, RecordHeader, RecordType, SegmentEntry, U64};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Batch, Liveness, Recording, Report, Rule, Signal};

use crate::support::{FILE_ID, Image, name, record};

/// Span ids of a batch, in its order.
pub(crate) fn ids(batch: &Batch) -> Vec<u8> {
    let ids = batch.records.iter().map(|record| match record {
        Record::Span(span) => span.span_id[0],
        Record::Event(event) => event.span_id[0],
        Record::Measurement(measurement) => measurement.span_id[0],
    });
    ids.collect()
}

pub(crate) fn rules(report: &Report) -> Vec<Rule> {
    report.faults.iter().map(|fault| fault.rule).collect()
}

fn poll(image: &Image) -> Batch {
    image.open().observe().poll().unwrap()
}

/// A file that a test goes on writing.
struct Live {
    image: Image,
    file: File,
    recording: Recording,
}

impl Live {
    fn new(image: Image) -> Self {
        let file = image.file();
        let recording = Recording::from_file(file.try_clone().unwrap(), "live").unwrap();
        Self { image, file, recording }
    }

    fn change(&mut self, change: impl FnOnce(&mut Image)) {
        change(&mut self.image);
        self.file.write_all_at(&self.image.bytes, 0).unwrap();
    }
}

#[test]
fn records_of_all_segments_come_in_order_of_time() {
    let mut image = Image::new();
    for (slot, number) in [(0, 3), (1, 2), (0, 5), (2, 4), (1, 1)] {
        image.span(slot, number, &name("n"));
    }
    let batch = poll(&image);
    assert_eq!(ids(&batch), [1, 2, 3, 4, 5]);
    assert!(batch.report.is_clean(), "{:?}", batch.report);
    assert_eq!(batch.report.readable.spans, 5);
    assert_eq!(batch.progress.len(), 3);
    assert_eq!(batch.missed, [0; 3]);
}

#[test]
fn a_poll_in_parts_goes_on_where_it_stopped() {
    let mut image = Image::new();
    for (slot, number) in [(0, 3), (1, 2), (0, 5), (2, 4), (1, 1)] {
        image.span(slot, number, &name("n"));
    }
    let mut live = Live::new(image);
    let mut observer = live.recording.observe();
    let mut part = |bytes: u64| {
        let (batch, is_whole) = observer.poll_part(bytes).unwrap();
        (ids(&batch), is_whole)
    };
    assert_eq!(part(1), (vec![3, 5], false));
    // What comes behind where it goes on waits for the next round.
    live.change(|image| _ = image.span(0, 6, &name("n")));
    assert_eq!(part(1), (vec![1, 2], false));
    // Whether segments behind are in use is not known yet.
    assert_eq!(part(1), (vec![4], false));
    assert_eq!(part(1), (vec![], true));
    assert_eq!(part(1), (vec![6], true));
    assert_eq!(part(1), (vec![], true));
    live.change(|image| {
        image.span(0, 7, &name("n"));
        image.span(1, 8, &name("n"));
        image.span(2, 9, &name("n"));
    });
    assert_eq!(part(1), (vec![7], false));
    live.change(|image| _ = image.span(0, 10, &name("n")));
    assert_eq!(ids(&observer.poll().unwrap()), [8, 9, 10], "a whole poll begins anew");
    assert!(observer.poll().unwrap().records.is_empty());
}

#[test]
fn a_poll_brings_only_what_is_new() {
    let mut live = Live::new(Image::new());
    let mut observer = live.recording.observe();
    assert_eq!(observer.poll().unwrap(), Batch::default());
    live.change(|image| {
        image.span(0, 1, &[]);
        image.event(3, 9, &[]);
    });
    assert_eq!(ids(&observer.poll().unwrap()), [1, 9]);
    assert_eq!(observer.poll().unwrap(), Batch::default());
    live.change(|image| {
        image.span(0, 2, &[]);
    });
    let batch = observer.poll().unwrap();
    assert_eq!(ids(&batch), [2]);
    assert_eq!(batch.records[0].position().sequence, 1);
    assert_eq!(batch.progress[0].records, 2);
}

#[test]
fn a_lapped_observer_knows_exactly_what_it_missed() {
    let mut live = Live::new(Image::new());
    let mut observer = live.recording.observe();
    live.change(|image| {
        image.span(0, 1, &[]);
        image.span(0, 2, &[]);
    });
    assert_eq!(ids(&observer.poll().unwrap()), [1, 2]);
    live.change(|image| {
        image.span(0, 3, &[]);
        image.recycle(Signal::Spans, 0);
        image.span(0, 4, &[]);
        image.span(0, 5, &[]);
        image.recycle(Signal::Spans, 0);
        image.span(0, 6, &[]);
    });
    let batch = observer.poll().unwrap();
    assert_eq!(ids(&batch), [6]);
    assert_eq!(batch.missed(Signal::Spans), 3);
    assert_eq!(batch.records[0].position().sequence, 5);
    // A segment that was never claimed before may be lapped too.
    live.change(|image| {
        image.event(1, 7, &[]);
        image.recycle(Signal::Events, 1);
    });
    let batch = observer.poll().unwrap();
    assert_eq!(batch.missed, [0, 1, 0]);
    assert!(batch.report.is_clean());
    assert_eq!(observer.poll().unwrap().missed, [0; 3]);
}

#[test]
fn an_observer_does_not_miss_what_was_gone_before_it_came() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    image.recycle(Signal::Spans, 0);
    image.span(0, 2, &[]);
    let batch = poll(&image);
    assert_eq!((ids(&batch), batch.missed), (vec![2], [0; 3]));
    assert_eq!(batch.records[0].position().sequence, 1);
}

#[test]
fn an_empty_segment_that_was_recycled_is_followed() {
    let mut live = Live::new(Image::new());
    live.change(|image| {
        image.span(0, 1, &[]);
        image.recycle(Signal::Spans, 0);
    });
    let mut observer = live.recording.observe();
    assert!(observer.poll().unwrap().records.is_empty());
    live.change(|image| {
        image.span(0, 2, &[]);
    });
    assert_eq!(ids(&observer.poll().unwrap()), [2]);
}

#[test]
fn generations_go_on_after_the_largest() {
    let mut image = Image::new();
    let at = Image::table_at(Signal::Spans, 0);
    image.put(at, &U64::new(Committed { generation: u32::MAX, bytes: 0 }.pack()));
    image.span(0, 1, &[]);
    let mut live = Live::new(image);
    let mut observer = live.recording.observe();
    assert_eq!(ids(&observer.poll().unwrap()), [1]);
    live.change(|image| {
        image.span(0, 2, &[]);
        image.recycle(Signal::Spans, 0);
        image.span(0, 3, &[]);
    });
    let batch = observer.poll().unwrap();
    assert_eq!((ids(&batch), batch.missed), (vec![3], [1, 0, 0]));
    assert_eq!(batch.progress[0].generation, 2);
}

#[test]
fn reading_begins_behind_what_was_acknowledged() {
    let mut image = Image::new();
    for number in 1..=4 {
        image.span(0, number, &[]);
    }
    let word = Acknowledged { generation: 1, closed: false, records: 3 }.pack();
    image.put(Image::table_at(Signal::Spans, 0) + 8, &U64::new(word));
    let batch = image.open().observe_unacknowledged().poll().unwrap();
    assert_eq!(ids(&batch), [4]);
    assert_eq!(batch.progress[0].records, 4);
    assert_eq!(ids(&poll(&image)), [1, 2, 3, 4]);
}

#[test]
fn records_of_an_older_generation_do_not_count() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    image.span(0, 2, &[]);
    let bytes = Committed::unpack(image.get::<U64>(Image::table_at(Signal::Spans, 0)).get()).unwrap().bytes;
    image.recycle(Signal::Spans, 0);
    let stale = Committed { generation: 2, bytes }.pack();
    image.put(Image::table_at(Signal::Spans, 0), &U64::new(stale));
    let batch = poll(&image);
    assert!(batch.records.is_empty());
    assert_eq!(rules(&batch.report), [Rule::RecordCheck]);
}

#[test]
fn reading_goes_on_behind_a_damaged_record() {
    for damage in 0..20 {
        let mut image = Image::new();
        image.span(0, 1, &name("one"));
        let at = image.span(0, 2, &name("two"));
        image.span(0, 3, &name("three"));
        image.bytes[at + damage] ^= 0x40;
        let batch = poll(&image);
        assert_eq!(ids(&batch), [1, 3], "byte {damage}");
        assert_eq!(rules(&batch.report), [Rule::RecordCheck], "byte {damage}");
        assert_eq!(batch.report.faults[0].offset, at as u64);
    }
}

#[test]
fn a_record_with_a_bad_crc_is_skipped_by_its_length() {
    let length = {
        let mut image = Image::new();
        image.span(0, 2, &name("two"));
        image.get::<RecordHeader>(Image::segment_at(Signal::Spans, 0)).length.get() as usize
    };
    for damage in 20..length {
        let mut image = Image::new();
        let at = image.span(0, 2, &name("two"));
        image.span(0, 3, &name("three"));
        image.bytes[at + damage] ^= 1;
        let batch = poll(&image);
        assert_eq!(ids(&batch), [3], "byte {damage}");
        assert_eq!(rules(&batch.report), [Rule::RecordCrc], "byte {damage}");
    }
}

#[test]
fn a_record_hidden_in_a_value_is_not_found() {
    let mut image = Image::new();
    let inner = record(RecordType::Span, 2, 1, 0, &[1; 56]);
    let of_another_file = {
        let mut bytes = inner.clone();
        bytes[16..20].copy_from_slice(&FILE_ID[..4]);
        bytes
    };
    let items = crate::support::attribute("k", otlp_mmap_format::ValueType::Bytes, &of_another_file);
    let at = image.span(0, 1, &items);
    image.span(0, 2, &[]);
    image.bytes[at] ^= 8;
    let batch = poll(&image);
    assert_eq!(ids(&batch), [2]);
}

#[test]
fn impossible_committed_words_are_faults() {
    for bytes in [1, 4097, (1 << 24) - 8] {
        let mut image = Image::new();
        image.span(0, 1, &[]);
        image.event(0, 2, &[]);
        let word = Committed { generation: 1, bytes }.pack();
        image.put(Image::table_at(Signal::Spans, 0), &U64::new(word));
        let batch = poll(&image);
        assert!(ids(&batch).contains(&2), "another segment is not concerned");
        assert!(rules(&batch.report).contains(&Rule::Committed), "{bytes}");
    }
}

#[test]
fn a_flipped_bit_of_a_committed_word_costs_no_record_of_a_dead_file() {
    for bit in 0..64 {
        let mut image = Image::new();
        image.span(0, 1, &[]);
        image.span(0, 2, &[]);
        let at = Image::table_at(Signal::Spans, 0);
        image.put(at, &U64::new(image.get::<U64>(at).get() ^ 1 << bit));
        let batch = poll(&image);
        assert_eq!(ids(&batch), [1, 2], "bit {bit}");
        assert_eq!(rules(&batch.report), [Rule::Committed], "bit {bit}");
        assert_eq!(batch.report.faults[0].offset, at as u64);
    }
}

#[test]
fn a_damaged_word_of_an_entry_is_named_by_verify() {
    for bit in 0..6 * 64 {
        let mut image = Image::new();
        image.span(0, 1, &[]);
        image.recycle(Signal::Spans, 0);
        image.span(0, 2, &[]);
        let at = Image::table_at(Signal::Spans, 0);
        let word = at + bit / 64 * 8;
        image.put(word, &U64::new(image.get::<U64>(word).get() ^ 1 << (bit % 64)));
        let report = image.open().verify().unwrap();
        assert_eq!(report.faults.len(), 1, "bit {bit}: {:?}", report.faults);
        assert_eq!(report.faults[0].offset, at as u64);
        assert_eq!(report.readable.spans, 1, "bit {bit}");
    }
}

#[test]
fn bytes_that_go_back_are_a_fault() {
    let mut live = Live::new(Image::new());
    live.change(|image| {
        image.span(0, 1, &[]);
    });
    let mut observer = live.recording.observe();
    assert_eq!(ids(&observer.poll().unwrap()), [1]);
    live.change(|image| {
        let word = Committed { generation: 1, bytes: 8 }.pack();
        image.put(Image::table_at(Signal::Spans, 0), &U64::new(word));
    });
    let batch = observer.poll().unwrap();
    assert!(batch.records.is_empty());
    assert_eq!(rules(&batch.report), [Rule::Committed]);
}

#[test]
fn bases_that_go_back_are_a_fault_and_nothing_is_missed() {
    let mut live = Live::new(Image::new());
    live.change(|image| {
        image.span(0, 1, &[]);
    });
    let mut observer = live.recording.observe();
    observer.poll().unwrap();
    live.change(|image| {
        image.recycle(Signal::Spans, 0);
        image.put(Image::table_at(Signal::Spans, 0) + 16, &[U64::ZERO, U64::ZERO][..]);
        image.span(0, 2, &[]);
    });
    let batch = observer.poll().unwrap();
    assert_eq!((ids(&batch), batch.missed), (vec![2], [0; 3]));
    assert_eq!(rules(&batch.report), [Rule::SegmentEntry]);
}

#[test]
fn a_record_of_another_type_is_a_fault_and_one_of_an_unknown_type_is_not() {
    let mut image = Image::new();
    image.append(Signal::Spans, 0, RecordType::Event, 1, &[0; 56]);
    image.span(0, 1, &[]);
    let batch = poll(&image);
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1], vec![Rule::RecordBody]));

    let mut image = Image::new();
    let at = image.span(0, 1, &[]);
    let mut header: RecordHeader = image.get(at);
    let key = u64::from_le_bytes(FILE_ID[..8].try_into().unwrap());
    header.record_type = 99.into();
    header.check = otlp_mmap_format::record_check(key, header.length.get(), 99, 0, 1, 0).into();
    image.put(at, &header);
    let length = header.length.get() as usize;
    let head = crc32c::crc32c(&image.bytes[at..at + 16]);
    let crc = crc32c::crc32c_append(head, &image.bytes[at + 24..at + length]);
    image.put(at + 20, &otlp_mmap_format::U32::new(crc));
    image.span(0, 2, &[]);
    let batch = poll(&image);
    assert_eq!(ids(&batch), [2]);
    assert!(batch.report.is_clean(), "{:?}", batch.report);
}

#[test]
fn a_record_too_short_for_its_body_is_a_fault() {
    let mut image = Image::new();
    image.append(Signal::Spans, 0, RecordType::Span, 1, &[1; 48]);
    assert_eq!(rules(&poll(&image).report), [Rule::RecordBody]);
}

/// Publishes a span with an index of the test's choice.
fn span_with_index(image: &mut Image, number: u8, index: u32) {
    let content = image.span_content(number, &[]);
    let span = record(RecordType::Span, 1, index, u64::from(number) * 1_000_000_000, &content);
    let entry: SegmentEntry = image.get(Image::table_at(Signal::Spans, 0));
    let end = Committed::unpack(entry.committed.get()).unwrap().bytes;
    image.put(Image::segment_at(Signal::Spans, 0) + end as usize, &span[..]);
    let word = Committed { generation: 1, bytes: end + u32::try_from(span.len()).unwrap() }.pack();
    image.put(Image::table_at(Signal::Spans, 0), &U64::new(word));
}

#[test]
fn no_record_follows_the_last_index_there_is() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    span_with_index(&mut image, 2, u32::MAX);
    span_with_index(&mut image, 3, 0);
    let batch = poll(&image);
    assert_eq!(ids(&batch), [1, 2], "index 0 was there before");
    assert_eq!(rules(&batch.report), [Rule::RecordIndex, Rule::RecordCheck]);
    assert_eq!(image.open().losses().unwrap().signal(Signal::Spans).recorded, 1 << 32);
}

#[test]
fn a_missing_record_is_a_fault() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    span_with_index(&mut image, 3, 2);
    let batch = poll(&image);
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1, 3], vec![Rule::RecordIndex]));
}

#[test]
fn a_file_cut_short_gives_faults_and_what_is_left() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    image.event(0, 2, &[]);
    let live = Live::new(image);
    let mut observer = live.recording.observe();
    live.file.set_len(Image::segment_at(Signal::Events, 0) as u64).unwrap();
    let batch = observer.poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1], vec![Rule::Unreadable]));
    live.file.set_len(0).unwrap();
    let batch = live.recording.observe().poll().unwrap();
    assert!(batch.records.is_empty());
    assert_eq!(rules(&batch.report), [Rule::Unreadable; 3]);
    assert!(live.recording.losses().is_err());
    assert!(live.recording.fill().is_err());
    assert!(!live.recording.verify().unwrap().is_clean());
    assert!(live.recording.spans_in_flight(&mut Report::default()).unwrap().is_empty());
    assert!(live.recording.series(&mut Report::default()).unwrap().is_empty());
}

#[test]
fn an_unlinked_file_is_still_followed() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    let named = tempfile::NamedTempFile::new().unwrap();
    named.as_file().write_all_at(&image.bytes, 0).unwrap();
    let recording = Recording::open(named.path()).unwrap();
    let mut observer = recording.observe();
    assert_eq!(ids(&observer.poll().unwrap()), [1]);
    let (file, path) = named.into_parts();
    path.close().unwrap();
    image.span(0, 2, &[]);
    file.write_all_at(&image.bytes, 0).unwrap();
    assert_eq!(ids(&observer.poll().unwrap()), [2]);
    assert_eq!(recording.liveness(), Liveness::Dead);
}

#[test]
fn liveness_follows_lock_and_state() {
    let mut image = Image::new();
    let named = tempfile::NamedTempFile::new().unwrap();
    named.as_file().write_all_at(&image.bytes, 0).unwrap();
    let recording = Recording::open(named.path()).unwrap();
    assert_eq!(recording.liveness(), Liveness::Dead);
    let writer = File::options().read(true).write(true).open(named.path()).unwrap();
    lock(&writer, otlp_mmap_format::WRITER_LOCK_BYTE);
    assert_eq!(recording.liveness(), Liveness::Alive);
    image.close(123);
    named.as_file().write_all_at(&image.bytes, 0).unwrap();
    assert_eq!(recording.liveness(), Liveness::Closed { realtime_nanos: 123 });
}

#[test]
fn an_observer_of_a_living_writer_reads_on_by_the_rules_of_a_dead_one() {
    let mut image = Image::new();
    let named = tempfile::NamedTempFile::new().unwrap();
    let store = |image: &Image| named.as_file().write_all_at(&image.bytes, 0).unwrap();
    store(&image);
    let writer = File::options().read(true).write(true).open(named.path()).unwrap();
    lock(&writer, otlp_mmap_format::WRITER_LOCK_BYTE);
    let recording = Recording::open(named.path()).unwrap();
    // A record in a segment whose entry is not there: of a living writer it is in the making.
    image.span(0, 1, &[]);
    let at = Image::table_at(Signal::Spans, 0);
    image.bytes[at..at + SegmentEntry::SIZE].fill(0);
    store(&image);
    assert!(recording.observe().poll().unwrap().report.is_clean());
    let mut observer = recording.observe();
    drop(writer);
    assert_eq!(recording.liveness(), Liveness::Dead);
    assert_eq!(rules(&observer.poll().unwrap().report), [Rule::SegmentEntry]);
}

/// Takes an exclusive open-file-description lock on one byte.
pub(crate) fn lock(file: &File, byte: u64) {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte.cast_signed(),
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
}
