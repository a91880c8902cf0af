//! What a tracer starts its spans with: where they are recorded, sampler, ids, limits, processors.
//!
//! Spans share it with their tracer. A change makes a new one, so that the spans in flight keep theirs.

use super::hooks::SpanHooks;
use super::identity::{Identity, RANDOM_TRACE_ID};
use super::ids;
use super::sampler::{Decision, Sampler};
use crate::error::{from_writer, is_loss};
use crate::sdk::import::Import;
use crate::sdk::log::Once;
use crate::writer::Writer;
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{Error, ScopeRef};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// The most of each that a span takes; `None`: any number.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) attributes: Option<usize>,
    pub(crate) events: Option<usize>,
    pub(crate) links: Option<usize>,
    pub(crate) event_attributes: Option<usize>,
    pub(crate) link_attributes: Option<usize>,
    /// Characters of a text in the span's attributes.
    pub(crate) length: Option<usize>,
    /// Characters of a text in attributes of events and links.
    pub(crate) inner_length: Option<usize>,
}

impl Limits {
    /// Of a `SpanLimits` object.
    pub(crate) fn of(limits: &Bound<'_, PyAny>) -> PyResult<Self> {
        let limit = |name: &str| limits.getattr(name)?.extract();
        Ok(Self {
            attributes: limit("max_span_attributes")?,
            events: limit("max_events")?,
            links: limit("max_links")?,
            event_attributes: limit("max_event_attributes")?,
            link_attributes: limit("max_link_attributes")?,
            length: limit("max_span_attribute_length")?,
            inner_length: limit("max_attribute_length")?,
        })
    }
}

pub(super) static RANDOM_IDS: Import = Import::new("otlp_mmap.sdk.trace.id_generator", "RandomIdGenerator");

/// Where ids come from.
pub(crate) enum Ids {
    Random,
    Foreign(Py<PyAny>),
}

impl Ids {
    /// Of an id generator object; ours is not called.
    pub(crate) fn of(generator: &Bound<'_, PyAny>) -> PyResult<Self> {
        let is_ours = generator.get_type().is(RANDOM_IDS.get(generator.py())?);
        Ok(if is_ours { Self::Random } else { Self::Foreign(generator.clone().unbind()) })
    }

    /// A new trace id, and the flags that it has. Random if a foreign generator fails.
    pub(crate) fn trace_id(&self, py: Python<'_>) -> ([u8; 16], u8) {
        let random = || (ids::trace_id(), RANDOM_TRACE_ID);
        let Self::Foreign(generator) = self else { return random() };
        foreign_trace_id(generator.bind(py)).unwrap_or_else(|error| or_random(py, &error, random))
    }

    /// A new span id.
    pub(crate) fn span_id(&self, py: Python<'_>) -> [u8; 8] {
        let Self::Foreign(generator) = self else { return ids::span_id() };
        let id = generator.bind(py).call_method0(intern!(py, "generate_span_id"));
        let id = id.and_then(|id| id.extract::<u64>()).map(u64::to_be_bytes);
        id.unwrap_or_else(|error| or_random(py, &error, ids::span_id))
    }
}

fn foreign_trace_id(generator: &Bound<'_, PyAny>) -> PyResult<([u8; 16], u8)> {
    let py = generator.py();
    let id: u128 = generator.call_method0(intern!(py, "generate_trace_id"))?.extract()?;
    let is_random = match generator.getattr_opt(intern!(py, "is_trace_id_random"))? {
        Some(method) => method.call0()?.is_truthy()?,
        None => false,
    };
    Ok((id.to_be_bytes(), if is_random { RANDOM_TRACE_ID } else { 0 }))
}

#[cold]
fn or_random<T>(py: Python<'_>, error: &PyErr, random: impl FnOnce() -> T) -> T {
    static SAID: Once = Once::new();
    SAID.said(
        py,
        super::LOGGER,
        format_args!("an id generator failed, so ids are random (said once): {error}"),
    );
    random()
}

/// The links argument of a call, which may be left out.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a, 'py>(pub(crate) Option<&'a Bound<'py, PyAny>>);

impl<'py> Links<'_, 'py> {
    /// The links, or an empty tuple for none.
    pub(crate) fn or_empty(self, py: Python<'py>) -> Bound<'py, PyAny> {
        match self.0 {
            Some(links) if links.is_truthy().unwrap_or(false) => links.clone(),
            _ => PyTuple::empty(py).into_any(),
        }
    }
}

