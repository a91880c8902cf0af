//! Metric cells: series with their values now (SPEC "Metric cells").
//!
//! A series header is immutable and has a CRC. A sum is two words. The other kinds have two copies of their
//! state: the version says which one is current, and the copy counts if the version did not change meanwhile.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use otlp_mmap_format::{
    CellsHeader, SERIES_ALIGN, SERIES_FLAG_OVERFLOW, SeriesHeader, SeriesKind, SumCell, U64, series_size,
    unseal,
};

use crate::bytes::{len, size, view};
use crate::dictionary::Resolver;
use crate::model::{Point, Series};
use crate::pool::damaged_word;
use crate::source::{Source, or_fault};
use crate::window::Window;
use crate::{Error, Report, Rule, Section, point};

/// Most buckets a copy may have.
const MAX_BUCKETS: u32 = 1 << 16;
/// How often a copy that changes while it is read is read again before the last one is taken.
const MAX_TRIES: usize = 64;
/// How often a sum is read again that changes while it is read.
const MAX_SUM_TRIES: usize = 8;
/// Bytes of a series header that its CRC covers.
const HEADER_CRC_LENGTH: usize = 28;
/// Bytes that are looked at at once for one that is not zero: more would cost too much where most are not.
const LOOK_AHEAD: usize = 512;

/// A checked series header and where it stands.
struct Place {
    offset: u64,
    header: SeriesHeader,
    /// `None`: a kind that this version does not know.
    kind: Option<SeriesKind>,
}

/// Bytes of the section in use, at most its length; `None` if the word that says so is damaged.
pub(crate) fn published(
    section: &Section,
    source: &Source,
    report: &mut Report,
) -> Result<Option<u64>, Error> {
    let word = source.read::<U64>(section.offset, "the metric cells")?;
    let Some(committed) = unseal(word.get()) else {
        damaged_word("the cells' committed", word, section.offset, Rule::Committed, report);
        return Ok(None);
    };
    let (least, most) = (size(CellsHeader::SIZE), section.length);
    if committed < least || committed > most || !committed.is_multiple_of(size(SERIES_ALIGN)) {
        report.fault(section.offset, Rule::Committed, || {
            format!("the cells have {most} bytes and claim to use {committed}")
        });
    }
    Ok(Some(committed.min(most)))
}

