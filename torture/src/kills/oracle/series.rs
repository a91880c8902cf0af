//! Series: each is the aggregate of the measurements that returned, with one more at most of each thread.

use super::Case;
use crate::exponential::expected;
use crate::kills::content::{BOUNDARIES, Content, MAX_BUCKETS, MAX_SCALE, real, thread_of};
use crate::kills::ledger::Call;
use otlp_mmap_reader::Report;
use otlp_mmap_reader::model::{Buckets, Number, Point, Series};
use std::collections::HashSet;

/// The streams of which each thread has a series.
const OWN: [(&str, Call); 5] = [
    ("exemplars", Call::Exemplar),
    ("sums", Call::Sum),
    ("histograms", Call::Histogram),
    ("exponentials", Call::Exponential),
    ("gauges", Call::Gauge),
];

impl Case<'_> {
    pub(super) fn check_series(&mut self) {
        let mut report = Report::default();
        let series = match self.recording.series(&mut report) {
            Ok(series) => series,
            Err(error) => return self.breaches.push(error.to_string()),
        };
        self.check(report.is_clean(), || format!("series: {:?}", report.faults));
        let mut found = HashSet::new();
        for one in &series {
            let slot = thread_of(&one.attributes);
            let is_new = found.insert((&*one.stream.name, slot));
            let is_right = self.matches(one, slot);
            if !is_new || !is_right {
                let calls = OWN.iter().map(|(_, call)| slot.map(|slot| self.count(slot, *call)));
                let (name, calls) = (&one.stream.name, calls.collect::<Vec<_>>());
                self.breaches.push(format!("series {name} {slot:?}: {:?}, {calls:?}", one.point));
            }
        }
        let must = self.slots.clone().flat_map(|slot| OWN.map(|(name, call)| (name, call, slot)));
        let missing = must
            .filter(|&(_, call, slot)| self.count(slot, call).returned > 0)
            .find(|&(name, _, slot)| !found.contains(&(name, Some(slot))));
        self.check(missing.is_none(), || format!("no series {missing:?}"));
        for (name, call) in [("shared sum", Call::SharedSum), ("shared histogram", Call::SharedHistogram)] {
            let is_there = *self.total(call).start() == 0 || found.contains(&(name, None));
            self.check(is_there, || format!("no series {name}"));
        }
    }

    fn matches(&self, series: &Series, slot: Option<usize>) -> bool {
        let own = OWN.iter().find(|(name, _)| *name == &*series.stream.name);
        match (own, slot) {
            (Some((_, call)), Some(slot)) if self.slots.contains(&slot) => {
                let count = self.count(slot, *call);
                (count.returned..=count.most())
                    .any(|count| is_own(self.content, *call, slot, count, &series.point))
            }
            (None, None) => self.is_shared(series),
            _ => false,
        }
    }

    /// Series to which every thread adds; each has a bucket of its own in the histogram.
    fn is_shared(&self, series: &Series) -> bool {
        match (&*series.stream.name, &series.point) {
            ("shared sum", Point::Sum(sum)) => {
                let sum = match *sum {
                    Number::Double(sum) => sum,
                    Number::Int(sum) => real(sum.cast_unsigned()),
                };
                let total = self.total(Call::SharedSum);
                sum.fract() * 4.0 % 1.0 == 0.0
                    && (real(*total.start())..=real(*total.end())).contains(&(sum * 4.0))
            }
            ("shared histogram", Point::Histogram { count, sum, bucket_counts, .. }) => {
                let of = |slot: usize| bucket_counts.get(slot.min(15)).copied().unwrap_or(0);
                let total: f64 = self.slots.clone().map(|slot| real(of(slot)) * real(slot as u64)).sum();
                self.slots.clone().all(|slot| self.count(slot, Call::SharedHistogram).allows(of(slot)))
                    && *count == self.slots.clone().map(of).sum::<u64>()
                    && is_same(*sum, total)
            }
            _ => false,
        }
    }
}

