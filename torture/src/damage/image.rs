//! The bytes of a recording: its sections, the structures in them, and how a reader is to take the file.
//!
//! Images come from the golden vectors and from the writer, and are whole when they are looked at here.

use otlp_mmap_format::{
    FileState, HEADER_CRC_OFFSET, Header, SECTIONS_OFFSET, STATE_OFFSET, SectionEntry, SectionKind, Signal,
    U32, U64,
};
use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The structure at `at`.
pub(super) fn get<T: FromBytes + KnownLayout + Immutable>(image: &[u8], at: usize) -> T {
    let found = T::read_from_prefix(&image[at..]);
    found.map_or_else(|_| panic!("no structure at {at}"), |(found, _)| found)
}

/// Stores a structure.
pub(super) fn put<T: IntoBytes + Immutable + ?Sized>(image: &mut [u8], at: usize, value: &T) {
    let bytes = value.as_bytes();
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A number of the image as an index.
pub(super) fn index(number: impl Into<u64>) -> usize {
    usize::try_from(number.into()).expect("a 64-bit machine")
}

/// A section of an image.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) bytes: Range<usize>,
    pub(super) entry_size: usize,
    pub(super) entry_count: usize,
}

impl Section {
    /// The section of a kind and signal.
    pub(super) fn find(image: &[u8], kind: SectionKind, signal: Option<Signal>) -> Self {
        let count = index(get::<Header>(image, 0).section_count.get());
        let entries =
            (0..count).map(|n| get::<SectionEntry>(image, SECTIONS_OFFSET + n * SectionEntry::SIZE));
        let wanted = (kind.code(), signal.map_or(0, Signal::code));
        let found = entries.into_iter().find(|entry| (entry.kind.get(), entry.signal.get()) == wanted);
        let found = found.expect("every section");
        let start = index(found.offset.get());
        Self {
            bytes: start..start + index(found.length.get()),
            entry_size: index(found.entry_size.get()),
            entry_count: index(found.entry_count.get()),
        }
    }

    /// The bytes of each entry.
    pub(super) fn entries(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (start, size) = (self.bytes.start, self.entry_size);
        (0..self.entry_count).map(move |n| start + n * size..start + (n + 1) * size)
    }
}

/// How a file lies before its reader: what the reader takes published words for depends on it (SPEC 13.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Closed or dead as it is, and the machine was not started again: published words are exact.
    SameBoot,
    /// Closed before another boot.
    ClosedBefore,
    /// Not closed before another boot.
    DeadBefore,
}

impl Reading {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::SameBoot, Self::ClosedBefore, Self::DeadBefore];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameBoot => "same boot",
            Self::ClosedBefore => "closed before another boot",
            Self::DeadBefore => "dead before another boot",
        }
    }

    /// Changes the header page of an image so that it is read in this way.
    pub(super) fn prepare(self, image: &mut [u8]) {
        let mut header: Header = get(image, 0);
        header.boot_id = if self == Self::SameBoot { this_boot() } else { [0x11; 16] };
        put(image, 0, &header);
        let crc = crc32c::crc32c(&image[..HEADER_CRC_OFFSET]);
        put(image, HEADER_CRC_OFFSET, &U32::new(crc));
        let state = match self {
            Self::SameBoot => return,
            Self::ClosedBefore => FileState::Closed,
            Self::DeadBefore => FileState::Open,
        };
        put(image, STATE_OFFSET, &U64::new(state.code()));
    }
}

/// This machine's boot id.
fn this_boot() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
    u128::from_str_radix(&text.trim().replace('-', ""), 16).expect("a boot id").to_be_bytes()
}
