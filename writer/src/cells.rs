//! Cells: aggregation in place, on the mapped state of one series (SPEC "Metric cells").
//!
//! HOT. Promise: recording allocates nothing, panics on no number, takes a bounded number of steps and makes no
//! system call (but for the bounded wait when several threads record into one latched series). What cannot be
//! recorded is an error, and then nothing was.
//!
//! A sum is added to atomically, or replaced by a total that was observed. The other kinds lie twice behind a latch: the copy that is not current and one
//! measurement behind is brought up by repeating that measurement, then takes the new one, then one store makes
//! it current. Repeating gives the same bits, rescaling included, since each step depends on nothing but the
//! copy and the measurement. A kill at any instruction leaves the current copy whole.

use crate::error::Error;
use crate::exponential::{self, Shape};
use crate::mapping::Mapping;
use crate::sync::{AtomicU64, Ordering, TryLock, fence};
use crate::telemetry::{Aggregation, Number};
use otlp_mmap_format::{
    ExponentialCopy, GaugeCopy, HistogramCopy, SeriesHeader, SeriesKind, SumCell, VALUE_DOUBLE, VALUE_INT,
    seal, series_size,
};
use std::mem::offset_of;

const MAX_BUCKETS: u32 = 16_384;

/// Tries at an addition that other threads keep overtaking; each failure means that another one succeeded.
const TRIES: u32 = 1 << 16;
/// Below half of the range, small integers can be added without a check: Linux has at most 2^22 threads, and
/// 2^22 additions below 2^40 that all saw the same value stay within the other half.
const SMALL: u64 = 1 << 40;
const HALF: u64 = 1 << 62;

const VERSION: usize = offset_of!(SeriesHeader, version);
const INT_VALUE: usize = offset_of!(SumCell, int_value) / 8;
const DOUBLE_BITS: usize = offset_of!(SumCell, double_bits) / 8;
const SEEN: usize = offset_of!(SumCell, seen) / 8;
const SUM_TIME: usize = offset_of!(SumCell, time_unix_nano) / 8;

// Words that explicit and exponential histograms have in common.
const TIME: usize = offset_of!(HistogramCopy, time_unix_nano) / 8;
const SUM: usize = offset_of!(HistogramCopy, sum_bits) / 8;
const MIN: usize = offset_of!(HistogramCopy, min_bits) / 8;
const MAX: usize = offset_of!(HistogramCopy, max_bits) / 8;
const _: () = assert!(
    TIME == offset_of!(ExponentialCopy, time_unix_nano) / 8
        && SUM == offset_of!(ExponentialCopy, sum_bits) / 8
        && MIN == offset_of!(ExponentialCopy, min_bits) / 8
        && MAX == offset_of!(ExponentialCopy, max_bits) / 8
);

/// How the series of a stream aggregate: a checked [`Aggregation`].
#[derive(Debug, PartialEq)]
pub(crate) enum Aggregator {
    Gauge,
    Sum { is_monotonic: bool },
    Histogram { boundaries: Box<[f64]> },
    ExponentialHistogram { max_buckets: u32, max_scale: i32 },
}

impl Aggregator {
    /// Refuses a value that the aggregation has no place for.
    #[inline]
    pub(crate) fn check(&self, value: Number) -> Result<(), Error> {
        let is_negative = match (self, value) {
            (Self::Gauge, _) => false,
            (_, Number::Int(number)) => number < 0,
            (_, Number::Double(number)) => finite(number)? < 0.0,
        };
        if is_negative && matches!(self, Self::Sum { is_monotonic: true }) { Err(negative()) } else { Ok(()) }
    }

    /// Checks boundaries, bucket counts and scales against the limits of [`Aggregation`].
    pub(crate) fn new(aggregation: &Aggregation<'_>) -> Result<Self, Error> {
        match *aggregation {
            Aggregation::Gauge => Ok(Self::Gauge),
            Aggregation::Sum { is_monotonic, .. } => Ok(Self::Sum { is_monotonic }),
            Aggregation::Histogram { boundaries, .. } => {
                check_boundaries(boundaries)?;
                Ok(Self::Histogram { boundaries: boundaries.into() })
            }
            Aggregation::ExponentialHistogram { max_buckets, max_scale, .. } => {
                if !(2..=MAX_BUCKETS).contains(&max_buckets) {
                    let reason = format!("{max_buckets} is not between 2 and {MAX_BUCKETS}");
                    return Err(Error::invalid("max_buckets", reason));
                }
                if !(-10..=20).contains(&max_scale) {
                    return Err(Error::invalid(
                        "max_scale",
                        format!("{max_scale} is not between -10 and 20"),
                    ));
                }
                Ok(Self::ExponentialHistogram { max_buckets, max_scale })
            }
        }
    }

