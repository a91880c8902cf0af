//! `Logger`: log records from the API straight into the file.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::record::{self, Limits, Record};
use crate::call::Calls;
use crate::sdk::trace::recorded_in;
use crate::writer::Writer;
use otlp_mmap_writer::ScopeRef;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The scope of a logger that has not asked for it yet.
const NOT_FOUND: u32 = u32::MAX;

type Argument<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Records log records of one instrumentation scope.
///
/// Args:
///     writer: of the file; None: only processors get the records.
///     max_attributes: of a log record; None: any number.
///     max_attribute_length: most characters of a text; None: any number.
#[pyclass(frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct Logger {
    writer: Option<Py<Writer>>,
    scope: AtomicU32,
    is_enabled: AtomicBool,
    is_processed: AtomicBool,
    limits: Limits,
}

// The arguments are the API's.
#[allow(clippy::too_many_arguments)]
#[pymethods]
impl Logger {
    #[new]
    #[pyo3(signature = (writer, max_attributes=None, max_attribute_length=None))]
    fn new(
        writer: Option<Py<Writer>>,
        max_attributes: Option<usize>,
        max_attribute_length: Option<usize>,
    ) -> Self {
        Self {
            writer,
            scope: AtomicU32::new(NOT_FOUND),
            is_enabled: AtomicBool::new(true),
            is_processed: AtomicBool::new(false),
            limits: Limits { count: max_attributes, length: max_attribute_length },
        }
    }

    /// Records a log record: one that was made before, or one of the arguments.
    ///
    /// Args:
    ///     record: an API `LogRecord`, or a `ReadWriteLogRecord`.
    ///     timestamp: when it happened, unix nanoseconds.
    ///     observed_timestamp: when it was seen, unix nanoseconds; by default now.
    ///     context: whose span it belongs to; by default the current one.
    ///     severity_number: a `SeverityNumber`.
    ///     severity_text: the severity as the source names it.
    ///     body: any value that an attribute can have.
    ///     attributes: of the record.
    ///     event_name: what kind of event it is.
    ///     exception: adds the attributes `exception.*`; `attributes` may have others in their place.
    #[pyo3(signature = (
        record=None, *, timestamp=None, observed_timestamp=None, context=None, severity_number=None,
        severity_text=None, body=None, attributes=None, event_name=None, exception=None,
    ))]
    fn emit<'py>(
        slf: &Bound<'py, Self>,
        record: Argument<'_, 'py>,
        timestamp: Argument<'_, 'py>,
        observed_timestamp: Argument<'_, 'py>,
        context: Argument<'_, 'py>,
        severity_number: Argument<'_, 'py>,
        severity_text: Argument<'_, 'py>,
        body: Argument<'_, 'py>,
        attributes: Argument<'_, 'py>,
        event_name: Argument<'_, 'py>,
        exception: Argument<'_, 'py>,
    ) {
        let arguments = Arguments {
            timestamp,
            observed_timestamp,
            context,
            severity_number,
            severity_text,
            body,
            attributes,
            event_name,
            exception,
        };
        Self::emit_arguments(slf, record, &arguments);
    }

    /// Whether a log record with these properties would go anywhere.
    ///
    /// The file takes every record, so this is False only if the logger is disabled, or if there is no file and no
    /// processor wants the record.
    #[pyo3(signature = (*, context=None, severity_number=None, event_name=None))]
    fn enabled<'py>(
        slf: &Bound<'py, Self>,
        context: Argument<'_, 'py>,
        severity_number: Argument<'_, 'py>,
        event_name: Argument<'_, 'py>,
    ) -> bool {
        let (py, this) = (slf.py(), slf.get());
        if !this.is_enabled() {
            return false;
        }
        let wanted = this.is_processed()
            && slf
                .call_method1(intern!(py, "_is_wanted"), (context, severity_number, event_name))
                .and_then(|wanted| wanted.is_truthy())
                .unwrap_or_else(|error| {
                    record::not_recorded(py, &error);
                    true
                });
        wanted || Self::target(slf).is_some()
    }

    /// Switches the logger on or off.
    fn _set_enabled(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled, Ordering::Relaxed);
    }

    /// Whether `_emit_processed` gets the records first.
    fn _set_processed(&self, is_processed: bool) {
        self.is_processed.store(is_processed, Ordering::Relaxed);
    }

    /// Has the logger ask `_find_scope` for its instrumentation scope again, with its next record.
    fn _forget_scope(&self) {
        self.scope.store(NOT_FOUND, Ordering::Relaxed);
    }

    /// Records an API `LogRecord` whose limits and exception have been dealt with.
    ///
    /// Args:
    ///     log_record: the record.
    ///     dropped_attributes: that it does not have any more.
    ///     scope: reference of another instrumentation scope than the logger's.
    #[pyo3(signature = (log_record, dropped_attributes=0, scope=None))]
    fn _record(
        slf: &Bound<'_, Self>,
        log_record: &Bound<'_, PyAny>,
        dropped_attributes: u32,
        scope: Option<u32>,
    ) {
        let py = slf.py();
        let Some((calls, own)) = Self::target(slf) else { return };
        let made = given(log_record, Limits::default(), false).map(|mut made| {
            made.dropped = made.dropped.saturating_add(dropped_attributes);
            made
        });
        finish(py, made, calls, scope.map_or(own, ScopeRef::from_raw));
    }
}

