//! The streams of an instrument in the file, and the way of a measurement into its series.
//!
//! A series is found by what the attributes are, or, much faster, by which objects they are: a text or number of
//! Python never changes, so the same objects are the same attributes. The table of such objects holds them, so
//! that no other object can take their place in memory. Its lock is only ever tried, and no Python object is
//! released under it.

use super::exemplar::{Exemplar, Filter};
use crate::attributes::Encoding;
use crate::error::from_writer;
use crate::sdk::attributes::{Clean, Cleaned, Entry};
use crate::sdk::log;
use crate::writer::Writer;
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{Attributes, Encoder, Error, Key, MetricRef, Number, SeriesRef, Signal};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

const LOGGER: &str = "otlp_mmap.sdk.metrics";
/// Attributes of a measurement whose objects the table takes.
const MOST: usize = 8;
/// Places of the table.
const PLACES: usize = 128;

/// Where the measurements of an instrument go.
pub(crate) struct Streams {
    writer: Py<Writer>,
    all: Box<[Stream]>,
    filter: Filter,
    known: Mutex<Vec<Option<Known>>>,
}

/// One metric stream.
struct Stream {
    metric: MetricRef,
    /// Keys of the attributes that its series have; `None`: all.
    keys: Option<HashSet<String>>,
    /// A sum whose totals are observed.
    is_total: bool,
}

/// The series of a measurement, one of each stream.
#[derive(Clone)]
struct Found {
    series: Arc<[SeriesRef]>,
    /// The series have all attributes of the measurement.
    is_whole: bool,
}

/// Objects that were attributes once, and their series.
struct Known {
    objects: Vec<(Py<PyAny>, Py<PyAny>)>,
    found: Found,
}

impl Streams {
    /// Of streams: reference, attribute keys, whether totals are observed.
    pub(crate) fn new(
        writer: Py<Writer>,
        streams: Vec<(u32, Option<Vec<String>>, bool)>,
        filter: &Bound<'_, PyAny>,
    ) -> Self {
        let stream = |(metric, keys, is_total): (u32, Option<Vec<String>>, bool)| {
            let keys = keys.map(|keys| keys.into_iter().collect());
            Stream { metric: MetricRef::from_raw(metric), keys, is_total }
        };
        Self {
            writer,
            all: streams.into_iter().map(stream).collect(),
            filter: Filter::new(filter),
            known: Mutex::new(Vec::new()),
        }
    }

    /// Records one measurement. What fails is logged once.
    #[inline]
    pub(crate) fn record(
        &self,
        py: Python<'_>,
        time: u64,
        value: Number,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        if self.all.is_empty() {
            return;
        }
        let exemplar = self.choose(py, time, value, attributes, context);
        let found = self.find(py, attributes);
        let writer = &self.writer.get().calls.writer;
        for series in &*found.series {
            said(py, writer.record_bound(*series, time, value));
        }
        if let Some(exemplar) = exemplar {
            self.keep(py, &found, time, value, &exemplar, attributes);
        }
    }

    /// Records what was observed at one time. Observations of the same series are added up, as a view that leaves
    /// attributes out asks for.
    pub(crate) fn record_observations(
        &self,
        py: Python<'_>,
        time: u64,
        observations: &[(Number, Bound<'_, PyAny>, Bound<'_, PyAny>)],
    ) {
        let writer = &self.writer.get().calls.writer;
        let mut totals: HashMap<SeriesRef, Number> = HashMap::new();
        for (value, attributes, context) in observations {
            let (attributes, context) = (present(attributes), present(context));
            let found = self.find(py, attributes);
            if found.series.len() != self.all.len() {
                continue;
            }
            for (stream, series) in self.all.iter().zip(&*found.series) {
                if stream.is_total {
                    let total = totals.entry(*series).or_insert(Number::Int(0));
                    *total = sum(*total, *value);
                } else {
                    said(py, writer.record_bound(*series, time, *value));
                }
            }
            if let Some(exemplar) = self.choose(py, time, *value, attributes, context) {
                self.keep(py, &found, time, *value, &exemplar, attributes);
            }
        }
        for (series, total) in totals {
            said(py, writer.record_total(series, time, total));
        }
    }

    /// Counts a measurement that was refused.
    pub(crate) fn count_invalid(&self) {
        // Without a file (a forked child's could not be created) there is nowhere to count.
        let _ = self.writer.get().calls.writer.count_invalid(Signal::Measurements);
    }

    /// For Python's garbage collector: what may refer back to the instrument.
    pub(crate) fn traverse(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        match &self.filter {
            Filter::Foreign(filter) => visit.call(filter),
            _ => Ok(()),
        }
    }

