//! Active spans: holds each span from its start to its end in the mapped block table (SPEC "Active spans").
//!
//! HOT: no allocation, no system call, bounded steps while blocks are free. Content (a `SpanBody`, then items)
//! comes from the caller's scratch buffer and goes to a chain of blocks, published by one store of the head's
//! `committed`; at the end it goes on, whole, as one SPAN record to a [`Pool`]. A full table spills to process
//! memory (cold, counted): such content is lost in a crash, but not at the span's end.

use crate::blocks::{Blocks, Chain};
use crate::error::Error;
use crate::pool::{Heading, Pool, Refusal};
use crate::storage::Storage;
use crate::sync::{AtomicU32, Ordering, TryLock, plain};
use crate::telemetry::SpanRef;
use otlp_mmap_format::{
    DroppedBody, ItemHeader, ItemTag, RECORD_FLAG_TRUNCATED, RecordHeader, RecordType, next_generation,
};
use std::collections::HashMap;
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// Bytes kept free in every span for the `Dropped` item that its end may need.
const DROPPED_ITEM: usize = ItemHeader::SIZE + DroppedBody::SIZE;
/// Most spans that live in process memory alone.
const MAX_SPILLED: usize = 1 << 20;

/// The spans of a recording that have started and not ended.
pub(crate) struct ActiveSpans {
    blocks: Blocks,
    /// State of the span whose head is the block of the same index.
    heads: Box<[TryLock<State>]>,
    /// Spans that found no block at all, by index from `heads.len()` on.
    spilled: TryLock<HashMap<u32, State>>,
    next_spilled: AtomicU32,
    epoch: u32,
}

/// What the process knows of one span.
#[derive(Default)]
struct State {
    generation: u32,
    live: bool,
    chain: Chain,
    /// Content that found no block.
    spill: Vec<u8>,
    spilled: bool,
    truncated: bool,
    /// Attributes, events, links left out.
    dropped: [u32; 3],
}

/// What an append did.
pub(crate) enum Appended {
    /// It is there; the flag says that the span went over to process memory with it.
    Done { newly_spilled: bool },
    /// It does not fit; the span has room for so many bytes.
    NoRoom(usize),
}

impl ActiveSpans {
    pub(crate) fn new(storage: Arc<Storage>, base: usize, blocks: u32) -> Self {
        static EPOCH: plain::AtomicU32 = plain::AtomicU32::new(0);
        Self {
            blocks: Blocks::new(storage, base, blocks),
            heads: (0..blocks).map(|_| TryLock::new(State::default())).collect(),
            spilled: TryLock::new(HashMap::new()),
            next_spilled: AtomicU32::new(blocks),
            // Relaxed: only has to differ.
            epoch: EPOCH.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Most bytes of content a span may have so that its record fits into a segment of `segment_size` bytes.
    pub(crate) fn room(segment_size: usize) -> usize {
        segment_size - RecordHeader::SIZE - DROPPED_ITEM
    }

    /// Starts a span with its first content; the flag says whether it spilled.
    #[inline]
    pub(crate) fn start(
        &self,
        content: &[u8],
        truncated: bool,
        dropped: u32,
    ) -> Result<(SpanRef, bool), Error> {
        let Some(chain) = self.blocks.take(content.len()) else {
            return self.start_spilled(content, truncated, dropped).map(|span| (span, true));
        };
        let index = chain.head;
        // The block was free, so no one has its state but a late call with an old reference.
        let Some(mut state) = self.heads[index as usize].lock_bounded() else {
            self.blocks.give_back(&chain);
            return Err(Error::Busy);
        };
        state.generation = next_generation(state.generation);
        (state.live, state.chain, state.truncated) = (true, chain, truncated);
        (state.spilled, state.dropped) = (false, [dropped, 0, 0]);
        self.blocks.write(&state.chain, 0, content);
        state.chain.bytes = content.len();
        self.blocks.publish(&state.chain, state.generation);
        Ok((SpanRef { index, generation: state.generation, epoch: self.epoch }, false))
    }

    #[cold]
    fn start_spilled(&self, content: &[u8], truncated: bool, dropped: u32) -> Result<SpanRef, Error> {
        let mut spilled = self.spilled.lock_bounded().ok_or(Error::Busy)?;
        if spilled.len() >= MAX_SPILLED {
            return Err(Error::Busy);
        }
        let first = u32::try_from(self.heads.len()).unwrap_or(u32::MAX);
        // Numbers come again after 2^32 such spans: the next one that no span has.
        let mut index = self.next_spilled.load(Ordering::Relaxed);
        while spilled.contains_key(&index) {
            index = index.checked_add(1).unwrap_or(first);
        }
        self.next_spilled.store(index.checked_add(1).unwrap_or(first), Ordering::Relaxed);
        let state = State {
            live: true,
            spill: content.to_vec(),
            spilled: true,
            truncated,
            dropped: [dropped, 0, 0],
            ..State::default()
        };
        spilled.insert(index, state);
        Ok(SpanRef { index, generation: 0, epoch: self.epoch })
    }

    /// Appends items to a span's content if they fit into `room` bytes in all.
    #[inline]
    pub(crate) fn append(
        &self,
        span: SpanRef,
        items: &[u8],
        room: usize,
        truncated: bool,
        dropped: [u32; 3],
    ) -> Result<Appended, Error> {
        self.with_state(span, |state| {
            let left = room.saturating_sub(state.chain.bytes + state.spill.len());
            if items.len() > left {
                return Ok(Appended::NoRoom(left));
            }
            state.truncated |= truncated;
            for (sum, more) in state.dropped.iter_mut().zip(dropped) {
                *sum = sum.saturating_add(more);
            }
            Ok(Appended::Done { newly_spilled: self.extend(state, items) })
        })
    }

    /// Puts items behind a span's content; `true` if they began its spill.
    #[inline]
    fn extend(&self, state: &mut State, items: &[u8]) -> bool {
        if !state.spilled && self.blocks.grow(&mut state.chain, items.len()) {
            self.blocks.write(&state.chain, state.chain.bytes, items);
            state.chain.bytes += items.len();
            self.blocks.publish(&state.chain, state.generation);
            return false;
        }
        let newly = !state.spilled;
        if newly {
            self.blocks.mark_spilled(&state.chain);
            state.spilled = true;
        }
        state.spill.extend_from_slice(items);
        newly
    }

    /// Ends a span: its record goes to `pool`, then its blocks are free. If the record is refused the span is
    /// gone all the same, unless `keep` asks to keep it for another try after `WouldBlock`.
    pub(crate) fn end(
        &self,
        span: SpanRef,
        end_time_unix_nano: u64,
        pool: &Pool,
        keep: bool,
        scratch: &mut Vec<u8>,
    ) -> Result<Result<bool, Refusal>, Error> {
        self.with_state(span, |state| {
            scratch.clear();
            scratch.resize(RecordHeader::SIZE, 0);
            self.blocks.read(&state.chain, scratch);
            scratch.extend_from_slice(&state.spill);
            append_dropped(scratch, state.dropped);
            let heading = Heading {
                record_type: RecordType::Span,
                flags: if state.truncated { RECORD_FLAG_TRUNCATED } else { 0 },
                time_unix_nano: end_time_unix_nano,
            };
            let appended = pool.append(heading, scratch);
            if !(keep && appended == Err(Refusal::WouldBlock)) {
                self.release(state);
            }
            Ok(appended.map(|()| state.truncated))
        })
        .inspect(|_| self.forget_spilled(span))
    }

    /// Whether a span is still in flight; one whose state is busy counts as such.
    pub(crate) fn is_live(&self, span: SpanRef) -> bool {
        !matches!(self.with_state(span, |_| Ok(())), Err(Error::UnknownSpan { .. }))
    }

    /// Keeps a span's state from every call as long as the guard lives.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn hold(&self, span: SpanRef) -> impl Sized + '_ {
        self.heads[span.index as usize].try_lock().unwrap()
    }

    /// Makes it look as if every block had been a head up to this generation.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, generation: u32) {
        for (index, head) in (0..).zip(&self.heads) {
            head.lock_bounded().unwrap().generation = generation;
            let mut chain = Chain::default();
            chain.head = index;
            self.blocks.retire(&chain, generation);
        }
    }

