//! Rows of one recording, kept by segment: when a segment is recycled, all rows of what stood there go at once.
//!
//! So there are never more rows than records in the file. A row has what lists need; the rest of its record is read
//! again when it is looked at.

use std::fmt::{self, Write};
use std::sync::Arc;

use otlp_mmap_reader::Signal;
use otlp_mmap_reader::model::{Event, Measurement, Position, Span, Value};

use super::intern::Interner;
use crate::escape::Printable;
use crate::inspect::model::{BODY_LENGTH, EventRow, FileId, RecordId, RecordKind, SpanRow};
use crate::record::RecordView;
use crate::text::ValueText;

/// A step back of a clock that is more than threads which write into one segment in turn.
const CLOCK_STEP: u64 = 1_000_000_000;

/// What a table keeps of a record.
pub(super) trait Row {
    /// Number of its record within its segment, over all generations.
    fn sequence(&self) -> u64;
    /// Earliest and latest time that it speaks of; 0: unknown.
    fn times(&self) -> (u64, u64);
    /// When it was written, as far as it tells; 0: unknown.
    fn written(&self) -> u64 {
        self.times().1
    }
    fn is_hit(&self) -> bool;
    fn set_hit(&mut self, hit: bool);
}

/// An event, and whether it passes the filter.
#[derive(Clone, Debug)]
pub(super) struct EventEntry {
    pub(super) row: Arc<EventRow>,
    pub(super) hit: bool,
}

/// An exemplar or raw point: where it is, and of which series.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeasurementEntry {
    pub(super) position: Position,
    pub(super) series: (u32, u32),
    pub(super) time: u64,
    pub(super) raw: bool,
}

/// Rows of the records in a segment, in the order they were written.
#[derive(Debug)]
pub(super) struct Segment<R> {
    generation: u32,
    pub(super) rows: Vec<R>,
    /// Rows that pass the filter.
    pub(super) hits: usize,
    /// First and last known time.
    range: Option<(u64, u64)>,
    /// How often a row was written before the one before it.
    pub(super) clock_steps: usize,
    /// When the newest one was written.
    newest: u64,
}

/// Rows of a signal.
#[derive(Debug)]
pub(super) struct Table<R> {
    pub(super) segments: Vec<Segment<R>>,
}

impl<R> Default for Segment<R> {
    fn default() -> Self {
        Self { generation: 0, rows: Vec::new(), hits: 0, range: None, clock_steps: 0, newest: 0 }
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { segments: Vec::new() }
    }
}

impl<R: Row> Table<R> {
    /// All rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &R> + Clone {
        self.segments.iter().flat_map(|segment| &segment.rows)
    }

    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.rows.len()).sum()
    }

    pub(super) fn hits(&self) -> usize {
        self.segments.iter().map(|segment| segment.hits).sum()
    }

    pub(super) fn range(&self) -> Option<(u64, u64)> {
        self.segments.iter().filter_map(|segment| segment.range).reduce(wider)
    }

    pub(super) fn clock_steps(&self) -> usize {
        self.segments.iter().map(|segment| segment.clock_steps).sum()
    }

    /// The segment, now of `generation`: rows of another one are gone.
    pub(super) fn begin(&mut self, segment: u32, generation: u32) -> &mut Segment<R> {
        let index = usize::try_from(segment).unwrap_or(usize::MAX);
        if self.segments.len() <= index {
            self.segments.resize_with(index.saturating_add(1), Segment::default);
        }
        let segment = &mut self.segments[index];
        if segment.generation != generation {
            *segment = Segment { generation, ..Segment::default() };
        }
        segment
    }

    /// Adds a row to a segment that has begun.
    pub(super) fn push(&mut self, segment: u32, row: R) {
        let index = usize::try_from(segment).unwrap_or(usize::MAX);
        if let Some(segment) = self.segments.get_mut(index) {
            segment.rows.push(row);
        }
    }

    /// Puts the rows behind the first `before` of a segment in their order, and counts them.
    pub(super) fn settle(&mut self, segment: u32, before: usize) {
        let index = usize::try_from(segment).unwrap_or(usize::MAX);
        let Some(segment) = self.segments.get_mut(index) else { return };
        let Some(new) = segment.rows.get_mut(before..) else { return };
        new.sort_by_key(Row::sequence);
        for row in new {
            segment.hits += usize::from(row.is_hit());
            segment.range = [segment.range, known_range(row.times())].into_iter().flatten().reduce(wider);
            let written = row.written();
            segment.clock_steps +=
                usize::from(written != 0 && written.saturating_add(CLOCK_STEP) < segment.newest);
            if written != 0 {
                segment.newest = written;
            }
        }
    }

    /// Sets for each row whether it passes the filter.
    pub(super) fn set_hits(&mut self, mut hit: impl FnMut(u32, u64) -> bool) {
        for (index, segment) in (0..).zip(&mut self.segments) {
            segment.hits = 0;
            for row in &mut segment.rows {
                let hit = hit(index, row.sequence());
                segment.hits += usize::from(hit);
                if row.is_hit() != hit {
                    row.set_hit(hit);
                }
            }
        }
    }
}

