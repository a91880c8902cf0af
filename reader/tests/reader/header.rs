//! Every rule of the header and the section table, each broken once.

use std::os::unix::fs::FileExt;

use otlp_mmap_format::{Header, SECTIONS_OFFSET, SectionEntry, U16, U32, U64};
use otlp_mmap_reader::{Counter, Error, OverflowPolicy, Recording, Rule, Signal};

use crate::support::{FILE_ID, FILE_SIZE, Image};

fn refuse(break_it: impl FnOnce(&mut Image)) -> Error {
    let mut image = Image::new();
    break_it(&mut image);
    Recording::from_file(image.file(), "image").unwrap_err()
}

/// Breaks a field of the header and puts the CRC right.
fn refuse_field(field: &str, value: &[u8]) -> Error {
    refuse(|image| {
        let at = Header::FIELDS.iter().find(|f| f.name == field).unwrap().offset;
        image.put(at, value);
        image.seal_header();
    })
}

/// Breaks a field of the section table entry `index` and puts the CRC right.
fn refuse_section(index: usize, field: &str, value: &[u8]) -> Error {
    refuse(|image| {
        let field = SectionEntry::FIELDS.iter().find(|f| f.name == field).unwrap();
        image.put(SECTIONS_OFFSET + index * SectionEntry::SIZE + field.offset, value);
        image.seal_header();
    })
}

fn names_field(error: Error) -> (&'static str, u64) {
    match error {
        Error::Header { field, offset, .. } => (field, offset),
        other => panic!("{other}"),
    }
}

#[test]
fn a_valid_header_is_read() {
    let recording = Image::new().open();
    let header = recording.header();
    assert_eq!(header.file_id, FILE_ID);
    assert_eq!(header.pid, 77);
    assert_eq!(header.overflow_policy, OverflowPolicy::OverwriteOldest);
    assert!(header.record_crc);
    assert_eq!(header.parent_file_id, None);
    assert_eq!(header.pool(Signal::Events).segments.offset, 18 * 4096);
    assert_eq!(header.pool(Signal::Events).table.entry_count, 4);
    assert!(recording.same_boot());
}

#[test]
fn the_identity_is_checked_before_the_crc() {
    assert!(matches!(refuse(|image| image.bytes[0] = 0), Error::NotARecording { .. }));
    assert!(matches!(
        refuse(|image| image.bytes[8..12].reverse()),
        Error::ForeignByteOrder { offset: 8, .. }
    ));
    let major = refuse(|image| image.put(12, &U16::new(2)));
    assert!(matches!(major, Error::UnsupportedVersion { expected: 1, found: 2, offset: 12 }));
}

#[test]
fn a_higher_minor_version_and_unknown_compatible_flags_are_read() {
    let mut image = Image::new();
    image.put(14, &U16::new(9));
    image.put(128, &U64::new(1 << 40));
    image.seal_header();
    let header = image.open().header().clone();
    assert_eq!((header.version, header.compat_flags), ((1, 9), 1 << 40));
}

#[test]
fn unknown_incompatible_flags_are_refused() {
    let error = refuse_field("incompat_flags", &[4]);
    assert!(matches!(error, Error::UnsupportedFeatures { found: 4, offset: 136, .. }), "{error}");
}

#[test]
fn every_flipped_bit_of_the_immutable_part_is_noticed() {
    let image = Image::new();
    let file = image.file();
    for at in 0..2048 {
        let flipped = [image.bytes[at] ^ 0x10];
        file.write_all_at(&flipped, at as u64).unwrap();
        assert!(Recording::from_file(file.try_clone().unwrap(), "image").is_err(), "byte {at}");
        file.write_all_at(&image.bytes[at..=at], at as u64).unwrap();
    }
}

#[test]
fn a_file_without_a_whole_header_is_refused() {
    let image = Image::new();
    for length in [0, 1, 8, 263, 264, 2048, 4095] {
        let file = image.file();
        file.set_len(length).unwrap();
        let error = Recording::from_file(file, "image").unwrap_err();
        assert!(matches!(error, Error::TooShort { found, .. } if found == length), "{length}: {error}");
    }
}

#[test]
fn a_file_that_was_cut_is_read_as_far_as_it_goes() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    image.event(3, 2, &[]);
    for length in [4096, 8192, Image::segment_at(Signal::Events, 3), FILE_SIZE - 1] {
        let file = image.file();
        file.set_len(length as u64).unwrap();
        let recording = Recording::from_file(file, "image").unwrap();
        let snapshot = recording.snapshot().unwrap();
        let whole = length == FILE_SIZE - 1;
        assert_eq!(snapshot.spans.len(), usize::from(length > 8192), "{length}");
        assert_eq!(
            (snapshot.events.len(), snapshot.report.is_clean()),
            (usize::from(whole), whole),
            "{length}"
        );
        assert_eq!(recording.losses().is_ok(), whole);
    }
}

#[test]
fn bytes_behind_the_file_size_are_ignored() {
    let file = Image::new().file();
    file.set_len(FILE_SIZE as u64 + 5).unwrap();
    assert!(Recording::from_file(file, "image").is_ok());
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (field, value) in [
        ("segment_size", 0_u32),
        ("segment_size", 2048),
        ("segment_size", 4097),
        ("segment_size", 16 << 20),
        ("segment_size", u32::MAX),
        ("overflow_policy", 0),
        ("overflow_policy", 4),
        ("record_crc", 2),
        ("section_count", 25),
        ("section_count", u32::MAX),
    ] {
        let found = names_field(refuse_field(field, &value.to_le_bytes()));
        assert_eq!(found.0, field);
        let offset = Header::FIELDS.iter().find(|f| f.name == field).unwrap().offset;
        assert_eq!(found.1, offset as u64);
    }
}

