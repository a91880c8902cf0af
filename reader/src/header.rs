//! The header page: from raw bytes to a checked [`Header`] (SPEC "Header", "Section table").
//!
//! Bytes come from the first page of a file and are private. Every number is checked before any arithmetic is
//! done with it; a [`Header`] that exists has sections that lie within the file's size as it was made, are aligned, do not overlap, and
//! have room for their entries.

use std::fmt::Display;

use otlp_mmap_format::{
    self as format, ActiveBlock, BYTE_ORDER, COUNTER_SLOTS, CellsHeader, DictionaryHeader, HEADER_CRC_OFFSET,
    HEADER_SIZE, MAGIC, MAX_SECTIONS, MAX_SEGMENT_COUNT, MAX_SEGMENT_SIZE, MIN_SEGMENT_SIZE, OverflowPolicy,
    PAGE_SIZE, SECTIONS_OFFSET, SectionEntry, SectionKind, SegmentEntry, Signal, VERSION_MAJOR,
};

use crate::Error;
use crate::bytes::{size, view};

/// Incompatible features this crate knows: none.
const KNOWN_INCOMPAT_FLAGS: u64 = 0;

/// A checked header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Major and minor version.
    pub version: (u16, u16),
    /// Features that may be ignored.
    pub compat_flags: u64,
    /// Size of the whole file in bytes.
    pub file_size: u64,
    /// Random identity of the file.
    pub file_id: [u8; 16],
    /// Boot id of the writer's machine; `None`: unknown.
    pub boot_id: Option<[u8; 16]>,
    /// The writer's process id in its own pid namespace.
    pub pid: u32,
    /// The writer's start time in clock ticks since boot; 0: unknown.
    pub process_start_ticks: u64,
    /// Inode of the writer's pid namespace; 0: unknown.
    pub pid_namespace: u64,
    /// Realtime clock at creation, unix nanoseconds.
    pub created_realtime_nanos: u64,
    /// Monotonic clock at creation, nanoseconds.
    pub created_monotonic_nanos: u64,
    /// Size of every segment in bytes.
    pub segment_size: u32,
    /// What happens when a pool is used up.
    pub overflow_policy: OverflowPolicy,
    /// Longest wait of the policy `Block` in milliseconds.
    pub block_timeout_millis: u32,
    /// Most series a metric stream may have.
    pub cardinality_limit: u32,
    /// Whether records carry a CRC.
    pub record_crc: bool,
    /// Identity of the parent's recording, if this one was opened by a forked child.
    pub parent_file_id: Option<[u8; 16]>,
    /// The segments of spans, events and measurements, in this order.
    pub pools: [Pool; 3],
    /// Loss counters.
    pub counters: Section,
    /// Blocks of spans in flight.
    pub active_spans: Section,
    /// Metric series.
    pub metric_cells: Section,
    /// Strings and definitions.
    pub dictionary: Section,
}

/// A part of the file. `entry_size * entry_count <= length`, and `offset + length` lies within the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Start in bytes from the start of the file, a multiple of 4,096.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Size of one entry in bytes; 0: no fixed entries.
    pub entry_size: u32,
    /// Number of entries; 0: no fixed entries.
    pub entry_count: u32,
}

/// The segments of one signal. Both sections have the same number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The signal.
    pub signal: Signal,
    /// One `SegmentEntry` for each segment.
    pub table: Section,
    /// The segments.
    pub segments: Section,
}

impl Header {
    /// The pool of `signal`.
    pub fn pool(&self, signal: Signal) -> &Pool {
        let [spans, events, measurements] = &self.pools;
        match signal {
            Signal::Spans => spans,
            Signal::Events => events,
            Signal::Measurements => measurements,
        }
    }

