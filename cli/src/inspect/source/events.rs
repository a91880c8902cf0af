//! The list of events.

use std::cmp::Reverse;
use std::sync::Arc;

use otlp_mmap_reader::model::Position;

use super::rows::EventEntry;
use super::state::Asked;
use super::traces::sorted;
use crate::inspect::model::{EventRow, FileId, RecordKind};
use crate::inspect::query::{EventKey, Order};

/// The events that are asked for, in their order.
pub(super) fn events(asked: &Asked<'_>) -> Vec<Arc<EventRow>> {
    let trace = asked.query.events_of;
    let is_wanted = |entry: &&EventEntry| {
        entry.hit && trace.is_none_or(|id| id == entry.row.trace_id) && asked.cursor.has(entry.row.time)
    };
    let rows = asked.files().flat_map(|file| file.events.rows());
    ordered(rows.filter(is_wanted).map(|entry| Arc::clone(&entry.row)).collect(), asked.query.order.events)
}

/// Where an event is: ties are broken by it.
pub(super) fn place(row: &Arc<EventRow>) -> (FileId, Position) {
    let nowhere = Position { segment: 0, sequence: 0, offset: 0 };
    let position = match row.id.kind {
        RecordKind::Record(_, position) => position,
        RecordKind::InFlight(..) | RecordKind::Series(_) => nowhere,
    };
    (row.id.file, position)
}

fn ordered(mut rows: Vec<Arc<EventRow>>, order: Order<EventKey>) -> Vec<Arc<EventRow>> {
    let descending = order.descending;
    let id = |row: &Arc<EventRow>| (row.time, place(row));
    match order.key {
        // Rows come in long runs that are in order already, which this sort makes use of.
        EventKey::Time if descending => rows.sort_by_key(|row| (Reverse(row.time), place(row))),
        EventKey::Time => rows.sort_by_key(|row| (row.time, place(row))),
        EventKey::Severity => return sorted(rows, descending, |row| row.severity_number, id),
        EventKey::Service => return sorted(rows, descending, |row| Arc::clone(&row.service), id),
        EventKey::Name => return sorted(rows, descending, |row| Arc::clone(&row.event_name), id),
    }
    rows
}
