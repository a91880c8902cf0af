//! References: good ones, and every way in which one can be bad.

use otlp_mmap_format::{
    EntryHeader, EntryKind, Header, ItemTag, SECTIONS_OFFSET, ScopeBody, SectionEntry, U32, U64, ValueType,
    seal,
};
use otlp_mmap_reader::model::{Record, Span, Value};
use otlp_mmap_reader::{Batch, Entries, Report, Rule};
use zerocopy::IntoBytes;

use crate::observer::rules;
use crate::support::{DICTIONARY_AT, Image, SEGMENTS_AT, attribute, item, text_item};

fn only_span(image: &Image) -> (Span, Report) {
    let batch = image.open().observe().poll().unwrap();
    let [Record::Span(span)] = &batch.records[..] else { panic!("{batch:?}") };
    ((**span).clone(), batch.report)
}

fn entry_at(reference: u32) -> usize {
    DICTIONARY_AT + 8 * reference as usize
}

/// A span whose name is a reference.
fn named_by(reference: u32) -> Vec<u8> {
    item(ItemTag::Name.code(), reference, &[])
}

#[test]
fn scope_and_resource_are_resolved_and_shared() {
    let mut image = Image::new();
    let key = image.string("key");
    image.span(0, 1, &text_item(ValueType::String.code(), key, "value"));
    image.span(0, 2, &[]);
    let batch = image.open().observe().poll().unwrap();
    assert!(batch.report.is_clean(), "{:?}", batch.report);
    let [Record::Span(first), Record::Span(second)] = &batch.records[..] else { panic!() };
    assert!(std::sync::Arc::ptr_eq(&first.scope, &second.scope));
    assert_eq!((&*first.scope.name, &*first.scope.version), ("scope", "1.2"));
    assert_eq!(&*first.scope.resource.attributes[0].key, "service.name");
    assert_eq!(&*first.attributes[0].key, "key");
}

#[test]
fn a_resource_without_an_instance_id_gets_the_id_of_the_file() {
    let mut image = Image::new();
    image.span(0, 1, &[]);
    let given = text_item(ValueType::String.code(), image.string("service.instance.id"), "mine");
    let resource = image.entry(EntryKind::Resource, &given);
    image.scope = image.new_scope(resource, "other");
    image.span(0, 2, &[]);
    let snapshot = image.open().snapshot().unwrap();
    let attributes = |index: usize| {
        let attributes = &snapshot.spans[index].scope.resource.attributes;
        attributes.iter().map(|kv| (&*kv.key, kv.value.clone())).collect::<Vec<_>>()
    };
    let text = |text: &str| Value::String(text.to_owned());
    let uuid = "30313233-3435-3637-3839-616263646566";
    assert_eq!(attributes(0), [("service.name", text("shop")), ("service.instance.id", text(uuid))]);
    assert_eq!(attributes(1), [("service.instance.id", text("mine"))]);
}

#[test]
fn entries_are_counted_by_kind_and_counting_goes_on() {
    let mut image = Image::new();
    let mut entries = Entries::default();
    image.open().count_entries(&mut entries).unwrap();
    let before = entries.clone();
    let strings = |entries: &Entries| (entries.kinds[0].count, entries.kinds[0].bytes);
    let damaged = image.string("damaged");
    image.string("whole");
    image.bytes[entry_at(damaged) + EntryHeader::SIZE] ^= 4;
    let recording = image.open();
    for _ in 0..2 {
        recording.count_entries(&mut entries).unwrap();
        let (count, bytes) = strings(&before);
        assert_eq!(
            strings(&entries),
            (count + 1, bytes + (EntryHeader::SIZE as u64 + 5).next_multiple_of(8))
        );
        assert_eq!(entries.kinds[1..], before.kinds[1..]);
    }
    let mut fresh = Entries::default();
    recording.count_entries(&mut fresh).unwrap();
    assert_eq!(fresh.kinds, entries.kinds);
    let counts = fresh.kinds.map(|kind| kind.count);
    assert!(counts[..3].iter().all(|count| *count > 0), "{counts:?}");
    let whole: u64 = counts.iter().sum();
    assert_eq!(whole, recording.verify().unwrap().readable.dictionary_entries);
}

#[test]
fn any_damaged_byte_of_an_entry_gives_an_empty_text_and_a_fault() {
    let entry_length = EntryHeader::SIZE + "operation".len();
    for byte in (0..entry_length).filter(|byte| !(12..16).contains(byte)) {
        let mut image = Image::new();
        let reference = image.string("operation");
        let record = image.span(0, 1, &named_by(reference));
        image.bytes[entry_at(reference) + byte] ^= 4;
        let (span, report) = only_span(&image);
        assert_eq!(&*span.name, "", "byte {byte}");
        assert_eq!(rules(&report), [Rule::Reference], "byte {byte}");
        assert_eq!(report.faults[0].offset, record as u64 + 32 + 56);
        assert_eq!(&*span.scope.name, "scope", "other entries are not concerned");
        assert_eq!(rules(&image.open().verify().unwrap()), [Rule::DictionaryEntry, Rule::Reference]);
    }
}

