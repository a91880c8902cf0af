//! The reader against the second reader, which was written in Python from SPEC.md alone
//! (`format-spec/second_reader`): for every image both must find the same records, losses and faults.
//!
//! An input is a golden recording with edits. It is read as this boot's and as another one's, closed and not.

mod python;
mod rust;

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use otlp_mmap_format::{FileState, STATE_OFFSET, U64};

pub use self::python::SecondReader;
use crate::image;

/// Most edits that are made.
const MAX_EDITS: usize = 12;
/// Bytes that are edited together: a run of them that is not all zeros is worth an edit.
const CHUNK: usize = 64;

/// A recording and what happens to it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Damaged {
    /// Which golden recording.
    golden: u8,
    /// Whether it counts as one of this boot; the golden ones do not.
    same_boot: bool,
    /// Whether its writer closed it; as it is, if none.
    closed: Option<bool>,
    /// Whether checks and CRCs are made to fit afterwards.
    repair: bool,
    /// What is changed.
    edits: Vec<Edit>,
}

/// One change. A place is a number of the bytes that a recording uses, or, with `anywhere`, of all.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Edit {
    /// Another value of one bit.
    Flip { at: u32, bit: u8, anywhere: bool },
    /// Another value of one byte.
    Set { at: u32, value: u8 },
    /// Another value of an aligned number of 4 bytes.
    Number { at: u32, value: u32 },
    /// A little more or less in an aligned number of 4 bytes.
    Add { at: u32, value: i8 },
    /// Zeros.
    Erase { at: u32, length: u16 },
    /// Bytes from elsewhere, both places aligned to 8.
    Copy { from: u32, to: u32, length: u16 },
    /// The file ends here.
    Cut { at: u32 },
}

/// A golden recording.
struct Golden {
    name: String,
    image: Vec<u8>,
    /// Offsets of the chunks that are not all zeros.
    used: Vec<usize>,
}

/// Applies the damage and compares.
pub fn run(damaged: &Damaged) {
    compare(&damaged.image());
}

/// Asserts that both readers find the same in `image`.
pub fn compare(image: &[u8]) {
    let second = SecondReader::ask(image);
    let first = rust::read(image);
    match (first, second) {
        (None, None) => {}
        (Some(first), Some(second)) => first.assert_same(&second),
        (first, _) => {
            panic!("refused by {} alone", if first.is_none() { "this reader" } else { "the second reader" })
        }
    }
}

impl Damaged {
    /// The image.
    pub fn image(&self) -> Vec<u8> {
        let all = golden();
        let golden = &all[usize::from(self.golden) % all.len()];
        let mut image = golden.image.clone();
        if self.same_boot {
            image::change_header(&mut image, |header| header.boot_id = image::this_boot());
        }
        if let Some(closed) = self.closed {
            let state = if closed { FileState::Closed } else { FileState::Open };
            image::put(&mut image, STATE_OFFSET, &U64::new(state.code()));
        }
        for edit in self.edits.iter().take(MAX_EDITS) {
            edit.apply(&mut image, &golden.used);
        }
        if self.repair {
            image::repair(&mut image);
        }
        image
    }
}

impl Edit {
    fn apply(self, image: &mut Vec<u8>, used: &[usize]) {
        let place = |at: u32| used[at as usize / CHUNK % used.len()] + at as usize % CHUNK;
        let end = image.len();
        match self {
            Self::Flip { at, bit, anywhere } => {
                let at = if anywhere { at as usize % end.max(1) } else { place(at) };
                if let Some(byte) = image.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Set { at, value } => {
                if let Some(byte) = image.get_mut(place(at)) {
                    *byte = value;
                }
            }
            Self::Number { at, value } => change(image, place(at), |_| value),
            Self::Add { at, value } => {
                change(image, place(at), |old| old.wrapping_add_signed(i32::from(value)));
            }
            Self::Erase { at, length } => {
                let start = place(at).min(end);
                image[start..(start + usize::from(length % 5000)).min(end)].fill(0);
            }
            Self::Copy { from, to, length } => {
                let (from, to) = (place(from) / 8 * 8, place(to) / 8 * 8);
                let length = usize::from(length % 512).min(end.saturating_sub(from.max(to)));
                if length > 0 {
                    image.copy_within(from..from + length, to);
                }
            }
            Self::Cut { at } => image.truncate(at as usize % end.max(1)),
        }
    }
}

/// Changes an aligned number of four bytes, if it lies within the image.
fn change(image: &mut [u8], at: usize, new: impl FnOnce(u32) -> u32) {
    if let Some(bytes) = image.get_mut(at / 4 * 4..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *bytes = new(u32::from_le_bytes(*bytes)).to_le_bytes();
    }
}

/// Every golden recording, by name.
fn golden() -> &'static [Golden] {
    static GOLDEN: OnceLock<Vec<Golden>> = OnceLock::new();
    GOLDEN.get_or_init(|| {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../format-spec/golden");
        let entries = std::fs::read_dir(directory).expect("the golden recordings");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let recordings = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "otlpmm"));
        let mut all: Vec<Golden> = recordings
            .map(|path| {
                let image = std::fs::read(&path).expect("a golden recording");
                let chunks = image.chunks(CHUNK).enumerate();
                let used = chunks.filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0));
                let used = used.map(|(number, _)| number * CHUNK).collect();
                Golden { name: path.display().to_string(), image, used }
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    })
}

#[cfg(test)]
mod tests;
