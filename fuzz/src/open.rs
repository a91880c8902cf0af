//! Any bytes as a file: whatever they are, the reader answers, and answers the same twice.

use std::sync::OnceLock;

use otlp_mmap_format::{ActiveBlock, HEADER_SIZE, Header, SECTIONS_OFFSET, SectionEntry, SectionKind};
use otlp_mmap_reader::{Batch, Recording, Snapshot, otlp};

use crate::image;
use crate::memory::MemoryFile;
use crate::sample::variant;

/// Records of each kind that are converted to OTLP.
const CONVERTED: usize = 3;

/// Reads bytes as the file of a writer that is gone, and as that of one that lives.
pub fn run(bytes: &[u8]) {
    let mut image = bytes.to_vec();
    image::localise(&mut image);
    let file = MemoryFile::new();
    file.put(&image);
    if let Ok(recording) = file.recording() {
        convert(&exercise(&recording));
        let _lock = file.lock();
        exercise(&recording);
    }
}

/// OTLP of some records of each kind: of all of them it would take most of the time.
fn convert(snapshot: &Snapshot) {
    otlp::json::traces(&otlp::traces(some(&snapshot.spans)));
    otlp::json::traces(&otlp::traces(some(&snapshot.spans_in_flight)));
    otlp::json::logs(&otlp::logs(some(&snapshot.events)));
    otlp::json::metrics(&otlp::metrics(some(&snapshot.series)));
}

fn some<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(CONVERTED)]
}

/// Asks a recording that nobody writes everything.
pub fn exercise(recording: &Recording) -> Snapshot {
    let _ = (recording.liveness(), recording.same_boot(), recording.losses(), recording.fill());
    let report = recording.verify().expect("verify has no errors");
    assert!(report.faults.iter().all(|fault| !fault.to_string().is_empty()));
    let mut observer = recording.observe();
    let first = observer.poll().expect("poll has no errors");
    let second = observer.poll().expect("poll has no errors");
    assert_eq!(second.records, [], "found twice by one observer");
    assert_eq!(second.missed, [0; 3], "missed in a file that nobody writes");
    let again = recording.observe().poll().expect("poll has no errors");
    assert_eq!(positions(&first), positions(&again), "two observers differ");
    recording.observe_unacknowledged().poll().expect("poll has no errors");
    recording.snapshot().expect("snapshot has no errors")
}

fn positions(batch: &Batch) -> Vec<(u64, u64)> {
    batch.records.iter().map(|record| (record.position().offset, record.position().sequence)).collect()
}

/// Changes an input of `size` bytes in `data` and gives its new size. libFuzzer's own changes (`default`) alone do
/// not get past the CRCs: this knows where something stands in the image, and makes them fit again.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    seed: u32,
    default: &mut dyn FnMut(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Random(u64::from(seed) | 1 << 32);
    let most = data.len();
    if size < HEADER_SIZE {
        return start(data, &mut random).unwrap_or_else(|| default(data, size, most));
    }
    if random.below(16) == 0 {
        return default(data, size, most);
    }
    let image = &mut data[..size];
    for _ in 0..=random.below(4) {
        change(image, &mut random, default);
    }
    if random.below(8) != 0 {
        image::repair(image);
    }
    size
}

/// Begins with one of the sample's variants, if it fits.
fn start(data: &mut [u8], random: &mut Random) -> Option<usize> {
    static VARIANTS: OnceLock<[Vec<u8>; 4]> = OnceLock::new();
    let all = VARIANTS.get_or_init(|| [0, 1, 2, 3].map(|number| variant(number & 1 == 1, number & 2 == 2)));
    let image = &all[random.below(4)];
    data.get_mut(..image.len())?.copy_from_slice(image);
    Some(image.len())
}

fn change(image: &mut [u8], random: &mut Random, default: &mut dyn FnMut(&mut [u8], usize, usize) -> usize) {
    let at = place(image, random);
    let operation = random.below(8);
    let value = random.next();
    match operation {
        0 => image[at] ^= 1 << random.below(8),
        1 => image[at] = value.to_le_bytes()[7],
        2 => overwrite(image, at / 4 * 4, &interesting(random).to_le_bytes()[..4]),
        3 => overwrite(image, at / 8 * 8, &interesting(random).to_le_bytes()),
        4 => {
            let step = i8::from_le_bytes([value.to_le_bytes()[7]]);
            image[at] = image[at].wrapping_add_signed(step / 8 * 8);
        }
        5 => {
            let from = place(image, random);
            let length = (8 + random.below(256)).min(image.len() - at.max(from));
            image.copy_within(from..from + length, at);
        }
        _ => {
            let end = (at + 1 + random.below(64)).min(image.len());
            let window = &mut image[at..end];
            default(window, window.len(), window.len());
        }
    }
}

/// Somewhere in the image where something stands.
fn place(image: &[u8], random: &mut Random) -> usize {
    let section = || {
        let kinds = [SectionKind::ActiveSpans, SectionKind::MetricCells, SectionKind::Dictionary];
        image::sections(image)
            .into_iter()
            .filter(move |section| kinds.map(SectionKind::code).contains(&section.kind))
    };
    let start = match random.below(8) {
        0 => random.below(Header::SIZE),
        1 => SECTIONS_OFFSET + random.below(10 * SectionEntry::SIZE),
        2 => section().nth(random.below(3)).map_or(0, |s| s.offset + random.below(ActiveBlock::SIZE)),
        _ => random.below(image.len()),
    };
    let start = start.min(image.len() - 1);
    let rest = image[start..].iter().position(|byte| *byte != 0).unwrap_or(0);
    let stray = random.below(16);
    (start + rest + if stray < 8 { stray } else { 0 }).min(image.len() - 1)
}

fn overwrite(image: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = image.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn interesting(random: &mut Random) -> u64 {
    let values = [0, 1, 7, 8, 16, 31, 32, 64, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX];
    let value = values[random.below(values.len())];
    match random.below(3) {
        0 => value,
        1 => value.wrapping_add(random.next() % 17).wrapping_sub(8),
        _ => value << 32 | random.next() & 0xffff,
    }
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_and_rubbish_are_read() {
        for closed in [false, true] {
            for same_boot in [false, true] {
                run(&variant(closed, same_boot));
            }
        }
        run(b"");
        run(&[7; 5000]);
    }

    #[test]
    fn a_mutated_image_is_read() {
        let mut data = vec![0; 1 << 17];
        let mut default = |data: &mut [u8], size: usize, _: usize| {
            data[size / 2] ^= 0x55;
            size
        };
        let mut size = 0;
        for seed in 0..300 {
            size = mutate(&mut data, size, seed, &mut default);
            run(&data[..size]);
        }
    }
}
