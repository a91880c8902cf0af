//! Traces: the spans of all files by their trace id, one row each.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cursor::Cursor;
use super::intern::FastHash;
use super::rows::EventEntry;
use super::state::Asked;
use crate::inspect::model::{OperationId, SpanId, SpanRow, TraceId, TraceRow};
use crate::inspect::query::{Order, TraceKey};

/// No parent, or no trace.
pub(super) const NO_SPAN: SpanId = [0; 8];
pub(super) const NO_TRACE: TraceId = [0; 16];

/// The rows of the traces that are asked for, in their order.
pub(super) fn traces(asked: &Asked<'_>) -> Vec<TraceRow> {
    let spans = asked.files().flat_map(|file| file.spans.rows().chain(&file.in_flight));
    let events = asked.files().flat_map(|file| file.events.rows());
    let operation = asked.query.operation.as_ref();
    let rows = grouped(spans, events, asked.cursor, operation, asked.is_filtered);
    ordered(rows, asked.query.order.traces, asked.until)
}

/// What is known of a trace so far.
struct Group<'a> {
    root: Option<&'a Arc<SpanRow>>,
    /// The earliest span.
    first: &'a Arc<SpanRow>,
    start: u64,
    end: u64,
    span_count: usize,
    error_count: usize,
    in_flight_count: usize,
    /// Of these, those whose process is gone ...
    died_count: usize,
    /// ... and the last time of those processes.
    last: u64,
    event_count: usize,
    is_hit: bool,
    has_operation: bool,
}

/// Groups by trace id, without order. With a filter, those with a span or event that passes.
pub(super) fn grouped<'a>(
    spans: impl Iterator<Item = &'a Arc<SpanRow>> + Clone,
    events: impl Iterator<Item = &'a EventEntry>,
    cursor: Cursor,
    operation: Option<&OperationId>,
    is_filtered: bool,
) -> Vec<TraceRow> {
    let present = spans.filter(|span| cursor.has(span.start));
    let mut groups = Groups::default();
    for span in present.clone() {
        let index = groups.index(span);
        let Some(group) = groups.all.get_mut(index) else { continue };
        group.add(span, cursor);
        group.has_operation |= operation.is_none_or(|id| span.name == id.name && span.service == id.service);
    }
    for event in events.filter(|event| event.row.trace_id != NO_TRACE && cursor.has(event.row.time)) {
        let index = groups.numbers.get(&event.row.trace_id).copied().unwrap_or(usize::MAX);
        let Some(group) = groups.all.get_mut(index) else { continue };
        group.event_count += 1;
        group.is_hit |= event.hit;
    }
    groups.all.iter_mut().for_each(|group| group.has_operation &= group.is_hit || !is_filtered);
    let orphans = groups.first_orphans(present);
    let wanted = groups.all.iter().enumerate().filter(|(_, group)| group.has_operation);
    wanted.map(|(index, group)| group.row(orphans.get(&index).copied(), cursor)).collect()
}

/// The traces that were met, and where each is.
#[derive(Default)]
struct Groups<'a> {
    all: Vec<Group<'a>>,
    numbers: HashMap<TraceId, usize, FastHash>,
}

impl<'a> Groups<'a> {
    /// The group of a span; a new one if it is the first of its trace.
    fn index(&mut self, span: &'a Arc<SpanRow>) -> usize {
        *self.numbers.entry(span.trace_id).or_insert_with(|| {
            self.all.push(Group::new(span));
            self.all.len() - 1
        })
    }

