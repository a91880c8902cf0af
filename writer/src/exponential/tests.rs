//! Bucket indexes against exact arithmetic, and additions against a model that starts anew each time.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)] // of a model

use super::*;
use crate::cells::tests::{Lab, any_finite, exponential};
use crate::telemetry::Number;
use proptest::prelude::*;
use std::cmp::Ordering as Order;
use std::collections::BTreeMap;

/// An unsigned integer, least digit first, without leading zeros.
fn multiply(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut product = vec![0_u32; left.len() + right.len()];
    for (shift, &digit) in left.iter().enumerate() {
        let mut carry = 0;
        for (at, &other) in right.iter().enumerate() {
            let sum = u64::from(digit) * u64::from(other) + u64::from(product[shift + at]) + carry;
            product[shift + at] = (sum & u64::from(u32::MAX)) as u32;
            carry = sum >> 32;
        }
        product[shift + right.len()] = carry as u32;
    }
    while product.last() == Some(&0) {
        product.pop();
    }
    product
}

fn compare_with_power_of_two(number: &[u32], exponent: i64) -> Order {
    let top = number.last().unwrap();
    let length = number.len() as i64 * 32 - i64::from(top.leading_zeros());
    (length - 1).cmp(&exponent).then_with(|| {
        let is_power = top.is_power_of_two() && number[..number.len() - 1].iter().all(|digit| *digit == 0);
        if is_power { Order::Equal } else { Order::Greater }
    })
}

/// A magnitude compared with `2^(index / 2^scale)`, exactly: both to the power of `2^scale`.
fn compare_with_boundary(magnitude: f64, index: i64, scale: u32) -> Order {
    let bits = magnitude.to_bits();
    let (significand, exponent) = (bits & FRACTION | 1 << 52, (bits >> 52) as i64 - 1075);
    let mut power = vec![significand as u32, (significand >> 32) as u32];
    while power.last() == Some(&0) {
        power.pop();
    }
    (0..scale).for_each(|_| power = multiply(&power, &power));
    compare_with_power_of_two(&power, index - (exponent << scale))
}

fn any_magnitude() -> impl Strategy<Value = f64> {
    let near_power = (-1022_i32..1024, -2_i64..3).prop_map(|(exponent, steps)| {
        f64::from_bits(2_f64.powi(exponent).to_bits().saturating_add_signed(steps))
    });
    prop_oneof![any_finite().prop_map(f64::abs), near_power, 0.9..2.1]
        .prop_filter("normal", |magnitude| magnitude.is_normal())
}

proptest! {
    #[test]
    fn a_magnitude_is_in_its_bucket(magnitude in any_magnitude(), scale in 0_i32..8) {
        let index = i64::from(bucket_index(magnitude, scale));
        prop_assert_eq!(compare_with_boundary(magnitude, index, scale as u32), Order::Greater);
        prop_assert_ne!(compare_with_boundary(magnitude, index + 1, scale as u32), Order::Greater);
    }

    #[test]
    fn a_step_down_in_scale_merges_pairs(magnitude in any_magnitude(), scale in -10_i32..20) {
        prop_assert_eq!(bucket_index(magnitude, scale + 1) >> 1, bucket_index(magnitude, scale));
    }

    #[test]
    fn logarithm_and_squaring_agree(fraction in 1..1_u64 << 52, scale in 1_i32..21) {
        prop_assert_eq!(index_within(fraction, scale), index_by_squaring(fraction, scale));
    }

    #[test]
    fn buckets_are_those_of_a_model(
        values in prop::collection::vec(any_finite(), 1..60),
        max_buckets in 2_u32..30,
        max_scale in -10_i32..21,
    ) {
        let lab = Lab::new(&exponential(max_buckets, max_scale));
        for (at, value) in values.iter().enumerate() {
            lab.record(at as u64, Number::Double(*value)).unwrap();
            let model = Model::new(&values[..=at], max_buckets, max_scale);
            prop_assert_eq!(Model::read(&lab.read().1, max_buckets), model);
        }
    }

    #[test]
    fn values_of_one_magnitude_stay_at_a_fine_scale(values in prop::collection::vec(1.0..1.001, 160..400)) {
        let lab = Lab::new(&exponential(160, 20));
        for value in &values {
            lab.record(1, Number::Double(*value)).unwrap();
        }
        prop_assert_eq!(Model::read(&lab.read().1, 160), Model::new(&values, 160, 20));
    }
}

#[derive(Debug, PartialEq, Default)]
struct Model {
    scale: i32,
    zero_count: u64,
    count: u64,
    /// Offset and counts.
    positive: (i32, Vec<u64>),
    negative: (i32, Vec<u64>),
    sum_bits: u64,
}

impl Model {
    /// The finest scale at which all values fit, and their buckets there.
    fn new(values: &[f64], max_buckets: u32, max_scale: i32) -> Self {
        let fits = |scale: &i32| {
            let length = |is_negative| Self::buckets(values, is_negative, *scale).1.len();
            length(false).max(length(true)) <= max_buckets as usize
        };
        // The finest scales would give vectors of gigabytes: their span is compared first.
        let scale = (-10..=max_scale)
            .rev()
            .filter(|scale| Self::span(values, *scale) <= max_buckets.into())
            .find(fits);
        let scale = scale.unwrap();
        Self {
            scale,
            zero_count: values.iter().filter(|value| **value == 0.0).count() as u64,
            count: values.len() as u64,
            positive: Self::buckets(values, false, scale),
            negative: Self::buckets(values, true, scale),
            sum_bits: values.iter().fold(0.0_f64, |sum, value| sum + value).to_bits(),
        }
    }

