//! A span that records nothing: what a tracer starts when the sampler says so. Its children find their parent in it.

use super::identity::Identity;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// The API's `NonRecordingSpan`, whose context is made only when it is asked for.
#[pyclass(frozen, weakref, dict, module = "otlp_mmap.sdk.trace")]
pub(crate) struct NonRecordingSpan {
    pub(crate) identity: Arc<Identity>,
}

#[pymethods]
impl NonRecordingSpan {
    /// The context of the span.
    fn get_span_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.identity.to_api(py).cloned()
    }

    /// False.
    #[allow(clippy::unused_self)] // a method of Python
    fn is_recording(&self) -> bool {
        false
    }

    /// Does nothing.
    #[pyo3(signature = (end_time=None))]
    fn end(&self, end_time: Option<&Bound<'_, PyAny>>) {
        let _ = (self, end_time);
    }

    /// Does nothing.
    fn set_attributes(&self, attributes: &Bound<'_, PyAny>) {
        let _ = (self, attributes);
    }

    /// Does nothing.
    fn set_attribute(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        let _ = (self, key, value);
    }

    /// Does nothing.
    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    fn add_event(
        &self,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (self, name, attributes, timestamp);
    }

    /// Does nothing.
    #[pyo3(signature = (context, attributes=None))]
    fn add_link(&self, context: &Bound<'_, PyAny>, attributes: Option<&Bound<'_, PyAny>>) {
        let _ = (self, context, attributes);
    }

    /// Does nothing.
    fn update_name(&self, name: &Bound<'_, PyAny>) {
        let _ = (self, name);
    }

    /// Does nothing.
    #[pyo3(signature = (status, description=None))]
    fn set_status(&self, status: &Bound<'_, PyAny>, description: Option<&Bound<'_, PyAny>>) {
        let _ = (self, status, description);
    }

    /// Does nothing.
    #[pyo3(signature = (exception, attributes=None, timestamp=None, escaped=None))]
    fn record_exception(
        &self,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (self, exception, attributes, timestamp, escaped);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __exit__(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) {
        let _ = (self, args, kwargs);
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("NonRecordingSpan({})", self.identity.to_api(py)?.repr()?))
    }
}
