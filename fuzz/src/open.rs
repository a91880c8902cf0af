//! Any bytes as a file: whatever they are, the reader answers, and answers the same twice.

use std::sync::OnceLock;

use otlp_mmap_format::{ActiveBlock, HEADER_SIZE, Header, SECTIONS_OFFSET, SectionEntry, SectionKind};

use crate::image;
use crate::memory::MemoryFile;
use crate::output::render;
use crate::random::{Mutate, Random};
use crate::read::everything;
use crate::sample::variant;

/// Reads bytes as the file of a writer that is gone, and as that of one that lives.
pub fn run(bytes: &[u8]) {
    let mut image = bytes.to_vec();
    image::localise(&mut image);
    let file = MemoryFile::new();
    file.put(&image);
    if let Ok(recording) = file.recording() {
        render(&everything(&recording));
        let _lock = file.lock();
        everything(&recording);
    }
}

/// Changes an input of `size` bytes in `data` and gives its new size. libFuzzer's own changes (`default`) alone do
/// not get past the CRCs: this knows where something stands in the image, and makes them fit again.
pub fn mutate(data: &mut [u8], size: usize, seed: u32, default: Mutate<'_>) -> usize {
    let mut random = Random::new(seed);
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

fn change(image: &mut [u8], random: &mut Random, default: Mutate<'_>) {
    let at = place(image, random);
    let operation = random.below(8);
    let value = random.number();
    match operation {
        0 => image[at] ^= 1 << random.below(8),
        1 => image[at] = value.to_le_bytes()[7],
        2 => overwrite(image, at / 4 * 4, &random.interesting().to_le_bytes()[..4]),
        3 => overwrite(image, at / 8 * 8, &random.interesting().to_le_bytes()),
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
