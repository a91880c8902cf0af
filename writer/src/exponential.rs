//! Exponential histogram: bucket indexes, and the buckets of one copy (SPEC 9.3).
//!
//! HOT, with the promise of [`crate::cells`]: an addition takes at most a few passes over the buckets of one
//! copy. Bucket `i` at scale `s` holds the magnitudes in `(2^(i/2^s), 2^((i+1)/2^s)]`; a step down in scale
//! merges buckets `2i` and `2i+1`. Buckets from a sign's length on are zero.

use crate::cells::{Measurement, accumulate, increment, put};
use crate::sync::{AtomicU64, Ordering};
use otlp_mmap_format::ExponentialCopy;
use std::mem::offset_of;

const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
/// How near to a bucket boundary the platform's logarithm is not trusted, in buckets. At scale 20 its error is
/// below 2^-31 buckets.
const MARGIN: f64 = 1.0 / (1 << 20) as f64;

const ZERO_COUNT: usize = offset_of!(ExponentialCopy, zero_count) / 8;
// The words that hold two fields each.
const SCALE: usize = offset_of!(ExponentialCopy, scale) / 8;
const NEGATIVE_OFFSET: usize = offset_of!(ExponentialCopy, negative_offset) / 8;
const NEGATIVE_LENGTH: usize = offset_of!(ExponentialCopy, negative_length) / 8;
const _: () = assert!(
    offset_of!(ExponentialCopy, positive_offset) == SCALE * 8 + 4
        && offset_of!(ExponentialCopy, positive_length) == NEGATIVE_OFFSET * 8 + 4
        && offset_of!(ExponentialCopy, reserved) == NEGATIVE_LENGTH * 8 + 4
);

/// What the buckets of one copy stand for. The file has it for readers; the writer goes by its private one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Most buckets of each sign, 2 at least.
    capacity: u32,
    pub(crate) scale: i32,
    positive: Range,
    negative: Range,
}

/// The buckets in use of one sign: indexes `offset .. offset + length`.
#[derive(Clone, Copy, PartialEq)]
struct Range {
    offset: i32,
    length: u32,
}

/// Adds a measurement to a copy; its bucket is at the scale that `shape` has.
#[inline]
pub(crate) fn add(copy: &[AtomicU64], shape: &mut Shape, measurement: &Measurement) {
    accumulate(copy, measurement);
    let before = *shape;
    if measurement.value == 0.0 {
        increment(&copy[ZERO_COUNT]);
    } else {
        shape.add(copy, measurement.value < 0.0, measurement.bucket);
    }
    if *shape != before || measurement.is_first {
        shape.store(copy);
    }
}

/// Index at `scale` (-10 to 20) of the bucket that holds a finite magnitude; a subnormal one counts as the
/// smallest normal one.
#[inline]
pub(crate) fn bucket_index(magnitude: f64, scale: i32) -> i32 {
    let bits = magnitude.max(f64::MIN_POSITIVE).to_bits();
    #[allow(clippy::cast_possible_truncation)] // 11 bits
    let exponent = (bits >> FRACTION_BITS) as i32 - 1023;
    let fraction = bits & FRACTION;
    let is_power = fraction == 0;
    if scale <= 0 {
        // Upper boundaries are inclusive: a power of two belongs to the bucket below it.
        return (exponent - i32::from(is_power)) >> -scale;
    }
    if is_power { (exponent << scale) - 1 } else { (exponent << scale) + index_within(fraction, scale) }
}

/// How many of the 2^scale buckets of an octave lie whole below `1 + fraction / 2^52`; `fraction` is not 0.
#[inline]
fn index_within(fraction: u64, scale: i32) -> i32 {
    let significand = f64::from_bits(1.0_f64.to_bits() | fraction);
    let position = significand.log2() * f64::from(1 << scale);
    #[allow(clippy::cast_possible_truncation)] // between 0 and 2^20
    let index = position as i32;
    let past_boundary = position - f64::from(index);
    if (MARGIN..1.0 - MARGIN).contains(&past_boundary) { index } else { index_by_squaring(fraction, scale) }
}

