//! The span processors of a provider, beside the file: paid for only when there is one.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::span::Span;
use crate::sdk::log::Once;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the spans of a provider are shown to its processors.
///
/// Args:
///     processor: the one that is called, usually one that calls others.
///     is_active: False: it has nobody to call yet, see `activate`.
#[pyclass(frozen, module = "otlp_mmap._native")]
pub(crate) struct SpanHooks {
    processor: Py<PyAny>,
    is_active: AtomicBool,
}

#[pymethods]
impl SpanHooks {
    #[new]
    #[pyo3(signature = (processor, is_active=true))]
    fn new(processor: Py<PyAny>, is_active: bool) -> Self {
        Self { processor, is_active: AtomicBool::new(is_active) }
    }

    /// From now on the processor is called.
    fn activate(&self) {
        self.is_active.store(true, Ordering::Relaxed);
    }

    /// The processor that is called.
    #[getter]
    pub(crate) fn processor(&self, py: Python<'_>) -> Py<PyAny> {
        self.processor.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.processor)
    }
}

impl SpanHooks {
    /// Whether there is a processor to call.
    #[inline]
    pub(crate) fn are_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    /// A span has started, whose parent is in `parent_context`, or in the current one if that is `None`.
    pub(crate) fn on_start(&self, span: &Bound<'_, Span>, parent_context: Option<&Bound<'_, PyAny>>) {
        static SAID: Once = Once::new();
        let py = span.py();
        let called = pyo3::types::PyDict::new(py);
        let called = called.set_item(intern!(py, "parent_context"), parent_context).and_then(|()| {
            self.processor.bind(py).call_method(intern!(py, "on_start"), (span,), Some(&called))
        });
        said(py, &SAID, "on_start", called);
    }

    /// A span is ending. Processors of others may not have this method.
    pub(crate) fn on_ending(&self, span: &Bound<'_, Span>) {
        static SAID: Once = Once::new();
        let py = span.py();
        let processor = self.processor.bind(py);
        match processor.getattr_opt(intern!(py, "_on_ending")) {
            Ok(Some(method)) => said(py, &SAID, "_on_ending", method.call1((span,))),
            Ok(None) => {}
            Err(error) => said(py, &SAID, "_on_ending", Err(error)),
        }
    }

    /// A span has ended.
    pub(crate) fn on_end(&self, py: Python<'_>, readable: PyResult<Bound<'_, PyAny>>) {
        static SAID: Once = Once::new();
        let called = readable
            .and_then(|readable| self.processor.bind(py).call_method1(intern!(py, "on_end"), (readable,)));
        said(py, &SAID, "on_end", called);
    }
}

/// What a processor raises does not reach the application.
fn said(py: Python<'_>, once: &Once, method: &str, called: PyResult<Bound<'_, PyAny>>) {
    if let Err(error) = called {
        once.said(
            py,
            super::LOGGER,
            format_args!("a span processor's {method} raised (this is said once): {error}"),
        );
    }
}
