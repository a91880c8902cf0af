//! Which codes, flags and states of the format occur in a recording, by name.

use std::collections::BTreeSet;

use otlp_mmap_format::*;

use crate::image::{Image, Item, size};

type Names = BTreeSet<String>;

macro_rules! names {
    ($($codes:ident)*) => {
        [$($codes::ALL.iter().map(|(_, name)| format!(concat!(stringify!($codes), ".{}"), name)).collect::<Vec<_>>()),*]
    };
}

macro_rules! note {
    ($names:expr, $codes:ident, $code:expr) => {
        if let Some(value) = $code.try_into().ok().and_then($codes::from_code) {
            $names.insert(format!(concat!(stringify!($codes), ".{}"), value.name()));
        }
    };
}

/// States that are no codes.
const STATES: [&str; 14] = [
    "a chain of blocks",
    "a child",
    "a scale that went down",
    "a span without a name",
    "a spilled span",
    "a truncated item",
    "a truncated record",
    "an exemplar",
    "an inline key",
    "an overflow series",
    "a raw point of a double",
    "generation 3, partly acknowledged",
    "no CRC",
    "overwritten records",
];

/// Everything that can occur.
pub(crate) fn all() -> Names {
    let codes = names![
        SeriesKind Counter EntryKind Aggregation Temporality FileState SectionKind Signal OverflowPolicy ValueType
        ItemTag RecordType
    ];
    codes.into_iter().flatten().chain(STATES.map(str::to_owned)).collect()
}

/// What occurs in a recording.
pub(crate) fn of(image: &Image) -> Names {
    let mut names = Names::new();
    header(image, &mut names);
    counters(image, &mut names);
    for (signal, _) in Signal::ALL {
        segments(image, *signal, &mut names);
        for record in image.records(*signal) {
            note!(names, Signal, u64::from(signal.code()));
            one_record(image, record, &mut names);
        }
    }
    image.entries().into_iter().for_each(|entry| definition(image, entry, &mut names));
    image.series().into_iter().for_each(|series| one_series(image, series, &mut names));
    blocks(image, &mut names);
    names
}

fn state(names: &mut Names, name: &str, is_so: bool) {
    assert!(STATES.contains(&name), "{name}");
    if is_so {
        names.insert(name.to_owned());
    }
}

fn header(image: &Image, names: &mut Names) {
    let field = |name| image.number(0, Header::FIELDS, name);
    note!(names, OverflowPolicy, field("overflow_policy"));
    note!(names, FileState, image.number(STATE_OFFSET, HeaderState::FIELDS, "state"));
    state(names, "no CRC", field("record_crc") == 0);
    let parent = crate::image::range(0, Header::FIELDS, "parent_file_id");
    state(names, "a child", image.bytes[parent] != [0; 16]);
    for index in 0..size(field("section_count")) {
        let entry = SECTIONS_OFFSET + index * SectionEntry::SIZE;
        note!(names, SectionKind, image.number(entry, SectionEntry::FIELDS, "kind"));
    }
}

fn counters(image: &Image, names: &mut Names) {
    let section = image.section(SectionKind::Counters, None);
    for (signal, _) in Signal::ALL {
        for (counter, name) in Counter::ALL {
            let at = section.offset + counter_index(*signal, *counter) * section.entry_size;
            if image.word(at..at + 8) > 0 {
                names.insert(format!("Counter.{name}"));
            }
        }
    }
}

fn segments(image: &Image, signal: Signal, names: &mut Names) {
    let table = image.section(SectionKind::SegmentTable, Some(signal));
    for slot in 0..table.entry_count {
        let at = table.offset + slot * table.entry_size;
        let committed = Committed::unpack(image.number(at, SegmentEntry::FIELDS, "committed"));
        let generation = committed.expect("a whole word").generation;
        let lost = crate::image::range(at, SegmentEntry::FIELDS, "base_overwritten").start;
        let lost = lost + size(u64::from(generation & 1)) * 8;
        let held = crate::image::range(at, SegmentEntry::FIELDS, "base_records").start;
        let held = held + size(u64::from(generation & 1)) * 8;
        let of = |word| unseal(image.word(word)).expect("a whole word");
        let (lost, held) = (of(lost..lost + 8), of(held..held + 8));
        state(names, "overwritten records", lost > 0);
        state(names, "generation 3, partly acknowledged", generation >= 3 && 0 < lost && lost < held);
    }
}

