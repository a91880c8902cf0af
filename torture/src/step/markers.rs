//! A page that tracer and traced process share, outside of the recording: how many calls have begun and how many
//! have returned, with the last one's result. So the tracer knows at each instruction what has returned.

use memmap2::MmapRaw;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const SIZE: u64 = 4096;

/// The words of the page.
#[derive(Clone, Copy)]
enum Word {
    Begun,
    Returned,
    Outcome,
    Reference,
}

/// The page.
pub(crate) struct Markers(MmapRaw);

impl Markers {
    /// A new page in a new file.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        File::create_new(path)?.set_len(SIZE)?;
        Self::open(path)
    }

    /// The page of a file that `create` made.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        Ok(Self(MmapRaw::map_raw(&file)?))
    }

    fn word(&self, word: Word) -> &AtomicU64 {
        let at = word as usize;
        assert!((at + 1) * 8 <= self.0.len());
        #[allow(clippy::cast_ptr_alignment)] // a mapping begins at a page
        // SAFETY: within the mapping (checked above), so that the addition stays within one allocation.
        let word = unsafe { self.0.as_mut_ptr().cast::<u64>().add(at) };
        // SAFETY: valid as long as the mapping, which `self` owns; a mapping begins at a page, so the word is aligned;
        // both processes touch it by atomics alone.
        unsafe { AtomicU64::from_ptr(word) }
    }

    /// A call begins.
    pub(crate) fn begin(&self) {
        self.word(Word::Begun).fetch_add(1, Ordering::SeqCst);
    }

    /// The call has returned this.
    pub(crate) fn end(&self, outcome: u32, reference: u32) {
        self.word(Word::Outcome).store(outcome.into(), Ordering::SeqCst);
        self.word(Word::Reference).store(reference.into(), Ordering::SeqCst);
        self.word(Word::Returned).fetch_add(1, Ordering::SeqCst);
    }

    /// Calls that have begun, and calls that have returned.
    pub(crate) fn calls(&self) -> (u64, u64) {
        let returned = self.word(Word::Returned).load(Ordering::SeqCst);
        (self.word(Word::Begun).load(Ordering::SeqCst), returned)
    }

    /// Outcome and reference of the call that returned last.
    pub(crate) fn result(&self) -> (u32, u32) {
        let load = |word| u32::try_from(self.word(word).load(Ordering::SeqCst)).unwrap_or(u32::MAX);
        (load(Word::Outcome), load(Word::Reference))
    }
}
