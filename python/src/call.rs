//! One call of a [`crate::writer::Writer`]: from arguments that are converted to an exception or a result.
//!
//! Every refused call is counted once. What the writer refuses it counts itself; what is refused here, before the
//! writer is called, is counted by [`Calls::of`].

use crate::argument::Ids;
use crate::attributes::Entries;
use crate::error::{from_writer, is_loss};
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{Error, ScopeRef, Signal, SpanRef};
use pyo3::prelude::*;

/// The writer, and how it is called.
pub(crate) struct Calls {
    pub(crate) writer: recorder::Writer,
    /// The policy is "block": a call may wait.
    pub(crate) waits: bool,
}

/// Who refused a call.
pub(crate) enum Refused {
    /// The glue: an argument could not be converted.
    Here(PyErr),
    /// The writer, which has counted it.
    ByWriter(PyErr),
}

impl From<PyErr> for Refused {
    fn from(error: PyErr) -> Self {
        Self::Here(error)
    }
}

impl Calls {
    /// Makes a call of a signal, and counts it as invalid if `call` refuses it.
    pub(crate) fn of<T>(&self, signal: Signal, call: impl FnOnce() -> Result<T, Refused>) -> PyResult<T> {
        call().map_err(|refused| match refused {
            Refused::ByWriter(error) => error,
            Refused::Here(error) => {
                // Without a file (a forked child's could not be created) there is nowhere to count.
                let _ = self.writer.count_invalid(signal);
                error
            }
        })
    }

    /// Calls the writer, without the interpreter if the call may wait.
    pub(crate) fn run<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&recorder::Writer) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if self.waits { py.detach(|| call(&self.writer)) } else { call(&self.writer) }
    }

    /// Records something; a loss is counted in the file and raises nothing.
    pub(crate) fn record(
        &self,
        py: Python<'_>,
        entries: &[&Entries],
        call: impl FnOnce(&recorder::Writer) -> Result<(), Error> + Send,
    ) -> Result<(), Refused> {
        recorded(py, entries, self.run(py, call))
    }

    /// Defines something that the caller gets a reference to.
    pub(crate) fn define(
        &self,
        py: Python<'_>,
        entries: &[&Entries],
        call: impl FnOnce(&recorder::Writer) -> Result<u32, Error> + Send,
    ) -> Result<u32, Refused> {
        self.run(py, call).map_err(|error| raised(py, entries, &error))
    }
}

/// What a call that records something comes to.
pub(crate) fn recorded(
    py: Python<'_>,
    entries: &[&Entries],
    result: Result<(), Error>,
) -> Result<(), Refused> {
    match result {
        Err(error) if !is_loss(&error) => Err(raised(py, entries, &error)),
        _ => Ok(()),
    }
}

/// The exception that the attributes met, or what the writer's error becomes.
fn raised(py: Python<'_>, entries: &[&Entries], error: &Error) -> Refused {
    let met = entries.iter().find_map(|entries| entries.failure(py));
    Refused::ByWriter(met.unwrap_or_else(|| from_writer(py, error)))
}

/// The span in flight with these ids.
pub(crate) fn find(writer: &recorder::Writer, scope: ScopeRef, ids: Ids) -> Result<SpanRef, Error> {
    writer.find_span(scope, ids.0, ids.1)
}
