//! Segments of records, damaged but with checks that fit: whatever stands in them, verify, snapshot and observers
//! agree about the records there are, each is found once, and all can be shown.

use otlp_mmap_format::{Acknowledged, Committed, RecordHeader, RecordType, U16, U32, U64, align8, seal};

use crate::image::{get, put};
use crate::output::render;
use crate::parts::{Parts, SEGMENT_SIZE, Slot};
use crate::random::{Mutate, Random};
use crate::read::everything;

/// Reads a recording of these parts.
pub fn run(input: &[u8]) {
    let parts = Parts::decode(input);
    let (file, _lock) = parts.file();
    let recording = file.recording().expect("a whole header");
    render(&everything(&recording));
}

/// Changes segments and their entries.
pub fn mutate(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    if random.one_in(16) {
        parts.state = random.number().to_le_bytes()[3];
    }
    let other = random.pick(&parts.slots).cloned();
    let number = random.below(parts.slots.len());
    let Some(slot) = parts.slots.get_mut(number) else {
        parts.slots.push(Slot { pool: random.below(3), words: [0; 48], payload: Vec::new() });
        return;
    };
    match random.below(8) {
        0 => random.change_within(&mut slot.words, default),
        1 => change_word(slot, random),
        2 => random.change(&mut slot.payload, default),
        3 => random.change_within(&mut slot.payload, default),
        4 => slot.pool = random.below(3),
        5 => change_header(slot, random),
        6 => change_order(slot, other.as_ref(), random),
        _ => parts.slots.extend(other.filter(|_| random.one_in(2))),
    }
    let number = random.below(parts.slots.len());
    if let Some(slot) = parts.slots.get_mut(number).filter(|_| random.one_in(2)) {
        renumber(slot);
    }
}

/// Puts a plausible word into an entry.
fn change_word(slot: &mut Slot, random: &mut Random) {
    let generation =
        u32::try_from(random.interesting() >> 32).unwrap_or(0).wrapping_add(u32::from(slot.words[4]));
    let small = u32::try_from(random.below(SEGMENT_SIZE / 8 + 2)).unwrap_or(0);
    let (at, word) = match random.below(3) {
        0 => (0, Committed { generation, bytes: small * 8 }.pack()),
        1 => (8, Acknowledged { generation, closed: random.one_in(2), records: small }.pack()),
        _ => (16 + 8 * random.below(4), seal(random.interesting() >> 8)),
    };
    put(&mut slot.words, at, &U64::new(word));
}

/// Offsets of the records one after another.
pub(crate) fn records(payload: &[u8]) -> Vec<(usize, RecordHeader)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = get::<RecordHeader>(payload, at) {
        let length = usize::try_from(header.length.get()).unwrap_or(usize::MAX);
        if length < RecordHeader::SIZE || length > payload.len() - at {
            break;
        }
        found.push((at, header));
        at += align8(length);
    }
    found
}

/// Changes a field of a record's header.
fn change_header(slot: &mut Slot, random: &mut Random) {
    let Some(&(at, mut header)) = random.pick(&records(&slot.payload)) else { return };
    let number = u32::try_from(random.interesting() & u64::from(u32::MAX)).unwrap_or(0);
    match random.below(5) {
        0 => header.length = U32::new(number),
        1 => {
            let near = header.length.get().wrapping_add(number.wrapping_mul(8));
            header.length = U32::new(near.wrapping_sub(64));
        }
        2 => header.record_type = U16::new(u16::try_from(random.below(5)).unwrap_or(0)),
        3 => header.generation = U32::new(number),
        _ => header.index = U32::new(number),
    }
    put(&mut slot.payload, at, &header);
}

/// Repeats, takes out or brings in a record.
fn change_order(slot: &mut Slot, other: Option<&Slot>, random: &mut Random) {
    let source = other.filter(|_| random.one_in(2)).map_or(&slot.payload, |other| &other.payload);
    let part = |payload: &[u8], random: &mut Random| {
        let (at, header) = *random.pick(&records(payload))?;
        Some(at..at + usize::try_from(header.length.get()).ok()?)
    };
    let brought = part(source, random).map(|range| source[range].to_vec()).unwrap_or_default();
    let Some(place) = part(&slot.payload, random) else { return };
    if random.one_in(3) {
        slot.payload.drain(place);
    } else {
        slot.payload.splice(place.start..place.start, brought);
        slot.payload.truncate(SEGMENT_SIZE);
    }
}

/// Has the records of a slot follow one another in the generation of its entry, all of them published.
pub(crate) fn renumber(slot: &mut Slot) {
    let committed = get::<U64>(&slot.words, 0).and_then(|word| Committed::unpack(word.get()));
    let generation = committed.map_or(1, |committed| committed.generation.max(1));
    let mut end = 0;
    for (index, (at, mut header)) in (0..).zip(records(&slot.payload)) {
        (header.generation, header.index) = (U32::new(generation), U32::new(index));
        if RecordType::from_code(header.record_type.get()).is_none() && index % 2 == 0 {
            header.record_type = U16::new(u16::try_from(slot.pool + 1).unwrap_or(1));
        }
        put(&mut slot.payload, at, &header);
        end = at + align8(usize::try_from(header.length.get()).unwrap_or(0));
    }
    let bytes = u32::try_from(end.min(SEGMENT_SIZE)).unwrap_or(0);
    put(&mut slot.words, 0, &U64::new(Committed { generation, bytes }.pack()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::try_out;

    #[test]
    fn mutated_segments_are_read() {
        try_out(run, mutate);
    }
}
