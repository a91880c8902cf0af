//! Ledger: what happened, in memory that outlives the killed process.
//!
//! An anonymous mapping that a worker shares with the children it forks. The killed process enters each call before
//! and after it; the consumers enter what they were given and what they acknowledged. All of it is atomic words:
//! a kill between two stores leaves a call "under way", never a wrong count.

use super::round::{MAX_THREADS, WORDS as BITMAP};
use super::shared::Shared;
use otlp_mmap_reader::{Counter, Signal};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Threads of the killed process, and the one of the process that it forked.
pub(super) const SLOTS: usize = MAX_THREADS + 1;
/// The slot of the process that the killed one forked.
pub(super) const FORKED: usize = MAX_THREADS;
/// Spans whose updates are counted at a time; a thread has fewer in flight.
pub(super) const RING: u64 = 8;
/// Acknowledgements that the ledger has room for; a consumer stops acknowledging there.
pub(super) const MAX_ACKNOWLEDGEMENTS: usize = 6144;

/// Words of a slot: calls, refusals by signal and counter, updates by span, spans whose end was refused.
const CALLS: usize = 0;
const REFUSALS: usize = 16;
const UPDATES: usize = 64;
const REFUSED_ENDS: usize = 72;
const SLOT: usize = REFUSED_ENDS + BITMAP;

/// Words for all: flags, then the slots, what was delivered, and the acknowledgements.
const ATTACHED: usize = 0;
const RECORDING: usize = 1;
const HAS_FORKED: usize = 2;
const ACKNOWLEDGED: usize = 3;
const FIRST_SLOT: usize = 8;
const DELIVERED: usize = FIRST_SLOT + SLOTS * SLOT;
const LOG: usize = DELIVERED + SLOTS * 3 * BITMAP;
const WORDS: usize = LOG + MAX_ACKNOWLEDGEMENTS * 2;

/// The calls that are counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Event,
    Start,
    End,
    Exemplar,
    Sum,
    SharedSum,
    Histogram,
    SharedHistogram,
    Exponential,
    Gauge,
    Name,
    Update,
}

impl Call {
    pub(super) const ALL: [Self; 12] = [
        Self::Event,
        Self::Start,
        Self::End,
        Self::Exemplar,
        Self::Sum,
        Self::SharedSum,
        Self::Histogram,
        Self::SharedHistogram,
        Self::Exponential,
        Self::Gauge,
        Self::Name,
        Self::Update,
    ];

    /// Where the writer counts a refusal of the call.
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Start | Self::End | Self::Update => Signal::Spans,
            Self::Event | Self::Name => Signal::Events,
            _ => Signal::Measurements,
        }
    }
}

/// Calls of one kind that returned, and whether one more was under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) returned: u64,
    pub(super) under_way: bool,
}

impl Count {
    fn of(word: u64) -> Self {
        Self { returned: word / 2, under_way: word % 2 == 1 }
    }

    /// How many may have happened at most.
    pub(super) fn most(self) -> u64 {
        self.returned + u64::from(self.under_way)
    }

    pub(super) fn allows(self, found: u64) -> bool {
        (self.returned..=self.most()).contains(&found)
    }
}

/// An acknowledgement as it was tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledgement {
    pub(super) signal: usize,
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) records: u32,
    /// `None`: its consumer was killed before it entered the answer.
    pub(super) succeeded: Option<bool>,
}

/// The shared words.
pub(super) struct Ledger {
    shared: Shared,
}

/// One thread's part.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    words: &'a [AtomicU64],
}

