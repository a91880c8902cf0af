//! A log record as the writer takes it: every value is clean, the trace context is found, the limits are applied.

use super::LOGGER;
use super::exception::Exception;
use crate::attributes::Entries;
use crate::call::Calls;
use crate::error::{from_writer, is_loss};
use crate::sdk::attributes::{Clean, CleanValue, Cleaned, Entry, clean, clean_text, is_plain};
use crate::sdk::import::Import;
use crate::sdk::log::{self, Once};
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{Encoder, Error, ScopeRef, Signal, Text};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString};
use std::time::{SystemTime, UNIX_EPOCH};

/// The limits of a log record's attributes; `None`: there is none.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    /// Most attributes. The newest ones are kept.
    pub(super) count: Option<usize>,
    /// Most characters of a text.
    pub(super) length: Option<usize>,
}

/// The attributes of a log record.
pub(super) enum Attributes {
    /// The caller's dictionary, which is clean as it is.
    Given(Entries),
    /// Clean ones.
    Cleaned(Vec<Entry>),
}

impl Default for Attributes {
    fn default() -> Self {
        Self::Cleaned(Vec::new())
    }
}

impl recorder::Attributes for Attributes {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        match self {
            Self::Given(entries) => entries.encode(encoder),
            Self::Cleaned(entries) => Clean(entries).encode(encoder),
        }
    }
}

/// A log record.
#[derive(Default)]
pub(super) struct Record<'py> {
    /// Unix nanoseconds; 0: unknown.
    pub(super) time: u64,
    /// Unix nanoseconds.
    pub(super) observed_time: u64,
    pub(super) context: Option<recorder::SpanContext>,
    /// OTLP's, 0 to 24.
    pub(super) severity_number: u32,
    pub(super) severity_text: Option<Bound<'py, PyString>>,
    pub(super) body: Option<Py<PyAny>>,
    pub(super) attributes: Attributes,
    pub(super) dropped: u32,
    pub(super) name: Option<Bound<'py, PyString>>,
}

impl Record<'_> {
    /// Holds the attributes to a limit. The oldest give way, as in OpenTelemetry's Python SDK.
    pub(super) fn limit(&mut self, py: Python<'_>, count: Option<usize>) {
        // Those of a caller's dictionary are not more.
        let Attributes::Cleaned(entries) = &mut self.attributes else { return };
        let over = count.map_or(0, |count| entries.len().saturating_sub(count));
        if over == 0 {
            return;
        }
        entries.drain(..over);
        self.dropped = self.dropped.saturating_add(u32::try_from(over).unwrap_or(u32::MAX));
        warn_of_dropped(py);
    }

    /// Writes the record. What is lost is counted in the file, and said once if it is not for want of room.
    pub(super) fn write(&self, py: Python<'_>, calls: &Calls, scope: ScopeRef) {
        let body = self.body.as_ref().map(CleanValue);
        let severity_text = self.severity_text.as_ref().map_or("", text);
        let name = self.name.as_ref().map(text);
        let attributes = &self.attributes;
        let (context, dropped) = (self.context, self.dropped);
        let (time, observed_time, severity_number) = (self.time, self.observed_time, self.severity_number);
        let result = calls.run(py, |writer| {
            writer.record_event(&recorder::Event {
                scope,
                context,
                name: name.map(Text::Str),
                time_unix_nano: time,
                observed_time_unix_nano: observed_time,
                severity_number,
                severity_text,
                body: body.as_ref().map(|body| body as &dyn recorder::AnyValue),
                attributes,
                dropped_attributes_count: dropped,
            })
        });
        match result {
            Err(error) if !is_loss(&error) && !matches!(error, Error::Closed) => {
                not_recorded(py, &from_writer(py, &error));
            }
            _ => {}
        }
    }
}

/// Says once that log records are not recorded.
#[cold]
pub(super) fn not_recorded(py: Python<'_>, error: &PyErr) {
    static SAID: Once = Once::new();
    SAID.not_recorded(py, LOGGER, "a log record", error);
}

/// Counts a record that was refused before the writer was called, and says it once.
#[cold]
pub(super) fn refused(py: Python<'_>, calls: &Calls, error: &PyErr) {
    // Without a file there is nowhere to count.
    let _ = calls.writer.count_invalid(Signal::Events);
    not_recorded(py, error);
}

/// A clean text is valid UTF-8.
fn text<'a>(text: &'a Bound<'_, PyString>) -> &'a str {
    text.to_str().unwrap_or_default()
}

/// The realtime clock, unix nanoseconds.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A time that was given; 0 for one that is no time in unix nanoseconds, which is said.
pub(super) fn time(argument: &str, value: &Bound<'_, PyAny>) -> u64 {
    value.extract().unwrap_or_else(|_| {
        log::warning(value.py(), LOGGER, format_args!("{argument} is not a time in unix nanoseconds"));
        0
    })
}

