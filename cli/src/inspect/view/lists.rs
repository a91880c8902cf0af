//! The lists: traces, operations, events, series, recordings.

use ratatui::layout::Rect;

use super::super::app::App;
use super::super::cells::{
    State, event_cells, file_cells, operation_cells, row_text, series_cells, series_values, trace_cells,
    trace_state,
};
use super::super::model::{EventRow, FileRow, RATE_PARTS};
use super::super::query::{EventKey, FileKey, OperationKey, SeriesKey, TraceKey};
use super::pen::Pen;
use super::table::{Cell, Column, Row, Table, fixed, flexible, number};
use super::theme::Role;

/// Whether a row has the text that is looked for.
pub(super) fn is_found(app: &App, index: usize) -> bool {
    !app.find.is_empty()
        && row_text(app.query.view, &app.snapshot, index)
            .is_some_and(|text| text.to_lowercase().contains(&app.find))
}

/// What is said of an empty list.
fn nothing(app: &App, what: &str) -> String {
    let snapshot = &app.snapshot;
    let limited = app.query.filter.is_some() || app.query.file.is_some() || app.query.until.is_some();
    match snapshot.files.is_empty() {
        _ if snapshot.query < app.query.number => "reading ...".to_owned(),
        true => "no recording here yet".to_owned(),
        false if limited => format!("no {what} here: filter, file or time leave none"),
        false => format!("no {what} yet"),
    }
}

fn table(
    pen: &mut Pen<'_>,
    area: Rect,
    app: &App,
    what: &str,
    columns: &[Column],
    sorted: Option<(usize, bool)>,
    row: impl Fn(usize) -> (Vec<Cell>, bool),
) {
    let (list, count) = (*app.list(), app.row_count());
    let nothing = nothing(app, what);
    let table = Table { columns, sorted, list, count, nothing: &nothing };
    table.draw(pen, area, |index| {
        let (cells, is_bookmarked) = row(index);
        Row { cells, is_found: is_found(app, index), is_bookmarked }
    });
}

/// Cells as texts, those of some columns in a role of their own.
fn texts<const N: usize>(cells: [String; N], roles: &[(usize, Role)]) -> Vec<Cell> {
    let role = |index: usize| {
        roles.iter().find(|(column, _)| *column == index).map_or(Role::Text, |(_, role)| *role)
    };
    cells.into_iter().enumerate().map(|(index, text)| Cell::Text(text, role(index))).collect()
}

/// Where among the columns a key is.
fn sorted<K: PartialEq>(key: &K, descending: bool, columns: &[(K, usize)]) -> Option<(usize, bool)> {
    columns.iter().find(|(column, _)| column == key).map(|(_, index)| (*index, descending))
}

const TRACES: [Column; 10] = [
    fixed("start", 12, 2),
    number("time", 6, 0),
    flexible("", 6, 24, 4),
    flexible("service", 8, 16, 3),
    flexible("name", 14, 80, 0),
    fixed("status", 9, 0),
    number("spans", 5, 6),
    number("errors", 6, 5),
    number("events", 6, 7),
    fixed("trace", 32, 8),
];

pub(super) fn draw_traces(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let snapshot = &app.snapshot;
    let order = app.query.order.traces;
    let sorted = sorted(
        &order.key,
        order.descending,
        &[
            (TraceKey::Start, 0),
            (TraceKey::Duration, 1),
            (TraceKey::Service, 3),
            (TraceKey::Name, 4),
            (TraceKey::Spans, 6),
            (TraceKey::Errors, 7),
        ],
    );
    // The longest of those in sight fills its bar.
    let (list, count) = (*app.list(), app.row_count());
    let window = snapshot.traces.get(list.window(count, usize::from(area.height))).unwrap_or_default();
    let longest = window.iter().map(|row| row.duration(snapshot.until)).max().unwrap_or(0);
    table(pen, area, app, "traces", &TRACES, sorted, |index| trace_row(app, index, longest));
}

fn trace_row(app: &App, index: usize, longest: u64) -> (Vec<Cell>, bool) {
    let snapshot = &app.snapshot;
    let Some(row) = snapshot.traces.get(index) else { return (Vec::new(), false) };
    let role = match trace_state(row, &snapshot.files) {
        State::Died => Role::Died,
        State::InFlight => Role::Flight,
        State::Ended if row.error_count > 0 || row.root.is_error() => Role::Error,
        State::Ended => Role::Text,
    };
    let bar_role = if role == Role::Text { Role::Bar } else { role };
    let errors = if row.error_count > 0 { Role::Error } else { Role::Dim };
    let roles = [(0, Role::Dim), (2, Role::Name), (4, role), (6, errors), (7, Role::Dim), (8, Role::Dim)];
    let mut cells = texts(trace_cells(row, snapshot), &roles);
    cells.insert(2, Cell::Bar(ratio(row.duration(snapshot.until), longest), bar_role));
    let is_bookmarked = app.bookmarks.iter().any(|mark| mark.trace == Some(row.trace_id));
    (cells, is_bookmarked)
}

fn ratio(part: u64, whole: u64) -> f64 {
    let of = super::super::cells::to_f64;
    if whole == 0 { 0.0 } else { of(part) / of(whole) }
}

const OPERATIONS: [Column; 12] = [
    flexible("service", 8, 16, 4),
    flexible("name", 8, 60, 0),
    fixed("kind", 8, 9),
    number("spans", 5, 1),
    number("errors", 6, 3),
    number("err%", 6, 2),
    number("p50", 6, 6),
    number("p95", 6, 1),
    number("p99", 6, 7),
    number("max", 6, 8),
    number("flight", 6, 10),
    flexible("rate over time", 14, RATE_PARTS, 5),
];

