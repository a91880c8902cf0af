//! Rate, errors and durations of each operation: of the spans of one service and name.

use std::collections::HashMap;
use std::sync::Arc;

use super::cursor::Cursor;
use super::intern::FastHash;
use super::state::Asked;
use super::traces::sorted;
use crate::inspect::model::{OperationId, OperationRow, RATE_PARTS, SpanRow};
use crate::inspect::query::{OperationKey, Order};

/// The rows of the operations that are asked for, in their order.
pub(super) fn operations(asked: &Asked<'_>) -> Vec<OperationRow> {
    let spans = asked.files().flat_map(|file| file.spans.rows().chain(&file.in_flight));
    let rows = grouped(spans.filter(|span| span.hit), asked.cursor, asked.range.unwrap_or_default());
    ordered(rows, asked.query.order.operations)
}

/// What is known of an operation so far.
struct Group<'a> {
    first: &'a Arc<SpanRow>,
    count: usize,
    error_count: usize,
    in_flight_count: usize,
    durations: Vec<u64>,
    rate: Vec<u64>,
}

/// Groups by service and name, without order.
pub(super) fn grouped<'a>(
    spans: impl Iterator<Item = &'a Arc<SpanRow>>,
    cursor: Cursor,
    range: (u64, u64),
) -> Vec<OperationRow> {
    // Texts are held once, so that most equal ones are at one address; the others are put together by what they say.
    let mut by_address: HashMap<(usize, usize), usize, FastHash> = HashMap::default();
    let mut by_text: HashMap<OperationId, usize> = HashMap::new();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for span in spans.filter(|span| cursor.has(span.start)) {
        let address = (span.service.as_ptr().addr(), span.name.as_ptr().addr());
        let index = *by_address.entry(address).or_insert_with(|| {
            let id = OperationId { service: Arc::clone(&span.service), name: Arc::clone(&span.name) };
            *by_text.entry(id).or_insert_with(|| {
                groups.push(Group::new(span));
                groups.len() - 1
            })
        });
        if let Some(group) = groups.get_mut(index) {
            group.add(span, cursor, range);
        }
    }
    groups.into_iter().map(Group::row).collect()
}

impl<'a> Group<'a> {
    fn new(first: &'a Arc<SpanRow>) -> Self {
        let rate = vec![0; RATE_PARTS];
        Self { first, count: 0, error_count: 0, in_flight_count: 0, durations: Vec::new(), rate }
    }

    fn add(&mut self, span: &Arc<SpanRow>, cursor: Cursor, range: (u64, u64)) {
        self.count += 1;
        self.error_count += usize::from(cursor.is_error(span));
        match cursor.end(span) {
            Some(end) => self.durations.push(end.saturating_sub(span.start)),
            None => self.in_flight_count += 1,
        }
        if let Some(count) = self.rate.get_mut(part(span.start, range)) {
            *count += 1;
        }
    }

    fn row(mut self) -> OperationRow {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| nearest_rank(&mut self.durations, percent));
        OperationRow {
            id: OperationId { service: Arc::clone(&self.first.service), name: Arc::clone(&self.first.name) },
            kind: self.first.kind,
            count: self.count,
            error_count: self.error_count,
            in_flight_count: self.in_flight_count,
            p50,
            p95,
            p99,
            max: self.durations.iter().copied().max().unwrap_or(0),
            rate: self.rate,
        }
    }
}

/// The part of a range in which a time lies; what is outside is in the first or last.
fn part(time: u64, (first, last): (u64, u64)) -> usize {
    let (passed, whole) = (time.saturating_sub(first), last.saturating_sub(first).saturating_add(1));
    let part = u128::from(passed) * RATE_PARTS as u128 / u128::from(whole);
    usize::try_from(part).unwrap_or(usize::MAX).min(RATE_PARTS - 1)
}

/// The smallest value to which so many percent of all are equal or less; 0 without any. Changes their order.
pub(super) fn nearest_rank(values: &mut [u64], percent: usize) -> u64 {
    let rank = (values.len().saturating_mul(percent)).div_ceil(100).max(1) - 1;
    if rank >= values.len() {
        return 0;
    }
    *values.select_nth_unstable(rank).1
}

fn ordered(rows: Vec<OperationRow>, order: Order<OperationKey>) -> Vec<OperationRow> {
    let descending = order.descending;
    let id = |row: &OperationRow| row.id.clone();
    match order.key {
        OperationKey::Count => sorted(rows, descending, |row| row.count, id),
        OperationKey::Errors => sorted(rows, descending, |row| row.error_count, id),
        OperationKey::P50 => sorted(rows, descending, |row| row.p50, id),
        OperationKey::P95 => sorted(rows, descending, |row| row.p95, id),
        OperationKey::P99 => sorted(rows, descending, |row| row.p99, id),
        OperationKey::Name => sorted(rows, descending, |row| Arc::clone(&row.id.name), id),
        OperationKey::Service => sorted(rows, descending, |row| Arc::clone(&row.id.service), id),
    }
}
