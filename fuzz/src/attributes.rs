//! Items of all kinds inside of records, spans in flight and definitions whose checks fit: nested arrays and maps,
//! wrong lengths, references that lead nowhere. Values never nest deeper than they may, no list has a key twice, and
//! all can be shown.

use std::collections::HashSet;

use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, EntryHeader, EntryKind, EventBody, MAX_VALUE_DEPTH,
    MeasurementBody, MetricStreamBody, RecordHeader, RecordType, ScopeBody, SpanBody, U32,
};
use otlp_mmap_reader::Snapshot;
use otlp_mmap_reader::model::{KeyValue, Scope, Value};
use zerocopy::IntoBytes;

use crate::dictionary::entries;
use crate::image::{get, put};
use crate::items::{self, parse, serialize};
use crate::output::render;
use crate::parts::{Parts, SEGMENT_SIZE};
use crate::random::{Mutate, Random};
use crate::read::everything;
use crate::scan::{records, renumber};

/// Longest key that is the same as another one by its text.
const COMPARED_LENGTH: usize = 4096;
/// Most bytes of a dictionary to which definitions are added.
const MAX_DICTIONARY: usize = 6 << 10;

/// Reads a recording of these parts.
pub fn run(input: &[u8]) {
    let (file, _lock) = Parts::decode(input).file();
    let snapshot = everything(&file.recording().expect("a whole header"));
    check(&snapshot);
    render(&snapshot);
}

/// Looks at every list of attributes and every value.
fn check(snapshot: &Snapshot) {
    for span in snapshot.spans.iter().chain(&snapshot.spans_in_flight) {
        check_scope(&span.scope);
        check_attributes(&span.attributes, 1);
        span.events.iter().for_each(|event| check_attributes(&event.attributes, 1));
        span.links.iter().for_each(|link| check_attributes(&link.attributes, 1));
    }
    for event in &snapshot.events {
        check_scope(&event.scope);
        check_attributes(&event.attributes, 1);
        event.body.iter().for_each(|body| check_value(body, 1));
    }
    for measurement in &snapshot.measurements {
        check_attributes(&measurement.filtered_attributes, 1);
        check_attributes(&measurement.series_attributes, 1);
    }
    snapshot.series.iter().for_each(|series| check_attributes(&series.attributes, 1));
}

fn check_scope(scope: &Scope) {
    check_attributes(&scope.attributes, 1);
    check_attributes(&scope.resource.attributes, 1);
}

fn check_attributes(list: &[KeyValue], depth: usize) {
    let mut keys = HashSet::new();
    let short = list.iter().filter(|attribute| attribute.key.len() <= COMPARED_LENGTH);
    assert!(short.map(|attribute| &attribute.key).all(|key| keys.insert(key)), "a key twice in {list:?}");
    for attribute in list {
        check_value(&attribute.value, depth);
    }
}

fn check_value(value: &Value, depth: usize) {
    match value {
        Value::Array(elements) => {
            assert!(depth < MAX_VALUE_DEPTH || elements.is_empty(), "content at depth {depth}");
            for element in elements {
                check_value(element, depth + 1);
            }
        }
        Value::Map(entries) => {
            assert!(depth < MAX_VALUE_DEPTH || entries.is_empty(), "content at depth {depth}");
            check_attributes(entries, depth + 1);
        }
        _ => {}
    }
}

/// Changes items somewhere.
pub fn mutate(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    match random.below(8) {
        0 => change_block(parts, random, default),
        1 => change_definition(parts, random, default),
        _ => change_record(parts, random, default),
    }
}

/// References of all entries.
fn references(parts: &Parts) -> Vec<u32> {
    let places = entries(&parts.dictionary).into_iter();
    places.map(|(at, _)| u32::try_from(at / 8).unwrap_or(0)).collect()
}

fn change_items(bytes: &[u8], references: &[u32], random: &mut Random, default: Mutate<'_>) -> Vec<u8> {
    let mut nodes = parse(bytes, true);
    for _ in 0..=random.below(3) {
        items::mutate(&mut nodes, references, random, default);
    }
    serialize(&nodes)
}

fn change_record(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    let references = references(parts);
    let number = random.below(parts.slots.len());
    let Some(slot) = parts.slots.get_mut(number) else { return };
    let Some(&(at, mut header)) = random.pick(&records(&slot.payload)) else { return };
    let body = match RecordType::from_code(header.record_type.get()) {
        Some(RecordType::Span) => SpanBody::SIZE,
        Some(RecordType::Event) => EventBody::SIZE,
        Some(RecordType::Measurement) => MeasurementBody::SIZE,
        None => 0,
    };
    let end = at + usize::try_from(header.length.get()).unwrap_or(0);
    let start = at + RecordHeader::SIZE + body;
    let Some(old) = slot.payload.get(start..end) else { return };
    let new = change_items(old, &references, random, default);
    let length = start - at + new.len();
    if slot.payload.len() + length > SEGMENT_SIZE + end - at {
        return;
    }
    slot.payload.splice(start..end, new);
    header.length = U32::new(u32::try_from(length).unwrap_or(0));
    put(&mut slot.payload, at, &header);
    renumber(slot);
}

/// Adds a definition like one that is there: in its place it would move those behind it.
fn change_definition(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    let references = references(parts);
    let Some(&(at, header)) = random.pick(&entries(&parts.dictionary)) else { return };
    let body = match EntryKind::from_code(header.kind.get()) {
        Some(EntryKind::Scope) => ScopeBody::SIZE,
        Some(EntryKind::MetricStream) => MetricStreamBody::SIZE,
        _ => 0,
    };
    let end = at + usize::try_from(header.length.get()).unwrap_or(0);
    let start = at + EntryHeader::SIZE + body;
    let Some(old) = parts.dictionary.get(start..end) else { return };
    let new = change_items(old, &references, random, default);
    if parts.dictionary.len() + new.len() < MAX_DICTIONARY {
        let head = parts.dictionary[at..start].to_vec();
        crate::dictionary::add(&mut parts.dictionary, &header, &[&head[EntryHeader::SIZE..], &new]);
    }
}

/// Changes the items of a span in flight that lie in its first block.
fn change_block(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    let references = references(parts);
    let number = random.below(parts.active.len() / ActiveBlock::SIZE);
    let at = number * ActiveBlock::SIZE;
    let Some(mut block) = get::<ActiveBlock>(&parts.active, at) else { return };
    let index = u32::try_from(number).unwrap_or(0);
    let Some(commit) = ActiveCommit::unpack(block.committed.get(), index) else { return };
    let end = usize::try_from(commit.bytes).unwrap_or(0).min(BLOCK_CONTENT_SIZE);
    let Some(old) = block.content.get(SpanBody::SIZE..end) else { return };
    let new = change_items(old, &references, random, default);
    let room = BLOCK_CONTENT_SIZE - SpanBody::SIZE;
    let new = &new[..new.len().min(room)];
    block.content[SpanBody::SIZE..SpanBody::SIZE + new.len()].copy_from_slice(new);
    let bytes = u32::try_from(SpanBody::SIZE + new.len()).unwrap_or(0);
    let bytes = if commit.bytes > bytes && new.len() == room { commit.bytes } else { bytes };
    block.committed.set(ActiveCommit { bytes, ..commit }.pack(index));
    parts.active[at..at + ActiveBlock::SIZE].copy_from_slice(block.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::try_out;

    #[test]
    fn mutated_items_are_read() {
        try_out(run, mutate);
    }
}
