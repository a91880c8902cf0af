//! The exporter's one change to a file: its compare-exchange (SPEC "Acknowledge").
//!
//! A file of its own because the writer's models run it too, against the writer, with a model checker's atomics.

use crate::sync::{AtomicU64, Ordering};
use otlp_mmap_format::Acknowledged;

/// Moves the acknowledgement of `generation` forward to `records`, unless a living writer has closed it. SYNC ACK.
///
/// A closed word binds only while the writer lives: a dead one will never complete the recycling it had begun.
pub(crate) fn advance(
    word: &AtomicU64,
    generation: u32,
    records: u32,
    writer_is_gone: impl Fn() -> bool,
) -> bool {
    let mut found = word.load(Ordering::Acquire);
    loop {
        let open = Acknowledged { generation, closed: false, records: 0 };
        // A damaged word of a dead writer is written anew; a living one's is not ours to mend.
        let present = match Acknowledged::unpack(u64::from_le(found)) {
            None if writer_is_gone() => open,
            None => return false,
            Some(present) => present,
        };
        if present.generation != generation || (present.closed && !writer_is_gone()) {
            return false;
        }
        if present.records >= records {
            return true;
        }
        let new = Acknowledged { records, ..present }.pack().to_le();
        // Release: what was delivered happened before the writer may reuse the segment.
        match word.compare_exchange_weak(found, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(changed) => found = changed,
        }
    }
}
