//! What is read of a recording, one thing after another, and how two readings differ.

use super::compare::{is_what_is_left, is_what_is_left_of_series, signal, without_position};
use super::map::Key;
use otlp_mmap_reader::Snapshot;
use otlp_mmap_reader::model::{Record, Series, Span};
use std::collections::BTreeMap;

/// One thing that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Record(Record),
    InFlight(Box<Span>),
    /// Without its exemplars, which are records.
    Series(Box<Series>),
    Number(u64),
}

/// Everything that was read.
pub(super) type Found = BTreeMap<Key, Value>;

/// How a thing differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Lost,
    Added,
    /// Another sequence number.
    Moved,
    /// Names, scopes or keys are missing.
    Less,
    Other,
}

/// Takes a snapshot apart.
pub(super) fn found(snapshot: Snapshot) -> Found {
    let mut found = Found::new();
    let spans = snapshot.spans.into_iter().map(|span| Record::Span(span.into()));
    let events = snapshot.events.into_iter().map(|event| Record::Event(event.into()));
    let measurements = snapshot.measurements.into_iter().map(|one| Record::Measurement(one.into()));
    for record in spans.chain(events).chain(measurements) {
        let key = Key::Record(signal(&record).code(), record.position().offset);
        found.insert(key, Value::Record(record));
    }
    for span in snapshot.spans_in_flight {
        found.insert(Key::InFlight(span.position.segment), Value::InFlight(span.into()));
    }
    for series in snapshot.series {
        let key = Key::Series(series.series.0, series.series.1);
        found.insert(key, Value::Series(Series { exemplars: Vec::new(), ..series }.into()));
    }
    for losses in snapshot.losses.signals {
        let code = losses.signal.code();
        found.insert(Key::Recorded(code), Value::Number(losses.recorded));
        found.insert(Key::Overwritten(code), Value::Number(losses.overwritten));
        for (counter, value) in losses.counters {
            found.insert(Key::Counter(code, counter.code()), Value::Number(value));
        }
    }
    found
}

/// Where two readings differ.
pub(super) fn differences(before: &Found, after: &Found) -> Vec<(Key, Change)> {
    let lost = before.keys().filter(|key| !after.contains_key(key)).map(|key| (*key, Change::Lost));
    let rest = after.iter().filter_map(|(key, value)| {
        let change = before.get(key).map_or(Some(Change::Added), |before| change(before, value));
        change.map(|change| (*key, change))
    });
    lost.chain(rest).collect()
}

/// How a thing changed, if it did.
pub(super) fn change(before: &Value, after: &Value) -> Option<Change> {
    if is_same(before, after) {
        return None;
    }
    Some(match (before, after) {
        (Value::Record(before), Value::Record(after)) => {
            let (before, after) = (without_position(before.clone()), without_position(after.clone()));
            if is_same(&before, &after) {
                Change::Moved
            } else if is_what_is_left(&after, &before) {
                Change::Less
            } else {
                Change::Other
            }
        }
        (Value::InFlight(before), Value::InFlight(after)) => {
            let (before, after) = (Record::Span(before.clone()), Record::Span(after.clone()));
            if is_what_is_left(&after, &before) { Change::Less } else { Change::Other }
        }
        (Value::Series(before), Value::Series(after)) if is_what_is_left_of_series(after, before) => {
            Change::Less
        }
        _ => Change::Other,
    })
}

/// Equal; a NaN is equal to itself.
pub(super) fn is_same<T: PartialEq + std::fmt::Debug>(one: &T, other: &T) -> bool {
    one == other || format!("{one:?}") == format!("{other:?}")
}
