//! Metric series of every kind, damaged but with checks that fit: headers, copies, versions, bucket counts. What is
//! read has the buckets and the count it says, and becomes OTLP and every other output.

use std::collections::HashSet;

use otlp_mmap_format::{
    Aggregation, CellsHeader, EntryHeader, EntryKind, SeriesHeader, SeriesKind, U16, U32, U64, seal,
    series_size,
};
use otlp_mmap_reader::Snapshot;
use otlp_mmap_reader::model::{Buckets, Point};

use crate::dictionary::entries;
use crate::image::{get, put};
use crate::output::render;
use crate::parts::Parts;
use crate::random::{Mutate, Random};
use crate::read::everything;

/// Most bytes of cells that still grow.
const MAX_CELLS: usize = 6 << 10;

/// Reads a recording of these parts.
pub fn run(input: &[u8]) {
    let (file, _lock) = Parts::decode(input).file();
    let snapshot = everything(&file.recording().expect("a whole header"));
    check(&snapshot);
    render(&snapshot);
}

fn check(snapshot: &Snapshot) {
    let mut names = HashSet::new();
    for series in &snapshot.series {
        assert!(names.insert(series.series), "two series of {:?}", series.series);
        assert_ne!(series.time_unix_nano, 0, "a value without a time");
        let (count, sum) = match &series.point {
            Point::Gauge(_) | Point::Sum(_) => continue,
            Point::Histogram { count, bucket_counts, .. } => (*count, total(bucket_counts)),
            Point::ExponentialHistogram { count, scale, zero_count, positive, negative, .. } => {
                assert!((-10..=20).contains(scale), "scale {scale}");
                let buckets = [positive, negative].map(|Buckets { counts, .. }| total(counts));
                (*count, buckets.iter().fold(*zero_count, |sum, count| sum.saturating_add(*count)))
            }
        };
        assert_eq!(count, sum, "the count of {:?}", series.point);
        let exemplars = series.exemplars.iter();
        assert!(exemplars.clone().all(|exemplar| exemplar.series == series.series && !exemplar.raw));
    }
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// Offsets and headers of the series one after another.
fn all_series(cells: &[u8]) -> Vec<(usize, SeriesHeader)> {
    let mut found = Vec::new();
    let mut at = CellsHeader::SIZE;
    while let Some(header) = get::<SeriesHeader>(cells, at) {
        let size = usize::try_from(header.size.get()).unwrap_or(usize::MAX);
        if size < SeriesHeader::SIZE {
            break;
        }
        found.push((at, header));
        at = at.saturating_add(size);
    }
    found
}

/// Changes series.
pub fn mutate(parts: &mut Parts, random: &mut Random, default: Mutate<'_>) {
    if random.one_in(16) {
        parts.state = random.number().to_le_bytes()[3];
    }
    let Some(&(at, header)) = random.pick(&all_series(&parts.cells)) else {
        add(parts, random);
        return;
    };
    let size = usize::try_from(header.size.get()).unwrap_or(0);
    let end = at.saturating_add(size).min(parts.cells.len());
    let behind = (at + SeriesHeader::SIZE).min(end);
    match random.below(8) {
        0 => random.change_within(&mut parts.cells, default),
        1 => random.change_within(&mut parts.cells[at..behind], default),
        2 => random.put_interesting(&mut parts.cells[at..behind]),
        3 => random.change_within(&mut parts.cells[behind..end], default),
        4 => random.put_interesting(&mut parts.cells[behind..end]),
        5 => change_header(parts, at, header, random),
        6 if parts.cells.len() < MAX_CELLS => {
            let copy = parts.cells[at..end].to_vec();
            parts.cells.extend(copy);
        }
        _ => add(parts, random),
    }
    let length = parts.cells.len() as u64;
    if !random.one_in(4) {
        put(&mut parts.cells, 0, &U64::new(seal(length)));
    }
}

/// Another kind, capacity, version or stream; mostly with the size that goes with it.
fn change_header(parts: &mut Parts, at: usize, mut header: SeriesHeader, random: &mut Random) {
    match random.below(4) {
        0 => header.kind = U16::new(u16::try_from(random.below(6)).unwrap_or(0)),
        1 => header.capacity = U32::new(u32::try_from(random.below(300)).unwrap_or(0)),
        2 => header.version = U64::new(seal(u64::try_from(random.below(5)).unwrap_or(0))),
        _ => refer(&mut header, parts, random),
    }
    if let Some(kind) = SeriesKind::from_code(header.kind.get()).filter(|_| !random.one_in(4)) {
        header.size = U32::new(u32::try_from(series_size(kind, header.capacity.get())).unwrap_or(u32::MAX));
    }
    put(&mut parts.cells, at, &header);
}

/// Has a series be one of a metric stream and a set of attributes that are there.
fn refer(header: &mut SeriesHeader, parts: &Parts, random: &mut Random) {
    let mut pick = |kind: EntryKind| {
        let all = entries(&parts.dictionary).into_iter();
        let all: Vec<(usize, EntryHeader)> =
            all.filter(|(_, entry)| entry.kind.get() == kind.code()).collect();
        random.pick(&all).map_or(0, |(at, _)| *at)
    };
    let (stream, attributes) = (pick(EntryKind::MetricStream), pick(EntryKind::AttributeSet));
    let reference = |at: usize| U32::new(u32::try_from(at / 8).unwrap_or(0));
    (header.stream_ref, header.attributes_ref) = (reference(stream), reference(attributes));
    let aggregation = get::<U32>(&parts.dictionary, stream + EntryHeader::SIZE + 4);
    if let Some(aggregation) = aggregation.and_then(|code| Aggregation::from_code(code.get())) {
        header.kind = U16::new(u16::try_from(aggregation.code()).unwrap_or(0));
    }
}

/// Appends a series of some stream, measured once or not at all.
fn add(parts: &mut Parts, random: &mut Random) {
    let mut header: SeriesHeader = zerocopy::FromZeros::new_zeroed();
    refer(&mut header, parts, random);
    let kind = SeriesKind::from_code(header.kind.get()).unwrap_or(SeriesKind::Gauge);
    header.kind = U16::new(kind.code());
    header.capacity = U32::new(u32::try_from(random.below(12)).unwrap_or(0));
    header.version = U64::new(seal(u64::try_from(random.below(3)).unwrap_or(0)));
    let size = series_size(kind, header.capacity.get());
    header.size = U32::new(u32::try_from(size).unwrap_or(0));
    let start = parts.cells.len().next_multiple_of(64).max(64);
    if start < MAX_CELLS {
        parts.cells.resize(start + usize::try_from(size).unwrap_or(0), 0);
        put(&mut parts.cells, start, &header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::try_out;

    #[test]
    fn mutated_series_are_read() {
        try_out(run, mutate);
    }
}
