//! The annotated dump of SPEC.md: the way from the header to the first EVENT record and to all that it refers to.
//!
//! Every name, offset and size is the format crate's; what the numbers mean is worked out from the bytes.

use std::collections::BTreeSet;
use std::fmt::Write;

use otlp_mmap_format::{
    Acknowledged, Committed, EntryHeader, EntryKind, EventBody, Field, Header, ItemHeader, ItemTag,
    RecordHeader, RecordType, ScopeBody, SectionEntry, SectionKind, SegmentEntry, Signal, ValueType, align8,
    record_check, unseal,
};

use crate::image::{Image, Item, range};

/// The vector that is shown.
pub(crate) const VECTOR: &str = "events";
/// What stands around the dump in SPEC.md.
pub(crate) const BEGIN: &str = "<!-- hexdump:begin -->\n";
pub(crate) const END: &str = "<!-- hexdump:end -->\n";

/// How much of the header is shown.
const HEADER_SHOWN: usize = 200;
const ROW: usize = 16;

/// The dump, from marker to marker.
pub(crate) fn render(image: &Image) -> String {
    let mut dump = Dump { image, text: String::new(), references: BTreeSet::new() };
    let section = |kind, signal| image.section(kind, signal);
    let table = section(SectionKind::SegmentTable, Some(Signal::Events));
    let segments = section(SectionKind::Segments, Some(Signal::Events));
    dump.begin(&format!("`golden/{VECTOR}.otlpmm`: the first {HEADER_SHOWN} bytes of the header."));
    let shown: Vec<Field> =
        Header::FIELDS.iter().filter(|field| field.offset < HEADER_SHOWN).copied().collect();
    dump.structure("Header", 0, &shown);
    dump.next("The section table's entries of the events' segment table, of the dictionary, and of the events' segments.");
    for place in [table, section(SectionKind::Dictionary, None), segments] {
        dump.structure("SectionEntry", place.entry, SectionEntry::FIELDS);
    }
    dump.next("The segment table's entry of the first segment of events.");
    dump.structure("SegmentEntry", table.offset, SegmentEntry::FIELDS);
    dump.next("The first EVENT record.");
    dump.record(segments.offset);
    dump.next("What it refers to in the dictionary, and what that refers to.");
    dump.entries();
    dump.text.push_str("```\n");
    dump.text
}

struct Dump<'a> {
    image: &'a Image,
    text: String,
    /// Met so far.
    references: BTreeSet<usize>,
}

