//! Cells against plain models, and as a kill after every single store would leave them.

use super::*;
use crate::telemetry::Temporality::Cumulative;
use otlp_mmap_format::unseal;
use proptest::prelude::*;
use std::cell::RefCell;

const AT: usize = 4096;

thread_local! {
    static ON_STEP: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Called after every store into a latched cell.
pub(super) fn step() {
    ON_STEP.with_borrow_mut(|on_step| {
        if let Some(on_step) = on_step {
            on_step();
        }
    });
}

/// A series alone in a file.
pub(crate) struct Lab {
    mapping: Mapping,
    aggregator: Aggregator,
    cell: Cell,
}

impl Lab {
    pub(crate) fn new(aggregation: &Aggregation<'_>) -> Self {
        let aggregator = Aggregator::new(aggregation).unwrap();
        let length = AT + aggregator.series_size();
        let file = tempfile::tempfile().unwrap();
        file.set_len(length as u64).unwrap();
        let mapping = Mapping::new(&file, length).unwrap();
        let cell = Cell::new(AT, &aggregator);
        Self { mapping, aggregator, cell }
    }

    pub(crate) fn record(&self, time: u64, value: Number) -> Result<(), Error> {
        self.cell.record(&self.mapping, &self.aggregator, time, value)
    }

    fn store_total(&self, time: u64, total: Number) -> Result<(), Error> {
        self.cell.store_total(&self.mapping, &self.aggregator, time, total)
    }

    /// Records although the machine may be so busy that others keep the cell for longer than a call waits.
    fn record_in_the_end(&self, time: u64, value: Number) {
        while let Err(error) = self.record(time, value) {
            assert!(matches!(error, Error::Busy), "{error}");
        }
    }

    /// Version and words of the current copy (of a sum: its cell), as a reader gets them.
    pub(crate) fn read(&self) -> (u64, Vec<u64>) {
        loop {
            let stored = self.mapping.word(AT + VERSION).load(Ordering::Acquire);
            let version = unseal(stored).unwrap();
            let size = self.aggregator.copy_size();
            let start = AT + SeriesHeader::SIZE + usize::from(version & 1 == 1) * size;
            let words =
                self.mapping.words(start, size / 8).iter().map(|word| word.load(Ordering::Relaxed)).collect();
            fence(Ordering::Acquire);
            if self.mapping.word(AT + VERSION).load(Ordering::Relaxed) == stored {
                return (version, words);
            }
        }
    }
}

pub(crate) fn exponential(max_buckets: u32, max_scale: i32) -> Aggregation<'static> {
    Aggregation::ExponentialHistogram { temporality: Cumulative, max_buckets, max_scale }
}

const GAUGE: Aggregation<'static> = Aggregation::Gauge;
const SUM: Aggregation<'static> = Aggregation::Sum { temporality: Cumulative, is_monotonic: false };
const BOUNDARIES: [f64; 4] = [-1.0, 0.0, 5.0, 1e300];
const HISTOGRAM: Aggregation<'static> =
    Aggregation::Histogram { temporality: Cumulative, boundaries: &BOUNDARIES };

/// Finite doubles of every size, with the extremes and the boundaries often among them.
pub(crate) fn any_finite() -> impl Strategy<Value = f64> {
    let special =
        [0.0, -0.0, 1.0, -1.0, 5.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e300, 2.0, 0.5];
    prop_oneof![
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        proptest::sample::select(special.to_vec()),
        -10.0..10.0,
    ]
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-9_i64..9).prop_map(Number::Int),
        any_finite().prop_map(Number::Double)
    ]
}

#[allow(clippy::cast_precision_loss)]
fn as_double(number: Number) -> f64 {
    match number {
        Number::Int(number) => number as f64,
        Number::Double(number) => number,
    }
}

