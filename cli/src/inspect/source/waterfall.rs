//! A trace as a tree: over all files, whatever links its spans have to each other.
//!
//! A span without a parent, or whose parent is not there, stands at the top. Where parents lead in a circle, the circle
//! is cut at one of its spans, which counts as an orphan. Nothing here recurses: a trace may be deeper than a stack.

use std::collections::HashMap;
use std::sync::Arc;

use super::critical;
use super::cursor::Cursor;
use super::events::place;
use super::intern::FastHash;
use super::rows::EventEntry;
use super::state::Asked;
use super::traces::NO_SPAN;
use crate::inspect::model::{EventRow, SpanId, SpanRow, TraceId, Waterfall, WaterfallSpan};

/// The waterfall of a trace; `None`: nothing is left of it.
pub(super) fn of_trace(asked: &Asked<'_>, id: TraceId) -> Option<Waterfall> {
    let spans = asked.files.iter().flat_map(|file| file.spans.rows().chain(&file.in_flight));
    let spans = spans.filter(|span| span.trace_id == id);
    let events = asked.files.iter().flat_map(|file| file.events.rows());
    let events = events.filter(|event| event.row.trace_id == id);
    waterfall(id, spans, events, asked.cursor, asked.until)
}

/// Builds the tree of what is there at the cursor; spans in flight reach up to `until`.
pub(super) fn waterfall<'a>(
    trace_id: TraceId,
    spans: impl Iterator<Item = &'a Arc<SpanRow>>,
    events: impl Iterator<Item = &'a EventEntry>,
    cursor: Cursor,
    until: u64,
) -> Option<Waterfall> {
    let spans: Vec<_> = spans.filter(|span| cursor.has(span.start)).map(|span| cursor.row(span)).collect();
    let start = spans.iter().map(|span| span.start).min()?;
    let tree = Tree::new(&spans, until);
    let end = tree.ends.iter().copied().max()?.max(start);
    let events = events.filter(|event| cursor.has(event.row.time));
    let mut events: Vec<Arc<EventRow>> = events.map(|event| Arc::clone(&event.row)).collect();
    events.sort_by_key(|event| (event.time, place(event)));
    let mut counts: HashMap<SpanId, usize, FastHash> = HashMap::default();
    for event in events.iter().filter(|event| event.span_id != NO_SPAN) {
        *counts.entry(event.span_id).or_default() += 1;
    }
    let critical = critical::path(&tree);
    let row = |&(index, depth, descendants): &(usize, usize, usize)| {
        let span = Arc::clone(spans.get(index)?);
        Some(WaterfallSpan {
            depth,
            descendants,
            is_orphan: span.parent_span_id != NO_SPAN && tree.tops.contains(&index),
            self_time: tree.self_time(index),
            is_critical: critical.get(index).copied().unwrap_or(false),
            event_count: counts.get(&span.span_id).copied().unwrap_or(0),
            span,
        })
    };
    let spans = tree.rows().iter().filter_map(row).collect();
    Some(Waterfall { trace_id, start, end, spans, events })
}

/// Spans by their index, and who is whose child.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) starts: Vec<u64>,
    /// Never before the start.
    pub(super) ends: Vec<u64>,
    /// By start.
    pub(super) children: Vec<Vec<usize>>,
    /// Spans at the top.
    pub(super) tops: std::collections::BTreeSet<usize>,
    /// The same, by start.
    pub(super) top_order: Vec<usize>,
}

impl Tree {
    pub(super) fn new(spans: &[Arc<SpanRow>], until: u64) -> Self {
        let starts: Vec<_> = spans.iter().map(|span| span.start).collect();
        let ends = spans.iter().map(|span| span.start.saturating_add(span.duration(until))).collect();
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|index| spans.get(*index).map(|span| (span.start, span.span_id, *index)));
        let parents = parents(spans, &order);
        let mut children = vec![Vec::new(); spans.len()];
        let (mut tops, mut top_order) = (std::collections::BTreeSet::new(), Vec::new());
        for index in order {
            let parent = parents.get(index).copied().flatten();
            if let Some(siblings) = parent.and_then(|parent| children.get_mut(parent)) {
                siblings.push(index);
            } else {
                tops.insert(index);
                top_order.push(index);
            }
        }
        Self { starts, ends, children, tops, top_order }
    }

    pub(super) fn children(&self, index: usize) -> &[usize] {
        self.children.get(index).map_or(&[], Vec::as_slice)
    }

    pub(super) fn interval(&self, index: usize) -> (u64, u64) {
        (self.starts.get(index).copied().unwrap_or(0), self.ends.get(index).copied().unwrap_or(0))
    }

    /// The spans in the order in which they are drawn: index, depth, number of descendants.
    fn rows(&self) -> Vec<(usize, usize, usize)> {
        let mut rows: Vec<(usize, usize, usize)> = Vec::with_capacity(self.starts.len());
        let mut waiting: Vec<_> = self.top_order.iter().rev().map(|top| (*top, 0)).collect();
        // Rows above the next one, and so its ancestors.
        let mut open: Vec<usize> = Vec::new();
        while let Some((index, depth)) = waiting.pop() {
            while open.len() > depth {
                close(&mut rows, &mut open);
            }
            open.push(rows.len());
            rows.push((index, depth, 0));
            waiting.extend(self.children(index).iter().rev().map(|child| (*child, depth + 1)));
        }
        while !open.is_empty() {
            close(&mut rows, &mut open);
        }
        rows
    }

    /// Duration of a span without the time in which a child ran.
    fn self_time(&self, index: usize) -> u64 {
        let (start, end) = self.interval(index);
        let (mut covered, mut reached) = (0, start);
        for child in self.children(index) {
            let (child_start, child_end) = self.interval(*child);
            let (from, to) = (child_start.max(reached), child_end.min(end));
            covered += to.saturating_sub(from);
            reached = reached.max(to);
        }
        (end - start).saturating_sub(covered)
    }
}

/// Ends the last open row: all that follow it are its descendants.
fn close(rows: &mut [(usize, usize, usize)], open: &mut Vec<usize>) {
    let count = rows.len();
    if let Some(last) = open.pop()
        && let Some(row) = rows.get_mut(last)
    {
        row.2 = count - last - 1;
    }
}

/// The parent of each span; `None`: it stands at the top. Leads in no circle.
fn parents(spans: &[Arc<SpanRow>], order: &[usize]) -> Vec<Option<usize>> {
    // Of spans with the same id the first is the parent.
    let mut by_id: HashMap<SpanId, usize, FastHash> = HashMap::default();
    for index in order {
        if let Some(span) = spans.get(*index) {
            by_id.entry(span.span_id).or_insert(*index);
        }
    }
    let parent = |(index, span): (usize, &Arc<SpanRow>)| {
        let parent = by_id.get(&span.parent_span_id).copied();
        parent.filter(|parent| *parent != index && span.parent_span_id != NO_SPAN)
    };
    let mut parents: Vec<_> = spans.iter().enumerate().map(parent).collect();
    // Goes up from each span until it meets one that was met before: on this way, it closes a circle.
    let mut met_from = vec![usize::MAX; spans.len()];
    for begin in order {
        let mut at = *begin;
        while let Some(met) = met_from.get_mut(at).filter(|met| **met == usize::MAX) {
            *met = *begin;
            let Some(parent) = parents.get(at).copied().flatten() else { break };
            if met_from.get(parent) == Some(begin) {
                // The earliest span of the circle is met first, or hangs below it.
                if let Some(cut) = parents.get_mut(parent) {
                    *cut = None;
                }
                break;
            }
            at = parent;
        }
    }
    parents
}
