//! Recording: spans and events, from a caller's arguments to the mapped file.
//!
//! HOT. Each call checks its arguments, encodes them into the thread's scratch buffer and hands the bytes to
//! the active spans, a pool or the metric cells. Promise in the steady state: no allocation, no system call,
//! no panic. Every way out without a record is counted by signal and reason.

use crate::config::Overflow;
use crate::encode::Encoder;
use crate::error::Error;
use crate::fit::{Fit, encode_fitting, encode_or_refuse};
use crate::pool::{Heading, Pool, Refusal};
use crate::recorder::Recorder;
use crate::scratch::with_scratch;
use crate::spans::{ActiveSpans, Appended, append_dropped};
use crate::sync::Ordering;
use crate::telemetry::{Attributes, Event, Link, SpanEvent, SpanRef, SpanStart, StatusCode};
use otlp_mmap_format::{
    Counter, EntryKind, EventBody, ItemHeader, ItemTag, LinkBody, RECORD_FLAG_TRUNCATED, RecordHeader,
    RecordType, Signal, SpanBody, SpanEventBody, StatusBody,
};
use std::time::{Duration, Instant};
use zerocopy::{FromZeros, IntoBytes};

/// Bytes kept free behind an event's items for its `Dropped` item.
const DROPPED_ROOM: usize = 24;
/// Between two looks for a free segment under the policy `Block`.
const BLOCK_NAP: Duration = Duration::from_millis(1);
/// Naps between two looks whether an exporter is attached.
const NAPS_PER_LOOK: u32 = 32;

impl Recorder {
    /// Counts an error under its reason and hands it on.
    pub(crate) fn counted<T>(&self, signal: Signal, result: Result<T, Error>) -> Result<T, Error> {
        // What a close took away for good is not busy.
        let result = match result {
            Err(Error::Busy) if self.closed.load(Ordering::Relaxed) => Err(Error::Closed),
            result => result,
        };
        if let Err(error) = &result
            && self.is_ours()
        {
            self.count(signal, reason(error), 1);
        }
        result
    }

    /// Counts the keys that an encoding put inline for want of room in the dictionary.
    #[inline]
    pub(crate) fn count_fit(&self, signal: Signal, fit: Fit) {
        if fit.truncated {
            self.count(signal, Counter::Truncated, 1);
        }
        self.count_inlined(signal, fit);
    }

    /// Counts the keys that an encoding put inline for want of room in the dictionary.
    #[inline]
    pub(crate) fn count_inlined(&self, signal: Signal, fit: Fit) {
        if fit.inlined > 0 {
            self.count(signal, Counter::DictionaryFull, fit.inlined.into());
        }
    }

    /// Refuses to store into a parent's file: arguments are encoded by the caller's code, which may fork.
    #[inline]
    fn check_ours(&self) -> Result<(), Error> {
        if self.is_ours() { Ok(()) } else { Err(Error::Forked) }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Relaxed) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Starts a span.
    pub(crate) fn start_span(&self, start: &SpanStart<'_>) -> Result<SpanRef, Error> {
        self.check_open()?;
        check_ids("trace_id", &start.trace_id, "span_id", start.span_id)?;
        self.dictionary.check("instrumentation_scope_ref", start.scope.0, EntryKind::Scope)?;
        with_scratch(|scratch| {
            let mut body = SpanBody::new_zeroed();
            body.trace_id = start.trace_id;
            body.span_id = start.span_id;
            body.parent_span_id = start.parent_span_id;
            body.start_time_unix_nano.set(start.start_time_unix_nano);
            body.scope_ref.set(start.scope.0);
            body.flags.set(start.flags);
            body.kind.set(start.kind as u32);
            scratch.extend_from_slice(&[0; SpanBody::SIZE]);
            let room = self.item_room() - SpanBody::SIZE;
            let mut name_ref = 0;
            let fit = encode_or_refuse(scratch, room, &self.dictionary, &mut |encoder| {
                let name;
                (name_ref, name) = encoder.text_parts("name", start.name)?;
                if !name.is_empty() {
                    encoder.text(ItemTag::Name, name);
                }
                if !start.trace_state.is_empty() {
                    encoder.text(ItemTag::TraceState, start.trace_state);
                }
                start.attributes.encode(encoder)
            })?;
            self.check_ours()?;
            self.count_inlined(Signal::Spans, fit);
            body.name_ref.set(name_ref);
            scratch[..SpanBody::SIZE].copy_from_slice(body.as_bytes());
            let (span, spilled) = self.active.start(scratch, fit.truncated, fit.dropped)?;
            if spilled {
                self.count(Signal::Spans, Counter::Spilled, 1);
            }
            Ok(span)
        })
    }

