//! What a dictionary is full of: its entries by kind (SPEC "Dictionary").
//!
//! Entries stay as they were published, so that each is looked at once, however often it is asked for.

use otlp_mmap_format::{DictionaryHeader, EntryKind};

use crate::bytes::size;
use crate::dictionary::{self, Dictionary, WINDOW};
use crate::recording::Inner;
use crate::window::Window;
use crate::{Error, Report};

/// Most bytes of a dictionary that one look goes through: a hostile one is counted in many.
const MAX_AT_ONCE: u64 = 16 << 20;

/// Whole entries of a dictionary by kind, as far as it has been gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Strings, resources, scopes, metric streams, attribute sets, in this order.
    pub kinds: [EntryCount; 5],
    /// Where the next entry stands, from the start of the section; 0: not begun.
    next: u64,
    /// Bytes of entries that were read and are damaged.
    refused: u64,
}

/// Entries of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryCount {
    /// How many there are.
    pub count: u64,
    /// Bytes that they take in the dictionary.
    pub bytes: u64,
}

impl Entries {
    /// Goes on with what was published since the last time.
    pub(crate) fn count(&mut self, inner: &Inner) -> Result<(), Error> {
        let (section, source) = (&inner.header.dictionary, &inner.source);
        // Faults are told by those who use the entries.
        let published = dictionary::published(section, source, &mut Report::default())?;
        let first = self.next.max(size(DictionaryHeader::SIZE));
        let end = published.unwrap_or(0).min(first.saturating_add(MAX_AT_ONCE));
        let mut dictionary = Dictionary::new(&inner.header, true);
        dictionary.refused_bytes = self.refused;
        let mut window = Window::new(source, WINDOW);
        let mut at = first;
        while at < end {
            if let Ok(raw) = dictionary.raw_entry(at, &mut window) {
                let length = raw.length.next_multiple_of(8);
                self.add(raw.kind, length);
                at = at.saturating_add(length);
            } else {
                let next = window.next_content(section.offset + at + 8, section.offset + end);
                at = next.map_or(end, |next| (next - section.offset) / 8 * 8);
            }
        }
        (self.next, self.refused) = (at, dictionary.refused_bytes);
        Ok(())
    }

    fn add(&mut self, kind: u32, length: u64) {
        let kinds = [
            EntryKind::String,
            EntryKind::Resource,
            EntryKind::Scope,
            EntryKind::MetricStream,
            EntryKind::AttributeSet,
        ];
        let found = kinds.iter().zip(&mut self.kinds).find(|(known, _)| known.code() == kind);
        if let Some((_, entries)) = found {
            entries.count += 1;
            entries.bytes = entries.bytes.saturating_add(length);
        }
    }
}
