//! SPEC.md and the crate agree: every structure, code and constant, in both directions, and every test vector.
//!
//! The tables are found by the comment lines in front of them: `<!-- struct: Name size=N -->`,
//! `<!-- codes: Name -->`, `<!-- constants -->`, `<!-- vectors: name -->`. What the crate declares is found by
//! reading its sources, so that nothing new can be left out of the lists below, nor out of SPEC.md.

use otlp_mmap_format::*;
use std::collections::{BTreeMap, BTreeSet};

const SPEC: &str = include_str!("../SPEC.md");

/// The sources that declare what is on disk; `every_source_is_read` holds the list to the directory.
const SOURCES: &[(&str, &str)] = &[
    ("active.rs", include_str!("../src/active.rs")),
    ("cell.rs", include_str!("../src/cell.rs")),
    ("checked.rs", include_str!("../src/checked.rs")),
    ("counter.rs", include_str!("../src/counter.rs")),
    ("dictionary.rs", include_str!("../src/dictionary.rs")),
    ("header.rs", include_str!("../src/header.rs")),
    ("item.rs", include_str!("../src/item.rs")),
    ("lib.rs", include_str!("../src/lib.rs")),
    ("macros.rs", include_str!("../src/macros.rs")),
    ("record.rs", include_str!("../src/record.rs")),
    ("segment.rs", include_str!("../src/segment.rs")),
];

macro_rules! structs {
    ($($name:ident)*) => { &[$((stringify!($name), $name::SIZE, $name::FIELDS)),*] };
}

/// Name, size and fields of every structure of the crate.
const STRUCTS: &[(&str, usize, &[Field])] = structs![
    ActiveBlock CellsHeader SeriesHeader SumCell GaugeCopy HistogramCopy ExponentialCopy DictionaryHeader
    EntryHeader ScopeBody MetricStreamBody Header SectionEntry HeaderState ItemHeader StatusBody SpanEventBody
    LinkBody DroppedBody RecordHeader SpanBody EventBody MeasurementBody SegmentEntry
];

macro_rules! codes {
    ($($name:ident)*) => {
        vec![$((
            stringify!($name),
            $name::ALL.iter().map(|(value, name)| (u64::from(value.code()), (*name).to_owned())).collect(),
        )),*]
    };
}

type Codes = Vec<(u64, String)>;

/// Name and values of every set of codes of the crate.
fn all_codes() -> Vec<(&'static str, Codes)> {
    codes![
        SeriesKind Counter EntryKind Aggregation Temporality FileState SectionKind Signal OverflowPolicy ValueType
        ItemTag RecordType
    ]
}

macro_rules! numbers {
    ($($name:ident)*) => { vec![$((stringify!($name), Constant::Number(u64::try_from($name).unwrap()))),*] };
}

#[derive(Debug, PartialEq)]
enum Constant {
    Number(u64),
    Bytes(Vec<u8>),
}

/// Every public constant of the crate.
fn all_constants() -> Vec<(&'static str, Constant)> {
    let mut constants = numbers![
        BLOCK_CONTENT_SIZE BLOCK_FLAG_SPILLED BLOCK_SIZE SERIES_ALIGN SERIES_FLAG_OVERFLOW VALUE_DOUBLE VALUE_INT
        COUNTER_SLOTS BYTE_ORDER EXPORTER_LOCK_BYTE HEADER_CRC_OFFSET HEADER_SIZE MAX_SECTIONS PAGE_SIZE
        SECTIONS_OFFSET STATE_OFFSET VERSION_MAJOR VERSION_MINOR WRITER_LOCK_BYTE ITEM_TRUNCATED MAX_ITEM_SIZE
        MAX_VALUE_DEPTH MEASUREMENT_FLAG_DOUBLE MEASUREMENT_FLAG_RAW RECORD_FLAG_TRUNCATED MAX_SEGMENT_COUNT
        MAX_SEGMENT_SIZE MIN_SEGMENT_SIZE
    ];
    constants.push(("CLOSE_MASK", Constant::Number(Acknowledged::CLOSE_MASK)));
    constants.push(("MAX_RECORDS", Constant::Number(Acknowledged::MAX_RECORDS.into())));
    constants.push(("MAGIC", Constant::Bytes(MAGIC.to_vec())));
    constants.push(("BANNER", Constant::Bytes(BANNER.to_vec())));
    constants
}

