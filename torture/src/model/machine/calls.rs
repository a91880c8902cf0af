//! Calls that record, each made on the writer and noted in the model.

use std::sync::Arc;

use otlp_mmap_reader::model::{self, Number, SpanEvent, SpanLink, Text as ModelText};
use otlp_mmap_writer::{
    AnyValue, Counter, Error, Link, ScopeRef, Signal, SpanContext, SpanKind, SpanStart, StatusCode,
};

use super::{GivenMeasurement, Machine, NameGiven};
use crate::model::given::{Given, GivenBody};
use crate::model::input::{Attributes, Context, Event, Measured, Name, Policy, SeriesAttributes, Start};
use crate::model::room::{Content, Fit};
use crate::model::spans::{GivenEvent, GivenSpan, NOWHERE, empty_span};
use crate::model::values::{
    Generated, GeneratedText, are_too_deep, attributes, fold, fold_value, is_too_deep, series_attributes,
    size_of_item,
};

/// Spans.
impl Machine {
    pub(super) fn start(&mut self, start: &Start) {
        let (scope, mut span, mut refusal) = self.span(start);
        let (name, unknown) = self.name(&start.name);
        let given = attributes(&start.attributes);
        refusal = refusal.or(unknown).or(bad_key(&given));
        let trace_state = start.trace_state.text();
        (span.trace_state, span.name) = (trace_state.as_str().into(), name.text());
        let call = SpanStart {
            scope,
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            trace_state: &trace_state,
            flags: span.flags,
            name: name.given(),
            kind: kind(start.kind),
            start_time_unix_nano: span.start_time_unix_nano,
            attributes: &Given(&given),
        };
        let by_ids = start.by_ids.is_some();
        let result =
            if by_ids { self.writer.record_span_start(&call) } else { self.writer.start_span(&call) };
        let mut content = Content::new();
        let texts = size_of_text(name.inline()) + size_of_text(trace_state.len());
        content.grow(
            texts + self.dictionary.size_of_all(&given),
            self.room.span_items(),
            are_too_deep(&given),
            self.is_exact(),
        );
        span.attributes = given;
        let names = vec![Arc::clone(&span.name)];
        if let Some(handle) = self.settle(Signal::Spans, result, refusal, None) {
            self.live.push(GivenSpan { handle, scope, by_ids, content, span, names, statuses: Vec::new() });
        }
    }

    /// A new span's scope and numbers, and why they are refused.
    fn span(&mut self, start: &Start) -> (ScopeRef, model::Span, Option<Counter>) {
        let number = self.tick();
        let (scope, model, mut refusal) = self.scope(start.scope);
        let mut span = empty_span(model);
        (span.trace_id, span.span_id) = ((u128::from(number) << 64 | 7).to_be_bytes(), number.to_be_bytes());
        if start.zero_id == u8::MAX {
            span.span_id = [0; 8];
            refusal = Some(Counter::Invalid);
        }
        // A span that is found by its ids can be in flight only once.
        let twice = self.live.iter().find(|live| start.by_ids == Some(true) && live.by_ids);
        if let Some(live) = twice {
            (span.trace_id, span.span_id) = (live.span.trace_id, live.span.span_id);
            refusal = Some(Counter::Invalid);
        }
        span.parent_span_id = if start.parent { (number - 1).to_be_bytes() } else { [0; 8] };
        (span.flags, span.kind) = (u32::from(start.flags), u32::from(start.kind % 6));
        span.start_time_unix_nano = number;
        (scope, span, refusal)
    }

    /// The number of a span in flight, if there is one.
    fn chosen(&self, number: u8) -> Option<usize> {
        usize::from(number).checked_rem(self.live.len())
    }

    pub(super) fn set_attributes(&mut self, number: u8, generated: &Attributes) {
        let Some(chosen) = self.chosen(number) else { return };
        let given = attributes(generated);
        let result = self.writer.set_attributes(self.live[chosen].handle, &Given(&given));
        let exact = self.is_exact();
        if self.settle(Signal::Spans, result, bad_key(&given), None).is_some() {
            let live = &mut self.live[chosen];
            live.content.grow(
                self.dictionary.size_of_all(&given),
                self.room.span_items(),
                are_too_deep(&given),
                exact,
            );
            live.span.attributes.extend(given);
        }
    }

