//! Records into the model: bodies, and items folded over one another (SPEC "SPAN", "EVENT", "MEASUREMENT").
//!
//! Items apply in order: a later name, status or value of a key replaces an earlier one, span events and links
//! are appended, and what was dropped adds up. So a span is read the same way from its record and from the
//! blocks of a span in flight.

use std::sync::Arc;

use otlp_mmap_format::{
    DroppedBody, EventBody, ItemTag, LinkBody, MEASUREMENT_FLAG_DOUBLE, MEASUREMENT_FLAG_RAW,
    MeasurementBody, RECORD_FLAG_TRUNCATED, RecordHeader, RecordType, Signal, SpanBody, SpanEventBody,
    StatusBody,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::Rule;
use crate::attributes::AttributeList;
use crate::bytes::{len, size, view};
use crate::dictionary::Resolver;
use crate::items::{Item, Items};
use crate::model::{Event, Measurement, Number, Position, Record, Span, SpanEvent, SpanLink, Text, Value};

/// Largest OTLP `SpanKind`.
const MAX_SPAN_KIND: u32 = 5;
/// Largest OTLP `StatusCode`.
const MAX_STATUS_CODE: u32 = 2;
/// Largest OTLP `SeverityNumber`.
const MAX_SEVERITY_NUMBER: u32 = 24;

/// Items of a span that are no attributes.
const SPAN_ITEMS: &[ItemTag] = &[
    ItemTag::Name,
    ItemTag::TraceState,
    ItemTag::Status,
    ItemTag::SpanEvent,
    ItemTag::Link,
    ItemTag::Dropped,
];
/// Items of an event that are no attributes.
const EVENT_ITEMS: &[ItemTag] = &[ItemTag::Name, ItemTag::Body, ItemTag::SeverityText, ItemTag::Dropped];

/// What the items of a record add up to.
#[derive(Default)]
struct Folded {
    attributes: AttributeList,
    name: Option<Text>,
    trace_state: Text,
    severity_text: Text,
    status: (u32, Text),
    body: Option<Value>,
    events: Vec<SpanEvent>,
    links: Vec<SpanLink>,
    dropped: (u32, u32, u32),
}

impl Resolver<'_> {
    /// The record in `bytes`, whose header was checked. `None`: its type is unknown, which is no fault, or it does
    /// not belong into the pool of `signal`, is too short, or has lost its meaning, which are.
    pub(crate) fn record(
        &mut self,
        signal: Signal,
        header: &RecordHeader,
        bytes: &[u8],
        position: Position,
    ) -> Option<Record> {
        let kind = RecordType::from_code(header.record_type.get())?;
        let content = bytes.get(RecordHeader::SIZE..).unwrap_or_default();
        let (pool, body) = match kind {
            RecordType::Span => (Signal::Spans, SpanBody::SIZE),
            RecordType::Event => (Signal::Events, EventBody::SIZE),
            RecordType::Measurement => (Signal::Measurements, MeasurementBody::SIZE),
        };
        if pool != signal || content.len() < body {
            self.report.fault(position.offset, Rule::RecordBody, || {
                format!("a {} of {} bytes among {}", kind.name(), bytes.len(), signal.name())
            });
            return None;
        }
        if let Err(detail) = self.record_zeros.keep(bytes, self.source) {
            self.report.fault(position.offset, Rule::RecordBody, || detail);
            return None;
        }
        match kind {
            RecordType::Span => Some(Record::Span(Box::new(self.span(content, position, Some(header))?))),
            RecordType::Event => self.event(header, content, position),
            RecordType::Measurement => self.measurement(header, content, position),
        }
    }

    /// A span from its body and items; `header` is `None` for a span in flight.
    pub(crate) fn span(
        &mut self,
        content: &[u8],
        position: Position,
        header: Option<&RecordHeader>,
    ) -> Option<Span> {
        let (body, folded) = self.body_and_items::<SpanBody>(content, position, header, SPAN_ITEMS)?;
        let name = folded.name.unwrap_or_else(|| self.named(body.name_ref.get(), position.offset));
        if body.trace_id == [0; 16] || body.span_id == [0; 8] {
            self.report.fault(position.offset, Rule::RecordBody, || "the id of a span is zero".to_owned());
        }
        Some(Span {
            position,
            scope: self.scope(body.scope_ref.get(), position.offset),
            trace_id: body.trace_id,
            span_id: body.span_id,
            parent_span_id: body.parent_span_id,
            trace_state: folded.trace_state,
            flags: body.flags.get(),
            name,
            kind: self.in_range(body.kind.get(), MAX_SPAN_KIND, "span kind", position),
            start_time_unix_nano: body.start_time_unix_nano.get(),
            end_time_unix_nano: header.map(|header| header.time_unix_nano.get()),
            dropped_attributes_count: folded.dropped.0.saturating_add(folded.attributes.dropped()),
            attributes: folded.attributes.into_vec(),
            events: folded.events,
            dropped_events_count: folded.dropped.1,
            links: folded.links,
            dropped_links_count: folded.dropped.2,
            status_code: folded.status.0,
            status_message: folded.status.1,
            truncated: header.is_some_and(is_truncated),
            spilled: false,
        })
    }

    fn event(&mut self, header: &RecordHeader, content: &[u8], position: Position) -> Option<Record> {
        let (body, folded) =
            self.body_and_items::<EventBody>(content, position, Some(header), EVENT_ITEMS)?;
        let event_name = folded.name.unwrap_or_else(|| self.named(body.name_ref.get(), position.offset));
        Some(Record::Event(Box::new(Event {
            position,
            scope: self.scope(body.scope_ref.get(), position.offset),
            time_unix_nano: header.time_unix_nano.get(),
            observed_time_unix_nano: body.observed_time_unix_nano.get(),
            severity_number: self.in_range(
                body.severity_number.get(),
                MAX_SEVERITY_NUMBER,
                "severity number",
                position,
            ),
            severity_text: folded.severity_text,
            event_name,
            body: folded.body,
            dropped_attributes_count: folded.dropped.0.saturating_add(folded.attributes.dropped()),
            attributes: folded.attributes.into_vec(),
            flags: body.flags.get(),
            trace_id: body.trace_id,
            span_id: body.span_id,
            truncated: is_truncated(header),
        })))
    }

    fn measurement(&mut self, header: &RecordHeader, content: &[u8], position: Position) -> Option<Record> {
        let (body, folded) = self.body_and_items::<MeasurementBody>(content, position, Some(header), &[])?;
        let series = (body.stream_ref.get(), body.attributes_ref.get());
        let flags = body.flags.get();
        let stream = self.metric_stream(series.0, position.offset)?;
        Some(Record::Measurement(Box::new(Measurement {
            position,
            stream,
            series_attributes: self.attribute_set(series.1, position.offset),
            series,
            time_unix_nano: header.time_unix_nano.get(),
            value: number(body.value_bits.get(), flags & MEASUREMENT_FLAG_DOUBLE != 0),
            trace_id: body.trace_id,
            span_id: body.span_id,
            filtered_attributes: folded.attributes.into_vec(),
            raw: flags & MEASUREMENT_FLAG_RAW != 0,
        })))
    }

    /// A number of OTLP's, or 0 for one that OTLP does not have.
    fn in_range(&mut self, number: u32, limit: u32, what: &str, position: Position) -> u32 {
        if number <= limit {
            return number;
        }
        self.report.fault(position.offset, Rule::RecordBody, || format!("{what} {number} is above {limit}"));
        0
    }

    fn named(&mut self, reference: u32, offset: u64) -> Text {
        if reference == 0 { Text::default() } else { self.text(reference, offset) }
    }

    /// The fixed body and the fold of the items behind it.
    fn body_and_items<B: FromBytes + KnownLayout + Immutable>(
        &mut self,
        content: &[u8],
        position: Position,
        header: Option<&RecordHeader>,
        belongs: &[ItemTag],
    ) -> Option<(B, Folded)> {
        self.begin_record();
        let body: B = view(content, 0)?;
        let rest = content.get(size_of::<B>()..)?;
        let origin = position.offset.saturating_add(size(RecordHeader::SIZE + size_of::<B>()));
        let mut items = match header {
            Some(_) => Items::new(rest, origin),
            None => Items::scattered(rest, position.offset),
        };
        let mut folded = Folded::default();
        while let Some(item) = items.next(self.report) {
            self.fold(&item, &mut folded, belongs);
        }
        Some((body, folded))
    }

    fn fold(&mut self, item: &Item<'_>, folded: &mut Folded, belongs: &[ItemTag]) {
        let Some(tag) = ItemTag::from_code(item.tag).filter(|tag| belongs.contains(tag)) else {
            self.add_attribute(item, &mut folded.attributes, 1);
            return;
        };
        match tag {
            ItemTag::Name => folded.name = Some(self.item_text(item)),
            ItemTag::TraceState => folded.trace_state = self.item_text(item),
            ItemTag::SeverityText => folded.severity_text = self.item_text(item),
            ItemTag::Status => self.fold_status(item, folded),
            ItemTag::SpanEvent => folded.events.extend(self.span_event(item)),
            ItemTag::Link => folded.links.extend(self.link(item)),
            ItemTag::Dropped => self.fold_dropped(item, folded),
            ItemTag::Body => self.fold_body(item, folded),
            _ => {}
        }
    }

    fn fold_status(&mut self, item: &Item<'_>, folded: &mut Folded) {
        let Some(status) = self.item_body::<StatusBody>(item) else { return };
        let message = item.payload.get(StatusBody::SIZE..).unwrap_or_default();
        let mut code = status.code.get();
        if code > MAX_STATUS_CODE {
            item.fault(self.report, Rule::ItemPayload, || {
                format!("status {code} is above {MAX_STATUS_CODE}")
            });
            code = 0;
        }
        folded.status = (code, self.utf8(message, item.offset));
    }

    fn fold_dropped(&mut self, item: &Item<'_>, folded: &mut Folded) {
        let Some(dropped) = self.item_body::<DroppedBody>(item) else { return };
        let (attributes, events, links) = &mut folded.dropped;
        *attributes = attributes.saturating_add(dropped.attributes.get());
        *events = events.saturating_add(dropped.events.get());
        *links = links.saturating_add(dropped.links.get());
    }

    fn fold_body(&mut self, item: &Item<'_>, folded: &mut Folded) {
        let inner = item.rest(0).next(self.report);
        folded.body = Some(inner.map(|inner| self.keyless(&inner, 1)).unwrap_or_default());
    }

    fn span_event(&mut self, item: &Item<'_>) -> Option<SpanEvent> {
        let body: SpanEventBody = self.item_body(item)?;
        let inline = self.inline_text(item, SpanEventBody::SIZE, body.name_length.get())?;
        let name = if item.reference == 0 { inline.0 } else { self.text(item.reference, item.offset) };
        let attributes = self.attributes(item.rest(inline.1), 1);
        Some(SpanEvent {
            time_unix_nano: body.time_unix_nano.get(),
            name,
            dropped_attributes_count: dropped(body.dropped_attributes_count.get(), &attributes),
            attributes: attributes.into_vec(),
        })
    }

    fn link(&mut self, item: &Item<'_>) -> Option<SpanLink> {
        let body: LinkBody = self.item_body(item)?;
        let (trace_state, end) = self.inline_text(item, LinkBody::SIZE, body.trace_state_length.get())?;
        let attributes = self.attributes(item.rest(end), 1);
        Some(SpanLink {
            trace_id: body.trace_id,
            span_id: body.span_id,
            trace_state,
            flags: body.flags.get(),
            dropped_attributes_count: dropped(body.dropped_attributes_count.get(), &attributes),
            attributes: attributes.into_vec(),
        })
    }

    /// The fixed part of an item's payload.
    fn item_body<B: FromBytes + KnownLayout + Immutable>(&mut self, item: &Item<'_>) -> Option<B> {
        let body = view(item.payload, 0);
        if body.is_none() {
            let (expected, found) = (size_of::<B>(), item.payload.len());
            let detail = || format!("item {} has {found} bytes, expected at least {expected}", item.tag);
            item.fault(self.report, Rule::ItemPayload, detail);
        }
        body
    }

    /// `length` bytes of text at `start` of an item's payload, and where they end.
    fn inline_text(&mut self, item: &Item<'_>, start: usize, length: u32) -> Option<(Text, usize)> {
        let end = start.checked_add(len(u64::from(length)));
        let Some((bytes, end)) = end.and_then(|end| item.payload.get(start..end)).zip(end) else {
            let found = item.payload.len();
            let detail = || format!("text of {length} bytes in an item of {found}");
            item.fault(self.report, Rule::ItemLength, detail);
            return None;
        };
        Some((self.utf8(bytes, item.offset), end))
    }
}

