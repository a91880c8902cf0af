//! Metric cells: a value of every kind, and what is refused.

use otlp_mmap_format::{
    ExponentialCopy, GaugeCopy, HistogramCopy, ItemTag, MeasurementBody, MetricStreamBody, SeriesKind,
    SumCell, U32, U64, VALUE_DOUBLE, VALUE_INT, seal,
};
use otlp_mmap_reader::model::{Buckets, Number, Point, Series};
use otlp_mmap_reader::{MAX_EXEMPLARS, Report, Rule};
use zerocopy::IntoBytes;

use crate::observer::rules;
use crate::support::{CELLS_AT, Image, TRACE, item};

pub(crate) fn stream(image: &mut Image, aggregation: u32) -> u32 {
    let body = MetricStreamBody {
        scope_ref: U32::ZERO,
        aggregation: U32::new(aggregation),
        temporality: U32::new(2),
        is_monotonic: U32::new(u32::from(aggregation == 2)),
        max_buckets: U32::new(if aggregation == 4 { 4 } else { 0 }),
        max_scale: 20.into(),
    };
    let boundaries = [1.0_f64.to_le_bytes(), 1e22_f64.to_le_bytes()].concat();
    let items = if aggregation == 3 { item(ItemTag::Boundaries.code(), 0, &boundaries) } else { Vec::new() };
    image.stream(body, &items)
}

pub(crate) fn sum(int: i64, double: f64, seen: u64) -> SumCell {
    SumCell {
        int_value: U64::new(int.cast_unsigned()),
        double_bits: U64::new(double.to_bits()),
        seen: U64::new(seen),
        time_unix_nano: U64::new(9),
        reserved: [U64::ZERO; 4],
    }
}

fn series(image: &Image) -> (Vec<Series>, Report) {
    let mut report = Report::default();
    let series = image.open().series(&mut report).unwrap();
    (series, report)
}

fn only_point(image: &Image) -> Point {
    let (mut series, report) = series(image);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].start_time_unix_nano, series[0].time_unix_nano), (1, 9));
    series.remove(0).point
}

#[test]
fn a_sum_is_an_integer_until_a_double_is_added() {
    for (cell, expected) in [
        (sum(-5, 0.0, VALUE_INT), Number::Int(-5)),
        (sum(0, 2.5, VALUE_DOUBLE), Number::Double(2.5)),
        (sum(i64::MAX, 0.5, VALUE_INT | VALUE_DOUBLE), Number::Double(i64::MAX as f64)),
        (sum(-3, 0.5, VALUE_INT | VALUE_DOUBLE), Number::Double(-2.5)),
    ] {
        let mut image = Image::new();
        let stream = stream(&mut image, 2);
        image.series(SeriesKind::Sum, stream, 0, 0, cell.as_bytes());
        assert_eq!(only_point(&image), Point::Sum(expected));
    }
}

#[test]
fn a_series_without_a_measurement_is_not_reported() {
    let mut image = Image::new();
    let (sums, gauges) = (stream(&mut image, 2), stream(&mut image, 1));
    image.series(SeriesKind::Sum, sums, 0, 0, sum(0, 0.0, 0).as_bytes());
    let at = image.series(SeriesKind::Gauge, gauges, 0, 0, &[]);
    image.put(at + 32, &U64::ZERO);
    let (series, report) = series(&image);
    assert!(series.is_empty() && report.is_clean());
}

#[test]
fn the_current_copy_of_a_gauge_is_read() {
    let copy = |value: i64| GaugeCopy {
        time_unix_nano: U64::new(9),
        value_bits: U64::new(value.cast_unsigned()),
        value_type: U64::new(VALUE_INT),
        reserved: U64::ZERO,
    };
    for version in [1_u64, 2, 3] {
        let mut image = Image::new();
        let stream = stream(&mut image, 1);
        let cell = [copy(-10).as_bytes(), copy(-11).as_bytes()].concat();
        let at = image.series(SeriesKind::Gauge, stream, 0, 0, &cell);
        image.put(at + 32, &U64::new(seal(version)));
        assert_eq!(only_point(&image), Point::Gauge(Number::Int(-10 - (version & 1).cast_signed())));
    }
}

