//! Atomics and the one lock of the writer.
//!
//! Every atomic of this crate comes from here, so that a model checker can take their place: under `cfg(loom)`
//! they are loom's, and `models` explores the interleavings of the code as it stands. [`TryLock`] never
//! waits without bound: telemetry may be recorded by a thread whose peer was stopped while it held the lock. And it
//! does not wait at all for its own thread: a signal handler that interrupted the holder would wait in vain.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

#[cfg(loom)]
pub(crate) use self::model::{number_of_this_thread, wait, yield_now, zeroed};
#[cfg(not(loom))]
pub(crate) use self::process::{number_of_this_thread, wait, yield_now, zeroed};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// Atomics of statics, and of what no model runs: never loom's.
pub(crate) mod plain {
    pub(crate) use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64};
}

/// Turns of a wait for a busy lock before it is given up.
#[cfg(not(loom))]
const TURNS: u32 = process::TURNS;
#[cfg(loom)]
const TURNS: u32 = model::TURNS;

/// A lock private to the process that is tried, never waited for without bound.
pub(crate) struct TryLock<T> {
    /// Number of the thread that has the value; 0: none.
    holder: AtomicU32,
    value: UnsafeCell<T>,
    /// Has loom find holders that are not ordered one after the other.
    #[cfg(loom)]
    witness: loom::cell::UnsafeCell<()>,
}

// SAFETY: `value` is reached only through a `TryGuard`, and `holder` lets one guard exist at a time; handing a
// `T` from thread to thread this way needs `T: Send` and nothing more.
unsafe impl<T: Send> Sync for TryLock<T> {}

impl<T> TryLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            holder: AtomicU32::new(0),
            value: UnsafeCell::new(value),
            #[cfg(loom)]
            witness: loom::cell::UnsafeCell::new(()),
        }
    }

    /// The value, or `None` if another thread (or the code that a signal handler interrupted) has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<TryGuard<'_, T>> {
        // Acquire pairs with the Release of `TryGuard::drop`.
        self.holder
            .compare_exchange(0, number_of_this_thread(), Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        #[cfg(loom)]
        self.witness.with_mut(|_| ());
        Some(TryGuard { lock: self })
    }

    /// Whether this thread has the value: then the caller runs in a signal handler that interrupted the holder.
    pub(crate) fn is_held_here(&self) -> bool {
        // Relaxed: a thread finds its own number, which only itself stores, or it does not matter which one.
        self.holder.load(Ordering::Relaxed) == number_of_this_thread()
    }

    /// The value after a bounded wait, or `None`.
    #[inline]
    pub(crate) fn lock_bounded(&self) -> Option<TryGuard<'_, T>> {
        match self.try_lock() {
            None => self.lock_slowly(),
            guard => guard,
        }
    }

    /// Takes the value away for good, so that nothing that needs it happens any more (bounded, as
    /// [`Self::lock_bounded`]).
    pub(crate) fn keep(&self) {
        if let Some(guard) = self.lock_bounded() {
            std::mem::forget(guard);
        }
    }

    #[cold]
    fn lock_slowly(&self) -> Option<TryGuard<'_, T>> {
        if self.is_held_here() {
            return None;
        }
        for turn in 0..TURNS {
            wait(turn);
            if self.holder.load(Ordering::Relaxed) == 0
                && let Some(guard) = self.try_lock()
            {
                return Some(guard);
            }
        }
        None
    }
}

/// Exclusive access to the value of a [`TryLock`] until it is dropped.
pub(crate) struct TryGuard<'a, T> {
    lock: &'a TryLock<T>,
}

impl<T> Deref for TryGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one (`holder` is set), so no `&mut` exists beside this borrow.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one (`holder` is set) and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for TryGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(loom)]
        self.lock.witness.with_mut(|_| ());
        self.lock.holder.store(0, Ordering::Release);
    }
}

/// Keeps what one thread writes off the cache line of another's.
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

