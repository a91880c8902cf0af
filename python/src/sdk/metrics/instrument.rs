//! Instruments: what is measured is checked here, then recorded into the file and offered to metric readers.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use super::Switch;
use super::streams::Streams;
use crate::sdk::log;
use crate::writer::Writer;
use otlp_mmap_writer::Number;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyTuple};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

const LOGGER: &str = "otlp_mmap.sdk.metrics";

/// What every instrument has: where its measurements go. Extended in Python, never used by itself.
#[pyclass(frozen, subclass, module = "otlp_mmap._native")]
#[derive(Default)]
pub(crate) struct Instrument {
    /// Off: nothing is measured. Missing: it is on.
    enabled: OnceLock<Py<Switch>>,
    /// Off: no metric reader is registered. Missing: it is on.
    offered: OnceLock<Py<Switch>>,
    streams: OnceLock<Streams>,
}

#[pymethods]
impl Instrument {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Makes switches say whether to measure, and whether to offer measurements to metric readers. Once.
    fn _connect(&self, enabled: Option<Py<Switch>>, offered: Option<Py<Switch>>) {
        if let Some(enabled) = enabled {
            let _ = self.enabled.set(enabled);
        }
        if let Some(offered) = offered {
            let _ = self.offered.set(offered);
        }
    }

    /// Has measurements recorded into streams of a file. Once.
    ///
    /// Args:
    ///     writer: of the file.
    ///     streams: of each the reference, the attribute keys that its series keep (None: all), and whether it is
    ///         a sum of which totals are observed.
    ///     exemplar_filter: 0: none is kept; 1: those in the context of a sampled span; 2: all; or an
    ///         `ExemplarFilter`.
    fn _record_into(
        &self,
        writer: Py<Writer>,
        streams: Vec<(u32, Option<Vec<String>>, bool)>,
        exemplar_filter: &Bound<'_, PyAny>,
    ) {
        let _ = self.streams.set(Streams::new(writer, streams, exemplar_filter));
    }

    /// Records what the callbacks of an asynchronous instrument have observed together, at one time.
    ///
    /// Args:
    ///     observations: tuples of value, attributes and context.
    ///     time_unix_nano: unix nanoseconds.
    fn _record_observations(&self, observations: &Bound<'_, PyList>, time_unix_nano: u64) -> PyResult<()> {
        let Some(streams) = self.streams.get() else { return Ok(()) };
        let mut numbers = Vec::with_capacity(observations.len());
        for observation in observations.iter() {
            let (value, attributes, context): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) =
                observation.extract()?;
            if let Some(value) = number(&value) {
                numbers.push((value, attributes, context));
            }
        }
        streams.record_observations(observations.py(), time_unix_nano, &numbers);
        Ok(())
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        self.streams.get().map_or(Ok(()), |streams| streams.traverse(&visit))
    }
}

/// How an instrument measures.
struct Call {
    class: &'static str,
    verb: &'static str,
    is_monotonic: bool,
}

/// Counts what only ever grows.
#[pyclass(extends = Instrument, frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct Counter;

#[pymethods]
impl Counter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Instrument::default()).add_subclass(Self)
    }

    /// Adds an amount, which must not be negative.
    #[pyo3(signature = (amount, attributes=None, context=None))]
    fn add(
        slf: &Bound<'_, Self>,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        const CALL: Call = Call { class: "Counter", verb: "Add", is_monotonic: true };
        measure(slf.as_super(), &CALL, amount, attributes, context);
    }
}

/// Counts what grows and shrinks.
#[pyclass(extends = Instrument, frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct UpDownCounter;

#[pymethods]
impl UpDownCounter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Instrument::default()).add_subclass(Self)
    }

    /// Adds an amount, which may be negative.
    #[pyo3(signature = (amount, attributes=None, context=None))]
    fn add(
        slf: &Bound<'_, Self>,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        const CALL: Call = Call { class: "UpDownCounter", verb: "Add", is_monotonic: false };
        measure(slf.as_super(), &CALL, amount, attributes, context);
    }
}

/// Records values whose distribution matters.
#[pyclass(extends = Instrument, frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct Histogram;

