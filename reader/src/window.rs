//! A stretch of a file that was read at once, for those who look at it in small steps.
//!
//! What it holds grows stale while the file is written: it serves where bytes do not change once they count, or as long
//! as one look lasts.

use crate::Error;
use crate::bytes::{len, size};
use crate::source::Source;

/// Bytes of a file from `start` on, and how to get others.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    source: &'a Source,
    /// Bytes that are read at once at least.
    length: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Reads `length` bytes at a time, or what is asked for if that is more.
    pub(crate) fn new(source: &'a Source, length: usize) -> Self {
        Self { source, length, start: 0, bytes: Vec::new() }
    }

    /// `length` bytes from `offset`. The caller has checked that the header promises them.
    pub(crate) fn bytes(&mut self, offset: u64, length: usize, what: &'static str) -> Result<&[u8], Error> {
        if self.held(offset, length).is_none() {
            self.bytes = self.source.up_to(offset, length.max(self.length))?;
            self.start = offset;
        }
        let found = offset.saturating_add(size(self.bytes.len()));
        let expected = offset.saturating_add(size(length));
        self.held(offset, length).ok_or(Error::TooShort { what, expected, found })
    }

    /// Start of the next bytes at or behind `offset` and before `end` that are not zero; `None` if there are none.
    /// What cannot be read counts as not zero.
    pub(crate) fn next_content(&mut self, mut offset: u64, end: u64) -> Option<u64> {
        while offset < end {
            if self.held(offset, 1).is_none() {
                let length = len(end - offset).min(self.length);
                let Ok(bytes) = self.source.up_to(offset, length) else { return Some(offset) };
                (self.start, self.bytes) = (offset, bytes);
            }
            // Nothing is held where the file ends.
            let rest = self.rest(offset).filter(|rest| !rest.is_empty())?;
            let rest = rest.get(..len(end - offset)).unwrap_or(rest);
            if let Some(found) = rest.iter().position(|byte| *byte != 0) {
                return Some(offset + size(found));
            }
            offset = self.source.next_data(offset + size(rest.len()))?;
        }
        None
    }

    /// What is held from `offset` on.
    fn rest(&self, offset: u64) -> Option<&[u8]> {
        self.bytes.get(len(offset.checked_sub(self.start)?)..)
    }

    fn held(&self, offset: u64, length: usize) -> Option<&[u8]> {
        self.rest(offset)?.get(..length)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::Error;
    use crate::source::Source;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    /// A file of 20,000 bytes with a few in it that are not zero.
    fn source() -> (Vec<u8>, Source) {
        let mut image = vec![0; 20_000];
        for at in [0, 1, 511, 512, 513, 4_096, 8_191, 8_192, 19_990] {
            image[at] = 1;
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(20_000).unwrap();
        for at in (0..20_000).step_by(1_000) {
            // A page without content stays a hole.
            if image[at..at + 1_000].iter().any(|byte| *byte != 0) {
                file.write_all_at(&image[at..at + 1_000], at as u64).unwrap();
            }
        }
        (image, Source::new(file, Path::new("file")))
    }

    #[test]
    fn holds_what_the_file_holds_wherever_it_was_before() {
        let (image, source) = source();
        for length in [0, 1, 512, 1 << 16] {
            let mut window = Window::new(&source, length);
            for offset in [0, 5, 510, 4_000, 19_000, 3, 8_000, 0] {
                for asked in [0, 1, 16, 600, 1_000] {
                    let found = window.bytes(offset as u64, asked, "it").unwrap();
                    assert_eq!(found, &image[offset..offset + asked]);
                    let next = image[offset..].iter().position(|byte| *byte != 0);
                    let next = next.map(|distance| (offset + distance) as u64);
                    // Without a look ahead nothing is found.
                    if length > 0 {
                        assert_eq!(window.next_content(offset as u64, 20_000), next);
                        let before = next.filter(|next| *next < offset as u64 + 3);
                        assert_eq!(window.next_content(offset as u64, offset as u64 + 3), before);
                    }
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_file_is_named() {
        let (_, source) = source();
        let mut window = Window::new(&source, 512);
        let error = window.bytes(19_999, 2, "it").unwrap_err();
        assert!(matches!(error, Error::TooShort { what: "it", expected: 20_001, found: 20_000 }), "{error}");
        assert_eq!(window.next_content(19_991, 30_000), None);
        assert_eq!(window.next_content(25_000, 30_000), None);
    }
}