impl Resolver<'_> {
    /// All series that were measured at least once. `trusted`: the published length counts; otherwise series
    /// are known by their CRC alone.
    pub(crate) fn series(&mut self, section: &Section, trusted: bool) -> Vec<Series> {
        let used = or_fault(published(section, self.source, self.report), section.offset, self.report);
        let known = used.unwrap_or(Some(0));
        let end = known.filter(|_| trusted).unwrap_or(section.length);
        // Nothing but series lies before what is published.
        let published = known.unwrap_or(0);
        let (mut at, mut lost) = (size(CellsHeader::SIZE), false);
        let (mut series, mut known) = (Vec::new(), HashSet::new());
        while at < end {
            match self.series_header(section, at, end) {
                Ok(place) => {
                    lost = false;
                    at += u64::from(place.header.size.get());
                    if known.insert((place.header.stream_ref.get(), place.header.attributes_ref.get())) {
                        series.extend(self.one_series(&place));
                    } else {
                        let detail = || "a second series of a stream and attribute set".to_owned();
                        self.report.fault(place.offset, Rule::SeriesState, detail);
                    }
                }
                Err(detail) => {
                    if at < published && !std::mem::replace(&mut lost, true) {
                        self.report.fault(section.offset + at, Rule::SeriesHeader, || detail);
                    }
                    at = self.next_place(section, at);
                }
            }
        }
        series
    }

    /// Where a series may stand behind a broken header at `at`: 64 bytes on, zeros left out.
    fn next_place(&self, section: &Section, at: u64) -> u64 {
        let align = size(SERIES_ALIGN);
        let end = section.offset + section.length;
        let next = Window::new(self.source, LOOK_AHEAD).next_content(section.offset + at + align, end);
        next.map_or(section.length, |next| (next - section.offset) / align * align)
    }

    fn series_header(&self, section: &Section, at: u64, end: u64) -> Result<Place, String> {
        let offset = section.offset + at;
        let bytes = self.source.bytes(offset, SeriesHeader::SIZE, "the metric cells");
        let bytes = bytes.map_err(|e| e.to_string())?;
        let header: SeriesHeader = view(&bytes, 0).ok_or("no series header")?;
        let crc = crc32c::crc32c(bytes.get(..HEADER_CRC_LENGTH).unwrap_or_default());
        if crc != header.crc.get() {
            return Err(format!("CRC32C of a series is {:#010x}, expected {crc:#010x}", header.crc.get()));
        }
        let kind = SeriesKind::from_code(header.kind.get());
        let (capacity, found) = (header.capacity.get(), u64::from(header.size.get()));
        // Of a kind that a later version added, nothing but the size is known.
        let some_size = found.next_multiple_of(size(SERIES_ALIGN)).max(size(SERIES_ALIGN));
        let expected = kind.map_or(some_size, |kind| series_size(kind, capacity.min(MAX_BUCKETS)));
        if (kind.is_some() && capacity > MAX_BUCKETS) || found != expected || found > end - at {
            return Err(format!("{found} bytes for a series of {capacity} buckets, expected {expected}"));
        }
        Ok(Place { offset, header, kind })
    }

    fn one_series(&mut self, place: &Place) -> Option<Series> {
        let capacity = place.header.capacity.get();
        let decoded = match place.kind? {
            SeriesKind::Sum => return self.sum_series(place),
            SeriesKind::Gauge => point::gauge(&self.current_copy(place, SeriesKind::Gauge)?),
            SeriesKind::Histogram => {
                point::histogram(&self.current_copy(place, SeriesKind::Histogram)?, capacity)
            }
            kind @ SeriesKind::ExponentialHistogram => {
                point::exponential(&self.current_copy(place, kind)?, capacity)
            }
        };
        let (time, point) = self.in_state(place, decoded)?;
        let kept = self.series_zeros.keep_point(&point, self.source);
        self.in_state(place, kept)?;
        self.assemble(place, time, point)
    }

    fn sum_series(&mut self, place: &Place) -> Option<Series> {
        if unseal(place.header.version.get()).is_none() {
            // It is 0 in a sum, and leads nowhere.
            damaged_word("a version", place.header.version, place.offset, Rule::SeriesState, self.report);
        }
        let offset = place.offset + size(SeriesHeader::SIZE);
        let cell = or_fault(self.sum_cell(offset), offset, self.report)?;
        let value = self.in_state(place, point::sum(&cell))??;
        self.assemble(place, cell.time_unix_nano.get(), Point::Sum(value))
    }

    /// A sum that held still, or the last reading. What was seen is from a later reading than the values, so that
    /// no value lacks its type.
    fn sum_cell(&self, offset: u64) -> Result<SumCell, Error> {
        let mut cell: SumCell = self.source.read(offset, "a sum")?;
        let mut tries = 0;
        loop {
            let again: SumCell = self.source.read(offset, "a sum")?;
            tries += 1;
            let same = again.int_value == cell.int_value && again.double_bits == cell.double_bits;
            if same || tries == MAX_SUM_TRIES {
                return Ok(SumCell { int_value: cell.int_value, double_bits: cell.double_bits, ..again });
            }
            cell = again;
        }
    }

    /// What was decoded, or a fault.
    fn in_state<T>(&mut self, place: &Place, decoded: Result<T, String>) -> Option<T> {
        decoded.map_err(|detail| self.report.fault(place.offset, Rule::SeriesState, || detail)).ok()
    }

    fn assemble(&mut self, place: &Place, time_unix_nano: u64, point: Point) -> Option<Series> {
        let references = (place.header.stream_ref.get(), place.header.attributes_ref.get());
        let stream = self.metric_stream(references.0, place.offset)?;
        self.in_state(place, point::fits(&stream, &point))?;
        Some(Series {
            stream,
            attributes: self.attribute_set(references.1, place.offset),
            series: references,
            overflow: place.header.flags.get() & SERIES_FLAG_OVERFLOW != 0,
            start_time_unix_nano: place.header.start_time_unix_nano.get(),
            time_unix_nano: if time_unix_nano == 0 { now() } else { time_unix_nano },
            point,
            exemplars: Vec::new(),
        })
    }

    fn version(&self, at: u64) -> Result<U64, Error> {
        self.source.read(at, "a series")
    }

    /// The current copy of a series; `None` if it was never measured, or cannot be read.
    fn current_copy(&mut self, place: &Place, kind: SeriesKind) -> Option<Vec<u8>> {
        let wanted = kind.copy_size(place.header.capacity.get());
        let version_field = SeriesHeader::FIELDS.iter().find(|f| f.name == "version").map_or(0, |f| f.offset);
        let version_at = place.offset + size(version_field);
        let mut version = or_fault(self.version(version_at), place.offset, self.report)?;
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..MAX_TRIES {
            let Some(number) = unseal(version.get()) else {
                damaged_word("a version", version, place.offset, Rule::SeriesState, self.report);
                return None;
            };
            if number == 0 {
                return None;
            }
            let start = place.offset + size(SeriesHeader::SIZE) + (number & 1) * wanted;
            let copy = or_fault(self.source.bytes(start, len(wanted), "a series"), start, self.report)?;
            let again = or_fault(self.version(version_at), place.offset, self.report)?;
            if again == version {
                return Some(copy);
            }
            version = again;
            // A copy that never holds still is of use only if its buckets stay what they are.
            last = last.is_none_or(|last| point::same_buckets(kind, &last, &copy)).then_some(copy);
        }
        last
    }
}

/// The time of reading, unix nanoseconds: for a value whose own time is unknown.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
