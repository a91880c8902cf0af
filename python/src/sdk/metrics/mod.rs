//! The hot half of `otlp_mmap.sdk.metrics`: instruments whose measurements go into the metric cells of the file.
//!
//! `instrument` has the classes that the Python instruments extend, `streams` the way of a measurement into its
//! series, `exemplar` the choice of exemplars. Views, readers and callbacks are Python; a metric reader that is
//! registered gets each measurement once more, by the method `_offer` of the instrument.

mod exemplar;
mod instrument;
mod streams;

use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// A switch that Python sets and that native calls look at.
#[pyclass(frozen, module = "otlp_mmap._native")]
pub(crate) struct Switch(AtomicBool);

#[pymethods]
impl Switch {
    #[new]
    fn new(on: bool) -> Self {
        Self(AtomicBool::new(on))
    }

    /// Whether it is on.
    #[getter]
    fn on(&self) -> bool {
        self.is_on()
    }

    /// Turns it on or off.
    fn turn(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

impl Switch {
    /// Relaxed: nothing else is published with it.
    #[inline]
    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds the classes to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Switch>()?;
    module.add_class::<instrument::Instrument>()?;
    module.add_class::<instrument::Counter>()?;
    module.add_class::<instrument::UpDownCounter>()?;
    module.add_class::<instrument::Histogram>()?;
    module.add_class::<instrument::Gauge>()?;
    module.add_function(wrap_pyfunction!(load_metrics, module)?)
}

/// Looks up what instruments need of Python: an interpreter that is ending imports nothing any more.
#[pyfunction(name = "_load_metrics")]
fn load_metrics(py: Python<'_>) -> PyResult<()> {
    crate::sdk::load(py)
}
