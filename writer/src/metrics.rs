//! Metrics: streams, their series, and how a measurement finds its series (SPEC "Metric cells").
//!
//! [`Metrics::record`], and [`Metrics::series`] for a series that exists, are HOT. Promise: no allocation, no
//! panic, no system call, bounded steps. A new series is cold: it takes a lock, the attributes go to the
//! dictionary and the series to the mapped cells, from where nothing is ever freed. What is beyond a stream's
//! cardinality limit, or finds the cells or the dictionary full, goes to the stream's overflow series, for which
//! space is set aside when the stream is defined.
//!
//! Series are numbered in the order in which they lie in the file, so that a forked child can lay out the same
//! ones under the same numbers.

mod adopt;

use crate::attribute_set;
use crate::cells::{Aggregator, Cell};
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::error::Error;
use crate::registry::Registry;
use crate::storage::{Ahead, Storage};
use crate::sync::{AtomicBool, AtomicU32, Ordering, TryLock};
use crate::telemetry::{Aggregation, Key, MetricRef, Number, SeriesRef};
use otlp_mmap_format::{CellsHeader, EntryKind, SERIES_ALIGN, SERIES_FLAG_OVERFLOW, SeriesHeader, seal};
use std::collections::HashMap;
use std::mem::offset_of;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use zerocopy::{FromZeros, IntoBytes};

/// The attribute of an overflow series, as the SDK specification names it.
const OVERFLOW_KEY: &str = "otel.metric.overflow";
const SMALLEST_SERIES: usize = 2 * SERIES_ALIGN;

/// Checks an aggregation as `Metrics::define` does.
pub(crate) fn check_aggregation(aggregation: &Aggregation<'_>) -> Result<(), Error> {
    Aggregator::new(aggregation).map(drop)
}

/// The metric streams and series of a recording.
pub(crate) struct Metrics {
    storage: Arc<Storage>,
    /// Start of the section in bytes.
    base: usize,
    length: usize,
    cardinality_limit: u32,
    seed: u64,
    streams: Registry<Arc<Stream>>,
    series: Registry<Series>,
    space: TryLock<Space>,
}

/// The series of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) series: SeriesRef,
    /// Whether it is the stream's overflow series, in place of one for these attributes.
    pub(crate) overflow: bool,
}

struct Stream {
    reference: u32,
    aggregator: Aggregator,
    /// Its own, beside that of all streams.
    cardinality_limit: u32,
    created_unix_nano: u64,
    /// Series, without the overflow series. Changed under the lock of `space`.
    count: AtomicU32,
    overflow: OnceLock<u32>,
    /// No series will ever be added.
    is_full: AtomicBool,
}

struct Series {
    cell: Cell,
    stream: Arc<Stream>,
    set: Set,
}

/// An attribute set in its canonical form; reference 0: the empty one.
#[derive(Clone)]
struct Set {
    reference: u32,
    items: Arc<[u8]>,
}

/// How far the section is used up, and which attribute sets the dictionary has.
struct Space {
    /// Bytes in use from the start of the section.
    used: usize,
    /// Bytes set aside for overflow series; they are backed already.
    reserved: usize,
    ahead: Ahead,
    sets: HashMap<u64, Set>,
    overflow_set: Option<Set>,
}

impl Metrics {
    /// The metrics of a new recording, whose cells take these bytes of the file.
    pub(crate) fn new(
        storage: Arc<Storage>,
        section: Range<usize>,
        cardinality_limit: u32,
        seed: u64,
    ) -> Result<Self, Error> {
        let (base, length) = (section.start, section.len());
        let ahead = Ahead { backed: base, section_end: base + length };
        let space =
            Space { used: CellsHeader::SIZE, reserved: 0, ahead, sets: HashMap::new(), overflow_set: None };
        Ok(Self {
            streams: Registry::new(length / SMALLEST_SERIES)?,
            series: Registry::new(length / SMALLEST_SERIES)?,
            space: TryLock::new(space),
            storage,
            base,
            length,
            cardinality_limit,
            seed,
        })
    }

    /// Registers a stream whose definition stands in the dictionary, and sets space aside for its overflow
    /// series. Registering it again changes nothing.
    pub(crate) fn define(
        &self,
        metric: MetricRef,
        aggregation: &Aggregation<'_>,
        cardinality_limit: Option<u32>,
        created_unix_nano: u64,
    ) -> Result<(), Error> {
        let aggregator = Aggregator::new(aggregation)?;
        let stream = Stream::new(metric.raw(), aggregator, cardinality_limit, created_unix_nano);
        let mut space = self.space.lock_bounded().ok_or(Error::Busy)?;
        if self.stream(metric).is_ok() { Ok(()) } else { self.register(&mut space, Arc::new(stream)) }
    }

