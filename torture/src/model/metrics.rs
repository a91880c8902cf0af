//! The model of metrics: which series a measurement goes to, and what all of them come to.

use otlp_mmap_format::{CellsHeader, SeriesKind, series_size};
use otlp_mmap_reader::model::{self, Buckets, KeyValue, Number, Point};
use otlp_mmap_writer::{Aggregation, MetricRef, Temporality};

use super::dictionary::Dictionary;
use super::values::{canonical, overflow_attribute};

/// Size of the metric cells.
pub(super) const CELLS: u64 = 64 << 10;
/// Number of kinds of streams that [`aggregation`] knows.
pub(super) const KINDS: usize = 10;

const BOUNDARIES: [f64; 4] = [-5.0, 0.0, 1.5, 1000.0];
const CUMULATIVE: Temporality = Temporality::Cumulative;

/// How much the logarithm behind a bucket's index may be off, as a factor of the boundary.
const TOLERANCE: f64 = 1e-9;

/// The aggregation of a kind of stream; the last kind is refused.
pub(super) fn aggregation(kind: usize) -> Aggregation<'static> {
    let exponential = |max_buckets, max_scale| Aggregation::ExponentialHistogram {
        temporality: CUMULATIVE,
        max_buckets,
        max_scale,
    };
    match kind {
        0 => Aggregation::Gauge,
        1 => Aggregation::Sum { temporality: Temporality::Delta, is_monotonic: true },
        2 => Aggregation::Sum { temporality: CUMULATIVE, is_monotonic: false },
        3 => Aggregation::Histogram { temporality: CUMULATIVE, boundaries: &BOUNDARIES },
        4 => Aggregation::Histogram { temporality: CUMULATIVE, boundaries: &[] },
        5 => exponential(4, 20),
        6 => exponential(2, -10),
        7 => exponential(160, 20),
        // Two of these do not fit into the cells.
        8 => exponential(1_000, 3),
        _ => Aggregation::Histogram { temporality: CUMULATIVE, boundaries: &[1.0, 1.0] },
    }
}

/// The aggregation of a kind as it is read.
pub(super) fn aggregation_read(kind: usize) -> model::Aggregation {
    match aggregation(kind) {
        Aggregation::Gauge => model::Aggregation::Gauge,
        Aggregation::Sum { temporality, is_monotonic } => {
            model::Aggregation::Sum { temporality: temporality as u32, is_monotonic }
        }
        Aggregation::Histogram { temporality, boundaries } => {
            model::Aggregation::Histogram { temporality: temporality as u32, boundaries: boundaries.to_vec() }
        }
        Aggregation::ExponentialHistogram { temporality, max_buckets, max_scale } => {
            let temporality = temporality as u32;
            model::Aggregation::ExponentialHistogram { temporality, max_buckets, max_scale }
        }
    }
}

fn size(kind: usize) -> u64 {
    match aggregation(kind) {
        Aggregation::Gauge => series_size(SeriesKind::Gauge, 0),
        Aggregation::Sum { .. } => series_size(SeriesKind::Sum, 0),
        Aggregation::Histogram { boundaries, .. } => {
            let buckets = u32::try_from(boundaries.len() + 1).expect("few");
            series_size(SeriesKind::Histogram, buckets)
        }
        Aggregation::ExponentialHistogram { max_buckets, .. } => {
            series_size(SeriesKind::ExponentialHistogram, max_buckets)
        }
    }
}

/// Every stream, and how much of the cells is used.
pub(super) struct Metrics {
    pub(super) used: u64,
    reserved: u64,
    most_series: usize,
    /// The attributes of overflow series, once they are needed: none if the dictionary had no room for them.
    overflow: Option<Vec<KeyValue>>,
    pub(super) streams: Vec<Stream>,
}

/// A metric stream with its series.
pub(super) struct Stream {
    pub(super) metric: MetricRef,
    pub(super) scope: usize,
    pub(super) kind: usize,
    pub(super) series: Vec<Series>,
    pub(super) overflow: Option<Series>,
}

