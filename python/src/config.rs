//! The arguments of `Writer` that configure a recording. What is left out keeps the writer's default.

use crate::argument;
use crate::error::wrong_value;
use otlp_mmap_writer::Overflow;
use pyo3::prelude::*;

/// Sets a field of the configuration if its argument is given.
pub(crate) fn set<T>(
    field: &mut T,
    argument: &str,
    value: Option<&Bound<'_, PyAny>>,
    convert: impl FnOnce(&str, &Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<()> {
    if let Some(value) = value {
        *field = convert(argument, value)?;
    }
    Ok(())
}

/// The overflow policy by its name.
pub(crate) fn policy(
    py: Python<'_>,
    overflow: Option<&Bound<'_, PyAny>>,
    block_timeout: Option<&Bound<'_, PyAny>>,
) -> PyResult<Overflow> {
    let timeout = block_timeout.map(|timeout| argument::seconds("block_timeout", timeout)).transpose()?;
    let policy = match argument::optional_text("overflow", overflow)?.unwrap_or("overwrite-oldest") {
        "overwrite-oldest" => Overflow::OverwriteOldest,
        "discard-newest" => Overflow::DiscardNewest,
        "block" => {
            let missing =
                || wrong_value(py, "block_timeout", "overflow=\"block\" needs a timeout in seconds");
            return Ok(Overflow::Block { timeout: timeout.ok_or_else(missing)? });
        }
        other => {
            let known = "\"overwrite-oldest\", \"discard-newest\" or \"block\"";
            return Err(wrong_value(py, "overflow", format_args!("{other:?} is not {known}")));
        }
    };
    if timeout.is_some() {
        return Err(wrong_value(py, "block_timeout", "only overflow=\"block\" has a timeout"));
    }
    Ok(policy)
}