    /// For traces without a root: the first span whose parent is not there.
    fn first_orphans(
        &self,
        spans: impl Iterator<Item = &'a Arc<SpanRow>>,
    ) -> HashMap<usize, &'a Arc<SpanRow>, FastHash> {
        let is_unclear =
            |group: &Group<'_>| group.root.is_none() && group.span_count > 1 && group.has_operation;
        let mut found = HashMap::default();
        if !self.all.iter().any(is_unclear) {
            return found;
        }
        let mut members: HashMap<usize, Vec<&'a Arc<SpanRow>>, FastHash> = HashMap::default();
        for span in spans {
            let index = self.numbers.get(&span.trace_id).copied();
            if let Some(index) = index.filter(|index| self.all.get(*index).is_some_and(is_unclear)) {
                members.entry(index).or_default().push(span);
            }
        }
        for (index, spans) in members {
            let ids: HashSet<SpanId, FastHash> = spans.iter().map(|span| span.span_id).collect();
            let orphans = spans.into_iter().filter(|span| !ids.contains(&span.parent_span_id));
            found.extend(orphans.min_by_key(|span| (span.start, span.span_id)).map(|span| (index, span)));
        }
        found
    }
}

impl<'a> Group<'a> {
    fn new(span: &'a Arc<SpanRow>) -> Self {
        Self {
            root: None,
            first: span,
            start: span.start,
            end: 0,
            span_count: 0,
            error_count: 0,
            in_flight_count: 0,
            died_count: 0,
            last: 0,
            event_count: 0,
            is_hit: false,
            has_operation: false,
        }
    }

    fn add(&mut self, span: &'a Arc<SpanRow>, cursor: Cursor) {
        let is_before = |other: &Arc<SpanRow>| (span.start, span.span_id) < (other.start, other.span_id);
        if is_before(self.first) {
            self.first = span;
        }
        if span.parent_span_id == NO_SPAN && self.root.is_none_or(is_before) {
            self.root = Some(span);
        }
        self.start = self.start.min(span.start);
        if let Some(end) = cursor.end(span) {
            self.end = self.end.max(end);
        } else {
            self.in_flight_count += 1;
            self.died_count += usize::from(span.last.is_some());
            self.last = self.last.max(span.last.unwrap_or(0));
        }
        self.span_count += 1;
        self.error_count += usize::from(cursor.is_error(span));
        self.is_hit |= span.hit;
    }

    fn row(&self, orphan: Option<&'a Arc<SpanRow>>, cursor: Cursor) -> TraceRow {
        let root = cursor.row(self.root.or(orphan).unwrap_or(self.first));
        let has_root = self.root.is_some();
        let is_open = if has_root { root.end.is_none() } else { self.in_flight_count > 0 };
        TraceRow {
            trace_id: root.trace_id,
            root,
            has_root,
            start: self.start,
            end: (!is_open).then_some(self.end),
            last: (is_open && self.died_count == self.in_flight_count).then_some(self.last.max(self.end)),
            span_count: self.span_count,
            error_count: self.error_count,
            in_flight_count: self.in_flight_count,
            event_count: self.event_count,
        }
    }
}

fn ordered(rows: Vec<TraceRow>, order: Order<TraceKey>, now: u64) -> Vec<TraceRow> {
    let descending = order.descending;
    let id = |row: &TraceRow| row.trace_id;
    match order.key {
        TraceKey::Start => sorted(rows, descending, |row| row.start, id),
        TraceKey::Duration => sorted(rows, descending, |row| row.duration(now), id),
        TraceKey::Name => sorted(rows, descending, |row| Arc::clone(&row.root.name), id),
        TraceKey::Service => sorted(rows, descending, |row| Arc::clone(&row.root.service), id),
        TraceKey::Spans => sorted(rows, descending, |row| row.span_count, id),
        TraceKey::Errors => sorted(rows, descending, |row| row.error_count, id),
    }
}

/// Sorts by a value; equal ones by what tells them apart, so that no row jumps.
pub(super) fn sorted<T, K: Ord, I: Ord>(
    mut rows: Vec<T>,
    descending: bool,
    key: impl Fn(&T) -> K,
    id: impl Fn(&T) -> I,
) -> Vec<T> {
    if descending {
        rows.sort_by_cached_key(|row| (Reverse(key(row)), id(row)));
    } else {
        rows.sort_by_cached_key(|row| (key(row), id(row)));
    }
    rows
}

/// A double that can be sorted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sortable(pub(super) f64);

impl Eq for Sortable {}

impl PartialEq for Sortable {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl PartialOrd for Sortable {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sortable {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