/// As `index_within`, in integers: each squaring of the significand brings the next bit of its logarithm.
/// Rounding is below 2^-104 of a bucket after 20 of them; no double is as near to a boundary, which is
/// irrational within an octave: the 2^52 significands lie 2^-32 of a bucket apart, so that among the 2^20
/// boundaries the nearest miss is about 2^-52.
#[cold]
fn index_by_squaring(fraction: u64, scale: i32) -> i32 {
    let mut significand = u128::from(1 << FRACTION_BITS | fraction) << (127 - FRACTION_BITS);
    let mut index = 0;
    for _ in 0..scale {
        let (high, low) = (significand >> 64, significand & u128::from(u64::MAX));
        let square = high * high + ((high * low) >> 63);
        let reaches_two = square >> 127 == 1;
        index = index << 1 | i32::from(reaches_two);
        significand = if reaches_two { square } else { square << 1 };
    }
    index
}

impl Shape {
    pub(crate) const fn empty(scale: i32, capacity: u32) -> Self {
        let none = Range { offset: 0, length: 0 };
        Self { capacity, scale, positive: none, negative: none }
    }

    /// Stores the shape into its copy.
    pub(crate) fn store(&self, copy: &[AtomicU64]) {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        put(&copy[SCALE], pair(self.scale.cast_unsigned(), self.positive.offset.cast_unsigned()));
        put(&copy[NEGATIVE_OFFSET], pair(self.negative.offset.cast_unsigned(), self.positive.length));
        put(&copy[NEGATIVE_LENGTH], pair(self.negative.length, 0));
    }

    /// Adds to a bucket, after as many steps down in scale as it takes to fit.
    #[inline]
    fn add(&mut self, copy: &[AtomicU64], is_negative: bool, bucket: i32) {
        let (positive, negative) = self.buckets(copy);
        let range = if is_negative { self.negative } else { self.positive };
        let steps = range.excess_scale(self.capacity, bucket);
        if steps > 0 {
            self.positive.merge(positive, steps);
            self.negative.merge(negative, steps);
            self.scale -= steps.cast_signed();
        }
        let (range, buckets) =
            if is_negative { (&mut self.negative, negative) } else { (&mut self.positive, positive) };
        increment(&buckets[range.reach(buckets, bucket >> steps)]);
    }

    /// The positive and the negative buckets of a copy.
    fn buckets<'a>(&self, copy: &'a [AtomicU64]) -> (&'a [AtomicU64], &'a [AtomicU64]) {
        let capacity = self.capacity as usize;
        copy[ExponentialCopy::SIZE / 8..][..2 * capacity].split_at(capacity)
    }
}

impl Range {
    /// How many steps of scale are too many for these buckets and one at `index` to fit `capacity`: at most 30,
    /// from scale 20 to -10, where every index is 0 or -1.
    fn excess_scale(self, capacity: u32, index: i32) -> u32 {
        let (mut low, mut high) = (i64::from(index), i64::from(index));
        if self.length > 0 {
            low = low.min(self.offset.into());
            high = high.max(i64::from(self.offset) + i64::from(self.length) - 1);
        }
        (0..30).find(|steps| (high >> steps) - (low >> steps) < i64::from(capacity)).unwrap_or(30)
    }

    /// Merges buckets as `steps` steps of scale do: each count moves to its index shifted right, never upwards.
    fn merge(&mut self, buckets: &[AtomicU64], steps: u32) {
        let offset = self.offset >> steps;
        let mut length = 0;
        for (index, bucket) in (self.offset..).zip(&buckets[..self.length as usize]) {
            let count = bucket.load(Ordering::Relaxed);
            put(bucket, 0);
            let target = &buckets[distance(offset, index >> steps) as usize];
            put(target, target.load(Ordering::Relaxed).wrapping_add(count));
            length = distance(offset, index >> steps) + 1;
        }
        *self = Self { offset, length };
    }

    /// Extends the buckets in use to one at `index`, which fits, and gives its place.
    fn reach(&mut self, buckets: &[AtomicU64], index: i32) -> usize {
        if self.length == 0 {
            self.offset = index;
        } else if index < self.offset {
            let by = distance(index, self.offset);
            for at in (0..self.length as usize).rev() {
                put(&buckets[at + by as usize], buckets[at].load(Ordering::Relaxed));
            }
            buckets[..by as usize].iter().for_each(|bucket| put(bucket, 0));
            self.offset = index;
            self.length += by;
        }
        let place = distance(self.offset, index);
        self.length = self.length.max(place + 1);
        place as usize
    }
}

/// From one index up to another that is not below it.
#[inline]
fn distance(from: i32, to: i32) -> u32 {
    to.wrapping_sub(from).cast_unsigned()
}

#[cfg(all(test, not(loom)))]
mod tests;