    /// Room for what a span is given before its end: an eighth is kept for its status and its last name.
    fn item_room(&self) -> usize {
        let room = ActiveSpans::room(self.spans.room());
        (room - room / 8) / 8 * 8
    }

    /// Sets attributes of a span in flight.
    pub(crate) fn set_attributes(&self, span: SpanRef, attributes: &dyn Attributes) -> Result<(), Error> {
        self.append_items(
            span,
            self.item_room(),
            |fit| [fit.map_or(0, |fit| fit.dropped), 0, 0],
            &mut |encoder| attributes.encode(encoder),
        )
    }

    /// Adds an event to a span in flight.
    pub(crate) fn add_event(&self, span: SpanRef, event: &SpanEvent<'_>) -> Result<(), Error> {
        self.append_items(span, self.item_room(), |fit| [0, fit.is_none().into(), 0], &mut |encoder| {
            let (name_ref, name) = encoder.text_parts("name", event.name)?;
            let mut begun = encoder.begin(ItemTag::SpanEvent.code(), name_ref);
            let mut body = SpanEventBody::new_zeroed();
            encoder.bytes.extend_from_slice(body.as_bytes());
            body.time_unix_nano.set(event.time_unix_nano);
            body.name_length.set(encoder.inline_text(&mut begun, name));
            encoder.pad();
            let dropped = encode_nested(encoder, event.attributes, event.dropped_attributes_count)?;
            body.dropped_attributes_count.set(dropped);
            encoder.patch(&begun, body.as_bytes());
            encoder.finish(&begun);
            Ok(())
        })
    }

    /// Adds a link to a span in flight.
    pub(crate) fn add_link(&self, span: SpanRef, link: &Link<'_>) -> Result<(), Error> {
        let context = link.context;
        check_ids("trace_id", &context.trace_id, "span_id", context.span_id)?;
        self.append_items(span, self.item_room(), |fit| [0, 0, fit.is_none().into()], &mut |encoder| {
            let mut begun = encoder.begin(ItemTag::Link.code(), 0);
            let mut body = LinkBody::new_zeroed();
            encoder.bytes.extend_from_slice(body.as_bytes());
            body.trace_id = context.trace_id;
            body.span_id = context.span_id;
            body.flags.set(context.flags);
            body.trace_state_length.set(encoder.inline_text(&mut begun, link.trace_state));
            encoder.pad();
            let dropped = encode_nested(encoder, link.attributes, link.dropped_attributes_count)?;
            body.dropped_attributes_count.set(dropped);
            encoder.patch(&begun, body.as_bytes());
            encoder.finish(&begun);
            Ok(())
        })
    }

    /// Sets the status of a span in flight.
    pub(crate) fn set_status(&self, span: SpanRef, code: StatusCode, message: &str) -> Result<(), Error> {
        self.append_items(span, ActiveSpans::room(self.spans.room()), |_| [0; 3], &mut |encoder| {
            let mut begun = encoder.begin(ItemTag::Status.code(), 0);
            let mut body = StatusBody::new_zeroed();
            body.code.set(code as u32);
            encoder.bytes.extend_from_slice(body.as_bytes());
            encoder.inline_text(&mut begun, message);
            encoder.finish(&begun);
            Ok(())
        })
    }

    /// Gives a span in flight another name.
    pub(crate) fn update_name(&self, span: SpanRef, name: &str) -> Result<(), Error> {
        // Half of what is kept for the end is the status's alone.
        let room = (self.item_room() + ActiveSpans::room(self.spans.room())) / 16 * 8;
        self.append_items(span, room, |_| [0; 3], &mut |encoder| {
            encoder.text(ItemTag::Name, name);
            Ok(())
        })
    }

    /// Adds to the counts of what the caller left out of a span, to its own limits. Without room for another item
    /// they are kept in process memory until the span ends; nothing is cut for that.
    pub(crate) fn add_dropped(&self, span: SpanRef, dropped: [u32; 3]) -> Result<(), Error> {
        self.check_open()?;
        self.check_ours()?;
        with_scratch(|scratch| {
            append_dropped(scratch, dropped);
            let room = self.item_room();
            let mut appended = self.active.append(span, scratch, room, false, [0; 3])?;
            if matches!(appended, Appended::NoRoom(_)) {
                appended = self.active.append(span, &[], room, false, dropped)?;
            }
            if let Appended::Done { newly_spilled: true } = appended {
                self.count(Signal::Spans, Counter::Spilled, 1);
            }
            Ok(())
        })
    }