pub(super) fn draw_operations(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let order = app.query.order.operations;
    let sorted = sorted(
        &order.key,
        order.descending,
        &[
            (OperationKey::Service, 0),
            (OperationKey::Name, 1),
            (OperationKey::Count, 3),
            (OperationKey::Errors, 4),
            (OperationKey::P50, 6),
            (OperationKey::P95, 7),
            (OperationKey::P99, 8),
        ],
    );
    table(pen, area, app, "operations", &OPERATIONS, sorted, |index| {
        let Some(row) = app.snapshot.operations.get(index) else { return (Vec::new(), false) };
        let errors = if row.error_count > 0 { Role::Error } else { Role::Dim };
        let flight = if row.in_flight_count > 0 { Role::Flight } else { Role::Dim };
        let roles = [(0, Role::Name), (2, Role::Dim), (4, errors), (5, errors), (10, flight)];
        let mut cells = texts(operation_cells(row), &roles);
        cells.push(Cell::Counts(row.rate.clone()));
        (cells, false)
    });
}

const EVENTS: [Column; 5] = [
    fixed("time", 12, 2),
    fixed("level", 5, 0),
    flexible("service", 8, 16, 4),
    flexible("name", 8, 24, 1),
    flexible("body", 8, 200, 0),
];

pub(super) fn draw_events(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let order = app.query.order.events;
    let keys = [(EventKey::Time, 0), (EventKey::Severity, 1), (EventKey::Service, 2), (EventKey::Name, 3)];
    let sorted = sorted(&order.key, order.descending, &keys);
    table(pen, area, app, "events", &EVENTS, sorted, |index| {
        let Some(row) = app.snapshot.events.get(index) else { return (Vec::new(), false) };
        let roles =
            [(0, Role::Dim), (1, severity_role(row.severity_number)), (2, Role::Name), (3, Role::Strong)];
        (texts(event_cells(row), &roles), is_event_bookmarked(app, row))
    });
}

fn is_event_bookmarked(app: &App, row: &EventRow) -> bool {
    app.bookmarks.iter().any(|mark| mark.record == Some(row.id))
}

/// How a severity looks.
pub(super) fn severity_role(number: u32) -> Role {
    match number {
        17.. => Role::Error,
        13..17 => Role::Warning,
        9..13 => Role::Good,
        _ => Role::Dim,
    }
}

const SERIES: [Column; 8] = [
    flexible("service", 8, 14, 5),
    flexible("name", 18, 40, 0),
    flexible("attributes", 10, 40, 2),
    fixed("kind", 9, 6),
    number("value", 10, 1),
    number("rate", 10, 3),
    fixed("unit", 4, 7),
    flexible("", 6, 30, 4),
];

pub(super) fn draw_metrics(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let order = app.query.order.metrics;
    let keys = [(SeriesKey::Service, 0), (SeriesKey::Name, 1), (SeriesKey::Value, 4), (SeriesKey::Rate, 5)];
    let sorted = sorted(&order.key, order.descending, &keys);
    table(pen, area, app, "metrics", &SERIES, sorted, |index| {
        let Some(row) = app.snapshot.series.get(index) else { return (Vec::new(), false) };
        let mut cells =
            texts(series_cells(row), &[(0, Role::Name), (2, Role::Dim), (3, Role::Dim), (6, Role::Dim)]);
        // Keys are the same for all series of a stream: where one has to go, it is the keys.
        if let Some(cell) = cells.get_mut(2)
            && let Cell::Text(pairs, role) = cell
        {
            *cell = Cell::Shorter(std::mem::take(pairs), series_values(row), *role);
        }
        cells.push(Cell::Spark(row.history.iter().map(|sample| sample.value).collect()));
        (cells, false)
    });
}

const FILES: [Column; 8] = [
    flexible("file", 10, 60, 0),
    flexible("service", 8, 20, 6),
    number("pid", 7, 3),
    fixed("writer", 8, 0),
    number("fill", 4, 1),
    number("lost", 5, 2),
    number("torn", 5, 2),
    number("flight", 6, 5),
];

pub(super) fn draw_files(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let order = app.query.order.files;
    let keys = [
        (FileKey::Name, 0),
        (FileKey::Process, 2),
        (FileKey::State, 3),
        (FileKey::Fill, 4),
        (FileKey::Losses, 5),
    ];
    let sorted = sorted(&order.key, order.descending, &keys);
    table(pen, area, app, "recordings", &FILES, sorted, |index| {
        let Some(row) = app.snapshot.files.get(index) else { return (Vec::new(), false) };
        let lost = if row.lost() > 0 { Role::Warning } else { Role::Dim };
        let faults = if row.fault_count > 0 { Role::Error } else { Role::Dim };
        let roles = [(1, Role::Name), (3, writer_role(row)), (5, lost), (6, faults), (7, Role::Dim)];
        (texts(file_cells(row), &roles), false)
    });
}

/// How the state of a writer looks.
pub(super) fn writer_role(row: &FileRow) -> Role {
    match super::super::cells::file_state(row) {
        "alive" => Role::Good,
        "dead" => Role::Died,
        _ => Role::Dim,
    }
}

/// The index of the row at a line of the list's area.
pub(super) fn row_at(app: &App, height: u16, y: u16) -> Option<usize> {
    let (list, count) = (*app.list(), app.row_count());
    let (height, y) = (usize::from(height), usize::from(y));
    let head = Table::head_height(height);
    let line = y.checked_sub(head).filter(|_| y < height)?;
    list.window(count, height - head).nth(line)
}
