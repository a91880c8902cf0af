//! Dictionary entries of all kinds with CRCs that fit: references in circles, to entries of another kind, into the
//! middle of entries and behind them. Every entry is used in every way an entry can be used, and all can be shown.

use otlp_mmap_format::{
    DictionaryHeader, EntryHeader, EntryKind, EventBody, ItemHeader, MeasurementBody, RecordHeader,
    RecordType, ScopeBody, SeriesHeader, SeriesKind, SpanBody, U16, U32, U64, ValueType, align8, seal,
    series_size,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::image::{self, get, put};
use crate::output::render;
use crate::parts::Parts;
use crate::random::{Mutate, Random};
use crate::read::everything;

/// Most entries that are used.
const MAX_USED: usize = 40;
/// Most bytes of a dictionary that still grows.
const MAX_DICTIONARY: usize = 6 << 10;

/// Reads a recording of these parts, with records that use each entry.
pub fn run(input: &[u8]) {
    let mut parts = Parts::decode(input);
    use_entries(&mut parts);
    let (file, _lock) = parts.file();
    render(&everything(&file.recording().expect("a whole header")));
}

/// Offsets and headers of the entries one after another.
pub fn entries(dictionary: &[u8]) -> Vec<(usize, EntryHeader)> {
    let mut found = Vec::new();
    let mut at = DictionaryHeader::SIZE;
    while let Some(header) = get::<EntryHeader>(dictionary, at) {
        let length = usize::try_from(header.length.get()).unwrap_or(usize::MAX);
        if length < EntryHeader::SIZE || length > dictionary.len() - at {
            break;
        }
        found.push((at, header));
        at += align8(length);
    }
    found
}

/// Appends an entry like one with this header; gives where it is.
pub fn add(dictionary: &mut Vec<u8>, like: &EntryHeader, payload: &[&[u8]]) -> usize {
    let end = entries(dictionary).last().map_or(DictionaryHeader::SIZE, |(at, header)| {
        at + align8(usize::try_from(header.length.get()).unwrap_or(0))
    });
    let payload = payload.concat();
    let length = u32::try_from(EntryHeader::SIZE + payload.len()).unwrap_or(u32::MAX);
    dictionary.resize(end, 0);
    dictionary.extend_from_slice(EntryHeader { length: U32::new(length), ..*like }.as_bytes());
    dictionary.extend(payload);
    dictionary.resize(align8(dictionary.len()), 0);
    let committed = seal(dictionary.len() as u64);
    put(dictionary, 0, &U64::new(committed));
    end
}

/// Adds records, a span in flight and series that refer to each entry, and to the middle of some.
fn use_entries(parts: &mut Parts) {
    let mut places: Vec<usize> = entries(&parts.dictionary).into_iter().map(|(at, _)| at).collect();
    let inside = places.iter().map(|at| at + EntryHeader::SIZE).step_by(3);
    places.extend(inside.collect::<Vec<_>>());
    let references = places.iter().take(MAX_USED).map(|at| u32::try_from(at / 8).unwrap_or(u32::MAX));
    let references: Vec<u32> = references.collect();
    let spans = references.iter().map(|reference| span(*reference)).collect::<Vec<_>>();
    let events = references.iter().map(|reference| event(*reference)).collect::<Vec<_>>();
    let others = references.iter().rev().chain(&[0]);
    let pairs = references.iter().zip(others).map(|(one, other)| (*one, *other)).collect::<Vec<_>>();
    let measurements = pairs.iter().map(|pair| measurement(*pair)).collect::<Vec<_>>();
    for (pool, records) in [spans, events, measurements].iter().enumerate() {
        parts.add_records(pool, records);
    }
    for pair in pairs {
        add_series(&mut parts.cells, pair);
    }
}

fn record(kind: RecordType, body: &[u8], items: &[u8]) -> Vec<u8> {
    let mut header = RecordHeader::new_zeroed();
    header.record_type = U16::new(kind.code());
    header.time_unix_nano.set(1);
    [header.as_bytes(), body, items].concat()
}

/// An empty attribute whose key is an entry.
fn attribute(reference: u32) -> ItemHeader {
    ItemHeader::new(ValueType::Empty.code(), 8, reference)
}

fn span(reference: u32) -> Vec<u8> {
    let mut body = SpanBody::new_zeroed();
    (body.trace_id, body.span_id) = ([1; 16], u64::from(reference).to_be_bytes());
    body.name_ref.set(reference);
    record(RecordType::Span, body.as_bytes(), attribute(reference).as_bytes())
}

fn event(reference: u32) -> Vec<u8> {
    let mut body = EventBody::new_zeroed();
    body.scope_ref.set(reference);
    record(RecordType::Event, body.as_bytes(), &[])
}

fn measurement((stream, attributes): (u32, u32)) -> Vec<u8> {
    let mut body = MeasurementBody::new_zeroed();
    body.stream_ref.set(stream);
    body.attributes_ref.set(attributes);
    record(RecordType::Measurement, body.as_bytes(), &[])
}

/// Appends a sum of these references.
fn add_series(cells: &mut Vec<u8>, (stream, attributes): (u32, u32)) {
    let size = series_size(SeriesKind::Sum, 0);
    let mut header = SeriesHeader::new_zeroed();
    header.size.set(u32::try_from(size).expect("a small number"));
    header.kind.set(SeriesKind::Sum.code());
    (header.stream_ref, header.attributes_ref) = (U32::new(stream), U32::new(attributes));
    let start = cells.len().next_multiple_of(64).max(64);
    cells.resize(start + usize::try_from(size).expect("a small number"), 0);
    put(cells, start, &header);
    // What was seen: an integer.
    put(cells, start + SeriesHeader::SIZE + 16, &U64::new(1));
    image::repair_cells(&mut cells[start - 64..]);
    let committed = seal(cells.len() as u64);
    put(cells, 0, &U64::new(committed));
}

/// Changes the dictionary.
pub fn mutate(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    if random.one_in(16) {
        parts.state = random.number().to_le_bytes()[3];
    }
    let all = entries(&parts.dictionary);
    let Some(&(at, header)) = random.pick(&all) else {
        parts.dictionary.resize(DictionaryHeader::SIZE, 0);
        random.change(&mut parts.dictionary, default);
        return;
    };
    let end = at + usize::try_from(header.length.get()).unwrap_or(0);
    let place = EntryHeader::SIZE + at;
    match random.below(8) {
        0 => random.change_within(&mut parts.dictionary, default),
        1 => random.change_within(&mut parts.dictionary[place..end], default),
        2 => random.put_interesting(&mut parts.dictionary[at..end]),
        3 => put(&mut parts.dictionary, at + 4, &U32::new(u32::try_from(random.below(7)).unwrap_or(0))),
        4 | 5 => redirect(parts, place, end, random),
        6 => embed(parts, place, end, random),
        _ if parts.dictionary.len() < MAX_DICTIONARY => {
            let payload = parts.dictionary[place..end].to_vec();
            add(&mut parts.dictionary, &header, &[&payload]);
        }
        _ => {}
    }
    if random.one_in(4) {
        image::repair_dictionary(&mut parts.dictionary);
    }
}

/// Has something in an entry refer to some entry, or to the middle of one.
fn redirect(parts: &mut Parts, start: usize, end: usize, random: &mut Random) {
    let Some(&(target, _)) = random.pick(&entries(&parts.dictionary)) else { return };
    let target = target + if random.one_in(4) { 8 * random.below(8) } else { 0 };
    // References stand at the start of a body, and in the second half of an item's header.
    let at = if random.one_in(2) { start } else { start + 4 + 8 * random.below((end - start) / 8) };
    if at + 4 <= end {
        put(&mut parts.dictionary, at, &U32::new(u32::try_from(target / 8).unwrap_or(0)));
    }
}

/// Makes an entry inside of an entry, with a CRC that fits; the outer one gets its own by the repair.
fn embed(parts: &mut Parts, start: usize, end: usize, random: &mut Random) {
    let at = start + 8 * random.below((end - start) / 8);
    let room = end.saturating_sub(at);
    let kind = random.pick(EntryKind::ALL).map_or(0, |(kind, _)| kind.code());
    let length = EntryHeader::SIZE + random.below(room + ScopeBody::SIZE);
    let mut header = EntryHeader::new_zeroed();
    (header.length, header.kind) = (U32::new(u32::try_from(length).unwrap_or(0)), U32::new(kind));
    put(&mut parts.dictionary, at, &header);
    image::repair_entry(&mut parts.dictionary, at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::try_out;

    #[test]
    fn mutated_dictionaries_are_read() {
        try_out(run, mutate);
    }
}
