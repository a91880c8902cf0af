//! Scratch: the private buffer of a thread in which a record is put together before it is published.

use std::cell::RefCell;

/// A buffer that grew beyond this is given back after use, in bytes.
const KEEP: usize = 1 << 20;

/// Runs `use_it` with this thread's empty buffer; with a new one where that is in use (a signal handler that
/// records while its thread was recording) or gone (a thread that is ending).
#[inline]
pub(crate) fn with_scratch<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut use_it = Some(use_it);
    let result = SCRATCH.try_with(|scratch| {
        let mut bytes = scratch.try_borrow_mut().ok()?;
        bytes.clear();
        let result = use_it.take().map(|use_it| use_it(&mut bytes));
        if bytes.capacity() > KEEP {
            *bytes = Vec::new();
        }
        result
    });
    match (result, use_it) {
        (Ok(Some(result)), _) => result,
        (_, Some(use_it)) => use_it(&mut Vec::new()),
        (_, None) => unreachable!("the closure was used up, so its result is there"),
    }
}