#[test]
fn a_gauge_of_an_unknown_type_is_a_fault() {
    let mut image = Image::new();
    let stream = stream(&mut image, 1);
    image.series(SeriesKind::Gauge, stream, 0, 0, &[7; 64]);
    let (found, report) = series(&image);
    assert!(found.is_empty());
    assert_eq!(rules(&report), [Rule::SeriesState]);
}

pub(crate) fn histogram_cell(counts: [u64; 3]) -> Vec<u8> {
    let head = HistogramCopy {
        time_unix_nano: U64::new(9),
        sum_bits: U64::new(7.5_f64.to_bits()),
        min_bits: U64::new(0.5_f64.to_bits()),
        max_bits: U64::new(4.0_f64.to_bits()),
    };
    [head.as_bytes(), counts.map(U64::new).as_bytes()].concat()
}

#[test]
fn a_histogram_counts_its_buckets() {
    let mut image = Image::new();
    let stream = stream(&mut image, 3);
    image.series(SeriesKind::Histogram, stream, 0, 3, &histogram_cell([1, 2, 3]));
    let expected =
        Point::Histogram { count: 6, sum: 7.5, min: Some(0.5), max: Some(4.0), bucket_counts: vec![1, 2, 3] };
    assert_eq!(only_point(&image), expected);
}

#[test]
fn an_empty_histogram_has_no_extremes_and_a_huge_one_does_not_overflow() {
    for (counts, expected) in [([0, 0, 0], 0), ([u64::MAX, 1, u64::MAX], u64::MAX)] {
        let mut image = Image::new();
        let stream = stream(&mut image, 3);
        image.series(SeriesKind::Histogram, stream, 0, 3, &histogram_cell(counts));
        let Point::Histogram { count, min, max, .. } = only_point(&image) else { panic!() };
        assert_eq!((count, min.is_some(), max.is_some()), (expected, expected != 0, expected != 0));
    }
}

pub(crate) fn exponential_cell(positive: u32, negative: u32) -> Vec<u8> {
    let head = ExponentialCopy {
        time_unix_nano: U64::new(9),
        sum_bits: U64::new(3.0_f64.to_bits()),
        min_bits: U64::new((-1.0_f64).to_bits()),
        max_bits: U64::new(4.0_f64.to_bits()),
        zero_count: U64::new(5),
        scale: (-2).into(),
        positive_offset: (-7).into(),
        negative_offset: 3.into(),
        positive_length: U32::new(positive),
        negative_length: U32::new(negative),
        reserved: U32::ZERO,
    };
    let counts = [1, 2, 3, 4, 10, 20, 30, 40].map(U64::new);
    [head.as_bytes(), counts.as_bytes()].concat()
}

#[test]
fn an_exponential_histogram_has_buckets_of_both_signs() {
    let mut image = Image::new();
    let stream = stream(&mut image, 4);
    image.series(SeriesKind::ExponentialHistogram, stream, 0, 4, &exponential_cell(3, 1));
    let expected = Point::ExponentialHistogram {
        count: 21,
        sum: 3.0,
        min: Some(-1.0),
        max: Some(4.0),
        scale: -2,
        zero_count: 5,
        positive: Buckets { offset: -7, counts: vec![1, 2, 3] },
        negative: Buckets { offset: 3, counts: vec![10] },
    };
    assert_eq!(only_point(&image), expected);
}

#[test]
fn more_buckets_than_there_are_is_a_fault() {
    for (positive, negative) in [(5, 0), (0, 5), (u32::MAX, u32::MAX)] {
        let mut image = Image::new();
        let stream = stream(&mut image, 4);
        let cell = exponential_cell(positive, negative);
        image.series(SeriesKind::ExponentialHistogram, stream, 0, 4, &cell);
        let (found, report) = series(&image);
        assert!(found.is_empty());
        assert_eq!(rules(&report), [Rule::SeriesState]);
    }
}

