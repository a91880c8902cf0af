//! The traced process: makes the calls of a scenario, one after another, and says where it is.
//!
//! Before each call it stops itself with `SIGSTOP`, so that the tracer can choose to step through the call or to
//! let it run. Around the call it stores into the marker page that the tracer shares.

use crate::step::call::{CONTEXT, Call, EventCall, Named, Outcome, Status, Step, span_id, time_of, trace_id};
use crate::step::markers::Markers;
use crate::step::scenario::Scenario;
use otlp_mmap_reader::model::{self, KeyValue};
use otlp_mmap_writer::{
    Aggregation, AnyValue, Attributes, Config, Encoder, Error, Event, Key, Link, MetricRef, MetricStream,
    Number, ResourceRef, ScopeRef, SeriesRef, SpanContext, SpanEvent, SpanKind, SpanRef, SpanStart,
    StatusCode, StringRef, Temporality, Text, Writer,
};
use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Attributes of the reader's model, encoded by the writer.
struct Given<'a>(&'a [KeyValue]);

impl Attributes for Given<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|attribute| encode(encoder, Key::Str(&attribute.key), &attribute.value))
    }
}

/// A value of the reader's model as the body of an event.
struct GivenBody<'a>(&'a model::Value);

impl AnyValue for GivenBody<'_> {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        encode(encoder, key, self.0)
    }
}

fn encode(encoder: &mut Encoder<'_>, key: Key<'_>, value: &model::Value) -> Result<(), Error> {
    match value {
        model::Value::Empty => encoder.empty(key),
        model::Value::String(text) => encoder.string(key, text),
        model::Value::Bool(flag) => encoder.bool(key, *flag),
        model::Value::Int(number) => encoder.int(key, *number),
        model::Value::Double(number) => encoder.double(key, *number),
        model::Value::Bytes(bytes) => encoder.bytes(key, bytes),
        model::Value::Array(elements) => encoder.array(key, |encoder| {
            elements.iter().try_for_each(|element| encode(encoder, Key::None, element))
        }),
        model::Value::Map(entries) => encoder.map(key, |encoder| Given(entries).encode(encoder)),
    }
}

/// What the process got back from its calls.
#[derive(Default)]
struct Program {
    config: Option<Config>,
    writer: Option<Writer>,
    strings: Vec<StringRef>,
    resources: Vec<ResourceRef>,
    scopes: Vec<ScopeRef>,
    streams: Vec<MetricRef>,
    bound: Vec<SeriesRef>,
    spans: HashMap<u8, SpanRef>,
}

/// Runs a scenario in this process, which somebody else steps through. The recording goes into `directory`.
pub(crate) fn run(scenario: &Scenario, directory: &Path, markers: &Markers) {
    let mut config = Config::new(directory);
    config.service_name = Some("stepped".to_owned());
    (scenario.configure)(&mut config);
    if scenario.without_unnamed_files {
        super::process::forbid_unnamed_files();
    }
    let mut program = Program { config: Some(config), ..Program::default() };
    for (number, step) in scenario.steps().enumerate() {
        super::process::stop();
        markers.begin();
        let (outcome, reference) = program.make(number, step);
        markers.end(outcome as u32, reference);
    }
    // Here it is killed.
    super::process::stop();
}

/// The outcome of a call, and the dictionary reference that it gave (0: none).
type Made = (Outcome, u32);

impl Program {
    fn make(&mut self, number: usize, step: &Step) -> Made {
        let made = match &step.call {
            Call::Create => self.create(),
            Call::Fork => {
                super::process::go_on_in_child();
                Ok(0)
            }
            Call::Acknowledge | Call::Pretend(_) => Ok(0),
            Call::Damage => {
                self.damage();
                Ok(0)
            }
            Call::Close => {
                self.writer().close();
                Ok(0)
            }
            Call::FillStrings | Call::FillDefinitions => self.fill(&step.call),
            Call::Intern(_) | Call::Resource(_) | Call::Scope(..) | Call::Stream(..) | Call::Bind(..) => {
                self.define(&step.call)
            }
            Call::Event(event) => self.event(number, event),
            Call::Measure { .. } | Call::MeasureBound(..) => self.measure(number, &step.call),
            _ => self.span(number, &step.call),
        };
        match made {
            Ok(reference) => (Outcome::Done, reference),
            Err(error) => (outcome(&error), 0),
        }
    }

