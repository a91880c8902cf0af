//! `Span`: what happens to a span. Its methods and properties for Python are in `methods`.
//!
//! Every change goes into the file at once, and is kept for `attributes`, `events` and the like. After a fork the
//! parent alone records what happens to a span that was in flight.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::api::{Kind, OK, Status, UNSET};
use super::identity::{Identity, SAMPLED};
use super::readable;
use super::sampler::Decision;
use super::setup::Setup;
use super::state::{Dropped, Event, Link, Put, State, clone_entries, limited};
use super::{LOGGER, now, time};
use crate::sdk::attributes::{Clean, Cleaned, Entry};
use crate::sdk::log::{self, Once};
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{SpanRef, Text, process_token};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A span.
///
/// A tracer starts it. It is in the file from then on, with all that is set later; readers list it as in flight
/// until it ends. Times are unix nanoseconds.
#[pyclass(frozen, weakref, dict, name = "_Span", module = "otlp_mmap.sdk.trace")]
pub(crate) struct Span {
    pub(crate) parts: Parts,
    /// The process that started it.
    token: u64,
    state: Mutex<State>,
}

/// What does not change in a span.
pub(crate) struct Parts {
    pub(crate) identity: Arc<Identity>,
    pub(crate) parent: Option<Arc<Identity>>,
    pub(crate) setup: Arc<Setup>,
    /// `None`: it is not in the file.
    pub(crate) span: Option<SpanRef>,
    pub(crate) kind: Kind,
    pub(crate) records_exception: bool,
    pub(crate) sets_status: bool,
}

impl Span {
    pub(crate) fn new(parts: Parts, state: State) -> Self {
        Self { parts, token: process_token(), state: Mutex::new(state) }
    }