#[test]
fn reading_goes_on_behind_a_damaged_series() {
    for byte in 0..32 {
        let mut image = Image::new();
        let (sums, histograms) = (stream(&mut image, 2), stream(&mut image, 3));
        let at = image.series(SeriesKind::Histogram, histograms, 0, 3, &histogram_cell([1, 2, 3]));
        image.series(SeriesKind::Sum, sums, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
        image.bytes[at + byte] ^= 1;
        let (found, report) = series(&image);
        assert_eq!(found.len(), 1, "byte {byte}");
        assert_eq!(rules(&report), [Rule::SeriesHeader], "byte {byte}");
        assert_eq!(report.faults[0].offset, at as u64);
    }
}

#[test]
fn the_published_length_is_checked() {
    for committed in [65, 1 << 20, (1 << 56) - 1] {
        let mut image = Image::new();
        let stream = stream(&mut image, 2);
        image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
        image.put(CELLS_AT, &U64::new(seal(committed)));
        assert!(rules(&series(&image).1).contains(&Rule::Committed), "{committed}");
    }
}

#[test]
fn a_series_must_fit_its_stream() {
    let mut image = Image::new();
    let (gauges, histograms) = (stream(&mut image, 1), stream(&mut image, 3));
    image.series(SeriesKind::Sum, gauges, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    image.series(SeriesKind::Histogram, histograms, 0, 2, &histogram_cell([1, 2, 3]));
    let (found, report) = series(&image);
    assert!(found.is_empty());
    assert_eq!(rules(&report), [Rule::SeriesState; 2]);
}

#[test]
fn a_series_without_its_stream_is_left_out_and_one_without_its_attributes_is_not() {
    let mut image = Image::new();
    let sums = stream(&mut image, 2);
    image.series(SeriesKind::Histogram, 9999, 0, 3, &histogram_cell([1, 2, 3]));
    image.series(SeriesKind::Sum, sums, 8888, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    let (found, report) = series(&image);
    assert_eq!((found.len(), found[0].series), (1, (sums, 8888)));
    assert!(found[0].attributes.is_empty());
    assert_eq!(rules(&report), [Rule::Reference; 2]);
}

#[test]
fn a_second_series_of_the_same_identity_is_a_fault() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    for value in [1, 2] {
        image.series(SeriesKind::Sum, stream, 0, 0, sum(value, 0.0, VALUE_INT).as_bytes());
    }
    let (found, report) = series(&image);
    assert_eq!((found.len(), &found[0].point), (1, &Point::Sum(Number::Int(1))));
    assert_eq!(rules(&report), [Rule::SeriesState]);
}

#[test]
fn a_series_of_an_unknown_kind_is_skipped_by_its_size() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    let at = image.series(SeriesKind::Histogram, stream, 7, 3, &[]);
    image.put(at + 4, &[99_u8]);
    let crc = crc32c::crc32c(&image.bytes[at..at + 28]);
    image.put(at + 28, &U32::new(crc));
    image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    let (found, report) = series(&image);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(found.len(), 1);
}

#[test]
fn a_value_without_a_time_has_the_time_of_reading() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    let cell = SumCell { time_unix_nano: U64::ZERO, ..sum(1, 0.0, VALUE_INT) };
    image.series(SeriesKind::Sum, stream, 0, 0, cell.as_bytes());
    assert!(series(&image).0[0].time_unix_nano > 1_600_000_000_000_000_000);
}

#[test]
fn a_scale_out_of_range_is_a_fault() {
    for scale in [-11_i32, 21, i32::MIN] {
        let mut image = Image::new();
        let stream = stream(&mut image, 4);
        let mut cell = exponential_cell(1, 1);
        cell[40..44].copy_from_slice(&scale.to_le_bytes());
        image.series(SeriesKind::ExponentialHistogram, stream, 0, 4, &cell);
        assert_eq!(rules(&series(&image).1), [Rule::SeriesState]);
    }
}

