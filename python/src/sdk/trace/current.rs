//! `start_as_current_span`: a span for a `with` block or for the calls of a function.
//!
//! The object holds the arguments; the span starts when the block is entered. A block within a block of the same
//! object is another span, so the spans that are entered are a stack.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::span::{Span, not_recorded};
use super::tracer::{Start, Tracer};
use crate::sdk::context;
use crate::sdk::import::Import;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) static DECORATE: Import = Import::new("otlp_mmap.sdk.trace._decorator", "decorate");

/// What `start_as_current_span` was called with.
pub(crate) struct Arguments {
    pub(crate) tracer: Py<Tracer>,
    pub(crate) name: Py<PyAny>,
    pub(crate) context: Option<Py<PyAny>>,
    pub(crate) kind: Option<Py<PyAny>>,
    pub(crate) attributes: Option<Py<PyAny>>,
    pub(crate) links: Option<Py<PyAny>>,
    pub(crate) start_time: Option<Py<PyAny>>,
    pub(crate) records_exception: bool,
    pub(crate) sets_status: bool,
    pub(crate) ends: bool,
}

/// A span that was entered, and what makes the span before it the current one again.
struct Entered {
    span: Py<PyAny>,
    token: Option<Py<PyAny>>,
}

/// What `Tracer.start_as_current_span` returns: a context manager, and a decorator of functions, sync or async.
#[pyclass(frozen, module = "otlp_mmap._native")]
pub(crate) struct CurrentSpan {
    arguments: Arguments,
    entered: Mutex<Stack>,
}

/// The first place needs no allocation: blocks of one object are rarely nested.
#[derive(Default)]
struct Stack {
    first: Option<Entered>,
    others: Vec<Entered>,
}

impl CurrentSpan {
    pub(crate) fn new(arguments: Arguments) -> Self {
        Self { arguments, entered: Mutex::default() }
    }

    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Stack> {
        self.entered.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl CurrentSpan {
    /// Starts the span and makes it the current one.
    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arguments = &self.arguments;
        let bound =
            |argument: &Option<Py<PyAny>>| argument.as_ref().map(|argument| argument.bind(py).clone());
        let (context, kind, attributes) =
            (bound(&arguments.context), bound(&arguments.kind), bound(&arguments.attributes));
        let (links, start_time) = (bound(&arguments.links), bound(&arguments.start_time));
        let start = Start {
            name: arguments.name.bind(py),
            context: context.as_ref(),
            kind: kind.as_ref(),
            attributes: attributes.as_ref(),
            links: links.as_ref(),
            time: start_time.as_ref(),
            records_exception: arguments.records_exception,
            sets_status: arguments.sets_status,
        };
        let span = arguments.tracer.get().start(py, &start)?;
        let token = context::with_span(&span, None).and_then(|context| context::attach(&context));
        let token = token.inspect_err(|error| not_recorded(py, error)).ok().map(Bound::unbind);
        let entered = Entered { span: span.clone().unbind(), token };
        let mut stack = self.lock(py);
        if stack.first.is_none() {
            stack.first = Some(entered);
        } else {
            stack.others.push(entered);
        }
        drop(stack);
        Ok(span)
    }

    /// Makes the span before it the current one, records an exception, and ends the span.
    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        exc_val: &Bound<'_, PyAny>,
        _exc_tb: &Bound<'_, PyAny>,
    ) {
        let entered = {
            let mut stack = self.lock(py);
            stack.others.pop().or_else(|| stack.first.take())
        };
        let Some(Entered { span, token }) = entered else { return };
        if let Some(token) = token {
            let _ = context::detach(token.bind(py)).inspect_err(|error| not_recorded(py, error));
        }
        let Arguments { records_exception, sets_status, ends, .. } = self.arguments;
        // One that records nothing has nothing to end either.
        let Ok(span) = span.bind(py).cast::<Span>() else { return };
        // Others, such as GeneratorExit, are no errors.
        if exc_val.is_instance_of::<PyException>() {
            Span::left_by(span, exc_val, false, records_exception, sets_status);
        }
        if ends {
            let _ = Span::end_at(span, None).inspect_err(|error| not_recorded(py, error));
        }
    }

    /// Decorates a function: each call is a span.
    fn __call__<'py>(slf: &Bound<'py, Self>, func: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        DECORATE.get(slf.py())?.call1((slf.getattr(intern!(slf.py(), "_recreate_cm"))?, func))
    }

    /// Another object with the same arguments: calls that run at the same time must not share one.
    fn _recreate_cm(&self, py: Python<'_>) -> Self {
        let arguments = &self.arguments;
        let copy = |argument: &Option<Py<PyAny>>| argument.as_ref().map(|argument| argument.clone_ref(py));
        Self::new(Arguments {
            tracer: arguments.tracer.clone_ref(py),
            name: arguments.name.clone_ref(py),
            context: copy(&arguments.context),
            kind: copy(&arguments.kind),
            attributes: copy(&arguments.attributes),
            links: copy(&arguments.links),
            start_time: copy(&arguments.start_time),
            ..*arguments
        })
    }
}