impl Dump<'_> {
    fn begin(&mut self, caption: &str) {
        let _ = write!(self.text, "{caption}\n\n```text\n");
    }

    fn next(&mut self, caption: &str) {
        self.text.push_str("```\n\n");
        self.begin(caption);
    }

    /// A row of each 16 bytes; the first one says what they are.
    fn bytes(&mut self, at: usize, end: usize, name: &str, meaning: &str) {
        for (row, bytes) in self.image.bytes[at..end].chunks(ROW).enumerate() {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let (name, meaning) = if row == 0 { (name, meaning) } else { ("", "") };
            let line = format!("{:<7}{:<48} {name:<25} {meaning}", at + row * ROW, hex.join(" "));
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    fn structure(&mut self, name: &str, at: usize, fields: &[Field]) {
        for field in fields {
            let range = range(at, fields, field.name);
            let meaning = self.meaning(name, at, field);
            self.bytes(range.start, range.end, field.name, &meaning);
        }
    }

    fn record(&mut self, at: usize) {
        self.structure("RecordHeader", at, RecordHeader::FIELDS);
        self.structure("EventBody", at + RecordHeader::SIZE, EventBody::FIELDS);
        for item in self.image.record_items(at) {
            self.item(item, true);
        }
    }

    fn item(&mut self, item: Item, keyed: bool) {
        self.structure("ItemHeader", item.at, ItemHeader::FIELDS);
        if let Some((inner, keyed)) = self.image.inner(item, keyed) {
            for item in inner {
                self.item(item, keyed);
            }
            return;
        }
        let payload = item.at + ItemHeader::SIZE;
        let meaning = value(item.tag, &self.image.bytes[payload..item.end]);
        self.bytes(payload, item.end, "payload", &meaning);
        self.padding(item.end);
    }

    fn padding(&mut self, at: usize) {
        self.bytes(at, align8(at), "padding", "");
    }

    /// The entries that were referred to, in the order of the file.
    fn entries(&mut self) {
        let mut shown = BTreeSet::new();
        let mut texts = std::collections::BTreeMap::new();
        while let Some(&reference) = self.references.difference(&shown).next() {
            shown.insert(reference);
            let before = std::mem::take(&mut self.text);
            self.entry(self.image.entry(reference));
            texts.insert(reference, std::mem::replace(&mut self.text, before));
        }
        self.text.extend(texts.into_values());
    }

    fn entry(&mut self, at: usize) {
        self.structure("EntryHeader", at, EntryHeader::FIELDS);
        let payload = self.image.payload(at);
        let start = match self.entry_kind(at) {
            Some(EntryKind::String) => {
                let text = value(ValueType::String.code(), &self.image.bytes[payload.clone()]);
                self.bytes(payload.start, payload.end, "payload", &text);
                payload.end
            }
            Some(EntryKind::Scope) => {
                self.structure("ScopeBody", payload.start, ScopeBody::FIELDS);
                payload.start + ScopeBody::SIZE
            }
            _ => payload.start,
        };
        for item in self.image.items(start..payload.end) {
            self.item(item, true);
        }
        self.padding(payload.end);
    }

    fn entry_kind(&self, at: usize) -> Option<EntryKind> {
        let code = self.image.number(at, EntryHeader::FIELDS, "kind");
        u32::try_from(code).ok().and_then(EntryKind::from_code)
    }

    /// What a field says.
    fn meaning(&mut self, structure: &str, at: usize, field: &Field) -> String {
        let place = at + field.offset..at + field.offset + field.size;
        if field.size > 8 {
            return self.long_meaning(structure, field.name, place.start);
        }
        let number = self.image.word(place);
        let code = u32::try_from(number).unwrap_or(u32::MAX);
        match (structure, field.name) {
            ("Header", "magic") => r#""\x89OTM\r\n\x1a\n""#.to_owned(),
            ("Header", "byte_order") => format!("{number:#010x}"),
            ("SectionEntry", "kind") => {
                SectionKind::from_code(code).map_or("?", SectionKind::name).to_owned()
            }
            ("SectionEntry", "signal") => Signal::from_code(code).map_or("none", Signal::name).to_owned(),
            ("SegmentEntry", "committed") => {
                let Some(Committed { generation, bytes }) = Committed::unpack(number) else {
                    return damaged();
                };
                format!("generation {generation}, {bytes} bytes")
            }
            ("SegmentEntry", "acknowledged") => {
                let Some(acknowledged) = Acknowledged::unpack(number) else { return damaged() };
                let Acknowledged { generation, closed, records } = acknowledged;
                let closed = if closed { "closed" } else { "not closed" };
                format!("generation {generation}, {closed}, {records} records")
            }
            ("RecordHeader", "record_type") => record_type(code).to_owned(),
            ("RecordHeader", "check") => fitting(number, self.check(at)),
            ("RecordHeader" | "EntryHeader", "crc") => fitting(number, self.crc(structure, at)),
            ("EventBody", "span_id") => "the span it happened in".to_owned(),
            ("ItemHeader", "tag_and_length") => tag_and_length(number),
            ("EntryHeader", "kind") => self.entry_kind(at).map_or("?", EntryKind::name).to_owned(),
            (_, name) if name.ends_with("_ref") || name == "reference" => self.reference(number),
            _ => number.to_string(),
        }
    }

    /// What a field says that is longer than a number.
    fn long_meaning(&self, structure: &str, field: &str, at: usize) -> String {
        match field {
            "banner" => "a line for people".to_owned(),
            "file_id" => format!("its key is {:#018x}", self.image.word(at..at + 8)),
            "boot_id" => format!("here {:?}", String::from_utf8_lossy(&self.image.bytes[at..at + 16])),
            "base_records" | "base_overwritten" => {
                let of = |parity: usize| unseal(self.image.word(at + parity * 8..at + parity * 8 + 8));
                let of = |parity| of(parity).map_or_else(damaged, |count| count.to_string());
                format!("even generations {}, odd {}", of(0), of(1))
            }
            "trace_id" if structure == "EventBody" => "the trace of that span".to_owned(),
            _ => String::new(),
        }
    }

    /// Notes a reference, and says where it leads.
    fn reference(&mut self, number: u64) -> String {
        let Some(reference) = usize::try_from(number).ok().filter(|reference| *reference > 0) else {
            return "none".to_owned();
        };
        self.references.insert(reference);
        let at = self.image.entry(reference);
        match self.entry_kind(at) {
            Some(EntryKind::String) => format!("{number}: {:?}, at {at}", self.image.string(reference)),
            kind => format!("{number}: the {} at {at}", kind.map_or("?", EntryKind::name)),
        }
    }

    fn check(&self, at: usize) -> u32 {
        let id = range(0, Header::FIELDS, "file_id").start;
        let key = self.image.word(id..id + 8);
        let field = |name| self.image.number(at, RecordHeader::FIELDS, name);
        let word = |name| u32::try_from(field(name)).unwrap_or_default();
        let half = |name| u16::try_from(field(name)).unwrap_or_default();
        let (record_type, flags) = (half("record_type"), half("flags"));
        record_check(key, word("length"), record_type, flags, word("generation"), word("index"))
    }

    fn crc(&self, structure: &str, at: usize) -> u32 {
        let (fields, head, rest) = match structure {
            "RecordHeader" => (RecordHeader::FIELDS, 16, 24),
            _ => (EntryHeader::FIELDS, 8, 16),
        };
        let end = at + self.image.size(at, fields, "length");
        let bytes = &self.image.bytes;
        crc32c::crc32c_append(crc32c::crc32c(&bytes[at..at + head]), &bytes[at + rest..end])
    }
}

fn record_type(code: u32) -> &'static str {
    u16::try_from(code).ok().and_then(RecordType::from_code).map_or("?", RecordType::name)
}

