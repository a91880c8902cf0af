//! Whatever a file holds: no panic, no end that never comes, and no record that was not written.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;

use otlp_mmap_format::{
    Committed, Header, ItemTag, SECTIONS_OFFSET, SectionEntry, SeriesKind, U32, U64, VALUE_INT, ValueType,
};
use otlp_mmap_reader::model::{Record, Span};
use otlp_mmap_reader::{Recording, Report, Snapshot};
use proptest::prelude::*;
use zerocopy::IntoBytes;

use crate::series::{exponential_cell, histogram_cell, stream, sum};
use crate::support::{FILE_SIZE, Image, attribute, item, name};

/// An image with something in every part.
fn full() -> Image {
    let mut image = Image::new();
    let operation = image.string("operation");
    for number in 1..=6 {
        let mut items = item(ItemTag::Name.code(), operation, &[]);
        items.extend(attribute("text", ValueType::String, b"some text"));
        items.extend(attribute("list", ValueType::Array, &item(ValueType::Bool.code(), 0, &[1])));
        image.span(u32::from(number) % 3, number, &items);
        image.event(u32::from(number) % 2, number + 100, &name("event"));
    }
    for number in 20..=22 {
        let content = image.span_content(number, &attribute("a", ValueType::Bytes, &[7; 300]));
        let first = u32::from(number - 20) * 2;
        image.active(&[first, first + 1], &content);
    }
    let (sums, histograms) = (stream(&mut image, 2), stream(&mut image, 3));
    let exponentials = stream(&mut image, 4);
    image.series(SeriesKind::Sum, sums, 0, 0, sum(4, 0.0, VALUE_INT).as_bytes());
    image.series(SeriesKind::Histogram, histograms, 0, 3, &histogram_cell([1, 2, 3]));
    image.series(SeriesKind::ExponentialHistogram, exponentials, 0, 4, &exponential_cell(3, 1));
    image
}

/// Asks a recording everything.
fn exercise(recording: &Recording) -> Snapshot {
    let _ = recording.liveness();
    let _ = recording.losses();
    let _ = recording.fill();
    recording.verify().unwrap();
    recording.observe_unacknowledged().poll().unwrap();
    let snapshot = recording.snapshot().unwrap();
    otlp_mmap_reader::otlp::json::traces(&otlp_mmap_reader::otlp::traces(&snapshot.spans));
    otlp_mmap_reader::otlp::json::logs(&otlp_mmap_reader::otlp::logs(&snapshot.events));
    otlp_mmap_reader::otlp::json::metrics(&otlp_mmap_reader::otlp::metrics(&snapshot.series));
    snapshot
}

/// What a span was written with, as far as it does not stand in the dictionary.
fn written(span: &Span) -> ([u8; 8], u64, Option<u64>, usize) {
    (span.span_id, span.start_time_unix_nano, span.end_time_unix_nano, span.attributes.len())
}

/// Every record of `after` is one of `before`. Those in flight carry no CRC: of them only the number is known.
fn assert_nothing_invented(before: &Snapshot, after: &Snapshot) {
    let spans: HashMap<_, _> = before.spans.iter().map(|span| (span.span_id, span)).collect();
    for span in &after.spans {
        let original = spans[&span.span_id];
        assert_eq!(written(span), written(original));
        assert_eq!(span.attributes, original.attributes, "keys stand inline");
        assert_eq!(span.position.offset, original.position.offset);
    }
    for event in &after.events {
        let original = before.events.iter().find(|one| one.span_id == event.span_id).unwrap();
        assert_eq!(
            (&event.event_name, event.time_unix_nano),
            (&original.event_name, original.time_unix_nano)
        );
    }
    assert!(after.spans.len() <= before.spans.len());
    assert!(after.spans_in_flight.len() <= before.spans_in_flight.len());
    assert!(after.series.len() <= before.series.len());
    // Sequence numbers rest on base words, which nothing protects.
    if after.report.is_clean() && after.spans.len() == before.spans.len() {
        let names = |snapshot: &Snapshot| -> Vec<_> {
            snapshot.spans.iter().map(|span| (span.name.clone(), span.scope.clone())).collect()
        };
        assert_eq!(names(after), names(before));
    }
}

