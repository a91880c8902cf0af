//! The hot half of the Python SDK (`otlp_mmap.sdk`): tracers, spans, instruments and loggers as native classes.
//!
//! The way of the data: an application calls a native method; its arguments are cleaned once (`attributes`), the
//! current span is looked up without Python code (`context`), and the writer crate records into the file. What is
//! cold (providers, configuration, views, foreign samplers and processors) is Python.
//!
//! Nothing here raises into the application, but what the OpenTelemetry API raises by contract. No lock is held
//! while Python code can run: neither a call nor the release of an object.

pub(crate) mod attributes;
pub(crate) mod context;
pub(crate) mod import;
pub(crate) mod log;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod trace;

use pyo3::prelude::*;

/// Looks up the Python objects that every signal needs.
fn load(py: Python<'_>) -> PyResult<()> {
    crate::error::load(py)?;
    log::load(py)?;
    attributes::load(py);
    context::load(py)?;
    trace::load_parents(py)
}
