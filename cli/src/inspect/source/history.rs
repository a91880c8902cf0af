//! The series of a recording, and what they were when the viewer looked at them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use otlp_mmap_reader::model::{Number, Point, Series, Text};

use super::file::Polling;
use crate::inspect::model::{SAMPLES, Sample};
use crate::record::RecordView;

/// Most bytes that the points of earlier times take in the series of a recording. Beyond them, only their numbers are
/// kept.
const MAX_POINT_BYTES: usize = 32 << 20;

/// Most samples that are kept of all series of a recording: where there are many series, each has fewer.
const MAX_SAMPLES: usize = 1 << 20;

/// The series of a recording, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    pub(super) series: Vec<SeriesEntry>,
    /// Bytes of the points that are kept.
    point_bytes: usize,
}

/// A series.
#[derive(Debug)]
pub(super) struct SeriesEntry {
    /// As it is now, without exemplars.
    pub(super) series: Arc<Series>,
    /// `service.name` of its resource; empty: none.
    pub(super) service: Text,
    pub(super) hit: bool,
    pub(super) samples: Arc<[Sample]>,
    /// The points of the samples; `None`: not kept.
    points: VecDeque<Option<Arc<Point>>>,
}

impl SeriesTable {
    /// Takes the series as they are now; whether one has changed. What a recording that has ended says for the first
    /// time it has said since each series' latest measurement.
    pub(super) fn take(&mut self, series: Vec<Series>, has_ended: bool, polling: &mut Polling<'_>) -> bool {
        let mut before: HashMap<_, _> =
            std::mem::take(&mut self.series).into_iter().map(|entry| (entry.series.series, entry)).collect();
        let mut changed = before.len() != series.len();
        let most = samples_each(series.len());
        for series in series {
            let hit = polling.filter.is_none_or(|filter| filter.matches(&RecordView::Metric(&series)));
            let last = before.remove(&series.series);
            changed |= last.as_ref().is_none_or(|last| !is_same(&last.series, &series));
            let mut entry = last.unwrap_or_else(|| SeriesEntry::new(&series, polling));
            entry.hit = hit;
            let ended = has_ended && entry.samples.is_empty();
            let time = if ended { series.time_unix_nano.min(polling.now) } else { polling.now };
            self.sample(&mut entry, series, time, most);
            self.series.push(entry);
        }
        for entry in before.into_values() {
            self.point_bytes = entry.points.iter().flatten().fold(self.point_bytes, forget);
        }
        changed
    }

    /// Adds what a series is now; of its samples the newest `most` stay.
    fn sample(&mut self, entry: &mut SeriesEntry, series: Series, time: u64, most: usize) {
        let first = entry.samples.len().saturating_add(1).saturating_sub(most);
        for gone in entry.points.drain(..first.min(entry.points.len())).flatten() {
            self.point_bytes = forget(self.point_bytes, &gone);
        }
        let sample = Sample { time, value: value(&series.point) };
        entry.samples = entry.samples.iter().skip(first).copied().chain([sample]).collect();
        let bytes = weight(&series.point);
        let keeps = self.point_bytes.saturating_add(bytes) <= MAX_POINT_BYTES;
        let point = keeps.then(|| Arc::new(series.point.clone()));
        if keeps {
            self.point_bytes += bytes;
        }
        entry.points.push_back(point);
        entry.series = Arc::new(series);
    }

    /// Says for each anew whether it passes the filter.
    pub(super) fn set_hits(&mut self, hit: impl Fn(&Series) -> bool) {
        for entry in &mut self.series {
            entry.hit = hit(&entry.series);
        }
    }

    /// Series that pass.
    pub(super) fn hits(&self) -> usize {
        self.series.iter().filter(|entry| entry.hit).count()
    }

    /// Time of the latest measurement.
    pub(super) fn last_time(&self) -> Option<u64> {
        self.series.iter().map(|entry| entry.series.time_unix_nano).max()
    }
}

impl SeriesEntry {
    fn new(series: &Series, polling: &mut Polling<'_>) -> Self {
        let service = polling.interner.service(&series.stream.scope);
        let (series, points) = (Arc::new(series.clone()), VecDeque::new());
        Self { series, service, hit: false, samples: Arc::default(), points }
    }

    /// Samples up to a time, and the series as it was then if the viewer was there; else all, and as it is.
    pub(super) fn at(&self, until: Option<u64>) -> (Arc<Series>, Arc<[Sample]>) {
        let present = || (Arc::clone(&self.series), Arc::clone(&self.samples));
        let Some(until) = until else { return present() };
        let count = self.samples.partition_point(|sample| sample.time <= until);
        let (Some(last), true) = (count.checked_sub(1), count < self.samples.len()) else { return present() };
        let samples = self.samples.get(..count).unwrap_or_default().into();
        let Some(Some(point)) = self.points.get(last) else { return (Arc::clone(&self.series), samples) };
        (Arc::new(Series { point: Point::clone(point), ..Series::clone(&self.series) }), samples)
    }
}

/// Samples that each of so many series may keep; two at least, which make a rate.
pub(super) fn samples_each(count: usize) -> usize {
    (MAX_SAMPLES / count.max(1)).clamp(2, SAMPLES)
}

/// Bytes that a point takes.
fn weight(point: &Point) -> usize {
    let counts = match point {
        Point::Gauge(_) | Point::Sum(_) => 0,
        Point::Histogram { bucket_counts, .. } => bucket_counts.len(),
        Point::ExponentialHistogram { positive, negative, .. } => {
            positive.counts.len() + negative.counts.len()
        }
    };
    counts.saturating_mul(size_of::<u64>()).saturating_add(size_of::<Point>() + 32)
}

fn forget(bytes: usize, point: &Arc<Point>) -> usize {
    bytes.saturating_sub(weight(point))
}

/// Of a gauge or sum its value, of a histogram the number of its measurements.
pub(super) fn value(point: &Point) -> f64 {
    match point {
        Point::Gauge(number) | Point::Sum(number) => to_f64(*number),
        Point::Histogram { count, .. } | Point::ExponentialHistogram { count, .. } => count_to_f64(*count),
    }
}

/// The nearest double.
#[expect(clippy::cast_precision_loss, reason = "a chart shows no more digits")]
pub(super) fn to_f64(number: Number) -> f64 {
    match number {
        Number::Int(value) => value as f64,
        Number::Double(value) => value,
    }
}

/// The nearest double.
#[expect(clippy::cast_precision_loss, reason = "a chart shows no more digits")]
pub(super) fn count_to_f64(count: u64) -> f64 {
    count as f64
}

/// Whether nothing was measured in between. A point that is no number is never equal to itself: the time says it.
fn is_same(one: &Series, other: &Series) -> bool {
    one.time_unix_nano == other.time_unix_nano && (one.point == other.point || value(&one.point).is_nan())
}