    /// Kind and capacity as `SeriesHeader` has them.
    pub(crate) fn kind(&self) -> (SeriesKind, u32) {
        match self {
            Self::Gauge => (SeriesKind::Gauge, 0),
            Self::Sum { .. } => (SeriesKind::Sum, 0),
            // At most 16,384 boundaries.
            Self::Histogram { boundaries } => {
                (SeriesKind::Histogram, u32::try_from(boundaries.len() + 1).unwrap_or(u32::MAX))
            }
            Self::ExponentialHistogram { max_buckets, .. } => {
                (SeriesKind::ExponentialHistogram, *max_buckets)
            }
        }
    }

    /// Size of a whole series in bytes.
    pub(crate) fn series_size(&self) -> usize {
        let (kind, capacity) = self.kind();
        bytes(series_size(kind, capacity))
    }

    #[inline]
    fn copy_size(&self) -> usize {
        let (kind, capacity) = self.kind();
        bytes(kind.copy_size(capacity))
    }
}

fn check_boundaries(boundaries: &[f64]) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::invalid("bucket_boundaries", reason));
    if boundaries.len() > MAX_BUCKETS as usize {
        return invalid(format!("{} of them, more than {MAX_BUCKETS}", boundaries.len()));
    }
    if let Some(boundary) = boundaries.iter().find(|boundary| !boundary.is_finite()) {
        return invalid(format!("{boundary} is not finite"));
    }
    match boundaries.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => invalid(format!("{} after {}: not strictly increasing", pair[1], pair[0])),
        None => Ok(()),
    }
}

/// The cell of a series: where it lies, and what the process knows of it privately.
pub(crate) struct Cell {
    /// Start of the series, its header, in bytes from the start of the file.
    at: usize,
    latch: TryLock<Latch>,
}

struct Latch {
    version: u64,
    /// The measurement that the copy which is not current lacks.
    behind: Option<Measurement>,
    /// Of an exponential histogram: what each copy's buckets stand for.
    shapes: [Shape; 2],
}

/// What is added to a copy of a histogram.
#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) time_unix_nano: u64,
    pub(crate) value: f64,
    /// The bucket it falls into; exponential: its index at the scale of the copy it is added to.
    pub(crate) bucket: i32,
    /// Whether it is the first of its series.
    pub(crate) is_first: bool,
}

impl Cell {
    /// The cell of a series whose header is at `at`; behind it is nothing yet but zeros.
    pub(crate) fn new(at: usize, aggregator: &Aggregator) -> Self {
        let shape = match *aggregator {
            Aggregator::ExponentialHistogram { max_buckets, max_scale } => {
                Shape::empty(max_scale, max_buckets)
            }
            _ => Shape::empty(0, 0),
        };
        Self { at, latch: TryLock::new(Latch { version: 0, behind: None, shapes: [shape; 2] }) }
    }

    /// Adds a measurement.
    #[inline]
    pub(crate) fn record(
        &self,
        mapping: &Mapping,
        aggregator: &Aggregator,
        time_unix_nano: u64,
        value: Number,
    ) -> Result<(), Error> {
        aggregator.check(value)?;
        match aggregator {
            Aggregator::Gauge => self.set(mapping, time_unix_nano, value),
            Aggregator::Sum { .. } => self.add(mapping, time_unix_nano, value),
            Aggregator::Histogram { boundaries } => {
                self.histogram(mapping, aggregator.copy_size(), boundaries, time_unix_nano, double(value)?)
            }
            Aggregator::ExponentialHistogram { .. } => {
                self.exponential(mapping, aggregator, time_unix_nano, double(value)?)
            }
        }
    }

    fn set(&self, mapping: &Mapping, time_unix_nano: u64, value: Number) -> Result<(), Error> {
        let (bits, value_type) = match value {
            Number::Int(number) => (number.cast_unsigned(), VALUE_INT),
            Number::Double(number) => (number.to_bits(), VALUE_DOUBLE),
        };
        self.flip(mapping, GaugeCopy::SIZE, |_, copy, _| {
            put(&copy[offset_of!(GaugeCopy, time_unix_nano) / 8], time_unix_nano);
            put(&copy[offset_of!(GaugeCopy, value_bits) / 8], bits);
            put(&copy[offset_of!(GaugeCopy, value_type) / 8], value_type);
        })
    }

    fn histogram(
        &self,
        mapping: &Mapping,
        copy_size: usize,
        boundaries: &[f64],
        time_unix_nano: u64,
        value: f64,
    ) -> Result<(), Error> {
        let bucket = boundaries.partition_point(|boundary| *boundary < value);
        // At most 16,384.
        let bucket = i32::try_from(bucket).unwrap_or(0);
        self.flip(mapping, copy_size, |latch, copy, _| {
            let measurement = Measurement { time_unix_nano, value, bucket, is_first: latch.version == 0 };
            if let Some(behind) = latch.behind.replace(measurement) {
                add_to_bucket(copy, &behind);
            }
            add_to_bucket(copy, &measurement);
        })
    }

