//! `Span`: the API's span, and the readable side of it.
//!
//! Every change goes into the file at once, and is kept for `attributes`, `events` and the like. After a fork the
//! parent alone records what happens to a span that was in flight.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::api::{Kind, OK, Status, UNSET, status_code};
use super::identity::Identity;
use super::readable;
use super::setup::Setup;
use super::state::{Dropped, Event, Link, Put, State, clone_entries, limited};
use super::{LOGGER, now, time};
use crate::sdk::attributes::{Clean, Cleaned, Entry, clean, clean_key};
use crate::sdk::log::{self, Once};
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{SpanRef, Text, process_token};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyString, PyTuple};
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
    fn change<T>(&self, py: Python<'_>, message: &str, change: impl FnOnce(&mut State) -> T) -> Option<T> {
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
    fn is_ours(&self) -> bool {
        self.token == process_token()
    }

    /// Records something about the span, if it is in this process's file.
    fn record(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&recorder::Writer, SpanRef) -> Result<(), recorder::Error> + Send,
    ) {
        if let Some(span) = self.parts.span.filter(|_| self.is_ours()) {
            self.parts.setup.record(py, |writer, _| call(writer, span));
        }
    }

    /// Sets clean attributes; `dropped` were not clean.
    fn put(&self, py: Python<'_>, entries: Vec<Entry>, dropped: u32) {
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

    /// Adds an event, up to the limit.
    pub(crate) fn put_event(&self, py: Python<'_>, event: Event, method: &str) {
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
                    context: linked.recorded(),
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
    fn put_status(&self, py: Python<'_>, status: Status) {
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

    fn put_exception(
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

    fn event(&self, name: &Bound<'_, PyAny>, attributes: Option<&Bound<'_, PyAny>>, timestamp: u64) -> Event {
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

// The arguments are those that other implementations have.
#[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
#[pymethods]
impl Span {
    /// A span of no tracer, which is not in a file; for tests of processors and the like.
    #[new]
    #[pyo3(signature = (
        name, context, parent=None, sampler=None, trace_config=None, resource=None, attributes=None, events=None,
        links=None, kind=None, span_processor=None, instrumentation_info=None, record_exception=true,
        set_status_on_exception=true, limits=None, instrumentation_scope=None, *, record_end_metrics=None,
    ))]
    fn detached(
        py: Python<'_>,
        name: Py<PyAny>,
        context: &Bound<'_, PyAny>,
        parent: Option<&Bound<'_, PyAny>>,
        sampler: Option<&Bound<'_, PyAny>>,
        trace_config: Option<&Bound<'_, PyAny>>,
        resource: Option<Py<PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        events: Option<&Bound<'_, PyAny>>,
        links: Option<&Bound<'_, PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        span_processor: Option<&Bound<'_, PyAny>>,
        instrumentation_info: Option<Py<PyAny>>,
        record_exception: bool,
        set_status_on_exception: bool,
        limits: Option<&Bound<'_, PyAny>>,
        instrumentation_scope: Option<Py<PyAny>>,
        record_end_metrics: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let _ = (sampler, trace_config, record_end_metrics);
        let known = |context: &Bound<'_, PyAny>| -> Arc<Identity> {
            let identity = Identity::of(context);
            Arc::new(identity.unwrap_or_else(|_| Identity::invalid().known_as(context)))
        };
        let setup = Setup::detached(
            py,
            limits,
            span_processor,
            [resource, instrumentation_scope, instrumentation_info],
        )?;
        let parts = Parts {
            identity: known(context),
            parent: parent.map(known),
            setup: Arc::new(setup),
            span: None,
            kind: Kind::of(py, kind)?,
            records_exception: record_exception,
            sets_status: set_status_on_exception,
        };
        let span = Self::new(parts, State::new(name));
        let cleaned = Cleaned::new(attributes, span.parts.setup.limits.length);
        span.put(py, cleaned.entries, cleaned.dropped);
        for event in readable::elements(events)? {
            let name = event.getattr(intern!(py, "name"))?;
            let timestamp = time(&event.getattr(intern!(py, "timestamp"))?);
            let attributes = event.getattr(intern!(py, "attributes"))?;
            span.put_event(py, span.event(&name, Some(&attributes), timestamp), "add_event");
        }
        for link in readable::elements(links)? {
            span.put_link_object(&link)?;
        }
        Ok(span)
    }

    /// The span's context: ids, flags and trace state.
    pub(crate) fn get_span_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.parts.identity.to_api(py).cloned()
    }

    /// Sets one attribute; the value of a key that is there is replaced.
    ///
    /// Prefer attributes at the start of the span: samplers see only those.
    fn set_attribute(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        let py = key.py();
        match clean_key(key) {
            Some(key) => {
                let value = clean(value, self.parts.setup.limits.length);
                self.put(py, vec![(key.unbind(), value.unbind())], 0);
            }
            None => self.put(py, Vec::new(), 1),
        }
    }

    /// Sets attributes; the values of keys that are there are replaced.
    ///
    /// Prefer attributes at the start of the span: samplers see only those.
    fn set_attributes(&self, attributes: &Bound<'_, PyAny>) {
        let cleaned = Cleaned::new(Some(attributes), self.parts.setup.limits.length);
        self.put(attributes.py(), cleaned.entries, cleaned.dropped);
    }

    /// Adds an event.
    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    fn add_event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
    ) {
        let timestamp = timestamp.map_or_else(now, time);
        self.put_event(name.py(), self.event(name, attributes, timestamp), "add_event");
    }

    /// Adds a link to another span.
    #[pyo3(signature = (context, attributes=None))]
    fn add_link(&self, context: &Bound<'_, PyAny>, attributes: Option<&Bound<'_, PyAny>>) {
        if let Err(error) = self.put_link(context, attributes) {
            not_recorded(context.py(), &error);
        }
    }

    /// Gives the span another name.
    fn update_name(&self, name: &Bound<'_, PyAny>) {
        let py = name.py();
        let mut kept = name.clone().unbind();
        let renamed = self.change(py, "Tried calling update_name on an ended span.", |state| {
            std::mem::swap(&mut state.name, &mut kept);
        });
        if renamed.is_some() {
            let name = shown(name);
            self.record(py, |writer, span| writer.update_name(span, &name));
        }
    }

    /// Whether the span still takes what is set: it has not ended.
    pub(crate) fn is_recording(&self, py: Python<'_>) -> bool {
        self.lock(py).is_open()
    }

    /// Sets the status. OK is final, and UNSET is ignored.
    #[pyo3(signature = (status, description=None))]
    fn set_status(&self, status: &Bound<'_, PyAny>, description: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = status.py();
        if let Some(code) = status_code(status)? {
            self.put_status(py, Status::of_code(code, description)?);
        } else if let Some(status) = Status::of(status)? {
            let description = description.filter(|description| !description.is_none());
            if let Some(description) = description.filter(|_| status.code != UNSET) {
                let message = "ignored. Use either `Status` or `(StatusCode, Description)`";
                log::warning(py, LOGGER, format_args!("Description {} {message}", shown(description)));
            }
            self.put_status(py, status);
        }
        Ok(())
    }

    /// Records an exception as an event named "exception", with its type, message and stack trace.
    #[pyo3(signature = (exception, attributes=None, timestamp=None, escaped=false))]
    fn record_exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: bool,
    ) {
        let timestamp = timestamp.filter(|time| !time.is_none());
        self.put_exception(exception, attributes, timestamp, escaped);
    }

    /// Starts a span that was made without a tracer.
    #[pyo3(signature = (start_time=None, parent_context=None))]
    fn start(
        slf: &Bound<'_, Self>,
        start_time: Option<&Bound<'_, PyAny>>,
        parent_context: Option<&Bound<'_, PyAny>>,
    ) {
        let (py, span) = (slf.py(), slf.get());
        let start = start_time.map_or_else(now, time);
        let was_started = {
            let mut state = span.lock(py);
            let was_started = state.start_time.is_some();
            state.start_time.get_or_insert(start);
            was_started
        };
        if was_started {
            log::warning(py, LOGGER, "Calling start() on a started span.");
        } else if let Some(hooks) = span.parts.setup.active_hooks() {
            hooks.on_start(slf, parent_context);
        }
    }

    /// Ends the span, now or at `end_time`; it takes nothing more.
    #[pyo3(signature = (end_time=None))]
    fn end(slf: &Bound<'_, Self>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        Self::end_at(slf, end_time)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _exc_type: &Bound<'_, PyAny>,
        exc_val: &Bound<'_, PyAny>,
        _exc_tb: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if !exc_val.is_none() {
            let parts = &slf.get().parts;
            Self::left_by(slf, exc_val, true, parts.records_exception, parts.sets_status);
        }
        Self::end_at(slf, None)
    }

    /// Its name.
    #[getter]
    fn name(&self, py: Python<'_>) -> Py<PyAny> {
        self.lock(py).name.clone_ref(py)
    }

    /// The span's context: ids, flags and trace state.
    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get_span_context(py)
    }

    /// Context of the parent; None for a root span.
    #[getter]
    pub(crate) fn parent<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.parts.parent.as_ref().map(|parent| parent.to_api(py).cloned()).transpose()
    }

    /// Its kind.
    #[getter]
    pub(crate) fn kind(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.parts.kind.member(py)
    }

    /// When it started.
    #[getter]
    pub(crate) fn start_time(&self, py: Python<'_>) -> Option<u64> {
        self.lock(py).start_time
    }

    /// When it ended; None: it has not.
    #[getter]
    pub(crate) fn end_time(&self, py: Python<'_>) -> Option<u64> {
        self.lock(py).end_time
    }

    /// Its status.
    #[getter]
    pub(crate) fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let status = self.lock(py).status.clone_ref(py);
        status.to_api(py)
    }

    /// Its attributes, read-only.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        readable::attributes(self, py)
    }

    /// Its events.
    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        readable::events(self, py)
    }

    /// Its links.
    #[getter]
    fn links<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        readable::links(self, py)
    }

    /// Attributes that it left out.
    #[getter]
    fn dropped_attributes(&self, py: Python<'_>) -> u32 {
        self.lock(py).dropped.attributes
    }

    /// Events that it left out.
    #[getter]
    fn dropped_events(&self, py: Python<'_>) -> u32 {
        self.lock(py).dropped.events
    }

    /// Links that it left out.
    #[getter]
    fn dropped_links(&self, py: Python<'_>) -> u32 {
        self.lock(py).dropped.links
    }

    /// The resource that it is of.
    #[getter]
    pub(crate) fn resource(&self, py: Python<'_>) -> Py<PyAny> {
        self.parts.setup.resource.clone_ref(py)
    }

    /// The instrumentation scope that it is of.
    #[getter]
    pub(crate) fn instrumentation_scope(&self, py: Python<'_>) -> Py<PyAny> {
        self.parts.setup.scope.clone_ref(py)
    }

    /// Deprecated: `instrumentation_scope`.
    #[getter]
    fn instrumentation_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        readable::deprecated_info(self.parts.setup.info.bind(py))
    }

    /// The processor that sees it start and end; None: there is none.
    #[getter]
    fn _span_processor(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.parts.setup.hooks.as_ref().map(|hooks| hooks.get().processor(py))
    }

    /// What the span is now, as an object that does not change any more.
    fn _readable_span<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        readable::snapshot(self, py)
    }

    /// The span as a JSON text.
    #[pyo3(signature = (indent=Some(4)))]
    fn to_json<'py>(&self, py: Python<'py>, indent: Option<usize>) -> PyResult<Bound<'py, PyAny>> {
        readable::snapshot(self, py)?.call_method1(intern!(py, "to_json"), (indent,))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let context = self.parts.identity.to_api(py)?.repr()?;
        let name = self.lock(py).name.clone_ref(py);
        Ok(format!("_Span(name=\"{}\", context={context})", shown(name.bind(py))))
    }
}