#[test]
fn a_section_must_lie_in_the_file() {
    for (field, value) in [
        ("offset", 0),
        ("offset", 4097),
        ("offset", 1 << 40),
        ("offset", !4095),
        ("length", u64::MAX),
        ("length", FILE_SIZE as u64),
    ] {
        for index in 0..10 {
            let (found, at) = names_field(refuse_section(index, field, &value.to_le_bytes()));
            // A whole section beyond the file has no room for its length.
            assert!(found == field || (field, found) == ("offset", "length"), "{field} {value} {found}");
            assert_eq!((at as usize - SECTIONS_OFFSET) / SectionEntry::SIZE, index);
        }
    }
}

#[test]
fn sections_must_not_overlap() {
    let error = refuse_section(3, "offset", &(3_u64 * 4096).to_le_bytes());
    assert_eq!(names_field(error), ("offset", (SECTIONS_OFFSET + 3 * 32 + 8) as u64));
}

#[test]
fn entries_must_fit_their_section_and_have_their_size() {
    for index in [0, 1, 2, 3, 4, 7, 8, 9] {
        assert_eq!(names_field(refuse_section(index, "entry_size", &[9])).0, "entry_size");
        let error = refuse_section(index, "entry_count", &u32::MAX.to_le_bytes());
        assert!(["length", "entry_count"].contains(&names_field(error).0));
    }
    assert_eq!(names_field(refuse_section(1, "entry_count", &[3])).0, "entry_count");
    assert_eq!(names_field(refuse_section(0, "entry_count", &[47])).0, "entry_count");
    assert_eq!(names_field(refuse_section(5, "length", &[0; 8])).0, "length");
    assert_eq!(names_field(refuse_section(6, "length", &[0; 8])).0, "length");
}

#[test]
fn every_kind_of_section_is_needed_once() {
    for index in 0..10 {
        let error = refuse_section(index, "kind", &U32::new(99).to_bytes());
        assert!(matches!(error, Error::MissingSection { .. }), "{index}: {error}");
    }
    for (index, kind) in [(0, 4_u32), (4, 6), (5, 6), (6, 5)] {
        let error = refuse_section(index, "kind", &kind.to_le_bytes());
        assert!(matches!(error, Error::MissingSection { .. } | Error::Header { .. }), "{index}: {error}");
    }
    // A second span table in place of the events': the first complaint is the double one or the missing one.
    let error = refuse_section(2, "signal", &[1]);
    assert_eq!(names_field(error).0, "kind");
}

#[test]
fn an_unknown_section_is_skipped() {
    let mut image = Image::new();
    image.bytes.resize(FILE_SIZE + 4096, 0);
    let at = Header::FIELDS.iter().find(|f| f.name == "file_size").unwrap().offset;
    image.put(at, &U64::new(FILE_SIZE as u64 + 4096));
    let at = Header::FIELDS.iter().find(|f| f.name == "section_count").unwrap().offset;
    image.put(at, &U32::new(11));
    let mut entry: SectionEntry = image.get(SECTIONS_OFFSET);
    entry.kind = U32::new(1000);
    entry.offset = U64::new(FILE_SIZE as u64);
    image.put(SECTIONS_OFFSET + 10 * 32, &entry);
    image.seal_header();
    image.open();
}

#[test]
fn sections_without_entries_have_no_entry_size() {
    for index in 0..10 {
        let entry: SectionEntry = Image::new().get(SECTIONS_OFFSET + index * SectionEntry::SIZE);
        if entry.entry_size.get() == 0 {
            assert_eq!(names_field(refuse_section(index, "entry_size", &[8])).0, "entry_size");
        }
    }
}

#[test]
fn counters_behind_the_end_of_a_file_are_a_fault() {
    let mut image = Image::new();
    image.bytes.truncate(4096 + 8);
    let report = image.open().verify().unwrap();
    assert!(report.faults.iter().any(|fault| (fault.offset, fault.rule) == (4096, Rule::Unreadable)));
}

#[test]
fn counters_before_the_end_of_a_file_are_read() {
    let mut image = Image::new();
    image.put(4096, &U64::new(7));
    image.bytes.truncate(4096 + 12);
    let losses = image.open().snapshot().unwrap().losses;
    assert_eq!(losses.signal(Signal::Spans).counter(Counter::Discarded), 7);
}

#[test]
fn counters_of_a_later_version_are_given_by_their_number() {
    let mut image = Image::new();
    let counters: SectionEntry = image.get(SECTIONS_OFFSET);
    for (index, value) in [(13, 7), (16, 1), (31, 8), (47, 9)] {
        image.put(counters.offset.get() as usize + 8 * index, &U64::new(value));
    }
    let losses = image.open().losses().unwrap();
    let unknown = losses.signals.each_ref().map(|signal| signal.unknown.clone());
    assert_eq!(unknown, [vec![(13, 7)], vec![(15, 8)], vec![(15, 9)]]);
}
