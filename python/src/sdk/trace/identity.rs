//! Who a span is: its ids, flags and trace state, shared by the span and its children.
//!
//! The API's `SpanContext` is made of it when somebody asks for it, once.

use super::nonrecording::NonRecordingSpan;
use super::span::Span;
use crate::sdk::context;
use crate::sdk::import::{Import, load};
use crate::sdk::log::Once;
use otlp_mmap_writer as recorder;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::Arc;

/// W3C trace flags: the span is recorded by those who sample.
pub(crate) const SAMPLED: u8 = 1;
/// W3C trace flags, level 2: the trace id's last 7 bytes are random.
pub(crate) const RANDOM_TRACE_ID: u8 = 2;

/// A W3C trace state that is not empty.
pub(crate) struct TraceState {
    object: Py<PyAny>,
    /// As it is recorded.
    pub(crate) header: String,
}

impl TraceState {
    /// Of an API object; `None` if it is empty.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Self>>> {
        if object.is_none() || !object.is_truthy()? {
            return Ok(None);
        }
        let header = match object.extract::<String>() {
            Ok(text) => text,
            Err(_) => object.call_method0(intern!(object.py(), "to_header"))?.extract()?,
        };
        Ok(Some(Arc::new(Self { object: object.clone().unbind(), header })))
    }
}

/// What identifies a span.
pub(crate) struct Identity {
    /// Zero if this is no valid context.
    pub(crate) trace_id: [u8; 16],
    /// Zero if this is no valid context.
    pub(crate) span_id: [u8; 8],
    /// W3C trace flags.
    pub(crate) flags: u8,
    /// Whether it came from another process.
    pub(crate) is_remote: bool,
    pub(crate) trace_state: Option<Arc<TraceState>>,
    api: PyOnceLock<Py<PyAny>>,
}

impl Identity {
    /// Of a new span.
    pub(crate) fn new(
        trace_id: [u8; 16],
        span_id: [u8; 8],
        flags: u8,
        trace_state: Option<Arc<TraceState>>,
    ) -> Self {
        Self { trace_id, span_id, flags, is_remote: false, trace_state, api: PyOnceLock::new() }
    }

    /// Of nothing.
    pub(crate) fn invalid() -> Self {
        Self::new([0; 16], [0; 8], 0, None)
    }

    /// Of a `SpanContext` of the API, valid or not.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut identity = Self::invalid();
        if let Some(found) = context::SpanContext::of(object)? {
            identity = Self {
                is_remote: found.is_remote,
                ..Self::new(found.trace_id, found.span_id, found.flags, None)
            };
            identity.trace_state = TraceState::of(found.trace_state.bind(object.py()))?;
        }
        Ok(identity.known_as(object))
    }

    /// With the API object that stands for it.
    pub(crate) fn known_as(self, object: &Bound<'_, PyAny>) -> Self {
        let _ = self.api.set(object.py(), object.clone().unbind());
        self
    }

    /// Whether it has ids.
    pub(crate) fn is_valid(&self) -> bool {
        self.trace_id != [0; 16] && self.span_id != [0; 8]
    }

    /// As the API's `SpanContext`, always the same one.
    pub(crate) fn to_api<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        let made = self.api.get_or_try_init(py, || {
            let state =
                self.trace_state.as_ref().map_or_else(|| py.None(), |state| state.object.clone_ref(py));
            let (trace_id, span_id) = (self.trace_id, self.span_id);
            let context = context::SpanContext {
                trace_id,
                span_id,
                flags: self.flags,
                is_remote: self.is_remote,
                trace_state: state,
            };
            context.to_api(py).map(Bound::unbind)
        });
        made.map(|made| made.bind(py))
    }

    /// The trace state, as it is recorded.
    pub(crate) fn trace_state(&self) -> &str {
        self.trace_state.as_ref().map_or("", |state| &state.header)
    }

    /// As the writer takes it.
    pub(crate) fn recorded(&self) -> recorder::SpanContext {
        recorder::SpanContext { trace_id: self.trace_id, span_id: self.span_id, flags: u32::from(self.flags) }
    }

    /// As the writer takes that of a link.
    pub(crate) fn linked(&self) -> recorder::SpanContext {
        recorder::SpanContext { flags: otlp_flags(self.flags, self.is_remote), ..self.recorded() }
    }
}

/// OTLP's flags of a span, by its own W3C flags and its parent, or of a link, by those of its span: they say besides
/// whether that one is remote, and that this is known.
pub(crate) fn otlp_flags(w3c: u8, is_remote: bool) -> u32 {
    const HAS_IS_REMOTE: u32 = 1 << 8;
    const IS_REMOTE: u32 = 1 << 9;
    u32::from(w3c) | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

/// The span of a context (by default the current one), if it is valid.
///
/// Errors: `TypeError` for a span whose context is no `SpanContext`. Whatever else goes wrong in a foreign span is
/// logged, and there is no parent.
pub(crate) fn parent_in(
    py: Python<'_>,
    context: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Arc<Identity>>> {
    let found = match context::span_in(py, context) {
        Ok(Some(span)) => found_in(&span),
        Ok(None) => return Ok(None),
        Err(error) => Err(error),
    };
    match found {
        Ok(Found::Identity(identity)) => Ok(Some(identity).filter(|identity| identity.is_valid())),
        Ok(Found::Nothing) => Ok(None),
        Ok(Found::NoSpanContext) => {
            Err(PyTypeError::new_err("parent_span_context must be a SpanContext or None."))
        }
        Err(error) => {
            static SAID: Once = Once::new();
            SAID.not_recorded(py, super::LOGGER, "the parent of a span", &error);
            Ok(None)
        }
    }
}

/// The current span's context, as the writer takes it; `None` if there is no valid one. `context`: by default the
/// current one.
pub(crate) fn recorded_in(
    py: Python<'_>,
    context: Option<&Bound<'_, PyAny>>,
) -> Option<recorder::SpanContext> {
    parent_in(py, context).ok().flatten().map(|identity| identity.recorded())
}

/// What an object that a context has as its span says.
enum Found {
    Identity(Arc<Identity>),
    /// It is no span, or has no context.
    Nothing,
    /// Its context is something else.
    NoSpanContext,
}

fn found_in(span: &Bound<'_, PyAny>) -> PyResult<Found> {
    if let Ok(span) = span.cast::<Span>() {
        return Ok(Found::Identity(Arc::clone(span.get().identity())));
    }
    if let Ok(span) = span.cast::<NonRecordingSpan>() {
        return Ok(Found::Identity(Arc::clone(&span.get().identity)));
    }
    foreign(span)
}

static SPAN: Import = Import::new("opentelemetry.trace", "Span");
static SPAN_CONTEXT: Import = Import::new("opentelemetry.trace", "SpanContext");

/// Looks up what parents are told by.
pub(crate) fn load_parents(py: Python<'_>) -> PyResult<()> {
    load(py, &[&SPAN, &SPAN_CONTEXT])
}

/// A span of another implementation of the API.
fn foreign(span: &Bound<'_, PyAny>) -> PyResult<Found> {
    let py = span.py();
    if !span.is_instance(SPAN.get(py)?)? {
        return Ok(Found::Nothing);
    }
    let context = span.call_method0(intern!(py, "get_span_context"))?;
    if context.is_none() {
        return Ok(Found::Nothing);
    }
    if !context.is_instance(SPAN_CONTEXT.get(py)?)? {
        return Ok(Found::NoSpanContext);
    }
    Identity::of(&context).map(|identity| Found::Identity(Arc::new(identity)))
}
