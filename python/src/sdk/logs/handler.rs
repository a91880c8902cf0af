//! `LoggingHandler`: records of the standard library's `logging` straight into the file.
//!
//! What a record becomes is what OpenTelemetry's handler for Python makes of it. A record goes through Python code
//! only if there is a formatter, a processor, or a subclass that translates records itself.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::exception::Exception;
use super::logger::Logger;
use super::record::{self, Attributes, Record};
use crate::sdk::attributes::{Entry, clean, clean_key, clean_text};
use crate::sdk::import::Import;
use crate::sdk::trace::recorded_in;
use pyo3::exceptions::{PyAttributeError, PyException};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyMapping, PySequence, PyString, PyTuple};
use std::sync::atomic::{AtomicU8, Ordering};

/// Attributes of a `logging.LogRecord` that are no attributes of the log record, in the order in which it sets them.
const OWN: [&str; 24] = [
    "name",
    "msg",
    "args",
    "levelname",
    "levelno",
    "pathname",
    "filename",
    "module",
    "exc_info",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "created",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
    "getMessage",
];

// Where they stand there.
const MSG: usize = 1;
const ARGS: usize = 2;
const LEVELNAME: usize = 3;
const LEVELNO: usize = 4;
const PATHNAME: usize = 5;
const EXC_INFO: usize = 8;
const LINENO: usize = 11;
const FUNC_NAME: usize = 12;
const CREATED: usize = 13;

/// Records what the standard library's `logging` hands it. A subclass is also a `logging.Handler`.
///
/// The arguments are the subclass's.
#[pyclass(frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct LoggingHandler {
    /// By the name of the logger of `logging`: the `Logger`.
    loggers: Py<PyDict>,
    options: AtomicU8,
}

/// Bits.
#[derive(Clone, Copy)]
struct Options(u8);

impl Options {
    const CODE_ATTRIBUTES: u8 = 1;
    const EVENT_NAMES: u8 = 2;
    const TEXT_BODIES: u8 = 4;
    const IS_TRANSLATED: u8 = 8;

    fn has(self, option: u8) -> bool {
        self.0 & option != 0
    }
}

#[pymethods]
impl LoggingHandler {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(py: Python<'_>, _args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { loggers: PyDict::new(py).unbind(), options: AtomicU8::new(0) }
    }

    /// Says what becomes of a record.
    ///
    /// Args:
    ///     code_attributes: whether records say which line logged them.
    ///     event_names: whether `otel.event.name` (and `event.name`) among a record's extra attributes is its name.
    ///     text_bodies: whether a message that is no text is recorded as its text.
    ///     is_translated: whether a subclass translates records itself.
    #[pyo3(signature = (*, code_attributes=true, event_names=false, text_bodies=false, is_translated=false))]
    #[allow(clippy::fn_params_excessive_bools)] // Python names its arguments
    fn _configure(&self, code_attributes: bool, event_names: bool, text_bodies: bool, is_translated: bool) {
        let options = [
            (code_attributes, Options::CODE_ATTRIBUTES),
            (event_names, Options::EVENT_NAMES),
            (text_bodies, Options::TEXT_BODIES),
            (is_translated, Options::IS_TRANSLATED),
        ];
        let bits = options.into_iter().filter(|(is_set, _)| *is_set).fold(0, |bits, (_, bit)| bits | bit);
        self.options.store(bits, Ordering::Relaxed);
    }

    /// Emits a record that the handler's filters let through, and returns whether they do.
    ///
    /// There is no lock around `emit`: the recorder needs none.
    fn handle<'py>(slf: &Bound<'py, Self>, record: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if slf.getattr(intern!(py, "filters"))?.is_truthy()? {
            let handler = HANDLER.get(py)?;
            return handler.call_method1(intern!(py, "handle"), (slf, record));
        }
        slf.call_method1(intern!(py, "emit"), (record,))?;
        Ok(PyBool::new(py, true).to_owned().into_any())
    }

    /// Records a record. What goes wrong is handled as `logging` is configured to.
    fn emit<'py>(slf: &Bound<'py, Self>, record: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = slf.py();
        match slf.get().emit_record(slf, record) {
            Err(error) if error.is_instance_of::<PyException>(py) => handle_error(py, slf, record, error),
            done => done,
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.loggers)
    }
}

