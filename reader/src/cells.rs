//! Metric cells: series with their values now (SPEC "Metric cells").
//!
//! A series header is immutable and has a CRC. A sum is two words. The other kinds have two copies of their
//! state: the version says which one is current, and the copy counts if the version did not change meanwhile.

use otlp_mmap_format::{
    CellsHeader, ExponentialCopy, GaugeCopy, HistogramCopy, SERIES_ALIGN, SERIES_FLAG_OVERFLOW, SeriesHeader,
    SeriesKind, SumCell, U64, VALUE_DOUBLE, VALUE_INT, series_size,
};

use crate::bytes::{len, size, view};
use crate::decode::number;
use crate::dictionary::Resolver;
use crate::model::{Aggregation, Buckets, MetricStream, Number, Point, Series};
use crate::source::{Source, or_fault};
use crate::{Error, Report, Rule, Section};

/// Most buckets a copy may have.
const MAX_BUCKETS: u32 = 1 << 16;
/// How often a copy that changes while it is read is read again before the last one is taken.
const MAX_TRIES: usize = 64;
/// Bytes of a series header that its CRC covers.
const HEADER_CRC_LENGTH: usize = 28;

/// A checked series header and where it stands.
struct Place {
    offset: u64,
    header: SeriesHeader,
    kind: SeriesKind,
}

/// Bytes of the section in use, at most its length.
pub(crate) fn published(section: &Section, source: &Source, report: &mut Report) -> Result<u64, Error> {
    let committed = source.read::<U64>(section.offset, "the metric cells")?.get();
    if committed > section.length || !committed.is_multiple_of(size(SERIES_ALIGN)) {
        let expected = section.length;
        report.fault(section.offset, Rule::Committed, || {
            format!("the cells have {expected} bytes and claim to use {committed}")
        });
    }
    Ok(committed.min(section.length))
}

impl Resolver<'_> {
    /// All series that were measured at least once. `trusted`: the published length counts; otherwise series
    /// are known by their CRC alone.
    pub(crate) fn series(&mut self, section: &Section, trusted: bool) -> Vec<Series> {
        let used = or_fault(published(section, self.source, self.report), section.offset, self.report);
        let end = if trusted { used.unwrap_or(0) } else { section.length };
        let (mut at, mut lost, mut series) = (size(CellsHeader::SIZE), false, Vec::new());
        while at < end {
            match self.series_header(section, at, end) {
                Ok(place) => {
                    lost = false;
                    series.extend(self.one_series(&place));
                    at += u64::from(place.header.size.get());
                }
                Err(detail) => {
                    if trusted && !std::mem::replace(&mut lost, true) {
                        self.report.fault(section.offset + at, Rule::SeriesHeader, || detail);
                    }
                    at += size(SERIES_ALIGN);
                }
            }
        }
        series
    }

    fn series_header(&self, section: &Section, at: u64, end: u64) -> Result<Place, String> {
        let offset = section.offset + at;
        let bytes =
            self.source.bytes(offset, SeriesHeader::SIZE, "the metric cells").map_err(|e| e.to_string())?;
        let header: SeriesHeader = view(&bytes, 0).ok_or("no series header")?;
        let crc = crc32c::crc32c(bytes.get(..HEADER_CRC_LENGTH).unwrap_or_default());
        if crc != header.crc.get() {
            return Err(format!("CRC32C of a series is {:#010x}, expected {crc:#010x}", header.crc.get()));
        }
        let code = header.kind.get();
        let kind = SeriesKind::from_code(code).ok_or_else(|| format!("unknown kind of series {code}"))?;
        let (capacity, found) = (header.capacity.get(), u64::from(header.size.get()));
        let expected = series_size(kind, capacity.min(MAX_BUCKETS));
        if capacity > MAX_BUCKETS || found != expected || found > end - at {
            return Err(format!("{found} bytes for a series of {capacity} buckets, expected {expected}"));
        }
        Ok(Place { offset, header, kind })
    }

    fn one_series(&mut self, place: &Place) -> Option<Series> {
        let (time_unix_nano, point) = match place.kind {
            SeriesKind::Sum => self.sum(place)?,
            kind => {
                let copy = self.current_copy(place)?;
                let decoded = match kind {
                    SeriesKind::Gauge => gauge(&copy),
                    SeriesKind::Histogram => histogram(&copy, place.header.capacity.get()),
                    _ => exponential(&copy, place.header.capacity.get()),
                };
                decoded
                    .map_err(|detail| self.report.fault(place.offset, Rule::SeriesState, || detail))
                    .ok()?
            }
        };
        let references = (place.header.stream_ref.get(), place.header.attributes_ref.get());
        let stream = self.metric_stream(references.0, place.offset, like(&point));
        if let Err(detail) = fits(&stream, &point) {
            self.report.fault(place.offset, Rule::SeriesState, || detail);
            return None;
        }
        Some(Series {
            stream,
            attributes: self.attribute_set(references.1, place.offset),
            series: references,
            overflow: place.header.flags.get() & SERIES_FLAG_OVERFLOW != 0,
            start_time_unix_nano: place.header.start_time_unix_nano.get(),
            time_unix_nano,
            point,
            exemplars: Vec::new(),
        })
    }

    fn sum(&mut self, place: &Place) -> Option<(u64, Point)> {
        let offset = place.offset + size(SeriesHeader::SIZE);
        let cell: SumCell = or_fault(self.source.read(offset, "a sum"), offset, self.report)?;
        let (int, double) = (cell.int_value.get().cast_signed(), f64::from_bits(cell.double_bits.get()));
        let value = match cell.seen.get() {
            0 => return None,
            VALUE_INT => Number::Int(int),
            VALUE_DOUBLE => Number::Double(double),
            _ => Number::Double(to_f64(int) + double),
        };
        Some((cell.time_unix_nano.get(), Point::Sum(value)))
    }

    /// The current copy of a series; `None` if it was never measured, or cannot be read.
    fn current_copy(&mut self, place: &Place) -> Option<Vec<u8>> {
        let wanted = place.kind.copy_size(place.header.capacity.get());
        let version_field = SeriesHeader::FIELDS.iter().find(|f| f.name == "version").map_or(0, |f| f.offset);
        let version_at = place.offset + size(version_field);
        let mut version: U64 = or_fault(self.source.read(version_at, "a series"), place.offset, self.report)?;
        for attempt in 1.. {
            if version.get() == 0 {
                return None;
            }
            let start = place.offset + size(SeriesHeader::SIZE) + (version.get() & 1) * wanted;
            let copy = self.source.bytes(start, len(wanted), "a series");
            let copy = or_fault(copy, start, self.report)?;
            let again = or_fault(self.source.read(version_at, "a series"), place.offset, self.report)?;
            if again == version || attempt == MAX_TRIES {
                return Some(copy);
            }
            version = again;
        }
        None
    }
}

