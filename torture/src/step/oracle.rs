//! The oracle: follows a scenario call by call and says which worlds a reader may find during each call.

use crate::step::call::{
    CONTEXT, Call, EventCall, Named, Outcome, Step, attribute, span_id, time_of, trace_id,
};
use crate::step::cells::Cell;
use crate::step::world::World;
use otlp_mmap_format::{Counter, Signal};
use otlp_mmap_reader::model::{
    Event, KeyValue, Measurement, MetricStream, Number, Point, Position, Resource, Scope, Series, Span,
    SpanEvent, SpanLink, Value,
};
use std::collections::HashMap;
use std::sync::Arc;

const NOWHERE: Position = Position { segment: 0, sequence: 0, offset: 0 };

/// What a process has done so far.
#[derive(Default)]
pub(crate) struct Oracle {
    world: World,
    strings: Vec<String>,
    resources: Vec<Arc<Resource>>,
    scopes: Vec<Arc<Scope>>,
    streams: Vec<Arc<MetricStream>>,
    bound: Vec<(usize, Vec<KeyValue>)>,
    /// Spans that have started and not ended, as their records will be.
    spans: HashMap<u8, Open>,
    /// By stream and attributes, in the order in which they came into being.
    cells: Vec<(usize, Vec<KeyValue>, Cell)>,
}

/// A span in flight.
struct Open {
    span: Span,
    /// Whether what comes next is in the file before the end.
    spilled: bool,
    /// What the writer itself left out or cut comes to light at the end.
    truncated: bool,
}

impl Oracle {
    /// The worlds of a call, from the present one to the one that it leaves.
    pub(crate) fn worlds(&mut self, number: usize, step: &Step) -> Vec<World> {
        let mut worlds = vec![self.world.clone()];
        if let Some(refused) = self.refused(step) {
            worlds.extend(refused);
        } else {
            worlds.extend(self.done(number, step));
        }
        self.world = worlds.last().cloned().unwrap_or_default();
        worlds
    }

    /// In a forked child nothing has been recorded.
    fn forked(&mut self) {
        self.world = World::default();
        self.spans.clear();
        self.cells.clear();
    }

    /// What a call leaves that fails: its loss is counted, after a span that was to end is gone.
    fn refused(&mut self, step: &Step) -> Option<Vec<World>> {
        let signal = signal_of(&step.call);
        let counter = match step.outcome {
            Outcome::Done => return None,
            Outcome::Invalid => Counter::Invalid,
            Outcome::Closed => Counter::Closed,
            Outcome::Discarded => Counter::Discarded,
            Outcome::BlockTimeout => Counter::BlockTimeout,
            Outcome::DictionaryFull if matches!(step.call, Call::Intern(_) | Call::FillStrings) => {
                Counter::DictionaryFull
            }
            Outcome::DictionaryFull => Counter::DefinitionLost,
            Outcome::Other => return Some(Vec::new()),
        };
        let mut world = self.world.clone();
        let mut worlds = Vec::new();
        if let (Call::End { span, .. }, Outcome::Discarded | Outcome::BlockTimeout) =
            (&step.call, step.outcome)
        {
            self.spans.remove(span);
            world.in_flight.retain(|found| found.span_id != span_id(*span));
            worlds.push(world.clone());
        }
        // Each size that `fill` tries is refused once more than it is told; only strings count that.
        let times = if matches!(step.call, Call::FillStrings | Call::FillDefinitions) { FILLS } else { 1 };
        worlds.push(world.counted(signal, counter, times));
        Some(worlds)
    }

