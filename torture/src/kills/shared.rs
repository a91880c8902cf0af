//! Words that a process shares with the children it forks.

use std::io;
use std::sync::atomic::AtomicU64;

/// An anonymous shared mapping of 64-bit words, zero at first.
pub(super) struct Shared {
    first: *const AtomicU64,
    count: usize,
}

impl Shared {
    pub(super) fn new(count: usize) -> io::Result<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping, wherever the kernel likes; nothing else uses it.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), count * 8, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { first: page.cast(), count })
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has `count` words, aligned to a page, and lives as long as `self`; every process that
        // shares it uses it through these atomics alone.
        unsafe { std::slice::from_raw_parts(self.first, self.count) }
    }
}

// SAFETY: all access is through atomics, and the mapping is unmapped by its one owner.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this size, and no borrow of it outlives `self`.
        unsafe { libc::munmap(self.first.cast_mut().cast(), self.count * 8) };
    }
}
