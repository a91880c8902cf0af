//! Attributes as the SDK takes them: cleaned once, then kept by the span (or log record) and encoded as they are.
//!
//! Cleaning (OTel "Attribute", "Attribute limits") makes every value one that the file can hold, and one that the
//! application cannot change any more: sequences become tuples, mappings are copied, texts are cut to the limit,
//! objects of other types become texts. What is clean already is kept as it is, without a copy.
//!
//! Cleaning can run Python code (`__str__`, a foreign mapping), so no lock is held around it. Encoding cannot.

use super::log;
use crate::attributes::Encoding;
use otlp_mmap_writer::{AnyValue, Attributes, Encoder, Error, Key};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple, PyType,
};

const LOGGER: &str = "otlp_mmap.sdk";
/// Values that lie deeper within one another are left out: the file holds 32 levels (SPEC "Attributes").
const MAX_DEPTH: usize = 30;

/// Looks up the abstract classes of containers, which casts keep: a cast panics where it cannot any more.
pub(super) fn load(py: Python<'_>) {
    let none = py.None().into_bound(py);
    let _ = (none.cast::<PyMapping>(), none.cast::<PySequence>());
}

/// A clean attribute.
pub(crate) type Entry = (Py<PyString>, Py<PyAny>);

/// Clean attributes, and how many could not be cleaned.
#[derive(Default)]
pub(crate) struct Cleaned {
    pub(crate) entries: Vec<Entry>,
    pub(crate) dropped: u32,
    /// No key is there twice: they are those of a dictionary.
    pub(crate) are_distinct: bool,
}

impl Cleaned {
    /// Cleans a mapping, `None` for none. Texts are cut to `max_length` characters.
    pub(crate) fn new(mapping: Option<&Bound<'_, PyAny>>, max_length: Option<usize>) -> Self {
        let mut cleaned = Self::default();
        let Some(mapping) = mapping.filter(|mapping| !mapping.is_none()) else { return cleaned };
        if let Ok(entries) = mapping.cast::<PyDict>() {
            cleaned.entries.reserve(entries.len());
            cleaned.are_distinct = true;
            if max_length.is_none() && is_plain(entries) {
                cleaned.entries.extend(entries.iter().filter_map(|(key, value)| {
                    key.cast_into::<PyString>().ok().map(|key| (key.unbind(), value.unbind()))
                }));
                return cleaned;
            }
            // A copy of the references: cleaning can run code that changes the dictionary.
            let entries: Vec<_> = entries.iter().collect();
            for (key, value) in &entries {
                cleaned.add(key, value, max_length);
            }
            return cleaned;
        }
        if let Err(error) = cleaned.add_mapping(mapping, max_length) {
            let found = type_name(&mapping.get_type());
            log::warning(
                mapping.py(),
                LOGGER,
                format_args!("attributes of type {found} are no mapping: {error}"),
            );
        }
        cleaned
    }

    fn add_mapping(&mut self, mapping: &Bound<'_, PyAny>, max_length: Option<usize>) -> PyResult<()> {
        let items = mapping.call_method0(intern!(mapping.py(), "items"))?;
        for item in items.try_iter()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
            self.add(&key, &value, max_length);
        }
        Ok(())
    }

    fn add(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>, max_length: Option<usize>) {
        match clean_key(key) {
            Some(cleaned) => {
                self.are_distinct &= cleaned.is(key);
                self.entries.push((cleaned.unbind(), clean(value, max_length).unbind()));
            }
            None => self.dropped += 1,
        }
    }

    /// The entries as a dictionary of Python.
    pub(crate) fn to_dict<'py>(entries: &[Entry], py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dictionary = PyDict::new(py);
        entries.iter().try_for_each(|(key, value)| dictionary.set_item(key, value))?;
        Ok(dictionary)
    }
}

/// Clean attributes, as the writer takes them.
pub(crate) struct Clean<'a>(pub(crate) &'a [Entry]);

impl Attributes for Clean<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        Python::attach(|py| {
            let encoding = Encoding::new("attributes");
            self.0.iter().try_for_each(|(key, value)| {
                // A clean key is a text without lone surrogates.
                let key = key.bind(py).to_str().unwrap_or_default();
                encoding.value(Key::Str(key), value.bind(py), None, encoder)
            })
        })
    }
}

/// A clean value, as the writer takes the body of an event.
pub(crate) struct CleanValue<'a>(pub(crate) &'a Py<PyAny>);

impl AnyValue for CleanValue<'_> {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        Python::attach(|py| Encoding::new("body").value(key, self.0.bind(py), None, encoder))
    }
}

/// Whether attributes are clean as they are, and no value is a container. No Python code runs meanwhile.
pub(crate) fn is_plain(entries: &Bound<'_, PyDict>) -> bool {
    entries.iter().all(|(key, value)| {
        let key = key.cast_exact::<PyString>().ok();
        key.and_then(|key| key.to_str().ok()).is_some_and(|key| !key.is_empty()) && is_plain_value(&value)
    })
}

#[inline]
fn is_plain_value(value: &Bound<'_, PyAny>) -> bool {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return text.to_str().is_ok();
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().is_ok();
    }
    value.is_exact_instance_of::<PyFloat>() || value.is_exact_instance_of::<PyBool>()
}