    /// The series of a stream with these attributes, items as the [`Encoder`] makes them. It is created if it is
    /// new, beginning at the time given (0: unknown) unless the stream is older; not for a value that the stream
    /// refuses.
    #[inline]
    pub(crate) fn series(
        &self,
        dictionary: &Dictionary,
        metric: MetricRef,
        attributes: &[u8],
        time_unix_nano: u64,
        value: Option<Number>,
    ) -> Result<Found, Error> {
        match self.find(metric, attributes) {
            Some(found) => Ok(found),
            None => self.find_slowly(dictionary, metric, attributes, time_unix_nano, value),
        }
    }

    /// Adds a measurement to a series.
    #[inline]
    pub(crate) fn record(&self, series: SeriesRef, time_unix_nano: u64, value: Number) -> Result<(), Error> {
        let series = self.get(series)?;
        series.cell.record(self.storage.mapping(), &series.stream.aggregator, time_unix_nano, value)
    }

    /// Makes the sum of a series the total that was observed.
    pub(crate) fn store_total(
        &self,
        series: SeriesRef,
        time_unix_nano: u64,
        total: Number,
    ) -> Result<(), Error> {
        let series = self.get(series)?;
        series.cell.store_total(self.storage.mapping(), &series.stream.aggregator, time_unix_nano, total)
    }

