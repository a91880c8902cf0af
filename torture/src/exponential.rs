//! What an exponential histogram must hold, by its definition (SPEC 9.3): from the measurements alone, and not in the
//! way of the writer, which comes down in scale one measurement after the other.

use otlp_mmap_reader::model::Buckets;

/// Scale, positive and negative buckets of these values: at the highest scale at which the buckets of each sign fit.
/// For values that stay clear of boundaries by more than the rounding of a logarithm, but for powers of two.
pub(crate) fn expected(values: &[f64], max_buckets: u32, max_scale: i32) -> (i32, Buckets, Buckets) {
    let of_sign = |is_negative: bool| -> Vec<f64> {
        let signed = values.iter().filter(|value| **value != 0.0 && value.is_sign_negative() == is_negative);
        signed.map(|value| value.abs()).collect()
    };
    let (positive, negative) = (of_sign(false), of_sign(true));
    let fits =
        |scale: &i32| [&positive, &negative].iter().all(|values| span(values, *scale) <= max_buckets.into());
    let scale = (-10..=max_scale).rev().find(fits).expect("everything fits at the lowest scale");
    (scale, buckets(&positive, scale), buckets(&negative, scale))
}

/// The bucket of a magnitude.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn index(magnitude: f64, scale: i32) -> i32 {
    (magnitude.log2() * f64::from(scale).exp2()).ceil() as i32 - 1
}

/// Buckets from the smallest to the largest magnitude.
fn span(magnitudes: &[f64], scale: i32) -> i64 {
    let ends = ends(magnitudes, scale);
    ends.map_or(0, |(first, last)| i64::from(last) - i64::from(first) + 1)
}

fn ends(magnitudes: &[f64], scale: i32) -> Option<(i32, i32)> {
    let smallest = magnitudes.iter().copied().reduce(f64::min)?;
    let largest = magnitudes.iter().copied().reduce(f64::max)?;
    Some((index(smallest, scale), index(largest, scale)))
}

fn buckets(magnitudes: &[f64], scale: i32) -> Buckets {
    let Some((offset, last)) = ends(magnitudes, scale) else { return Buckets::default() };
    let mut counts = vec![0; usize::try_from(last - offset).expect("in order") + 1];
    for magnitude in magnitudes {
        counts[usize::try_from(index(*magnitude, scale) - offset).expect("in order")] += 1;
    }
    Buckets { offset, counts }
}

#[cfg(test)]
mod tests {
    use super::{expected, index};

    /// The vectors of SPEC 9.3.
    #[test]
    fn indexes_are_those_of_the_specification() {
        let vectors = [
            (0, 1.0, -1),
            (0, 1.5, 0),
            (0, 2.0, 0),
            (0, 3.0, 1),
            (1, 1.2, 0),
            (1, 1.5, 1),
            (-1, 4.0, 0),
            (-1, 5.0, 1),
            (-10, 0.5, -1),
        ];
        for (scale, value, expected) in vectors {
            assert_eq!(index(value, scale), expected, "{value} at scale {scale}");
        }
    }

    #[test]
    fn the_scale_is_the_highest_that_fits_both_signs() {
        let (scale, positive, negative) = expected(&[1.0, 0.0, 16.0, -3.0, 3.0], 4, 20);
        assert_eq!((scale, positive.offset, positive.counts), (-1, -1, vec![1, 1, 1]));
        assert_eq!((negative.offset, negative.counts), (0, vec![1]));
        let (scale, positive, negative) = expected(&[], 4, 3);
        assert_eq!((scale, positive.counts, negative.counts), (3, vec![], vec![]));
    }
}