impl Ledger {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { shared: Shared::new(WORDS)? })
    }

    fn words(&self) -> &[AtomicU64] {
        self.shared.words()
    }

    /// Forgets everything; no other process may use it meanwhile.
    pub(super) fn clear(&self) {
        self.words().iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    pub(super) fn slot(&self, slot: usize) -> Slot<'_> {
        Slot { words: &self.words()[FIRST_SLOT + slot * SLOT..][..SLOT] }
    }

    /// The consumers look on: who waits for them may begin.
    pub(super) fn attach(&self) {
        self.words()[ATTACHED].store(1, Ordering::Release);
    }

    pub(super) fn is_attached(&self) -> bool {
        self.words()[ATTACHED].load(Ordering::Acquire) != 0
    }

    /// A thread begins to record.
    pub(super) fn begin_recording(&self) {
        self.words()[RECORDING].fetch_add(1, Ordering::Release);
    }

    /// Threads that have begun to record.
    pub(super) fn recording(&self) -> u64 {
        self.words()[RECORDING].load(Ordering::Acquire)
    }

    /// The process forks; `false`: it has before.
    pub(super) fn fork(&self) -> bool {
        self.words()[HAS_FORKED].swap(1, Ordering::AcqRel) == 0
    }

    /// The exporter delivers a record; that it was delivered before is fine.
    pub(super) fn deliver(&self, signal: usize, slot: usize, number: u64) {
        set(&self.words()[DELIVERED + (signal * SLOTS + slot) * BITMAP..], number);
    }

    pub(super) fn is_delivered(&self, signal: usize, slot: usize, number: u64) -> bool {
        is_set(&self.words()[DELIVERED + (signal * SLOTS + slot) * BITMAP..], number)
    }

    /// Enters an acknowledgement with `acknowledge`'s answer; `None`: without room it is not made.
    pub(super) fn acknowledge(
        &self,
        new: Acknowledgement,
        acknowledge: impl FnOnce() -> bool,
    ) -> Option<bool> {
        let count = self.words()[ACKNOWLEDGED].load(Ordering::Relaxed);
        let at = usize::try_from(count).ok().filter(|at| *at < MAX_ACKNOWLEDGEMENTS)?;
        let [first, second] = [LOG + at * 2, LOG + at * 2 + 1].map(|word| &self.words()[word]);
        first.store(
            (new.signal as u64) << 56 | u64::from(new.slot) << 32 | u64::from(new.generation),
            Ordering::Relaxed,
        );
        let unanswered = u64::from(new.records) << 2;
        second.store(unanswered, Ordering::Relaxed);
        self.words()[ACKNOWLEDGED].store(count + 1, Ordering::Release);
        let succeeded = acknowledge();
        second.store(unanswered | if succeeded { 1 } else { 2 }, Ordering::Release);
        Some(succeeded)
    }

    /// Whether the same records were acknowledged before.
    pub(super) fn is_acknowledged(&self, new: Acknowledgement) -> bool {
        let place = |one: &Acknowledgement| (one.signal, one.slot, one.generation);
        self.acknowledgements()
            .filter(|one| one.succeeded == Some(true) && place(one) == place(&new))
            .any(|one| one.records >= new.records)
    }

    /// Calls under way of these threads: those that a kill cuts off.
    pub(super) fn under_way(&self, slots: Range<usize>) -> u64 {
        let of =
            |slot| Call::ALL.iter().filter(|&&call| self.slot(slot).count(call).under_way).count() as u64;
        slots.map(of).sum()
    }

    /// Every acknowledgement that was tried, in order.
    pub(super) fn acknowledgements(&self) -> impl Iterator<Item = Acknowledgement> + '_ {
        let count = usize::try_from(self.words()[ACKNOWLEDGED].load(Ordering::Acquire)).unwrap_or(0);
        let log = &self.words()[LOG..LOG + count.min(MAX_ACKNOWLEDGEMENTS) * 2];
        log.as_chunks::<2>().0.iter().map(|pair| {
            let [first, second] = pair.each_ref().map(|word| word.load(Ordering::Acquire));
            Acknowledgement {
                signal: usize::try_from(first >> 56).unwrap_or(0),
                slot: low(first >> 32 & 0xff_ffff),
                generation: low(first),
                records: low(second >> 2),
                succeeded: match second & 3 {
                    1 => Some(true),
                    2 => Some(false),
                    _ => None,
                },
            }
        })
    }
}