/// Attributes that were left out, those whose keys are lost included.
fn dropped(counted: u32, attributes: &AttributeList) -> u32 {
    counted.saturating_add(attributes.dropped())
}

/// A number from its stored bits.
pub(crate) fn number(bits: u64, is_double: bool) -> Number {
    if is_double { Number::Double(f64::from_bits(bits)) } else { Number::Int(bits.cast_signed()) }
}

fn is_truncated(header: &RecordHeader) -> bool {
    header.flags.get() & RECORD_FLAG_TRUNCATED != 0
}

impl Record {
    /// Where it stands.
    pub fn position(&self) -> Position {
        match self {
            Self::Span(span) => span.position,
            Self::Event(event) => event.position,
            Self::Measurement(measurement) => measurement.position,
        }
    }

    /// Its scope.
    pub fn scope(&self) -> &Arc<crate::model::Scope> {
        match self {
            Self::Span(span) => &span.scope,
            Self::Event(event) => &event.scope,
            Self::Measurement(measurement) => &measurement.stream.scope,
        }
    }

    /// End of a span, time of an event (when it was seen, if that alone is known) or measurement, unix
    /// nanoseconds; 0: unknown.
    pub fn time_unix_nano(&self) -> u64 {
        match self {
            Self::Span(span) => span.end_time_unix_nano.unwrap_or(0),
            Self::Event(event) if event.time_unix_nano == 0 => event.observed_time_unix_nano,
            Self::Event(event) => event.time_unix_nano,
            Self::Measurement(measurement) => measurement.time_unix_nano,
        }
    }
}
