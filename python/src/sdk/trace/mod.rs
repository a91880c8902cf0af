//! The hot half of `otlp_mmap.sdk.trace`.

use pyo3::prelude::*;

/// Adds the classes to the extension module.
pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