    /// Key of every record check: the first 8 bytes of `file_id`.
    pub fn record_key(&self) -> u64 {
        self.file_id.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl Section {
    /// Offset of entry `index` from the start of the file; within the section if `index < entry_count`.
    pub fn entry_offset(&self, index: u32) -> u64 {
        self.offset + u64::from(self.entry_size) * u64::from(index)
    }
}

/// The first page of a file, unchecked.
pub(crate) struct RawHeader<'a> {
    page: &'a [u8],
    fields: format::Header,
}

impl<'a> RawHeader<'a> {
    /// Takes the first page of a file; it may be shorter than a page, which is an error.
    pub(crate) fn new(page: &'a [u8]) -> Result<Self, Error> {
        let fields: Option<format::Header> = view(page, 0);
        match fields {
            Some(fields) if page.len() >= HEADER_SIZE => Ok(Self { page, fields }),
            _ => Err(Error::TooShort {
                what: "the header page",
                expected: size(HEADER_SIZE),
                found: size(page.len()),
            }),
        }
    }

    /// Checks everything. A file may be shorter than its header says: what is missing is found when it is read.
    pub(crate) fn check(&self) -> Result<Header, Error> {
        self.check_identity()?;
        self.check_crc()?;
        self.check_flags()?;
        let sections = self.sections()?;
        self.assemble(&Table { entries: &sections, segment_size: self.segment_size()? })
    }

    fn check_identity(&self) -> Result<(), Error> {
        if self.fields.magic != MAGIC {
            return Err(Error::NotARecording { expected: MAGIC, found: self.fields.magic });
        }
        let order = self.fields.byte_order.get();
        if order != BYTE_ORDER {
            let offset = field_offset("byte_order");
            return Err(Error::ForeignByteOrder { offset, expected: BYTE_ORDER, found: order });
        }
        let major = self.fields.version_major.get();
        if major != VERSION_MAJOR {
            let offset = field_offset("version_major");
            return Err(Error::UnsupportedVersion { offset, expected: VERSION_MAJOR, found: major });
        }
        Ok(())
    }

    fn check_crc(&self) -> Result<(), Error> {
        let expected = crc32c::crc32c(self.page.get(..HEADER_CRC_OFFSET).unwrap_or_default());
        let found = view::<format::U32>(self.page, HEADER_CRC_OFFSET).unwrap_or_default().get();
        if found == expected {
            return Ok(());
        }
        Err(Error::HeaderCrc { offset: size(HEADER_CRC_OFFSET), expected, found })
    }

    fn check_flags(&self) -> Result<(), Error> {
        let unknown = self.fields.incompat_flags.get() & !KNOWN_INCOMPAT_FLAGS;
        if unknown == 0 {
            return Ok(());
        }
        let offset = field_offset("incompat_flags");
        Err(Error::UnsupportedFeatures { offset, expected: KNOWN_INCOMPAT_FLAGS, found: unknown })
    }

    fn segment_size(&self) -> Result<u32, Error> {
        let found = self.fields.segment_size.get();
        let aligned = usize::try_from(found).is_ok_and(|bytes| bytes.is_multiple_of(PAGE_SIZE));
        if aligned && (MIN_SEGMENT_SIZE..=MAX_SEGMENT_SIZE).contains(&found) {
            return Ok(found);
        }
        let expected = format!("a multiple of {PAGE_SIZE} from {MIN_SEGMENT_SIZE} to {MAX_SEGMENT_SIZE}");
        Err(broken("segment_size", field_offset("segment_size"), expected, found))
    }

    /// The section table: each entry checked for itself and against the others.
    fn sections(&self) -> Result<Vec<Placed>, Error> {
        let count = self.fields.section_count.get();
        let limit = usize::try_from(count).unwrap_or(usize::MAX);
        if limit > MAX_SECTIONS {
            let expected = format!("at most {MAX_SECTIONS}");
            return Err(broken("section_count", field_offset("section_count"), expected, count));
        }
        let mut placed: Vec<Placed> = Vec::with_capacity(limit);
        for index in 0..limit {
            let at = SECTIONS_OFFSET + index * SectionEntry::SIZE;
            let entry: SectionEntry = view(self.page, at).ok_or(Error::TooShort {
                what: "the section table",
                expected: size(at + SectionEntry::SIZE),
                found: size(self.page.len()),
            })?;
            let new = Placed { at: size(at), entry };
            new.check_place(self.fields.file_size.get())?;
            if let Some(other) = placed.iter().find(|other| other.overlaps(&new)) {
                let expected = format!("outside of the section described at offset {}", other.at);
                return Err(new.broken("offset", expected, entry.offset.get()));
            }
            placed.push(new);
        }
        Ok(placed)
    }