    pub(super) fn add_event(&mut self, number: u8, name: &Name, dropped: u32, generated: &Attributes) {
        let Some(chosen) = self.chosen(number) else { return };
        let time = self.tick();
        let (name, unknown) = self.name(name);
        let given = attributes(generated);
        let event = otlp_mmap_writer::SpanEvent {
            name: name.given(),
            time_unix_nano: time,
            attributes: &Given(&given),
            dropped_attributes_count: dropped,
        };
        let result = self.writer.add_event(self.live[chosen].handle, &event);
        let exact = self.is_exact();
        if self.settle(Signal::Spans, result, unknown.or(bad_key(&given)), None).is_some() {
            let body = otlp_mmap_format::SpanEventBody::SIZE + name.inline().next_multiple_of(8);
            let live = &mut self.live[chosen];
            let size = size_of_item(body + self.dictionary.size_of_all(&given));
            live.content.grow(size, self.room.span_items(), are_too_deep(&given), exact);
            live.span.events.push(SpanEvent {
                time_unix_nano: time,
                name: name.text(),
                attributes: given,
                dropped_attributes_count: dropped,
            });
        }
    }

    pub(super) fn add_link(
        &mut self,
        number: u8,
        flags: u32,
        trace_state: &GeneratedText,
        dropped: u32,
        generated: &Attributes,
    ) {
        let Some(chosen) = self.chosen(number) else { return };
        let context = SpanContext { trace_id: [9; 16], span_id: self.tick().to_be_bytes(), flags };
        let given = attributes(generated);
        let trace_state = trace_state.text();
        let link = Link {
            context,
            trace_state: &trace_state,
            attributes: &Given(&given),
            dropped_attributes_count: dropped,
        };
        let result = self.writer.add_link(self.live[chosen].handle, &link);
        let exact = self.is_exact();
        if self.settle(Signal::Spans, result, bad_key(&given), None).is_some() {
            let body = otlp_mmap_format::LinkBody::SIZE + trace_state.len().next_multiple_of(8);
            let live = &mut self.live[chosen];
            let size = size_of_item(body + self.dictionary.size_of_all(&given));
            live.content.grow(size, self.room.span_items(), are_too_deep(&given), exact);
            live.span.links.push(SpanLink {
                trace_id: context.trace_id,
                span_id: context.span_id,
                trace_state: trace_state.into(),
                flags,
                attributes: given,
                dropped_attributes_count: dropped,
            });
        }
    }

    pub(super) fn set_status(&mut self, number: u8, code: u8, message: &GeneratedText) {
        let Some(chosen) = self.chosen(number) else { return };
        let message: ModelText = message.text().into();
        let code = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][usize::from(code) % 3];
        let result = self.writer.set_status(self.live[chosen].handle, code, &message);
        let exact = self.is_exact();
        if self.settle(Signal::Spans, result, None, None).is_some() {
            let live = &mut self.live[chosen];
            let size = size_of_item(otlp_mmap_format::StatusBody::SIZE + message.len());
            live.content.grow(size, self.room.span(), false, exact);
            live.statuses.push((code as u32, Arc::clone(&message)));
            (live.span.status_code, live.span.status_message) = (code as u32, message);
        }
    }

    pub(super) fn update_name(&mut self, number: u8, name: &GeneratedText) {
        let Some(chosen) = self.chosen(number) else { return };
        let name: ModelText = name.text().into();
        let result = self.writer.update_name(self.live[chosen].handle, &name);
        let exact = self.is_exact();
        if self.settle(Signal::Spans, result, None, None).is_some() {
            let live = &mut self.live[chosen];
            live.content.grow(size_of_item(name.len()), self.room.span_name(), false, exact);
            live.names.push(Arc::clone(&name));
            live.span.name = name;
        }
    }

    pub(super) fn add_dropped(&mut self, number: u8, [attributes, events, links]: [u32; 3]) {
        let Some(chosen) = self.chosen(number) else { return };
        let result = self.writer.add_dropped(self.live[chosen].handle, attributes, events, links);
        if self.settle(Signal::Spans, result, None, None).is_some() {
            let GivenSpan { span, content, .. } = &mut self.live[chosen];
            if attributes | events | links != 0 {
                content.count(self.room);
            }
            span.dropped_attributes_count += attributes;
            span.dropped_events_count += events;
            span.dropped_links_count += links;
        }
    }

    pub(super) fn end(&mut self, number: u8, by_ids: bool, other_scope: bool) {
        let Some(chosen) = self.chosen(number) else { return };
        let time = self.tick();
        let live = &self.live[chosen];
        let (trace_id, span_id, handle) = (live.span.trace_id, live.span.span_id, live.handle);
        let by_ids = by_ids && live.by_ids;
        let wrong = by_ids && other_scope;
        let scope = if wrong { ScopeRef::from_raw(live.scope.raw() + 1) } else { live.scope };
        let result = if by_ids {
            self.writer.record_span_end(scope, trace_id, span_id, time)
        } else {
            self.writer.end_span(handle, time)
        };
        let ended = self.settle(Signal::Spans, result, wrong.then_some(Counter::Invalid), self.full());
        if self.closed || wrong {
            return;
        }
        // A span whose record is refused is gone all the same.
        let mut live = self.live.swap_remove(chosen);
        self.ended.push(handle);
        if ended.is_some() {
            live.span.end_time_unix_nano = Some(time);
            self.published.push(Signal::Spans, u64::from_be_bytes(span_id));
            self.spans.push(live);
        }
    }

    pub(super) fn end_again(&mut self, number: u8) {
        let Some(chosen) = usize::from(number).checked_rem(self.ended.len()) else { return };
        let result = self.writer.end_span(self.ended[chosen], 1);
        self.settle(Signal::Spans, result, Some(Counter::Invalid), None);
    }
}

