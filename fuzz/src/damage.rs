//! A good recording with damage: nothing is invented, and what was not damaged is found.
//!
//! Damage is what disks, memory and half-written pages do: bits, zeros, noise, old pages, a cut. Noise comes from a
//! generator, so that the fuzzer cannot forge a CRC: that is no finding.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use crate::image;
use crate::memory::MemoryFile;
use crate::read::everything;
use crate::sample::{sample, variant};
use arbitrary::Arbitrary;
use otlp_mmap_format::{HEADER_SIZE, PAGE_SIZE, RecordHeader, SectionKind};
use otlp_mmap_reader::model::{Position, Record};
use otlp_mmap_reader::{Rule, Snapshot};
use otlp_mmap_torture::damage::compare::{self, Identity, is_what_is_left, without_position};

/// Most edits that are made.
const MAX_EDITS: usize = 24;

/// How the writer ended, and what happened to its file.
#[derive(Arbitrary, Clone, Debug)]
pub struct Damage {
    closed: bool,
    same_boot: bool,
    alive: bool,
    edits: Vec<Edit>,
}

/// One piece of damage. Offsets and lengths are taken modulo what is possible.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Edit {
    Flip { at: u32, bit: u8 },
    Set { at: u32, value: u8 },
    Erase { at: u32, length: u16 },
    Noise { at: u32, length: u8, seed: u8 },
    OldPage { page: u8, image: u8 },
    Cut { at: u32 },
}

/// Damages the sample, reads it, and compares.
pub fn run(damage: &Damage) {
    let pristine = pristine(damage.closed, damage.same_boot);
    let mut image = pristine.image.clone();
    let mut touched = Vec::new();
    for edit in damage.edits.iter().take(MAX_EDITS) {
        touched.push(edit.apply(&mut image));
    }
    image::localise(&mut image);
    let file = MemoryFile::new();
    file.put(&image);
    let Ok(recording) = file.recording() else {
        let header = 0..HEADER_SIZE;
        assert!(touched.iter().any(|touched| overlap(touched, &header)), "a whole header is refused");
        return;
    };
    let lock = damage.alive.then(|| file.lock());
    let found = everything(&recording);
    drop(lock);
    check_nothing_invented(&found);
    check_nothing_else_lost(pristine, &touched, &found);
}

/// The sample as one of its writers left it, and what is read from it.
struct Pristine {
    image: Vec<u8>,
    records: Vec<Record>,
}

fn pristine(closed: bool, same_boot: bool) -> &'static Pristine {
    static ALL: OnceLock<[Pristine; 4]> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        [(false, false), (true, false), (false, true), (true, true)].map(|(closed, same_boot)| {
            let image = variant(closed, same_boot);
            let file = MemoryFile::new();
            file.put(&image);
            let snapshot = file.recording().and_then(|recording| recording.snapshot()).expect("a recording");
            assert_eq!(snapshot.report.faults, []);
            Pristine { image, records: records(snapshot) }
        })
    });
    &all[usize::from(closed) + 2 * usize::from(same_boot)]
}

impl Edit {
    /// Makes the edit; gives the bytes that may have changed.
    fn apply(self, image: &mut Vec<u8>) -> Range<usize> {
        let whole = image.len();
        if whole == 0 {
            return 0..0;
        }
        let range = |at: u32, length: usize| {
            let start = offset(at) % whole;
            start..(start + length).min(whole)
        };
        match self {
            Self::Flip { at, bit } => {
                let range = range(at, 1);
                image[range.start] ^= 1 << (bit % 8);
                range
            }
            Self::Set { at, value } => {
                let range = range(at, 1);
                image[range.start] = value;
                range
            }
            Self::Erase { at, length } => {
                let range = range(at, usize::from(length % 8192) + 1);
                image[range.clone()].fill(0);
                range
            }
            Self::Noise { at, length, seed } => {
                let range = range(at, usize::from(length) + 1);
                let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(seed) + 1);
                for byte in &mut image[range.clone()] {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = state.to_le_bytes()[7];
                }
                range
            }
            Self::OldPage { page, image: old } => {
                let old = &sample().earlier[usize::from(old) % sample().earlier.len()];
                let start = usize::from(page) % old.len().div_ceil(PAGE_SIZE) * PAGE_SIZE;
                let range = start.min(whole)..(start + PAGE_SIZE).min(whole);
                image[range.clone()].copy_from_slice(&old[range.clone()]);
                range
            }
            Self::Cut { at } => {
                let cut = offset(at) % whole;
                image.truncate(cut);
                // What other edits do behind the cut is not seen.
                cut..usize::MAX
            }
        }
    }
}

