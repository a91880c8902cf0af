//! What measurements add up to, worked out anew from all of them, by the definitions and not as the writer does it.

use crate::exponential::expected;
use otlp_mmap_reader::model::{Aggregation, Number, Point};

/// A series: every measurement that it was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// With their times, in order.
    measured: Vec<(u64, Number)>,
    /// Of a sum: integers, doubles, and whether there were any.
    integers: Option<i64>,
    doubles: Option<f64>,
}

/// A value with its time, as a reader shows it.
pub(crate) type Shown = (u64, Point);

impl Cell {
    /// Adds a measurement and gives what readers may find meanwhile, in this order; the last is what it comes to.
    pub(crate) fn add(&mut self, aggregation: &Aggregation, time: u64, value: Number) -> Vec<Shown> {
        self.measured.push((time, value));
        match aggregation {
            Aggregation::Gauge => vec![(time, Point::Gauge(value))],
            Aggregation::Sum { .. } => self.add_to_sum(time, value),
            Aggregation::Histogram { boundaries, .. } => vec![(time, self.histogram(boundaries))],
            Aggregation::ExponentialHistogram { max_buckets, max_scale, .. } => {
                vec![(time, self.exponential(*max_buckets, *max_scale))]
            }
        }
    }

    /// A sum is stored in three words (SPEC 11.8): the time, which types were added, and then the value.
    fn add_to_sum(&mut self, time: u64, value: Number) -> Vec<Shown> {
        let mut shown = Vec::new();
        // A sum of no type yet is not shown.
        if self.integers.is_some() || self.doubles.is_some() {
            shown.push((time, self.sum()));
        }
        match value {
            Number::Int(number) => {
                let integers = *self.integers.get_or_insert(0);
                shown.push((time, self.sum()));
                if let Some(sum) = integers.checked_add(number) {
                    self.integers = Some(sum);
                } else {
                    // It goes to the doubles, whose type is marked now.
                    self.doubles.get_or_insert(0.0);
                    shown.push((time, self.sum()));
                    self.add_double(to_double(number));
                }
            }
            Number::Double(number) => {
                self.doubles.get_or_insert(0.0);
                shown.push((time, self.sum()));
                self.add_double(number);
            }
        }
        shown.push((time, self.sum()));
        shown
    }

    fn add_double(&mut self, number: f64) {
        self.doubles = Some(self.doubles.unwrap_or(0.0) + number);
    }

    fn sum(&self) -> Point {
        Point::Sum(match (self.integers, self.doubles) {
            (Some(sum), None) => Number::Int(sum),
            (integers, doubles) => Number::Double(integers.map_or(0.0, to_double) + doubles.unwrap_or(0.0)),
        })
    }

    fn values(&self) -> Vec<f64> {
        let value = |(_, number): &(u64, Number)| match *number {
            Number::Int(number) => to_double(number),
            Number::Double(number) => number,
        };
        self.measured.iter().map(value).collect()
    }

    fn histogram(&self, boundaries: &[f64]) -> Point {
        let values = self.values();
        let mut bucket_counts = vec![0; boundaries.len() + 1];
        for value in &values {
            bucket_counts[boundaries.iter().take_while(|boundary| value > boundary).count()] += 1;
        }
        let (sum, min, max) = summary(&values);
        Point::Histogram { count: values.len() as u64, sum, min, max, bucket_counts }
    }

    /// At the highest scale at which the buckets of each sign fit.
    fn exponential(&self, max_buckets: u32, max_scale: i32) -> Point {
        let values = self.values();
        let (scale, positive, negative) = expected(&values, max_buckets, max_scale);
        let (sum, min, max) = summary(&values);
        let zero_count = values.iter().filter(|value| **value == 0.0).count() as u64;
        let count = values.len() as u64;
        Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative }
    }
}

fn summary(values: &[f64]) -> (f64, Option<f64>, Option<f64>) {
    let sum = values.iter().fold(0.0, |sum, value| sum + value);
    (sum, values.iter().copied().reduce(f64::min), values.iter().copied().reduce(f64::max))
}

#[allow(clippy::cast_precision_loss)] // as the format has it
fn to_double(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::Cell;
    use otlp_mmap_reader::model::{Aggregation, Number, Point};

    #[test]
    fn a_sum_shows_its_words_one_after_another() {
        let sum = Aggregation::Sum { temporality: 2, is_monotonic: false };
        let mut cell = Cell::default();
        let int = |value| Point::Sum(Number::Int(value));
        assert_eq!(cell.add(&sum, 1, Number::Int(5)), [(1, int(0)), (1, int(5))]);
        let shown = cell.add(&sum, 2, Number::Double(0.5));
        let double = |value| Point::Sum(Number::Double(value));
        assert_eq!(shown, [(2, int(5)), (2, double(5.0)), (2, double(5.5))]);
    }
}