fn gauge(copy: &[u8]) -> Result<(u64, Point), String> {
    let copy: GaugeCopy = view(copy, 0).ok_or("no gauge")?;
    let value = match copy.value_type.get() {
        VALUE_INT => number(copy.value_bits.get(), false),
        VALUE_DOUBLE => number(copy.value_bits.get(), true),
        other => {
            return Err(format!("value type {other} of a gauge, expected {VALUE_INT} or {VALUE_DOUBLE}"));
        }
    };
    Ok((copy.time_unix_nano.get(), Point::Gauge(value)))
}

fn histogram(copy: &[u8], capacity: u32) -> Result<(u64, Point), String> {
    let head: HistogramCopy = view(copy, 0).ok_or("no histogram")?;
    let bucket_counts = counts(copy, HistogramCopy::SIZE, 0, capacity);
    let count = total(&bucket_counts);
    let point = Point::Histogram {
        count,
        sum: f64::from_bits(head.sum_bits.get()),
        min: (count != 0).then(|| f64::from_bits(head.min_bits.get())),
        max: (count != 0).then(|| f64::from_bits(head.max_bits.get())),
        bucket_counts,
    };
    Ok((head.time_unix_nano.get(), point))
}

fn exponential(copy: &[u8], capacity: u32) -> Result<(u64, Point), String> {
    let head: ExponentialCopy = view(copy, 0).ok_or("no exponential histogram")?;
    let (positive, negative) = (head.positive_length.get(), head.negative_length.get());
    if positive > capacity || negative > capacity {
        return Err(format!("{positive} and {negative} buckets in use, expected at most {capacity}"));
    }
    let positive = counts(copy, ExponentialCopy::SIZE, 0, positive);
    let negative = counts(copy, ExponentialCopy::SIZE, capacity, negative);
    let zero_count = head.zero_count.get();
    let count = zero_count.saturating_add(total(&positive)).saturating_add(total(&negative));
    let point = Point::ExponentialHistogram {
        count,
        sum: f64::from_bits(head.sum_bits.get()),
        min: (count != 0).then(|| f64::from_bits(head.min_bits.get())),
        max: (count != 0).then(|| f64::from_bits(head.max_bits.get())),
        scale: head.scale.get(),
        zero_count,
        positive: Buckets { offset: head.positive_offset.get(), counts: positive },
        negative: Buckets { offset: head.negative_offset.get(), counts: negative },
    };
    Ok((head.time_unix_nano.get(), point))
}

/// `count` bucket counts behind `skip` others that stand at byte `start`.
fn counts(copy: &[u8], start: usize, skip: u32, count: u32) -> Vec<u64> {
    let (words, _) = copy.get(start..).unwrap_or_default().as_chunks::<8>();
    let words = words.iter().skip(len(u64::from(skip))).take(len(u64::from(count)));
    words.map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().copied().fold(0, u64::saturating_add)
}

/// The nearest double: both halves are exact, so that only the sum is rounded.
fn to_f64(value: i64) -> f64 {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let high = i32::try_from(value >> 32).unwrap_or(0);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// The aggregation of a series whose metric stream is missing.
fn like(point: &Point) -> Aggregation {
    let temporality = otlp_mmap_format::Temporality::Cumulative.code();
    match point {
        Point::Gauge(_) => Aggregation::Gauge,
        Point::Sum(_) => Aggregation::Sum { temporality, is_monotonic: false },
        Point::Histogram { .. } => Aggregation::Histogram { temporality, boundaries: Vec::new() },
        Point::ExponentialHistogram { positive, scale, .. } => Aggregation::ExponentialHistogram {
            temporality,
            max_buckets: u32::try_from(positive.counts.len()).unwrap_or(u32::MAX),
            max_scale: *scale,
        },
    }
}

/// Whether a point is what its stream's aggregation makes.
fn fits(stream: &MetricStream, point: &Point) -> Result<(), String> {
    match (&stream.aggregation, point) {
        (Aggregation::Gauge, Point::Gauge(_))
        | (Aggregation::Sum { .. }, Point::Sum(_))
        | (Aggregation::ExponentialHistogram { .. }, Point::ExponentialHistogram { .. }) => Ok(()),
        (Aggregation::Histogram { boundaries, .. }, Point::Histogram { bucket_counts, .. }) => {
            if boundaries.is_empty() || boundaries.len() + 1 == bucket_counts.len() {
                return Ok(());
            }
            let (expected, found) = (boundaries.len() + 1, bucket_counts.len());
            Err(format!("{found} buckets of {:?}, expected {expected}", stream.name))
        }
        _ => Err(format!("the series is not of the aggregation of {:?}", stream.name)),
    }
}
