//! A pool of a few tiny segments, and its records: each says in its payload the how-manieth it is.

use crate::claim::Claims;
use crate::pool::{Geometry, Heading, Pool, Refusal};
use crate::storage::Storage;
use crate::sync::{AtomicU64, Ordering};
use otlp_mmap_format::{Committed, OverflowPolicy, RecordHeader, RecordType, SegmentEntry, record_check};
use std::sync::Arc;

/// Size of a record: its header and one word.
pub(super) const RECORD: usize = RecordHeader::SIZE + 8;
const KEY: u64 = 0x5eed;

/// A pool, and where it lies.
pub(super) struct Segments {
    pub(super) pool: Pool,
    pub(super) storage: Arc<Storage>,
    pub(super) geometry: Geometry,
}

impl Segments {
    /// A pool with one lane and one segment for so many records.
    pub(super) fn new(records: u32, policy: OverflowPolicy) -> Arc<Self> {
        Self::within(
            &Arc::new(Storage::in_memory(SegmentEntry::SIZE + records as usize * RECORD)),
            0,
            records,
            policy,
        )
    }

    /// The same at `offset` of a storage that holds other things too.
    pub(super) fn within(
        storage: &Arc<Storage>,
        offset: usize,
        records: u32,
        policy: OverflowPolicy,
    ) -> Arc<Self> {
        let geometry = Geometry {
            table: offset,
            segments: offset + SegmentEntry::SIZE,
            segment_size: records * u32::try_from(RECORD).unwrap(),
            segment_count: 1,
        };
        let pool = Pool::new(Arc::clone(storage), geometry, KEY, false, Claims::new(policy, 1));
        Arc::new(Self { pool, storage: Arc::clone(storage), geometry })
    }

    /// Appends the record with this payload.
    pub(super) fn append(&self, payload: u64) -> Result<(), Refusal> {
        let mut bytes = [0; RECORD];
        bytes[RecordHeader::SIZE..].copy_from_slice(&payload.to_le_bytes());
        self.pool.append(heading(), &mut bytes)
    }

    /// A word of the segment's entry.
    pub(super) fn entry(&self, field: usize) -> &AtomicU64 {
        self.storage.mapping().word(self.geometry.entry(0, field))
    }

    /// The committed word, loaded with an ordering.
    pub(super) fn committed(&self, ordering: Ordering) -> Committed {
        let word = self.entry(std::mem::offset_of!(SegmentEntry, committed)).load(ordering);
        Committed::unpack(word).expect("the check of a committed word")
    }
}

fn heading() -> Heading {
    Heading { record_type: RecordType::Event, flags: 0, time_unix_nano: 7 }
}

/// A word of the record with this payload, as the writer makes it.
pub(super) fn word_of_record(word: usize, generation: u32, index: u32, payload: u64) -> u64 {
    let length = u32::try_from(RECORD).unwrap();
    let record_type = RecordType::Event.code();
    match word {
        0 => u64::from(length) | u64::from(record_type) << 32,
        1 => u64::from(generation) | u64::from(index) << 32,
        2 => record_check(KEY, length, record_type, 0, generation, index).into(),
        3 => heading().time_unix_nano,
        _ => payload,
    }
}