    fn assemble(&self, table: &Table<'_>) -> Result<Header, Error> {
        let raw = &self.fields;
        let plain = |kind, minimum| table.variable(kind, minimum);
        Ok(Header {
            version: (raw.version_major.get(), raw.version_minor.get()),
            compat_flags: raw.compat_flags.get(),
            file_size: raw.file_size.get(),
            file_id: raw.file_id,
            boot_id: some_id(raw.boot_id),
            pid: raw.pid.get(),
            process_start_ticks: raw.process_start_ticks.get(),
            pid_namespace: raw.pid_namespace.get(),
            created_realtime_nanos: raw.created_realtime_nanos.get(),
            created_monotonic_nanos: raw.created_monotonic_nanos.get(),
            segment_size: raw.segment_size.get(),
            overflow_policy: self.overflow_policy()?,
            block_timeout_millis: raw.block_timeout_millis.get(),
            cardinality_limit: raw.cardinality_limit.get(),
            record_crc: self.record_crc()?,
            parent_file_id: some_id(raw.parent_file_id),
            pools: [
                table.pool(Signal::Spans)?,
                table.pool(Signal::Events)?,
                table.pool(Signal::Measurements)?,
            ],
            counters: table.counters()?,
            active_spans: table.fixed(SectionKind::ActiveSpans, None, ActiveBlock::SIZE)?.section(),
            metric_cells: plain(SectionKind::MetricCells, CellsHeader::SIZE)?,
            dictionary: plain(SectionKind::Dictionary, DictionaryHeader::SIZE)?,
        })
    }

    fn overflow_policy(&self) -> Result<OverflowPolicy, Error> {
        let code = self.fields.overflow_policy.get();
        let offset = field_offset("overflow_policy");
        OverflowPolicy::from_code(code)
            .ok_or_else(|| broken("overflow_policy", offset, "a known policy (1 to 3)", code))
    }

    fn record_crc(&self) -> Result<bool, Error> {
        match self.fields.record_crc.get() {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(broken("record_crc", field_offset("record_crc"), "0 or 1", other)),
        }
    }
}

/// A section table entry and where it stands.
struct Placed {
    at: u64,
    entry: SectionEntry,
}

impl Placed {
    fn check_place(&self, file_size: u64) -> Result<(), Error> {
        let offset = self.entry.offset.get();
        if offset < size(HEADER_SIZE) || !offset.is_multiple_of(size(PAGE_SIZE)) {
            let expected = format!("a multiple of {PAGE_SIZE} behind the header page");
            return Err(self.broken("offset", expected, offset));
        }
        let length = self.entry.length.get();
        if offset.checked_add(length).is_none_or(|end| end > file_size) {
            let room = file_size.saturating_sub(offset);
            return Err(self.broken("length", format!("at most {room}, the rest of the file"), length));
        }
        Ok(())
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.section(), other.section());
        a.offset < b.offset + b.length && b.offset < a.offset + a.length
    }

    fn is(&self, kind: SectionKind, signal: Option<Signal>) -> bool {
        self.entry.kind.get() == kind.code() && self.entry.signal.get() == signal.map_or(0, Signal::code)
    }

    fn section(&self) -> Section {
        Section {
            offset: self.entry.offset.get(),
            length: self.entry.length.get(),
            entry_size: self.entry.entry_size.get(),
            entry_count: self.entry.entry_count.get(),
        }
    }

