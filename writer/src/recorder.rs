//! Recorder: one process's recording - its file, and the parts that write into it.
//!
//! Made once for each file: computes the layout, writes header and tables into an unnamed file, then names it
//! (SPEC "Creation"). The calls that record are in [`crate::record`].

use crate::claim::Claims;
use crate::clock;
use crate::config::{Config, Overflow};
use crate::dictionary::Dictionary;
use crate::error::{Error, hex};
use crate::fork;
use crate::layout::Layout;
use crate::metrics::Metrics;
use crate::pool::{Geometry, Pool};
use crate::span_index::SpanIndex;
use crate::spans::ActiveSpans;
use crate::storage::Storage;
use crate::sync::{AtomicBool, Ordering, plain};
use otlp_mmap_format::{
    BANNER, BYTE_ORDER, CellsHeader, Counter, DictionaryHeader, FileState, HEADER_CRC_OFFSET, Header,
    HeaderState, MAGIC, PAGE_SIZE, SECTIONS_OFFSET, STATE_OFFSET, SectionKind, Signal, VERSION_MAJOR,
    VERSION_MINOR, counter_index, seal,
};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// A recording of this process.
pub(crate) struct Recorder {
    pub(crate) storage: Arc<Storage>,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) dictionary: Dictionary,
    pub(crate) spans: Pool,
    pub(crate) events: Pool,
    pub(crate) measurements: Pool,
    pub(crate) active: ActiveSpans,
    pub(crate) index: SpanIndex,
    pub(crate) metrics: Metrics,
    pub(crate) path: PathBuf,
    pub(crate) closed: AtomicBool,
    /// The word that differs from `token` in a forked child.
    guard: &'static plain::AtomicU64,
    token: u64,
    file_id: [u8; 16],
}

impl Recorder {
    /// Creates a recording. `parent` is the recorder that a forked child inherited: its dictionary and series
    /// are taken over, so that every reference stays valid.
    pub(crate) fn create(config: Config, parent: Option<&Recorder>) -> Result<Self, Error> {
        config.check()?;
        let token = fork::token();
        let layout = Layout::new(&config);
        let file_id = clock::random_uuid();
        // Before any descriptor is taken: it may be the last one.
        let origin = clock::Origin::read();
        let path = recording_path(&config, parent, file_id);
        let directory = match path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        let storage = Arc::new(Storage::create(directory, layout.file_size, layout.control_end())?);
        let copied = copy_dictionary(&storage, &layout, parent, &path)?;
        write_header(&storage, &config, &layout, file_id, &origin, parent);
        let recorder = Self::assemble(storage, config, layout, path, file_id, token, copied)?;
        recorder.start_sections(copied)?;
        if let Some(parent) = parent {
            let cells = parent.layout.section(SectionKind::MetricCells, None);
            recorder.metrics.adopt(
                &recorder.dictionary,
                parent.storage.mapping(),
                cells.range(),
                clock::realtime_nanos(),
            )?;
        }
        recorder.storage.publish(&recorder.path)?;
        Ok(recorder)
    }

    fn assemble(
        storage: Arc<Storage>,
        config: Config,
        layout: Layout,
        path: PathBuf,
        file_id: [u8; 16],
        token: u64,
        copied: usize,
    ) -> Result<Self, Error> {
        let key = file_key(file_id);
        let seed = clock::random_u64();
        let pool = |signal| {
            let geometry = geometry(&layout, signal);
            let claims = Claims::new(config.overflow.policy(), geometry.segment_count);
            Pool::new(Arc::clone(&storage), geometry, key, config.crc, claims)
        };
        let dictionary = layout.section(SectionKind::Dictionary, None);
        let active = layout.section(SectionKind::ActiveSpans, None);
        let cells = layout.section(SectionKind::MetricCells, None);
        Ok(Self {
            dictionary: Dictionary::new(Arc::clone(&storage), dictionary.range(), seed, copied)?,
            spans: pool(Signal::Spans),
            events: pool(Signal::Events),
            measurements: pool(Signal::Measurements),
            active: ActiveSpans::new(Arc::clone(&storage), active.offset, active.entry_count),
            index: SpanIndex::new(),
            metrics: Metrics::new(Arc::clone(&storage), cells.range(), config.cardinality_limit, seed)?,
            closed: AtomicBool::new(false),
            guard: fork::guard(),
            storage,
            config,
            layout,
            path,
            token,
            file_id,
        })
    }

    /// Publishes the empty append-only sections. The file has no name yet, so no reader looks on.
    fn start_sections(&self, copied: usize) -> Result<(), Error> {
        let dictionary = self.layout.section(SectionKind::Dictionary, None);
        let cells = self.layout.section(SectionKind::MetricCells, None);
        for (section, used) in [(dictionary, copied.max(DictionaryHeader::SIZE)), (cells, CellsHeader::SIZE)]
        {
            self.back(section.offset, used.next_multiple_of(PAGE_SIZE))?;
            self.storage.mapping().word(section.offset).store(seal(used as u64), Ordering::Release);
        }
        Ok(())
    }

    fn back(&self, offset: usize, length: usize) -> Result<(), Error> {
        let io = |source| Error::Io { what: "allocate space for", path: self.path.clone(), source };
        self.storage.back(offset, length).map_err(io)
    }