    fn exponential(
        &self,
        mapping: &Mapping,
        aggregator: &Aggregator,
        time_unix_nano: u64,
        value: f64,
    ) -> Result<(), Error> {
        self.flip(mapping, aggregator.copy_size(), |latch, copy, number| {
            // Once it is brought up, the copy has the scale of the current one.
            let bucket = exponential::bucket_index(value.abs(), latch.shapes[number ^ 1].scale);
            let measurement = Measurement { time_unix_nano, value, bucket, is_first: latch.version == 0 };
            let shape = &mut latch.shapes[number];
            if let Some(behind) = latch.behind.replace(measurement) {
                exponential::add(copy, shape, &behind);
            }
            exponential::add(copy, shape, &measurement);
        })
    }

    /// Has `write` change the copy that is not current (its words, its number), and makes it the current one.
    #[inline]
    fn flip(
        &self,
        mapping: &Mapping,
        copy_size: usize,
        write: impl FnOnce(&mut Latch, &[AtomicU64], usize),
    ) -> Result<(), Error> {
        let Some(mut latch) = self.latch.lock_bounded() else { return Err(Error::Busy) };
        let version = next_version(latch.version);
        let number = usize::from(version & 1 == 1);
        let copy = mapping.words(self.at + SeriesHeader::SIZE + number * copy_size, copy_size / 8);
        // SYNC FLIP: orders the flip that retired this copy before every store into it.
        fence(Ordering::Release);
        write(&mut latch, copy, number);
        latch.version = version;
        // SYNC FLIP: orders the whole copy before it becomes the current one; paired with a reader's load.
        mapping.word(self.at + VERSION).store(seal(version), Ordering::Release);
        step();
        Ok(())
    }

    /// Makes it look as if there had been so many flips, to a copy of the same number as the one in force.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, mapping: &Mapping, version: u64) {
        let mut latch = self.latch.lock_bounded().unwrap();
        assert_eq!(latch.version & 1, version & 1);
        latch.version = version;
        mapping.word(self.at + VERSION).store(seal(version), Ordering::Relaxed);
    }

    /// Ends all flips for good; one under way is finished first.
    pub(crate) fn freeze(&self) {
        self.latch.keep();
    }

    /// Makes a sum the one that was observed, in place of what it was; the value changes in one step. A sum takes
    /// totals or additions: what is added at the same time may be lost.
    pub(crate) fn store_total(
        &self,
        mapping: &Mapping,
        aggregator: &Aggregator,
        time_unix_nano: u64,
        total: Number,
    ) -> Result<(), Error> {
        if !matches!(aggregator, Aggregator::Sum { .. }) {
            return Err(Error::invalid("series", "not of a sum, which alone has a total"));
        }
        aggregator.check(total)?;
        // For totals alone: what one of doubles subtracts stays as it is until it is stored.
        let Some(_latch) = self.latch.lock_bounded() else { return Err(Error::Busy) };
        let words = mapping.words(self.at + SeriesHeader::SIZE, SumCell::SIZE / 8);
        put_time(words, time_unix_nano);
        match total {
            Number::Int(total) if words[SEEN].load(Ordering::Relaxed) & VALUE_DOUBLE == 0 => {
                mark_seen(words, VALUE_INT);
                // SYNC CELL: orders `seen` and the time before the value.
                words[INT_VALUE].store(total.cast_unsigned(), Ordering::Release);
            }
            Number::Int(total) => store_double(words, as_double(total)),
            Number::Double(total) => store_double(words, total),
        }
        Ok(())
    }

    /// Adds to a sum: what the cell says about the value first, then the value in one step.
    fn add(&self, mapping: &Mapping, time_unix_nano: u64, value: Number) -> Result<(), Error> {
        let words = mapping.words(self.at + SeriesHeader::SIZE, SumCell::SIZE / 8);
        put_time(words, time_unix_nano);
        // After the time: a sum that is reported has one.
        mark_seen(words, if matches!(value, Number::Int(_)) { VALUE_INT } else { VALUE_DOUBLE });
        match value {
            Number::Int(number) => add_int(words, number),
            Number::Double(number) => add_double(words, number),
        }
    }
}

/// The version after the one given. As with generations 2 comes after the last one, so that the parity changes with
/// each step and 0 stays "never".
#[inline]
const fn next_version(version: u64) -> u64 {
    const LAST: u64 = (1 << 56) - 1;
    if version == LAST { 2 } else { version + 1 }
}

