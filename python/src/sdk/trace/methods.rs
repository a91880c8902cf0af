//! `Span` for Python: the methods of the API's span, and the readable side of it.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::api::{Kind, Status, UNSET, status_code};
use super::identity::Identity;
use super::readable;
use super::setup::Setup;
use super::span::{Parts, Span, not_recorded, shown};
use super::state::State;
use super::{LOGGER, now, time};
use crate::sdk::attributes::{Cleaned, clean, clean_key};
use crate::sdk::log;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

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
        span.fill(py, attributes, events, links)?;
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
                self.put_one(py, (key.unbind(), value.unbind()));
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