/// A series with everything that was measured.
pub(super) struct Series {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) measured: Vec<(u64, Number)>,
}

/// Which series: stream, and series within it; `None`: the one for overflow.
pub(super) type Place = (usize, Option<usize>);

impl Metrics {
    pub(super) fn new(cardinality_limit: u32) -> Self {
        let most_series = usize::try_from(cardinality_limit).expect("small") - 1;
        Self { used: CellsHeader::SIZE as u64, reserved: 0, most_series, overflow: None, streams: Vec::new() }
    }

    /// Whether a new stream's overflow series has room.
    pub(super) fn has_room(&self, kind: usize) -> bool {
        self.used + self.reserved + size(kind) <= CELLS
    }

    pub(super) fn define(&mut self, metric: MetricRef, scope: usize, kind: usize) {
        self.reserved += size(kind);
        self.streams.push(Stream { metric, scope, kind, series: Vec::new(), overflow: None });
    }

    /// The series of a stream with these attributes, created if it is new.
    pub(super) fn find(&mut self, dictionary: &mut Dictionary, stream: usize, given: &[KeyValue]) -> Place {
        let attributes = canonical(given);
        let room = self.has_room(self.streams[stream].kind);
        let one = &mut self.streams[stream];
        if let Some(found) = one.series.iter().position(|series| series.attributes == attributes) {
            return (stream, Some(found));
        }
        let overflow = self.overflow.get_or_insert_with(|| {
            let wanted = vec![overflow_attribute()];
            if takes_set(dictionary, &wanted) { wanted } else { Vec::new() }
        });
        let is_below_limit = attributes != *overflow && one.series.len() < self.most_series && room;
        if is_below_limit && takes_set(dictionary, &attributes) {
            self.used += size(one.kind);
            one.series.push(Series { attributes, measured: Vec::new() });
            return (stream, Some(one.series.len() - 1));
        }
        if one.overflow.is_none() {
            self.used += size(one.kind);
            self.reserved -= size(one.kind);
            one.overflow = Some(Series { attributes: overflow.clone(), measured: Vec::new() });
        }
        (stream, None)
    }

    pub(super) fn series(&mut self, (stream, series): Place) -> &mut Series {
        let stream = &mut self.streams[stream];
        match series {
            Some(series) => &mut stream.series[series],
            None => stream.overflow.as_mut().expect("made when it was found"),
        }
    }

    /// Whether a stream takes a value.
    pub(super) fn takes(&self, (stream, _): Place, value: Number) -> bool {
        let finite = !matches!(value, Number::Double(number) if !number.is_finite());
        let negative = match value {
            Number::Int(number) => number < 0,
            Number::Double(number) => number < 0.0,
        };
        match aggregation(self.streams[stream].kind) {
            Aggregation::Gauge => true,
            Aggregation::Sum { is_monotonic: true, .. } => finite && !negative,
            _ => finite,
        }
    }
}

/// Whether the dictionary has room for an attribute set; the empty one is none.
fn takes_set(dictionary: &mut Dictionary, attributes: &[KeyValue]) -> bool {
    let size = dictionary.size_of_all(attributes);
    attributes.is_empty() || dictionary.takes(format!("set {attributes:?}"), size)
}

