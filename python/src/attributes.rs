//! Attributes: a Python mapping as the writer's [`Attributes`], encoded straight into the record.
//!
//! `str`, `bool`, `int` (64 bits), `float`, `bytes`, `None` (OTLP's empty value), lists and tuples, and nested
//! mappings. No Python code runs while a dictionary is encoded: keys and values are looked at by their C layout.

use crate::error::{wrong_type, wrong_value};
use otlp_mmap_writer::{AnyValue, Attributes, Encoder, Error, Key};
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use std::fmt;
use std::sync::OnceLock;

/// What attributes and bodies may hold, for messages.
const TYPES: &str = "str, bool, int, float, bytes, None, list, tuple or dict";

/// The attributes argument of a call.
pub(crate) struct Entries {
    entries: Option<Py<PyDict>>,
    encoding: Encoding,
}

impl Entries {
    /// Attributes from a mapping; `None` has none.
    pub(crate) fn new(argument: &'static str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let entries = match value {
            None => None,
            Some(value) if value.is_none() => None,
            Some(value) => Some(dictionary(argument, value)?.unbind()),
        };
        Ok(Self { entries, encoding: Encoding::new(argument) })
    }

    /// The exception that made `encode` fail, if it failed.
    pub(crate) fn failure(&self, py: Python<'_>) -> Option<PyErr> {
        self.encoding.error.get().map(|error| error.clone_ref(py))
    }
}

impl Attributes for Entries {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        let Some(entries) = &self.entries else { return Ok(()) };
        Python::attach(|py| self.encoding.map(entries.bind(py), None, encoder))
    }
}

/// The body argument of an event.
pub(crate) struct Body {
    value: Py<PyAny>,
    encoding: Encoding,
}

impl Body {
    /// A body of any value.
    pub(crate) fn new(argument: &'static str, value: &Bound<'_, PyAny>) -> Self {
        Self { value: value.clone().unbind(), encoding: Encoding::new(argument) }
    }

    /// The exception that made `encode_value` fail, if it failed.
    pub(crate) fn failure(&self, py: Python<'_>) -> Option<PyErr> {
        self.encoding.error.get().map(|error| error.clone_ref(py))
    }
}

impl AnyValue for Body {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        Python::attach(|py| self.encoding.value(key, self.value.bind(py), None, encoder))
    }
}

/// The dictionary of an attributes argument; any other mapping is copied into one.
fn dictionary<'py>(argument: &str, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    if let Ok(entries) = value.cast::<PyDict>() {
        return Ok(entries.clone());
    }
    let mapping = value.cast::<PyMapping>().map_err(|_| wrong_type(argument, "dict", value))?;
    Ok(value.py().get_type::<PyDict>().call1((mapping,))?.cast_into::<PyDict>()?)
}

/// Where in an argument a value stands: a list through the stack frames that encode it.
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Key(key) => write!(f, "['{key}']"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Encodes, and keeps the exception that encoding ended with: the writer's own errors carry none.
pub(crate) struct Encoding {
    argument: &'static str,
    error: OnceLock<PyErr>,
}

impl Encoding {
    /// For messages about an argument.
    pub(crate) const fn new(argument: &'static str) -> Self {
        Self { argument, error: OnceLock::new() }
    }

    fn map(
        &self,
        entries: &Bound<'_, PyDict>,
        at: Option<&Place<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        // Other threads of a free-threaded interpreter wait; with a GIL this costs nothing.
        with_critical_section(entries, || {
            entries.iter().try_for_each(|(key, value)| self.entry(&key, &value, at, encoder))
        })
    }

    fn entry(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        at: Option<&Place<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        let Ok(text) = key.cast::<PyString>() else {
            return Err(self.keep(wrong_type(self.name(at), "keys of type str", key)));
        };
        let Ok(text) = text.to_str() else {
            let shown = key.repr().map_or_else(|_| String::new(), |shown| shown.to_string());
            let reason = format!("the key {shown} has a lone surrogate");
            return Err(self.keep(wrong_value(key.py(), self.name(at), reason)));
        };
        if text.is_empty() {
            return Err(self.keep(wrong_value(key.py(), self.name(at), "a key is empty")));
        }
        let place = Place { parent: at, step: Step::Key(text) };
        self.value(Key::Str(text), value, Some(&place), encoder)
    }

    /// Encodes one value.
    pub(crate) fn value(
        &self,
        key: Key<'_>,
        value: &Bound<'_, PyAny>,
        at: Option<&Place<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        if let Ok(text) = value.cast::<PyString>() {
            return match text.to_str() {
                Ok(text) => encoder.string(key, text),
                Err(_) => {
                    Err(self.keep(wrong_value(value.py(), self.name(at), "the text has a lone surrogate")))
                }
            };
        }
        // A bool is an int too.
        if let Ok(flag) = value.cast::<PyBool>() {
            return encoder.bool(key, flag.is_true());
        }
        if value.is_instance_of::<PyInt>() {
            return match value.extract() {
                Ok(number) => encoder.int(key, number),
                Err(_) => {
                    Err(self.keep(wrong_value(value.py(), self.name(at), "the int does not fit 64 bits")))
                }
            };
        }
        if let Ok(number) = value.cast::<PyFloat>() {
            return encoder.double(key, number.value());
        }
        self.rare(key, value, at, encoder)
    }

    fn rare(
        &self,
        key: Key<'_>,
        value: &Bound<'_, PyAny>,
        at: Option<&Place<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        if let Ok(elements) = value.cast::<PyList>() {
            return encoder.array(key, |encoder| self.array(elements.iter(), at, encoder));
        }
        if let Ok(elements) = value.cast::<PyTuple>() {
            return encoder.array(key, |encoder| self.array(elements.iter(), at, encoder));
        }
        if let Ok(entries) = value.cast::<PyDict>() {
            return encoder.map(key, |encoder| self.map(entries, at, encoder));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return encoder.bytes(key, bytes.as_bytes());
        }
        if value.is_none() {
            return encoder.empty(key);
        }
        Err(self.keep(wrong_type(self.name(at), TYPES, value)))
    }

    fn array<'py>(
        &self,
        elements: impl Iterator<Item = Bound<'py, PyAny>>,
        at: Option<&Place<'_>>,
        encoder: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        for (index, element) in elements.enumerate() {
            let place = Place { parent: at, step: Step::Index(index) };
            self.value(Key::None, &element, Some(&place), encoder)?;
        }
        Ok(())
    }

    /// The argument and the place in it, for messages.
    fn name(&self, at: Option<&Place<'_>>) -> String {
        at.map_or_else(|| self.argument.to_owned(), |place| format!("{}{place}", self.argument))
    }

    /// Keeps the first exception; what is returned only tells the writer to stop.
    fn keep(&self, error: PyErr) -> Error {
        let _ = self.error.set(error);
        Error::Invalid { argument: self.argument, reason: String::new() }
    }
}
