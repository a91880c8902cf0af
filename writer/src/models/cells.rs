//! CELL and FLIP: sums have their type and time, new series their header, and copies are of one moment.

use super::explore;
use super::observer::copy;
use crate::cells::{Aggregator, Cell};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::mapping::Mapping;
use crate::metrics::Metrics;
use crate::storage::Storage;
use crate::sync::{Ordering, fence};
use crate::telemetry::{Aggregation, Key, MetricRef, Number, Temporality};
use loom::thread;
use otlp_mmap_format::{
    CellsHeader, DictionaryHeader, GaugeCopy, SeriesHeader, SumCell, VALUE_DOUBLE, VALUE_INT, seal, unseal,
};
use std::mem::offset_of;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// One series at the start of a mapping.
struct Series {
    mapping: Mapping,
    aggregator: Aggregator,
    cell: Cell,
}

impl Series {
    fn new(aggregator: Aggregator) -> Arc<Self> {
        let mapping = Mapping::zeroed(aggregator.series_size());
        Arc::new(Self { cell: Cell::new(0, &aggregator), mapping, aggregator })
    }

    fn sum() -> Arc<Self> {
        Self::new(Aggregator::Sum { is_monotonic: false })
    }

    fn record(&self, time_unix_nano: u64, value: Number) {
        self.cell.record(&self.mapping, &self.aggregator, time_unix_nano, value).unwrap();
    }

    fn store_total(&self, time_unix_nano: u64, total: Number) {
        self.cell.store_total(&self.mapping, &self.aggregator, time_unix_nano, total).unwrap();
    }

    fn load(&self, offset: usize, ordering: Ordering) -> u64 {
        self.mapping.word(SeriesHeader::SIZE + offset).load(ordering)
    }
}

type Record = fn(&Series, u64, Number);

/// A value of a sum that is found has its type and its time.
fn a_value_has_type_and_time(record: Record, value: Number, offset: usize, bits: u64, kind: u64) {
    explore(None, &["0", "1"], move |outcomes| {
        let series = Series::sum();
        let observer = thread::spawn({
            let series = Arc::clone(&series);
            move || {
                let found = series.load(offset, Ordering::Acquire);
                let seen = series.load(offset_of!(SumCell, seen), Ordering::Relaxed);
                let time = series.load(offset_of!(SumCell, time_unix_nano), Ordering::Relaxed);
                outcomes.note(u64::from(found != 0).to_string());
                if found != 0 {
                    assert_eq!((found, seen, time), (bits, kind, 7));
                }
            }
        });
        record(&series, 7, value);
        observer.join().unwrap();
    });
}

const INT_VALUE: usize = offset_of!(SumCell, int_value);
const DOUBLE_BITS: usize = offset_of!(SumCell, double_bits);

#[test]
fn a_small_integer_has_type_and_time() {
    a_value_has_type_and_time(Series::record, Number::Int(5), INT_VALUE, 5, VALUE_INT);
}

#[test]
fn a_large_integer_has_type_and_time() {
    a_value_has_type_and_time(Series::record, Number::Int(1 << 50), INT_VALUE, 1 << 50, VALUE_INT);
}

#[test]
fn a_double_has_type_and_time() {
    a_value_has_type_and_time(
        Series::record,
        Number::Double(0.5),
        DOUBLE_BITS,
        0.5_f64.to_bits(),
        VALUE_DOUBLE,
    );
}

#[test]
fn a_total_of_integers_has_type_and_time() {
    a_value_has_type_and_time(Series::store_total, Number::Int(5), INT_VALUE, 5, VALUE_INT);
}

#[test]
fn a_total_of_doubles_has_type_and_time() {
    let bits = 0.5_f64.to_bits();
    a_value_has_type_and_time(Series::store_total, Number::Double(0.5), DOUBLE_BITS, bits, VALUE_DOUBLE);
}

/// Whichever is stored last, the sum is one of them, also where one is an integer and the other a double.
#[test]
fn threads_that_store_totals_leave_one_of_them() {
    explore(None, &["5", "8"], |outcomes| {
        let series = Series::sum();
        series.store_total(1, Number::Int(2));
        let other = thread::spawn({
            let series = Arc::clone(&series);
            move || series.store_total(2, Number::Double(8.0))
        });
        series.store_total(2, Number::Int(5));
        other.join().unwrap();
        let integers = series.load(INT_VALUE, Ordering::Relaxed);
        let doubles = f64::from_bits(series.load(DOUBLE_BITS, Ordering::Relaxed));
        outcomes.note((f64::from(u32::try_from(integers).unwrap()) + doubles).to_string());
    });
}

