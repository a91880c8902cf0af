//! Exceptions as attributes (OTel semantic conventions, "exception.*").

use crate::sdk::attributes::{Entry, clean_text};
use crate::sdk::import::Import;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// What an exception says of itself, each part if it has it.
#[derive(Default)]
pub(super) struct Exception<'py> {
    kind: Option<Bound<'py, PyString>>,
    message: Option<Bound<'py, PyString>>,
    stacktrace: Option<Bound<'py, PyString>>,
}

impl<'py> Exception<'py> {
    /// Of an exception that was given to `Logger.emit`.
    pub(super) fn of(exception: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = exception.py();
        let class = exception.get_type();
        let module = class.getattr(intern!(py, "__module__"))?;
        let name = class.getattr(intern!(py, "__qualname__"))?.cast_into::<PyString>()?;
        let kind = match module.extract::<&str>() {
            Ok(module) if !module.is_empty() && module != "builtins" => {
                PyString::new(py, &format!("{module}.{name}"))
            }
            _ => name,
        };
        let traceback = exception.getattr_opt(intern!(py, "__traceback__"))?;
        // An exception whose own code fails has no text.
        let stacktrace = formatted((&class, exception, traceback).into_pyobject(py)?).ok();
        Ok(Self { kind: Some(kind), message: exception.str().ok(), stacktrace })
    }

    /// Of the `exc_info` of a record of `logging`, in the way of OpenTelemetry's handler.
    pub(super) fn of_info(info: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let py = info.py();
        let (class, value, traceback): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) =
            info.extract()?;
        let kind = class.getattr_opt(intern!(py, "__name__"))?.and_then(|name| name.cast_into().ok());
        let arguments =
            value.getattr_opt(intern!(py, "args"))?.and_then(|found| found.cast_into::<PyTuple>().ok());
        let first = arguments.and_then(|arguments| arguments.get_item(0).ok());
        let stacktrace = if traceback.is_none() { None } else { formatted(info.clone()).ok() };
        Ok(Self { kind, message: first.and_then(|first| first.str().ok()), stacktrace })
    }

    /// Its attributes, but those whose key `has` knows already.
    pub(super) fn add_to(
        self,
        entries: &mut Vec<Entry>,
        py: Python<'py>,
        max_length: Option<usize>,
        has: impl Fn(&Bound<'_, PyString>) -> bool,
    ) {
        let attributes = [
            (intern!(py, "exception.type"), self.kind),
            (intern!(py, "exception.message"), self.message),
            (intern!(py, "exception.stacktrace"), self.stacktrace),
        ];
        for (key, text) in attributes {
            if let Some(text) = text.filter(|_| !has(key)) {
                entries.push((key.clone().unbind(), clean_text(&text, max_length).into_any().unbind()));
            }
        }
    }
}

pub(super) static FORMAT: Import =
    Import::new("otlp_mmap.sdk._shared_internal._exceptions", "format_exception");

/// The text of class, exception and traceback.
fn formatted(arguments: Bound<'_, PyTuple>) -> PyResult<Bound<'_, PyString>> {
    let py = arguments.py();
    Ok(FORMAT.get(py)?.call1(arguments)?.cast_into()?)
}