/// Whether a point is the aggregate of a thread's first `count` measurements.
fn is_own(content: Content, call: Call, slot: usize, count: u64, point: &Point) -> bool {
    let histogram = (0..count).map(|number| f64::from(content.histogram_value(slot, number)));
    let exponential = (0..count).map(|number| content.exponential_value(slot, number));
    match (call, point) {
        (Call::Exemplar, Point::Sum(sum)) => *sum == int(count * count.saturating_sub(1) / 2),
        (Call::Sum, Point::Sum(sum)) => *sum == int(count),
        // Its values are 0, 1, 2 ...; without one there is no gauge.
        (Call::Gauge, Point::Gauge(value)) => count.checked_sub(1).is_some_and(|last| *value == int(last)),
        (Call::Histogram, Point::Histogram { bucket_counts, count: found, sum, min, max }) => {
            let values: Vec<f64> = histogram.collect();
            let mut buckets = [0; BOUNDARIES.len() + 1];
            for value in &values {
                buckets[BOUNDARIES.iter().take_while(|boundary| value > boundary).count()] += 1;
            }
            *found == count && *bucket_counts == buckets && is_summary(&values, *sum, *min, *max)
        }
        (
            Call::Exponential,
            Point::ExponentialHistogram {
                count: found,
                sum,
                min,
                max,
                scale,
                zero_count,
                positive,
                negative,
            },
        ) => {
            let values: Vec<f64> = exponential.collect();
            let zeros = values.iter().filter(|value| **value == 0.0).count() as u64;
            *found == count
                && *zero_count == zeros
                && is_summary(&values, *sum, *min, *max)
                // Last, because it takes longest.
                && is_bucketed(&values, *scale, positive, negative)
        }
        _ => false,
    }
}

/// Whether the scale, the offsets and each count are those of the values.
fn is_bucketed(values: &[f64], scale: i32, positive: &Buckets, negative: &Buckets) -> bool {
    let (wanted, above, below) = expected(values, MAX_BUCKETS, MAX_SCALE);
    let is_same = |found: &Buckets, wanted: &Buckets| {
        // Where nothing was counted, an offset says nothing.
        found.counts == wanted.counts && (found.counts.is_empty() || found.offset == wanted.offset)
    };
    scale == wanted && is_same(positive, &above) && is_same(negative, &below)
}

fn is_summary(values: &[f64], sum: f64, min: Option<f64>, max: Option<f64>) -> bool {
    is_same(values.iter().sum(), sum)
        && min == values.iter().copied().reduce(f64::min)
        && max == values.iter().copied().reduce(f64::max)
}

/// All values are multiples of 1/8 and small, so that sums are exact.
fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1.0 / 16.0
}

fn int(number: u64) -> Number {
    Number::Int(number.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::is_own;
    use crate::kills::content::{Content, MAX_BUCKETS, MAX_SCALE};
    use crate::kills::ledger::Call;
    use otlp_mmap_reader::model::{Buckets, Point};

    fn point(content: Content, count: u64) -> Point {
        let values: Vec<f64> = (0..count).map(|number| content.exponential_value(3, number)).collect();
        let (scale, positive, negative) = crate::exponential::expected(&values, MAX_BUCKETS, MAX_SCALE);
        Point::ExponentialHistogram {
            count,
            sum: values.iter().sum(),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
            scale,
            zero_count: values.iter().filter(|value| **value == 0.0).count() as u64,
            positive,
            negative,
        }
    }

    /// With the totals as they should be, scale, offset and each bucket count.
    #[test]
    fn a_bucket_that_took_its_neighbours_count_is_a_violation() {
        let content = Content::new(7);
        let whole = point(content, 400);
        let is_right = |point: &Point| is_own(content, Call::Exponential, 3, 400, point);
        assert!(is_right(&whole));
        let changed = |change: fn(&mut i32, &mut Buckets)| {
            let mut point = whole.clone();
            let Point::ExponentialHistogram { scale, positive, .. } = &mut point else { unreachable!() };
            change(scale, positive);
            assert!(!is_right(&point), "{point:?}");
        };
        changed(|_, positive| {
            let at = positive.counts.iter().position(|count| *count > 0).expect("some");
            positive.counts[at] -= 1;
            positive.counts[at + 1] += 1;
        });
        changed(|_, positive| positive.offset += 1);
        changed(|scale, _| *scale += 1);
        changed(|_, positive| positive.counts.push(0));
    }
}