#[test]
fn the_latest_exemplars_are_attached_oldest_first() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    let body = |reference: u32, flags: u32| MeasurementBody {
        trace_id: TRACE,
        span_id: [1; 8],
        stream_ref: U32::new(reference),
        attributes_ref: U32::ZERO,
        value_bits: U64::new(4),
        flags: U32::new(flags),
        reserved: U32::ZERO,
    };
    for time in 0..20 {
        image.measurement(time % 2, u64::from(time), body(stream, 0));
    }
    image.measurement(0, 99, body(stream, 2));
    let snapshot = image.open().snapshot().unwrap();
    let times: Vec<_> = snapshot.series[0].exemplars.iter().map(|exemplar| exemplar.time_unix_nano).collect();
    assert_eq!(times, (20 - MAX_EXEMPLARS as u64..20).collect::<Vec<_>>());
    assert_eq!(snapshot.measurements.len(), 21);
}

/// A stream with one histogram series of so many buckets.
fn histogram_of(image: &mut Image, boundaries: &[f64], buckets: u32) {
    let bytes: Vec<u8> = boundaries.iter().flat_map(|boundary| boundary.to_le_bytes()).collect();
    let body = MetricStreamBody {
        scope_ref: U32::ZERO,
        aggregation: U32::new(3),
        temporality: U32::new(2),
        is_monotonic: U32::ZERO,
        max_buckets: U32::ZERO,
        max_scale: 0.into(),
    };
    let stream = image.stream(body, &item(ItemTag::Boundaries.code(), 0, &bytes));
    image.series(SeriesKind::Histogram, stream, 0, buckets, &[]);
}

#[test]
fn boundaries_that_are_no_boundaries_are_not_handed_on() {
    for boundaries in [[2.0, 1.0], [1.0, f64::NAN], [1.0, f64::INFINITY], [1.0, 1.0]] {
        let mut image = Image::new();
        histogram_of(&mut image, &boundaries, 3);
        let (found, report) = series(&image);
        assert!(found.is_empty(), "{boundaries:?}");
        assert_eq!(rules(&report), [Rule::ItemPayload, Rule::SeriesState], "{boundaries:?}");
    }
    let mut image = Image::new();
    histogram_of(&mut image, &[1.0, 2.0], 3);
    assert_eq!(series(&image).0.len(), 1);
}

#[test]
fn an_aggregation_of_a_later_version_is_left_out_without_a_fault() {
    let mut image = Image::new();
    let stream = stream(&mut image, 5);
    image.series(SeriesKind::Sum, stream, 0, 0, sum(1, 0.0, VALUE_INT).as_bytes());
    let body = MeasurementBody {
        trace_id: TRACE,
        span_id: [1; 8],
        stream_ref: U32::new(stream),
        attributes_ref: U32::ZERO,
        value_bits: U64::ZERO,
        flags: U32::ZERO,
        reserved: U32::ZERO,
    };
    image.measurement(0, 8, body);
    let snapshot = image.open().snapshot().unwrap();
    assert_eq!((snapshot.series.len(), snapshot.measurements.len()), (0, 0));
    assert!(snapshot.report.is_clean(), "{:?}", snapshot.report);
    let report = image.open().verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_damaged_version_of_a_sum_is_a_fault_and_the_sum_is_read() {
    let mut image = Image::new();
    let stream = stream(&mut image, 2);
    let at = image.series(SeriesKind::Sum, stream, 0, 0, sum(5, 0.0, VALUE_INT).as_bytes());
    image.bytes[at + 33] ^= 1;
    let (found, report) = series(&image);
    assert_eq!((found.len(), rules(&report)), (1, vec![Rule::SeriesState]));
    assert_eq!(report.faults[0].offset, at as u64);
}