// ---- SPEC.md ----

/// A table with the marker in front of it.
struct Table {
    /// What stands between `<!--` and `-->`.
    marker: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The cells of a row, without the backticks of code.
    fn cells(line: &str) -> Vec<String> {
        let line = line.trim().strip_prefix('|').unwrap().strip_suffix('|').expect("a row ends with |");
        line.split(" | ").map(|cell| cell.trim().replace('`', "")).collect()
    }

    fn expect_columns(&self, columns: &[&str]) {
        assert!(self.columns.iter().eq(columns), "{}: columns {:?}", self.marker, self.columns);
        for row in &self.rows {
            assert_eq!(row.len(), columns.len(), "{}: {row:?}", self.marker);
        }
    }
}

/// Every table with a marker.
fn tables() -> Vec<Table> {
    let kinds = ["struct: ", "codes: ", "constants", "vectors: "];
    let mut tables = Vec::new();
    let mut lines = SPEC.lines();
    while let Some(line) = lines.next() {
        let Some(marker) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        if kinds.iter().any(|kind| marker.starts_with(kind)) {
            let mut table =
                lines.by_ref().skip_while(|line| line.is_empty()).take_while(|line| line.starts_with('|'));
            let columns = Table::cells(table.next().unwrap_or_else(|| panic!("no table follows {marker}")));
            let rows = table.skip(1).map(Table::cells).collect();
            tables.push(Table { marker: marker.to_owned(), columns, rows });
        } else {
            assert!(marker.starts_with("hexdump:"), "an unknown marker: {marker}");
        }
    }
    tables
}

/// The tables of a kind by the rest of their markers; none twice.
fn tables_of(kind: &str) -> BTreeMap<String, Table> {
    let mut found = BTreeMap::new();
    for table in tables() {
        if let Some(name) = table.marker.strip_prefix(kind).map(str::to_owned) {
            assert!(found.insert(name.clone(), table).is_none(), "two tables for {kind}{name}");
        }
    }
    found
}

fn vectors(name: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let table = tables_of("vectors: ").remove(name).unwrap_or_else(|| panic!("no vectors for {name}"));
    table.expect_columns(columns);
    assert!(!table.rows.is_empty(), "{name} is empty");
    table.rows
}

/// A number as SPEC.md writes it: decimal or `0x…`.
fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .unwrap_or_else(|error| panic!("{text:?} is no number: {error}"))
}

fn word32(text: &str) -> u32 {
    u32::try_from(number(text)).unwrap()
}

fn size(text: &str) -> usize {
    usize::try_from(number(text)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hexadecimal")).collect()
}

/// Size in bytes of a type as SPEC.md names it: `u32`, `[u8; 16]`.
fn size_of_type(name: &str) -> usize {
    if let Some(array) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (element, count) = array.split_once("; ").expect("an array type");
        return size_of_type(element) * count.parse::<usize>().unwrap();
    }
    match name {
        "u8" => 1,
        "u16" => 2,
        "u32" | "i32" => 4,
        "u64" | "i64" => 8,
        _ => panic!("an unknown type: {name}"),
    }
}

/// The type of every field as SPEC.md names it, read from the sources: `Struct.field` to `u32`.
fn declared_types() -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for (_, source) in SOURCES {
        let mut structure = "";
        for line in source.lines() {
            if let Some(rest) = line.strip_prefix("    pub struct ") {
                structure = rest.split(' ').next().unwrap();
            } else if let Some((field, kind)) =
                line.strip_prefix("        pub ").and_then(|rest| rest.split_once(": "))
            {
                let kind = kind.trim_end_matches(',').replace('U', "u").replace('I', "i");
                types.insert(format!("{structure}.{field}"), kind);
            }
        }
    }
    types
}

// ---- the crate's sources ----

/// Names that follow `before` at the start of a line, inside of a use of `macro_name`.
fn declared(macro_name: &str, before: &str) -> BTreeSet<String> {
    let opening = format!("\n{macro_name}! {{\n");
    let mut names = BTreeSet::new();
    for (_, source) in SOURCES {
        for body in source.split(&opening).skip(1) {
            let line = body.lines().find_map(|line| line.trim().strip_prefix(before)).expect("a declaration");
            names.insert(line.split([' ', ':']).next().unwrap().to_owned());
        }
    }
    names
}

