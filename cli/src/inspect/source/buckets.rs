//! Buckets of histograms with their boundaries, and percentiles estimated from them.

use otlp_mmap_reader::model::{Aggregation, Buckets, Point, Series};

use super::history::count_to_f64;
use crate::inspect::model::Bucket;

/// The percentiles of a chart.
const PERCENTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The buckets of a histogram of either kind, lowest first; none of gauges and sums.
pub(super) fn buckets(series: &Series) -> Vec<Bucket> {
    match (&series.point, &series.stream.aggregation) {
        (Point::Histogram { bucket_counts, .. }, Aggregation::Histogram { boundaries, .. }) => {
            explicit(boundaries, bucket_counts)
        }
        (Point::ExponentialHistogram { scale, zero_count, positive, negative, .. }, _) => {
            exponential(*scale, *zero_count, positive, negative)
        }
        _ => Vec::new(),
    }
}

fn explicit(boundaries: &[f64], counts: &[u64]) -> Vec<Bucket> {
    let lower = std::iter::once(f64::NEG_INFINITY).chain(boundaries.iter().copied());
    let upper = boundaries.iter().copied().chain(std::iter::once(f64::INFINITY));
    lower
        .zip(upper)
        .zip(counts)
        .map(|((lower, upper), count)| Bucket { lower, upper, count: *count })
        .collect()
}

/// The bucket of index `i` reaches from `base^i` to `base^(i + 1)`, with `base = 2^(2^-scale)`.
fn exponential(scale: i32, zero_count: u64, positive: &Buckets, negative: &Buckets) -> Vec<Bucket> {
    let boundary = |index: i64| {
        #[expect(clippy::cast_precision_loss, reason = "indices of buckets are far smaller")]
        let index = index as f64;
        (index * (-f64::from(scale)).exp2()).exp2()
    };
    let numbered = |buckets: &Buckets| -> Vec<(i64, u64)> {
        (i64::from(buckets.offset)..).zip(buckets.counts.iter().copied()).collect()
    };
    let below = numbered(negative).into_iter().rev().map(|(index, count)| Bucket {
        lower: -boundary(index + 1),
        upper: -boundary(index),
        count,
    });
    let zero = (zero_count > 0).then_some(Bucket { lower: 0.0, upper: 0.0, count: zero_count });
    let above = numbered(positive).into_iter().map(|(index, count)| Bucket {
        lower: boundary(index),
        upper: boundary(index + 1),
        count,
    });
    below.chain(zero).chain(above).collect()
}

/// p50, p90, p95, p99 of a histogram; `None` without measurements.
pub(super) fn percentiles(point: &Point, buckets: &[Bucket]) -> Option<[f64; 4]> {
    let (min, max) = match point {
        Point::Histogram { min, max, .. } | Point::ExponentialHistogram { min, max, .. } => (*min, *max),
        Point::Gauge(_) | Point::Sum(_) => return None,
    };
    let total: f64 = buckets.iter().map(|bucket| count_to_f64(bucket.count)).sum();
    (total > 0.0).then(|| PERCENTILES.map(|part| percentile(buckets, part * total, min, max)))
}

/// The value below which `rank` measurements lie, taken as evenly spread within their bucket.
fn percentile(buckets: &[Bucket], rank: f64, min: Option<f64>, max: Option<f64>) -> f64 {
    let mut before = 0.0;
    let filled = buckets.iter().filter(|bucket| bucket.count > 0);
    let mut value = f64::NAN;
    for bucket in filled {
        let count = count_to_f64(bucket.count);
        let part = ((rank - before) / count).clamp(0.0, 1.0);
        value = within(bucket, part, min, max);
        before += count;
        if before >= rank {
            break;
        }
    }
    value
}