    /// As [`Cell::age`], of every series.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn age(&self, version: u64) {
        let all = (0..).map_while(|number| self.series.get(number));
        all.for_each(|series| series.cell.age(self.storage.mapping(), version));
    }

    /// Ends all changes but those of sums for good; a call under way is finished first.
    pub(crate) fn freeze(&self) {
        self.space.keep();
        (0..).map_while(|number| self.series.get(number)).for_each(|series| series.cell.freeze());
    }

    /// Whether it is the overflow series of its stream.
    #[inline]
    pub(crate) fn is_overflow(&self, series: SeriesRef) -> bool {
        self.get(series).is_ok_and(|found| found.stream.overflow.get() == Some(&series.0))
    }

    /// Dictionary references of a series' stream and attributes.
    #[inline]
    pub(crate) fn references(&self, series: SeriesRef) -> Result<(u32, u32), Error> {
        let series = self.get(series)?;
        Ok((series.stream.reference, series.set.reference))
    }

    /// The attributes of a series as items, in their canonical form.
    pub(crate) fn attributes(&self, series: SeriesRef) -> Result<&[u8], Error> {
        Ok(&self.get(series)?.set.items)
    }

    #[inline]
    fn get(&self, SeriesRef(reference): SeriesRef) -> Result<&Series, Error> {
        match self.series.get(reference) {
            Some(series) => Ok(series),
            None => Err(Error::UnknownReference { argument: "series", reference, expected: "a series" }),
        }
    }

    #[inline]
    fn find(&self, metric: MetricRef, attributes: &[u8]) -> Option<Found> {
        let hash = attribute_set::hash(self.seed, metric.raw(), attributes);
        let is_same = |series: &Series| {
            series.stream.reference == metric.raw() && attribute_set::is_same(&series.set.items, attributes)
        };
        let (number, _) = self.series.find(hash, is_same)?;
        Some(Found { series: SeriesRef(number), overflow: false })
    }

    #[cold]
    fn find_slowly(
        &self,
        dictionary: &Dictionary,
        metric: MetricRef,
        attributes: &[u8],
        time_unix_nano: u64,
        value: Option<Number>,
    ) -> Result<Found, Error> {
        let stream = self.stream(metric)?;
        value.map_or(Ok(()), |value| stream.aggregator.check(value))?;
        // Acquire pairs with `add`: who sees the mark sees every series, so that what is not found is not
        // there. This is the way of a stream with runaway attributes, and it takes no lock.
        if stream.is_full.load(Ordering::Acquire)
            && attribute_set::is_plain(attributes)
            && let Some(&overflow) = stream.overflow.get()
        {
            let found = self.find(metric, attributes);
            return Ok(found.unwrap_or(Found { series: SeriesRef(overflow), overflow: true }));
        }
        let items = attribute_set::canonical(dictionary, attributes);
        let mut space = self.space.lock_bounded().ok_or(Error::Busy)?;
        match self.find(metric, &items) {
            Some(found) => Ok(found),
            None => self.add(&mut space, dictionary, stream, &items, time_unix_nano),
        }
    }

    /// A new series, or the overflow series if there is no room for it.
    fn add(
        &self,
        space: &mut Space,
        dictionary: &Dictionary,
        stream: &Arc<Stream>,
        items: &[u8],
        time_unix_nano: u64,
    ) -> Result<Found, Error> {
        let overflow_set = self.overflow_set(space, dictionary)?;
        if *overflow_set.items == *items {
            return self.turn_away(space, stream, overflow_set, time_unix_nano);
        }
        match self.try_add(space, dictionary, stream, items, time_unix_nano) {
            Ok(number) => Ok(Found { series: SeriesRef(number), overflow: false }),
            Err(Error::Busy) => Err(Error::Busy),
            Err(reason) => {
                let found = self.turn_away(space, stream, overflow_set, time_unix_nano)?;
                // All series of a stream take the same space, and none is freed.
                if matches!(reason, Error::CellsFull) {
                    stream.is_full.store(true, Ordering::Release);
                }
                Ok(found)
            }
        }
    }

    fn try_add(
        &self,
        space: &mut Space,
        dictionary: &Dictionary,
        stream: &Arc<Stream>,
        items: &[u8],
        time_unix_nano: u64,
    ) -> Result<u32, Error> {
        // One is left for the overflow series.
        let count = stream.count.load(Ordering::Relaxed);
        let size = stream.aggregator.series_size();
        let limit = self.cardinality_limit.min(stream.cardinality_limit);
        if count >= limit.saturating_sub(1) || !self.has_room(space, size) {
            return Err(Error::CellsFull);
        }
        let slot = self.series.slot(attribute_set::hash(self.seed, stream.reference, items));
        let slot = slot.ok_or(Error::CellsFull)?;
        let set = self.intern(space, dictionary, items)?;
        let at = self.allocate(space, size)?;
        let number = self.lay_out(space, at, stream, set, 0, time_unix_nano)?;
        self.series.enter(&slot, number);
        stream.count.store(count + 1, Ordering::Relaxed);
        Ok(number)
    }

    /// The overflow series, laid out in the space set aside for it when it is needed first.
    fn turn_away(
        &self,
        space: &mut Space,
        stream: &Arc<Stream>,
        set: Set,
        time_unix_nano: u64,
    ) -> Result<Found, Error> {
        let number = match stream.overflow.get() {
            Some(&number) => number,
            None => self.lay_out_overflow(space, stream, set, time_unix_nano)?,
        };
        Ok(Found { series: SeriesRef(number), overflow: true })
    }

    fn lay_out_overflow(
        &self,
        space: &mut Space,
        stream: &Arc<Stream>,
        set: Set,
        time_unix_nano: u64,
    ) -> Result<u32, Error> {
        let size = stream.aggregator.series_size();
        space.reserved -= size;
        let at = self.allocate(space, size)?;
        let number = self.lay_out(space, at, stream, set, SERIES_FLAG_OVERFLOW, time_unix_nano)?;
        Ok(*stream.overflow.get_or_init(|| number))
    }
}

/// Registration and space. Whoever has the `Space` has its lock.
impl Metrics {
    fn stream(&self, metric: MetricRef) -> Result<&Arc<Stream>, Error> {
        let reference = metric.raw();
        let found = self.streams.find(self.stream_hash(reference), |stream| stream.reference == reference);
        let unknown =
            Error::UnknownReference { argument: "metric_ref", reference, expected: "a metric stream" };
        found.map(|(_, stream)| stream).ok_or(unknown)
    }

    fn stream_hash(&self, reference: u32) -> u64 {
        attribute_set::hash(self.seed, reference, &[])
    }

    /// Makes a stream known whose overflow series exists or has space set aside now.
    fn register(&self, space: &mut Space, stream: Arc<Stream>) -> Result<(), Error> {
        let slot = self.streams.slot(self.stream_hash(stream.reference)).ok_or(Error::CellsFull)?;
        let size = stream.aggregator.series_size();
        if stream.overflow.get().is_none() {
            if !self.has_room(space, size) {
                return Err(Error::CellsFull);
            }
            self.back(space, size)?;
            space.reserved += size;
        }
        let number = self.streams.append(stream).ok_or(Error::CellsFull)?;
        self.streams.enter(&slot, number);
        Ok(())
    }