fn tag_and_length(number: u64) -> String {
    let tag = number.to_le_bytes()[0];
    let name = ValueType::from_code(tag).map(ValueType::name);
    let name = name.or_else(|| ItemTag::from_code(tag).map(ItemTag::name));
    format!("{}, length {}", name.unwrap_or("?"), number >> 8)
}

/// A text, or a number, or neither.
fn value(tag: u8, payload: &[u8]) -> String {
    let texts = [ItemTag::Name, ItemTag::SeverityText, ItemTag::Version].map(ItemTag::code);
    if tag == ValueType::String.code() || texts.contains(&tag) {
        return format!("{:?}", String::from_utf8_lossy(payload));
    }
    match (ValueType::from_code(tag), payload.first_chunk()) {
        (Some(ValueType::Int), Some(bytes)) => i64::from_le_bytes(*bytes).to_string(),
        (Some(ValueType::Double), Some(bytes)) => f64::from_le_bytes(*bytes).to_string(),
        _ => String::new(),
    }
}

/// What is said of a checked word whose check does not fit.
fn damaged() -> String {
    "DOES NOT FIT".to_owned()
}

fn fitting(found: u64, computed: u32) -> String {
    let fits = if found == u64::from(computed) { "as computed" } else { "DOES NOT FIT" };
    format!("{found:#010x}, {fits}")
}