/// A key: a text that is not empty. Keys of other types are taken by their text if they have one; the others are
/// no keys.
pub(crate) fn clean_key<'py>(key: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    match key.cast::<PyString>() {
        Ok(text) if text.is_empty().unwrap_or(true) => refuse_key(key, "must be non-empty"),
        Ok(text) => Some(clean_text(text, None)),
        Err(_) => {
            log::warning(key.py(), LOGGER, format_args!("attribute key {} is not a str", shown(key)));
            let text = own_text(key).filter(|text| !text.is_empty().unwrap_or(true));
            text.map(|text| clean_text(&text, None))
        }
    }
}

/// A value that the file can hold. The same object if it is one already.
pub(crate) fn clean<'py>(value: &Bound<'py, PyAny>, max_length: Option<usize>) -> Bound<'py, PyAny> {
    clean_at(value, max_length, 0)
}

fn clean_at<'py>(value: &Bound<'py, PyAny>, max_length: Option<usize>, depth: usize) -> Bound<'py, PyAny> {
    if let Ok(text) = value.cast::<PyString>() {
        return clean_text(text, max_length).into_any();
    }
    if value.is_instance_of::<PyBool>() || value.is_instance_of::<PyFloat>() || value.is_none() {
        return value.clone();
    }
    if value.is_instance_of::<PyInt>() {
        return if value.extract::<i64>().is_ok() { value.clone() } else { as_text(value, max_length) };
    }
    if value.is_instance_of::<PyBytes>() {
        return value.clone();
    }
    clean_container(value, max_length, depth).unwrap_or_else(|error| {
        log::warning(value.py(), LOGGER, format_args!("an attribute value was left out: {error}"));
        value.py().None().into_bound(value.py())
    })
}

fn clean_container<'py>(
    value: &Bound<'py, PyAny>,
    max_length: Option<usize>,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    let is_mapping = !is_list && value.cast::<PyMapping>().is_ok();
    if !is_list && !is_mapping && value.cast::<PySequence>().is_err() {
        let found = type_name(&value.get_type());
        log::warning(py, LOGGER, format_args!("Invalid type {found} for attribute value; its text is taken"));
        return Ok(as_text(value, max_length));
    }
    if depth == MAX_DEPTH {
        log::warning(py, LOGGER, "an attribute value is nested too deeply: its inner part was left out");
        return Ok(py.None().into_bound(py));
    }
    if is_mapping {
        return clean_mapping(value, max_length, depth).map(Bound::into_any);
    }
    // A copy of the references first: cleaning can run code that changes a list.
    let elements: Vec<_> = value.try_iter()?.collect::<PyResult<_>>()?;
    let elements = elements.iter().map(|element| clean_at(element, max_length, depth + 1));
    PyTuple::new(py, elements.collect::<Vec<_>>()).map(Bound::into_any)
}

fn clean_mapping<'py>(
    value: &Bound<'py, PyAny>,
    max_length: Option<usize>,
    depth: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let cleaned = PyDict::new(value.py());
    let items: Vec<_> =
        value.call_method0(intern!(value.py(), "items"))?.try_iter()?.collect::<PyResult<_>>()?;
    for item in items {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        if let Some(key) = clean_key(&key) {
            cleaned.set_item(key, clean_at(&value, max_length, depth + 1))?;
        }
    }
    Ok(cleaned)
}

/// A text without lone surrogates, which UTF-8 does not have, of at most `max_length` characters.
pub(crate) fn clean_text<'py>(
    text: &Bound<'py, PyString>,
    max_length: Option<usize>,
) -> Bound<'py, PyString> {
    let whole = match text.to_str() {
        Ok(_) => text.clone(),
        Err(_) => PyString::new(text.py(), &text.to_string_lossy()),
    };
    match max_length {
        Some(max_length) if whole.len().is_ok_and(|length| length > max_length) => {
            let message = format_args!("a text exceeds {max_length} characters, truncating");
            log::warning(text.py(), LOGGER, message);
            let whole_text = whole.to_str().unwrap_or_default();
            PyString::new(text.py(), &whole_text.chars().take(max_length).collect::<String>())
        }
        _ => whole,
    }
}

/// The text of an object of another type; `None` if it has none of its own.
fn as_text<'py>(value: &Bound<'py, PyAny>, max_length: Option<usize>) -> Bound<'py, PyAny> {
    match own_text(value) {
        Some(text) => clean_text(&text, max_length).into_any(),
        None => value.py().None().into_bound(value.py()),
    }
}

/// `str(value)`, if its class says what its text is.
fn own_text<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    let py = value.py();
    let object = py.get_type::<PyAny>();
    let has_own = |name: &Bound<'py, PyString>| {
        let (own, inherited) = (value.get_type().getattr(name), object.getattr(name));
        own.is_ok_and(|own| inherited.is_ok_and(|inherited| !own.is(&inherited)))
    };
    (has_own(intern!(py, "__str__")) || has_own(intern!(py, "__repr__"))).then(|| value.str().ok()).flatten()
}

#[cold]
fn refuse_key<'py>(key: &Bound<'py, PyAny>, reason: &str) -> Option<Bound<'py, PyString>> {
    log::warning(key.py(), LOGGER, format_args!("invalid attribute key {}: {reason}", shown(key)));
    None
}

fn shown(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned())
}

fn type_name(class: &Bound<'_, PyType>) -> String {
    class.name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}