#[pymethods]
impl Histogram {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Instrument::default()).add_subclass(Self)
    }

    /// Records an amount, which must not be negative.
    #[pyo3(signature = (amount, attributes=None, context=None))]
    fn record(
        slf: &Bound<'_, Self>,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        const CALL: Call = Call { class: "Histogram", verb: "Record", is_monotonic: true };
        measure(slf.as_super(), &CALL, amount, attributes, context);
    }
}

/// Keeps the last value.
#[pyclass(extends = Instrument, frozen, subclass, module = "otlp_mmap._native")]
pub(crate) struct Gauge;

#[pymethods]
impl Gauge {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Instrument::default()).add_subclass(Self)
    }

    /// Sets the value.
    #[pyo3(signature = (amount, attributes=None, context=None))]
    fn set(
        slf: &Bound<'_, Self>,
        amount: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        const CALL: Call = Call { class: "Gauge", verb: "Set", is_monotonic: false };
        measure(slf.as_super(), &CALL, amount, attributes, context);
    }
}

fn measure(
    instrument: &Bound<'_, Instrument>,
    call: &Call,
    amount: &Bound<'_, PyAny>,
    attributes: Option<&Bound<'_, PyAny>>,
    context: Option<&Bound<'_, PyAny>>,
) {
    let this = instrument.get();
    if this.enabled.get().is_some_and(|switch| !switch.get().is_on()) {
        return;
    }
    let Some(value) = number(amount) else {
        return refuse(instrument, call, amount, "is no number");
    };
    match value {
        Number::Double(value) if !value.is_finite() => {
            return refuse(instrument, call, amount, "is not finite");
        }
        Number::Double(value) if call.is_monotonic && value < 0.0 => {
            return refuse(instrument, call, amount, "must be non-negative");
        }
        Number::Int(value) if call.is_monotonic && value < 0 => {
            return refuse(instrument, call, amount, "must be non-negative");
        }
        _ => {}
    }
    let time = now();
    if let Some(streams) = this.streams.get() {
        streams.record(instrument.py(), time, value, attributes, context);
    }
    if this.offered.get().is_none_or(|switch| switch.get().is_on()) {
        offer(instrument, amount, attributes, context);
    }
}

/// Hands a measurement to the metric readers of the process.
#[cold]
fn offer(
    instrument: &Bound<'_, Instrument>,
    amount: &Bound<'_, PyAny>,
    attributes: Option<&Bound<'_, PyAny>>,
    context: Option<&Bound<'_, PyAny>>,
) {
    static SAID: log::Once = log::Once::new();
    let py = instrument.py();
    let offered = instrument.call_method1(intern!(py, "_offer"), (amount, attributes, context));
    if let Err(error) = offered {
        SAID.not_recorded(py, LOGGER, "a measurement for a metric reader", &error);
    }
}

#[cold]
fn refuse(instrument: &Bound<'_, Instrument>, call: &Call, amount: &Bound<'_, PyAny>, reason: &str) {
    let py = instrument.py();
    let shown =
        |value: PyResult<Bound<'_, PyAny>>| value.and_then(|value| value.str()).map(|text| text.to_string());
    let name = shown(instrument.getattr(intern!(py, "name"))).unwrap_or_default();
    let amount = shown(Ok(amount.clone())).unwrap_or_default();
    let message =
        format_args!("{} amount {reason} on {} {name}: {amount} was left out", call.verb, call.class);
    log::warning(py, LOGGER, message);
    if let Some(streams) = instrument.get().streams.get() {
        streams.count_invalid();
    }
}

/// A number of Python: an integer of 64 bits, else a double.
#[inline]
fn number(value: &Bound<'_, PyAny>) -> Option<Number> {
    if let Ok(double) = value.cast::<PyFloat>() {
        return Some(Number::Double(double.value()));
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract().map(Number::Int).or_else(|_| value.extract().map(Number::Double)).ok();
    }
    // Of other libraries, by `__index__` or `__float__`.
    value.extract().map(Number::Int).or_else(|_| value.extract().map(Number::Double)).ok()
}

/// Unix nanoseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
