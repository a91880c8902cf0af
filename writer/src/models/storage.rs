//! Storage in models: the mapping without a file (compiled in place of `storage.rs` under `cfg(loom)`).
//!
//! System calls are stood for by what they order: readers of a file begin when it gets its name, and who finds a
//! lock free finds what its holder stored before it gave it up. Space is always there.
// The signatures are those of the storage of files.
#![allow(clippy::unnecessary_wraps, clippy::unused_self)]

use crate::error::Error;
use crate::mapping::Mapping;
use crate::sync::{AtomicBool, Ordering};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How far an append-only section is backed by space.
pub(crate) struct Ahead {
    pub(crate) backed: usize,
    pub(crate) section_end: usize,
}

type OnPublish = Box<dyn FnOnce(Arc<Mapping>)>;

thread_local! {
    static ON_PUBLISH: RefCell<Option<OnPublish>> = const { RefCell::new(None) };
}

/// What is to be done at the moment at which the next file gets its name: from there on readers find it.
pub(crate) fn on_publish(readers: impl FnOnce(Arc<Mapping>) + 'static) {
    ON_PUBLISH.set(Some(Box::new(readers)));
}

/// A mapping, and the file's lock.
pub(crate) struct Storage {
    mapping: Arc<Mapping>,
    locked: AtomicBool,
}

impl Storage {
    /// `size` bytes of zeros, locked.
    pub(crate) fn in_memory(size: usize) -> Self {
        Self { mapping: Arc::new(Mapping::zeroed(size)), locked: AtomicBool::new(true) }
    }

    pub(crate) fn create(_directory: &Path, size: usize, _backed: usize) -> Result<Self, Error> {
        Ok(Self::in_memory(size))
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn reopen(&self) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn publish(&self, _path: &Path) -> Result<(), Error> {
        if let Some(readers) = ON_PUBLISH.take() {
            readers(Arc::clone(&self.mapping));
        }
        Ok(())
    }

    pub(crate) fn back(&self, _offset: usize, _length: usize) -> io::Result<()> {
        Ok(())
    }

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