/// A value within a bucket. Where the bucket has no end, the smallest and the largest measurement bound it; without
/// those, its other end stands for all of it.
fn within(bucket: &Bucket, part: f64, min: Option<f64>, max: Option<f64>) -> f64 {
    let known = |bound: Option<f64>| bound.filter(|bound| bound.is_finite());
    let (mut lower, mut upper) = (bucket.lower, bucket.upper);
    if let Some(min) = known(min).filter(|min| *min > lower && *min <= upper) {
        lower = min;
    }
    if let Some(max) = known(max).filter(|max| *max < upper && *max >= lower) {
        upper = max;
    }
    match (lower.is_finite(), upper.is_finite()) {
        (true, true) => lower + (upper - lower) * part,
        (true, false) => lower,
        (false, true) => upper,
        (false, false) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn histogram(counts: &[u64], min: Option<f64>, max: Option<f64>) -> Point {
        let count = counts.iter().sum();
        Point::Histogram { count, sum: 0.0, min, max, bucket_counts: counts.to_vec() }
    }

    fn close(found: [f64; 4], expected: [f64; 4]) {
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }

    #[test]
    fn explicit_buckets_reach_from_boundary_to_boundary() {
        let found = buckets(&samples::histogram());
        let infinity = f64::INFINITY;
        let expected = [(-infinity, 0.5, 2), (0.5, 5.0, 0), (5.0, infinity, 1)];
        assert_eq!(found, expected.map(|(lower, upper, count)| Bucket { lower, upper, count }));
        assert_eq!(buckets(&samples::gauge(1.0)), []);
    }

    #[test]
    fn exponential_buckets_are_powers_of_their_base() {
        let positive = Buckets { offset: -1, counts: vec![1, 2] };
        let negative = Buckets { offset: 1, counts: vec![3, 4] };
        let found = exponential(0, 5, &positive, &negative);
        let expected = [(-8.0, -4.0, 4), (-4.0, -2.0, 3), (0.0, 0.0, 5), (0.5, 1.0, 1), (1.0, 2.0, 2)];
        assert_eq!(found, expected.map(|(lower, upper, count)| Bucket { lower, upper, count }));
        // Scale 1: the base is the root of 2; scale -1: it is 4.
        let found = exponential(1, 0, &Buckets { offset: 2, counts: vec![1] }, &Buckets::default());
        assert!((found[0].lower - 2.0).abs() < 1e-12 && (found[0].upper - 8.0_f64.sqrt()).abs() < 1e-12);
        let found = exponential(-1, 0, &Buckets { offset: 1, counts: vec![1] }, &Buckets::default());
        assert_eq!((found[0].lower, found[0].upper), (4.0, 16.0));
    }

    #[test]
    fn percentiles_lie_evenly_in_their_bucket() {
        let bounds = [0.0, 10.0, 20.0];
        let point = histogram(&[0, 50, 50, 0], Some(0.0), Some(20.0));
        let found = percentiles(&point, &explicit(&bounds, &[0, 50, 50, 0])).unwrap();
        close(found, [10.0, 18.0, 19.0, 19.8]);
    }

    #[test]
    fn open_buckets_end_at_the_extremes_or_at_their_boundary() {
        let bounds = [10.0];
        let point = histogram(&[0, 100], Some(10.0), Some(110.0));
        close(percentiles(&point, &explicit(&bounds, &[0, 100])).unwrap(), [60.0, 100.0, 105.0, 109.0]);
        let point = histogram(&[0, 100], None, None);
        close(percentiles(&point, &explicit(&bounds, &[0, 100])).unwrap(), [10.0; 4]);
        let point = histogram(&[100, 0], None, Some(f64::NAN));
        close(percentiles(&point, &explicit(&bounds, &[100, 0])).unwrap(), [10.0; 4]);
    }

    #[test]
    fn nothing_measured_has_no_percentiles_and_one_value_is_all_of_them() {
        let point = histogram(&[0, 0], None, None);
        assert_eq!(percentiles(&point, &explicit(&[1.0], &[0, 0])), None);
        assert_eq!(percentiles(&samples::gauge(1.0).point, &[]), None);
        let point = histogram(&[1, 0], Some(0.5), Some(0.5));
        close(percentiles(&point, &explicit(&[1.0], &[1, 0])).unwrap(), [0.5; 4]);
    }

    #[test]
    fn the_largest_counts_do_no_harm() {
        let counts = [u64::MAX, u64::MAX];
        let point = Point::Histogram {
            count: u64::MAX,
            sum: f64::NAN,
            min: Some(f64::NEG_INFINITY),
            max: Some(f64::INFINITY),
            bucket_counts: counts.to_vec(),
        };
        assert!(percentiles(&point, &explicit(&[1.0], &counts)).is_some());
        let far = Buckets { offset: i32::MAX, counts: vec![1, 1] };
        let found = exponential(-10, 0, &far, &Buckets { offset: i32::MIN, counts: vec![1] });
        assert_eq!(found.len(), 3);
    }
}
