//! Streams and series through the contract of `Metrics`, read back from the mapped cells.

use super::*;
use crate::telemetry::Temporality::Cumulative;
use crate::telemetry::{Attributes, KeyValue, Value};
use otlp_mmap_format::{self as format, ItemHeader, ItemTag, MetricStreamBody, SeriesKind, SumCell, unseal};
use zerocopy::FromBytes;

const CELLS: usize = 4096;
const CELLS_LENGTH: usize = 64 << 10;
const DICTIONARY: usize = CELLS + CELLS_LENGTH;
const COUNTER: Aggregation<'static> = Aggregation::Sum { temporality: Cumulative, is_monotonic: true };

/// A recording of nothing but metrics, in a directory that goes with it.
pub(crate) struct Lab {
    pub(crate) dictionary: Dictionary,
    metrics: Metrics,
    storage: Arc<Storage>,
    _directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(CELLS_LENGTH, 64 << 10, 2000)
    }

    fn with(cells_length: usize, dictionary_length: usize, limit: u32) -> Self {
        Self::copying(&[], cells_length, dictionary_length, limit)
    }

    /// With a dictionary that begins as a copy of another.
    fn copying(copied: &[u8], cells_length: usize, dictionary_length: usize, limit: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let size = DICTIONARY + dictionary_length;
        let storage = Arc::new(Storage::create(directory.path(), size, CELLS).unwrap());
        storage.mapping().store_bytes(DICTIONARY, copied);
        let dictionary = Dictionary::new(Arc::clone(&storage), DICTIONARY..size, 42, copied.len()).unwrap();
        let metrics = Metrics::new(Arc::clone(&storage), CELLS..CELLS + cells_length, limit, 42).unwrap();
        Self { dictionary, metrics, storage, _directory: directory }
    }

    /// Defines a stream in the dictionary, under a name of its own, and registers it.
    fn define(&self, aggregation: &Aggregation<'_>) -> MetricRef {
        let mut definition = definition(aggregation);
        let name = self.dictionary.committed().to_le_bytes();
        definition.extend_from_slice(ItemHeader::new(ItemTag::Name.code(), 16, 0).as_bytes());
        definition.extend_from_slice(&name);
        let metric = MetricRef(self.dictionary.define(EntryKind::MetricStream, &definition).unwrap());
        self.metrics.define(metric, aggregation, None, 1000).unwrap();
        metric
    }

    fn series(&self, metric: MetricRef, attributes: &[KeyValue<'_>]) -> Result<Found, Error> {
        self.metrics.series(&self.dictionary, metric, &encode(&self.dictionary, attributes), 900, None)
    }

    fn add(&self, metric: MetricRef, attributes: &[KeyValue<'_>], number: i64) -> Found {
        let found = self.series(metric, attributes).unwrap();
        self.metrics.record(found.series, 7, Number::Int(number)).unwrap();
        found
    }

    /// Every published series: header, and what follows it.
    fn published(&self) -> Vec<(SeriesHeader, Vec<u8>)> {
        let mut bytes = Vec::new();
        let committed = self.storage.mapping().word(CELLS).load(Ordering::Acquire);
        self.storage.mapping().load_bytes(
            CELLS,
            usize::try_from(unseal(committed).unwrap()).unwrap(),
            &mut bytes,
        );
        let mut all = Vec::new();
        let mut rest = bytes.get(CellsHeader::SIZE..).unwrap_or_default();
        while !rest.is_empty() {
            let header = SeriesHeader::read_from_prefix(rest).unwrap().0;
            assert_eq!(header.crc.get(), header_crc(&header));
            let (series, next) = rest.split_at(header.size.get() as usize);
            all.push((header, series[SeriesHeader::SIZE..].to_vec()));
            rest = next;
        }
        all
    }

    /// Values of all sums, in the order of their series.
    fn sums(&self) -> Vec<i64> {
        let value = |(_, cell): (_, Vec<u8>)| {
            SumCell::read_from_prefix(&cell).unwrap().0.int_value.get().cast_signed()
        };
        self.published().into_iter().map(value).collect()
    }

    fn fork(&self, limit: u32) -> Self {
        let mut copied = Vec::new();
        self.dictionary.copy_to(&mut copied);
        let child = Self::copying(&copied, CELLS_LENGTH, 64 << 10, limit);
        child
            .metrics
            .adopt(&child.dictionary, self.storage.mapping(), CELLS..CELLS + CELLS_LENGTH, 5000)
            .unwrap();
        assert!(child.published().iter().all(|(_, cell)| cell.iter().all(|byte| *byte == 0)));
        child
    }

    /// A set in the dictionary.
    fn set(&self, reference: u32) -> Vec<u8> {
        self.dictionary.check("test", reference, EntryKind::AttributeSet).unwrap();
        self.dictionary.payload(reference)
    }
}

pub(crate) fn encode(dictionary: &Dictionary, attributes: &[KeyValue<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    attributes.encode(&mut Encoder::new(&mut bytes, dictionary, usize::MAX, usize::MAX)).unwrap();
    bytes
}

fn int(key: &str, value: i64) -> KeyValue<'_> {
    KeyValue { key, value: Value::Int(value) }
}

fn definition(aggregation: &Aggregation<'_>) -> Vec<u8> {
    let mut body = MetricStreamBody::new_zeroed();
    let mut bounds = Vec::new();
    body.aggregation.set(match *aggregation {
        Aggregation::Gauge => format::Aggregation::Gauge.code(),
        Aggregation::Sum { is_monotonic, .. } => {
            body.is_monotonic.set(is_monotonic.into());
            format::Aggregation::Sum.code()
        }
        Aggregation::Histogram { boundaries, .. } => {
            bounds.extend(boundaries.iter().flat_map(|boundary| boundary.to_le_bytes()));
            format::Aggregation::Histogram.code()
        }
        Aggregation::ExponentialHistogram { max_buckets, max_scale, .. } => {
            body.max_buckets.set(max_buckets);
            body.max_scale.set(max_scale);
            format::Aggregation::ExponentialHistogram.code()
        }
    });
    let name = ItemHeader::new(ItemTag::Name.code(), 11, 0);
    let boundaries = ItemHeader::new(ItemTag::Boundaries.code(), u32::try_from(8 + bounds.len()).unwrap(), 0);
    [body.as_bytes(), name.as_bytes(), b"abc\0\0\0\0\0", boundaries.as_bytes(), &bounds].concat()
}

#[test]
fn a_series_is_found_in_any_order_of_its_attributes() {
    let lab = Lab::new();
    let (metric, other) = (lab.define(&COUNTER), lab.define(&COUNTER));
    let first = lab.add(metric, &[int("b", 1), int("a", 2)], 1);
    assert_eq!(first, Found { series: SeriesRef(0), overflow: false });
    assert_eq!(lab.add(metric, &[int("a", 2), int("b", 1)], 2), first);
    assert_eq!(lab.add(metric, &[int("a", 3), int("b", 9), int("b", 1), int("a", 2)], 4), first);
    assert_eq!(lab.add(metric, &[int("a", 1), int("b", 2)], 8).series, SeriesRef(1));
    assert_eq!(lab.add(metric, &[], 16).series, SeriesRef(2));
    assert_eq!(lab.add(other, &[int("a", 2), int("b", 1)], 32).series, SeriesRef(3));
    assert_eq!(lab.sums(), [7, 8, 16, 32]);

    let (stream, set) = lab.metrics.references(SeriesRef(0)).unwrap();
    assert_eq!(stream, metric.raw());
    assert_eq!(lab.set(set), encode(&lab.dictionary, &[int("a", 2), int("b", 1)]));
    assert_eq!(lab.metrics.references(SeriesRef(2)).unwrap(), (metric.raw(), 0));
    // Streams share attribute sets.
    assert_eq!(lab.metrics.references(SeriesRef(3)).unwrap(), (other.raw(), set));
}

#[test]
fn a_series_has_its_header() {
    let lab = Lab::new();
    let gauge = lab.define(&Aggregation::Gauge);
    let histogram = lab.define(&Aggregation::Histogram { temporality: Cumulative, boundaries: &[1.0, 2.0] });
    assert!(lab.published().is_empty());
    lab.series(gauge, &[int("a", 1)]).unwrap();
    let empty = encode(&lab.dictionary, &[]);
    lab.metrics.series(&lab.dictionary, histogram, &empty, 0, None).unwrap();
    lab.metrics.series(&lab.dictionary, gauge, &empty, 2000, None).unwrap();
    let published = lab.published();
    let headers: Vec<_> = published.iter().map(|(header, _)| header).collect();
    let of = |header: &SeriesHeader| {
        (header.kind.get(), header.size.get(), header.capacity.get(), header.flags.get())
    };
    assert_eq!(of(headers[0]), (SeriesKind::Gauge.code(), 128, 0, 0));
    assert_eq!(of(headers[1]), (SeriesKind::Histogram.code(), 192, 3, 0));
    // The earlier of the stream's creation (1000) and the first measurement, if that is known.
    assert_eq!(
        headers.iter().map(|header| header.start_time_unix_nano.get()).collect::<Vec<_>>(),
        [900, 1000, 1000]
    );
    assert_eq!(headers[1].stream_ref.get(), histogram.raw());
    assert_eq!((headers[0].version.get(), headers[1].attributes_ref.get()), (0, 0));
    assert!(lab.set(headers[0].attributes_ref.get()).len() == 16);
}

#[test]
fn references_are_checked() {
    let lab = Lab::new();
    let metric = lab.define(&COUNTER);
    let unknown = lab.series(MetricRef(metric.raw() + 1), &[]).unwrap_err();
    assert!(matches!(unknown, Error::UnknownReference { argument: "metric_ref", .. }));
    for reference in [0, 1, u32::MAX] {
        let unknown = lab.metrics.record(SeriesRef(reference), 1, Number::Int(1)).unwrap_err();
        assert!(matches!(unknown, Error::UnknownReference { argument: "series", .. }));
        assert!(lab.metrics.references(SeriesRef(reference)).is_err());
    }
    // A second registration changes nothing.
    lab.add(metric, &[], 1);
    lab.metrics.define(metric, &Aggregation::Gauge, None, 1).unwrap();
    lab.add(metric, &[], 1);
    assert_eq!(lab.sums(), [2]);
}

#[test]
fn what_is_over_the_cardinality_limit_goes_to_the_overflow_series() {
    let lab = Lab::with(CELLS_LENGTH, 64 << 10, 3);
    let (metric, other) = (lab.define(&COUNTER), lab.define(&COUNTER));
    let found: Vec<_> = (0..10).map(|number| lab.add(metric, &[int("n", number)], 1)).collect();
    assert!(found[..2].iter().all(|found| !found.overflow));
    assert!(found[2..].iter().all(|found| *found == Found { series: SeriesRef(2), overflow: true }));
    assert_eq!(lab.sums(), [1, 1, 8]);
    // Known series are still found, in whatever form they are asked for.
    assert_eq!(lab.add(metric, &[int("n", 0)], 1), found[0]);
    assert_eq!(lab.add(metric, &[int("n", 9), int("n", 1)], 1), found[1]);
    assert_eq!(lab.add(metric, &[int("n", 1), int("n", 9)], 1), found[9]);
    assert!(!lab.add(other, &[int("n", 9)], 1).overflow);

    let (header, _) = &lab.published()[2];
    assert_eq!(header.flags.get(), SERIES_FLAG_OVERFLOW);
    let expected = encode(&lab.dictionary, &[KeyValue { key: OVERFLOW_KEY, value: Value::Bool(true) }]);
    assert_eq!(lab.set(header.attributes_ref.get()), expected);
}

#[test]
fn the_overflow_attribute_given_by_a_caller_is_the_overflow_series() {
    let lab = Lab::with(CELLS_LENGTH, 64 << 10, 2);
    let metric = lab.define(&COUNTER);
    let overflow = [KeyValue { key: OVERFLOW_KEY, value: Value::Bool(true) }];
    let found = lab.add(metric, &overflow, 1);
    assert_eq!(found, Found { series: SeriesRef(0), overflow: true });
    lab.add(metric, &[], 1);
    assert_eq!(lab.add(metric, &[int("n", 1)], 1), found);
    assert_eq!(lab.add(metric, &overflow, 1), found);
    assert_eq!(lab.sums(), [3, 1]);
}

#[test]
fn full_cells_leave_every_stream_its_overflow_series() {
    let lab = Lab::new();
    let sizes =
        Aggregation::ExponentialHistogram { temporality: Cumulative, max_buckets: 160, max_scale: 20 };
    let (counter, histogram) = (lab.define(&COUNTER), lab.define(&sizes));
    let added = (0..2000).take_while(|&number| !lab.add(counter, &[int("n", number)], 1).overflow).count();
    // 64 KiB hold the header, the histogram's overflow series of 5,312 bytes, and 128 bytes each.
    assert_eq!(added, (CELLS_LENGTH - 64 - 5312) / 128 - 1);
    let found = lab.add(histogram, &[int("n", 1)], 1);
    assert!(found.overflow && found == lab.add(histogram, &[], 2));
    assert_eq!(lab.published().len(), added + 2);
    let error = lab.metrics.define(MetricRef(999), &COUNTER, None, 1).unwrap_err();
    assert!(matches!(error, Error::CellsFull));
    // One that is too large from the start.
    let lab = Lab::new();
    let large =
        Aggregation::ExponentialHistogram { temporality: Cumulative, max_buckets: 16_384, max_scale: 20 };
    assert!(matches!(lab.metrics.define(MetricRef(999), &large, None, 1), Err(Error::CellsFull)));
}

#[test]
fn what_does_not_fit_the_dictionary_goes_to_the_overflow_series() {
    let lab = Lab::with(CELLS_LENGTH, 8 << 10, 2000);
    let metric = lab.define(&COUNTER);
    let text = "x".repeat(10_000);
    let large = [KeyValue { key: "large", value: Value::String(&text) }];
    assert!(lab.add(metric, &large, 1).overflow);
    assert!(!lab.add(metric, &[int("small", 1)], 1).overflow);
    assert!((0..400).any(|number| lab.add(metric, &[int("n", number)], 1).overflow));
    assert!(lab.add(metric, &[int("n", 401)], 1).overflow);
    assert!(!lab.add(metric, &[], 1).overflow);
}

#[test]
fn an_overflow_series_needs_no_room_in_the_dictionary() {
    let lab = Lab::with(CELLS_LENGTH, 8 << 10, 2);
    let metric = lab.define(&COUNTER);
    let fill = |number: &u64| lab.dictionary.define(EntryKind::Resource, &number.to_le_bytes()).is_ok();
    assert!((0..10_000).take_while(fill).count() < 10_000);
    let found = lab.add(metric, &[int("n", 1)], 1);
    assert!(found.overflow && found == lab.add(metric, &[int("n", 2)], 1));
    assert_eq!(lab.metrics.references(found.series).unwrap(), (metric.raw(), 0));
    // It has the empty set then, which no second series may have: in a child neither.
    assert_eq!(lab.add(metric, &[], 1), found);
    assert_eq!(lab.sums(), [3]);
    assert_eq!(lab.fork(2).add(metric, &[], 1), found);
}

#[test]
fn threads_that_meet_a_series_first_share_it() {
    let lab = Lab::with(CELLS_LENGTH, 64 << 10, 41);
    let metric = lab.define(&COUNTER);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..1000 {
                    lab.add(metric, &[int("n", turn % 50), int("a", 1)], 1);
                }
            });
        }
    });
    let sums = lab.sums();
    assert_eq!((sums.len(), sums.iter().sum::<i64>()), (41, 4000));
    assert!(sums.iter().all(|sum| *sum == 80 || *sum == 800), "{sums:?}");
}