#[test]
fn threads_that_add_lose_nothing() {
    for (own, others, bits) in [
        (Number::Int(1), Number::Int(2), [3, 0]),
        (Number::Int(1 << 50), Number::Int(1), [(1 << 50) + 1, 0]),
        (Number::Double(0.5), Number::Double(1.0), [0, 1.5_f64.to_bits()]),
        (Number::Int(1), Number::Double(0.5), [1, 0.5_f64.to_bits()]),
    ] {
        explore(None, &[], move |_| {
            let series = Series::sum();
            let other = thread::spawn({
                let series = Arc::clone(&series);
                move || series.record(7, others)
            });
            series.record(7, own);
            other.join().unwrap();
            assert_eq!([INT_VALUE, DOUBLE_BITS].map(|offset| series.load(offset, Ordering::Relaxed)), bits);
            let seen = u64::from(bits[0] != 0) * VALUE_INT + u64::from(bits[1] != 0) * VALUE_DOUBLE;
            assert_eq!(series.load(offset_of!(SumCell, seen), Ordering::Relaxed), seen);
        });
    }
}

/// The third flip writes the copy that a reader of the first looks at, and another thread makes it.
#[test]
fn a_copy_is_of_one_moment() {
    explore(None, &["1", "2", "3", "flipped"], |outcomes| {
        let series = Series::new(Aggregator::Gauge);
        series.record(1, Number::Int(10));
        let observer = thread::spawn({
            let series = Arc::clone(&series);
            move || outcomes.note(gauge(&series).map_or("flipped".to_owned(), |time| time.to_string()))
        });
        series.record(2, Number::Int(20));
        let other = thread::spawn({
            let series = Arc::clone(&series);
            move || series.record(3, Number::Int(30))
        });
        other.join().unwrap();
        observer.join().unwrap();
    });
}

#[test]
fn a_first_copy_is_there_with_its_version() {
    explore(None, &["0", "1"], |outcomes| {
        let series = Series::new(Aggregator::Gauge);
        let observer = thread::spawn({
            let series = Arc::clone(&series);
            move || outcomes.note(gauge(&series).expect("one flip").to_string())
        });
        series.record(1, Number::Int(10));
        observer.join().unwrap();
    });
}

/// The time of a gauge whose values are ten times their times; `None`: it was flipped while it was read.
fn gauge(series: &Series) -> Option<u64> {
    let version = |ordering| {
        let word = series.mapping.word(offset_of!(SeriesHeader, version)).load(ordering);
        unseal(word).expect("the check of a version")
    };
    let before = version(Ordering::Acquire);
    if before == 0 {
        return Some(0);
    }
    let number = usize::from(before & 1 == 1);
    let copy = copy(&series.mapping, SeriesHeader::SIZE + number * GaugeCopy::SIZE, 24);
    if version(Ordering::Relaxed) != before {
        return None;
    }
    assert_eq!(copy, [before, before * 10, VALUE_INT]);
    Some(before)
}

const DICTIONARY: usize = 512;
const CELLS: usize = 512;

#[test]
fn a_new_series_has_its_header_and_its_attributes() {
    explore(None, &["0", "1"], |outcomes| {
        let storage = Arc::new(Storage::in_memory(DICTIONARY + CELLS));
        let mapping = storage.mapping();
        mapping.word(0).store(seal(DictionaryHeader::SIZE as u64), Ordering::Relaxed);
        mapping.word(DICTIONARY).store(seal(CellsHeader::SIZE as u64), Ordering::Relaxed);
        let dictionary = Dictionary::new(Arc::clone(&storage), 0..DICTIONARY, 1, 0).unwrap();
        let metrics = Metrics::new(Arc::clone(&storage), DICTIONARY..DICTIONARY + CELLS, 3, 1).unwrap();
        let sum = Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
        metrics.define(MetricRef(9), &sum, None, 1).unwrap();
        let mut items = Vec::new();
        Encoder::new(&mut items, &dictionary, usize::MAX, usize::MAX).bool(Key::Str("k"), true).unwrap();
        let observer = thread::spawn({
            let storage = Arc::clone(&storage);
            move || outcomes.note(series_found(storage.mapping()).to_string())
        });
        metrics.series(&dictionary, MetricRef(9), &items, 1, None).unwrap();
        observer.join().unwrap();
    });
}

/// How many series there are, up to one; its header is whole and its attributes are in the dictionary.
fn series_found(mapping: &Mapping) -> u32 {
    let committed = |at: usize| unseal(mapping.word(at).load(Ordering::Acquire)).expect("the check");
    if committed(DICTIONARY) == CellsHeader::SIZE as u64 {
        return 0;
    }
    let words = copy(mapping, DICTIONARY + CellsHeader::SIZE, 32);
    let header = words.as_bytes();
    let stored = u32::from_le_bytes(header[28..].try_into().unwrap());
    assert_eq!(crc32c::crc32c(&header[..28]), stored, "CRC of the header");
    let (header, _) = SeriesHeader::read_from_prefix(&[header, &[0; 32]].concat()).unwrap();
    assert_eq!(header.stream_ref.get(), 9);
    fence(Ordering::Acquire);
    assert!(committed(0) > u64::from(header.attributes_ref.get()) * 8, "the set is in the dictionary");
    1
}
