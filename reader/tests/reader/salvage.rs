//! After the machine went down: committed words are older than what stands on the disk.

use otlp_mmap_format::{Committed, Header, RecordType, SegmentEntry, SeriesKind, U64, VALUE_INT};
use otlp_mmap_reader::{Rule, Signal};
use zerocopy::IntoBytes;

use crate::observer::{ids, rules};
use crate::series::{stream, sum};
use crate::support::{DICTIONARY_AT, Image, name, record};

/// An image that another boot wrote.
fn of_another_boot() -> Image {
    let mut image = Image::new();
    let at = Header::FIELDS.iter().find(|f| f.name == "boot_id").unwrap().offset;
    image.bytes[at] ^= 0xff;
    image.seal_header();
    image
}

fn forget_committed(image: &mut Image) {
    for slot in 0..4 {
        image.put(Image::table_at(Signal::Spans, slot), &U64::ZERO);
    }
}

#[test]
fn whole_records_are_found_without_committed_words() {
    let mut image = of_another_boot();
    for number in 1..=3 {
        image.span(0, number, &name("n"));
        image.span(2, number + 10, &name("n"));
    }
    forget_committed(&mut image);
    let recording = image.open();
    assert!(!recording.same_boot());
    let mut observer = recording.observe();
    let batch = observer.poll().unwrap();
    assert_eq!(ids(&batch), [1, 2, 3, 11, 12, 13]);
    assert!(batch.report.is_clean(), "{:?}", batch.report);
    assert!(observer.poll().unwrap().records.is_empty(), "read once");
    assert_eq!(recording.losses().unwrap().signal(Signal::Spans).recorded, 6);
    assert_eq!(recording.verify().unwrap().readable.spans, 6);
}

#[test]
fn only_the_newest_generation_counts() {
    let mut image = of_another_boot();
    for number in 1..=4 {
        image.span(0, number, &name("old"));
    }
    image.recycle(Signal::Spans, 0);
    image.span(0, 9, &name("new"));
    let word = Committed { generation: 1, bytes: 100_000 }.pack();
    image.put(Image::table_at(Signal::Spans, 0), &U64::new(word));
    let batch = image.open().observe().poll().unwrap();
    assert_eq!(ids(&batch), [9]);
    assert!(batch.report.is_clean(), "{:?}", batch.report);
}

#[test]
fn a_torn_record_in_the_middle_is_a_fault_and_the_rest_is_read() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("one"));
    let torn = image.span(0, 2, &name("two"));
    image.span(0, 3, &name("three"));
    image.bytes[torn..torn + 40].fill(0);
    forget_committed(&mut image);
    let batch = image.open().observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1, 3], vec![Rule::RecordCheck]));
}

#[test]
fn a_torn_record_does_not_set_the_generation() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("one"));
    let mut torn = record(RecordType::Span, 2, 0, 1, &[7; 56]);
    torn[60] ^= 1;
    image.put(Image::segment_at(Signal::Spans, 0) + 1024, &torn[..]);
    assert_eq!(ids(&image.open().observe().poll().unwrap()), [1]);
}

#[test]
fn a_closed_file_of_another_boot_is_read_on_behind_what_is_published() {
    let mut image = of_another_boot();
    image.span(0, 1, &[]);
    let published = image.get::<U64>(Image::table_at(Signal::Spans, 0));
    image.span(0, 2, &[]);
    image.put(Image::table_at(Signal::Spans, 0), &published);
    // Records of an older generation do not go on with the next index.
    image.span(1, 3, &[]);
    image.span(1, 4, &[]);
    image.recycle(Signal::Spans, 1);
    image.close(5);
    let batch = image.open().observe().poll().unwrap();
    assert_eq!(ids(&batch), [1, 2]);
    assert!(batch.report.is_clean(), "{:?}", batch.report);
}

#[test]
fn a_damaged_segment_of_a_dead_writer_is_searched() {
    let mut image = Image::new();
    for number in 1..=4 {
        image.span(0, number, &name("n"));
    }
    // A flipped bit of the published length, and one of the generation.
    for bit in [4, 6, 32, 40] {
        let mut damaged = image.clone();
        let at = Image::table_at(Signal::Spans, 0);
        damaged.put(at, &U64::new(image.get::<U64>(at).get() ^ 1 << bit));
        let batch = damaged.open().observe().poll().unwrap();
        assert_eq!(ids(&batch), [1, 2, 3, 4], "bit {bit}");
        assert!(!batch.report.is_clean(), "bit {bit}");
    }
}