/// The words of a histogram's copy after these measurements, at times 1, 2, ...
fn histogram_model(values: &[Number]) -> Vec<u64> {
    let mut copy = vec![0; Lab::new(&HISTOGRAM).aggregator.copy_size() / 8];
    let (mut sum, mut min, mut max) = (0.0, as_double(values[0]), as_double(values[0]));
    for value in values.iter().copied().map(as_double) {
        (sum, min, max) = (sum + value, min.min(value), max.max(value));
        let bucket = BOUNDARIES.iter().position(|boundary| value <= *boundary).unwrap_or(BOUNDARIES.len());
        copy[HistogramCopy::SIZE / 8 + bucket] += 1;
    }
    (copy[TIME], copy[super::SUM]) = (values.len() as u64, sum.to_bits());
    (copy[MIN], copy[MAX]) = (min.to_bits(), max.to_bits());
    copy
}

proptest! {
    #[test]
    fn a_gauge_has_its_last_value(values in prop::collection::vec(prop_oneof![
        any::<i64>().prop_map(Number::Int), any::<f64>().prop_map(Number::Double)], 1..9))
    {
        let lab = Lab::new(&GAUGE);
        for (time, value) in (5..).zip(&values) {
            lab.record(time, *value).unwrap();
            let expected = match *value {
                Number::Int(number) => [time, number.cast_unsigned(), VALUE_INT, 0],
                Number::Double(number) => [time, number.to_bits(), VALUE_DOUBLE, 0],
            };
            prop_assert_eq!(lab.read().1, expected);
        }
        prop_assert_eq!(lab.read().0, values.len() as u64);
    }

    #[test]
    fn a_sum_adds_integers_exactly_and_doubles_in_order(values in prop::collection::vec(any_number(), 1..40)) {
        let lab = Lab::new(&SUM);
        let (mut int, mut double, mut seen) = (0_i64, 0.0_f64, 0);
        for value in &values {
            lab.record(7, *value).unwrap();
            match *value {
                Number::Int(number) => {
                    seen |= VALUE_INT;
                    if let Some(sum) = int.checked_add(number) {
                        int = sum;
                    } else {
                        double += as_double(*value);
                        seen |= VALUE_DOUBLE;
                    }
                }
                Number::Double(number) => { double += number; seen |= VALUE_DOUBLE; }
            }
            prop_assert_eq!(&lab.read().1[..4], &[int.cast_unsigned(), double.to_bits(), seen, 7]);
        }
    }

    #[test]
    fn a_histogram_is_its_model(values in prop::collection::vec(any_number(), 1..40)) {
        let lab = Lab::new(&HISTOGRAM);
        for (at, value) in values.iter().enumerate() {
            lab.record(at as u64 + 1, *value).unwrap();
            let (version, words) = lab.read();
            prop_assert_eq!(version, at as u64 + 1);
            let model = histogram_model(&values[..=at]);
            // Zeros of either sign are equal minima and maxima.
            let double = |word: u64| f64::from_bits(word) + 0.0;
            prop_assert_eq!((double(words[MIN]), double(words[MAX])), (double(model[MIN]), double(model[MAX])));
            prop_assert_eq!((words[TIME], words[super::SUM], &words[4..]), (model[TIME], model[super::SUM], &model[4..]));
        }
    }

    #[test]
    fn a_kill_after_any_store_leaves_the_state_before_or_after(
        aggregation in prop_oneof![Just(GAUGE), Just(HISTOGRAM), Just(exponential(3, 20)), Just(exponential(20, 2))],
        values in prop::collection::vec(any_finite(), 1..25),
    ) {
        // What each measurement leads to, from a run that nobody disturbs.
        let undisturbed = Lab::new(&aggregation);
        let mut states = vec![undisturbed.read()];
        for value in &values {
            undisturbed.record(1, Number::Double(*value)).unwrap();
            states.push(undisturbed.read());
        }
        let lab = std::rc::Rc::new(Lab::new(&aggregation));
        for (at, value) in values.iter().enumerate() {
            let (before, after) = (states[at].clone(), states[at + 1].clone());
            let (seen, steps) = (std::rc::Rc::clone(&lab), std::rc::Rc::new(RefCell::new(Vec::new())));
            let log = std::rc::Rc::clone(&steps);
            ON_STEP.set(Some(Box::new(move || log.borrow_mut().push(seen.read()))));
            lab.record(1, Number::Double(*value)).unwrap();
            ON_STEP.set(None);
            let mut steps = steps.take();
            prop_assert_eq!(steps.pop(), Some(after));
            prop_assert!(steps.len() >= 3);
            prop_assert!(steps.iter().all(|state| *state == before));
        }
    }
}