#[test]
fn a_child_has_the_same_series_with_nothing_recorded() {
    let parent = Lab::with(CELLS_LENGTH, 64 << 10, 3);
    let counter = parent.define(&COUNTER);
    let bounds = Aggregation::Histogram { temporality: Cumulative, boundaries: &[1.0, 2.0] };
    let histogram = parent.define(&bounds);
    let unused = parent.define(&Aggregation::Gauge);
    let given: Vec<_> =
        (0..4).map(|number| parent.add(counter, &[int("n", number), int("a", 1)], 1)).collect();
    let bucket = parent.add(histogram, &[int("n", 0), int("a", 1)], 2);

    let child = parent.fork(3);
    assert_eq!(child.sums()[..3], [0, 0, 0]);
    let (before, after) = (parent.published(), child.published());
    assert_eq!(before.len(), after.len());
    for ((old, _), (new, _)) in before.iter().zip(&after) {
        let mut expected = *new;
        expected.start_time_unix_nano = old.start_time_unix_nano;
        (expected.crc, expected.version) = (old.crc, old.version);
        assert_eq!((*old, new.start_time_unix_nano.get(), new.version.get()), (expected, 5000, 0));
    }
    // Bound series and lookups give the same numbers, new and overflowing ones go on from there.
    for (number, found) in (0..).zip(&given) {
        assert_eq!(child.add(counter, &[int("a", 1), int("n", number)], 10), *found);
    }
    assert_eq!(child.add(histogram, &[int("n", 0), int("a", 1)], 2), bucket);
    child.metrics.record(bucket.series, 1, Number::Double(1.5)).unwrap();
    assert_eq!(child.sums()[..3], [10, 10, 20]);
    assert_eq!(parent.sums()[..3], [1, 1, 2]);
    assert!(!child.add(unused, &[], 1).overflow);
    let sets = child.dictionary.entries(EntryKind::AttributeSet);
    assert_eq!(sets, parent.dictionary.entries(EntryKind::AttributeSet));
    // And a child of the child.
    assert_eq!(child.fork(3).published().len(), before.len() + 1);
}

