//! Content: what thread `slot` records as its number `number`, and whether what was read is that.
//!
//! Every value follows from the round's seed, the slot, the kind of call and the number. So each field of each
//! record that is read can be compared with what must be there, and no list of what was recorded is needed.

use super::ledger::SLOTS;
use super::round::mix;
use otlp_mmap_reader::model;
use otlp_mmap_writer::{KeyValue, Value};

/// Longest text that is recorded: longer than a segment, so that it is cut.
const LONGEST: usize = 6000;
/// Letters that texts are taken from.
static LETTERS: [u8; 8192] = letters();
/// Boundaries of each thread's own histogram.
pub(super) const BOUNDARIES: [f64; 4] = [1.0, 2.0, 4.0, 8.5];
/// Of each thread's own exponential histogram.
pub(super) const MAX_BUCKETS: u32 = 8;
pub(super) const MAX_SCALE: i32 = 20;
/// Most updates of a span between its start and its end.
const MOST_UPDATES: u64 = 4;

/// The contents of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    seed: u64,
}

/// What an update does to a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// Sets the attribute `update`.
    Attribute,
    /// Adds an event.
    Event,
    /// Sets the status.
    Status,
    /// Adds a link.
    Link,
}

/// A thread of the process, and the number of what it recorded.
pub(super) type Made = (usize, u64);

const fn letters() -> [u8; 8192] {
    let mut letters = [b'a'; 8192];
    let (mut at, mut state) = (0, 1_u32);
    while at < letters.len() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        letters[at] = b'a' + (state >> 24) as u8 % 26;
        at += 1;
    }
    letters
}

impl Content {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn hash(self, kind: u64, slot: usize, number: u64) -> u64 {
        mix(self.seed ^ mix(kind << 56 | (slot as u64) << 48 | number))
    }

    /// The text of an event: mostly short, sometimes large, seldom longer than a segment.
    pub(super) fn event_text(self, slot: usize, number: u64) -> &'static str {
        let hash = self.hash(1, slot, number);
        let length = match hash % 256 {
            0 => 4200 + hash / 256 % (LONGEST as u64 - 4200),
            1..5 => 600 + hash / 256 % 2400,
            _ => hash / 256 % 60,
        };
        text(hash, length)
    }

    /// Whether the event does not fit into a segment.
    pub(super) fn is_oversized(self, slot: usize, number: u64) -> bool {
        self.event_text(slot, number).len() > 4096
    }

    pub(super) fn span_text(self, slot: usize, number: u64) -> &'static str {
        let hash = self.hash(2, slot, number);
        text(hash, if hash.is_multiple_of(64) { 300 + hash / 64 % 1200 } else { hash / 64 % 60 })
    }

    /// A string for the dictionary.
    pub(super) fn name(self, slot: usize, number: u64, long: bool) -> String {
        let hash = self.hash(3, slot, number);
        format!("name {slot} {number} {}", text(hash, if long { 100 + hash % 300 } else { hash % 30 }))
    }

    /// Updates of a span between its start and its end.
    pub(super) fn updates(self, slot: usize, number: u64) -> u64 {
        self.hash(4, slot, number) % (MOST_UPDATES + 1)
    }

    pub(super) fn update(self, slot: usize, number: u64, update: u64) -> Update {
        match self.hash(5, slot, number * 8 + update) % 4 {
            0 => Update::Attribute,
            1 => Update::Event,
            2 => Update::Status,
            _ => Update::Link,
        }
    }

    /// A measurement of the thread's own histogram.
    pub(super) fn histogram_value(self, slot: usize, number: u64) -> u32 {
        small(self.hash(6, slot, number) % 12)
    }

    /// A measurement of the thread's own exponential histogram: zeros, both signs, and a wide range. A multiple of
    /// 1/8, so that sums are exact.
    pub(super) fn exponential_value(self, slot: usize, number: u64) -> f64 {
        let hash = self.hash(7, slot, number);
        let size = f64::from(small(hash / 16 % 100_000)) / 8.0;
        match hash % 16 {
            0 => 0.0,
            1..6 => -size,
            _ => size,
        }
    }

    /// Checks a record that was read; gives its signal, thread and number.
    pub(super) fn check(self, record: &model::Record) -> Result<(usize, Made), String> {
        match record {
            model::Record::Event(event) => Ok((1, self.check_event(event)?)),
            model::Record::Measurement(exemplar) => Ok((2, check_exemplar(exemplar)?)),
            model::Record::Span(span) => {
                let (slot, number) = made_of(&span.attributes)?;
                self.check_span(span, self.updates(slot, number))?;
                expect("end time", &span.end_time_unix_nano, &Some(number + 2))?;
                Ok((0, (slot, number)))
            }
        }
    }

    fn check_event(self, event: &model::Event) -> Result<Made, String> {
        let (slot, number) = made_of(&event.attributes)?;
        expect("time", &event.time_unix_nano, &(number + 1))?;
        expect("observed time", &event.observed_time_unix_nano, &number)?;
        expect("severity", &u64::from(event.severity_number), &(number % 25))?;
        expect("trace id", &event.trace_id, &trace_id(slot, number))?;
        let name = match find(&event.attributes, "name") {
            Some(model::Value::Int(name)) => {
                let name = name.cast_unsigned();
                // Whether names are long is the round's affair: either is right.
                let texts = [false, true].map(|long| self.name(slot, name, long));
                texts.into_iter().find(|text| **text == *event.event_name)
            }
            _ => (&*event.event_name == "event").then(String::new),
        };
        name.ok_or_else(|| format!("event name {:?}", event.event_name))?;
        expect("body", &event.body, &Some(model::Value::Double(real(number))))?;
        expect("truncated", &event.truncated, &self.is_oversized(slot, number))?;
        check_text(&event.attributes, self.event_text(slot, number), event.truncated)?;
        Ok((slot, number))
    }

    /// Checks a span after so many updates.
    pub(super) fn check_span(self, span: &model::Span, updates: u64) -> Result<Made, String> {
        let (slot, number) = made_of(&span.attributes)?;
        expect("trace id", &span.trace_id, &trace_id(slot, number))?;
        expect("span id", &span.span_id, &span_id(slot, number))?;
        expect("start time", &span.start_time_unix_nano, &(number + 1))?;
        expect("name", &*span.name, "span")?;
        expect("kind", &span.kind, &3)?;
        expect("truncated", &span.truncated, &false)?;
        check_text(&span.attributes, self.span_text(slot, number), false)?;
        let made = (0..updates).map(|update| (update, self.update(slot, number, update)));
        let of = |kind| made.clone().filter(move |(_, made)| *made == kind).map(|(update, _)| update);
        let last = of(Update::Attribute).next_back().map(|update| model::Value::Int(update.cast_signed()));
        expect("update", &find(&span.attributes, "update"), &last.as_ref())?;
        let events: Vec<_> = span.events.iter().map(|event| event.time_unix_nano).collect();
        expect("span events", &events, &of(Update::Event).collect())?;
        let links: Vec<_> = span.links.iter().map(|link| link.span_id).collect();
        expect("links", &links, &of(Update::Link).map(|update| span_id(slot, update)).collect())?;
        let status = of(Update::Status).next_back().map_or(String::new(), |update| update.to_string());
        expect("status", &*span.status_message, &*status)?;
        Ok((slot, number))
    }
}

