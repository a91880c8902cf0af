//! Oracle: compares a recording with the ledger of what had returned.
//!
//! The process is dead, or every thread of it is stopped; so ledger and file stand still, and each thread has one
//! call under way at most. Only that call is allowed to be either way; everything else must be exact.

mod series;
mod spans;

use super::consumers::{Watcher, check_report};
use super::content::Content;
use super::ledger::{Call, Count, Ledger, MAX_ACKNOWLEDGEMENTS};
use super::numbers::Numbers;
use super::round::{Policy, Round};
use otlp_mmap_reader::{Batch, Counter, Losses, Recording, Signal};
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

/// A recording, and what there is to compare it with.
pub(super) struct Case<'a> {
    round: Round,
    ledger: &'a Ledger,
    content: Content,
    /// The threads that recorded into it.
    slots: Range<usize>,
    /// Whether consumers looked on.
    is_consumed: bool,
    recording: Recording,
    losses: Losses,
    /// What is in the file.
    present: Numbers,
    /// Losses of spans that are counted and had not returned.
    lost_spans: u64,
    /// Generation of each segment in use.
    generations: HashMap<(usize, u32), u32>,
    /// What is wrong.
    pub(super) breaches: Vec<String>,
}

/// What a recording came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) recorded: u64,
    pub(super) present: u64,
    pub(super) overwritten: u64,
    pub(super) refused: u64,
    pub(super) busy: u64,
    pub(super) in_flight: u64,
}