#[test]
fn the_full_image_is_clean() {
    let snapshot = exercise(&full().open());
    assert!(snapshot.report.is_clean(), "{:?}", snapshot.report);
    assert_eq!((snapshot.spans.len(), snapshot.events.len()), (6, 6));
    assert_eq!((snapshot.spans_in_flight.len(), snapshot.series.len()), (3, 3));
    let report = full().open().verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn any_flipped_bit_of_what_is_in_use_invents_nothing() {
    let image = full();
    let before = exercise(&image.open());
    let file = image.file();
    let in_use = (0..FILE_SIZE).filter(|at| at % 4096 < 640 && (image.bytes[*at] != 0 || at % 16 == 0));
    // One bit of each byte, another one in each: every bit would take a minute.
    for at in in_use {
        let bit = (at * 7 + at / 8) % 8;
        file.write_all_at(&[image.bytes[at] ^ 1 << bit], at as u64).unwrap();
        if let Ok(recording) = Recording::from_file(file.try_clone().unwrap(), "flipped") {
            let after = recording.snapshot().unwrap();
            assert_nothing_invented(&before, &after);
        }
        file.write_all_at(&image.bytes[at..=at], at as u64).unwrap();
    }
}

#[test]
fn a_huge_empty_file_costs_no_time() {
    let mut image = full();
    let count = 3000_u32;
    let (segment, table) = (8_u64 << 20, u64::from(count) * 64);
    let mut end = FILE_SIZE as u64;
    for (index, length, entry_size) in
        [(1, table, 64), (2, table, 64), (3, table, 64), (7, segment, 0), (8, segment, 0), (9, segment, 0)]
    {
        let at = SECTIONS_OFFSET + index * SectionEntry::SIZE;
        let mut entry: SectionEntry = image.get(at);
        let whole = if entry_size == 0 { length * u64::from(count) } else { length };
        entry.offset = U64::new(end);
        entry.length = U64::new(whole);
        entry.entry_size = U32::new(if entry_size == 0 { 8 << 20 } else { entry_size });
        entry.entry_count = U32::new(count);
        image.put(at, &entry);
        end = (end + whole).next_multiple_of(4096);
    }
    for index in [4, 5, 6] {
        let at = SECTIONS_OFFSET + index * SectionEntry::SIZE;
        let mut entry: SectionEntry = image.get(at);
        entry.offset = U64::new(end);
        entry.length = U64::new(1 << 40);
        entry.entry_count = U32::new(if index == 4 { u32::MAX } else { 0 });
        image.put(at, &entry);
        end += 1 << 40;
    }
    let field = |name: &str| Header::FIELDS.iter().find(|f| f.name == name).unwrap().offset;
    image.put(field("file_size"), &U64::new(end));
    image.put(field("segment_size"), &U32::new(8 << 20));
    for other_boot in [false, true] {
        image.bytes[field("boot_id")] ^= u8::from(other_boot);
        image.seal_header();
        let file = image.file();
        file.set_len(end).unwrap();
        let words = Committed { generation: 1, bytes: 8 << 20 }.pack().to_le_bytes();
        for slot in 0..u64::from(count) {
            file.write_all_at(&words, FILE_SIZE as u64 + slot * 64).unwrap();
        }
        let recording = Recording::from_file(file, "huge").unwrap();
        let snapshot = exercise(&recording);
        assert!(snapshot.spans.is_empty() && snapshot.spans_in_flight.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn flipped_bits_give_no_panic_and_no_invented_record(
        flips in prop::collection::vec((4096..FILE_SIZE, 0..8_u32), 1..2)
    ) {
        let mut image = full();
        let before = image.open().snapshot().unwrap();
        for (at, bit) in flips {
            image.bytes[at] ^= 1 << bit;
        }
        assert_nothing_invented(&before, &exercise(&image.open()));
    }

    #[test]
    fn random_bytes_behind_the_header_give_no_panic(
        seed in any::<u64>(), start in 4096..FILE_SIZE, length in 1..20_000_usize
    ) {
        let mut image = full();
        let end = (start + length).min(FILE_SIZE);
        let mut state = seed | 1;
        for byte in &mut image.bytes[start..end] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_le_bytes()[7];
        }
        exercise(&image.open());
    }

    #[test]
    fn random_words_in_the_section_table_give_no_panic(
        changes in prop::collection::vec((0..320_usize, any::<u8>()), 1..8)
    ) {
        let mut image = full();
        for (at, byte) in changes {
            image.bytes[1024 + at] = byte;
        }
        image.seal_header();
        if let Ok(recording) = Recording::from_file(image.file(), "image") {
            exercise(&recording);
        }
    }

    #[test]
    fn random_bytes_are_no_recording(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        let image = Image { bytes, ..Image::new() };
        prop_assert!(Recording::from_file(image.file(), "random").is_err());
    }

    #[test]
    fn random_items_in_a_valid_record_give_no_panic(items in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut image = Image::new();
        let mut items = items;
        items.truncate(items.len() / 8 * 8);
        image.span(0, 1, &items);
        image.event(0, 2, &items);
        let content = image.span_content(3, &items[..items.len().min(180)]);
        image.active(&[0], &content);
        let snapshot = exercise(&image.open());
        prop_assert_eq!((snapshot.spans.len(), snapshot.events.len()), (1, 1));
    }

    #[test]
    fn a_file_cut_anywhere_gives_a_part_of_its_records(length in 0..FILE_SIZE) {
        let image = full();
        let before = image.open().snapshot().unwrap();
        let file = image.file();
        let recording = Recording::from_file(file.try_clone().unwrap(), "cut").unwrap();
        file.set_len(length as u64).unwrap();
        let batch = recording.observe().poll().unwrap();
        for record in &batch.records {
            let Record::Span(span) = record else { continue };
            prop_assert!(before.spans.iter().any(|one| written(one) == written(span)));
        }
        recording.spans_in_flight(&mut Report::default()).unwrap();
        recording.series(&mut Report::default()).unwrap();
        recording.verify().unwrap();
    }
}