/// The range that spans both.
pub(super) fn wider(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0.min(other.0), one.1.max(other.1))
}

/// A range without its unknown times.
pub(super) fn known_range((first, last): (u64, u64)) -> Option<(u64, u64)> {
    match (first, last) {
        (0, 0) => None,
        (0, time) | (time, 0) => Some((time, time)),
        (first, last) => Some((first.min(last), first.max(last))),
    }
}

fn sequence(id: &RecordId) -> u64 {
    match id.kind {
        RecordKind::Record(_, position) => position.sequence,
        RecordKind::InFlight(..) | RecordKind::Series(_) => 0,
    }
}

impl Row for Arc<SpanRow> {
    fn sequence(&self) -> u64 {
        sequence(&self.id)
    }

    fn times(&self) -> (u64, u64) {
        (self.start, self.end.unwrap_or(self.start))
    }

    fn is_hit(&self) -> bool {
        self.hit
    }

    fn set_hit(&mut self, hit: bool) {
        Arc::make_mut(self).hit = hit;
    }
}

impl Row for EventEntry {
    fn sequence(&self) -> u64 {
        sequence(&self.row.id)
    }

    fn times(&self) -> (u64, u64) {
        (self.row.time, self.row.time)
    }

    fn is_hit(&self) -> bool {
        self.hit
    }

    fn set_hit(&mut self, hit: bool) {
        self.hit = hit;
    }
}

impl Row for MeasurementEntry {
    fn sequence(&self) -> u64 {
        self.position.sequence
    }

    fn times(&self) -> (u64, u64) {
        (self.time, self.time)
    }

    fn is_hit(&self) -> bool {
        false
    }

    fn set_hit(&mut self, _: bool) {}
}

/// The row of a span, ended or in flight.
pub(super) fn span_row(file: FileId, span: &Span, hit: bool, interner: &mut Interner) -> SpanRow {
    let kind = match span.end_time_unix_nano {
        Some(_) => RecordKind::Record(Signal::Spans, span.position),
        None => RecordKind::InFlight(span.trace_id, span.span_id),
    };
    SpanRow {
        id: RecordId { file, kind },
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        name: interner.text(&span.name),
        service: interner.service(&span.scope),
        scope: Arc::clone(&span.scope),
        kind: span.kind,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        last: None,
        status_code: span.status_code,
        hit,
    }
}

/// The row of an event.
pub(super) fn event_row(file: FileId, event: &Event, interner: &mut Interner) -> EventRow {
    EventRow {
        id: RecordId { file, kind: RecordKind::Record(Signal::Events, event.position) },
        time: RecordView::Event(event).time_unix_nano(),
        severity_number: event.severity_number,
        severity_text: interner.text(&event.severity_text),
        event_name: interner.text(&event.event_name),
        body: event.body.as_ref().map_or_else(Box::default, one_line),
        service: interner.service(&event.scope),
        scope: Arc::clone(&event.scope),
        trace_id: event.trace_id,
        span_id: event.span_id,
    }
}

/// What is kept of a measurement.
pub(super) fn measurement_entry(measurement: &Measurement) -> MeasurementEntry {
    MeasurementEntry {
        position: measurement.position,
        series: measurement.series,
        time: measurement.time_unix_nano,
        raw: measurement.raw,
    }
}

/// A body in one line.
fn one_line(body: &Value) -> Box<str> {
    let mut line = Line { text: String::new(), room: BODY_LENGTH };
    // An error says that the line is full.
    let _ = match body {
        Value::String(text) => write!(line, "{}", Printable(text)),
        other => write!(line, "{}", ValueText(other)),
    };
    line.text.into_boxed_str()
}

/// Takes so many characters and no more.
struct Line {
    text: String,
    room: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(c);
        }
        Ok(())
    }
}