    #[inline]
    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.parts.identity
    }

    /// The state. While it is locked no Python code runs, and no Python object is made or released.
    pub(crate) fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state of a span that is open; otherwise `message` is a warning and the result is `None`.
    pub(super) fn change<T>(
        &self,
        py: Python<'_>,
        message: &str,
        change: impl FnOnce(&mut State) -> T,
    ) -> Option<T> {
        {
            let mut state = self.lock(py);
            if state.is_open() {
                return Some(change(&mut state));
            }
        }
        log::warning(py, LOGGER, message);
        None
    }

    /// Whether this process started the span.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        self.token == process_token()
    }

    /// Records something about the span, if it is in this process's file.
    pub(super) fn record(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&recorder::Writer, SpanRef) -> Result<(), recorder::Error> + Send,
    ) {
        if let Some(span) = self.parts.span.filter(|_| self.is_ours()) {
            self.parts.setup.record(py, |writer, _| call(writer, span));
        }
    }

    /// Sets clean attributes; `dropped` were not clean.
    pub(super) fn put(&self, py: Python<'_>, entries: Vec<Entry>, dropped: u32) {
        let mut released = Vec::new();
        let kept = self.change(py, "Setting attribute on ended span.", |state| {
            state.dropped.attributes = state.dropped.attributes.saturating_add(dropped);
            let mut kept = Vec::with_capacity(entries.len());
            for entry in entries {
                let copy = (entry.0.clone_ref(py), entry.1.clone_ref(py));
                match state.put(py, entry, self.parts.setup.limits) {
                    Put::Added => kept.push(copy),
                    Put::Replaced(value) => {
                        kept.push(copy);
                        released.push((None, value));
                    }
                    Put::Refused((key, value)) => {
                        released.push((Some((key, copy)), value));
                    }
                }
            }
            kept
        });
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            self.record(py, |writer, span| writer.set_attributes(span, &Clean(&kept)));
        }
    }

    /// Sets one clean attribute.
    pub(super) fn put_one(&self, py: Python<'_>, entry: Entry) {
        let copy = (entry.0.clone_ref(py), entry.1.clone_ref(py));
        let limits = self.parts.setup.limits;
        let put = self.change(py, "Setting attribute on ended span.", |state| state.put(py, entry, limits));
        if let Some(Put::Added | Put::Replaced(_)) = put {
            self.record(py, |writer, span| writer.set_attributes(span, &Clean(std::slice::from_ref(&copy))));
        }
    }

    /// Adds an event, up to the limit.
    pub(super) fn put_event(&self, py: Python<'_>, event: Event, method: &str) {
        let recorded = Event {
            name: event.name.clone_ref(py),
            timestamp: event.timestamp,
            attributes: clone_entries(py, &event.attributes),
            dropped: event.dropped,
        };
        let limit = self.parts.setup.limits.events;
        let mut event = Some(event);
        let added = self.change(py, &format!("Tried calling {method} on an ended span."), |state| {
            if limit.is_some_and(|limit| state.events.len() >= limit) {
                state.dropped.events += 1;
                return false;
            }
            state.events.extend(event.take());
            true
        });
        if added == Some(true) {
            let name = shown(recorded.name.bind(py));
            self.record(py, |writer, span| {
                let event = recorder::SpanEvent {
                    name: Text::Str(&name),
                    time_unix_nano: recorded.timestamp,
                    attributes: &Clean(&recorded.attributes),
                    dropped_attributes_count: recorded.dropped,
                };
                writer.add_event(span, &event)
            });
        }
    }

    /// Adds a link, up to the limit. One without attributes and trace state to an invalid span is none.
    pub(crate) fn put_link(
        &self,
        context: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = context.py();
        if context.is_none() {
            return Ok(());
        }
        let linked = Identity::of(context)?;
        let has_attributes = attributes.is_some_and(|attributes| attributes.is_truthy().unwrap_or(false));
        if !linked.is_valid()
            && !has_attributes
            && !context.getattr(intern!(py, "trace_state"))?.is_truthy()?
        {
            return Ok(());
        }
        let limits = self.parts.setup.limits;
        let cleaned = Cleaned::new(attributes, limits.inner_length);
        let (attributes, dropped) = limited(py, cleaned, limits.link_attributes);
        let copy = clone_entries(py, &attributes);
        let mut link = Some(Link { context: context.clone().unbind(), attributes, dropped });
        let added = self.change(py, "Tried calling add_link on an ended span.", |state| {
            if limits.links.is_some_and(|limit| state.links.len() >= limit) {
                state.dropped.links += 1;
                return false;
            }
            state.links.extend(link.take());
            true
        });
        // A file has no link to a span without ids.
        if added == Some(true) && linked.is_valid() {
            self.record(py, |writer, span| {
                let link = recorder::Link {
                    context: linked.linked(),
                    trace_state: linked.trace_state(),
                    attributes: &Clean(&copy),
                    dropped_attributes_count: dropped,
                };
                writer.add_link(span, &link)
            });
        }
        Ok(())
    }

    /// Adds a `Link` of the API; `None` is none.
    pub(crate) fn put_link_object(&self, link: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = link.py();
        if link.is_none() {
            return Ok(());
        }
        let attributes = link.getattr(intern!(py, "attributes"))?;
        self.put_link(&link.getattr(intern!(py, "context"))?, Some(&attributes))
    }

    /// Sets the status, unless it is OK already; UNSET is no status to set.
    pub(super) fn put_status(&self, py: Python<'_>, status: Status) {
        let recorded = status.clone_ref(py);
        let mut status = Some(status);
        let set = self.change(py, "Tried calling set_status on an ended span.", |state| {
            if state.status.code == OK || recorded.code == UNSET {
                return None;
            }
            status.take().map(|status| std::mem::replace(&mut state.status, status))
        });
        if let Some(Some(_)) = set {
            let message = recorded.description.as_ref().map_or(String::new(), |text| shown(text.bind(py)));
            self.record(py, |writer, span| writer.set_status(span, recorded.recorded(), &message));
        }
    }

    /// Records an exception that has left a `with` block, and sets the status.
    pub(crate) fn left_by(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
        escaped: bool,
        records_exception: bool,
        sets_status: bool,
    ) {
        let span = slf.get();
        if !span.is_recording(slf.py()) {
            return;
        }
        if records_exception {
            span.put_exception(exception, None, None, escaped);
        }
        if sets_status {
            match described(exception) {
                Ok(description) => span.put_status(slf.py(), Status::error(description)),
                Err(error) => not_recorded(slf.py(), &error),
            }
        }
    }

    /// Puts what a span without a tracer is made with.
    pub(super) fn fill(
        &self,
        py: Python<'_>,
        attributes: Option<&Bound<'_, PyAny>>,
        events: Option<&Bound<'_, PyAny>>,
        links: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let cleaned = Cleaned::new(attributes, self.parts.setup.limits.length);
        self.put(py, cleaned.entries, cleaned.dropped);
        for event in readable::elements(events)? {
            let name = event.getattr(intern!(py, "name"))?;
            let timestamp = time(&event.getattr(intern!(py, "timestamp"))?);
            let attributes = event.getattr(intern!(py, "attributes"))?;
            self.put_event(py, self.event(&name, Some(&attributes), timestamp), "add_event");
        }
        readable::elements(links)?.iter().try_for_each(|link| self.put_link_object(link))
    }

    pub(super) fn put_exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: bool,
    ) {
        let py = exception.py();
        let timestamp = timestamp.map_or_else(now, time);
        match readable::exception_attributes(exception, attributes, escaped) {
            Ok(attributes) => {
                let name = intern!(py, "exception").clone().into_any();
                self.put_event(py, self.event(&name, Some(&attributes), timestamp), "record_exception");
            }
            Err(error) => not_recorded(py, &error),
        }
    }

    pub(super) fn event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: u64,
    ) -> Event {
        let limits = self.parts.setup.limits;
        let cleaned = Cleaned::new(attributes, limits.inner_length);
        let (attributes, dropped) = limited(name.py(), cleaned, limits.event_attributes);
        Event { name: name.clone().unbind(), timestamp, attributes, dropped }
    }

    /// Ends the span.
    ///
    /// Errors: `RuntimeError` for a span that was not started.
    pub(crate) fn end_at(slf: &Bound<'_, Self>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let (py, span) = (slf.py(), slf.get());
        let end = end_time.filter(|time| !time.is_none()).map_or_else(now, time);
        let hooks = span.parts.setup.active_hooks().filter(|_| span.is_ours());
        {
            let mut state = span.lock(py);
            if state.start_time.is_none() {
                return Err(PyRuntimeError::new_err("Calling end() on a not started span."));
            }
            if state.end_time.is_some() {
                drop(state);
                log::warning(py, LOGGER, "Calling end() on an ended span.");
                return Ok(());
            }
            state.end_time = Some(end);
            state.ending = hooks.map(|_| std::thread::current().id());
        }
        if span.is_ours() {
            let is_sampled = span.parts.identity.flags & SAMPLED != 0;
            span.parts.setup.count_end(py, Decision { is_recording: true, is_sampled });
        }
        if let Some(hooks) = hooks {
            hooks.on_ending(slf);
        }
        let dropped = {
            let mut state = span.lock(py);
            state.ending = None;
            state.dropped
        };
        span.record_end(py, dropped, end);
        if let Some(hooks) = hooks {
            hooks.on_end(py, readable::snapshot(span, py));
        }
        Ok(())
    }

    fn record_end(&self, py: Python<'_>, dropped: Dropped, end: u64) {
        self.record(py, |writer, span| {
            if dropped.is_some() {
                // The span ends also where the counts have no room.
                let _ = writer.add_dropped(span, dropped.attributes, dropped.events, dropped.links);
            }
            writer.end_span(span, end)
        });
    }
}

/// The description of the status that an exception sets.
fn described<'py>(exception: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let name = exception.get_type().name()?;
    let text = exception.str()?;
    Ok(PyString::new(exception.py(), &format!("{name}: {}", text.to_string_lossy())))
}

/// A text as UTF-8; the text of something that is none.
pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    value.str().map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
}

#[cold]
pub(crate) fn not_recorded(py: Python<'_>, error: &PyErr) {
    static SAID: Once = Once::new();
    SAID.not_recorded(py, LOGGER, "a part of a span", error);
}