impl Slot<'_> {
    fn call(&self, call: Call) -> &AtomicU64 {
        &self.words[CALLS + call as usize]
    }

    fn refusal(&self, signal: Signal, counter: Counter) -> &AtomicU64 {
        &self.words[REFUSALS + (signal as usize - 1) * 16 + counter as usize]
    }

    fn update(&self, span: u64) -> &AtomicU64 {
        &self.words[UPDATES..][usize::try_from(span % RING).unwrap_or(0)]
    }

    /// A call begins.
    pub(super) fn begin(&self, call: Call) {
        self.call(call).fetch_or(1, Ordering::Release);
    }

    /// The call has returned and recorded.
    pub(super) fn returned(&self, call: Call) {
        let word = self.call(call);
        word.store((word.load(Ordering::Relaxed) | 1) + 1, Ordering::Release);
    }

    /// The call has returned without recording.
    pub(super) fn refused(&self, call: Call, counter: Counter) {
        self.refusal(call.signal(), counter).fetch_add(1, Ordering::Release);
        self.call(call).fetch_and(!1, Ordering::Release);
    }

    /// The end of a span was refused, and the span is gone: that counts as an end.
    pub(super) fn refused_end(&self, span: u64, counter: Counter) {
        set(&self.words[REFUSED_ENDS..], span);
        self.refusal(Signal::Spans, counter).fetch_add(1, Ordering::Release);
        self.returned(Call::End);
    }

    pub(super) fn is_refused_end(&self, span: u64) -> bool {
        is_set(&self.words[REFUSED_ENDS..], span)
    }

    /// Spans whose end was refused.
    pub(super) fn refused_ends(&self) -> u64 {
        let words = &self.words[REFUSED_ENDS..REFUSED_ENDS + BITMAP];
        words.iter().map(|word| u64::from(word.load(Ordering::Acquire).count_ones())).sum()
    }

    /// No update of a new span has begun.
    pub(super) fn reset_updates(&self, span: u64) {
        self.update(span).store(0, Ordering::Release);
    }

    pub(super) fn begin_update(&self, span: u64) {
        self.update(span).fetch_or(1, Ordering::Release);
    }

    /// The update of a span has returned; `done`: it is recorded.
    pub(super) fn end_update(&self, span: u64, done: bool) {
        let word = self.update(span);
        let begun = word.load(Ordering::Relaxed) | 1;
        word.store(if done { begun + 1 } else { begun - 1 }, Ordering::Release);
    }

    pub(super) fn updates(&self, span: u64) -> Count {
        Count::of(self.update(span).load(Ordering::Acquire))
    }

    pub(super) fn count(&self, call: Call) -> Count {
        Count::of(self.call(call).load(Ordering::Acquire))
    }

    pub(super) fn refusals(&self, signal: Signal, counter: Counter) -> u64 {
        self.refusal(signal, counter).load(Ordering::Acquire)
    }

    /// Whether a call is under way that counts its refusal under `signal`.
    pub(super) fn is_under_way(&self, signal: Signal) -> bool {
        Call::ALL.iter().any(|&call| call.signal() == signal && self.count(call).under_way)
    }
}

fn set(bitmap: &[AtomicU64], number: u64) {
    if let Some(word) = word_of(bitmap, number) {
        word.fetch_or(1 << (number % 64), Ordering::Release);
    }
}

fn is_set(bitmap: &[AtomicU64], number: u64) -> bool {
    word_of(bitmap, number).is_some_and(|word| word.load(Ordering::Acquire) >> (number % 64) & 1 == 1)
}

fn word_of(bitmap: &[AtomicU64], number: u64) -> Option<&AtomicU64> {
    bitmap[..BITMAP].get(usize::try_from(number / 64).ok()?)
}

fn low(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(0)
}
