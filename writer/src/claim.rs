//! Claim: which segment a lane gets when its own is full (SPEC "Claim and recycle").
//!
//! COLD: once for each segment's worth of records. Fresh segments come first, each backed by space when it is
//! first used; then the policy decides which sealed segment is recycled. What a recycled segment held is
//! counted in its table entry before its generation changes, so a kill can tear the two apart at no point.

use crate::mapping::Mapping;
use crate::pool::{Geometry, Lane, Pool, Refusal};
use crate::storage::Storage;
use crate::sync::{Ordering, TryLock};
use otlp_mmap_format::{Acknowledged, Counter, OverflowPolicy, SegmentEntry, next_generation, seal, unseal};
use std::collections::VecDeque;
use std::mem::offset_of;

/// The segments of a pool that no lane has open.
pub(crate) struct Claims {
    policy: OverflowPolicy,
    state: TryLock<State>,
}

struct State {
    /// Sealed segments, the oldest first.
    sealed: VecDeque<Sealed>,
    /// The next segment that was never used; those from here on are not backed yet.
    fresh: u32,
}

/// A full segment.
#[derive(Clone, Copy)]
struct Sealed {
    segment: u32,
    generation: u32,
    records: u32,
}

impl Claims {
    pub(crate) fn new(policy: OverflowPolicy, segment_count: u32) -> Self {
        let sealed = VecDeque::with_capacity(segment_count as usize);
        Self { policy, state: TryLock::new(State { sealed, fresh: 0 }) }
    }

    /// Makes it look as if every segment were sealed and empty in this generation, with so many records before it,
    /// all of them overwritten.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, storage: &Storage, geometry: &Geometry, generation: u32, records: u64) {
        let mut state = self.state.lock_bounded().unwrap();
        for segment in 0..geometry.segment_count {
            storage.back(geometry.segment(segment), geometry.segment_size as usize).unwrap();
            let put = |field, value| {
                storage.mapping().word(geometry.entry(segment, field)).store(value, Ordering::Relaxed);
            };
            let parity = (generation & 1) as usize * 8;
            put(offset_of!(SegmentEntry, base_records) + parity, seal(records));
            put(offset_of!(SegmentEntry, base_overwritten) + parity, seal(records));
            let open = Acknowledged { generation, closed: false, records: 0 };
            put(offset_of!(SegmentEntry, acknowledged), open.pack());
            let committed = otlp_mmap_format::Committed { generation, bytes: 0 };
            put(offset_of!(SegmentEntry, committed), committed.pack());
            state.sealed.push_back(Sealed { segment, generation, records: 0 });
        }
        state.fresh = geometry.segment_count;
    }

    /// Gives the lane another segment and seals the one it has. Without one to give, the lane keeps its own. Waits for
    /// another thread's claim if `patient`, which a wait in vain ends.
    #[cold]
    pub(crate) fn claim(
        &self,
        storage: &Storage,
        geometry: &Geometry,
        lane: &mut Lane,
        patient: &mut bool,
    ) -> Result<(), Refusal> {
        let locked = if *patient { self.state.lock_bounded() } else { self.state.try_lock() };
        let Some(mut state) = locked else {
            *patient = false;
            return Err(Refusal::Lost(Counter::Busy));
        };
        let own = lane.segment.map(|segment| Sealed {
            segment,
            generation: lane.generation,
            records: lane.records,
        });
        let backed = match Self::claim_fresh(&mut state, storage, geometry) {
            Ok(Some(segment)) => {
                state.sealed.extend(own);
                start(storage.mapping(), geometry, lane, Sealed { segment, generation: 0, records: 0 });
                return Ok(());
            }
            Ok(None) => true,
            Err(_) => false,
        };
        match self.claim_sealed(&mut state, storage.mapping(), geometry, own) {
            Some(sealed) => {
                start(storage.mapping(), geometry, lane, sealed);
                Ok(())
            }
            None if !backed => Err(Refusal::Lost(Counter::NoSpace)),
            None if self.policy == OverflowPolicy::Block => Err(Refusal::WouldBlock),
            None if self.policy == OverflowPolicy::DiscardNewest => Err(Refusal::Lost(Counter::Discarded)),
            None => Err(Refusal::Lost(Counter::Busy)),
        }
    }

    /// The next segment that was never used, backed by space; `None`: there is none left.
    fn claim_fresh(
        state: &mut State,
        storage: &Storage,
        geometry: &Geometry,
    ) -> std::io::Result<Option<u32>> {
        let segment = state.fresh;
        if segment >= geometry.segment_count {
            return Ok(None);
        }
        storage.back(geometry.segment(segment), geometry.segment_size as usize)?;
        state.fresh += 1;
        Ok(Some(segment))
    }

    /// The sealed segment that the policy gives up first; the lane's own is sealed along with it.
    fn claim_sealed(
        &self,
        state: &mut State,
        mapping: &Mapping,
        geometry: &Geometry,
        own: Option<Sealed>,
    ) -> Option<Sealed> {
        let at = match self.policy {
            OverflowPolicy::OverwriteOldest => 0,
            OverflowPolicy::DiscardNewest | OverflowPolicy::Block => {
                let free = |sealed: &Sealed| is_delivered(mapping, geometry, sealed);
                match state.sealed.iter().position(free) {
                    Some(at) => at,
                    None => return own.filter(free),
                }
            }
        };
        state.sealed.extend(own);
        state.sealed.remove(at)
    }
}