#[test]
fn a_bad_reference_is_told_once_in_each_report() {
    let mut image = Image::new();
    let reference = image.string("operation");
    for number in 1..=9 {
        image.span(0, number, &named_by(reference));
    }
    image.bytes[entry_at(reference) + 17] ^= 4;
    let recording = image.open();
    for _ in 0..2 {
        let batch = recording.observe().poll().unwrap();
        assert_eq!((batch.records.len(), rules(&batch.report)), (9, vec![Rule::Reference]));
        assert_eq!(recording.verify().unwrap().fault_count(), 2);
    }
}

#[test]
fn a_damaged_resource_is_told_with_its_scope() {
    let mut image = Image::new();
    let resource = image.entry(EntryKind::Resource, &[1; 32]);
    image.scope = image.new_scope(resource, "other");
    image.bytes[entry_at(resource) + 20] ^= 1;
    image.span(0, 1, &[]);
    let recording = image.open();
    for _ in 0..2 {
        let batch = recording.observe().poll().unwrap();
        assert_eq!(&*batch.records[0].scope().name, "other");
        assert_eq!(rules(&batch.report), [Rule::Reference]);
    }
}

#[test]
fn an_attribute_whose_key_is_lost_counts_as_dropped() {
    let mut image = Image::new();
    let items = [text_item(ValueType::String.code(), 999, "value"), attribute("k", ValueType::Empty, &[])];
    image.span(0, 1, &items.concat());
    let (span, report) = only_span(&image);
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (1, 1));
    assert_eq!(rules(&report), [Rule::Reference]);
}

#[test]
fn references_to_nowhere_are_faults() {
    for reference in [1, 7, 2047, 2048, u32::MAX] {
        let mut image = Image::new();
        image.span(0, 1, &named_by(reference));
        let (span, report) = only_span(&image);
        assert_eq!((&*span.name, rules(&report)), ("", vec![Rule::Reference]));
    }
}

#[test]
fn a_whole_entry_behind_what_is_published_is_used_and_told() {
    let mut image = Image::new();
    let before = image.get::<U64>(DICTIONARY_AT);
    let reference = image.string("operation");
    image.put(DICTIONARY_AT, &before);
    image.span(0, 1, &named_by(reference));
    let (span, report) = only_span(&image);
    assert_eq!((&*span.name, rules(&report)), ("operation", vec![Rule::Reference]));
}

#[test]
fn a_reference_to_another_kind_is_a_fault() {
    let mut image = Image::new();
    let text = image.string("text");
    let scope = image.scope;
    image.span(0, 1, &named_by(scope));
    let (span, report) = only_span(&image);
    assert_eq!((&*span.name, rules(&report)), ("", vec![Rule::Reference]));

    image.scope = text;
    image.span(1, 2, &[]);
    let batch = image.open().observe().poll().unwrap();
    assert_eq!(rules(&batch.report), [Rule::Reference; 2]);
    assert_eq!(batch.records.len(), 2);
}

#[test]
fn a_reference_to_an_unknown_kind_is_a_fault_and_the_entry_is_none() {
    let mut image = Image::new();
    let reference = image.string("later");
    let at = entry_at(reference);
    image.put(at + 4, &U32::new(99));
    let crc = crc32c::crc32c_append(crc32c::crc32c(&image.bytes[at..at + 8]), b"later");
    image.put(at + 8, &U32::new(crc));
    assert!(image.open().verify().unwrap().is_clean());
    image.span(0, 1, &named_by(reference));
    assert_eq!(rules(&image.open().verify().unwrap()), [Rule::Reference]);
}

#[test]
fn an_entry_inside_another_one_is_refused() {
    let mut image = Image::new();
    let mut inner = Image::new();
    let at = inner.string("inner");
    let entry = inner.bytes[entry_at(at)..entry_at(at) + 24].to_vec();
    let outer = image.entry(EntryKind::String, &entry);
    image.span(0, 1, &named_by(outer));
    image.span(0, 2, &named_by(outer + 2));
    let batch = image.open().observe().poll().unwrap();
    assert_eq!(rules(&batch.report), [Rule::Utf8, Rule::Reference]);
}