/// The span that a record names by its ids; `None` if one of them is zero or no id.
pub(super) fn ids(
    trace_id: Option<Bound<'_, PyAny>>,
    span_id: Option<Bound<'_, PyAny>>,
    flags: Option<Bound<'_, PyAny>>,
) -> Option<recorder::SpanContext> {
    let trace_id = trace_id?.extract::<u128>().ok().filter(|id| *id != 0)?;
    let span_id = span_id?.extract::<u64>().ok().filter(|id| *id != 0)?;
    let flags = flags.and_then(|flags| flags.extract::<u8>().ok()).unwrap_or(0);
    Some(recorder::SpanContext {
        trace_id: trace_id.to_be_bytes(),
        span_id: span_id.to_be_bytes(),
        flags: u32::from(flags),
    })
}

/// The number of a severity: a member of the API's `SeverityNumber`, or its value.
pub(super) fn severity(value: &Bound<'_, PyAny>) -> u32 {
    let py = value.py();
    let member = severities(py).ok().and_then(|members| members.iter().position(|member| value.is(member)));
    let number = match member {
        Some(number) => u32::try_from(number).ok(),
        None => value.cast::<PyInt>().ok().and_then(|number| number.extract().ok()),
    };
    number.filter(|number| *number <= 24).unwrap_or_else(|| {
        log::warning(py, LOGGER, "severity_number is not a SeverityNumber");
        0
    })
}

/// The members of the API's `SeverityNumber`, by their numbers.
fn severities(py: Python<'_>) -> PyResult<&[Py<PyAny>; 25]> {
    static MEMBERS: PyOnceLock<[Py<PyAny>; 25]> = PyOnceLock::new();
    MEMBERS.get_or_try_init(py, || {
        let class = py.import("opentelemetry._logs")?.getattr("SeverityNumber")?;
        let members: Vec<_> =
            (0..25).map(|number| class.call1((number,)).map(Bound::unbind)).collect::<PyResult<_>>()?;
        members.try_into().map_err(|_| PyTypeError::new_err("another number of severities"))
    })
}

/// A text that was given; another object's text, and none of `None` and the empty text.
pub(super) fn optional_text<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    if value.is_none() {
        return None;
    }
    let text = value.cast::<PyString>().map_or_else(|_| value.str().ok(), |text| Some(text.clone()));
    text.map(|text| clean_text(&text, None)).filter(|text| !text.is_empty().unwrap_or(true))
}

/// A body that was given. Limits do not apply to it.
pub(super) fn body(value: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
    (!value.is_none()).then(|| clean(value, None).unbind())
}

/// Attributes that were given, behind those of an exception, which give way to them; and how many were no attributes.
pub(super) fn attributes(
    py: Python<'_>,
    attributes: Option<&Bound<'_, PyAny>>,
    exception: Option<&Bound<'_, PyAny>>,
    limits: Limits,
) -> PyResult<(Attributes, u32)> {
    let exception = exception.filter(|exception| !exception.is_none());
    if let Some(given) = attributes.filter(|_| exception.is_none() && limits.length.is_none()) {
        let dictionary = given.cast_exact::<PyDict>().ok();
        let fits = |given: &&Bound<'_, PyDict>| limits.count.is_none_or(|count| given.len() <= count);
        if dictionary.filter(fits).is_some_and(is_plain) {
            return Ok((Attributes::Given(Entries::new("attributes", Some(given))?), 0));
        }
    }
    let cleaned = Cleaned::new(attributes, limits.length);
    let mut given = cleaned.entries;
    if !cleaned.are_distinct && given.len() > 1 {
        given = distinct(py, given);
    }
    let Some(exception) = exception else { return Ok((Attributes::Cleaned(given), cleaned.dropped)) };
    let mut entries = Vec::with_capacity(given.len() + 3);
    Exception::of(exception)?.add_to(&mut entries, py, limits.length, |key| has(&given, key));
    entries.extend(given);
    Ok((Attributes::Cleaned(entries), cleaned.dropped))
}

/// The last value of each key.
#[cold]
fn distinct(py: Python<'_>, entries: Vec<Entry>) -> Vec<Entry> {
    let mut distinct: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let known = distinct.iter_mut().find(|(found, _)| is_same(found.bind(py), entry.0.bind(py)));
        match known {
            Some(known) => *known = entry,
            None => distinct.push(entry),
        }
    }
    distinct
}

fn has(entries: &[Entry], key: &Bound<'_, PyString>) -> bool {
    entries.iter().any(|(found, _)| is_same(found.bind(key.py()), key))
}

/// Whether two clean keys are the same.
pub(super) fn is_same(key: &Bound<'_, PyString>, other: &Bound<'_, PyString>) -> bool {
    key.is(other) || text(key) == text(other)
}

/// The warning that the application may filter, as any other one of Python.
#[cold]
fn warn_of_dropped(py: Python<'_>) {
    // A filter may make an error of it, which must not reach the application.
    drop(WARN.get(py).and_then(PyAnyMethods::call0));
}

static WARN: Import = Import::new("otlp_mmap.sdk._logs._internal._records", "_warn_of_dropped_attributes");

/// Looks up the severities and the warning.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    severities(py)?;
    WARN.get(py).map(drop)
}