    fn done(&mut self, number: usize, step: &Step) -> Vec<World> {
        match &step.call {
            Call::Fork => {
                self.forked();
                vec![self.world.clone()]
            }
            Call::Create | Call::Acknowledge | Call::FillStrings | Call::FillDefinitions | Call::Damage => {
                Vec::new()
            }
            Call::Close => vec![World { closed: true, ..self.world.clone() }],
            Call::Intern(_) | Call::Resource(_) | Call::Scope(..) | Call::Stream(..) | Call::Bind(..) => {
                self.define(&step.call);
                Vec::new()
            }
            Call::Event(event) | Call::Pretend(event) => self.event(number, event, step.inlined),
            Call::Start { .. } => self.start(number, step),
            Call::End { span, .. } => self.end(number, *span),
            Call::Measure { stream, attributes, value, sampled } => {
                self.measure(number, step, (*stream, attributes), *value, *sampled)
            }
            Call::MeasureBound(bound, value) => {
                let (stream, attributes) = self.bound[*bound].clone();
                self.measure(number, step, (stream, &attributes), *value, false)
            }
            change => self.change(number, change, step),
        }
    }

    fn define(&mut self, call: &Call) {
        match call {
            Call::Intern(string) => self.strings.push(string.clone()),
            Call::Resource(attributes) => {
                let resource = Resource { attributes: attributes.clone(), schema_url: "".into() };
                self.resources.push(Arc::new(resource));
            }
            Call::Scope(resource, name, attributes) => self.scopes.push(Arc::new(Scope {
                resource: Arc::clone(&self.resources[*resource]),
                name: (*name).into(),
                version: "1.0".into(),
                schema_url: "".into(),
                attributes: attributes.clone(),
            })),
            Call::Stream(name, aggregation) => self.streams.push(Arc::new(MetricStream {
                scope: Arc::clone(&self.scopes[0]),
                name: (*name).into(),
                description: "".into(),
                unit: "1".into(),
                aggregation: aggregation.clone(),
            })),
            Call::Bind(stream, attributes) => self.bound.push((*stream, attributes.clone())),
            other => unreachable!("{other:?}"),
        }
    }

    fn text(&self, name: Named) -> Arc<str> {
        match name {
            Named::Inline(text) => text.into(),
            Named::Interned(number) => self.strings[number].as_str().into(),
        }
    }

    /// A record, then its counters.
    fn event(&mut self, number: usize, event: &EventCall, inlined: u64) -> Vec<World> {
        let context = event.in_span.then_some(CONTEXT);
        let truncated = event.attributes.iter().any(|attribute| attribute.truncated);
        let recorded = Event {
            position: NOWHERE,
            scope: Arc::clone(&self.scopes[0]),
            time_unix_nano: time_of(number),
            observed_time_unix_nano: time_of(number) + 1,
            severity_number: event.severity_number,
            severity_text: event.severity_text.into(),
            event_name: event.name.map(|name| self.text(name)).unwrap_or_default(),
            body: event.body.clone(),
            attributes: event.attributes.clone(),
            dropped_attributes_count: event.dropped,
            flags: u32::from(event.in_span),
            trace_id: context.map(trace_id).unwrap_or_default(),
            span_id: context.map(span_id).unwrap_or_default(),
            truncated,
        };
        let mut world = self.world.clone();
        world.events.push(recorded);
        counted_after(
            world,
            Signal::Events,
            &[(Counter::DictionaryFull, inlined), (Counter::Truncated, truncated.into())],
        )
    }

    /// Its inlined keys are counted first, then the span is in flight, unless it spills, which is counted.
    fn start(&mut self, number: usize, step: &Step) -> Vec<World> {
        let Call::Start { span, name, attributes, .. } = &step.call else { unreachable!() };
        let started = Span {
            position: NOWHERE,
            scope: Arc::clone(&self.scopes[0]),
            trace_id: trace_id(*span),
            span_id: span_id(*span),
            parent_span_id: span_id(CONTEXT),
            trace_state: "a=b".into(),
            flags: 0x101,
            name: self.text(*name),
            kind: 3,
            start_time_unix_nano: time_of(number),
            end_time_unix_nano: None,
            attributes: attributes.clone(),
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status_code: 0,
            status_message: "".into(),
            truncated: false,
            spilled: false,
        };
        let truncated = attributes.iter().any(|attribute| attribute.truncated);
        let open = Open { span: started.clone(), spilled: step.spills, truncated };
        self.spans.insert(*span, open);
        let mut world = self.world.clone().counted(Signal::Spans, Counter::DictionaryFull, step.inlined);
        let mut worlds = vec![world.clone()];
        if step.spills {
            worlds.push(world.counted(Signal::Spans, Counter::Spilled, 1));
        } else {
            world.in_flight.push(started);
            worlds.push(world);
        }
        worlds
    }

