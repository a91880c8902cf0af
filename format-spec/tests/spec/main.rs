//! SPEC.md and the crate agree: every structure, code and constant, in both directions, and every test vector.
//!
//! The tables are found by the comment lines in front of them: `<!-- struct: Name size=N -->`,
//! `<!-- codes: Name -->`, `<!-- constants -->`, `<!-- vectors: name -->`. What the crate declares is found by
//! reading its sources, so that nothing new can be left out of the lists below, nor out of SPEC.md.

mod vectors;

use otlp_mmap_format::*;
use std::collections::{BTreeMap, BTreeSet};

const SPEC: &str = include_str!("../../SPEC.md");

/// The sources that declare what is on disk; `every_source_is_read` holds the list to the directory.
const SOURCES: &[(&str, &str)] = &[
    ("active.rs", include_str!("../../src/active.rs")),
    ("cell.rs", include_str!("../../src/cell.rs")),
    ("checked.rs", include_str!("../../src/checked.rs")),
    ("counter.rs", include_str!("../../src/counter.rs")),
    ("dictionary.rs", include_str!("../../src/dictionary.rs")),
    ("header.rs", include_str!("../../src/header.rs")),
    ("item.rs", include_str!("../../src/item.rs")),
    ("lib.rs", include_str!("../../src/lib.rs")),
    ("macros.rs", include_str!("../../src/macros.rs")),
    ("record.rs", include_str!("../../src/record.rs")),
    ("segment.rs", include_str!("../../src/segment.rs")),
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
