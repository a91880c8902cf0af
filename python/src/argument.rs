//! Conversion of arguments. Every error names the argument, and nothing is converted silently: a `bool` is no
//! number, a `float` no integer, and an id has exactly its length.

use crate::error::{Class, wrong_type, wrong_value};
use otlp_mmap_writer::{Number, ScopeRef, SpanContext, SpanKind, StatusCode, StringRef, Text};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBoolMethods, PyBytes, PyDict, PyFloat, PyInt, PyString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// Trace id and span id of a span.
pub(crate) type Ids = ([u8; 16], [u8; 8]);

/// A text; lone surrogates, which UTF-8 does not have, are an error.
pub(crate) fn text<'a>(argument: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let text = value.cast::<PyString>().map_err(|_| wrong_type(argument, "str", value))?;
    text.to_str().map_err(|_| wrong_value(value.py(), argument, "the text has a lone surrogate"))
}

/// A text, or `None`.
pub(crate) fn optional_text<'a>(
    argument: &str,
    value: Option<&'a Bound<'_, PyAny>>,
) -> PyResult<Option<&'a str>> {
    value.map(|value| text(argument, value)).transpose()
}

/// A path: a text, or an object that stands for one.
pub(crate) fn path(value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let py = value.py();
    let path: PathBuf = value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyTypeError>(py) {
            wrong_type("path", "str or os.PathLike[str]", value)
        } else if error.is_instance_of::<PyUnicodeEncodeError>(py) {
            wrong_value(py, "path", "the text has a lone surrogate")
        } else {
            error
        }
    })?;
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(wrong_value(py, "path", "the text has a null character"));
    }
    Ok(path)
}

/// An id of exactly `N` bytes.
pub(crate) fn id<const N: usize>(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<[u8; N]> {
    let bytes =
        value.cast::<PyBytes>().map_err(|_| wrong_type(argument, &format!("{N} bytes"), value))?.as_bytes();
    bytes.try_into().map_err(|_| {
        wrong_value(value.py(), argument, format_args!("expected {N} bytes, got {}", bytes.len()))
    })
}

/// An id that is not zero.
fn nonzero_id<const N: usize>(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<[u8; N]> {
    match id(argument, value)? {
        id if id == [0; N] => Err(wrong_value(value.py(), argument, "all bytes are zero")),
        id => Ok(id),
    }
}

/// Whole numbers that arguments are.
trait Whole: for<'a, 'py> FromPyObject<'a, 'py> {
    const RANGE: &str;
}

impl Whole for u32 {
    const RANGE: &str = "0 to 2**32-1";
}

impl Whole for u64 {
    const RANGE: &str = "0 to 2**64-1";
}

impl Whole for i32 {
    const RANGE: &str = "-2**31 to 2**31-1";
}

impl Whole for i64 {
    const RANGE: &str = "-2**63 to 2**63-1";
}

fn whole<T: Whole>(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_type(argument, "int", value));
    }
    value.extract().map_err(|_| {
        wrong_value(value.py(), argument, format_args!("{} is not in the range {}", shown(value), T::RANGE))
    })
}

/// A value for a message. An `int` of thousands of digits has no text.
fn shown(value: &Bound<'_, PyAny>) -> String {
    value.str().map_or_else(|_| "the value".to_owned(), |text| text.to_string_lossy().into_owned())
}

/// An unsigned 32-bit integer.
pub(crate) fn u32(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<u32> {
    whole(argument, value)
}

/// An unsigned 64-bit integer.
pub(crate) fn u64(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    whole(argument, value)
}

/// A signed 32-bit integer.
pub(crate) fn i32(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<i32> {
    whole(argument, value)
}

/// A reference that the writer gave out. Numbers that cannot be one are unknown like any other.
pub(crate) fn reference(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<u32> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_type(argument, "a reference (int)", value));
    }
    value.extract().map_err(|_| {
        Class::UnknownReference
            .error(value.py(), format_args!("{argument}: {} is no reference of this recording", shown(value)))
    })
}

/// A time in unix nanoseconds.
pub(crate) fn time(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    whole(argument, value)
}

/// An `int` of 64 bits, or a `float`.
pub(crate) fn number(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Number> {
    if let Ok(double) = value.cast::<PyFloat>() {
        return Ok(Number::Double(double.value()));
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        return whole(argument, value).map(Number::Int);
    }
    Err(wrong_type(argument, "int or float", value))
}

/// A `bool`.
pub(crate) fn boolean(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.cast::<PyBool>().map(PyBoolMethods::is_true).map_err(|_| wrong_type(argument, "bool", value))
}

/// A finite `float` or `int` of seconds, not negative.
pub(crate) fn seconds(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds = double(argument, value)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        wrong_value(value.py(), argument, format_args!("{seconds} is no length of time in seconds"))
    })
}