    /// A change of a span in flight: it shows, or it spills, which shows and is counted.
    fn change(&mut self, number: usize, call: &Call, step: &Step) -> Vec<World> {
        let (Call::SetAttributes(span, _)
        | Call::AddEvent(span, ..)
        | Call::AddLink(span, _)
        | Call::Rename(span, _)
        | Call::Status(span, ..)
        | Call::AddDropped(span, _)) = call
        else {
            unreachable!("{call:?}")
        };
        let name = if let Call::AddEvent(_, name, _) = call { self.text(*name) } else { "".into() };
        let open = self.spans.get_mut(span).expect("the scenario starts a span before it changes it");
        open.truncated |= apply(&mut open.span, number, call, name);
        let mut world = self.world.clone();
        let shown = world.in_flight.iter_mut().find(|found| found.span_id == span_id(*span));
        if step.spills {
            open.spilled = true;
            shown.expect("a span that spills was in the file").spilled = true;
            return counted_after(world, Signal::Spans, &[(Counter::Spilled, 1)]);
        }
        if let Some(shown) = shown.filter(|_| !open.spilled) {
            shown.clone_from(&open.span);
        }
        counted_after(world, Signal::Spans, &[(Counter::DictionaryFull, step.inlined)])
    }

    /// The span has its record and is not in flight any more, at once: a reader leaves out the one in flight.
    fn end(&mut self, number: usize, span: u8) -> Vec<World> {
        let open = self.spans.remove(&span).expect("the scenario starts a span before it ends it");
        let mut world = self.world.clone();
        world.in_flight.retain(|found| found.span_id != span_id(span));
        world.spans.push(Span {
            end_time_unix_nano: Some(time_of(number)),
            truncated: open.truncated,
            ..open.span
        });
        counted_after(world, Signal::Spans, &[(Counter::Truncated, open.truncated.into())])
    }

    /// The series changes, then the exemplar is there, then what overflowed is counted.
    fn measure(
        &mut self,
        number: usize,
        step: &Step,
        (stream, attributes): (usize, &[KeyValue]),
        value: Number,
        sampled: bool,
    ) -> Vec<World> {
        let overflow = vec![attribute("otel.metric.overflow", Value::Bool(true))];
        let mut of_series = if step.overflows { overflow } else { attributes.to_vec() };
        of_series.sort_by(|one, other| one.key.cmp(&other.key));
        let definition = Arc::clone(&self.streams[stream]);
        let mut world =
            self.world.clone().counted(Signal::Measurements, Counter::DictionaryFull, step.inlined);
        let mut worlds = vec![world.clone()];
        let shown = self.cell(stream, &of_series).add(&definition.aggregation, time_of(number), value);
        for (time, point) in shown {
            world.show(&definition, &of_series, step.overflows, time, point);
            worlds.push(world.clone());
        }
        if sampled {
            world.measurements.push(Measurement {
                position: NOWHERE,
                stream: definition,
                series_attributes: Arc::new(of_series),
                series: (0, 0),
                time_unix_nano: time_of(number),
                value,
                trace_id: trace_id(CONTEXT),
                span_id: span_id(CONTEXT),
                filtered_attributes: if step.overflows { attributes.to_vec() } else { Vec::new() },
                raw: false,
            });
            worlds.push(world.clone());
        }
        worlds.push(world.counted(Signal::Measurements, Counter::CardinalityOverflow, step.overflows.into()));
        worlds
    }