#[test]
fn an_integer_overflow_goes_to_the_doubles() {
    let lab = Lab::new(&SUM);
    for number in [i64::MAX, 1, 2, i64::MIN, -1] {
        lab.record(1, Number::Int(number)).unwrap();
    }
    // MAX, then +1 and +2 as doubles, then -1, then -2.
    let expected = [(-2_i64).cast_unsigned(), 3.0_f64.to_bits(), VALUE_INT | VALUE_DOUBLE];
    assert_eq!(lab.read().1[..3], expected);
    let lab = Lab::new(&SUM);
    lab.record(1, Number::Int(i64::MIN)).unwrap();
    lab.record(1, Number::Int(i64::MIN)).unwrap();
    assert_eq!(lab.read().1[..2], [i64::MIN.cast_unsigned(), (-(2_f64.powi(63))).to_bits()]);
}

#[test]
fn what_cannot_be_aggregated_is_refused_and_changes_nothing() {
    for aggregation in [SUM, HISTOGRAM, exponential(10, 20)] {
        let lab = Lab::new(&aggregation);
        let before = lab.read();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = lab.record(1, Number::Double(value)).unwrap_err();
            assert!(matches!(error, Error::Invalid { argument: "value", .. }), "{error}");
        }
        assert_eq!(lab.read(), before);
    }
    let lab = Lab::new(&Aggregation::Sum { temporality: Cumulative, is_monotonic: true });
    for value in [Number::Int(-1), Number::Double(-0.1), Number::Double(f64::NAN)] {
        assert!(matches!(lab.record(1, value), Err(Error::Invalid { argument: "value", .. })));
    }
    assert_eq!(lab.read().1, [0; 8]);
    lab.record(1, Number::Double(-0.0)).unwrap();
    lab.record(1, Number::Int(0)).unwrap();
}

/// What a reader makes of the cell of a sum (SPEC "Sums").
fn sum_of(words: &[u64]) -> Number {
    let (int, double) = (words[INT_VALUE].cast_signed(), f64::from_bits(words[DOUBLE_BITS]));
    match words[SEEN] {
        VALUE_INT => Number::Int(int),
        VALUE_DOUBLE => Number::Double(double),
        _ => Number::Double(as_double(Number::Int(int)) + double),
    }
}

proptest! {
    #[test]
    fn a_sum_is_the_total_observed_last(totals in proptest::collection::vec(any_number(), 1..20)) {
        let lab = Lab::new(&SUM);
        // The largest integer that may be a part of the sum limits how exact a double can be.
        let mut largest = 0.0_f64;
        for (time, total) in (1..).zip(&totals) {
            lab.store_total(time, *total).unwrap();
            let (_, words) = lab.read();
            let (found, expected) = (sum_of(&words), as_double(*total));
            prop_assert_eq!(words[SUM_TIME], time);
            match (totals[..usize::try_from(time).unwrap()].iter().all(|n| matches!(n, Number::Int(_))), found) {
                (true, found) => prop_assert_eq!(found, *total),
                (false, found) => {
                    let error = (as_double(found) - expected).abs();
                    largest = largest.max(expected.abs().min(9.3e18));
                    prop_assert!(error <= largest * f64::EPSILON + expected.abs() * f64::EPSILON, "{:?}", found);
                }
            }
            largest = if let Number::Int(_) = total { largest.max(expected.abs()) } else { largest };
        }
    }
}

#[test]
fn totals_that_were_integers_go_on_as_doubles() {
    let lab = Lab::new(&SUM);
    for (total, found) in [
        (Number::Int(0), Number::Int(0)),
        (Number::Int(7), Number::Int(7)),
        (Number::Double(7.25), Number::Double(7.25)),
        (Number::Double(0.5), Number::Double(0.5)),
        (Number::Int(9), Number::Double(9.0)),
        (Number::Double(-3.0), Number::Double(-3.0)),
    ] {
        lab.store_total(1, total).unwrap();
        assert_eq!(sum_of(&lab.read().1), found);
    }
}

