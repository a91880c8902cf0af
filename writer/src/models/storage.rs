//! Storage in models: the mapping without a file (compiled in place of `storage.rs` under `cfg(loom)`).
//!
//! System calls are stood for by what they order: a file that is found by its name was named after all that
//! its writer had stored before, and who finds a lock free finds what its holder stored before it gave it up.
//! Space is always there.

use crate::error::Error;
use crate::mapping::Mapping;
use crate::sync::{AtomicBool, Ordering};
use std::fs::File;
use std::io;
use std::path::Path;

/// How far an append-only section is backed by space.
pub(crate) struct Ahead {
    pub(crate) backed: usize,
    pub(crate) section_end: usize,
}

/// A mapping, and the file's name and lock.
pub(crate) struct Storage {
    mapping: Mapping,
    named: AtomicBool,
    locked: AtomicBool,
}

impl Storage {
    /// `size` bytes of zeros, without a name, locked.
    pub(crate) fn in_memory(size: usize) -> Self {
        Self { mapping: Mapping::zeroed(size), named: AtomicBool::new(false), locked: AtomicBool::new(true) }
    }

    #[allow(clippy::unnecessary_wraps)] // as the storage of files has it
    pub(crate) fn create(_directory: &Path, size: usize, _backed: usize) -> Result<Self, Error> {
        Ok(Self::in_memory(size))
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn reopen(&self) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn publish(&self, _path: &Path) -> Result<(), Error> {
        self.named.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether a reader finds the file in its directory.
    pub(crate) fn is_named(&self) -> bool {
        self.named.load(Ordering::Acquire)
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn back(&self, _offset: usize, _length: usize) -> io::Result<()> {
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn back_ahead(&self, ahead: &mut Ahead, offset: usize, length: usize) -> io::Result<()> {
        ahead.backed = ahead.backed.max(offset + length).min(ahead.section_end);
        Ok(())
    }

    pub(crate) fn has_exporter(&self) -> bool {
        false
    }

    pub(crate) fn unlock(&self) {
        self.locked.store(false, Ordering::Release);
    }

    /// Whether the writer's lock is held, as a reader asks.
    pub(crate) fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Acquire)
    }
}