#[test]
fn overwritten_records_do_not_come_back_with_the_search() {
    let mut image = Image::new();
    image.span(0, 1, &name("a long name, so that the next record is shorter"));
    image.span(0, 2, &name("old"));
    image.recycle(Signal::Spans, 0);
    let at = image.span(0, 3, &name("new"));
    image.bytes[at] ^= 64;
    let batch = image.open().observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![], vec![Rule::RecordCheck]));
}

#[test]
fn damaged_records_alone_in_a_segment_are_faults() {
    let mut image = of_another_boot();
    for number in [1, 2] {
        let at = image.span(0, number, &name("n"));
        image.bytes[at + 60] ^= 1;
    }
    forget_committed(&mut image);
    let recording = image.open();
    let batch = recording.observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![], vec![Rule::RecordCrc; 2]));
    assert_eq!(recording.losses().unwrap().signal(Signal::Spans).recorded, 2);
}

#[test]
fn a_segment_that_was_just_recycled_counts_what_it_held() {
    let mut image = of_another_boot();
    for number in 1..=4 {
        image.span(0, number, &name("old"));
    }
    image.recycle(Signal::Spans, 0);
    let at = Image::segment_at(Signal::Spans, 0);
    image.bytes[at..at + 4096].fill(0);
    let losses = image.open().losses().unwrap();
    let spans = losses.signal(Signal::Spans);
    assert_eq!((spans.recorded, spans.overwritten), (4, 4));
}

#[test]
fn records_newer_than_their_table_entry_count_on_top_and_older_ones_are_counted_already() {
    let mut image = of_another_boot();
    for number in 1..=4 {
        image.span(0, number, &name("old"));
    }
    let table = Image::table_at(Signal::Spans, 0);
    let old_entry: SegmentEntry = image.get(table);
    image.recycle(Signal::Spans, 0);
    let recorded = |image: &Image| image.open().losses().unwrap().signal(Signal::Spans).recorded;
    assert_eq!(recorded(&image), 4, "the entry speaks of a generation that has no record yet");
    image.span(0, 9, &name("new"));
    assert_eq!(recorded(&image), 5);
    image.put(table, &old_entry);
    assert_eq!(recorded(&image), 1, "the old entry knows of none before its own");
}

#[test]
fn a_used_segment_behind_the_end_of_a_cut_file_is_unreadable() {
    for closed in [false, true] {
        let mut image = of_another_boot();
        image.span(1, 1, &name("n"));
        if closed {
            image.close(5);
        }
        let at = Image::segment_at(Signal::Spans, 1);
        for cut in [at, at + 8, at + 4095] {
            let mut cut_image = image.clone();
            cut_image.bytes.truncate(cut);
            let report = cut_image.open().verify().unwrap();
            let found = report.faults.iter().find(|fault| fault.rule == Rule::Unreadable).expect("a fault");
            assert_eq!(found.offset, at as u64, "{cut} {closed}");
        }
    }
}

#[test]
fn verify_checks_committed_words_that_nobody_reads_by() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("n"));
    let at = Image::table_at(Signal::Spans, 0);
    for (word, rule) in [
        (Committed { generation: 1, bytes: 4104 }, Rule::Committed),
        (Committed { generation: 0, bytes: 8 }, Rule::SegmentEntry),
    ] {
        image.put(at, &U64::new(word.pack()));
        assert_eq!(rules(&image.open().verify().unwrap()), [rule]);
    }
}

#[test]
fn a_damaged_last_record_is_a_fault_after_another_boot_too() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("one"));
    let last = image.span(0, 2, &name("two"));
    let only = image.span(1, 3, &name("three"));
    image.bytes[last] ^= 8;
    image.bytes[only + 16] ^= 1;
    let batch = image.open().observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1], vec![Rule::RecordCheck; 2]));
    let offsets: Vec<_> = batch.report.faults.iter().map(|fault| fault.offset).collect();
    assert_eq!(offsets, [last as u64, only as u64]);
}

#[test]
fn a_lost_page_of_published_records_is_a_fault_after_another_boot_too() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("n"));
    let at = Image::segment_at(Signal::Spans, 0);
    image.bytes[at..at + 4096].fill(0);
    let batch = image.open().observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![], vec![Rule::RecordCheck]));
}

#[test]
fn an_old_page_of_records_is_a_fault_and_is_read() {
    let mut image = of_another_boot();
    image.span(0, 1, &name("old"));
    let at = Image::segment_at(Signal::Spans, 0);
    let old = image.bytes[at..at + 4096].to_vec();
    image.recycle(Signal::Spans, 0);
    image.span(0, 2, &name("new"));
    image.put(at, old.as_slice());
    let batch = image.open().observe().poll().unwrap();
    assert_eq!((ids(&batch), rules(&batch.report)), (vec![1], vec![Rule::RecordCheck]));
}

