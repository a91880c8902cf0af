//! The list of series, and the chart of one.

use std::sync::Arc;

use otlp_mmap_reader::MAX_EXEMPLARS;
use otlp_mmap_reader::model::{Aggregation, Series};

use super::buckets::{buckets, percentiles};
use super::file::File;
use super::history::{SeriesEntry, value};
use super::state::Asked;
use super::traces::{Sortable, sorted};
use crate::inspect::model::{Chart, Sample, SeriesId, SeriesRow};
use crate::inspect::query::{Order, SeriesKey};

/// The series that are asked for, in their order.
pub(super) fn series(asked: &Asked<'_>) -> Vec<SeriesRow> {
    let rows = asked.files().flat_map(|file| {
        file.series.series.iter().filter(|entry| entry.hit).map(|entry| row(file, entry, asked.cursor.0))
    });
    ordered(rows.collect(), asked.query.order.metrics)
}

/// The chart of a series.
pub(super) fn chart(asked: &Asked<'_>, id: SeriesId) -> Option<Chart> {
    let file = asked.file(id.file)?;
    let entry = file.series.series.iter().find(|entry| entry.series.series == id.series)?;
    let mut row = row(file, entry, asked.cursor.0);
    let exemplars = file.exemplars(id.series, asked.cursor.0, MAX_EXEMPLARS);
    if !exemplars.is_empty() {
        row.series = Arc::new(Series { exemplars: exemplars.clone(), ..Series::clone(&row.series) });
    }
    let point = row.series.point.clone();
    let buckets = buckets(&row.series);
    let percentiles = percentiles(&point, &buckets);
    Some(Chart { row, point, exemplars, buckets, percentiles })
}

fn row(file: &File, entry: &SeriesEntry, until: Option<u64>) -> SeriesRow {
    let (series, history) = entry.at(until);
    let has_rate = !matches!(series.stream.aggregation, Aggregation::Gauge);
    SeriesRow {
        id: SeriesId { file: file.id, series: series.series },
        service: Arc::clone(&entry.service),
        rate: rate(&history).filter(|_| has_rate),
        series,
        history,
    }
}

/// Growth a second between the last two samples that differ in time.
pub(super) fn rate(history: &[Sample]) -> Option<f64> {
    let last = history.last()?;
    let before = history.iter().rev().find(|sample| sample.time != last.time)?;
    let nanos = super::history::count_to_f64(last.time.abs_diff(before.time));
    let rate = (last.value - before.value) / (nanos / 1e9);
    // A clock that stepped back tells no direction of time.
    Some(rate).filter(|rate| rate.is_finite() && last.time > before.time)
}

fn ordered(rows: Vec<SeriesRow>, order: Order<SeriesKey>) -> Vec<SeriesRow> {
    let descending = order.descending;
    let id = |row: &SeriesRow| (Arc::clone(&row.stream().name), row.id.file, row.id.series);
    match order.key {
        SeriesKey::Name => sorted(rows, descending, |row| Arc::clone(&row.stream().name), id),
        SeriesKey::Service => sorted(rows, descending, |row| Arc::clone(&row.service), id),
        SeriesKey::Value => sorted(rows, descending, |row| Sortable(value(&row.series.point)), id),
        SeriesKey::Rate => {
            let rate = |row: &SeriesRow| Sortable(row.rate.unwrap_or(f64::NEG_INFINITY));
            sorted(rows, descending, rate, id)
        }
        SeriesKey::Time => sorted(rows, descending, |row| row.series.time_unix_nano, id),
    }
}