impl Series {
    /// Compares with what was read; the time is that of the last measurement, since times only grow here.
    pub(super) fn check(&self, kind: usize, found: &model::Series) {
        assert_eq!(Some(found.time_unix_nano), self.measured.last().map(|(time, _)| *time));
        let values = || self.measured.iter().map(|(_, value)| *value);
        match (&found.point, aggregation(kind)) {
            (Point::Gauge(found), Aggregation::Gauge) => {
                assert!(same(*found, values().next_back().expect("one")));
            }
            (Point::Sum(found), Aggregation::Sum { .. }) => assert!(same(*found, sum(values()))),
            (Point::Histogram { bucket_counts, .. }, Aggregation::Histogram { boundaries, .. }) => {
                self.check_totals(&found.point);
                let mut expected = vec![0; boundaries.len() + 1];
                for value in values().map(double) {
                    let bucket = boundaries.iter().position(|boundary| value <= *boundary);
                    expected[bucket.unwrap_or(boundaries.len())] += 1;
                }
                assert_eq!(*bucket_counts, expected);
            }
            (
                Point::ExponentialHistogram { scale, zero_count, positive, negative, .. },
                Aggregation::ExponentialHistogram { max_buckets, max_scale, .. },
            ) => {
                self.check_totals(&found.point);
                assert!((-10..=max_scale).contains(scale));
                assert_eq!(*zero_count, count(values().map(double).filter(|value| *value == 0.0)));
                for (sign, buckets) in [(1.0, positive), (-1.0, negative)] {
                    assert!(buckets.counts.len() <= usize::try_from(max_buckets).expect("few"));
                    let magnitudes = values().map(|value| double(value) * sign).filter(|value| *value > 0.0);
                    check_buckets(*scale, buckets, &magnitudes.collect::<Vec<_>>());
                }
            }
            (point, aggregation) => panic!("{point:?} of {aggregation:?}"),
        }
    }

    fn check_totals(&self, found: &Point) {
        let (Point::Histogram { count, sum, min, max, .. }
        | Point::ExponentialHistogram { count, sum, min, max, .. }) = found
        else {
            return;
        };
        let values = || self.measured.iter().map(|(_, value)| double(*value));
        assert_eq!(*count, self.measured.len() as u64);
        assert!(same_double(*sum, values().fold(0.0, |sum, value| sum + value)));
        assert_eq!(*min, values().reduce(f64::min));
        assert_eq!(*max, values().reduce(f64::max));
    }
}

/// Counts up to each bucket's upper boundary, as near to it as logarithms allow.
fn check_buckets(scale: i32, buckets: &Buckets, magnitudes: &[f64]) {
    let mut cumulative = 0;
    for (index, found) in (buckets.offset..).zip(&buckets.counts) {
        cumulative += found;
        let upper = ((f64::from(index) + 1.0) / f64::from(scale).exp2()).exp2();
        let up_to = |limit: f64| {
            count(magnitudes.iter().map(|value| value.max(f64::MIN_POSITIVE)).filter(|value| *value <= limit))
        };
        let (least, most) = (up_to(upper * (1.0 - TOLERANCE)), up_to(upper * (1.0 + TOLERANCE)));
        assert!(
            (least..=most).contains(&cumulative),
            "{cumulative} up to {upper}, expected {least} to {most}"
        );
    }
    assert_eq!(cumulative, magnitudes.len() as u64, "{buckets:?} of {magnitudes:?}");
}

/// A sum as the file has it: integers as long as they fit, doubles beside them.
fn sum(values: impl Iterator<Item = Number>) -> Number {
    let (mut ints, mut doubles) = (None, None);
    for value in values {
        match value {
            Number::Int(number) => {
                let fits = ints.unwrap_or(0_i64).checked_add(number);
                if fits.is_none() {
                    doubles = Some(doubles.unwrap_or(0.0) + double(value));
                }
                ints = fits.or(ints).or(Some(0));
            }
            Number::Double(number) => doubles = Some(doubles.unwrap_or(0.0) + number),
        }
    }
    match (ints, doubles) {
        (Some(ints), None) => Number::Int(ints),
        (None, Some(doubles)) => Number::Double(doubles),
        (ints, doubles) => Number::Double(double(Number::Int(ints.unwrap_or(0))) + doubles.unwrap_or(0.0)),
    }
}

#[allow(clippy::cast_precision_loss)] // as histograms do
fn double(value: Number) -> f64 {
    match value {
        Number::Int(number) => number as f64,
        Number::Double(number) => number,
    }
}

/// Equality that knows NaN.
pub(super) fn same(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one == other,
        (Number::Double(one), Number::Double(other)) => same_double(one, other),
        _ => false,
    }
}

fn same_double(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
}

fn count(values: impl Iterator<Item = f64>) -> u64 {
    values.count() as u64
}
