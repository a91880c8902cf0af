//! The state of a series as a point (SPEC "Sums", "Series with two copies"). All from private copies.

use std::ops::RangeInclusive;

use otlp_mmap_format::{
    ExponentialCopy, GaugeCopy, HistogramCopy, SeriesKind, SumCell, VALUE_DOUBLE, VALUE_INT,
};

use crate::bytes::{len, view};
use crate::decode::number;
use crate::model::{Aggregation, Buckets, MetricStream, Number, Point};

/// A sum to which integers and doubles were added.
const BOTH: u64 = VALUE_INT | VALUE_DOUBLE;
/// Scales of exponential buckets.
const SCALES: RangeInclusive<i32> = -10..=20;

pub(crate) fn gauge(copy: &[u8]) -> Result<(u64, Point), String> {
    let copy: GaugeCopy = view(copy, 0).ok_or("no gauge")?;
    let value = match copy.value_type.get() {
        VALUE_INT => number(copy.value_bits.get(), false),
        VALUE_DOUBLE => number(copy.value_bits.get(), true),
        other => {
            return Err(format!("value type {other} of a gauge, expected {VALUE_INT} or {VALUE_DOUBLE}"));
        }
    };
    Ok((copy.time_unix_nano.get(), Point::Gauge(value)))
}

pub(crate) fn histogram(copy: &[u8], capacity: u32) -> Result<(u64, Point), String> {
    let head: HistogramCopy = view(copy, 0).ok_or("no histogram")?;
    let bucket_counts = counts(copy, HistogramCopy::SIZE, 0, capacity);
    let count = total(&bucket_counts);
    let point = Point::Histogram {
        count,
        sum: f64::from_bits(head.sum_bits.get()),
        min: (count != 0).then(|| f64::from_bits(head.min_bits.get())),
        max: (count != 0).then(|| f64::from_bits(head.max_bits.get())),
        bucket_counts,
    };
    Ok((head.time_unix_nano.get(), point))
}

pub(crate) fn exponential(copy: &[u8], capacity: u32) -> Result<(u64, Point), String> {
    let head: ExponentialCopy = view(copy, 0).ok_or("no exponential histogram")?;
    let (positive, negative) = (head.positive_length.get(), head.negative_length.get());
    if positive > capacity || negative > capacity {
        return Err(format!("{positive} and {negative} buckets in use, expected at most {capacity}"));
    }
    if !SCALES.contains(&head.scale.get()) {
        return Err(format!("scale {}, expected {} to {}", head.scale.get(), SCALES.start(), SCALES.end()));
    }
    let positive = counts(copy, ExponentialCopy::SIZE, 0, positive);
    let negative = counts(copy, ExponentialCopy::SIZE, capacity, negative);
    let zero_count = head.zero_count.get();
    let count = zero_count.saturating_add(total(&positive)).saturating_add(total(&negative));
    let point = Point::ExponentialHistogram {
        count,
        sum: f64::from_bits(head.sum_bits.get()),
        min: (count != 0).then(|| f64::from_bits(head.min_bits.get())),
        max: (count != 0).then(|| f64::from_bits(head.max_bits.get())),
        scale: head.scale.get(),
        zero_count,
        positive: Buckets { offset: head.positive_offset.get(), counts: positive },
        negative: Buckets { offset: head.negative_offset.get(), counts: negative },
    };
    Ok((head.time_unix_nano.get(), point))
}

/// `count` bucket counts behind `skip` others that stand at byte `start`.
fn counts(copy: &[u8], start: usize, skip: u32, count: u32) -> Vec<u64> {
    let (words, _) = copy.get(start..).unwrap_or_default().as_chunks::<8>();
    let words = words.iter().skip(len(u64::from(skip))).take(len(u64::from(count)));
    words.map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().copied().fold(0, u64::saturating_add)
}

/// The value of a sum; `None` if there is none yet.
pub(crate) fn sum(cell: &SumCell) -> Result<Option<Number>, String> {
    let (int, double) = (cell.int_value.get().cast_signed(), f64::from_bits(cell.double_bits.get()));
    match cell.seen.get() {
        0 => Ok(None),
        VALUE_INT => Ok(Some(Number::Int(int))),
        VALUE_DOUBLE => Ok(Some(Number::Double(double))),
        BOTH => Ok(Some(Number::Double(to_f64(int) + double))),
        other => Err(format!("a sum has seen values of the types {other:#x}")),
    }
}

/// Whether the buckets of two readings mean the same: an exponential histogram may have been rescaled.
pub(crate) fn same_buckets(kind: SeriesKind, one: &[u8], other: &[u8]) -> bool {
    let scale = |copy| {
        view::<ExponentialCopy>(copy, 0).map(|head| (head.scale, head.positive_offset, head.negative_offset))
    };
    kind != SeriesKind::ExponentialHistogram || scale(one) == scale(other)
}

/// The nearest double: both halves are exact, so that only the sum is rounded.
fn to_f64(value: i64) -> f64 {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let high = i32::try_from(value >> 32).unwrap_or(0);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// Whether a point is what its stream's aggregation makes.
pub(crate) fn fits(stream: &MetricStream, point: &Point) -> Result<(), String> {
    match (&stream.aggregation, point) {
        (Aggregation::Gauge, Point::Gauge(_))
        | (Aggregation::Sum { .. }, Point::Sum(_))
        | (Aggregation::ExponentialHistogram { .. }, Point::ExponentialHistogram { .. }) => Ok(()),
        (Aggregation::Histogram { boundaries, .. }, Point::Histogram { bucket_counts, .. }) => {
            if boundaries.len() + 1 == bucket_counts.len() {
                return Ok(());
            }
            let (expected, found) = (boundaries.len() + 1, bucket_counts.len());
            Err(format!("{found} buckets of {:?}, expected {expected}", stream.name))
        }
        _ => Err(format!("the series is not of the aggregation of {:?}", stream.name)),
    }
}