/// The arguments of `emit` that make a record.
struct Arguments<'a, 'py> {
    timestamp: Argument<'a, 'py>,
    observed_timestamp: Argument<'a, 'py>,
    context: Argument<'a, 'py>,
    severity_number: Argument<'a, 'py>,
    severity_text: Argument<'a, 'py>,
    body: Argument<'a, 'py>,
    attributes: Argument<'a, 'py>,
    event_name: Argument<'a, 'py>,
    exception: Argument<'a, 'py>,
}

impl<'py> Arguments<'_, 'py> {
    fn record(&self, py: Python<'py>, limits: Limits) -> PyResult<Record<'py>> {
        let (attributes, dropped) = record::attributes(py, self.attributes, self.exception, limits)?;
        Ok(Record {
            time: self.timestamp.map_or(0, |value| record::time("timestamp", value)),
            observed_time: self
                .observed_timestamp
                .map_or_else(record::now, |value| record::time("observed_timestamp", value)),
            context: recorded_in(py, self.context.filter(|context| context.is_truthy().unwrap_or(false))),
            severity_number: self.severity_number.map_or(0, record::severity),
            severity_text: self.severity_text.and_then(record::optional_text),
            body: self.body.and_then(record::body),
            attributes,
            dropped,
            name: self.event_name.and_then(record::optional_text),
        })
    }

    /// As `_emit_processed` takes them.
    fn process(&self, logger: &Bound<'py, Logger>, record: Argument<'_, 'py>) -> PyResult<()> {
        let arguments = (
            record,
            self.timestamp,
            self.observed_timestamp,
            self.context,
            self.severity_number,
            self.severity_text,
            self.body,
            self.attributes,
            self.event_name,
            self.exception,
        );
        logger.call_method1(intern!(logger.py(), "_emit_processed"), arguments).map(drop)
    }
}

