//! The reader's model as Python objects: instances of the dataclasses of `otlp_mmap.model`.

use otlp_mmap_reader::model::{
    Aggregation, Buckets, Event, KeyValue, Measurement, MetricStream, Number, Point, Resource, Scope, Series,
    Span, SpanEvent, SpanLink, Text, Value,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyNone, PyString, PyTuple};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// A call of a dataclass with its fields by name.
macro_rules! object {
    ($model:expr, $class:literal, { $($field:ident : $value:expr),* $(,)? }) => {{
        let fields = PyDict::new($model.py);
        $( fields.set_item(pyo3::intern!($model.py, stringify!($field)), $value)?; )*
        $model.class(pyo3::intern!($model.py, $class))?.call((), Some(&fields))
    }};
}

/// Builds objects of one answer. What records share becomes shared objects, so that a file whose records refer to a
/// large name takes little more memory than in the reader. The addresses stay valid: the answer outlives its objects'
/// making.
pub(crate) struct Model<'py> {
    py: Python<'py>,
    module: Bound<'py, PyModule>,
    scopes: HashMap<*const Scope, Bound<'py, PyAny>>,
    streams: HashMap<*const MetricStream, Bound<'py, PyAny>>,
    resources: HashMap<*const Resource, Bound<'py, PyAny>>,
    sets: HashMap<*const Vec<KeyValue>, Bound<'py, PyDict>>,
    texts: RefCell<HashMap<*const str, Bound<'py, PyString>>>,
}

type Object<'py> = PyResult<Bound<'py, PyAny>>;