#[test]
fn records_of_a_lost_table_page_are_read_and_the_page_is_a_fault() {
    for (another_boot, closed) in [(false, false), (false, true), (true, true), (true, false)] {
        let mut image = if another_boot { of_another_boot() } else { Image::new() };
        image.span(0, 1, &name("one"));
        image.span(0, 2, &name("two"));
        if closed {
            image.close(5);
        }
        let at = Image::table_at(Signal::Spans, 0);
        image.bytes[at..at + 4096].fill(0);
        let recording = image.open();
        let mut observer = recording.observe();
        assert_eq!(ids(&observer.poll().unwrap()), [1, 2], "{another_boot} {closed}");
        assert!(observer.poll().unwrap().records.is_empty());
        let report = recording.verify().unwrap();
        assert_eq!((rules(&report), report.faults[0].offset), (vec![Rule::SegmentEntry], at as u64));
    }
}

#[test]
fn records_newer_than_an_old_table_page_are_read_and_the_page_is_a_fault() {
    for closed in [false, true] {
        let mut image = of_another_boot();
        image.span(0, 1, &name("old"));
        let table = Image::table_at(Signal::Spans, 0);
        let old_entry: SegmentEntry = image.get(table);
        image.recycle(Signal::Spans, 0);
        image.span(0, 2, &name("new, and longer than the old one"));
        image.put(table, &old_entry);
        if closed {
            image.close(5);
        }
        let recording = image.open();
        assert_eq!(ids(&recording.observe().poll().unwrap()), [2], "{closed}");
        let report = recording.verify().unwrap();
        let fault = report.faults.iter().find(|fault| fault.rule == Rule::SegmentEntry);
        assert_eq!(fault.expect("a fault").offset, table as u64, "{closed}");
    }
}

#[test]
fn a_file_that_lost_nothing_but_its_unused_end_is_cut_all_the_same() {
    let mut image = Image::new();
    image.span(0, 1, &name("n"));
    let end = image.bytes.len() - 1;
    image.bytes.truncate(end);
    let report = image.open().verify().unwrap();
    assert_eq!((rules(&report), report.faults[0].offset), (vec![Rule::Unreadable], end as u64));
}

#[test]
fn a_damaged_entry_or_series_below_what_is_published_is_a_fault_after_another_boot_too() {
    let mut image = of_another_boot();
    let damaged = DICTIONARY_AT + 8 * usize::try_from(image.string("damaged")).unwrap();
    image.string("whole");
    let stream = stream(&mut image, 2);
    let lost = image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    image.bytes[damaged + 17] ^= 1;
    image.bytes[lost + 9] ^= 1;
    let report = image.open().verify().unwrap();
    let faults: Vec<_> = report.faults.iter().map(|fault| (fault.rule, fault.offset)).collect();
    assert_eq!(faults, [(Rule::DictionaryEntry, damaged as u64), (Rule::SeriesHeader, lost as u64)]);
    assert_eq!(report.readable.series, 0);
}

#[test]
fn many_leftovers_behind_few_newer_records_do_not_hide_them_from_an_old_table_page() {
    let mut image = of_another_boot();
    for number in 1..=8 {
        image.span(0, number, &name("old"));
    }
    let table = Image::table_at(Signal::Spans, 0);
    let old_entry: SegmentEntry = image.get(table);
    image.recycle(Signal::Spans, 0);
    for number in 11..=13 {
        image.span(0, number, &name("new"));
    }
    image.put(table, &old_entry);
    image.close(5);
    assert_eq!(ids(&image.open().observe().poll().unwrap()), [11, 12, 13]);
}

#[test]
fn entries_and_series_behind_zeros_are_found() {
    let mut image = of_another_boot();
    let before = image.open().verify().unwrap().readable.dictionary_entries;
    let entry = DICTIONARY_AT + 8 * usize::try_from(image.string("moved")).unwrap();
    let stream = stream(&mut image, 2);
    let series = image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    // Once within what is looked at in one go, once behind it, and once in another page.
    for gap in [200, 1_000, 5_000, 9_000] {
        let mut moved = image.clone();
        for (at, length, align) in [(entry, 24, 8), (series, 128, 64)] {
            let bytes = moved.bytes[at..at + length].to_vec();
            moved.bytes[at..at + length].fill(0);
            let to = at + usize::next_multiple_of(gap, align);
            moved.put(to, bytes.as_slice());
        }
        let readable = moved.open().verify().unwrap().readable;
        assert_eq!((readable.dictionary_entries, readable.series), (before + 2, 1), "{gap}");
    }
}