/// Threads, and memory of atomics, as a process has them.
#[cfg(not(loom))]
mod process {
    use super::{Ordering, plain};
    use std::cell::Cell;
    use std::time::Duration;
    use zerocopy::FromZeros;

    /// Tries at a busy lock before the thread gives its processor away.
    const SPINS: u32 = 64;
    /// Times the thread gives its processor away before it sleeps.
    const YIELDS: u32 = 256;
    const SPINNING_ENDS: u32 = SPINS + YIELDS;
    /// Sleeps of [`NAP`] before the lock is given up: 100 ms at least. Short, so that many threads at one lock
    /// each get it in time.
    const NAPS: u32 = 2000;
    const NAP: Duration = Duration::from_micros(50);
    pub(super) const TURNS: u32 = SPINNING_ENDS + NAPS;

    /// Waits before another try at a busy lock.
    pub(crate) fn wait(turn: u32) {
        match turn {
            0..SPINS => std::hint::spin_loop(),
            SPINS..SPINNING_ENDS => std::thread::yield_now(),
            _ => std::thread::sleep(NAP),
        }
    }

    pub(crate) use std::thread::yield_now;

    /// The number of this thread in this process, from 1. It tells threads apart, and spreads them over lanes.
    #[inline]
    pub(crate) fn number_of_this_thread() -> u32 {
        static NEXT: plain::AtomicU32 = plain::AtomicU32::new(1);
        thread_local! {
            static NUMBER: Cell<u32> = const { Cell::new(0) };
        }
        NUMBER.with(|number| {
            while number.get() == 0 {
                // Relaxed: nothing but the number counts. After 2^32 threads they come again.
                number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            number.get()
        })
    }

    /// So many zeros, in memory that is touched when it is used; `None`: there is none.
    pub(crate) fn zeroed<T: FromZeros>(length: usize) -> Option<Box<[T]>> {
        <[T]>::new_box_zeroed_with_elems(length).ok()
    }
}

/// The same for models: loom's scheduler, atomics that it knows of, and waits that are soon given up.
#[cfg(loom)]
mod model {
    use super::{Ordering, plain};

    pub(super) const TURNS: u32 = 3;

    pub(crate) fn wait(_turn: u32) {
        loom::thread::yield_now();
    }

    pub(crate) use loom::thread::yield_now;

    static NEXT: plain::AtomicU32 = plain::AtomicU32::new(1);

    loom::thread_local! {
        static NUMBER: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells threads apart. Models have one lane: a thread's number is another one in each execution, which must not
    /// make a difference.
    pub(crate) fn number_of_this_thread() -> u32 {
        NUMBER.with(|number| *number)
    }

    #[allow(clippy::unnecessary_wraps)] // as in a process
    pub(crate) fn zeroed<T: Default>(length: usize) -> Option<Box<[T]>> {
        Some((0..length).map(|_| T::default()).collect())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_given_up_after_a_bounded_wait() {
        let lock = TryLock::new(1);
        let guard = lock.try_lock().unwrap();
        assert!(lock.try_lock().is_none());
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| (lock.is_held_here(), lock.lock_bounded().is_none()));
            assert_eq!(tried.join().unwrap(), (false, true));
        });
        drop(guard);
        *lock.lock_bounded().unwrap() += 1;
        assert_eq!(*lock.try_lock().unwrap(), 2);
    }

    #[test]
    fn a_thread_does_not_wait_for_itself() {
        let lock = TryLock::new(1);
        let guard = lock.try_lock().unwrap();
        assert!(lock.is_held_here());
        // With a wait each of these would take 100 ms and more: this test would run for hours.
        assert!((0..100_000).all(|_| lock.lock_bounded().is_none()));
        drop(guard);
        assert!(!lock.is_held_here() && lock.lock_bounded().is_some());
    }

    #[test]
    fn threads_exclude_each_other() {
        let lock = TryLock::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| *lock.lock_bounded().unwrap() += 1));
            }
        });
        assert_eq!(*lock.try_lock().unwrap(), 40_000);
    }
}
