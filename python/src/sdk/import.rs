//! Objects of Python modules that natives use.
//!
//! An interpreter that is ending imports nothing any more, and finalisers and exit handlers record all the same. So
//! whatever a native needs is looked up when the Python package of its signal is imported: `load` of each signal.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// An object of a Python module, looked up once.
pub(crate) struct Import {
    module: &'static str,
    name: &'static str,
    object: PyOnceLock<Py<PyAny>>,
}

impl Import {
    /// Not looked up yet.
    pub(crate) const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, object: PyOnceLock::new() }
    }

    /// The object.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        self.object.import(py, self.module, self.name)
    }
}

/// Looks objects up.
pub(crate) fn load(py: Python<'_>, imports: &[&Import]) -> PyResult<()> {
    imports.iter().try_for_each(|import| import.get(py).map(drop))
}
