//! What a span holds for those who look at it in the process: the same that is in the file.

use super::api::Status;
use super::setup::Limits;
use crate::sdk::attributes::{Cleaned, Entry};
use pyo3::prelude::*;
use std::thread::ThreadId;

/// What can change in a span.
pub(crate) struct State {
    pub(crate) name: Py<PyAny>,
    /// Unix nanoseconds; `None`: not started.
    pub(crate) start_time: Option<u64>,
    /// Unix nanoseconds; `None`: not ended.
    pub(crate) end_time: Option<u64>,
    /// The thread whose processors see the span ending; it may still change it.
    pub(crate) ending: Option<ThreadId>,
    pub(crate) attributes: Vec<Entry>,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) status: Status,
    pub(crate) dropped: Dropped,
}

/// How many of each the span left out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Dropped {
    pub(crate) attributes: u32,
    pub(crate) events: u32,
    pub(crate) links: u32,
}

impl Dropped {
    pub(crate) fn is_some(self) -> bool {
        self.attributes | self.events | self.links != 0
    }
}

/// An event of a span.
pub(crate) struct Event {
    pub(crate) name: Py<PyAny>,
    pub(crate) timestamp: u64,
    pub(crate) attributes: Vec<Entry>,
    pub(crate) dropped: u32,
}

/// A link of a span.
pub(crate) struct Link {
    /// The API's `SpanContext`.
    pub(crate) context: Py<PyAny>,
    pub(crate) attributes: Vec<Entry>,
    pub(crate) dropped: u32,
}

/// What became of an attribute.
pub(crate) enum Put {
    Added,
    /// The value that it had, to be dropped where no lock is held.
    Replaced(Py<PyAny>),
    /// There is no room.
    Refused(Entry),
}

impl State {
    pub(crate) fn new(name: Py<PyAny>) -> Self {
        Self {
            name,
            start_time: None,
            end_time: None,
            ending: None,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            status: Status::UNSET,
            dropped: Dropped::default(),
        }
    }

    /// Whether the span may be changed by this thread.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.end_time.is_none() || self.ending.is_some_and(|thread| thread == std::thread::current().id())
    }

    /// Sets an attribute.
    pub(crate) fn put(&mut self, py: Python<'_>, entry: Entry, limits: Limits) -> Put {
        if let Some(found) = find(py, &self.attributes, &entry) {
            return Put::Replaced(std::mem::replace(&mut self.attributes[found].1, entry.1));
        }
        if limits.attributes.is_some_and(|limit| self.attributes.len() >= limit) {
            self.dropped.attributes += 1;
            return Put::Refused(entry);
        }
        self.attributes.push(entry);
        Put::Added
    }
}

fn find(py: Python<'_>, attributes: &[Entry], (key, _): &Entry) -> Option<usize> {
    if let Some(found) = attributes.iter().position(|(other, _)| other.is(key)) {
        return Some(found);
    }
    // A clean key is a text without lone surrogates.
    let text = key.bind(py).to_str().ok()?;
    attributes.iter().position(|(other, _)| other.bind(py).to_str().is_ok_and(|other| other == text))
}

/// The first attributes up to a limit, each key once, and how many there are beside them.
pub(crate) fn limited(py: Python<'_>, cleaned: Cleaned, limit: Option<usize>) -> (Vec<Entry>, u32) {
    let Cleaned { mut entries, mut dropped, are_distinct } = cleaned;
    if !are_distinct {
        let mut distinct: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            match find(py, &distinct, &entry) {
                Some(found) => distinct[found] = entry,
                None => distinct.push(entry),
            }
        }
        entries = distinct;
    }
    if let Some(limit) = limit {
        dropped =
            dropped.saturating_add(u32::try_from(entries.len().saturating_sub(limit)).unwrap_or(u32::MAX));
        entries.truncate(limit);
    }
    (entries, dropped)
}

/// References of their own to the same attributes.
pub(crate) fn clone_entries(py: Python<'_>, entries: &[Entry]) -> Vec<Entry> {
    entries.iter().map(|(key, value)| (key.clone_ref(py), value.clone_ref(py))).collect()
}