impl<'a> Case<'a> {
    /// Reads the recording.
    pub(super) fn open(
        round: Round,
        ledger: &'a Ledger,
        path: &Path,
        slots: Range<usize>,
        is_consumed: bool,
    ) -> Result<Self, String> {
        let recording = Recording::open(path).map_err(|error| error.to_string())?;
        let report = recording.verify().map_err(|error| error.to_string())?;
        let losses = recording.losses().map_err(|error| error.to_string())?;
        let mut case = Self {
            content: Content::new(round.seed),
            round,
            ledger,
            slots,
            is_consumed,
            losses,
            present: Numbers::new(),
            lost_spans: 0,
            generations: HashMap::new(),
            breaches: Vec::new(),
            recording,
        };
        if let Some(fault) = report.faults.first() {
            case.breaches.push(format!("verify: {} faults, first: {fault}", report.fault_count()));
        }
        let batch = case.recording.observe().poll().map_err(|error| error.to_string())?;
        case.take(&batch);
        Ok(case)
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Compares everything.
    pub(super) fn examine(&mut self) -> Found {
        self.check_numbers();
        for &(signal, _) in Signal::ALL {
            self.check_records(signal);
            self.check_counters(signal);
        }
        self.check_kept();
        self.check_series();
        Found {
            in_flight: self.check_spans_in_flight(),
            present: (0..3).map(|signal| self.present.count(signal)).sum(),
            recorded: self.losses.signals.iter().map(|signal| signal.recorded).sum(),
            overwritten: self.losses.signals.iter().map(|signal| signal.overwritten).sum(),
            refused: self.refusals(|_| true),
            busy: self.refusals(|counter| counter == Counter::Busy),
        }
    }

    fn refusals(&self, which: impl Fn(Counter) -> bool) -> u64 {
        let losses = self.losses.counters().filter(|(_, counter, _)| counter.is_loss() && which(*counter));
        losses.map(|(_, _, value)| value).sum()
    }

    fn check(&mut self, holds: bool, breach: impl FnOnce() -> String) {
        if !holds {
            self.breaches.push(breach());
        }
    }

    fn count(&self, slot: usize, call: Call) -> Count {
        self.ledger.slot(slot).count(call)
    }

    /// How often a call of all threads must have, and may have, recorded.
    fn total(&self, call: Call) -> RangeInclusive<u64> {
        let counts = || self.slots.clone().map(|slot| self.count(slot, call));
        counts().map(|count| count.returned).sum()..=counts().map(Count::most).sum()
    }

    /// Takes what is in the file. Each record is whole, and the only one with its number; within a segment the
    /// records are numbered without a gap, and those of a thread stand in their order.
    fn take(&mut self, batch: &Batch) {
        if let Err(breach) = check_report(batch) {
            self.breaches.push(breach);
        }
        let mut found = Vec::with_capacity(batch.records.len());
        for record in &batch.records {
            match self.content.check(record) {
                Ok((signal, made)) => found.push((signal, record.position(), made)),
                Err(breach) => self.breaches.push(format!("{breach} in {:?}", record.position())),
            }
        }
        found.sort_unstable_by_key(|(signal, position, _)| (*signal, position.segment, position.sequence));
        let mut latest: HashMap<(usize, u32, usize), u64> = HashMap::new();
        for pair in found.windows(2) {
            let [(signal, one, _), (next_signal, next, _)] = pair else { continue };
            let is_same = signal == next_signal && one.segment == next.segment;
            self.check(!is_same || one.sequence + 1 == next.sequence, || {
                format!("a gap between {one:?} and {next:?}")
            });
        }
        for (signal, position, (slot, number)) in found {
            let is_new = self.present.insert(signal, (slot, number));
            self.check(is_new, || format!("signal {signal} thread {slot} number {number} is there twice"));
            let before = latest.insert((signal, position.segment, slot), number);
            self.check(before.is_none_or(|before| before < number), || {
                format!("signal {signal} thread {slot}: {number} stands behind {before:?}")
            });
        }
        for progress in &batch.progress {
            self.generations.insert((progress.signal as usize - 1, progress.segment), progress.generation);
        }
    }

    /// Nothing is there that no call recorded.
    fn check_numbers(&mut self) {
        let (ledger, slots) = (self.ledger, self.slots.clone());
        let is_allowed = |signal: usize, slot: usize, number: u64| {
            let call = [Call::End, Call::Event, Call::Exemplar][signal];
            let of_thread = ledger.slot(slot);
            let count = of_thread.count(call);
            let refused = signal == 0 && of_thread.is_refused_end(number);
            slots.contains(&slot) && number < count.most() && (!refused || number >= count.returned)
        };
        let wrong = self.present.iter().find(|&(signal, (slot, number))| !is_allowed(signal, slot, number));
        self.check(wrong.is_none(), || format!("{wrong:?} is there, and no call recorded it"));
    }

    /// What was recorded is in the file, overwritten and counted, or acknowledged.
    fn check_records(&mut self, signal: Signal) {
        let at = signal as usize - 1;
        let (recorded, overwritten) = {
            let losses = self.losses.signal(signal);
            (losses.recorded, losses.overwritten)
        };
        let expected = self.expected_records(signal);
        self.check(expected.contains(&recorded), || {
            format!("{signal:?}: {recorded} recorded, {expected:?} had returned")
        });
        let present = self.present.count(at);
        let gone = self.acknowledged_and_gone(at);
        let rest = recorded.checked_sub(present + overwritten);
        self.check(rest.is_some_and(|rest| gone.contains(&rest)), || {
            format!(
                "{signal:?}: {recorded} recorded, {present} present, {overwritten} overwritten, {gone:?} \
                 acknowledged and gone"
            )
        });
        self.check(overwritten == 0 || overwrites(&self.round), || {
            format!("{signal:?}: {overwritten} overwritten")
        });
    }

    fn expected_records(&self, signal: Signal) -> RangeInclusive<u64> {
        match signal {
            Signal::Events => self.total(Call::Event),
            Signal::Measurements => {
                let lost = self.losses.signal(signal).counter(Counter::ExemplarLost);
                let made = self.total(Call::Exemplar);
                made.start().saturating_sub(lost)..=made.end().saturating_sub(lost)
            }
            Signal::Spans => {
                let (mut least, mut most) = (0, 0);
                for slot in self.slots.clone() {
                    let (of_thread, count) = (self.ledger.slot(slot), self.count(slot, Call::End));
                    let refused = of_thread.refused_ends();
                    let now = count.under_way && of_thread.is_refused_end(count.returned);
                    let before = count.returned - (refused - u64::from(now));
                    least += before;
                    most += before + u64::from(count.under_way && !now);
                }
                least..=most
            }
        }
    }

    /// Records that were acknowledged before their segment was recycled.
    fn acknowledged_and_gone(&self, signal: usize) -> RangeInclusive<u64> {
        let mut of_generation: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
        let tried = self.is_consumed.then(|| self.ledger.acknowledgements()).into_iter().flatten();
        for one in tried.filter(|one| one.signal == signal && one.succeeded != Some(false)) {
            let (least, most) = of_generation.entry((one.slot, one.generation)).or_default();
            *most = one.records.max(*most);
            if one.succeeded == Some(true) {
                *least = one.records.max(*least);
            }
        }
        let gone = of_generation.iter().filter(|((slot, generation), _)| {
            self.generations.get(&(signal, *slot)).is_some_and(|present| present != generation)
        });
        let (mut least, mut most) = (0, 0);
        for (_, counts) in gone {
            least += u64::from(counts.0);
            most += u64::from(counts.1);
        }
        least..=most
    }

    /// Every refusal is counted under its reason, but for one that a thread was in the middle of.
    fn check_counters(&mut self, signal: Signal) {
        let slots = || self.slots.clone().map(|slot| self.ledger.slot(slot));
        let under_way = slots().filter(|slot| slot.is_under_way(signal)).count() as u64;
        let mut excess = 0;
        let mut wrong = Vec::new();
        for &(counter, counted) in &self.losses.signal(signal).counters {
            if !counter.is_loss() || counter == Counter::ExemplarLost {
                continue;
            }
            let refused: u64 = slots().map(|slot| slot.refusals(signal, counter)).sum();
            if counted < refused {
                wrong.push(format!("{signal:?}: {counter:?} is {counted}, {refused} refusals had returned"));
            }
            excess += counted.saturating_sub(refused);
        }
        self.breaches.extend(wrong);
        if signal == Signal::Spans {
            self.lost_spans = excess;
        }
        self.check(excess <= under_way, || {
            format!("{signal:?}: {excess} losses more than refusals, {under_way} calls under way")
        });
    }

    /// Counters of what was kept but changed, and what must not have happened.
    fn check_kept(&mut self) {
        let (content, ledger) = (self.content, self.ledger);
        let (mut least, mut most) = (0, 0);
        for slot in self.slots.clone() {
            let count = ledger.slot(slot).count(Call::Event);
            let of_thread = (0..count.returned).filter(|&number| content.is_oversized(slot, number)).count();
            least += of_thread as u64;
            most +=
                of_thread as u64 + u64::from(count.under_way && content.is_oversized(slot, count.returned));
        }
        let truncated = self.losses.signal(Signal::Events).counter(Counter::Truncated);
        self.check((least..=most).contains(&truncated), || {
            format!("{truncated} events count as truncated, expected {least} to {most}")
        });
        if self.round.keeps_everything() && self.is_consumed {
            let lost = self.refusals(|counter| !matches!(counter, Counter::Busy | Counter::Closed));
            self.check(lost == 0, || format!("{lost} lost under Block"));
        }
    }

    /// The observer got each record once, or counted it as missed.
    pub(super) fn check_watcher(&mut self, watcher: &Watcher, from_the_start: bool) {
        for &(signal, _) in Signal::ALL {
            let at = signal as usize - 1;
            let recorded = self.losses.signal(signal).recorded;
            let (seen, missed) = (watcher.seen.count(at), watcher.missed[at]);
            let is_exact = if from_the_start { seen + missed == recorded } else { seen + missed <= recorded };
            self.check(is_exact, || {
                format!("observer, {signal:?}: {seen} seen, {missed} missed, {recorded} recorded")
            });
        }
        let unseen = self.present.iter().find(|&(signal, made)| !watcher.seen.contains(signal, made));
        self.check(unseen.is_none(), || format!("observer: {unseen:?} is there and was never seen"));
    }

    /// What is in the file, and under a policy that overwrites nothing all that returned, was delivered once at
    /// least; a new exporter finds nothing left.
    pub(super) fn check_delivered(&mut self) {
        let ledger = self.ledger;
        let here = self.present.iter().find(|&(at, (slot, number))| !ledger.is_delivered(at, slot, number));
        self.check(here.is_none(), || format!("exporter: {here:?} is there and was not delivered"));
        if !overwrites(&self.round) {
            for slot in self.slots.clone() {
                let of_thread = ledger.slot(slot);
                let count = |call| 0..of_thread.count(call).returned;
                let event = count(Call::Event).find(|&number| !ledger.is_delivered(1, slot, number));
                let is_lost =
                    |&span: &u64| !of_thread.is_refused_end(span) && !ledger.is_delivered(0, slot, span);
                let span = count(Call::End).find(is_lost);
                self.check(event.is_none() && span.is_none(), || {
                    format!("exporter: thread {slot}: event {event:?} span {span:?} was never delivered")
                });
            }
        }
        if ledger.acknowledgements().count() == MAX_ACKNOWLEDGEMENTS {
            return;
        }
        match self.recording.observe_unacknowledged().poll() {
            Ok(batch) => self.check(batch.records.is_empty(), || {
                format!("exporter: {} records are left after the last acknowledgement", batch.records.len())
            }),
            Err(error) => self.breaches.push(error.to_string()),
        }
    }
}

fn overwrites(round: &Round) -> bool {
    round.policy == Policy::OverwriteOldest
}