    #[inline]
    fn choose(
        &self,
        py: Python<'_>,
        time: u64,
        value: Number,
        attributes: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> Option<Exemplar> {
        static SAID: log::Once = log::Once::new();
        self.filter.choose(py, time, value, attributes, context).unwrap_or_else(|error| {
            SAID.not_recorded(py, LOGGER, "an exemplar", &error);
            None
        })
    }

    /// Records an exemplar of each series.
    fn keep(
        &self,
        py: Python<'_>,
        found: &Found,
        time: u64,
        value: Number,
        exemplar: &Exemplar,
        attributes: Option<&Bound<'_, PyAny>>,
    ) {
        let cleaned = if found.is_whole { Cleaned::default() } else { Cleaned::new(attributes, None) };
        let attributes = Clean(&cleaned.entries);
        for series in &*found.series {
            // What is lost is counted, and no reason to say anything.
            let _ = self.writer.get().calls.run(py, |writer| {
                writer.record_exemplar(*series, time, value, exemplar.0.as_ref(), &attributes)
            });
        }
    }

    /// The series of these attributes.
    #[inline]
    fn find(&self, py: Python<'_>, attributes: Option<&Bound<'_, PyAny>>) -> Found {
        let Some(objects) = Objects::of(attributes) else { return self.bind(py, attributes) };
        if let Ok(known) = self.known.try_lock()
            && let Some(Some(known)) = known.get(objects.place())
            && objects.are(known)
        {
            return known.found.clone();
        }
        let found = self.bind(py, attributes);
        if found.series.len() == self.all.len() {
            drop(self.learn(&objects, &found));
        }
        found
    }

    /// Enters attributes into the table; returns what gave way to them, to be released without the lock.
    fn learn(&self, objects: &Objects<'_>, found: &Found) -> Option<Known> {
        let entry = objects.known(found.clone());
        let mut known = self.known.try_lock().ok()?;
        if known.is_empty() {
            known.resize_with(PLACES, || None);
        }
        known.get_mut(objects.place())?.replace(entry)
    }

    /// Finds or creates the series; those that cannot be had are missing.
    #[cold]
    fn bind(&self, py: Python<'_>, attributes: Option<&Bound<'_, PyAny>>) -> Found {
        let cleaned = Cleaned::new(attributes, None);
        let writer = &self.writer.get().calls.writer;
        let bind = |stream: &Stream| match &stream.keys {
            None => writer.bind(stream.metric, &Clean(&cleaned.entries)),
            Some(keys) => writer.bind(stream.metric, &Kept { entries: &cleaned.entries, keys }),
        };
        let series: Vec<_> = self.all.iter().filter_map(|stream| said(py, bind(stream))).collect();
        let is_whole = self.all.iter().all(|stream| stream.keys.is_none())
            && !series.iter().any(|series| writer.is_overflow(*series));
        Found { series: series.into(), is_whole }
    }
}

/// The attributes that a view keeps.
struct Kept<'a> {
    entries: &'a [Entry],
    keys: &'a HashSet<String>,
}

impl Attributes for Kept<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        Python::attach(|py| {
            let encoding = Encoding::new("attributes");
            self.entries.iter().try_for_each(|(key, value)| {
                // A clean key is a text without lone surrogates.
                match key.bind(py).to_str() {
                    Ok(key) if self.keys.contains(key) => {
                        encoding.value(Key::Str(key), value.bind(py), None, encoder)
                    }
                    _ => Ok(()),
                }
            })
        })
    }
}

/// The objects of a measurement's attributes, none of which can change.
struct Objects<'py> {
    entries: [Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>; MOST],
    count: usize,
}

impl<'py> Objects<'py> {
    /// `None`: too many, or not all of them are of the kinds that never change.
    #[inline]
    fn of(attributes: Option<&Bound<'py, PyAny>>) -> Option<Self> {
        let mut objects = Self { entries: [const { None }; MOST], count: 0 };
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_none()) else {
            return Some(objects);
        };
        let attributes = attributes.cast_exact::<PyDict>().ok()?;
        if attributes.len() > MOST {
            return None;
        }
        for (key, value) in attributes.iter() {
            let is_key = key.cast_exact::<PyString>().is_ok_and(|key| !key.is_empty().unwrap_or(true));
            if !is_key || !never_changes(&value) || objects.count == MOST {
                return None;
            }
            objects.entries[objects.count] = Some((key, value));
            objects.count += 1;
        }
        Some(objects)
    }

    fn iter(&self) -> impl Iterator<Item = &(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        self.entries[..self.count].iter().flatten()
    }

    #[inline]
    fn place(&self) -> usize {
        let mix = |hash: usize, word: usize| {
            (hash.rotate_left(7) ^ (word >> 4)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let hash = self
            .iter()
            .fold(0, |hash, (key, value)| mix(mix(hash, key.as_ptr().addr()), value.as_ptr().addr()));
        (hash >> 40) % PLACES
    }

    #[inline]
    fn are(&self, known: &Known) -> bool {
        known.objects.len() == self.count
            && self
                .iter()
                .zip(&known.objects)
                .all(|((key, value), known)| key.is(&known.0) && value.is(&known.1))
    }

    fn known(&self, found: Found) -> Known {
        let owned = |(key, value): &(Bound<'py, PyAny>, Bound<'py, PyAny>)| {
            (key.clone().unbind(), value.clone().unbind())
        };
        Known { objects: self.iter().map(owned).collect(), found }
    }
}

#[inline]
fn never_changes(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_none()
}

fn present<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyAny>> {
    Some(value).filter(|value| !value.is_none())
}

/// The sum of two observations; an integer as long as it can be one.
#[allow(clippy::cast_precision_loss)] // what does not fit an integer is a double
fn sum(one: Number, other: Number) -> Number {
    let double = |number| match number {
        Number::Int(number) => number as f64,
        Number::Double(number) => number,
    };
    match (one, other) {
        (Number::Int(0), other) => other,
        (Number::Int(left), Number::Int(right)) => {
            left.checked_add(right).map_or_else(|| Number::Double(double(one) + double(other)), Number::Int)
        }
        _ => Number::Double(double(one) + double(other)),
    }
}

/// The result; an error, which the file has counted, is logged once.
#[inline]
fn said<T>(py: Python<'_>, result: Result<T, recorder::Error>) -> Option<T> {
    static SAID: log::Once = log::Once::new();
    result.inspect_err(|error| SAID.not_recorded(py, LOGGER, "a measurement", &from_writer(py, error))).ok()
}
