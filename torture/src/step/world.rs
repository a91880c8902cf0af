//! World: what a reader must find, and the comparison with what it does find.
//!
//! A call takes a recording from one legal world to another, over a few more in between: those that SPEC section 11
//! allows a kill to leave (a sum whose time is stored and whose value is not, a segment recycled and its first record
//! missing, a loss that is not counted yet). They come in order, so a world that was left never returns.

use crate::step::call::LAST_TIME;
use crate::step::look::Seen;
use otlp_mmap_format::{COUNTER_SLOTS, Counter, Signal};
use otlp_mmap_reader::Liveness;
use otlp_mmap_reader::model::{Event, KeyValue, Measurement, Position, Series, Span, Value};
use std::fmt::Debug;

/// All that ever was recorded, and what is in flight.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) closed: bool,
    pub(crate) spans: Vec<Span>,
    pub(crate) events: Vec<Event>,
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) in_flight: Vec<Span>,
    pub(crate) series: Vec<Series>,
    pub(crate) counters: [[u64; COUNTER_SLOTS]; 3],
}

/// What is compared of a record: where it stands is not, and what was cut may have any length.
pub(crate) trait Comparable: Clone + PartialEq + Debug {
    /// `self` as a reader found it, in the terms of what was expected.
    fn in_terms_of(&self, expected: &Self) -> Self;
}

impl World {
    /// A world with one more of a counter.
    pub(crate) fn counted(mut self, signal: Signal, counter: Counter, amount: u64) -> Self {
        self.counters[signal as usize - 1][counter as usize] += amount;
        self
    }

    /// Whether this is the world that a reader saw; if not, the first difference.
    pub(crate) fn explains(&self, seen: &Seen) -> Result<(), String> {
        let closed = matches!(seen.liveness, Liveness::Closed { .. });
        if closed != self.closed {
            return Err(format!("the writer is {:?}, expected closed: {}", seen.liveness, self.closed));
        }
        let snapshot = &seen.snapshot;
        let recorded = |signal| seen.recorded(signal);
        newest("spans", &self.spans, &snapshot.spans, recorded(Signal::Spans))?;
        newest("events", &self.events, &snapshot.events, recorded(Signal::Events))?;
        newest("measurements", &self.measurements, &snapshot.measurements, recorded(Signal::Measurements))?;
        same("spans in flight", &self.in_flight, &snapshot.spans_in_flight)?;
        let mut series = snapshot.series.clone();
        series.sort_by_key(|series| order(&self.series, series));
        same("series", &self.series, &series)?;
        for (signal, counter, found) in snapshot.losses.counters() {
            let expected = self.counters[signal as usize - 1][counter as usize];
            if found != expected {
                return Err(format!("{signal:?} count {found} {counter:?}, expected {expected}"));
            }
        }
        Ok(())
    }
}

/// Series come in the order in which their streams and attributes lie in the file; scenarios have few.
fn order(expected: &[Series], series: &Series) -> usize {
    let same = |one: &Series| one.stream.name == series.stream.name && one.attributes == series.attributes;
    expected.iter().position(same).unwrap_or(usize::MAX)
}

/// All that was recorded is there but what was recycled: the oldest.
fn newest<T: Comparable>(what: &str, all: &[T], present: &[T], recorded: u64) -> Result<(), String> {
    if recorded != all.len() as u64 {
        return Err(format!("{recorded} {what} were recorded, expected {}", all.len()));
    }
    let Some(gone) = all.len().checked_sub(present.len()) else {
        return Err(format!("{} {what} are present, expected at most {}", present.len(), all.len()));
    };
    same(what, &all[gone..], present)
}

fn same<T: Comparable>(what: &str, expected: &[T], found: &[T]) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("{} {what}, expected {}", found.len(), expected.len()));
    }
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        let found = found.in_terms_of(expected);
        if found != *expected {
            return Err(format!("{what}, number {at}: {}", difference(&found, expected)));
        }
    }
    Ok(())
}

/// Where two values differ, with what stands around it.
pub(crate) fn difference<T: Debug>(found: &T, expected: &T) -> String {
    const BEFORE: usize = 200;
    const BEHIND: usize = 100;
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    let at = found.chars().zip(expected.chars()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| -> String {
        let start = at.saturating_sub(BEFORE);
        text.chars().skip(start).take(at - start + BEHIND).collect()
    };
    format!("found\n    …{}…\n  expected\n    …{}…", part(&found), part(&expected))
}

/// A status message of so many bytes may be cut.
const LONG: usize = 1_000;
const NOWHERE: Position = Position { segment: 0, sequence: 0, offset: 0 };

impl Comparable for Span {
    fn in_terms_of(&self, expected: &Self) -> Self {
        let attributes = whole(&self.attributes, &expected.attributes);
        let mut span = Self { position: NOWHERE, attributes, ..self.clone() };
        for (event, expected) in span.events.iter_mut().zip(&expected.events) {
            event.attributes = whole(&event.attributes, &expected.attributes);
        }
        let is_long = expected.status_message.len() > LONG && span.status_message.len() > 16;
        if is_long && expected.status_message.starts_with(&*span.status_message) {
            span.status_message = expected.status_message.clone();
        }
        span
    }
}

impl Comparable for Event {
    fn in_terms_of(&self, expected: &Self) -> Self {
        let attributes = whole(&self.attributes, &expected.attributes);
        Self { position: NOWHERE, attributes, ..self.clone() }
    }
}

impl Comparable for Measurement {
    fn in_terms_of(&self, _: &Self) -> Self {
        Self { position: NOWHERE, series: (0, 0), ..self.clone() }
    }
}

impl Comparable for Series {
    fn in_terms_of(&self, _: &Self) -> Self {
        let series = (0, 0);
        Self { series, start_time_unix_nano: 0, exemplars: Vec::new(), ..without_clock(self.clone()) }
    }
}

/// A value without a time is given the time of reading (SPEC 14), which no scenario records.
pub(crate) fn without_clock(series: Series) -> Series {
    let recorded = series.time_unix_nano < LAST_TIME;
    Series { time_unix_nano: if recorded { series.time_unix_nano } else { 0 }, ..series }
}

/// Attributes with those made whole that were cut, if cutting was expected and what is left is a beginning.
fn whole(found: &[KeyValue], expected: &[KeyValue]) -> Vec<KeyValue> {
    let expected_of = |key: &str| expected.iter().find(|attribute| &*attribute.key == key);
    let make_whole = |found: &KeyValue| match (&found.value, expected_of(&found.key)) {
        (
            Value::String(kept),
            Some(expected @ KeyValue { value: Value::String(text), truncated: true, .. }),
        ) if found.truncated && kept.len() > 16 && text.starts_with(&**kept) => expected.clone(),
        _ => found.clone(),
    };
    found.iter().map(make_whole).collect()
}
