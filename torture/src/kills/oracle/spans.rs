//! Spans in flight: those that had started and not ended, with all that had been added to them.

use super::{Case, overwrites};
use crate::kills::content::thread_of;
use crate::kills::ledger::{Call, Count};
use otlp_mmap_reader::{Counter, Report, Signal, model};
use std::collections::HashSet;

impl Case<'_> {
    /// Compares the list of spans in flight; gives how many there are.
    pub(super) fn check_spans_in_flight(&mut self) -> u64 {
        let mut report = Report::default();
        let spans = match self.recording.spans_in_flight(&mut report) {
            Ok(spans) => spans,
            Err(error) => {
                self.breaches.push(error.to_string());
                return 0;
            }
        };
        self.check(report.is_clean(), || format!("spans in flight: {:?}", report.faults));
        let mut listed = HashSet::new();
        let mut counted = 0;
        for span in &spans {
            match self.check_span_in_flight(span) {
                Ok(made) => {
                    let is_new = listed.insert(made);
                    self.check(is_new, || format!("span {made:?} is in flight twice"));
                    // A mark comes before its count.
                    let is_counted = span.spilled && !self.ledger.slot(made.0).updates(made.1).under_way;
                    counted += u64::from(is_counted);
                }
                Err(breach) => self.breaches.push(format!("span in flight: {breach}")),
            }
        }
        let must = self.slots.clone().flat_map(|slot| {
            // The oldest may be ending.
            let ended = self.count(slot, Call::End).most();
            (ended..self.count(slot, Call::Start).returned).map(move |number| (slot, number))
        });
        let missing: Vec<_> = must.filter(|made| !listed.contains(made)).collect();
        let spilled = self.losses.signal(Signal::Spans).counter(Counter::Spilled);
        self.check(counted <= spilled, || format!("{counted} spans say that they spilled, {spilled} count"));
        // Those that are listed are none of the missing.
        let unlisted = spilled.saturating_sub(counted);
        let unseen = missing.len() as u64;
        self.check(unseen <= unlisted, || {
            format!("not listed as in flight: {missing:?}, {spilled} are spilled, {counted} of them listed")
        });
        self.check_ending(&listed, unlisted.saturating_sub(unseen));
        let is_small = self.round.active_blocks < 100;
        self.check(is_small || spilled == 0, || format!("{spilled} spans are spilled"));
        spans.len() as u64
    }

    /// A span whose end was cut off is in flight, or it has ended: there is no instant between the two. Unless its end
    /// is refused: then it is gone, and counted a moment later (SPEC "Counters"). `unlisted` of them at most were in the
    /// process's memory.
    fn check_ending(&mut self, listed: &HashSet<(usize, u64)>, unlisted: u64) {
        if !overwrites(&self.round) && !self.round.keeps_everything() {
            return;
        }
        let ending = |slot: &usize| {
            let (end, start) = (self.count(*slot, Call::End), self.count(*slot, Call::Start));
            let is_refused = self.ledger.slot(*slot).is_refused_end(end.returned);
            let is_listed = listed.contains(&(*slot, end.returned));
            end.under_way && end.returned < start.returned && !is_refused && !is_listed
        };
        let ended = self.slots.clone().filter(ending).count() as u64;
        let recorded = self.losses.signal(Signal::Spans).recorded;
        let recorded = recorded.saturating_sub(*self.expected_records(Signal::Spans).start());
        let lost = self.lost_spans;
        self.check(ended <= recorded + lost + unlisted, || {
            format!(
                "{ended} spans that were ending are not in flight, {recorded} are recorded, {lost} lost and \
                 {unlisted} spilled"
            )
        });
    }

    fn check_span_in_flight(&self, span: &model::Span) -> Result<(usize, u64), String> {
        let slot = thread_of(&span.attributes).filter(|slot| self.slots.contains(slot));
        let slot = slot.ok_or_else(|| format!("{:?}", span.attributes))?;
        let number = span.start_time_unix_nano.wrapping_sub(1);
        let (started, ended) = (self.count(slot, Call::Start), self.count(slot, Call::End));
        if !(ended.returned..started.most()).contains(&number) {
            return Err(format!("thread {slot} number {number}: {ended:?} ended, {started:?} started"));
        }
        // What a spilled span was given later is in the process's memory.
        let updates = self.ledger.slot(slot).updates(number);
        let least = if span.spilled { 0 } else { updates.returned };
        check_updates(self, span, least, updates)
    }
}

fn check_updates(
    case: &Case<'_>,
    span: &model::Span,
    least: u64,
    updates: Count,
) -> Result<(usize, u64), String> {
    let mut checked = Err(String::new());
    for updates in least..=updates.most() {
        checked = case.content.check_span(span, updates);
        if checked.is_ok() {
            break;
        }
    }
    checked.map_err(|breach| format!("{updates:?}: {breach}"))
}
