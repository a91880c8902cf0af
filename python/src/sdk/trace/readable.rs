//! A span as Python objects, made when somebody looks: `attributes`, `events`, `links`, and the `ReadableSpan` that
//! processors get. The classes are Python's, in `otlp_mmap.sdk.trace._readable`.

use super::span::Span;
use super::state::{Event, Link, clone_entries};
use crate::sdk::attributes::Cleaned;
use crate::sdk::import::{self, Import};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

static PROXY: Import = Import::new("types", "MappingProxyType");
static MAKE_EVENT: Import = python("make_event");
static MAKE_LINK: Import = python("make_link");
static MAKE_READABLE: Import = python("make_readable");
static EXCEPTION_ATTRIBUTES: Import = python("exception_attributes");
static DEPRECATED_INFO: Import = python("deprecated_info");

const fn python(function: &'static str) -> Import {
    Import::new("otlp_mmap.sdk.trace._readable", function)
}

/// Looks up the classes and functions.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    let imports = [&PROXY, &MAKE_EVENT, &MAKE_LINK, &MAKE_READABLE, &EXCEPTION_ATTRIBUTES, &DEPRECATED_INFO];
    import::load(py, &imports)
}

/// The attributes, read-only.
pub(super) fn attributes<'py>(span: &Span, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    PROXY.get(py)?.call1((attributes_dict(span, py)?,))
}

fn attributes_dict<'py>(span: &Span, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let entries = clone_entries(py, &span.lock(py).attributes);
    Cleaned::to_dict(&entries, py)
}

/// The events, as objects of our class `Event`.
pub(super) fn events<'py>(span: &Span, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
    let copies: Vec<Event> = {
        let state = span.lock(py);
        let copy = |event: &Event| Event {
            name: event.name.clone_ref(py),
            timestamp: event.timestamp,
            attributes: clone_entries(py, &event.attributes),
            dropped: event.dropped,
        };
        state.events.iter().map(copy).collect()
    };
    let to_event = MAKE_EVENT.get(py)?;
    let objects = copies.into_iter().map(|event| {
        let attributes = Cleaned::to_dict(&event.attributes, py)?;
        to_event.call1((event.name, attributes, event.timestamp, event.dropped))
    });
    PyTuple::new(py, objects.collect::<PyResult<Vec<_>>>()?)
}

/// The links, as objects of the API's class `Link`.
pub(super) fn links<'py>(span: &Span, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
    let copies: Vec<Link> = {
        let state = span.lock(py);
        let copy = |link: &Link| Link {
            context: link.context.clone_ref(py),
            attributes: clone_entries(py, &link.attributes),
            dropped: link.dropped,
        };
        state.links.iter().map(copy).collect()
    };
    let to_link = MAKE_LINK.get(py)?;
    let objects = copies.into_iter().map(|link| {
        let attributes = Cleaned::to_dict(&link.attributes, py)?;
        to_link.call1((link.context, attributes, link.dropped))
    });
    PyTuple::new(py, objects.collect::<PyResult<Vec<_>>>()?)
}

/// The span as it is now, as a `ReadableSpan`.
pub(super) fn snapshot<'py>(span: &Span, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    let (name, start, end, status, dropped) = {
        let state = span.lock(py);
        let times = (state.start_time, state.end_time);
        (state.name.clone_ref(py), times.0, times.1, state.status.clone_ref(py), state.dropped)
    };
    let setup = &span.parts.setup;
    let identity = (span.get_span_context(py)?, span.parent(py)?, span.kind(py)?);
    let content = (attributes_dict(span, py)?, events(span, py)?, links(span, py)?);
    let dropped = (dropped.attributes, dropped.events, dropped.links);
    let origin = (&setup.resource, &setup.scope, &setup.info);
    let times = (start, end, status.to_api(py)?);
    MAKE_READABLE.get(py)?.call1((name, identity, content, times, origin, dropped))
}

/// The elements of an argument that may be left out.
pub(super) fn elements<'py>(argument: Option<&Bound<'py, PyAny>>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    match argument {
        Some(argument) if !argument.is_none() => argument.try_iter()?.collect(),
        _ => Ok(Vec::new()),
    }
}

/// The attributes of the event that an exception becomes.
pub(super) fn exception_attributes<'py>(
    exception: &Bound<'py, PyAny>,
    attributes: Option<&Bound<'py, PyAny>>,
    escaped: bool,
) -> PyResult<Bound<'py, PyAny>> {
    EXCEPTION_ATTRIBUTES.get(exception.py())?.call1((exception, attributes, escaped))
}

/// The instrumentation info, with a warning that it is deprecated.
pub(super) fn deprecated_info<'py>(info: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    DEPRECATED_INFO.get(info.py())?.call1((info,))
}
