//! Pool: publishes records of one signal into its segments (SPEC "Append").
//!
//! HOT. Promise: no allocation, no system call, no panic, bounded steps while the open segment has room; the
//! record is there, whole, when `append` returns `Ok`. A full segment goes to `claim` (cold), which seals it
//! and takes another; when there is none, the record is lost and the caller counts it.
//!
//! Bytes come from the caller's scratch buffer (`RecordHeader::SIZE` bytes of room, the body, the items) and go
//! to the mapped segment. A pool has several lanes, each with an open segment and a lock; a thread prefers its
//! own lane and moves on when that is busy, so a stopped thread holds up nobody.

use crate::claim::Claims;
use crate::mapping::Mapping;
use crate::storage::Storage;
use crate::sync::{CachePadded, Ordering, TryLock, fence, number_of_this_thread, yield_now};
use otlp_mmap_format::{Committed, Counter, RecordHeader, RecordType, SegmentEntry, record_check};
use std::mem::offset_of;
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// Most lanes of a pool.
const MAX_LANES: u32 = 16;
/// Rounds over all lanes before a record is given up because every lane is busy.
const ROUNDS: u32 = if cfg!(loom) { 4 } else { 256 };

/// The segments of one signal.
pub(crate) struct Pool {
    storage: Arc<Storage>,
    geometry: Geometry,
    /// First 8 bytes of the file's id.
    key: u64,
    crc: bool,
    lanes: Box<[CachePadded<TryLock<Lane>>]>,
    claims: Claims,
}

/// Where a pool lies in the file.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    /// Start of the segment table in bytes.
    pub(crate) table: usize,
    /// Start of the first segment in bytes.
    pub(crate) segments: usize,
    pub(crate) segment_size: u32,
    pub(crate) segment_count: u32,
}

impl Geometry {
    /// Offset of a field of a segment's entry.
    #[inline]
    pub(crate) fn entry(&self, segment: u32, field: usize) -> usize {
        self.table + segment as usize * SegmentEntry::SIZE + field
    }

    #[inline]
    pub(crate) fn segment(&self, segment: u32) -> usize {
        self.segments + segment as usize * self.segment_size as usize
    }
}

/// The open segment of a lane.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lane {
    /// `None`: the lane has not claimed a segment yet.
    pub(crate) segment: Option<u32>,
    pub(crate) generation: u32,
    /// Bytes published.
    pub(crate) bytes: u32,
    /// Records published.
    pub(crate) records: u32,
}

/// What a record's header says beside its length.
#[derive(Clone, Copy)]
pub(crate) struct Heading {
    pub(crate) record_type: RecordType,
    pub(crate) flags: u16,
    pub(crate) time_unix_nano: u64,
}

/// Why a record was not published; `WouldBlock` is for the caller to wait and try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Counted under this reason.
    Lost(Counter),
    /// No segment is free, and the policy is to wait for the exporter.
    WouldBlock,
}

impl Pool {
    pub(crate) fn new(
        storage: Arc<Storage>,
        geometry: Geometry,
        key: u64,
        crc: bool,
        claims: Claims,
    ) -> Self {
        let lanes = (geometry.segment_count / 2).clamp(1, MAX_LANES);
        let lanes = (0..lanes).map(|_| CachePadded(TryLock::new(Lane::default()))).collect();
        Self { storage, geometry, key, crc, lanes, claims }
    }

    /// Largest record, in bytes.
    pub(crate) fn room(&self) -> usize {
        self.geometry.segment_size as usize
    }