fn check_exemplar(exemplar: &model::Measurement) -> Result<Made, String> {
    let number = u64::from_be_bytes(exemplar.span_id);
    let (slot, number) = (number >> 32, (number & 0xffff_ffff).wrapping_sub(1));
    let slot = usize::try_from(slot).unwrap_or(SLOTS).wrapping_sub(1);
    expect("trace id", &exemplar.trace_id, &trace_id(slot, number))?;
    expect("time", &exemplar.time_unix_nano, &(number + 1))?;
    expect("value", &exemplar.value, &model::Number::Int(number.cast_signed()))?;
    expect("stream", &*exemplar.stream.name, "exemplars")?;
    expect("series", &thread_of(&exemplar.series_attributes), &Some(slot))?;
    Ok((slot, number))
}

/// The attributes by which everything is told apart.
pub(super) fn attributes(slot: usize, number: u64, text: &str) -> [KeyValue<'_>; 3] {
    [
        KeyValue { key: "thread", value: Value::Int(signed(slot)) },
        KeyValue { key: "number", value: Value::Int(number.cast_signed()) },
        KeyValue { key: "text", value: Value::String(text) },
    ]
}

pub(super) fn trace_id(slot: usize, number: u64) -> [u8; 16] {
    ((slot as u128 + 1) << 64 | u128::from(number)).to_be_bytes()
}

/// Never zero.
pub(super) fn span_id(slot: usize, number: u64) -> [u8; 8] {
    ((slot as u64 + 1) << 32 | (number + 1)).to_be_bytes()
}

/// The thread of which a series is.
pub(super) fn thread_of(attributes: &[model::KeyValue]) -> Option<usize> {
    match find(attributes, "thread") {
        Some(model::Value::Int(slot)) => usize::try_from(*slot).ok().filter(|slot| *slot < SLOTS),
        _ => None,
    }
}

/// The number as a double; numbers are small.
pub(super) fn real(number: u64) -> f64 {
    f64::from(small(number))
}

pub(super) fn signed(slot: usize) -> i64 {
    i64::try_from(slot).unwrap_or(-1)
}

fn made_of(attributes: &[model::KeyValue]) -> Result<Made, String> {
    let number = match find(attributes, "number") {
        Some(model::Value::Int(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    thread_of(attributes).zip(number).ok_or_else(|| format!("attributes {attributes:?}"))
}

fn check_text(attributes: &[model::KeyValue], expected: &str, truncated: bool) -> Result<(), String> {
    match find(attributes, "text") {
        Some(model::Value::String(text)) if text == expected => Ok(()),
        Some(model::Value::String(text)) if truncated && expected.starts_with(&**text) => Ok(()),
        found => Err(format!("text {found:?}, expected {expected:?}")),
    }
}

fn find<'a>(attributes: &'a [model::KeyValue], key: &str) -> Option<&'a model::Value> {
    attributes.iter().find(|attribute| &*attribute.key == key).map(|attribute| &attribute.value)
}

fn expect<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} {found:?}, expected {expected:?}")) }
}

fn text(hash: u64, length: u64) -> &'static str {
    let length = usize::try_from(length).unwrap_or(0).min(LONGEST);
    let start = usize::try_from(hash >> 32).unwrap_or(0) % (LETTERS.len() - length);
    // All of them are ASCII letters.
    std::str::from_utf8(&LETTERS[start..start + length]).unwrap_or_default()
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::MAX_SCALE;

    /// A logarithm is exact enough to tell the buckets of every value of an exponential histogram.
    #[test]
    fn exponential_values_stay_clear_of_boundaries() {
        for eighths in 1_u32..100_000 {
            let position = (f64::from(eighths) / 8.0).log2() * f64::from(MAX_SCALE).exp2();
            let distance = (position - position.round()).abs();
            assert!(distance > 1e-7 || eighths.is_power_of_two() && distance == 0.0, "{eighths} {distance}");
        }
    }
}