#[test]
fn a_child_stops_at_a_series_that_it_cannot_number() {
    let parent = Lab::new();
    let metric = parent.define(&COUNTER);
    assert_eq!(
        (0..3).map(|number| parent.add(metric, &[int("n", number)], 1)).last().unwrap().series,
        SeriesRef(2)
    );
    // As one looks that the parent added after its dictionary was copied.
    let header = CELLS + CellsHeader::SIZE + 128;
    let mut damaged = Vec::new();
    parent.storage.mapping().load_bytes(header, SeriesHeader::SIZE, &mut damaged);
    let whole = SeriesHeader::read_from_bytes(&damaged).unwrap();
    let mut damaged = whole;
    damaged.attributes_ref.set(7777);
    let crc = header_crc(&damaged);
    damaged.crc.set(crc);
    parent.storage.mapping().store_bytes(header, damaged.as_bytes());
    assert_eq!(parent.fork(2000).published().len(), 1);
    damaged = whole;
    damaged.crc.set(whole.crc.get() ^ 1);
    parent.storage.mapping().store_bytes(header, damaged.as_bytes());
    let child = parent.fork(2000);
    assert_eq!(child.published().len(), 1);
    assert_eq!(child.add(metric, &[int("n", 2)], 1).series, SeriesRef(1));
}
