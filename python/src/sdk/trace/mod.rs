//! The hot half of `otlp_mmap.sdk.trace`: tracers and spans.
//!
//! The way of a span: `tracer` finds the parent (`identity`), asks the sampler (`sampler`), takes ids (`ids`) and
//! has the writer start it (`setup`); `span` (for Python: `methods`) records what is set and its end, and keeps it
//! (`state`) for those who look at it in the process (`readable`) and for processors (`hooks`). `current` is
//! `start_as_current_span`.

mod api;
mod current;
mod hooks;
mod identity;
mod ids;
mod methods;
mod nonrecording;
mod readable;
mod sampler;
mod setup;
mod span;
mod state;
mod tracer;

use crate::sdk::import;
use crate::sdk::log::Once;
use pyo3::prelude::*;
use pyo3::types::PyFloat;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use identity::{load_parents, recorded_in};

/// Where warnings about spans go.
const LOGGER: &str = "otlp_mmap.sdk.trace";

/// Adds the classes to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<span::Span>()?;
    module.add_class::<nonrecording::NonRecordingSpan>()?;
    module.add_class::<hooks::SpanHooks>()?;
    module.add_class::<tracer::Tracer>()?;
    module.add_class::<current::CurrentSpan>()?;
    module.add_function(wrap_pyfunction!(load_traces, module)?)
}

/// Looks up what tracers and spans need of Python: an interpreter that is ending imports nothing any more.
#[pyfunction(name = "_load_traces")]
fn load_traces(py: Python<'_>) -> PyResult<()> {
    crate::sdk::load(py)?;
    api::load(py)?;
    readable::load(py)?;
    sampler::load(py)?;
    import::load(py, &[&setup::RANDOM_IDS, &current::DECORATE])
}

/// The time, in unix nanoseconds.
#[inline]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A time that the application gave, in unix nanoseconds; now for `None` and for what is no time.
fn time(value: &Bound<'_, PyAny>) -> u64 {
    if value.is_none() {
        return now();
    }
    let found = value.extract::<u64>().or_else(|error| match value.cast::<PyFloat>() {
        Ok(float) if float.value() >= 0.0 => whole(float.value()).ok_or(error),
        _ => Err(error),
    });
    found.unwrap_or_else(|error| {
        static SAID: Once = Once::new();
        let message = format_args!("a time is not in unix nanoseconds; now is taken (said once): {error}");
        SAID.said(value.py(), LOGGER, message);
        now()
    })
}

/// A float as a whole number, if it is in the range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the range is checked
fn whole(number: f64) -> Option<u64> {
    // 2^64, the first number that does not fit.
    (number < 18_446_744_073_709_551_616.0).then_some(number as u64)
}
