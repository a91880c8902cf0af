//! The lock of the process: one holder at a time, each finding what the one before it left.

use super::explore;
use crate::sync::TryLock;
use loom::thread;
use std::sync::Arc;

#[test]
fn holders_exclude_each_other() {
    explore(None, &["2 of 2"], |outcomes| {
        let lock = Arc::new(TryLock::new(0));
        let add = |lock: &TryLock<u64>| lock.lock_bounded().map(|mut value| *value += 1).is_some();
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || add(&lock)
        });
        let done = u64::from(add(&lock)) + u64::from(other.join().unwrap());
        assert_eq!(lock.try_lock().map(|value| *value), Some(done));
        outcomes.note(format!("{done} of 2"));
    });
}