/// Names of all `pub const` items, associated ones too, but those the macros make.
fn declared_constants() -> BTreeSet<String> {
    let sources = SOURCES.iter().filter(|(file, _)| *file != "macros.rs");
    let lines = sources.flat_map(|(_, source)| source.lines());
    let items = lines.filter_map(|line| line.trim().strip_prefix("pub const "));
    items
        .filter(|item| !item.starts_with("fn "))
        .map(|item| item.split(':').next().unwrap().to_owned())
        .collect()
}

fn names<'a, T: 'a>(list: impl IntoIterator<Item = (&'a str, T)>) -> BTreeSet<String> {
    list.into_iter().map(|(name, _)| name.to_owned()).collect()
}

// ---- tests ----

#[test]
fn every_source_is_read() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, names(SOURCES.iter().copied()));
}

#[test]
fn the_lists_of_this_test_hold_all_that_the_crate_declares() {
    assert_eq!(names(STRUCTS.iter().map(|s| (s.0, ()))), declared("on_disk", "pub struct "));
    assert_eq!(names(all_codes()), declared("codes", "pub enum "));
    assert_eq!(names(all_constants()), declared_constants());
}

#[test]
fn every_structure_is_as_its_table_says() {
    let mut tables = tables_of("struct: ");
    let types = declared_types();
    for (name, total, fields) in STRUCTS {
        let table = tables
            .remove(&format!("{name} size={total}"))
            .unwrap_or_else(|| panic!("no table {name} size={total}"));
        table.expect_columns(&["Offset", "Size", "Field", "Type", "Meaning"]);
        let rows: Vec<_> =
            table.rows.iter().map(|row| (row[2].as_str(), size(&row[0]), size(&row[1]))).collect();
        let expected: Vec<_> = fields.iter().map(|field| (field.name, field.offset, field.size)).collect();
        assert_eq!(rows, expected, "fields of {name}");
        for row in &table.rows {
            assert_eq!(row[3], types[&format!("{name}.{}", row[2])], "type of {name}.{}", row[2]);
            assert_eq!(size_of_type(&row[3]), size(&row[1]), "type of {name}.{}", row[2]);
            assert!(!row[4].is_empty(), "{name}.{} has no meaning", row[2]);
        }
        assert_eq!(fields.iter().map(|field| field.size).sum::<usize>(), *total, "{name} has a gap");
    }
    assert!(tables.is_empty(), "tables without a structure: {:?}", tables.keys());
}

#[test]
fn every_code_is_as_its_table_says() {
    let mut tables = tables_of("codes: ");
    for (name, expected) in all_codes() {
        let table = tables.remove(name).unwrap_or_else(|| panic!("no table for {name}"));
        table.expect_columns(&["Value", "Name", "Meaning"]);
        let rows: Codes = table.rows.iter().map(|row| (number(&row[0]), row[1].clone())).collect();
        assert_eq!(rows, expected, "codes of {name}");
        assert!(table.rows.iter().all(|row| !row[2].is_empty()), "{name}: a code without a meaning");
    }
    assert!(tables.is_empty(), "tables without codes: {:?}", tables.keys());
}

#[test]
fn every_constant_is_as_its_table_says() {
    let mut rows = BTreeMap::new();
    for table in tables().iter().filter(|table| table.marker == "constants") {
        table.expect_columns(&["Name", "Value", "Meaning"]);
        for row in &table.rows {
            assert!(rows.insert(row[0].clone(), row[1].clone()).is_none(), "{} stands there twice", row[0]);
        }
    }
    for (name, expected) in all_constants() {
        let text = rows.remove(name).unwrap_or_else(|| panic!("{name} is missing"));
        let value = match name {
            "MAGIC" => Constant::Bytes(hex(&text)),
            "BANNER" => Constant::Bytes(padded_banner(&text)),
            _ => Constant::Number(number(&text)),
        };
        assert_eq!(value, expected, "{name}");
    }
    assert!(rows.is_empty(), "constants that the crate does not have: {:?}", rows.keys());
}

fn padded_banner(text: &str) -> Vec<u8> {
    let mut line = text.replace("\\n", "\n").into_bytes();
    line.resize(111, b' ');
    line.push(b'\n');
    line
}