    /// Publishes the record in `bytes`, whose length is a multiple of 8 and at most [`Self::room`] and whose
    /// first [`RecordHeader::SIZE`] bytes are filled in here.
    #[inline]
    pub(crate) fn append(&self, heading: Heading, bytes: &mut [u8]) -> Result<(), Refusal> {
        let preferred = number_of_this_thread() as usize;
        let mut refusal = Refusal::Lost(Counter::Busy);
        // A thread that is stopped in a claim is waited for once, not at each lane that needs one.
        let mut patient = true;
        for round in 0..ROUNDS {
            for turn in 0..self.lanes.len() {
                let Some(mut lane) = self.lanes[(preferred + turn) % self.lanes.len()].0.try_lock() else {
                    continue;
                };
                match self.append_to(&mut lane, heading, bytes, &mut patient) {
                    Ok(()) => return Ok(()),
                    Err(reason) => refusal = reason,
                }
            }
            // A signal handler that interrupted a call does not wait: perhaps for the lane that this call has.
            let is_handler = || self.lanes.iter().any(|lane| lane.0.is_held_here());
            if refusal != Refusal::Lost(Counter::Busy) || !patient || is_handler() {
                break;
            }
            pause(round);
        }
        Err(refusal)
    }

    #[inline]
    fn append_to(
        &self,
        lane: &mut Lane,
        heading: Heading,
        bytes: &mut [u8],
        patient: &mut bool,
    ) -> Result<(), Refusal> {
        let length = length_of(bytes);
        let room = self.geometry.segment_size - lane.bytes;
        if lane.segment.is_none() || length > room {
            self.claims.claim(&self.storage, &self.geometry, lane, patient)?;
        }
        let Some(segment) = lane.segment else { return Err(Refusal::Lost(Counter::NoSpace)) };
        self.fill_header(lane, heading, bytes);
        let mapping: &Mapping = self.storage.mapping();
        // SYNC RECYCLE: whoever stores payload orders the generation before it, which another thread may have
        // begun: so a reader that copies new bytes also finds the new generation when it looks again. No
        // instruction on x86-64.
        fence(Ordering::Release);
        mapping.store_bytes(self.geometry.segment(segment) + lane.bytes as usize, bytes);
        lane.bytes += length;
        lane.records += 1;
        let committed = Committed { generation: lane.generation, bytes: lane.bytes };
        // SYNC PUB: orders the record's bytes before the word that makes them exist; paired with the observer's
        // load of `committed` before it copies the payload.
        mapping
            .word(self.geometry.entry(segment, offset_of!(SegmentEntry, committed)))
            .store(committed.pack(), Ordering::Release);
        Ok(())
    }

    #[inline]
    fn fill_header(&self, lane: &Lane, heading: Heading, bytes: &mut [u8]) {
        let (length, record_type) = (length_of(bytes), heading.record_type.code());
        let mut header = RecordHeader::new_zeroed();
        header.length.set(length);
        header.record_type.set(record_type);
        header.flags.set(heading.flags);
        header.generation.set(lane.generation);
        header.index.set(lane.records);
        header.check.set(record_check(
            self.key,
            length,
            record_type,
            heading.flags,
            lane.generation,
            lane.records,
        ));
        header.time_unix_nano.set(heading.time_unix_nano);
        bytes[..RecordHeader::SIZE].copy_from_slice(header.as_bytes());
        if self.crc {
            let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), &bytes[24..]);
            bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// Keeps every lane from every call as long as the guards live.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn hold(&self) -> Vec<impl Sized + '_> {
        self.lanes.iter().map(|lane| lane.0.try_lock().unwrap()).collect()
    }

    /// As [`Claims::age`].
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, generation: u32, records: u64) {
        self.claims.age(&self.storage, &self.geometry, generation, records);
    }

    /// Ends all appending for good; a record under way is finished first.
    pub(crate) fn freeze(&self) {
        self.lanes.iter().for_each(|lane| lane.0.keep());
    }

    /// Begins a claimed segment's new generation: called by `claim` with the lane's lock held.
    pub(crate) fn begin_generation(mapping: &Mapping, geometry: &Geometry, segment: u32, generation: u32) {
        let committed = Committed { generation, bytes: 0 };
        // Release: orders the base words (SYNC BASE) before the generation that selects them.
        mapping
            .word(geometry.entry(segment, offset_of!(SegmentEntry, committed)))
            .store(committed.pack(), Ordering::Release);
    }
}

/// Lengths of records are at most a segment's: 8 MiB.
#[inline]
fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cold]
fn pause(round: u32) {
    if round < ROUNDS / 2 || cfg!(loom) {
        yield_now();
    } else {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}
