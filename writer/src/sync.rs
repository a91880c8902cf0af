//! Atomics and the one lock of the writer.
//!
//! Every atomic of this crate comes from here, so that a model checker can take their place. [`TryLock`] never
//! waits without bound: telemetry may be recorded from a signal handler or by a thread whose peer was stopped
//! while it held the lock, and neither may hang the application.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
};

/// Tries at a busy lock before the thread gives its processor away.
const SPINS: u32 = 64;
/// Times the thread gives its processor away before it sleeps.
const YIELDS: u32 = 256;
const SPINNING_ENDS: u32 = SPINS + YIELDS;
/// Sleeps of [`NAP`] before the lock is given up: 100 ms at least. Short, so that many threads at one lock each
/// get it in time.
const NAPS: u32 = 2000;
const NAP: Duration = Duration::from_micros(50);

/// A lock private to the process that is tried, never waited for without bound.
pub(crate) struct TryLock<T> {
    busy: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached only through a `TryGuard`, and `busy` lets one guard exist at a time; handing a
// `T` from thread to thread this way needs `T: Send` and nothing more.
unsafe impl<T: Send> Sync for TryLock<T> {}

impl<T> TryLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { busy: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value, or `None` if another thread (or the code that a signal handler interrupted) has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<TryGuard<'_, T>> {
        // Acquire pairs with the Release of `TryGuard::drop`.
        if self.busy.swap(true, Ordering::Acquire) { None } else { Some(TryGuard { lock: self }) }
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
        for turn in 0..SPINNING_ENDS + NAPS {
            match turn {
                0..SPINS => std::hint::spin_loop(),
                SPINS..SPINNING_ENDS => std::thread::yield_now(),
                _ => std::thread::sleep(NAP),
            }
            if !self.busy.load(Ordering::Relaxed)
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
        // SAFETY: the guard is the only one (`busy` is set), so no `&mut` exists beside this borrow.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one (`busy` is set) and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for TryGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.busy.store(false, Ordering::Release);
    }
}

/// Keeps what one thread writes off the cache line of another's.
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_given_up_after_a_bounded_wait() {
        let lock = TryLock::new(1);
        let guard = lock.try_lock().unwrap();
        assert!(lock.try_lock().is_none());
        assert!(lock.lock_bounded().is_none());
        drop(guard);
        *lock.lock_bounded().unwrap() += 1;
        assert_eq!(*lock.try_lock().unwrap(), 2);
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