/// `logging.Handler.handleError`, which looks at the exception being handled.
#[cold]
fn handle_error(
    py: Python<'_>,
    handler: &Bound<'_, LoggingHandler>,
    record: &Bound<'_, PyAny>,
    error: PyErr,
) -> PyResult<()> {
    handler.call_method1(intern!(py, "_failed"), (record, error.into_value(py))).map(drop)
}

impl LoggingHandler {
    fn emit_record(&self, handler: &Bound<'_, Self>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = handler.py();
        let name = record.getattr(intern!(py, "name"))?;
        let found = match self.loggers.bind(py).get_item(&name)? {
            Some(found) => found,
            None => self.find(handler, &name)?,
        };
        let options = Options(self.options.load(Ordering::Relaxed));
        let native = if options.has(Options::IS_TRANSLATED) { None } else { found.cast::<Logger>().ok() };
        match native {
            Some(logger) if !logger.get().is_enabled() => Ok(()),
            Some(logger) if !logger.get().is_processed() => options.record(handler, logger, record),
            _ => handler.call_method1(intern!(py, "_emit_translated"), (found, record)).map(drop),
        }
    }

    /// The logger of a name; kept if it is one of ours, since others can become another one.
    fn find<'py>(&self, handler: &Bound<'py, Self>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = handler.py();
        let found = handler.call_method1(intern!(py, "_get_logger"), (name,))?;
        if found.is_instance_of::<Logger>() {
            self.loggers.bind(py).set_item(name, &found)?;
        }
        Ok(found)
    }
}

impl Options {
    fn record(
        self,
        handler: &Bound<'_, LoggingHandler>,
        logger: &Bound<'_, Logger>,
        record: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = handler.py();
        let Some((calls, scope)) = Logger::target(logger) else { return Ok(()) };
        let logger = logger.get();
        let mut fields = Fields::of(record)?;
        let mut made = Record { observed_time: record::now(), ..Record::default() };
        made.time = nanoseconds(fields.get(CREATED)?.extract()?);
        made.context = recorded_in(py, None);
        let level: i64 = fields.get(LEVELNO)?.extract()?;
        made.severity_number = severity_number(level);
        made.severity_text = severity_text(fields.get(LEVELNAME)?);
        let body = self.body(handler, record, &fields)?;
        made.body = record::body(&body);
        self.attributes(&mut made, &mut fields, logger.limits().length)?;
        logger.finish(py, Ok(made), calls, scope);
        Ok(())
    }

    /// The message: formatted by the handler's formatter if there is one; otherwise an object that is no text is
    /// kept as what it is, if a body can be that.
    fn body<'py>(
        self,
        handler: &Bound<'py, LoggingHandler>,
        record: &Bound<'py, PyAny>,
        fields: &Fields<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = handler.py();
        if handler.getattr(intern!(py, "formatter"))?.is_truthy()? {
            return handler.call_method1(intern!(py, "format"), (record,));
        }
        let (message, arguments) = (fields.get(MSG)?, fields.get(ARGS)?);
        let has_arguments = arguments.is_truthy()?;
        if !has_arguments && !self.has(Self::TEXT_BODIES) && !message.is_instance_of::<PyString>() {
            return if is_body(message) { Ok(message.clone()) } else { Ok(message.str()?.into_any()) };
        }
        if !is_standard(record)? {
            return record.call_method0(intern!(py, "getMessage"));
        }
        let message = message.str()?.into_any();
        if has_arguments { message.rem(arguments) } else { Ok(message) }
    }

    /// The extra attributes, the line of code, and the exception, in this order.
    fn attributes<'py>(
        self,
        made: &mut Record<'py>,
        fields: &mut Fields<'py>,
        max_length: Option<usize>,
    ) -> PyResult<()> {
        let py = fields.py;
        let mut entries = Vec::with_capacity(fields.extra.len() + 6);
        for (key, value) in std::mem::take(&mut fields.extra) {
            if !self.is_event_name(made, &key, &value) {
                match clean_key(&key) {
                    Some(key) => entries.push((key.unbind(), clean(&value, max_length).unbind())),
                    None => made.dropped += 1,
                }
            }
        }
        if self.has(Self::CODE_ATTRIBUTES) {
            for (key, field) in [
                (intern!(py, "code.file.path"), PATHNAME),
                (intern!(py, "code.function.name"), FUNC_NAME),
                (intern!(py, "code.line.number"), LINENO),
            ] {
                set(&mut entries, key, clean(fields.get(field)?, max_length));
            }
        }
        if let Ok(info) = fields.get(EXC_INFO)?.cast::<PyTuple>() {
            let mut exception = Vec::new();
            Exception::of_info(info)?.add_to(&mut exception, py, max_length, |_| false);
            for (key, value) in exception {
                set(&mut entries, key.bind(py), value.into_bound(py));
            }
        }
        made.attributes = Attributes::Cleaned(entries);
        Ok(())
    }

    /// Takes an extra attribute as the record's name. `otel.event.name` goes before the deprecated `event.name`.
    fn is_event_name<'py>(
        self,
        made: &mut Record<'py>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> bool {
        let Ok(key) = key.extract::<&str>() else { return false };
        if !self.has(Self::EVENT_NAMES) || !["otel.event.name", "event.name"].contains(&key) {
            return false;
        }
        if made.name.is_none() || key == "otel.event.name" {
            made.name = record::optional_text(value);
        }
        true
    }
}