    fn indexes(values: &[f64], is_negative: bool, scale: i32) -> BTreeMap<i32, u64> {
        let mut counts = BTreeMap::new();
        for value in values.iter().filter(|value| **value != 0.0 && (**value < 0.0) == is_negative) {
            *counts.entry(bucket_index(value.abs(), scale)).or_default() += 1;
        }
        counts
    }

    fn span(values: &[f64], scale: i32) -> i64 {
        let span = |is_negative| {
            let counts = Self::indexes(values, is_negative, scale);
            let first = counts.first_key_value().map(|(index, _)| i64::from(*index));
            first.map_or(0, |first| i64::from(*counts.last_key_value().unwrap().0) - first + 1)
        };
        span(false).max(span(true))
    }

    fn buckets(values: &[f64], is_negative: bool, scale: i32) -> (i32, Vec<u64>) {
        let counts = Self::indexes(values, is_negative, scale);
        let Some((&first, _)) = counts.first_key_value() else { return (0, Vec::new()) };
        let last = *counts.last_key_value().unwrap().0;
        (first, (first..=last).map(|index| counts.get(&index).copied().unwrap_or(0)).collect())
    }

    fn read(copy: &[u64], capacity: u32) -> Self {
        let low = |word: usize| copy[word] as u32;
        let high = |word: usize| (copy[word] >> 32) as u32;
        let (positive, rest) = copy[ExponentialCopy::SIZE / 8..].split_at(capacity as usize);
        let (used_positive, used_negative) = (high(NEGATIVE_OFFSET) as usize, low(NEGATIVE_LENGTH) as usize);
        assert!(positive[used_positive..].iter().chain(&rest[used_negative..]).all(|count| *count == 0));
        let offset = |used: usize, offset: u32| if used == 0 { 0 } else { offset.cast_signed() };
        Self {
            scale: low(SCALE).cast_signed(),
            zero_count: copy[ZERO_COUNT],
            count: copy[ZERO_COUNT] + positive.iter().chain(rest).sum::<u64>(),
            positive: (offset(used_positive, high(SCALE)), positive[..used_positive].to_vec()),
            negative: (offset(used_negative, low(NEGATIVE_OFFSET)), rest[..used_negative].to_vec()),
            sum_bits: copy[1],
        }
    }
}

#[test]
fn powers_of_two_belong_to_the_bucket_below() {
    for scale in 0..=20 {
        for exponent in [-1022, -1021, -1, 0, 1, 52, 1023] {
            let power = 2_f64.powi(exponent);
            assert_eq!(bucket_index(power, scale), (exponent << scale) - 1, "2^{exponent} at scale {scale}");
            assert_eq!(bucket_index(power.next_up(), scale) >> scale, exponent);
        }
    }
    assert_eq!(bucket_index(f64::MAX, 20), (1024 << 20) - 1);
}

/// SPEC 9.3, its vectors.
#[test]
fn indexes_are_those_of_the_specification() {
    for (scale, value, index) in [
        (0, 1.0, -1),
        (0, 1.5, 0),
        (0, 2.0, 0),
        (0, 3.0, 1),
        (0, 4.0, 1),
        (1, 1.2, 0),
        (1, 1.5, 1),
        (1, 2.0, 1),
        (-1, 4.0, 0),
        (-1, 5.0, 1),
        (-10, 0.5, -1),
        (-10, 1000.0, 0),
        (-10, f64::MIN_POSITIVE, -1),
        (-10, f64::MAX, 0),
    ] {
        assert_eq!(bucket_index(value, scale), index, "{value} at scale {scale}");
    }
    for scale in -10..=20 {
        assert_eq!(bucket_index(5e-324, scale), bucket_index(f64::MIN_POSITIVE, scale));
    }
}

/// The largest double below boundary k at scale 20: the nearest misses among 6,000 boundaries, computed with
/// 80 decimal digits.
#[test]
fn doubles_beside_a_boundary_at_the_finest_scale_are_told_apart() {
    for (k, below) in [
        (104_049, 0x3ff1_23a3_626b_6f10),
        (884_829, 0x3ffc_b794_8ef0_83d7),
        (958_781, 0x3ffe_27e4_2af4_17d0),
        (389_600, 0x3ff4_b32c_4a27_3d3b),
        (1, 0x3ff0_0000_b172_1bcf),
        (1_048_575, 0x3fff_fffe_9d1b_d7c0),
    ] {
        assert_eq!(bucket_index(f64::from_bits(below), 20), k - 1);
        assert_eq!(bucket_index(f64::from_bits(below + 1), 20), k);
    }
}

#[test]
fn the_widest_values_fit_two_buckets() {
    let lab = Lab::new(&exponential(2, 20));
    for value in [5e-324, f64::MAX, -f64::MAX, -5e-324, 0.0] {
        lab.record(1, Number::Double(value)).unwrap();
    }
    let model = Model::read(&lab.read().1, 2);
    assert_eq!((model.scale, model.count, model.zero_count), (-10, 5, 1));
    assert_eq!((model.positive, model.negative), ((-1, vec![1, 1]), (-1, vec![1, 1])));
}