fn one_record(image: &Image, record: usize, names: &mut Names) {
    let field = |name| image.number(record, RecordHeader::FIELDS, name);
    note!(names, RecordType, field("record_type"));
    state(names, "a truncated record", field("flags") == u64::from(RECORD_FLAG_TRUNCATED));
    let items_of_record = image.record_items(record);
    let body = record + RecordHeader::SIZE;
    if field("record_type") == u64::from(RecordType::Span.code()) {
        let renamed = items_of_record.iter().any(|item| item.tag == ItemTag::Name.code());
        let name_ref = image.number(body, SpanBody::FIELDS, "name_ref");
        state(names, "a span without a name", !renamed && name_ref == 0);
    }
    if field("record_type") == u64::from(RecordType::Measurement.code()) {
        let flags = image.number(body, MeasurementBody::FIELDS, "flags");
        let raw_double = u64::from(MEASUREMENT_FLAG_RAW | MEASUREMENT_FLAG_DOUBLE);
        state(names, "a raw point of a double", flags == raw_double);
        state(names, "an exemplar", flags == 0);
    }
    items(image, items_of_record, true, names);
}

fn definition(image: &Image, entry: usize, names: &mut Names) {
    let kind = image.number(entry, EntryHeader::FIELDS, "kind");
    note!(names, EntryKind, kind);
    let payload = image.payload(entry);
    let kind = EntryKind::from_code(kind.try_into().unwrap()).expect("a known kind");
    let body = match kind {
        EntryKind::String => return,
        EntryKind::Resource | EntryKind::AttributeSet => 0,
        EntryKind::Scope => ScopeBody::SIZE,
        EntryKind::MetricStream => {
            let field = |name| image.number(payload.start, MetricStreamBody::FIELDS, name);
            note!(names, Aggregation, field("aggregation"));
            note!(names, Temporality, field("temporality"));
            MetricStreamBody::SIZE
        }
    };
    items(image, image.items(payload.start + body..payload.end), true, names);
}

fn items(image: &Image, list: Vec<Item>, keyed: bool, names: &mut Names) {
    for item in list {
        note!(names, ValueType, item.tag);
        note!(names, ItemTag, item.tag);
        state(names, "a truncated item", item.truncated);
        let is_value = ValueType::from_code(item.tag).is_some();
        state(names, "an inline key", is_value && keyed && item.reference == 0);
        if let Some((inner, keyed)) = image.inner(item, keyed) {
            items(image, inner, keyed, names);
        }
    }
}

fn one_series(image: &Image, series: usize, names: &mut Names) {
    let field = |name| image.number(series, SeriesHeader::FIELDS, name);
    note!(names, SeriesKind, field("kind"));
    state(names, "an overflow series", field("flags") == u64::from(SERIES_FLAG_OVERFLOW));
    if field("kind") == u64::from(SeriesKind::ExponentialHistogram.code()) {
        let capacity = u32::try_from(field("capacity")).unwrap();
        let current = size((field("version") & 1) * SeriesKind::ExponentialHistogram.copy_size(capacity));
        let copy = series + SeriesHeader::SIZE + current;
        let stream = image.payload(image.entry(size(field("stream_ref")))).start;
        let highest = image.number(stream, MetricStreamBody::FIELDS, "max_scale");
        let scale = image.number(copy, ExponentialCopy::FIELDS, "scale");
        state(names, "a scale that went down", scale != highest);
    }
}

fn blocks(image: &Image, names: &mut Names) {
    let table = image.section(SectionKind::ActiveSpans, None);
    for (index, at) in (0..).zip((table.offset..).step_by(table.entry_size)).take(table.entry_count) {
        let word = image.number(at, ActiveBlock::FIELDS, "committed");
        let bytes = ActiveCommit::unpack(word, index).expect("a whole word").bytes;
        let flags = image.number(at, ActiveBlock::FIELDS, "flags");
        state(names, "a spilled span", bytes > 0 && flags == u64::from(BLOCK_FLAG_SPILLED));
        state(names, "a chain of blocks", size(bytes.into()) > BLOCK_CONTENT_SIZE);
    }
}
