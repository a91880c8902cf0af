//! What the fuzzer begins with: the golden recordings and the sample, in parts.

use std::fs;
use std::path::{Path, PathBuf};

use otlp_mmap_format::{ActiveBlock, U64, seal};

use crate::dictionary::entries;
use crate::image::put;
use crate::parts::Parts;
use crate::sample::sample;
use crate::scan::{records, renumber};

/// Most bytes of a seed's dictionary.
const MAX_DICTIONARY: usize = 3 << 10;
/// Most bytes of a seed's segment, but for the record that reaches over them.
const MAX_PAYLOAD: usize = 800;
/// Most blocks of spans in flight of a seed.
const MAX_BLOCKS: usize = 6;
/// Most slots of a pool of a seed.
const MAX_SLOTS: usize = 2;

/// The golden recordings.
pub fn golden() -> Vec<PathBuf> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../format-spec/golden"));
    let entries = fs::read_dir(directory).expect("the golden recordings");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "otlpmm"));
    paths.sort();
    paths
}

/// Golden recordings and the sample in parts, with their names.
pub fn whole() -> Vec<(String, Parts)> {
    let golden = golden().into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read(path).expect("a golden recording"))
    });
    let images = golden.chain([("sample".to_owned(), sample().image.clone())]);
    images.map(|(name, image)| (name, Parts::take_apart(&image).expect("a recording"))).collect()
}

/// Golden recordings and the sample, cut so that each is quickly read: every input that comes of one is.
pub fn seeds() -> Vec<(String, Parts)> {
    let mut all = whole();
    for (_, parts) in &mut all {
        shrink(parts);
    }
    let ends = [Parts::CLOSED, Parts::SAME_BOOT, Parts::ALIVE];
    let variants = ends.iter().flat_map(|end| {
        let all = all.iter().filter(|(name, _)| name == "sample");
        all.map(move |(name, parts)| (format!("{name}-{end}"), Parts { state: *end, ..parts.clone() }))
    });
    let variants: Vec<_> = variants.collect();
    all.extend(variants);
    all
}

fn shrink(parts: &mut Parts) {
    if parts.dictionary.len() > MAX_DICTIONARY {
        let last = entries(&parts.dictionary).into_iter().take_while(|(at, _)| *at <= MAX_DICTIONARY).last();
        parts.dictionary.truncate(last.map_or(MAX_DICTIONARY, |(at, _)| at));
        let committed = seal(parts.dictionary.len() as u64);
        put(&mut parts.dictionary, 0, &U64::new(committed));
    }
    parts.active.truncate(MAX_BLOCKS * ActiveBlock::SIZE);
    for slot in &mut parts.slots {
        let behind = records(&slot.payload).into_iter().find(|(at, _)| *at >= MAX_PAYLOAD);
        if let Some((at, _)) = behind {
            slot.payload.truncate(at);
            renumber(slot);
        }
    }
    let mut count = [0; 3];
    parts.slots.retain(|slot| {
        count[slot.pool] += 1;
        count[slot.pool] <= MAX_SLOTS
    });
    parts.repair();
}
