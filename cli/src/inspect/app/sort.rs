//! Orders of the lists, and their menu.

use super::super::query::{EventKey, FileKey, OperationKey, Order, Orders, Query, SeriesKey, TraceKey, View};

/// A key, its name, and whether its largest values are wanted first.
type Keys<K, const N: usize> = [(K, &'static str, bool); N];

const TRACES: Keys<TraceKey, 6> = [
    (TraceKey::Start, "start", true),
    (TraceKey::Duration, "duration", true),
    (TraceKey::Name, "name", false),
    (TraceKey::Service, "service", false),
    (TraceKey::Spans, "spans", true),
    (TraceKey::Errors, "errors", true),
];

const OPERATIONS: Keys<OperationKey, 7> = [
    (OperationKey::Count, "count", true),
    (OperationKey::Errors, "errors", true),
    (OperationKey::P50, "p50", true),
    (OperationKey::P95, "p95", true),
    (OperationKey::P99, "p99", true),
    (OperationKey::Name, "name", false),
    (OperationKey::Service, "service", false),
];

const METRICS: Keys<SeriesKey, 5> = [
    (SeriesKey::Name, "name", false),
    (SeriesKey::Service, "service", false),
    (SeriesKey::Value, "value", true),
    (SeriesKey::Rate, "rate", true),
    (SeriesKey::Time, "time", true),
];

const EVENTS: Keys<EventKey, 4> = [
    (EventKey::Time, "time", false),
    (EventKey::Severity, "severity", true),
    (EventKey::Service, "service", false),
    (EventKey::Name, "name", false),
];

const FILES: Keys<FileKey, 5> = [
    (FileKey::Name, "name", false),
    (FileKey::Process, "process", false),
    (FileKey::Fill, "fill", true),
    (FileKey::Losses, "losses", true),
    (FileKey::State, "state", false),
];

/// The names of the orders of a view; none: it has only one.
pub(crate) fn names(view: View) -> Vec<&'static str> {
    match view {
        View::Traces => TRACES.map(|key| key.1).to_vec(),
        View::Operations => OPERATIONS.map(|key| key.1).to_vec(),
        View::Metrics => METRICS.map(|key| key.1).to_vec(),
        View::Events => EVENTS.map(|key| key.1).to_vec(),
        View::File => FILES.map(|key| key.1).to_vec(),
        View::Waterfall => Vec::new(),
    }
}

/// The order of the present view: index of its name, and whether the largest come first.
pub(crate) fn present(query: &Query) -> Option<(usize, bool)> {
    let Orders { traces, operations, metrics, events, files } = &query.order;
    match query.view {
        View::Traces => index(&TRACES, traces),
        View::Operations => index(&OPERATIONS, operations),
        View::Metrics => index(&METRICS, metrics),
        View::Events => index(&EVENTS, events),
        View::File => index(&FILES, files),
        View::Waterfall => None,
    }
}

/// Takes an order by the index of its name; the present one is inverted.
pub(super) fn choose(query: &mut Query, chosen: usize) {
    let Orders { traces, operations, metrics, events, files } = &mut query.order;
    match query.view {
        View::Traces => choose_in(&TRACES, traces, chosen),
        View::Operations => choose_in(&OPERATIONS, operations, chosen),
        View::Metrics => choose_in(&METRICS, metrics, chosen),
        View::Events => choose_in(&EVENTS, events, chosen),
        View::File => choose_in(&FILES, files, chosen),
        View::Waterfall => {}
    }
}

/// Inverts the order of the present view.
pub(super) fn invert(query: &mut Query) {
    if let Some((index, _)) = present(query) {
        choose(query, index);
    }
}

fn index<K: PartialEq>(keys: &[(K, &str, bool)], order: &Order<K>) -> Option<(usize, bool)> {
    keys.iter().position(|(key, ..)| *key == order.key).map(|index| (index, order.descending))
}

fn choose_in<K: Copy + PartialEq>(keys: &[(K, &str, bool)], order: &mut Order<K>, chosen: usize) {
    if let Some((key, _, descending)) = keys.get(chosen) {
        let descending = if *key == order.key { !order.descending } else { *descending };
        *order = Order { key: *key, descending };
    }
}