/// A `float`, or an `int` as one.
pub(crate) fn double(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    if value.is_instance_of::<PyBool>() {
        return Err(wrong_type(argument, "float", value));
    }
    value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            return wrong_value(value.py(), argument, "the int is too large for a float");
        }
        wrong_type(argument, "float", value)
    })
}

/// OTLP's number of a span kind.
pub(crate) fn span_kind(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<SpanKind> {
    Ok(match whole::<u64>(argument, value)? {
        0 => SpanKind::Unspecified,
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        other => {
            return Err(wrong_value(value.py(), argument, format_args!("{other} is not a SpanKind, 0 to 5")));
        }
    })
}

/// OTLP's number of a span's status.
pub(crate) fn status_code(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<StatusCode> {
    Ok(match whole::<u64>(argument, value)? {
        0 => StatusCode::Unset,
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        other => {
            return Err(wrong_value(
                value.py(),
                argument,
                format_args!("{other} is not a StatusCode, 0 to 2"),
            ));
        }
    })
}

/// An argument that may be left out.
pub(crate) fn or_else<T>(
    default: T,
    argument: &str,
    value: Option<&Bound<'_, PyAny>>,
    convert: impl FnOnce(&str, &Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<T> {
    value.map_or(Ok(default), |value| convert(argument, value))
}

/// An instrumentation scope.
pub(crate) fn scope(value: &Bound<'_, PyAny>) -> PyResult<ScopeRef> {
    reference("instrumentation_scope_ref", value).map(ScopeRef::from_raw)
}

/// The ids of a span; neither may be zero.
pub(crate) fn ids(trace_id: &Bound<'_, PyAny>, span_id: &Bound<'_, PyAny>) -> PyResult<Ids> {
    Ok((nonzero_id("trace_id", trace_id)?, nonzero_id("span_id", span_id)?))
}

/// The name of an event; `None` and 0 are none.
pub(crate) fn event_name<'a>(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Text<'a>>> {
    let reference = value.map_or(Ok(0), |value| reference("event_name_ref", value))?;
    Ok((reference != 0).then(|| Text::Ref(StringRef::from_raw(reference))))
}

/// A count of what was left out.
pub(crate) fn dropped(value: Option<&Bound<'_, PyAny>>) -> PyResult<u32> {
    or_else(0, "dropped_attributes_count", value, u32)
}

const SPAN_CONTEXT: &str = "span_context";

/// The argument `span_context`: a dictionary of `trace_id`, `span_id` and, if it is not 0, `flags`.
pub(crate) fn span_context(value: &Bound<'_, PyAny>) -> PyResult<SpanContext> {
    let py = value.py();
    let entries = value.cast::<PyDict>().map_err(|_| wrong_type(SPAN_CONTEXT, "dict", value))?;
    let found = entries.get_item(intern!(py, "flags"))?;
    let context = SpanContext {
        trace_id: nonzero_id("span_context['trace_id']", &required(entries, intern!(py, "trace_id"))?)?,
        span_id: nonzero_id("span_context['span_id']", &required(entries, intern!(py, "span_id"))?)?,
        flags: or_else(0, "span_context['flags']", found.as_ref(), u32)?,
    };
    if entries.len() == 2 + usize::from(found.is_some()) { Ok(context) } else { Err(unknown_key(entries)) }
}

fn required<'py>(entries: &Bound<'py, PyDict>, key: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    let missing = || wrong_value(key.py(), SPAN_CONTEXT, format_args!("no '{key}' in the dict"));
    entries.get_item(key)?.ok_or_else(missing)
}

/// The error for a span context that holds something else as well.
#[cold]
fn unknown_key(entries: &Bound<'_, PyDict>) -> PyErr {
    let known = |key: &Bound<'_, PyAny>| {
        key.extract::<&str>().is_ok_and(|key| ["trace_id", "span_id", "flags"].contains(&key))
    };
    let repr =
        |key: Bound<'_, PyAny>| key.repr().map_or_else(|_| "a key".to_owned(), |text| text.to_string());
    let unknown: Vec<_> = entries.keys().iter().filter(|key| !known(key)).map(repr).collect();
    wrong_value(
        entries.py(),
        SPAN_CONTEXT,
        format_args!("{} is no part of a span context", unknown.join(", ")),
    )
}