    fn create(&mut self) -> Result<u32, Error> {
        self.writer = Some(Writer::create(self.config.take().expect("created once"))?);
        Ok(0)
    }

    fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("the scenario creates the recording first")
    }

    fn define(&mut self, call: &Call) -> Result<u32, Error> {
        match call {
            Call::Intern(string) => {
                self.strings.push(self.writer().record_string(string)?);
                Ok(self.strings.last().map_or(0, |it| it.raw()))
            }
            Call::Resource(attributes) => {
                self.resources.push(self.writer().create_resource(&Given(attributes), None)?);
                Ok(self.resources.last().map_or(0, |it| it.raw()))
            }
            Call::Scope(resource, name, attributes) => {
                let (resource, given) = (self.resources[*resource], Given(attributes));
                let scope =
                    self.writer().create_instrumentation_scope(resource, name, Some("1.0"), None, &given)?;
                self.scopes.push(scope);
                Ok(scope.raw())
            }
            Call::Stream(name, aggregation) => {
                let stream =
                    MetricStream { name, description: "", unit: "1", aggregation: to_writer(aggregation) };
                let metric = self.writer().create_metric_stream(self.scopes[0], &stream)?;
                self.streams.push(metric);
                Ok(metric.raw())
            }
            Call::Bind(stream, attributes) => {
                self.bound.push(self.writer().bind(self.streams[*stream], &Given(attributes))?);
                Ok(0)
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Strings first as long, then as short as can be, until one is refused; definitions likewise.
    fn fill(&self, call: &Call) -> Result<u32, Error> {
        let mut length = 2048;
        for number in 0.. {
            let string = format!("{number:0length$}");
            let made = if matches!(call, Call::FillStrings) {
                self.writer().record_string(&string).map(drop)
            } else {
                let attributes = [model::KeyValue {
                    key: "service.name".into(),
                    value: model::Value::String(string),
                    truncated: false,
                }];
                self.writer().create_resource(&Given(&attributes), None).map(drop)
            };
            match made {
                Ok(()) => {}
                Err(Error::DictionaryFull) if length > 8 => length /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }

    /// Changes the first byte of the first long value.
    fn damage(&self) {
        let path = self.writer().path().expect("a recording");
        let bytes = std::fs::read(&path).expect("the recording");
        let at = bytes.windows(8).position(|window| window == b"vvvvvvvv").expect("a value");
        let file = std::fs::File::options().write(true).open(path).expect("the recording");
        file.write_all_at(b"w", at as u64).expect("the recording");
    }

    fn event(&self, number: usize, event: &EventCall) -> Result<u32, Error> {
        let body = event.body.as_ref().map(GivenBody);
        self.writer().record_event(&Event {
            scope: self.scopes[0],
            context: event.in_span.then_some(context()),
            name: event.name.map(|name| self.text(name)),
            time_unix_nano: time_of(number),
            observed_time_unix_nano: time_of(number) + 1,
            severity_number: event.severity_number,
            severity_text: event.severity_text,
            body: body.as_ref().map(|body| body as &dyn AnyValue),
            attributes: &Given(&event.attributes),
            dropped_attributes_count: event.dropped,
        })?;
        Ok(0)
    }

    fn text(&self, name: Named) -> Text<'static> {
        match name {
            Named::Inline(text) => Text::Str(text),
            Named::Interned(number) => Text::Ref(self.strings[number]),
        }
    }

    fn span(&mut self, number: usize, call: &Call) -> Result<u32, Error> {
        match call {
            Call::Start { span, name, attributes, by_ids } => {
                let start = SpanStart {
                    scope: self.scopes[0],
                    trace_id: trace_id(*span),
                    span_id: span_id(*span),
                    parent_span_id: span_id(CONTEXT),
                    trace_state: "a=b",
                    flags: 0x101,
                    name: self.text(*name),
                    kind: SpanKind::Client,
                    start_time_unix_nano: time_of(number),
                    attributes: &Given(attributes),
                };
                let started = match by_ids {
                    true => self.writer().record_span_start(&start)?,
                    false => self.writer().start_span(&start)?,
                };
                self.spans.insert(*span, started);
            }
            Call::End { span, by_ids: true } => {
                let (trace_id, span_id) = (trace_id(*span), span_id(*span));
                self.writer().record_span_end(self.scopes[0], trace_id, span_id, time_of(number))?;
            }
            Call::End { span, .. } => self.writer().end_span(self.spans[span], time_of(number))?,
            other => self.change_span(number, other)?,
        }
        Ok(0)
    }

    fn change_span(&self, number: usize, call: &Call) -> Result<(), Error> {
        let writer = self.writer();
        let span = |number: &u8| self.spans[number];
        match call {
            Call::SetAttributes(number, attributes) => {
                writer.set_attributes(span(number), &Given(attributes))
            }
            Call::AddEvent(of, name, attributes) => {
                let event = SpanEvent {
                    name: self.text(*name),
                    time_unix_nano: time_of(number),
                    attributes: &Given(attributes),
                    dropped_attributes_count: 3,
                };
                writer.add_event(span(of), &event)
            }
            Call::AddLink(number, attributes) => {
                let link = Link {
                    context: context(),
                    trace_state: "c=d",
                    attributes: &Given(attributes),
                    dropped_attributes_count: 4,
                };
                writer.add_link(span(number), &link)
            }
            Call::Rename(number, name) => writer.update_name(span(number), name),
            Call::Status(number, Status::Ok, message) => {
                writer.set_status(span(number), StatusCode::Ok, message)
            }
            Call::Status(number, Status::Error, message) => {
                writer.set_status(span(number), StatusCode::Error, message)
            }
            Call::AddDropped(number, [attributes, events, links]) => {
                writer.add_dropped(span(number), *attributes, *events, *links)
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn measure(&self, number: usize, call: &Call) -> Result<u32, Error> {
        let number_of = |value: &model::Number| match *value {
            model::Number::Int(value) => Number::Int(value),
            model::Number::Double(value) => Number::Double(value),
        };
        match call {
            Call::Measure { stream, attributes, value, sampled } => {
                let context = sampled.then(context);
                self.writer().record_measurement(
                    self.streams[*stream],
                    &Given(attributes),
                    time_of(number),
                    number_of(value),
                    context.as_ref(),
                )?;
            }
            Call::MeasureBound(series, value) => {
                self.writer().record_bound(self.bound[*series], time_of(number), number_of(value))?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(0)
    }
}

fn context() -> SpanContext {
    SpanContext { trace_id: trace_id(CONTEXT), span_id: span_id(CONTEXT), flags: 1 }
}

fn to_writer(aggregation: &model::Aggregation) -> Aggregation<'_> {
    let temporality = Temporality::Cumulative;
    match aggregation {
        model::Aggregation::Gauge => Aggregation::Gauge,
        model::Aggregation::Sum { is_monotonic, .. } => {
            Aggregation::Sum { temporality, is_monotonic: *is_monotonic }
        }
        model::Aggregation::Histogram { boundaries, .. } => {
            Aggregation::Histogram { temporality, boundaries }
        }
        model::Aggregation::ExponentialHistogram { max_buckets, max_scale, .. } => {
            Aggregation::ExponentialHistogram {
                temporality,
                max_buckets: *max_buckets,
                max_scale: *max_scale,
            }
        }
    }
}

fn outcome(error: &Error) -> Outcome {
    match error {
        Error::Invalid { .. }
        | Error::UnknownReference { .. }
        | Error::UnknownSpan { .. }
        | Error::DuplicateSpan { .. } => Outcome::Invalid,
        Error::Closed => Outcome::Closed,
        Error::Discarded => Outcome::Discarded,
        Error::BlockTimeout => Outcome::BlockTimeout,
        Error::DictionaryFull => Outcome::DictionaryFull,
        _ => Outcome::Other,
    }
}