    /// Whether this process made the recording: `false` in a forked child.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        // Relaxed: the word changes only in a new process, which has one thread then.
        self.guard.load(Ordering::Relaxed) == self.token
    }

    /// Adds to a loss counter.
    #[cold]
    pub(crate) fn count(&self, signal: Signal, counter: Counter, amount: u64) {
        let counters = self.layout.section(SectionKind::Counters, None).offset;
        // Relaxed: each counter stands for itself.
        self.storage
            .mapping()
            .word(counters + counter_index(signal, counter) * 8)
            .fetch_add(amount, Ordering::Relaxed);
    }

    /// Closes the recording, once every call under way has come to its end. Spans in flight stay listed as they
    /// are.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        // Spans first: one that is ending has its lock and still needs a lane, or it would be in no place.
        self.active.freeze();
        self.metrics.freeze();
        [&self.spans, &self.events, &self.measurements].into_iter().for_each(Pool::freeze);
        self.dictionary.freeze();
        let mapping = self.storage.mapping();
        mapping
            .word(STATE_OFFSET + offset_of!(HeaderState, closed_realtime_nanos))
            .store(clock::realtime_nanos(), Ordering::Relaxed);
        // SYNC CLOSE: orders everything that was recorded before the word that says so.
        mapping
            .word(STATE_OFFSET + offset_of!(HeaderState, state))
            .store(FileState::Closed.code(), Ordering::Release);
        self.storage.unlock();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

fn geometry(layout: &Layout, signal: Signal) -> Geometry {
    let table = layout.section(SectionKind::SegmentTable, Some(signal));
    let segments = layout.section(SectionKind::Segments, Some(signal));
    Geometry {
        table: table.offset,
        segments: segments.offset,
        segment_size: segments.entry_size,
        segment_count: segments.entry_count,
    }
}

/// The first 8 bytes of a file's id: the key of its record checks.
fn file_key(id: [u8; 16]) -> u64 {
    u64::from_le_bytes([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]])
}

/// Copies a parent's dictionary into the child's file and returns how many bytes that were.
fn copy_dictionary(
    storage: &Storage,
    layout: &Layout,
    parent: Option<&Recorder>,
    path: &Path,
) -> Result<usize, Error> {
    let Some(parent) = parent else { return Ok(0) };
    let mut bytes = Vec::new();
    parent.dictionary.copy_to(&mut bytes);
    let section = layout.section(SectionKind::Dictionary, None);
    let io = |source| Error::Io { what: "allocate space for", path: path.to_owned(), source };
    storage.back(section.offset, bytes.len()).map_err(io)?;
    storage.mapping().store_bytes(section.offset, &bytes);
    Ok(bytes.len())
}

fn write_header(
    storage: &Storage,
    config: &Config,
    layout: &Layout,
    file_id: [u8; 16],
    origin: &clock::Origin,
    parent: Option<&Recorder>,
) {
    let sections = layout.table();
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.byte_order.set(BYTE_ORDER);
    header.version_major.set(VERSION_MAJOR);
    header.version_minor.set(VERSION_MINOR);
    header.banner = BANNER;
    header.file_size.set(layout.file_size as u64);
    header.file_id = file_id;
    header.boot_id = origin.boot_id;
    header.pid.set(std::process::id());
    header.section_count.set(u32::try_from(sections.len()).unwrap_or(0));
    header.process_start_ticks.set(origin.process_start_ticks);
    header.pid_namespace.set(origin.pid_namespace);
    header.created_realtime_nanos.set(origin.realtime_nanos);
    header.created_monotonic_nanos.set(origin.monotonic_nanos);
    header.segment_size.set(config.segment_size);
    header.overflow_policy.set(config.overflow.policy().code());
    if let Overflow::Block { timeout } = config.overflow {
        header.block_timeout_millis.set(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
    }
    header.cardinality_limit.set(config.cardinality_limit);
    header.record_crc.set(config.crc.into());
    header.parent_file_id = parent.map_or([0; 16], |parent| parent.file_id);

    let mut page = [0; STATE_OFFSET];
    page[..Header::SIZE].copy_from_slice(header.as_bytes());
    page[SECTIONS_OFFSET..SECTIONS_OFFSET + size_of_val(&*sections)].copy_from_slice(sections.as_bytes());
    let crc = crc32c::crc32c(&page[..HEADER_CRC_OFFSET]);
    page[HEADER_CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
    storage.mapping().store_bytes(0, &page);
    let state = STATE_OFFSET + offset_of!(HeaderState, state);
    storage.mapping().word(state).store(FileState::Open.code(), Ordering::Release);
}

/// Where the file goes: the configured file, or a name of its own in the configured directory. A child of a
/// process that was given a file names its own after it, in the same directory. What the path was for the parent it
/// stays for the child: a directory that is gone by then is an error, and not the name of a file.
fn recording_path(config: &Config, parent: Option<&Recorder>, file_id: [u8; 16]) -> PathBuf {
    let pid = std::process::id();
    let id = hex(&file_id[..8]);
    let is_directory = match parent {
        None => config.path.is_dir(),
        Some(parent) => parent.path.parent() == Some(&config.path),
    };
    if is_directory {
        return config.path.join(format!("{}.{pid}.{id}.otlpmm", service_name(config)));
    }
    if parent.is_some() {
        let stem = config.path.file_stem().unwrap_or_default().to_string_lossy();
        return config.path.with_file_name(format!("{stem}.{pid}.{id}.otlpmm"));
    }
    config.path.clone()
}

/// The service as a part of a file name.
fn service_name(config: &Config) -> String {
    let from_environment = || std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    let from_program = || std::fs::read_to_string("/proc/self/comm").ok();
    let name = config.service_name.clone().or_else(from_environment).or_else(from_program);
    let safe = |character: char| match character {
        '-' | '0'..='9' | 'A'..='Z' | 'a'..='z' => character,
        _ => '_',
    };
    let name: String = name.unwrap_or_default().trim().chars().take(64).map(safe).collect();
    if name.is_empty() { "unknown_service".to_owned() } else { name }
}
