//! Fork: how a child notices that it is one, and what it must let go of (SPEC "Fork").
//!
//! A page that the kernel wipes in a child holds a token. Every call compares it with the token its recorder
//! was made under: one load from private memory. A handler registered with `pthread_atfork` closes the parent's
//! descriptors in the child, or the parent's lock would live as long as the child does.

use crate::sync::Ordering;
use crate::sync::plain::{AtomicPtr, AtomicU32, AtomicU64};
use std::os::fd::RawFd;

/// How many descriptors of recordings a process can have closed in its children: 256 writers.
const DESCRIPTORS: usize = 512;

/// Descriptor + 1; 0: free.
static OPEN: [AtomicU32; DESCRIPTORS] = [const { AtomicU32::new(0) }; DESCRIPTORS];
/// The guard's word; null: not made yet. No lock: a fork beside the first call would leave the child waiting for it.
static GUARD: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// The word that is zero in a child until the child sets it.
pub(crate) fn guard() -> &'static AtomicU64 {
    // SAFETY: null, or a word that is never freed.
    unsafe { GUARD.load(Ordering::Acquire).as_ref() }.unwrap_or_else(make_guard)
}

/// Makes the word and registers the handler. Threads that do so at once keep the word of the first; the pages of the
/// others stay, and the handler runs as often as it was registered, which changes nothing.
#[cold]
fn make_guard() -> &'static AtomicU64 {
    let word = map_guard();
    // Before others find the word: whoever has it may open descriptors that a child must close.
    // SAFETY: the handler is a plain function that calls only what a forked child may call.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    let own = std::ptr::from_ref(word).cast_mut();
    match GUARD.compare_exchange(std::ptr::null_mut(), own, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => word,
        // SAFETY: not null, and a word that is never freed.
        Err(first) => unsafe { &*first },
    }
}

/// The token of this process: never 0, and another one in a forked child. What a process keeps of its own, such as
/// the state of a generator of ids, is kept with it. One load, but for a process's first call.
#[inline]
pub fn process_token() -> u64 {
    match guard().load(Ordering::Relaxed) {
        0 => token(),
        token => token,
    }
}

/// The token of this process, set if it is not: never 0, and never the parent's.
pub(crate) fn token() -> u64 {
    let fresh = crate::clock::random_u64() | 1;
    // Relaxed: only this process ever sees the word.
    match guard().compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => fresh,
        Err(token) => token,
    }
}

fn map_guard() -> &'static AtomicU64 {
    const LENGTH: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping, wherever the kernel likes; nothing else uses it.
    let page =
        unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        // Without the page the handler alone tells a child; it clears this word instead.
        return Box::leak(Box::new(AtomicU64::new(0)));
    }
    // SAFETY: the page was just mapped. On kernels before 4.14 the advice fails; the handler clears the word.
    unsafe { libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) };
    // SAFETY: the page is aligned, zeroed, never unmapped, and reached through this atomic alone.
    unsafe { &*page.cast::<AtomicU64>() }
}

/// Runs in the child right after `fork`: only atomics and `close`.
extern "C" fn in_child() {
    let word = GUARD.load(Ordering::Acquire);
    // SAFETY: set once, to a word that is never freed.
    if let Some(word) = unsafe { word.as_ref() } {
        word.store(0, Ordering::Relaxed);
    }
    for slot in &OPEN {
        let descriptor = slot.swap(0, Ordering::Relaxed);
        if descriptor != 0 {
            // SAFETY: the number belongs to a parent's recorder, which this child leaks and never uses again.
            unsafe { libc::close(descriptor.cast_signed() - 1) };
        }
    }
}

/// A descriptor's place in the list of those to close in a child. Freed when dropped.
pub(crate) struct DescriptorSlot(Option<usize>);

impl DescriptorSlot {
    /// Enters a descriptor. When the list is full the child keeps it open; a reader then tells by pid.
    pub(crate) fn register(descriptor: RawFd) -> Self {
        guard();
        let entry = descriptor.cast_unsigned() + 1;
        let free =
            |slot: &AtomicU32| slot.compare_exchange(0, entry, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        Self(OPEN.iter().position(free))
    }
}

impl Drop for DescriptorSlot {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            OPEN[slot].store(0, Ordering::Release);
        }
    }
}