impl Logger {
    #[inline]
    fn emit_arguments<'py>(
        slf: &Bound<'py, Self>,
        record: Argument<'_, 'py>,
        arguments: &Arguments<'_, 'py>,
    ) {
        let (py, this) = (slf.py(), slf.get());
        if !this.is_enabled() {
            return;
        }
        if this.is_processed() {
            if let Err(error) = arguments.process(slf, record) {
                refuse(slf, &error);
            }
            return;
        }
        let Some((calls, scope)) = Self::target(slf) else { return };
        match record {
            Some(given) => Self::emit_given(slf, given, calls, scope),
            None => this.finish(py, arguments.record(py, this.limits), calls, scope),
        }
    }

    #[inline]
    pub(super) fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Whether Python code gets the records first.
    #[inline]
    pub(super) fn is_processed(&self) -> bool {
        self.is_processed.load(Ordering::Relaxed)
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Where records go; `None`: nowhere.
    #[inline]
    pub(super) fn target<'a>(slf: &'a Bound<'_, Self>) -> Option<(&'a Calls, ScopeRef)> {
        let this = slf.get();
        let calls = &this.writer.as_ref()?.get().calls;
        let scope = match this.scope.load(Ordering::Relaxed) {
            NOT_FOUND => Self::find_scope(slf),
            scope => scope,
        };
        (scope != 0).then(|| (calls, ScopeRef::from_raw(scope)))
    }

    /// The reference of the scope; 0 if it cannot be recorded, which the recording has said.
    #[cold]
    fn find_scope(slf: &Bound<'_, Self>) -> u32 {
        let py = slf.py();
        let found = slf.call_method0(intern!(py, "_find_scope")).and_then(|found| found.extract());
        let scope = found.unwrap_or_else(|error| {
            record::not_recorded(py, &error);
            0
        });
        slf.get().scope.store(scope, Ordering::Relaxed);
        scope
    }

    fn emit_given(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>, calls: &Calls, scope: ScopeRef) {
        let (py, this) = (record.py(), slf.get());
        // A `ReadWriteLogRecord` brings limits, resource and scope of its own.
        if record.hasattr(intern!(py, "log_record")).unwrap_or(false) {
            if let Err(error) = slf.call_method1(intern!(py, "_emit_processed"), (record,)) {
                record::refused(py, calls, &error);
            }
            return;
        }
        this.finish(py, given(record, this.limits, true), calls, scope);
    }

    /// Applies the limits to a record and writes it.
    pub(super) fn finish(&self, py: Python<'_>, made: PyResult<Record<'_>>, calls: &Calls, scope: ScopeRef) {
        let limited = made.map(|mut made| {
            made.limit(py, self.limits.count);
            made
        });
        finish(py, limited, calls, scope);
    }
}

/// Writes a record, or says why there is none.
fn finish(py: Python<'_>, made: PyResult<Record<'_>>, calls: &Calls, scope: ScopeRef) {
    match made {
        Ok(made) => made.write(py, calls, scope),
        Err(error) => record::refused(py, calls, &error),
    }
}

#[cold]
fn refuse(slf: &Bound<'_, Logger>, error: &PyErr) {
    match Logger::target(slf) {
        Some((calls, _)) => record::refused(slf.py(), calls, error),
        None => record::not_recorded(slf.py(), error),
    }
}

/// A record of the fields of an API `LogRecord`.
fn given<'py>(record: &Bound<'py, PyAny>, limits: Limits, with_exception: bool) -> PyResult<Record<'py>> {
    let py = record.py();
    let field = |name: &Bound<'py, pyo3::types::PyString>| {
        record.getattr_opt(name).map(|found| found.filter(|found| !found.is_none()))
    };
    let attributes = field(intern!(py, "attributes"))?.map(plain_attributes);
    let exception = if with_exception { field(intern!(py, "exception"))? } else { None };
    let (attributes, dropped) = record::attributes(py, attributes.as_ref(), exception.as_ref(), limits)?;
    Ok(Record {
        time: field(intern!(py, "timestamp"))?.map_or(0, |value| record::time("timestamp", &value)),
        observed_time: field(intern!(py, "observed_timestamp"))?
            .map_or_else(record::now, |value| record::time("observed_timestamp", &value)),
        context: record::ids(
            field(intern!(py, "trace_id"))?,
            field(intern!(py, "span_id"))?,
            field(intern!(py, "trace_flags"))?,
        ),
        severity_number: field(intern!(py, "severity_number"))?.map_or(0, |value| record::severity(&value)),
        severity_text: field(intern!(py, "severity_text"))?.and_then(|value| record::optional_text(&value)),
        body: field(intern!(py, "body"))?.and_then(|value| record::body(&value)),
        attributes,
        dropped,
        name: field(intern!(py, "event_name"))?.and_then(|value| record::optional_text(&value)),
    })
}

/// The dictionary inside of the API's `BoundedAttributes`, whose own methods are slow; other mappings as they are.
fn plain_attributes(attributes: Bound<'_, PyAny>) -> Bound<'_, PyAny> {
    if attributes.is_instance_of::<PyDict>() {
        return attributes;
    }
    match attributes.getattr_opt(intern!(attributes.py(), "_dict")) {
        Ok(Some(plain)) if plain.is_instance_of::<PyDict>() => plain,
        _ => attributes,
    }
}