#[test]
fn an_entry_that_begins_in_the_last_bytes_of_another_one_is_refused() {
    for (shared, whole) in [(8, 1), (4, 1), (0, 2)] {
        let mut image = Image::new();
        let entry = image.string("second");
        let entry = image.bytes[entry_at(entry)..][..EntryHeader::SIZE + 6].to_vec();
        // Its text ends in the first bytes of the entry that is put at its eighth one.
        let text = format!("a first.{}", std::str::from_utf8(&entry[..shared]).unwrap());
        let first = image.string(&text);
        image.put(entry_at(first + 3), entry.as_slice());
        image.put(DICTIONARY_AT, &U64::new(seal((entry_at(first + 6) - DICTIONARY_AT) as u64)));
        image.span(0, 1, &named_by(first));
        image.span(0, 2, &named_by(first + 3));
        let Batch { records, report, .. } = image.open().observe().poll().unwrap();
        let has_name = |record: &&Record| matches!(record, Record::Span(span) if !span.name.is_empty());
        assert_eq!(records.iter().filter(has_name).count(), whole, "{shared}: {report:?}");
        assert_eq!(report.faults.len(), 2 - whole, "{shared}: {report:?}");
    }
}

/// Makes room for a larger dictionary: the segments behind it move, so records are to be there already.
fn grow_dictionary(image: &mut Image, bytes: usize) {
    image.bytes.splice(SEGMENTS_AT..SEGMENTS_AT, std::iter::repeat_n(0, bytes));
    let bytes = bytes as u64;
    for index in 6..10 {
        let at = SECTIONS_OFFSET + index * SectionEntry::SIZE;
        let mut section: SectionEntry = image.get(at);
        if index == 6 {
            section.length += bytes;
        } else {
            section.offset += bytes;
        }
        image.put(at, &section);
    }
    let mut header: Header = image.get(0);
    header.file_size += bytes;
    image.put(0, &header);
    image.seal_header();
}

/// A definition that is not of the expected kind was decoded all the same, and so were those it refers to: a file of
/// a megabyte could use up the stack.
#[test]
fn a_long_chain_of_definitions_of_the_wrong_kind_takes_no_stack() {
    const COUNT: u32 = 40_000;
    let mut image = Image::new();
    let scope = |reference: u32| {
        ScopeBody { resource_ref: U32::new(reference), reserved: U32::ZERO }.as_bytes().to_vec()
    };
    let first = image.entry(EntryKind::Scope, &scope(0));
    image.scope = first + 3 * COUNT;
    image.span(0, 1, &[]);
    grow_dictionary(&mut image, 1 << 20);
    let last = (0..COUNT).fold(first, |before, _| image.entry(EntryKind::Scope, &scope(before)));
    assert_eq!(last, image.scope);
    let (span, report) = only_span(&image);
    assert_eq!((&*span.scope.resource.attributes, rules(&report)), (&[][..], vec![Rule::Reference]));
    let report = image.open().verify().unwrap();
    assert_eq!(report.readable.dictionary_entries, u64::from(COUNT) + 4);
    assert!(report.faults.iter().all(|fault| fault.rule == Rule::Reference), "{report:?}");
}

#[test]
fn an_entry_met_as_the_wrong_kind_is_known_as_the_right_one() {
    let mut image = Image::new();
    image.span(0, 1, &named_by(image.scope));
    let batch = image.open().observe().poll().unwrap();
    assert_eq!(rules(&batch.report), [Rule::Reference]);
    let [Record::Span(span)] = &batch.records[..] else { panic!("{batch:?}") };
    assert_eq!((&*span.name, &*span.scope.name), ("", "scope"));
}

#[test]
fn the_published_length_is_checked() {
    for committed in [0, 65, 16_385, (1 << 56) - 1] {
        let mut image = Image::new();
        image.put(DICTIONARY_AT, &U64::new(seal(committed)));
        image.span(0, 1, &[]);
        assert_eq!(&*only_span(&image).0.scope.name, "scope", "entries are known by their CRC");
        assert!(rules(&image.open().verify().unwrap()).contains(&Rule::Committed));
    }
}

#[test]
fn verify_counts_entries_and_goes_on_behind_a_damaged_one() {
    let mut image = Image::new();
    let before = image.open().verify().unwrap();
    assert!(before.is_clean(), "{before:?}");
    let damaged = image.string("damaged, and long enough for three places");
    image.string("whole");
    image.put(entry_at(damaged), &U32::new(90));
    let report = image.open().verify().unwrap();
    assert_eq!(report.readable.dictionary_entries, before.readable.dictionary_entries + 1);
    assert_eq!(rules(&report), [Rule::DictionaryEntry]);
    assert_eq!(report.faults[0].offset, entry_at(damaged) as u64);
}