#[test]
fn the_parser_finds_every_marker() {
    let marked =
        SPEC.lines().filter(|line| line.starts_with("<!-- ") && !line.starts_with("<!-- hexdump")).count();
    assert_eq!(tables().len(), marked);
    let known = [
        "acknowledged",
        "active_commit",
        "active_commit_invalid",
        "align8",
        "checked",
        "committed",
        "counter_index",
        "crc32c",
        "event_record",
        "exponential_index",
        "next_generation",
        "record_check",
        "series_size",
    ];
    assert!(tables_of("vectors: ").keys().eq(known), "vectors that no test reads");
    assert!(SPEC.contains("<!-- hexdump:begin -->\n") && SPEC.contains("<!-- hexdump:end -->\n"));
}

/// CRC32C bit by bit, as SPEC.md section 2 words it.
fn crc32c(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn crc32c_vectors() {
    for row in vectors("crc32c", &["Bytes", "CRC32C"]) {
        let bytes = match row[0].split_once(" times ") {
            Some((count, byte)) => hex(byte).repeat(count.parse().unwrap()),
            None => row[0].strip_prefix("text ").expect("text or bytes").as_bytes().to_vec(),
        };
        assert_eq!(crc32c(&[&bytes]), word32(&row[1]), "{}", row[0]);
    }
}

#[test]
fn record_check_vectors() {
    for row in vectors("record_check", &["Key", "Length", "Type", "Flags", "Generation", "Index", "Check"]) {
        let half = |cell: usize| u16::try_from(number(&row[cell])).unwrap();
        let check = record_check(
            number(&row[0]),
            word32(&row[1]),
            half(2),
            half(3),
            word32(&row[4]),
            word32(&row[5]),
        );
        assert_eq!(check, word32(&row[6]), "{row:?}");
    }
}

#[test]
fn record_check_finds_every_flipped_bit() {
    let key = 0x0706_0504_0302_0100;
    let check = |word: u128| {
        let part = |shift: u32| u32::try_from((word >> shift) & 0xffff_ffff).unwrap();
        let half = |shift: u32| u16::try_from((word >> shift) & 0xffff).unwrap();
        record_check(key, part(0), half(32), half(48), part(64), part(96))
    };
    let word: u128 = 0x58 | (1 << 32) | (3 << 64) | (7 << 96);
    for bit in 0..128 {
        assert_ne!(check(word), check(word ^ 1 << bit), "bit {bit}");
    }
}

#[test]
fn committed_vectors() {
    for row in vectors("committed", &["Generation", "Bytes", "Word"]) {
        let committed = Committed { generation: word32(&row[0]), bytes: word32(&row[1]) };
        assert_eq!(committed.pack(), number(&row[2]), "{row:?}");
        assert_eq!(Committed::unpack(number(&row[2])), Some(committed));
        flipped(number(&row[2]), |word| Committed::unpack(word).is_none());
    }
}

/// Checks that no one flipped bit goes unnoticed.
fn flipped(word: u64, is_refused: impl Fn(u64) -> bool) {
    for bit in 0..64 {
        assert!(is_refused(word ^ 1 << bit), "bit {bit} of {word:#018x}");
    }
}

#[test]
fn checked_vectors() {
    for row in vectors("checked", &["Value", "Word"]) {
        assert_eq!(seal(number(&row[0])), number(&row[1]), "{row:?}");
        assert_eq!(unseal(number(&row[1])), Some(number(&row[0])));
        flipped(number(&row[1]), |word| unseal(word).is_none());
    }
}

#[test]
fn acknowledged_vectors() {
    for row in vectors("acknowledged", &["Generation", "Closed", "Records", "Word"]) {
        let acknowledged = Acknowledged {
            generation: word32(&row[0]),
            closed: number(&row[1]) == 1,
            records: word32(&row[2]),
        };
        assert_eq!(acknowledged.pack(), number(&row[3]), "{row:?}");
        assert_eq!(Acknowledged::unpack(number(&row[3])), Some(acknowledged));
        flipped(number(&row[3]), |word| Acknowledged::unpack(word).is_none());
        let closed = Acknowledged { closed: true, ..acknowledged };
        assert_eq!(
            Acknowledged { closed: false, ..acknowledged }.pack() ^ Acknowledged::CLOSE_MASK,
            closed.pack(),
            "the mask closes and changes nothing else"
        );
    }
}

#[test]
fn a_count_of_acknowledged_records_cannot_reach_the_closed_bit() {
    let too_many = Acknowledged { generation: 1, closed: false, records: u32::MAX };
    assert!(Acknowledged::unpack(too_many.pack()).is_some_and(|cut| !cut.closed));
}

#[test]
fn active_commit_vectors() {
    for row in vectors("active_commit", &["Generation", "Bytes", "Block", "Word"]) {
        let (commit, block) =
            (ActiveCommit { generation: word32(&row[0]), bytes: word32(&row[1]) }, word32(&row[2]));
        assert_eq!(commit.pack(block), number(&row[3]), "{row:?}");
        assert_eq!(ActiveCommit::unpack(number(&row[3]), block), Some(commit));
    }
    for row in vectors("active_commit_invalid", &["Block", "Word", "Why"]) {
        assert_eq!(ActiveCommit::unpack(number(&row[1]), word32(&row[0])), None, "{row:?}");
    }
    assert_eq!(ActiveCommit::unpack(0, 12), Some(ActiveCommit { generation: 0, bytes: 0 }));
}

#[test]
fn one_flipped_bit_never_passes_for_an_active_commit() {
    for index in (0..300).chain([4095, 65_535, 1 << 20, u32::MAX - 2]) {
        for (generation, bytes) in
            [(1, 56), (1, 0), (2, 240), (0x8000_0000, 1 << 23), (u32::MAX, 0x00ff_ffff)]
        {
            let word = ActiveCommit { generation, bytes }.pack(index);
            for bit in 0..64 {
                let found = ActiveCommit::unpack(word ^ 1 << bit, index);
                // A word of a single bit becomes the word of a block that was never taken; it loses a span only
                // if it was one, and no span in flight has a word of a single bit.
                let never = (word ^ 1 << bit) == 0 && bytes == 0;
                assert!(
                    found.is_none() || never,
                    "block {index}, {generation}/{bytes}, bit {bit}: {found:?}"
                );
            }
        }
        for bit in 0..64 {
            assert_eq!(
                ActiveCommit::unpack(1 << bit, index).map_or(0, |c| c.bytes),
                0,
                "block {index}, bit {bit}"
            );
        }
    }
}

#[test]
fn an_active_commit_of_another_block_does_not_pass() {
    let word = ActiveCommit { generation: 5, bytes: 100 }.pack(17);
    let fits = (0..256).filter(|&block| ActiveCommit::unpack(word, block).is_some());
    assert_eq!(fits.collect::<Vec<_>>(), [17]);
}

#[test]
fn small_function_vectors() {
    for row in vectors("align8", &["n", "align8(n)"]) {
        assert_eq!(align8(size(&row[0])), size(&row[1]), "{row:?}");
    }
    for row in vectors("next_generation", &["Generation", "Next"]) {
        let generation = word32(&row[0]);
        assert_eq!(next_generation(generation), word32(&row[1]), "{row:?}");
        assert_ne!(next_generation(generation) & 1, generation & 1, "the parity changes with every step");
    }
    for row in vectors("counter_index", &["Signal", "Counter", "Index"]) {
        let signal = Signal::ALL.iter().find(|signal| signal.1 == row[0]).unwrap().0;
        let counter = Counter::ALL.iter().find(|counter| counter.1 == row[1]).unwrap().0;
        assert_eq!(counter_index(signal, counter), size(&row[2]), "{row:?}");
    }
}

#[test]
fn series_size_vectors() {
    for row in vectors("series_size", &["Kind", "Capacity", "Copy size", "Copy 1 at", "Size"]) {
        let kind = SeriesKind::ALL.iter().find(|kind| kind.1 == row[0]).unwrap().0;
        let capacity = word32(&row[1]);
        let (copy, size) = (kind.copy_size(capacity), series_size(kind, capacity));
        assert_eq!((copy, size), (number(&row[2]), number(&row[4])), "{row:?}");
        assert!(size.is_multiple_of(SERIES_ALIGN as u64));
        if row[3] != "-" {
            assert_eq!(SeriesHeader::SIZE as u64 + copy, number(&row[3]), "{row:?}");
            assert_eq!(SeriesHeader::SIZE as u64 + 2 * copy, size, "{row:?}");
        }
    }
}

#[test]
fn exponential_index_vectors() {
    for row in vectors("exponential_index", &["Scale", "Value", "Index"]) {
        let (scale, value): (i32, f64) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let index = (value.log2() * f64::from(scale).exp2()).ceil() - 1.0;
        assert_eq!(index.to_string(), row[2], "{row:?}");
    }
}

#[test]
fn the_whole_record_checks() {
    let rows = vectors("event_record", &["Offset", "Bytes", "Meaning"]);
    for (number_of_row, row) in rows.iter().enumerate() {
        assert_eq!(size(&row[0]), number_of_row * 8);
    }
    let bytes: Vec<u8> = rows.iter().flat_map(|row| hex(&row[1])).collect();
    let (header, rest) = <RecordHeader as zerocopy::FromBytes>::read_from_prefix(&bytes).unwrap();
    assert_eq!(header.length.get() as usize, bytes.len());
    assert_eq!(header.crc.get(), crc32c(&[&bytes[..16], &bytes[24..]]));
    let (record_type, flags) = (header.record_type.get(), header.flags.get());
    let (generation, index) = (header.generation.get(), header.index.get());
    assert_eq!(RecordType::from_code(record_type), Some(RecordType::Event));
    let check =
        record_check(0x0706_0504_0302_0100, header.length.get(), record_type, flags, generation, index);
    assert_eq!((header.check.get(), generation, index), (check, 3, 7));
    let (body, items) = <EventBody as zerocopy::FromBytes>::read_from_prefix(rest).unwrap();
    assert_eq!((body.scope_ref.get(), body.name_ref.get()), (9, 12));
    let (item, _) = <ItemHeader as zerocopy::FromBytes>::read_from_prefix(items).unwrap();
    assert_eq!(item, ItemHeader::new(ValueType::String.code(), 13, 15));
    assert_eq!(&items[8..13], b"hello");
    let (item, _) = <ItemHeader as zerocopy::FromBytes>::read_from_prefix(&items[align8(13)..]).unwrap();
    assert_eq!(item, ItemHeader::new(ValueType::Empty.code(), 8, 16));
}

#[test]
fn an_item_header_keeps_its_parts() {
    for tag in [0, 7, 32, 44, 127] {
        for length in [8, 13, u32::try_from(MAX_ITEM_SIZE).unwrap()] {
            let plain = ItemHeader::new(tag, length, 9);
            assert_eq!((plain.tag(), plain.length(), plain.is_truncated()), (tag, length, false));
            let cut = ItemHeader::new(tag | ITEM_TRUNCATED, length, 9);
            assert_eq!((cut.tag(), cut.length(), cut.is_truncated()), (tag, length, true));
        }
    }
}

#[test]
fn codes_come_back_from_their_numbers() {
    for (value, name) in Counter::ALL {
        assert_eq!((Counter::from_code(value.code()), value.name()), (Some(*value), *name));
    }
    assert_eq!(Counter::from_code(13), None);
    assert!(Counter::ALL.len() <= COUNTER_SLOTS);
    assert_eq!(ItemTag::from_code(31), None);
}

#[test]
fn series_kinds_and_aggregations_have_the_same_numbers() {
    let kinds: Vec<_> = SeriesKind::ALL.iter().map(|(kind, name)| (u32::from(kind.code()), *name)).collect();
    let aggregations: Vec<_> = Aggregation::ALL.iter().map(|(kind, name)| (kind.code(), *name)).collect();
    assert_eq!(kinds, aggregations);
}

#[test]
fn links_inside_the_document_lead_somewhere() {
    let headings: BTreeSet<String> = SPEC
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for link in SPEC.split("](#").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(headings.contains(target), "no section {target}");
    }
}

#[test]
fn sections_that_the_text_refers_to_exist() {
    let numbers: BTreeSet<&str> = SPEC
        .lines()
        .filter(|line| line.starts_with('#'))
        .filter_map(|line| line.trim_start_matches('#').trim().split(' ').next())
        .collect();
    for mention in SPEC.split(['s', 'S']).filter_map(|rest| rest.strip_prefix("ection ")) {
        let number =
            mention.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap().trim_end_matches('.');
        assert!(number.is_empty() || numbers.contains(number), "no section {number}");
    }
}