/// Where a span is recorded: the writer, and the scope in its file.
pub(crate) struct Destination {
    pub(crate) writer: Py<Writer>,
    pub(crate) scope: ScopeRef,
}

/// What the spans of a tracer have in common.
pub(crate) struct Setup {
    /// `None`: there is no file, or its dictionary is full.
    pub(crate) destination: Option<Destination>,
    pub(crate) is_enabled: bool,
    pub(crate) sampler: Sampler,
    pub(crate) ids: Ids,
    pub(crate) limits: Limits,
    pub(crate) hooks: Option<Py<SpanHooks>>,
    pub(crate) resource: Py<PyAny>,
    pub(crate) scope: Py<PyAny>,
    pub(crate) info: Py<PyAny>,
    /// Counts the spans, if somebody asked for that.
    pub(crate) metrics: Option<Py<PyAny>>,
}

impl Setup {
    /// Of a span without a tracer. `origin`: resource, scope, info.
    pub(crate) fn detached(
        py: Python<'_>,
        limits: Option<&Bound<'_, PyAny>>,
        processor: Option<&Bound<'_, PyAny>>,
        origin: [Option<Py<PyAny>>; 3],
    ) -> PyResult<Self> {
        let hooks = processor.filter(|processor| !processor.is_none()).map(|processor| {
            let module = py.import("otlp_mmap.sdk.trace._processors")?;
            module.getattr("hooks_of")?.call1((processor,))?.extract::<Py<SpanHooks>>().map_err(PyErr::from)
        });
        let [resource, scope, info] = origin;
        let resource = if let Some(resource) = resource {
            resource
        } else {
            let class = py.import("otlp_mmap.sdk.resources")?.getattr("Resource")?;
            class.call_method1("create", (PyDict::new(py),))?.unbind()
        };
        Ok(Self {
            destination: None,
            is_enabled: true,
            sampler: Sampler::ALWAYS_ON,
            ids: Ids::Random,
            limits: limits.map(Limits::of).transpose()?.unwrap_or_default(),
            hooks: hooks.transpose()?,
            resource,
            scope: scope.unwrap_or_else(|| py.None()),
            info: info.unwrap_or_else(|| py.None()),
            metrics: None,
        })
    }

    /// The processors, if there are any.
    #[inline]
    pub(crate) fn active_hooks(&self) -> Option<&SpanHooks> {
        self.hooks.as_ref().map(Py::get).filter(|hooks| hooks.are_active())
    }

    /// Counts a span that starts.
    #[inline]
    pub(crate) fn count_start(&self, py: Python<'_>, parent: Option<&Identity>, decision: Decision) {
        let Some(metrics) = &self.metrics else { return };
        let origin = parent.map_or("none", |parent| if parent.is_remote { "remote" } else { "local" });
        let counted = metrics.call_method1(py, intern!(py, "started"), (origin, decision.value()));
        not_counted(py, counted);
    }

    /// Counts a span that ends.
    #[inline]
    pub(crate) fn count_end(&self, py: Python<'_>, decision: Decision) {
        let Some(metrics) = &self.metrics else { return };
        not_counted(py, metrics.call_method1(py, intern!(py, "ended"), (decision.value(),)));
    }

    /// Calls the writer, without the interpreter if the call may wait. What it refuses is said once and counted.
    pub(crate) fn record<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&recorder::Writer, ScopeRef) -> Result<T, Error> + Send,
    ) -> Option<T> {
        let Destination { writer, scope } = self.destination.as_ref()?;
        match writer.get().calls.run(py, |writer| call(writer, *scope)) {
            Ok(done) => Some(done),
            Err(error) => {
                refused(py, &error);
                None
            }
        }
    }
}

fn not_counted(py: Python<'_>, counted: PyResult<Py<PyAny>>) {
    if let Err(error) = counted {
        static SAID: Once = Once::new();
        SAID.not_recorded(py, super::LOGGER, "a metric of a tracer", &error);
    }
}

#[cold]
fn refused(py: Python<'_>, error: &Error) {
    static SAID: Once = Once::new();
    // Losses are counted in the file; after the end of the recording nothing is left to say; and a span that
    // another thread ended in this instant is its own.
    if !is_loss(error) && !matches!(error, Error::Closed | Error::UnknownSpan { .. }) {
        SAID.not_recorded(py, super::LOGGER, "a part of a span", &from_writer(py, error));
    }
}
