//! `Tracer`: starts spans.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::api::Kind;
use super::current::{Arguments, CurrentSpan};
use super::hooks::SpanHooks;
use super::identity::{Identity, RANDOM_TRACE_ID, SAMPLED, otlp_flags, parent_in};
use super::nonrecording::NonRecordingSpan;
use super::sampler::{Question, Sampler};
use super::setup::{Destination, Ids, Limits, Links, Setup};
use super::span::{Parts, Span, not_recorded, shown};
use super::state::{State, limited};
use super::{now, time};
use crate::sdk::attributes::{Clean, Cleaned, Entry};
use crate::writer::Writer;
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{ScopeRef, Text};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyString, PyTuple, PyTupleMethods};
use std::sync::{Arc, Mutex, PoisonError};

/// Starts spans. What it starts them with is set by `_set_up`; until then they record nothing.
#[pyclass(frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct Tracer {
    setup: Mutex<Option<Arc<Setup>>>,
}

/// A span that is about to start.
pub(crate) struct Start<'a, 'py> {
    pub(crate) name: &'a Bound<'py, PyAny>,
    pub(crate) context: Option<&'a Bound<'py, PyAny>>,
    pub(crate) kind: Option<&'a Bound<'py, PyAny>>,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) links: Option<&'a Bound<'py, PyAny>>,
    pub(crate) time: Option<&'a Bound<'py, PyAny>>,
    pub(crate) records_exception: bool,
    pub(crate) sets_status: bool,
}

impl Tracer {
    fn setup(&self, py: Python<'_>) -> Option<Arc<Setup>> {
        self.setup.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a span.
    pub(crate) fn start<'py>(&self, py: Python<'py>, start: &Start<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let parent = parent_in(py, start.context)?;
        let Some(setup) = self.setup(py).filter(|setup| setup.is_enabled) else {
            let identity = parent.unwrap_or_else(|| Arc::new(Identity::invalid()));
            return Bound::new(py, NonRecordingSpan { identity }).map(Bound::into_any);
        };
        let (trace_id, random) = match &parent {
            Some(parent) => (parent.trace_id, parent.flags & RANDOM_TRACE_ID),
            None => setup.ids.trace_id(py),
        };
        let answer = setup.sampler.answer(&Question {
            py,
            context: start.context,
            parent: parent.as_deref(),
            trace_id,
            name: start.name,
            kind: start.kind,
            attributes: start.attributes,
            links: Links(start.links),
        });
        let flags = random | if answer.decision.is_sampled { SAMPLED } else { 0 };
        let identity = Arc::new(Identity::new(trace_id, setup.ids.span_id(py), flags, answer.trace_state));
        setup.count_start(py, parent.as_deref(), answer.decision);
        if !answer.decision.is_recording {
            return Bound::new(py, NonRecordingSpan { identity }).map(Bound::into_any);
        }
        let attributes = match &answer.attributes {
            Some(attributes) => Cleaned::new(Some(attributes.bind(py)), setup.limits.length),
            None => Cleaned::new(start.attributes, setup.limits.length),
        };
        let span = begin(py, start, (identity, parent, setup), attributes)?;
        Ok(span.into_any())
    }
}

/// Starts a span that is recorded: in the file if it is sampled, and for its processors in any case.
fn begin<'py>(
    py: Python<'py>,
    start: &Start<'_, 'py>,
    (identity, parent, setup): (Arc<Identity>, Option<Arc<Identity>>, Arc<Setup>),
    attributes: Cleaned,
) -> PyResult<Bound<'py, Span>> {
    let mut state = State::new(start.name.clone().unbind());
    let start_time = start.time.map_or_else(now, time);
    state.start_time = Some(start_time);
    (state.attributes, state.dropped.attributes) = limited(py, attributes, setup.limits.attributes);
    let kind = Kind::of(py, start.kind)?;
    let mut parts = Parts {
        identity,
        parent,
        setup,
        span: None,
        kind,
        records_exception: start.records_exception,
        sets_status: start.sets_status,
    };
    if parts.identity.flags & SAMPLED != 0 {
        let name = start.name.cast::<PyString>().ok().and_then(|name| name.to_str().ok());
        parts.span = match name {
            Some(name) => record_start(py, &parts, name, start_time, &state.attributes),
            None => record_start(py, &parts, &shown(start.name), start_time, &state.attributes),
        };
    }
    let span = Bound::new(py, Span::new(parts, state))?;
    if let Some(links) = start.links {
        add_links(&span, links);
    }
    if let Some(hooks) = span.get().parts.setup.active_hooks() {
        hooks.on_start(&span, start.context);
    }
    Ok(span)
}

fn record_start(
    py: Python<'_>,
    parts: &Parts,
    name: &str,
    start_time_unix_nano: u64,
    attributes: &[Entry],
) -> Option<recorder::SpanRef> {
    let Identity { trace_id, span_id, flags, .. } = *parts.identity;
    let parent = parts.parent.as_ref();
    let parent_span_id = parent.map_or([0; 8], |parent| parent.span_id);
    let flags = otlp_flags(flags, parent.is_some_and(|parent| parent.is_remote));
    parts.setup.record(py, |writer, scope| {
        writer.start_span(&recorder::SpanStart {
            scope,
            trace_id,
            span_id,
            parent_span_id,
            trace_state: parts.identity.trace_state(),
            flags,
            name: Text::Str(name),
            kind: parts.kind.recorded(),
            start_time_unix_nano,
            attributes: &Clean(attributes),
        })
    })
}

