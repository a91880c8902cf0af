//! The extension module `otlp_mmap._native`: the writer and the reader for Python, the hot half of the SDK, and the
//! command line.
//!
//! Glue only: arguments are converted (`argument`, `attributes`, `aggregation`), one call of the writer or reader
//! crate is made (`call`), and its result or error is converted back (`model`, `error`). The state is the writer's
//! own, so the classes are frozen and free-threaded Python works.

mod aggregation;
mod argument;
mod attributes;
mod call;
mod config;
mod error;
mod model;
mod reader;
mod sdk;
mod writer;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;
    use std::ffi::OsString;

    #[pymodule_export]
    use crate::reader::Reader;
    #[pymodule_export]
    use crate::writer::Writer;

    /// Runs the command line `otlp-mmap` with `args`, the program's name first, and returns its exit code.
    #[pyfunction]
    fn main(py: Python<'_>, args: Vec<OsString>) -> i32 {
        py.detach(|| otlp_mmap::main_from(args.into_iter()))
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::sdk::trace::register(module)?;
        crate::sdk::metrics::register(module)?;
        crate::sdk::logs::register(module)
    }
}