    fn broken(&self, field: &'static str, expected: impl Into<String>, found: impl Display) -> Error {
        let of_field = SectionEntry::FIELDS.iter().find(|f| f.name == field).map_or(0, |f| f.offset);
        broken(field, self.at + size(of_field), expected, found)
    }
}

/// The section table, each entry checked for its place.
struct Table<'a> {
    entries: &'a [Placed],
    segment_size: u32,
}

impl Table<'_> {
    fn pool(&self, signal: Signal) -> Result<Pool, Error> {
        let table = self.fixed(SectionKind::SegmentTable, Some(signal), SegmentEntry::SIZE)?;
        let segment_size = usize::try_from(self.segment_size).unwrap_or(usize::MAX);
        let segments = self.fixed(SectionKind::Segments, Some(signal), segment_size)?;
        let count = segments.section().entry_count;
        if count > MAX_SEGMENT_COUNT {
            return Err(segments.broken("entry_count", format!("at most {MAX_SEGMENT_COUNT}"), count));
        }
        let listed = table.section().entry_count;
        if listed != count {
            return Err(table.broken("entry_count", format!("{count}, the number of segments"), listed));
        }
        Ok(Pool { signal, table: table.section(), segments: segments.section() })
    }

    fn counters(&self) -> Result<Section, Error> {
        let placed = self.fixed(SectionKind::Counters, None, size_of::<u64>())?;
        let needed = Signal::ALL.len() * COUNTER_SLOTS;
        let count = placed.section().entry_count;
        if usize::try_from(count).is_ok_and(|count| count >= needed) {
            return Ok(placed.section());
        }
        Err(placed.broken("entry_count", format!("at least {needed}"), count))
    }

    /// The one section of its kind and signal; its entries have `entry_size` bytes and fit into it.
    fn fixed(&self, kind: SectionKind, signal: Option<Signal>, entry_size: usize) -> Result<&Placed, Error> {
        let placed = self.only(kind, signal)?;
        let section = placed.section();
        if u64::from(section.entry_size) != size(entry_size) {
            return Err(placed.broken("entry_size", entry_size.to_string(), section.entry_size));
        }
        let needed = u64::from(section.entry_size) * u64::from(section.entry_count);
        if needed > section.length {
            return Err(placed.broken("length", format!("at least {needed}"), section.length));
        }
        Ok(placed)
    }

    /// The one section of its kind, which has no fixed entries and at least `minimum` bytes.
    fn variable(&self, kind: SectionKind, minimum: usize) -> Result<Section, Error> {
        let placed = self.only(kind, None)?;
        let section = placed.section();
        if section.length < size(minimum) {
            return Err(placed.broken("length", format!("at least {minimum}"), section.length));
        }
        if section.entry_size != 0 {
            return Err(placed.broken("entry_size", "0", section.entry_size));
        }
        Ok(section)
    }

    fn only(&self, kind: SectionKind, signal: Option<Signal>) -> Result<&Placed, Error> {
        let mut found = self.entries.iter().filter(|placed| placed.is(kind, signal));
        let name = || match signal {
            Some(signal) => format!("{} ({})", kind.name(), signal.name()),
            None => kind.name().to_owned(),
        };
        let Some(first) = found.next() else {
            return Err(Error::MissingSection { offset: size(SECTIONS_OFFSET), section: name() });
        };
        match found.next() {
            None => Ok(first),
            Some(second) => Err(second.broken("kind", "the only section of its kind", name())),
        }
    }
}

fn some_id(id: [u8; 16]) -> Option<[u8; 16]> {
    (id != [0; 16]).then_some(id)
}

fn field_offset(field: &str) -> u64 {
    format::Header::FIELDS.iter().find(|f| f.name == field).map_or(0, |f| size(f.offset))
}

fn broken(field: &'static str, offset: u64, expected: impl Into<String>, found: impl Display) -> Error {
    Error::Header { field, offset, expected: expected.into(), found: found.to_string() }
}
