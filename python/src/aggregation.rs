//! The aggregation argument of a metric stream: a dictionary with one key, or a class of `otlp_mmap.aggregation`.

use crate::argument;
use crate::error::{wrong_type, wrong_value};
use otlp_mmap_writer::{Aggregation, Temporality};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyString, PyTuple, PyType};

const ARGUMENT: &str = "aggregation";

/// An aggregation that owns its boundaries.
pub(crate) enum Parsed {
    Gauge,
    Sum { temporality: Temporality, is_monotonic: bool },
    Histogram { temporality: Temporality, boundaries: Vec<f64> },
    ExponentialHistogram { temporality: Temporality, max_buckets: u32, max_scale: i32 },
}

impl Parsed {
    /// As the writer takes it.
    pub(crate) fn borrow(&self) -> Aggregation<'_> {
        match *self {
            Self::Gauge => Aggregation::Gauge,
            Self::Sum { temporality, is_monotonic } => Aggregation::Sum { temporality, is_monotonic },
            Self::Histogram { temporality, ref boundaries } => {
                Aggregation::Histogram { temporality, boundaries }
            }
            Self::ExponentialHistogram { temporality, max_buckets, max_scale } => {
                Aggregation::ExponentialHistogram { temporality, max_buckets, max_scale }
            }
        }
    }
}

/// Parses the argument.
pub(crate) fn parse(value: &Bound<'_, PyAny>) -> PyResult<Parsed> {
    let entries = dictionary(value)?;
    let py = value.py();
    let mut kinds = entries.iter();
    let (Some((kind, fields)), None) = (kinds.next(), kinds.next()) else {
        return Err(wrong_value(py, ARGUMENT, format_args!("expected one key, got {}", entries.len())));
    };
    let kind = argument::text(ARGUMENT, &kind)?;
    let fields = Fields::new(kind, &fields)?;
    match kind {
        "gauge" => fields.only(&[]).map(|()| Parsed::Gauge),
        "sum" => {
            fields.only(&["aggregation_temporality", "is_monotonic"])?;
            let is_monotonic = argument::boolean(&fields.name("is_monotonic"), &fields.get("is_monotonic")?)?;
            Ok(Parsed::Sum { temporality: fields.temporality()?, is_monotonic })
        }
        "histogram" => {
            fields.only(&["aggregation_temporality", "bucket_boundaries"])?;
            Ok(Parsed::Histogram { temporality: fields.temporality()?, boundaries: fields.boundaries()? })
        }
        "exp_histogram" => {
            fields.only(&["aggregation_temporality", "max_buckets", "max_scale"])?;
            let max_buckets = argument::u32(&fields.name("max_buckets"), &fields.get("max_buckets")?)?;
            let max_scale = argument::i32(&fields.name("max_scale"), &fields.get("max_scale")?)?;
            Ok(Parsed::ExponentialHistogram { temporality: fields.temporality()?, max_buckets, max_scale })
        }
        other => {
            let known = "'gauge', 'sum', 'histogram' or 'exp_histogram'";
            Err(wrong_value(py, ARGUMENT, format_args!("'{other}' is not one of {known}")))
        }
    }
}

/// The dictionary itself, or that of a dataclass.
fn dictionary<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    if let Ok(entries) = value.cast::<PyDict>() {
        return Ok(entries.clone());
    }
    let wrong = || wrong_type(ARGUMENT, "dict, Gauge, Sum, Histogram or ExponentialHistogram", value);
    // A class has the method too, but no fields.
    if value.is_instance_of::<PyType>() {
        return Err(wrong());
    }
    let entries = value.getattr("as_dict").map_err(|_| wrong())?.call0()?;
    entries
        .cast_into()
        .map_err(|error| wrong_type(format_args!("{ARGUMENT}.as_dict()"), "dict", &error.into_inner()))
}

/// The fields of one kind of aggregation.
struct Fields<'a, 'py> {
    kind: &'a str,
    entries: Bound<'py, PyDict>,
}

impl<'a, 'py> Fields<'a, 'py> {
    fn new(kind: &'a str, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let entries = value
            .cast::<PyDict>()
            .map_err(|_| wrong_type(format_args!("{ARGUMENT}['{kind}']"), "dict", value))?;
        Ok(Self { kind, entries: entries.clone() })
    }

    fn name(&self, field: &str) -> String {
        format!("{ARGUMENT}['{}']['{field}']", self.kind)
    }

    fn only(&self, known: &[&str]) -> PyResult<()> {
        for key in self.entries.keys() {
            let name = argument::text(ARGUMENT, &key)?;
            if !known.contains(&name) {
                return Err(wrong_value(key.py(), self.name(name), "there is no such field"));
            }
        }
        Ok(())
    }

    fn get(&self, field: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = self.entries.get_item(field)?;
        found.ok_or_else(|| wrong_value(self.entries.py(), self.name(field), "the field is missing"))
    }

    fn temporality(&self) -> PyResult<Temporality> {
        let name = self.name("aggregation_temporality");
        let value = self.get("aggregation_temporality")?;
        let expected = "\"DELTA\" (1) or \"CUMULATIVE\" (2)";
        let wrong = || wrong_value(value.py(), &name, format_args!("expected {expected}"));
        if value.is_instance_of::<PyString>() {
            return match argument::text(&name, &value)? {
                "DELTA" => Ok(Temporality::Delta),
                "CUMULATIVE" => Ok(Temporality::Cumulative),
                _ => Err(wrong()),
            };
        }
        if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
            return Err(wrong_type(&name, expected, &value));
        }
        match value.extract::<u64>() {
            Ok(1) => Ok(Temporality::Delta),
            Ok(2) => Ok(Temporality::Cumulative),
            _ => Err(wrong()),
        }
    }

    fn boundaries(&self) -> PyResult<Vec<f64>> {
        let name = self.name("bucket_boundaries");
        let value = self.get("bucket_boundaries")?;
        let convert = |element: Bound<'_, PyAny>| argument::double(&name, &element);
        if let Ok(elements) = value.cast::<PyList>() {
            return elements.iter().map(convert).collect();
        }
        if let Ok(elements) = value.cast::<PyTuple>() {
            return elements.iter().map(convert).collect();
        }
        Err(wrong_type(&name, "a list of float", &value))
    }
}