    fn cell(&mut self, stream: usize, attributes: &[KeyValue]) -> &mut Cell {
        let at = self.cells.iter().position(|(of, found, _)| *of == stream && found == attributes);
        let at = at.unwrap_or_else(|| {
            self.cells.push((stream, attributes.to_vec(), Cell::default()));
            self.cells.len() - 1
        });
        &mut self.cells[at].2
    }
}

/// Sizes that `Call::FillStrings` and `Call::FillDefinitions` try until the last is refused: 2,048 down to 8.
const FILLS: u64 = 9;

/// Applies a change to a span; `true`: something was cut.
fn apply(span: &mut Span, number: usize, call: &Call, name: Arc<str>) -> bool {
    match call {
        Call::SetAttributes(_, attributes) => {
            for attribute in attributes {
                match span.attributes.iter_mut().find(|found| found.key == attribute.key) {
                    Some(found) => found.clone_from(attribute),
                    None => span.attributes.push(attribute.clone()),
                }
            }
            return attributes.iter().any(|attribute| attribute.truncated);
        }
        Call::AddEvent(_, _, attributes) => {
            let (attributes, dropped_attributes_count) = (attributes.clone(), 3);
            let time_unix_nano = time_of(number);
            span.events.push(SpanEvent { time_unix_nano, name, attributes, dropped_attributes_count });
        }
        Call::AddLink(_, attributes) => span.links.push(SpanLink {
            trace_id: trace_id(CONTEXT),
            span_id: span_id(CONTEXT),
            trace_state: "c=d".into(),
            flags: 1,
            attributes: attributes.clone(),
            dropped_attributes_count: 4,
        }),
        Call::Rename(_, name) => span.name = (*name).into(),
        Call::Status(_, code, message) => {
            (span.status_code, span.status_message) = (*code as u32, message.as_str().into());
            // Longer than a segment.
            return message.len() > 4096;
        }
        Call::AddDropped(_, [attributes, events, links]) => {
            span.dropped_attributes_count += attributes;
            span.dropped_events_count += events;
            span.dropped_links_count += links;
        }
        other => unreachable!("{other:?}"),
    }
    false
}

impl World {
    /// Gives a series a value.
    fn show(
        &mut self,
        stream: &Arc<MetricStream>,
        attributes: &[KeyValue],
        overflow: bool,
        time_unix_nano: u64,
        point: Point,
    ) {
        let is_same =
            |found: &&mut Series| found.stream.name == stream.name && *found.attributes == *attributes;
        if let Some(found) = self.series.iter_mut().find(is_same) {
            (found.time_unix_nano, found.point) = (time_unix_nano, point);
            return;
        }
        self.series.push(Series {
            stream: Arc::clone(stream),
            attributes: Arc::new(attributes.to_vec()),
            series: (0, 0),
            overflow,
            start_time_unix_nano: 0,
            time_unix_nano,
            point,
            exemplars: Vec::new(),
        });
    }
}

/// A world, and then the same with one counter after the other.
fn counted_after(world: World, signal: Signal, counters: &[(Counter, u64)]) -> Vec<World> {
    let mut worlds = vec![world];
    for &(counter, amount) in counters {
        let world = worlds.last().cloned().unwrap_or_default();
        worlds.push(world.counted(signal, counter, amount));
    }
    worlds
}

/// The signal that the losses of a call count for.
fn signal_of(call: &Call) -> Signal {
    match call {
        Call::Start { .. }
        | Call::SetAttributes(..)
        | Call::AddEvent(..)
        | Call::AddLink(..)
        | Call::Rename(..)
        | Call::Status(..)
        | Call::AddDropped(..)
        | Call::End { .. } => Signal::Spans,
        Call::Stream(..) | Call::Measure { .. } | Call::Bind(..) | Call::MeasureBound(..) => {
            Signal::Measurements
        }
        _ => Signal::Events,
    }
}