/// The attributes of a `logging.LogRecord`.
struct Fields<'py> {
    py: Python<'py>,
    own: [Option<Bound<'py, PyAny>>; OWN.len()],
    extra: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
}

impl<'py> Fields<'py> {
    fn of(record: &Bound<'py, PyAny>) -> PyResult<Self> {
        static NAMES: PyOnceLock<[Py<PyString>; OWN.len()]> = PyOnceLock::new();
        let py = record.py();
        let names = NAMES.get_or_init(py, || OWN.map(|name| PyString::intern(py, name).unbind()));
        let mut fields = Self { py, own: [const { None }; OWN.len()], extra: Vec::new() };
        let mut next = 0;
        for (key, value) in record.getattr(intern!(py, "__dict__"))?.cast::<PyDict>()?.iter() {
            // Nearly always the one behind the last; names that a record sets are interned.
            let is_next = names.get(next).is_some_and(|name| key.is(name));
            match if is_next { Some(next) } else { find(&key) } {
                Some(found) => {
                    fields.own[found] = Some(value);
                    next = found + 1;
                }
                None => fields.extra.push((key, value)),
            }
        }
        Ok(fields)
    }

    fn get(&self, field: usize) -> PyResult<&Bound<'py, PyAny>> {
        self.own[field].as_ref().ok_or_else(|| PyAttributeError::new_err(OWN[field]))
    }
}

#[cold]
fn find(key: &Bound<'_, PyAny>) -> Option<usize> {
    let key = key.extract::<&str>().ok()?;
    OWN.iter().position(|name| *name == key)
}

/// Sets an attribute; one of the same key gives way.
fn set(entries: &mut Vec<Entry>, key: &Bound<'_, PyString>, value: Bound<'_, PyAny>) {
    let py = key.py();
    entries.retain(|(found, _)| !record::is_same(found.bind(py), key));
    entries.push((key.clone().unbind(), value.unbind()));
}

/// Seconds since 1970 as nanoseconds.
// A cast of a double to an integer takes the nearest one; what is no time becomes 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// OTLP's severity number of a level of `logging`. Each ten is a severity, and numbers above it are up to three
/// steps within it.
fn severity_number(level: i64) -> u32 {
    match level {
        ..10 => 0,
        10..54 => u32::try_from(level / 10 * 4 + 1 + (level % 10).min(3)).unwrap_or(0),
        54.. => 24,
    }
}

/// The severity text of the name of a level of `logging`.
fn severity_text<'py>(name: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    let py = name.py();
    match name.cast::<PyString>() {
        Ok(text) if text == "WARNING" => Some(intern!(py, "WARN").clone()),
        Ok(text) if text == "CRITICAL" => Some(intern!(py, "FATAL").clone()),
        Ok(text) => Some(clean_text(text, None)),
        Err(_) => record::optional_text(name),
    }
}

/// Whether a body can be this object, which is no text.
fn is_body(message: &Bound<'_, PyAny>) -> bool {
    message.is_none()
        || message.is_instance_of::<PyInt>()
        || message.is_instance_of::<PyFloat>()
        || message.is_instance_of::<PyBytes>()
        || message.cast::<PySequence>().is_ok()
        || message.cast::<PyMapping>().is_ok()
}

pub(super) static HANDLER: Import = Import::new("logging", "Handler");
pub(super) static STANDARD: Import = Import::new("logging", "LogRecord");

/// Whether a record is of the standard class, whose message is made here; others may make it in their own way.
fn is_standard(record: &Bound<'_, PyAny>) -> PyResult<bool> {
    let standard = STANDARD.get(record.py())?;
    Ok(record.get_type().is(standard))
}