    /// Makes this the number of the next span that finds no block.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age_spilled(&self, number: u32) {
        self.next_spilled.store(number, Ordering::Relaxed);
    }

    /// Ends all changes for good; a call under way is finished first.
    pub(crate) fn freeze(&self) {
        self.heads.iter().for_each(TryLock::keep);
        self.spilled.keep();
    }

    /// Takes a span back that should not have started: no record is left of it.
    pub(crate) fn cancel(&self, span: SpanRef) {
        // An error says that it is gone already.
        let _ = self.with_state(span, |state| {
            self.release(state);
            Ok(())
        });
        self.forget_spilled(span);
    }

    fn release(&self, state: &mut State) {
        state.live = false;
        state.spill = Vec::new();
        if state.chain.blocks > 0 {
            self.blocks.retire(&state.chain, state.generation);
            self.blocks.give_back(&state.chain);
            state.chain = Chain::default();
        }
    }

    /// Removes an ended span that lived in process memory alone.
    fn forget_spilled(&self, span: SpanRef) {
        if span.index as usize >= self.heads.len()
            && let Some(mut spilled) = self.spilled.lock_bounded()
            && spilled.get(&span.index).is_some_and(|state| !state.live)
        {
            spilled.remove(&span.index);
        }
    }

    #[inline]
    fn with_state<R>(
        &self,
        span: SpanRef,
        use_it: impl FnOnce(&mut State) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let unknown = || Error::UnknownSpan {
            trace_id: String::new(),
            span_id: format!("handle {}.{}", span.index, span.generation),
        };
        if span.epoch != self.epoch {
            return Err(unknown());
        }
        if let Some(head) = self.heads.get(span.index as usize) {
            let mut state = head.lock_bounded().ok_or(Error::Busy)?;
            if !state.live || state.generation != span.generation {
                return Err(unknown());
            }
            return use_it(&mut state);
        }
        let mut spilled = self.spilled.lock_bounded().ok_or(Error::Busy)?;
        use_it(spilled.get_mut(&span.index).filter(|state| state.live).ok_or_else(unknown)?)
    }
}

/// Appends a `Dropped` item if anything was left out.
pub(crate) fn append_dropped(bytes: &mut Vec<u8>, [attributes, events, links]: [u32; 3]) {
    if attributes | events | links == 0 {
        return;
    }
    let mut body = DroppedBody::new_zeroed();
    body.attributes.set(attributes);
    body.events.set(events);
    body.links.set(links);
    let length = u32::try_from(DROPPED_ITEM).unwrap_or(0);
    bytes.extend_from_slice(ItemHeader::new(ItemTag::Dropped.code(), length, 0).as_bytes());
    bytes.extend_from_slice(body.as_bytes());
}
