//! The hot half of `otlp_mmap.sdk._logs`.
//!
//! Log records come from `Logger.emit` (`logger`) and from the standard library's `logging` (`handler`); they are
//! cleaned into one form (`record`), which the writer takes. Processors, if a provider has any, are called by Python
//! code before that.

mod exception;
mod handler;
mod logger;
mod record;

use crate::sdk::import;
use pyo3::prelude::*;

const LOGGER: &str = "otlp_mmap.sdk._logs";

/// Adds the classes to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<logger::Logger>()?;
    module.add_class::<handler::LoggingHandler>()?;
    module.add_function(wrap_pyfunction!(load_logs, module)?)
}

/// Looks up what loggers need of Python: an interpreter that is ending imports nothing any more.
#[pyfunction(name = "_load_logs")]
fn load_logs(py: Python<'_>) -> PyResult<()> {
    crate::sdk::load(py)?;
    record::load(py)?;
    import::load(py, &[&exception::FORMAT, &handler::HANDLER, &handler::STANDARD])
}
