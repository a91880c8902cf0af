//! Which measurements become exemplars (OTel "Exemplar filter").

use crate::sdk::context;
use crate::sdk::trace::recorded_in;
use otlp_mmap_writer as recorder;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// Bit 0 of W3C trace flags.
const SAMPLED: u32 = 1;

/// A filter of exemplars.
pub(crate) enum Filter {
    /// None.
    Off,
    /// Those in the context of a sampled span.
    TraceBased,
    /// All.
    On,
    /// What an object with `should_sample` says.
    Foreign(Py<PyAny>),
}

/// A measurement that is an exemplar: the span it was made in, if any.
pub(crate) struct Exemplar(pub(crate) Option<recorder::SpanContext>);

impl Filter {
    /// As Python gives it: 0, 1, 2 or an object.
    pub(crate) fn new(filter: &Bound<'_, PyAny>) -> Self {
        match filter.cast::<PyInt>().ok().and_then(|number| number.extract::<u8>().ok()) {
            Some(0) => Self::Off,
            Some(1) => Self::TraceBased,
            Some(_) => Self::On,
            None => Self::Foreign(filter.clone().unbind()),
        }
    }

    /// What a measurement is an exemplar of; `None`: it is none.
    #[inline]
    pub(crate) fn choose<'py>(
        &self,
        py: Python<'py>,
        time_unix_nano: u64,
        value: recorder::Number,
        attributes: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Exemplar>> {
        match self {
            Self::Off => Ok(None),
            Self::TraceBased => {
                let span = recorded_in(py, context).filter(|span| span.flags & SAMPLED != 0);
                Ok(span.map(|span| Exemplar(Some(span))))
            }
            Self::On => Ok(Some(Exemplar(recorded_in(py, context)))),
            Self::Foreign(filter) => {
                let value = match value {
                    recorder::Number::Int(value) => value.into_pyobject(py)?.into_any(),
                    recorder::Number::Double(value) => value.into_pyobject(py)?.into_any(),
                };
                let current = match context {
                    Some(context) => context.clone(),
                    None => context::current(py)?,
                };
                let arguments = (value, time_unix_nano, attributes, current);
                let chosen = filter.bind(py).call_method1(intern!(py, "should_sample"), arguments)?;
                Ok(chosen.is_truthy()?.then(|| Exemplar(recorded_in(py, context))))
            }
        }
    }
}
