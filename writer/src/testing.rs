//! Parts of a recording for the unit tests of this crate.

use crate::dictionary::Dictionary;
use crate::storage::Storage;
use std::sync::Arc;

/// An unnamed file of `size` bytes, all of it backed.
pub(crate) fn storage(size: usize) -> Arc<Storage> {
    Arc::new(Storage::create(&std::env::temp_dir(), size, size).unwrap())
}

/// An empty dictionary of 64 KiB at the start of a file of its own, behind a page that stands for the header.
pub(crate) fn dictionary() -> Dictionary {
    const SIZE: usize = 4096 + (64 << 10);
    Dictionary::new(storage(SIZE), 4096..SIZE, 1, 0).unwrap()
}