#[test]
fn only_a_sum_has_a_total() {
    for aggregation in [GAUGE, HISTOGRAM, exponential(10, 20)] {
        let lab = Lab::new(&aggregation);
        let before = lab.read();
        assert!(matches!(lab.store_total(1, Number::Int(1)), Err(Error::Invalid { argument: "series", .. })));
        assert_eq!(lab.read(), before);
    }
    let lab = Lab::new(&Aggregation::Sum { temporality: Cumulative, is_monotonic: true });
    for total in [Number::Int(-1), Number::Double(f64::NAN), Number::Double(f64::INFINITY)] {
        assert!(matches!(lab.store_total(1, total), Err(Error::Invalid { argument: "value", .. })));
    }
    assert_eq!(lab.read().1, [0; 8]);
}

#[test]
fn definitions_are_checked() {
    let histogram =
        |boundaries: &[f64]| Aggregator::new(&Aggregation::Histogram { temporality: Cumulative, boundaries });
    assert_eq!(histogram(&[]).unwrap().kind(), (SeriesKind::Histogram, 1));
    assert_eq!(histogram(&[1.0, 2.0]).unwrap().kind(), (SeriesKind::Histogram, 3));
    let many: Vec<f64> = (0..16_385).map(f64::from).collect();
    assert!(histogram(&many[1..]).is_ok());
    for wrong in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[0.0, f64::INFINITY], &many] {
        assert!(matches!(histogram(wrong), Err(Error::Invalid { argument: "bucket_boundaries", .. })));
    }
    for (max_buckets, max_scale) in [(2, -10), (16_384, 20)] {
        assert!(Aggregator::new(&exponential(max_buckets, max_scale)).is_ok());
    }
    for max_buckets in [0, 1, 16_385] {
        let error = Aggregator::new(&exponential(max_buckets, 20)).unwrap_err();
        assert!(matches!(error, Error::Invalid { argument: "max_buckets", .. }));
    }
    for max_scale in [-11, 21] {
        let error = Aggregator::new(&exponential(160, max_scale)).unwrap_err();
        assert!(matches!(error, Error::Invalid { argument: "max_scale", .. }));
    }
}

#[test]
fn threads_lose_nothing() {
    const EACH: u32 = 20_000;
    for aggregation in [SUM, HISTOGRAM, exponential(160, 20)] {
        let lab = Lab::new(&aggregation);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let lab = &lab;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let value = if thread % 2 == 0 { Number::Int(1) } else { Number::Double(0.5) };
                        lab.record_in_the_end(number.into(), value);
                    }
                });
            }
        });
        let (version, words) = lab.read();
        let (ones, halves) = (u64::from(2 * EACH), f64::from(EACH).to_bits());
        match lab.aggregator.kind().0 {
            SeriesKind::Sum => assert_eq!(words[..3], [ones, halves, 3]),
            kind => {
                let first = if kind == SeriesKind::Histogram { 4 } else { 8 };
                assert_eq!(words[first..].iter().sum::<u64>(), u64::from(4 * EACH));
                assert_eq!(words[super::SUM], f64::from(3 * EACH).to_bits());
                assert_eq!(version, u64::from(4 * EACH));
            }
        }
    }
}

#[test]
fn integers_that_race_past_the_half_stay_exact() {
    let lab = Lab::new(&SUM);
    let near = i64::MAX - 4 * 1000 * (1 << 41) + 1;
    lab.record(1, Number::Int(near)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| lab.record_in_the_end(1, Number::Int(1 << 41))));
        }
    });
    // The last one found no room.
    assert_eq!(lab.read().1[..2], [(i64::MAX - (1 << 41) + 1).cast_unsigned(), 2_f64.powi(41).to_bits()]);
}

#[test]
fn a_reader_beside_a_writer_sees_whole_states() {
    let lab = Lab::new(&HISTOGRAM);
    let done = crate::sync::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..200_000).for_each(|_| lab.record_in_the_end(1, Number::Double(3.0)));
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let (version, words) = lab.read();
            assert_eq!(words[4..].iter().sum::<u64>(), version);
            #[allow(clippy::cast_precision_loss)]
            let sum = version as f64 * 3.0;
            assert_eq!(words[super::SUM], sum.to_bits());
        }
    });
}