/// Two threads may race here: the time is that of one of the latest measurements then.
#[inline]
fn put_time(words: &[AtomicU64], time_unix_nano: u64) {
    if words[SUM_TIME].load(Ordering::Relaxed) < time_unix_nano {
        words[SUM_TIME].store(time_unix_nano, Ordering::Relaxed);
    }
}

/// Stores a total that is a double, less the integer that is a part of the sum since the totals were integers.
fn store_double(words: &[AtomicU64], total: f64) {
    let rest = total - as_double(words[INT_VALUE].load(Ordering::Relaxed).cast_signed());
    mark_seen(words, VALUE_DOUBLE);
    // SYNC CELL: orders `seen` and the time before the value.
    words[DOUBLE_BITS].store(rest.to_bits(), Ordering::Release);
}

#[inline]
fn mark_seen(words: &[AtomicU64], kind: u64) {
    if words[SEEN].load(Ordering::Relaxed) & kind == 0 {
        words[SEEN].fetch_or(kind, Ordering::Relaxed);
    }
}

/// Adds an integer; one that would overflow the integers goes to the doubles.
#[inline]
fn add_int(words: &[AtomicU64], number: i64) -> Result<(), Error> {
    let word = &words[INT_VALUE];
    let mut current = word.load(Ordering::Relaxed);
    if number.unsigned_abs() < SMALL && current.cast_signed().unsigned_abs() < HALF {
        // SYNC CELL: orders `seen` and the time before the value.
        word.fetch_add(number.cast_unsigned(), Ordering::Release);
        return Ok(());
    }
    for _ in 0..TRIES {
        let Some(sum) = current.cast_signed().checked_add(number) else {
            mark_seen(words, VALUE_DOUBLE);
            return add_double(words, as_double(number));
        };
        // SYNC CELL: as above.
        match word.compare_exchange_weak(current, sum.cast_unsigned(), Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(now) => current = now,
        }
    }
    Err(Error::Busy)
}

#[inline]
fn add_double(words: &[AtomicU64], number: f64) -> Result<(), Error> {
    let word = &words[DOUBLE_BITS];
    let mut current = word.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        let sum = (f64::from_bits(current) + number).to_bits();
        // SYNC CELL: orders `seen` and the time before the value.
        match word.compare_exchange_weak(current, sum, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(now) => current = now,
        }
    }
    Err(Error::Busy)
}

fn add_to_bucket(copy: &[AtomicU64], measurement: &Measurement) {
    accumulate(copy, measurement);
    let bucket = usize::try_from(measurement.bucket).unwrap_or(0);
    increment(&copy[HistogramCopy::SIZE / 8 + bucket]);
}

/// Takes a measurement into time, sum, minimum and maximum of a copy.
#[inline]
pub(crate) fn accumulate(copy: &[AtomicU64], measurement: &Measurement) {
    let Measurement { time_unix_nano, value, is_first, .. } = *measurement;
    let stored = |word: usize| f64::from_bits(copy[word].load(Ordering::Relaxed));
    put(&copy[TIME], copy[TIME].load(Ordering::Relaxed).max(time_unix_nano));
    put(&copy[SUM], (stored(SUM) + value).to_bits());
    let (min, max) = if is_first { (value, value) } else { (stored(MIN).min(value), stored(MAX).max(value)) };
    put(&copy[MIN], min.to_bits());
    put(&copy[MAX], max.to_bits());
}

#[inline]
pub(crate) fn increment(word: &AtomicU64) {
    put(word, word.load(Ordering::Relaxed).wrapping_add(1));
}

/// Stores payload of a copy that is not current.
#[inline]
pub(crate) fn put(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
    step();
}

/// Where tests look at the cell as a kill at this instruction would leave it.
#[inline]
fn step() {
    #[cfg(all(test, not(loom)))]
    tests::step();
}

#[inline]
fn double(value: Number) -> Result<f64, Error> {
    match value {
        Number::Int(number) => Ok(as_double(number)),
        Number::Double(number) => finite(number),
    }
}

/// The double nearest to an integer: what histograms aggregate, and what a sum of both kinds is.
#[inline]
#[allow(clippy::cast_precision_loss)]
fn as_double(number: i64) -> f64 {
    number as f64
}

#[inline]
fn finite(number: f64) -> Result<f64, Error> {
    if number.is_finite() { Ok(number) } else { Err(not_finite(number)) }
}

#[cold]
fn not_finite(number: f64) -> Error {
    Error::invalid("value", format!("{number}, not a finite number"))
}

#[cold]
fn negative() -> Error {
    Error::invalid("value", "negative, and the sum is monotonic")
}

/// Sizes of series, at most 600 KB.
#[inline]
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests;