    fn has_room(&self, space: &Space, size: usize) -> bool {
        size <= self.length.saturating_sub(space.used + space.reserved)
    }

    /// Backs `size` bytes more than what is used or set aside.
    fn back(&self, space: &mut Space, size: usize) -> Result<(), Error> {
        let length = space.used + space.reserved + size;
        self.storage.back_ahead(&mut space.ahead, self.base, length).map_err(|_| Error::NoSpace)
    }

    /// Takes `size` bytes, which `has_room` vouched for, and gives their offset in the file.
    fn allocate(&self, space: &mut Space, size: usize) -> Result<usize, Error> {
        self.back(space, size)?;
        let at = self.base + space.used;
        space.used += size;
        Ok(at)
    }

    /// Writes an empty series at the end of the used bytes, publishes it and gives it a number.
    fn lay_out(
        &self,
        space: &Space,
        at: usize,
        stream: &Arc<Stream>,
        set: Set,
        flags: u16,
        time_unix_nano: u64,
    ) -> Result<u32, Error> {
        let mapping = self.storage.mapping();
        mapping.store_bytes(at, stream.header(set.reference, flags, time_unix_nano).as_bytes());
        let cell = Cell::new(at, &stream.aggregator);
        // SYNC CELL: orders the whole series before its publication; paired with a reader's load.
        let committed = mapping.word(self.base + offset_of!(CellsHeader, committed));
        committed.store(seal(space.used as u64), Ordering::Release);
        self.series.append(Series { cell, stream: Arc::clone(stream), set }).ok_or(Error::CellsFull)
    }

    /// The set as an entry of the dictionary: the one that is there, or a new one.
    fn intern(&self, space: &mut Space, dictionary: &Dictionary, items: &[u8]) -> Result<Set, Error> {
        if items.is_empty() {
            return Ok(Set::empty());
        }
        let hash = attribute_set::hash(self.seed, 0, items);
        if let Some(set) = space.sets.get(&hash)
            && *set.items == *items
        {
            return Ok(set.clone());
        }
        let set = Set { reference: dictionary.define(EntryKind::AttributeSet, items)?, items: items.into() };
        space.sets.insert(hash, set.clone());
        Ok(set)
    }

    /// The attributes of overflow series, defined before those of the first series. If even then the dictionary
    /// has no room, overflow series have the empty set, so that no other series can have it.
    fn overflow_set(&self, space: &mut Space, dictionary: &Dictionary) -> Result<Set, Error> {
        if let Some(set) = &space.overflow_set {
            return Ok(set.clone());
        }
        let mut items = Vec::new();
        Encoder::new(&mut items, dictionary, usize::MAX, usize::MAX).bool(Key::Str(OVERFLOW_KEY), true)?;
        let set = match self.intern(space, dictionary, &items) {
            Err(Error::DictionaryFull | Error::NoSpace) => Set::empty(),
            result => result?,
        };
        Ok(space.overflow_set.insert(set).clone())
    }
}

impl Set {
    fn empty() -> Self {
        Self { reference: 0, items: Arc::default() }
    }
}

impl Stream {
    fn new(
        reference: u32,
        aggregator: Aggregator,
        cardinality_limit: Option<u32>,
        created_unix_nano: u64,
    ) -> Self {
        Self {
            reference,
            aggregator,
            cardinality_limit: cardinality_limit.unwrap_or(u32::MAX),
            created_unix_nano,
            count: AtomicU32::new(0),
            overflow: OnceLock::new(),
            is_full: AtomicBool::new(false),
        }
    }

    /// The header of a new series.
    fn header(&self, attributes_ref: u32, flags: u16, time_unix_nano: u64) -> SeriesHeader {
        let (kind, capacity) = self.aggregator.kind();
        let start = match time_unix_nano {
            0 => self.created_unix_nano,
            time => time.min(self.created_unix_nano),
        };
        let mut header = SeriesHeader::new_zeroed();
        // At most 600 KB.
        header.size.set(u32::try_from(self.aggregator.series_size()).unwrap_or(0));
        header.kind.set(kind.code());
        header.flags.set(flags);
        header.stream_ref.set(self.reference);
        header.attributes_ref.set(attributes_ref);
        header.start_time_unix_nano.set(start);
        header.capacity.set(capacity);
        let crc = header_crc(&header);
        header.crc.set(crc);
        header
    }
}

fn header_crc(header: &SeriesHeader) -> u32 {
    crc32c::crc32c(&header.as_bytes()[..offset_of!(SeriesHeader, crc)])
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests;