fn add_links(span: &Bound<'_, Span>, links: &Bound<'_, PyAny>) {
    let py = span.py();
    if links.is_none() || links.cast::<PyTuple>().is_ok_and(PyTupleMethods::is_empty) {
        return;
    }
    let add = |link: PyResult<Bound<'_, PyAny>>| link.and_then(|link| span.get().put_link_object(&link));
    let added = links.try_iter().map(|links| links.map(add).filter_map(Result::err).last());
    match added {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => not_recorded(py, &error),
    }
}

// The arguments are the API's.
#[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
#[pymethods]
impl Tracer {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { setup: Mutex::new(None) }
    }

    /// Sets what spans are started with from now on.
    ///
    /// Args:
    ///     writer: of the file; None: there is no file.
    ///     scope_ref: of the instrumentation scope in the file; 0: spans are not in the file.
    ///     is_enabled: False: spans record nothing.
    ///     sampler: object with `should_sample`.
    ///     id_generator: object with `generate_trace_id` and `generate_span_id`.
    ///     limits: a `SpanLimits`.
    ///     hooks: the processors.
    ///     resource: shown by the spans.
    ///     instrumentation_scope: shown by the spans.
    ///     instrumentation_info: shown by the spans.
    ///     metrics: counts the spans; None: they are not counted.
    #[pyo3(signature = (
        *, writer, scope_ref, is_enabled, sampler, id_generator, limits, hooks, resource, instrumentation_scope,
        instrumentation_info, metrics=None,
    ))]
    fn _set_up(
        &self,
        py: Python<'_>,
        writer: Option<Py<Writer>>,
        scope_ref: u32,
        is_enabled: bool,
        sampler: &Bound<'_, PyAny>,
        id_generator: &Bound<'_, PyAny>,
        limits: &Bound<'_, PyAny>,
        hooks: Option<Py<SpanHooks>>,
        resource: Py<PyAny>,
        instrumentation_scope: Py<PyAny>,
        instrumentation_info: Py<PyAny>,
        metrics: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let scope = ScopeRef::from_raw(scope_ref);
        let setup = Setup {
            destination: writer.filter(|_| scope_ref != 0).map(|writer| Destination { writer, scope }),
            is_enabled,
            sampler: Sampler::of(sampler)?,
            ids: Ids::of(id_generator)?,
            limits: Limits::of(limits)?,
            hooks,
            resource,
            scope: instrumentation_scope,
            info: instrumentation_info,
            metrics,
        };
        let replaced = {
            let mut current = self.setup.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
            current.replace(Arc::new(setup))
        };
        drop(replaced);
        Ok(())
    }

    /// Starts a span, without making it the current one.
    ///
    /// Args:
    ///     name: of the span.
    ///     context: has the parent; by default the current context.
    ///     kind: a `SpanKind`.
    ///     attributes: known at the start; samplers see them.
    ///     links: to other spans.
    ///     start_time: unix nanoseconds; by default now.
    ///     record_exception: whether an exception that leaves the span's `with` block is recorded.
    ///     set_status_on_exception: whether it also sets the status.
    #[pyo3(signature = (
        name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=true,
        set_status_on_exception=true,
    ))]
    fn start_span<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<&Bound<'py, PyAny>>,
        links: Option<&Bound<'py, PyAny>>,
        start_time: Option<&Bound<'py, PyAny>>,
        record_exception: bool,
        set_status_on_exception: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let start = Start {
            name,
            context,
            kind,
            attributes,
            links,
            time: start_time,
            records_exception: record_exception,
            sets_status: set_status_on_exception,
        };
        self.start(py, &start)
    }

    /// Starts a span and makes it the current one, for a `with` block or for each call of a decorated function.
    ///
    /// Args:
    ///     name: of the span.
    ///     context: has the parent; by default the current context.
    ///     kind: a `SpanKind`.
    ///     attributes: known at the start; samplers see them.
    ///     links: to other spans.
    ///     start_time: unix nanoseconds; by default now.
    ///     record_exception: whether an exception that leaves the block is recorded.
    ///     set_status_on_exception: whether it also sets the status.
    ///     end_on_exit: whether the span ends with the block.
    #[pyo3(signature = (
        name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=true,
        set_status_on_exception=true, end_on_exit=true,
    ))]
    fn start_as_current_span(
        slf: Py<Self>,
        name: Py<PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<Py<PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<Py<PyAny>>,
        record_exception: bool,
        set_status_on_exception: bool,
        end_on_exit: bool,
    ) -> CurrentSpan {
        CurrentSpan::new(Arguments {
            tracer: slf,
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            records_exception: record_exception,
            sets_status: set_status_on_exception,
            ends: end_on_exit,
        })
    }
}
