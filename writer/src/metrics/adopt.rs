//! Adoption: a forked child lays its parent's series out anew, with nothing recorded (SPEC "Fork").
//!
//! Bytes come from the parent's mapped cells, which its other threads go on changing, and from the child's copy
//! of the dictionary. The parent's private state is not looked at: a thread may have been changing it when the
//! process forked. Numbers follow the order in the file, so what lies behind a series that cannot be adopted
//! cannot be either; only series that came after the fork can be of that kind.

use super::{Metrics, SMALLEST_SERIES, Set, Space, Stream, header_crc};
use crate::attribute_set;
use crate::cells::Aggregator;
use crate::dictionary::Dictionary;
use crate::error::Error;
use crate::mapping::Mapping;
use crate::sync::Ordering;
use crate::telemetry::{Aggregation, Temporality};
use otlp_mmap_format::{
    self as format, CellsHeader, EntryKind, ItemHeader, ItemTag, MetricStreamBody, SERIES_ALIGN,
    SERIES_FLAG_OVERFLOW, SeriesHeader, unseal,
};
use std::collections::HashMap;
use std::mem::offset_of;
use std::ops::Range;
use std::sync::Arc;
use zerocopy::FromBytes;

/// What the child's dictionary defines, by reference.
struct Defined {
    /// In the order of their definition.
    streams: Vec<Arc<Stream>>,
    by_reference: HashMap<u32, Arc<Stream>>,
    sets: HashMap<u32, Set>,
}

impl Metrics {
    /// Registers every stream in the child's copy of the dictionary, and lays out the series that stand in the
    /// parent's cells, under the numbers that they have there.
    pub(crate) fn adopt(
        &self,
        dictionary: &Dictionary,
        parent: &Mapping,
        parent_cells: Range<usize>,
        now_unix_nano: u64,
    ) -> Result<(), Error> {
        let defined = Defined::new(dictionary, now_unix_nano);
        let mut space = self.space.lock_bounded().ok_or(Error::Busy)?;
        for set in defined.sets.values() {
            space.sets.insert(attribute_set::hash(self.seed, 0, &set.items), set.clone());
        }
        for header in parent_headers(parent, parent_cells.start, parent_cells.len()) {
            let Some((stream, set)) = defined.series(&header) else { break };
            self.adopt_series(&mut space, stream, set, header.flags.get() & SERIES_FLAG_OVERFLOW)?;
        }
        for stream in defined.streams {
            match self.register(&mut space, stream) {
                // The cells were full when the parent defined it: it is as unknown here as it was there.
                Ok(()) | Err(Error::CellsFull) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn adopt_series(
        &self,
        space: &mut Space,
        stream: &Arc<Stream>,
        set: &Set,
        flags: u16,
    ) -> Result<(), Error> {
        let size = stream.aggregator.series_size();
        if !self.has_room(space, size) {
            return Err(Error::CellsFull);
        }
        let at = self.allocate(space, size)?;
        let number = self.lay_out(space, at, stream, set.clone(), flags, 0)?;
        if flags & SERIES_FLAG_OVERFLOW != 0 {
            stream.overflow.get_or_init(|| number);
            space.overflow_set.get_or_insert_with(|| set.clone());
            return Ok(());
        }
        stream.count.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = self.series.slot(attribute_set::hash(self.seed, stream.reference, &set.items)) {
            self.series.enter(&slot, number);
        }
        Ok(())
    }
}

impl Defined {
    fn new(dictionary: &Dictionary, now_unix_nano: u64) -> Self {
        let stream = |reference| {
            let payload = dictionary.payload(reference);
            let aggregator = defined_aggregator(&payload)?;
            Some(Arc::new(Stream::new(reference, aggregator, defined_limit(&payload), now_unix_nano)))
        };
        let set = |reference| (reference, Set { reference, items: dictionary.payload(reference).into() });
        let streams: Vec<_> =
            dictionary.entries(EntryKind::MetricStream).into_iter().filter_map(stream).collect();
        Self {
            by_reference: streams.iter().map(|stream| (stream.reference, Arc::clone(stream))).collect(),
            streams,
            sets: std::iter::once((0, Set::empty()))
                .chain(dictionary.entries(EntryKind::AttributeSet).into_iter().map(set))
                .collect(),
        }
    }

    /// Stream and attributes of a series that the child can have as well.
    fn series(&self, header: &SeriesHeader) -> Option<(&Arc<Stream>, &Set)> {
        let stream = self.by_reference.get(&header.stream_ref.get())?;
        let set = self.sets.get(&header.attributes_ref.get())?;
        (header.size.get() as usize == stream.aggregator.series_size()).then_some((stream, set))
    }
}

/// How a stream aggregates, from its definition in the dictionary.
fn defined_aggregator(payload: &[u8]) -> Option<Aggregator> {
    let (body, items) = MetricStreamBody::read_from_prefix(payload).ok()?;
    let boundaries = boundaries(items);
    // Cells are cumulative whatever the stream asks for.
    let temporality = Temporality::Cumulative;
    let aggregation = match format::Aggregation::from_code(body.aggregation.get())? {
        format::Aggregation::Gauge => Aggregation::Gauge,
        format::Aggregation::Sum => {
            Aggregation::Sum { temporality, is_monotonic: body.is_monotonic.get() != 0 }
        }
        format::Aggregation::Histogram => Aggregation::Histogram { temporality, boundaries: &boundaries },
        format::Aggregation::ExponentialHistogram => Aggregation::ExponentialHistogram {
            temporality,
            max_buckets: body.max_buckets.get(),
            max_scale: body.max_scale.get(),
        },
    };
    Aggregator::new(&aggregation).ok()
}

/// The cardinality limit that the definition of a stream in the dictionary gives.
fn defined_limit(payload: &[u8]) -> Option<u32> {
    let (_, items) = MetricStreamBody::read_from_prefix(payload).ok()?;
    item(items, ItemTag::CardinalityLimit).first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The payload (and padding) of the first item with a tag; empty if there is none.
fn item(items: &[u8], wanted: ItemTag) -> &[u8] {
    let found = attribute_set::Items(items).find(|item| tag(item) == Some(wanted.code()));
    found.and_then(|item| item.get(ItemHeader::SIZE..)).unwrap_or_default()
}

/// The doubles of the `Boundaries` item, if there is one.
fn boundaries(items: &[u8]) -> Vec<f64> {
    let payload = item(items, ItemTag::Boundaries);
    payload.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn tag(item: &[u8]) -> Option<u8> {
    ItemHeader::ref_from_prefix(item).ok().map(|(header, _)| header.tag())
}

/// The headers of the published series, in order, up to the first that is damaged.
fn parent_headers(parent: &Mapping, base: usize, length: usize) -> impl Iterator<Item = SeriesHeader> {
    // SYNC CELL: series up to here are whole.
    let committed = parent.word(base + offset_of!(CellsHeader, committed)).load(Ordering::Acquire);
    let end = unseal(committed).and_then(|end| usize::try_from(end).ok()).unwrap_or(0).min(length);
    let mut at = CellsHeader::SIZE;
    std::iter::from_fn(move || {
        let mut bytes = Vec::new();
        if at + SeriesHeader::SIZE > end {
            return None;
        }
        parent.load_bytes(base + at, SeriesHeader::SIZE, &mut bytes);
        let header = SeriesHeader::read_from_bytes(&bytes).ok()?;
        let size = header.size.get() as usize;
        let is_sound = header.crc.get() == header_crc(&header)
            && size >= SMALLEST_SERIES
            && size.is_multiple_of(SERIES_ALIGN);
        at += size;
        is_sound.then_some(header)
    })
}