/// Every record is one that was written, and is there once.
fn check_nothing_invented(found: &Snapshot) {
    static HISTORY: OnceLock<HashMap<Identity, Record>> = OnceLock::new();
    let history = HISTORY.get_or_init(|| {
        let records = sample().history.iter();
        records.map(|record| (Identity::of(record), without_position(record.clone()))).collect()
    });
    // References that lead nowhere leave their place empty, and are faults.
    let excused =
        found.report.omitted > 0 || found.report.faults.iter().any(|fault| fault.rule == Rule::Reference);
    let mut seen = HashMap::new();
    for record in records(found.clone()) {
        let identity = Identity::of(&record);
        let Some(written) = history.get(&identity) else { panic!("invented: {record:?}") };
        let before = seen.insert(identity, record.position());
        assert_eq!(before, None, "found twice: {record:?}");
        let record = without_position(record);
        assert!(
            record == *written || (excused && is_what_is_left(&record, written)),
            "written: {written:?}\nfound: {record:?}\nfaults: {:?}",
            found.report.faults
        );
    }
    assert!(found.spans_in_flight.len() <= 16, "more spans in flight than blocks");
}

/// Whatever record was not touched, nor what leads to it, is there.
fn check_nothing_else_lost(pristine: &Pristine, touched: &[Range<usize>], found: &Snapshot) {
    let is_touched = |range: Range<usize>| touched.iter().any(|touched| overlap(touched, &range));
    let found: HashMap<Identity, Position> =
        records(found.clone()).iter().map(|record| (Identity::of(record), record.position())).collect();
    let dictionary = image::find(&pristine.image, SectionKind::Dictionary, None).expect("a dictionary");
    let dictionary_touched = is_touched(dictionary.offset..dictionary.offset + dictionary.length);
    // The state of the file decides how it is read.
    if is_touched(0..HEADER_SIZE) {
        return;
    }
    for record in &pristine.records {
        let identity = Identity::of(record);
        let (bytes, entry) = extent(&pristine.image, record);
        // A measurement whose stream is lost has lost its meaning.
        let needs_dictionary = matches!(record, Record::Measurement(_));
        if is_touched(bytes) || is_touched(entry) || (needs_dictionary && dictionary_touched) {
            continue;
        }
        let offset = found.get(&identity).map(|position| position.offset);
        assert_eq!(offset, Some(record.position().offset), "lost though not touched: {record:?}");
    }
}

/// The bytes of a record, and those of its segment's entry.
fn extent(image: &[u8], record: &Record) -> (Range<usize>, Range<usize>) {
    let position = record.position();
    let start = usize::try_from(position.offset).expect("an offset in the image");
    let header: RecordHeader = image::get(image, start).expect("a record");
    let length = usize::try_from(header.length.get()).expect("a length in the image");
    let signal = compare::signal(record);
    let table = image::find(image, SectionKind::SegmentTable, Some(signal)).expect("a table");
    let slot = usize::try_from(position.segment).expect("a slot");
    let entry = table.entries().nth(slot).expect("an entry");
    (start..start + length, entry..entry + table.entry_size)
}

fn offset(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn records(snapshot: Snapshot) -> Vec<Record> {
    let spans = snapshot.spans.into_iter().map(|span| Record::Span(span.into()));
    let events = snapshot.events.into_iter().map(|event| Record::Event(event.into()));
    let measurements = snapshot.measurements.into_iter().map(|one| Record::Measurement(one.into()));
    spans.chain(events).chain(measurements).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_damage_everything_is_there() {
        for number in 0..8 {
            let (closed, same_boot, alive) = (number & 1 == 1, number & 2 == 2, number & 4 == 4);
            run(&Damage { closed, same_boot, alive, edits: vec![] });
        }
    }

    #[test]
    fn one_page_at_a_time() {
        for page in 1..18 {
            for (closed, same_boot) in [(false, false), (true, false), (false, true)] {
                let old = Edit::OldPage { page, image: page };
                let erased = Edit::Erase { at: u32::from(page) * 4096, length: 4095 };
                for edit in [old, erased] {
                    run(&Damage { closed, same_boot, alive: false, edits: vec![edit] });
                }
            }
        }
    }

    #[test]
    fn a_bit_of_each_byte_of_the_segment_tables() {
        let image = &sample().image;
        let tables = image::sections(image).into_iter();
        let tables = tables.filter(|section| section.kind == SectionKind::SegmentTable.code());
        for at in tables.flat_map(|table| table.entries()).flat_map(|entry| entry..entry + 48) {
            let edit = Edit::Flip { at: u32::try_from(at).expect("small"), bit: at.to_le_bytes()[0] / 8 };
            for (closed, same_boot) in [(false, false), (true, false), (false, true)] {
                run(&Damage { closed, same_boot, alive: false, edits: vec![edit] });
            }
        }
    }
}