/// Events.
impl Machine {
    pub(super) fn event(&mut self, event: &Event) {
        let observed = self.tick();
        let (scope, model, refusal) = self.scope(event.scope);
        let (name, unknown) = event.name.as_ref().map(|name| self.name(name)).unzip();
        let (context, zero) = context(event.context, observed);
        let body = event.body.as_ref().map(Generated::value);
        let severity_text = event.severity_text.text();
        let given = model::Event {
            position: NOWHERE,
            scope: model,
            time_unix_nano: if event.time == 0 { 0 } else { observed + u64::from(event.time) },
            observed_time_unix_nano: observed,
            severity_number: u32::from(event.severity % 27),
            severity_text: severity_text.as_str().into(),
            event_name: name.as_ref().map(NameGiven::text).unwrap_or_default(),
            body: body.as_ref().map(fold_value),
            attributes: attributes(&event.attributes),
            dropped_attributes_count: u32::from(event.dropped),
            flags: context.map_or(0, |context| context.flags),
            trace_id: context.map_or([0; 16], |context| context.trace_id),
            span_id: context.map_or([0; 8], |context| context.span_id),
            truncated: false,
        };
        let given_body = body.as_ref().map(GivenBody);
        let call = otlp_mmap_writer::Event {
            scope,
            context,
            name: name.as_ref().map(NameGiven::given),
            time_unix_nano: given.time_unix_nano,
            observed_time_unix_nano: observed,
            severity_number: given.severity_number,
            severity_text: &severity_text,
            body: given_body.as_ref().map(|body| body as &dyn AnyValue),
            attributes: &Given(&given.attributes),
            dropped_attributes_count: given.dropped_attributes_count,
        };
        let result = self.writer.record_event(&call);
        let bad_severity = (given.severity_number > 24).then_some(Counter::Invalid);
        let refusal = refusal.or(unknown.flatten()).or(bad_key(&given.attributes)).or(zero).or(bad_severity);
        let fit = self.fit_of_event(name.as_ref().map_or(0, NameGiven::inline), &given, body.as_ref());
        if self.settle(Signal::Events, result, refusal, self.full()).is_some() {
            self.published.push(Signal::Events, observed);
            self.events.push(GivenEvent { fit, event: given, body });
        }
    }

    /// Whether an event fits, of whose name so many bytes stand inline.
    fn fit_of_event(&self, name: usize, event: &model::Event, body: Option<&model::Value>) -> Fit {
        let texts = size_of_text(name) + size_of_text(event.severity_text.len());
        let body_size = body.map_or(0, |body| size_of_item(self.dictionary.size_of_value(body)));
        let size = texts + body_size + self.dictionary.size_of_all(&event.attributes);
        let deep = are_too_deep(&event.attributes) || body.is_some_and(|body| is_too_deep(body, 1));
        match self.is_exact() {
            false => Fit::Unknown,
            true if size > self.room.event_items() || deep => Fit::Cut,
            true => Fit::Whole,
        }
    }
}

/// Metrics.
impl Machine {
    pub(super) fn measure(&mut self, stream: u8, given: &SeriesAttributes, value: Measured, kind: Context) {
        let time = self.tick();
        let given = series_attributes(given);
        let stream = usize::from(stream) % self.metrics.streams.len();
        let metric = self.metrics.streams[stream].metric;
        let (context, zero) = context(kind, time);
        let (written, value) = number(value);
        let lost = self.exemplars_lost();
        let result = self.writer.record_measurement(metric, &Given(&given), time, written, context.as_ref());
        if self.closed || zero.is_some() {
            self.settle(Signal::Measurements, result, zero, None);
            return;
        }
        if !self.metrics.takes((stream, None), value) {
            self.settle(Signal::Measurements, result, Some(Counter::Invalid), None);
            return;
        }
        let place = self.metrics.find(&mut self.dictionary, stream, &given);
        let mut filtered = if place.1.is_none() { fold(&given) } else { Vec::new() };
        let own = &self.metrics.series(place).attributes;
        filtered.retain(|one| !own.contains(one));
        let raw = context.is_none_or(|context| context.flags & 1 == 0);
        self.measured(result, GivenMeasurement { place, time, value, context, filtered, raw }, lost);
    }