impl<'py> Model<'py> {
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        let module = py.import("otlp_mmap.model")?;
        let (scopes, streams, resources, sets, texts) = Default::default();
        Ok(Self { py, module, scopes, streams, resources, sets, texts })
    }

    fn class(&self, name: &Bound<'py, PyString>) -> Object<'py> {
        self.module.getattr(name)
    }

    /// A `Span`.
    pub(crate) fn span(&mut self, span: &Span) -> Object<'py> {
        object!(self, "Span", {
            scope: self.scope(&span.scope)?,
            trace_id: PyBytes::new(self.py, &span.trace_id),
            span_id: PyBytes::new(self.py, &span.span_id),
            parent_span_id: self.optional_id(&span.parent_span_id),
            trace_state: self.text(&span.trace_state),
            flags: span.flags,
            name: self.text(&span.name),
            kind: span.kind,
            start_time_unix_nano: span.start_time_unix_nano,
            end_time_unix_nano: span.end_time_unix_nano,
            attributes: self.attributes(&span.attributes)?,
            dropped_attributes_count: span.dropped_attributes_count,
            events: self.tuple(&span.events, Self::span_event)?,
            dropped_events_count: span.dropped_events_count,
            links: self.tuple(&span.links, Self::span_link)?,
            dropped_links_count: span.dropped_links_count,
            status_code: span.status_code,
            status_message: self.text(&span.status_message),
            truncated: span.truncated,
            spilled: span.spilled,
        })
    }

    fn span_event(&self, event: &SpanEvent) -> Object<'py> {
        object!(self, "SpanEvent", {
            time_unix_nano: event.time_unix_nano,
            name: self.text(&event.name),
            attributes: self.attributes(&event.attributes)?,
            dropped_attributes_count: event.dropped_attributes_count,
        })
    }

    fn span_link(&self, link: &SpanLink) -> Object<'py> {
        object!(self, "SpanLink", {
            trace_id: PyBytes::new(self.py, &link.trace_id),
            span_id: PyBytes::new(self.py, &link.span_id),
            trace_state: self.text(&link.trace_state),
            flags: link.flags,
            attributes: self.attributes(&link.attributes)?,
            dropped_attributes_count: link.dropped_attributes_count,
        })
    }

    /// An `Event`.
    pub(crate) fn event(&mut self, event: &Event) -> Object<'py> {
        object!(self, "Event", {
            scope: self.scope(&event.scope)?,
            time_unix_nano: event.time_unix_nano,
            observed_time_unix_nano: event.observed_time_unix_nano,
            severity_number: event.severity_number,
            severity_text: self.text(&event.severity_text),
            event_name: self.text(&event.event_name),
            body: event.body.as_ref().map(|body| self.value(body)).transpose()?,
            attributes: self.attributes(&event.attributes)?,
            dropped_attributes_count: event.dropped_attributes_count,
            flags: event.flags,
            trace_id: self.optional_id(&event.trace_id),
            span_id: self.optional_id(&event.span_id),
            truncated: event.truncated,
        })
    }

    /// A `Metric`.
    pub(crate) fn metric(&mut self, series: &Series) -> Object<'py> {
        object!(self, "Metric", {
            stream: self.stream(&series.stream)?,
            attributes: self.set(&series.attributes)?,
            overflow: series.overflow,
            start_time_unix_nano: series.start_time_unix_nano,
            time_unix_nano: series.time_unix_nano,
            point: self.point(&series.point)?,
            exemplars: self.tuple(&series.exemplars, Self::exemplar)?,
        })
    }

    fn exemplar(&self, measurement: &Measurement) -> Object<'py> {
        object!(self, "Exemplar", {
            time_unix_nano: measurement.time_unix_nano,
            value: self.number(measurement.value),
            trace_id: self.optional_id(&measurement.trace_id),
            span_id: self.optional_id(&measurement.span_id),
            filtered_attributes: self.attributes(&measurement.filtered_attributes)?,
        })
    }

    fn point(&self, point: &Point) -> Object<'py> {
        match point {
            Point::Gauge(value) | Point::Sum(value) => {
                object!(self, "NumberPoint", { value: self.number(*value) })
            }
            Point::Histogram { count, sum, min, max, bucket_counts } => object!(self, "HistogramPoint", {
                count: count,
                sum: sum,
                min: min,
                max: max,
                bucket_counts: PyTuple::new(self.py, bucket_counts)?,
            }),
            Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative } => {
                object!(self, "ExponentialHistogramPoint", {
                    count: count,
                    sum: sum,
                    min: min,
                    max: max,
                    scale: scale,
                    zero_count: zero_count,
                    positive: self.buckets(positive)?,
                    negative: self.buckets(negative)?,
                })
            }
        }
    }

    fn buckets(&self, buckets: &Buckets) -> Object<'py> {
        object!(self, "Buckets", {
            offset: buckets.offset,
            counts: PyTuple::new(self.py, &buckets.counts)?,
        })
    }

    fn stream(&mut self, stream: &Arc<MetricStream>) -> Object<'py> {
        if let Some(known) = self.streams.get(&Arc::as_ptr(stream)) {
            return Ok(known.clone());
        }
        let object = object!(self, "MetricStream", {
            scope: self.scope(&stream.scope)?,
            name: self.text(&stream.name),
            description: self.text(&stream.description),
            unit: self.text(&stream.unit),
            aggregation: self.aggregation(&stream.aggregation)?,
        })?;
        self.streams.insert(Arc::as_ptr(stream), object.clone());
        Ok(object)
    }

    fn aggregation(&self, aggregation: &Aggregation) -> Object<'py> {
        let module = self.py.import("otlp_mmap.aggregation")?;
        let temporality = |number: u32| module.getattr("Temporality")?.call1((number,));
        match aggregation {
            Aggregation::Gauge => module.getattr("Gauge")?.call0(),
            Aggregation::Sum { temporality: number, is_monotonic } => {
                module.getattr("Sum")?.call1((temporality(*number)?, *is_monotonic))
            }
            Aggregation::Histogram { temporality: number, boundaries } => module
                .getattr("Histogram")?
                .call1((temporality(*number)?, PyTuple::new(self.py, boundaries)?)),
            Aggregation::ExponentialHistogram { temporality: number, max_buckets, max_scale } => module
                .getattr("ExponentialHistogram")?
                .call1((temporality(*number)?, *max_buckets, *max_scale)),
        }
    }

    fn scope(&mut self, scope: &Arc<Scope>) -> Object<'py> {
        if let Some(known) = self.scopes.get(&Arc::as_ptr(scope)) {
            return Ok(known.clone());
        }
        let object = object!(self, "Scope", {
            resource: self.resource(&scope.resource)?,
            name: self.text(&scope.name),
            version: self.optional(&scope.version),
            schema_url: self.optional(&scope.schema_url),
            attributes: self.attributes(&scope.attributes)?,
        })?;
        self.scopes.insert(Arc::as_ptr(scope), object.clone());
        Ok(object)
    }

    fn resource(&mut self, resource: &Arc<Resource>) -> Object<'py> {
        if let Some(known) = self.resources.get(&Arc::as_ptr(resource)) {
            return Ok(known.clone());
        }
        let object = object!(self, "Resource", {
            attributes: self.attributes(&resource.attributes)?,
            schema_url: self.optional(&resource.schema_url),
        })?;
        self.resources.insert(Arc::as_ptr(resource), object.clone());
        Ok(object)
    }

    /// The attributes of a series, which series of other metrics may have too.
    fn set(&mut self, attributes: &Arc<Vec<KeyValue>>) -> PyResult<Bound<'py, PyDict>> {
        if let Some(known) = self.sets.get(&Arc::as_ptr(attributes)) {
            return Ok(known.clone());
        }
        let entries = self.attributes(attributes)?;
        self.sets.insert(Arc::as_ptr(attributes), entries.clone());
        Ok(entries)
    }

    fn attributes(&self, attributes: &[KeyValue]) -> PyResult<Bound<'py, PyDict>> {
        let entries = PyDict::new(self.py);
        for KeyValue { key, value, .. } in attributes {
            entries.set_item(self.text(key), self.value(value)?)?;
        }
        Ok(entries)
    }

    fn value(&self, value: &Value) -> Object<'py> {
        Ok(match value {
            Value::Empty => PyNone::get(self.py).to_owned().into_any(),
            Value::String(text) => PyString::new(self.py, text).into_any(),
            Value::Bool(flag) => flag.into_pyobject(self.py)?.to_owned().into_any(),
            Value::Int(number) => PyInt::new(self.py, *number).into_any(),
            Value::Double(number) => PyFloat::new(self.py, *number).into_any(),
            Value::Bytes(bytes) => PyBytes::new(self.py, bytes).into_any(),
            Value::Array(elements) => {
                let list = PyList::empty(self.py);
                for element in elements {
                    list.append(self.value(element)?)?;
                }
                list.into_any()
            }
            Value::Map(entries) => self.attributes(entries)?.into_any(),
        })
    }

    /// A text as a string; one for all who share it.
    fn text(&self, text: &Text) -> Bound<'py, PyString> {
        if text.is_empty() {
            return PyString::intern(self.py, "");
        }
        let mut texts = self.texts.borrow_mut();
        let shared = texts.entry(Arc::as_ptr(text)).or_insert_with(|| PyString::new(self.py, text));
        shared.clone()
    }

    /// A text, or `None` if it is empty.
    fn optional(&self, text: &Text) -> Option<Bound<'py, PyString>> {
        (!text.is_empty()).then(|| self.text(text))
    }

    fn number(&self, number: Number) -> Bound<'py, PyAny> {
        match number {
            Number::Int(number) => PyInt::new(self.py, number).into_any(),
            Number::Double(number) => PyFloat::new(self.py, number).into_any(),
        }
    }

    fn tuple<T>(
        &self,
        items: &[T],
        convert: impl Fn(&Self, &T) -> Object<'py>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let objects: Vec<_> = items.iter().map(|item| convert(self, item)).collect::<PyResult<_>>()?;
        PyTuple::new(self.py, objects)
    }

    /// An id, or `None` if it is zero.
    fn optional_id(&self, id: &[u8]) -> Option<Bound<'py, PyBytes>> {
        id.iter().any(|&byte| byte != 0).then(|| PyBytes::new(self.py, id))
    }
}
