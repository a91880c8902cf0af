//! What the SDK has to say to its user goes to Python's `logging`, to loggers named after our Python modules.

use super::import::Import;
use pyo3::intern;
use pyo3::prelude::*;
use std::cell::Cell;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// This thread is in `warning`.
    static IS_WARNING: Cell<bool> = const { Cell::new(false) };
}

/// Logs a warning. It is about the caller's use of the API; nothing is raised.
///
/// A handler of `logging` may record what is said here, and that may be worth a warning again: that one is left out.
#[cold]
pub(crate) fn warning(py: Python<'_>, logger: &str, message: impl Display) {
    if IS_WARNING.replace(true) {
        return;
    }
    say(py, logger, message);
    IS_WARNING.set(false);
}

fn say(py: Python<'_>, logger: &str, message: impl Display) {
    let said = logger_named(py, logger)
        .and_then(|logger| logger.call_method1(intern!(py, "warning"), ("%s", message.to_string())));
    if let Err(error) = said {
        error.write_unraisable(py, None);
    }
}

/// Something that is said once in a process, however often it happens.
pub(crate) struct Once(AtomicBool);

impl Once {
    /// Not said yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Logs, if it was not said yet, that telemetry was not recorded, with the exception that says why.
    #[cold]
    pub(crate) fn not_recorded(&self, py: Python<'_>, logger: &str, what: &str, error: &PyErr) {
        self.said(py, logger, format_args!("{what} was not recorded (this is said once): {error}"));
    }

    /// Logs a message if it was not said yet.
    #[cold]
    pub(crate) fn said(&self, py: Python<'_>, logger: &str, message: impl Display) {
        // Relaxed: nothing else is published with it.
        if !self.0.swap(true, Ordering::Relaxed) {
            warning(py, logger, message);
        }
    }
}

fn logger_named<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    GET_LOGGER.get(py)?.call1((name,))
}

static GET_LOGGER: Import = Import::new("logging", "getLogger");

/// Looks up what a warning needs.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    GET_LOGGER.get(py).map(drop)
}