/// Whether the exporter has acknowledged every record of a sealed segment.
fn is_delivered(mapping: &Mapping, geometry: &Geometry, sealed: &Sealed) -> bool {
    let word = mapping.word(geometry.entry(sealed.segment, offset_of!(SegmentEntry, acknowledged)));
    // SYNC ACK: the exporter has finished with the records before the segment is used again.
    let acknowledged = Acknowledged::unpack(word.load(Ordering::Acquire));
    acknowledged.is_some_and(|it| it.generation == sealed.generation && it.records >= sealed.records)
}

/// Recycles a segment, or starts a fresh one (generation 0), and gives it to the lane.
fn start(mapping: &Mapping, geometry: &Geometry, lane: &mut Lane, old: Sealed) {
    let word = |field| mapping.word(geometry.entry(old.segment, field));
    // SYNC ACK: after this no acknowledgement of the old generation can succeed, so the count is final. The word
    // is of the old generation and open: its own claim stored it.
    let closed =
        word(offset_of!(SegmentEntry, acknowledged)).fetch_xor(Acknowledged::CLOSE_MASK, Ordering::AcqRel);
    let delivered = Acknowledged::unpack(closed)
        .filter(|acknowledged| acknowledged.generation == old.generation)
        .map_or(0, |acknowledged| acknowledged.records.min(old.records));
    let generation = next_generation(old.generation);
    let parity = |generation: u32| (generation & 1) as usize * 8;
    for (field, added) in [
        (offset_of!(SegmentEntry, base_records), old.records),
        (offset_of!(SegmentEntry, base_overwritten), old.records - delivered),
    ] {
        let before = unseal(word(field + parity(old.generation)).load(Ordering::Relaxed)).unwrap_or(0);
        // SYNC BASE: a reader that finds this value also finds that the generation before it was published,
        // which tells it that the other half of the pair is the one in force.
        word(field + parity(generation)).store(seal(before + u64::from(added)), Ordering::Release);
    }
    Pool::begin_generation(mapping, geometry, old.segment, generation);
    // SYNC ACK: opens the acknowledgements of the new generation, once that is published.
    let open = Acknowledged { generation, closed: false, records: 0 };
    word(offset_of!(SegmentEntry, acknowledged)).store(open.pack(), Ordering::Release);
    *lane = Lane { segment: Some(old.segment), generation, bytes: 0, records: 0 };
}