    pub(super) fn bind(&mut self, stream: u8, given: &SeriesAttributes) {
        let given = series_attributes(given);
        let stream = usize::from(stream) % self.metrics.streams.len();
        let result = self.writer.bind(self.metrics.streams[stream].metric, &Given(&given));
        if let Some(series) = self.settle(Signal::Measurements, result, None, None) {
            let place = self.metrics.find(&mut self.dictionary, stream, &given);
            self.bound.push((series, place));
        }
    }

    pub(super) fn measure_bound(&mut self, bound: u8, value: Measured) {
        let Some(chosen) = usize::from(bound).checked_rem(self.bound.len()) else { return };
        let time = self.tick();
        let (series, place) = self.bound[chosen];
        let (written, value) = number(value);
        let lost = self.exemplars_lost();
        let result = self.writer.record_bound(series, time, written);
        let given = GivenMeasurement { place, time, value, context: None, filtered: Vec::new(), raw: true };
        self.measured(result, given, lost);
    }

    fn measured(&mut self, result: Result<(), Error>, given: GivenMeasurement, lost_before: u64) {
        let GivenMeasurement { place, time, value, raw, .. } = given;
        let refusal = (!self.metrics.takes(place, value)).then_some(Counter::Invalid);
        if self.settle(Signal::Measurements, result, refusal, None).is_none() {
            return;
        }
        self.metrics.series(place).measured.push((time, value));
        if raw && !self.stream_measurements {
            return;
        }
        let lost = self.exemplars_lost() - lost_before;
        assert!(lost == 0 || self.policy != Policy::Overwrite, "an exemplar is lost");
        self.refused[2][Counter::ExemplarLost as usize] += lost;
        if lost == 0 {
            self.published.push(Signal::Measurements, time);
            self.measurements.push(given);
        }
    }

    fn exemplars_lost(&self) -> u64 {
        self.writer.counter(Signal::Measurements, Counter::ExemplarLost).expect("this process")
    }

    /// Has the exporter take and acknowledge what there is.
    pub(super) fn deliver(&mut self) {
        let Some((exporter, watcher)) = &mut self.exporter else { return };
        for progress in watcher.poll(&self.published).progress {
            let done = exporter.acknowledge(
                progress.signal,
                progress.segment,
                progress.generation,
                progress.records,
            );
            assert!(done.expect("a segment of this file"), "nobody recycles meanwhile");
        }
    }
}

fn bad_key(given: &[model::KeyValue]) -> Option<Counter> {
    given.iter().any(|one| one.key.is_empty()).then_some(Counter::Invalid)
}

/// Bytes of the item of a text that is left out if it is empty.
fn size_of_text(length: usize) -> usize {
    if length == 0 { 0 } else { size_of_item(length) }
}

fn context(kind: Context, number: u64) -> (Option<SpanContext>, Option<Counter>) {
    let context = SpanContext { trace_id: [8; 16], span_id: number.to_be_bytes(), flags: 1 };
    match kind {
        Context::None => (None, None),
        Context::Unsampled => (Some(SpanContext { flags: 0, ..context }), None),
        Context::Sampled => (Some(context), None),
        Context::Zero => (Some(SpanContext { span_id: [0; 8], ..context }), Some(Counter::Invalid)),
    }
}

fn kind(number: u8) -> SpanKind {
    let kinds = [
        SpanKind::Unspecified,
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];
    kinds[usize::from(number) % kinds.len()]
}

fn number(measured: Measured) -> (otlp_mmap_writer::Number, Number) {
    let number = match measured {
        Measured::Small(number) => Number::Int(number.into()),
        Measured::Int(number) => Number::Int(number),
        Measured::Eighths(number) => Number::Double(f64::from(number) / 8.0),
        Measured::Bits(bits) => Number::Double(f64::from_bits(bits)),
    };
    let written = match number {
        Number::Int(number) => otlp_mmap_writer::Number::Int(number),
        Number::Double(number) => otlp_mmap_writer::Number::Double(number),
    };
    (written, number)
}