    /// Encodes items and appends them to a span in flight, cut to the room it has left. `lost` says what counts
    /// as left out of the span: of what was encoded, or (`None`) of an item that found no room at all.
    fn append_items(
        &self,
        span: SpanRef,
        room: usize,
        lost: impl Fn(Option<Fit>) -> [u32; 3],
        encode: &mut dyn FnMut(&mut Encoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_open()?;
        with_scratch(|scratch| {
            let mut left = room;
            loop {
                scratch.clear();
                let fit = encode_fitting(scratch, left, &self.dictionary, encode)?;
                self.check_ours()?;
                let truncated = fit.is_none_or(|fit| fit.truncated);
                match self.active.append(span, scratch, room, truncated, lost(fit))? {
                    Appended::Done { newly_spilled } => {
                        self.count_inlined(Signal::Spans, fit.unwrap_or_default());
                        if newly_spilled {
                            self.count(Signal::Spans, Counter::Spilled, 1);
                        }
                        return Ok(());
                    }
                    // Another thread may take room meanwhile, so this can happen again, with less each time.
                    Appended::NoRoom(now) => left = now / 8 * 8,
                }
            }
        })
    }

    /// Ends a span: publishes its record and frees its blocks.
    pub(crate) fn end_span(&self, span: SpanRef, end_time_unix_nano: u64) -> Result<(), Error> {
        self.check_open()?;
        with_scratch(|scratch| {
            let mut wait = Wait::new(self);
            let mut keep = wait.timeout.is_some();
            loop {
                match self.active.end(span, end_time_unix_nano, &self.spans, keep, scratch)? {
                    Ok(truncated) => {
                        if truncated {
                            self.count(Signal::Spans, Counter::Truncated, 1);
                        }
                        return Ok(());
                    }
                    // The last try is made without keeping the span.
                    Err(Refusal::WouldBlock) if keep => keep = wait.nap(),
                    Err(refusal) => return Err(lost(refusal)),
                }
            }
        })
    }

    /// Records an event.
    pub(crate) fn record_event(&self, event: &Event<'_>) -> Result<(), Error> {
        self.check_open()?;
        check_event(event)?;
        self.dictionary.check("instrumentation_scope_ref", event.scope.0, EntryKind::Scope)?;
        with_scratch(|scratch| {
            const FIXED: usize = RecordHeader::SIZE + EventBody::SIZE;
            let mut body = EventBody::new_zeroed();
            body.observed_time_unix_nano.set(event.observed_time_unix_nano);
            if let Some(context) = event.context {
                body.trace_id = context.trace_id;
                body.span_id = context.span_id;
                body.flags.set(context.flags);
            }
            body.scope_ref.set(event.scope.0);
            body.severity_number.set(event.severity_number);
            scratch.extend_from_slice(&[0; FIXED]);
            let room = self.events.room() - FIXED - DROPPED_ROOM;
            let mut name_ref = 0;
            let fit = encode_or_refuse(scratch, room, &self.dictionary, &mut |encoder| {
                name_ref = encode_event(event, encoder)?;
                Ok(())
            })?;
            body.name_ref.set(name_ref);
            scratch[RecordHeader::SIZE..FIXED].copy_from_slice(body.as_bytes());
            let dropped = event.dropped_attributes_count.saturating_add(fit.dropped);
            append_dropped(scratch, [dropped, 0, 0]);
            let heading = heading(RecordType::Event, fit, event.time_unix_nano);
            self.publish(&self.events, heading, scratch)?;
            self.count_inlined(Signal::Events, fit);
            if fit.truncated {
                self.count(Signal::Events, Counter::Truncated, 1);
            }
            Ok(())
        })
    }

    /// Publishes a record, waiting for the exporter as the policy says.
    pub(crate) fn publish(&self, pool: &Pool, heading: Heading, bytes: &mut [u8]) -> Result<(), Error> {
        self.check_ours()?;
        let mut wait = Wait::new(self);
        loop {
            match pool.append(heading, bytes) {
                Ok(()) => return Ok(()),
                Err(Refusal::WouldBlock) if wait.nap() => {}
                Err(refusal) => return Err(lost(refusal)),
            }
        }
    }
}

pub(crate) fn heading(record_type: RecordType, fit: Fit, time_unix_nano: u64) -> Heading {
    Heading { record_type, flags: if fit.truncated { RECORD_FLAG_TRUNCATED } else { 0 }, time_unix_nano }
}

/// Encodes the attributes of a span's event or link; returns how many are left out, with those the caller left out.
fn encode_nested(
    encoder: &mut Encoder<'_>,
    attributes: &dyn Attributes,
    left_out: u32,
) -> Result<u32, Error> {
    let before = std::mem::take(&mut encoder.dropped);
    attributes.encode(encoder)?;
    let dropped = left_out.saturating_add(encoder.dropped);
    encoder.dropped += before;
    Ok(dropped)
}

/// Encodes what an event has beside its fixed body; returns the reference of its name.
fn encode_event(event: &Event<'_>, encoder: &mut Encoder<'_>) -> Result<u32, Error> {
    let mut name_ref = 0;
    if let Some(text) = event.name {
        let name;
        (name_ref, name) = encoder.text_parts("event_name_ref", text)?;
        if !name.is_empty() {
            encoder.text(ItemTag::Name, name);
        }
    }
    if !event.severity_text.is_empty() {
        encoder.text(ItemTag::SeverityText, event.severity_text);
    }
    if let Some(body) = event.body {
        encoder.body(body)?;
    }
    event.attributes.encode(encoder)?;
    Ok(name_ref)
}

fn check_event(event: &Event<'_>) -> Result<(), Error> {
    if event.severity_number > 24 {
        let reason = format!("{} is not an OTLP severity number, 0 to 24", event.severity_number);
        return Err(Error::invalid("severity_number", reason));
    }
    match &event.context {
        Some(context) => check_ids("span_context", &context.trace_id, "span_context", context.span_id),
        None => Ok(()),
    }
}

/// Refuses ids of zero, which OTLP takes for none.
pub(crate) fn check_ids(
    trace: &'static str,
    trace_id: &[u8; 16],
    span: &'static str,
    span_id: [u8; 8],
) -> Result<(), Error> {
    if *trace_id == [0; 16] {
        return Err(Error::invalid(trace, "a trace id of 16 zero bytes is none"));
    }
    if span_id == [0; 8] {
        return Err(Error::invalid(span, "a span id of 8 zero bytes is none"));
    }
    Ok(())
}

fn lost(refusal: Refusal) -> Error {
    match refusal {
        Refusal::WouldBlock | Refusal::Lost(Counter::BlockTimeout) => Error::BlockTimeout,
        Refusal::Lost(Counter::NoSpace) => Error::NoSpace,
        Refusal::Lost(Counter::Discarded) => Error::Discarded,
        Refusal::Lost(_) => Error::Busy,
    }
}

/// The counter of an error.
fn reason(error: &Error) -> Counter {
    match error {
        Error::Closed => Counter::Closed,
        Error::Discarded => Counter::Discarded,
        Error::BlockTimeout => Counter::BlockTimeout,
        Error::NoSpace | Error::Io { .. } => Counter::NoSpace,
        Error::Busy | Error::Forked => Counter::Busy,
        Error::DictionaryFull => Counter::DefinitionLost,
        Error::CellsFull => Counter::CellsFull,
        Error::Invalid { .. }
        | Error::UnknownReference { .. }
        | Error::UnknownSpan { .. }
        | Error::DuplicateSpan { .. } => Counter::Invalid,
    }
}

/// The bounded wait of the policy `Block`: not at all without an exporter, never longer than its timeout.
struct Wait<'a> {
    recorder: &'a Recorder,
    timeout: Option<Duration>,
    began: Option<Instant>,
    naps: u32,
}

impl<'a> Wait<'a> {
    fn new(recorder: &'a Recorder) -> Self {
        let timeout = match recorder.config.overflow {
            Overflow::Block { timeout } => Some(timeout),
            Overflow::OverwriteOldest | Overflow::DiscardNewest => None,
        };
        Self { recorder, timeout, began: None, naps: 0 }
    }

    /// Sleeps a little; `false`: the time is up, or nobody is there to wait for.
    #[cold]
    fn nap(&mut self) -> bool {
        let began = *self.began.get_or_insert_with(Instant::now);
        let looks = self.naps.is_multiple_of(NAPS_PER_LOOK);
        if self.timeout.is_none_or(|timeout| began.elapsed() >= timeout)
            || (looks && !self.recorder.storage.has_exporter())
        {
            return false;
        }
        self.naps += 1;
        std::thread::sleep(BLOCK_NAP);
        true
    }
}

const _: () = assert!(DROPPED_ROOM == ItemHeader::SIZE + otlp_mmap_format::DroppedBody::SIZE);
