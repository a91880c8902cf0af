//! One opened recording: what can be asked of it, and the snapshot that asks everything at once.
//!
//! Spans in flight are read before the segments. A span that ends between the two is then found twice rather than
//! not at all, and the one in flight is left out.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otlp_mmap_format::{
    FileState, HEADER_SIZE, HeaderState, RecordHeader, STATE_OFFSET, Signal, SpanBody, WRITER_LOCK_BYTE,
};

use crate::bytes::{size, view};
use crate::dictionary::{Dictionary, Resolver};
use crate::header::{Pool, RawHeader};
use crate::model::{Event, Measurement, Position, Record, Series, Span};
use crate::pool::{Mode, SegmentReader};
use crate::segment::RecordRules;
use crate::source::Source;
use crate::{Entries, Error, Fill, Header, Losses, Observer, Report, losses, process, verify};

/// Most exemplars that a series is given: the latest ones.
pub const MAX_EXEMPLARS: usize = 16;

/// Whether the writer of a recording lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The writer holds its lock.
    Alive,
    /// The writer closed the recording.
    Closed {
        /// When, unix nanoseconds.
        realtime_nanos: u64,
    },
    /// The writer is gone and has not closed the recording.
    Dead,
}

/// Everything a recording holds at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Ended spans, by end time.
    pub spans: Vec<Span>,
    /// Events, by time.
    pub events: Vec<Event>,
    /// Exemplars and raw points, by time.
    pub measurements: Vec<Measurement>,
    /// Spans in flight, by start time.
    pub spans_in_flight: Vec<Span>,
    /// Metric series with their exemplars.
    pub series: Vec<Series>,
    /// What was lost.
    pub losses: Losses,
    /// Faults, and how much was readable.
    pub report: Report,
}

/// One opened recording: its header is checked, and its geometry lies within the file.
#[derive(Debug)]
pub struct Recording {
    inner: Arc<Inner>,
}

/// What a recording shares with its observers.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) source: Source,
    pub(crate) header: Header,
    dictionary: Mutex<Dictionary>,
}

impl Recording {
    /// Opens the recording at `path` for reading.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or read; any other error if it is no usable recording.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        // A pipe in a recording's place must not be waited for; regular files ignore the flag.
        let opened = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path);
        let file = opened.map_err(|e| Error::Io { what: "cannot open", path: path.to_owned(), source: e })?;
        Self::from_file(file, path)
    }

    /// Reads the recording in `file`, which was opened for reading; `path` serves for messages alone.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn from_file(file: File, path: impl AsRef<Path>) -> Result<Self, Error> {
        let source = Source::new(file, path.as_ref());
        source.length()?;
        let page = source.up_to(0, HEADER_SIZE)?;
        let header = RawHeader::new(&page)?.check()?;
        let dictionary = Mutex::new(Dictionary::new(&header, true));
        let inner = Inner { source, header, dictionary };
        let trusted = inner.mode().is_trusted();
        *inner.dictionary() = Dictionary::new(&inner.header, trusted);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.inner.source.path()
    }

    /// The checked header.
    pub fn header(&self) -> &Header {
        &self.inner.header
    }

    /// Whether the writer lives. Where the file system cannot tell, it counts as alive.
    pub fn liveness(&self) -> Liveness {
        self.inner.liveness()
    }

    /// Whether this machine has not been started again since the recording was created; `false` if unknown.
    pub fn same_boot(&self) -> bool {
        self.inner.same_boot()
    }

    /// Follows the records from the oldest one present.
    pub fn observe(&self) -> Observer {
        Observer::new(Arc::clone(&self.inner), false)
    }

    /// Follows the records from the first one that no exporter has acknowledged.
    pub fn observe_unacknowledged(&self) -> Observer {
        Observer::new(Arc::clone(&self.inner), true)
    }

    /// The spans in flight, by start time, without those that have a SPAN record.
    ///
    /// # Errors
    /// None at present: what cannot be read is a fault in `report`.
    pub fn spans_in_flight(&self, report: &mut Report) -> Result<Vec<Span>, Error> {
        let mut spans = self.inner.active_spans(report);
        if !spans.is_empty() {
            // The faults of the segments belong to those who read the segments.
            let ended = self.inner.ended_spans(&mut Report::default());
            leave_out(&mut spans, &ended);
        }
        report.readable.spans_in_flight += size(spans.len());
        Ok(spans)
    }

    /// The spans that the table of spans in flight holds, by start time, without a look at any record. One that is
    /// ending at this moment, and one whose writer was killed while it ended, has a SPAN record too: whoever knows the
    /// records leaves it out, as [`Recording::spans_in_flight`] does.
    pub fn active_spans(&self, report: &mut Report) -> Vec<Span> {
        self.inner.active_spans(report)
    }

    /// The record of `signal` that an observer found at `position`, read again; `None` if it was overwritten since, or
    /// cannot be read any more.
    pub fn record(&self, signal: Signal, position: Position) -> Option<Record> {
        let inner = &self.inner;
        let pool = inner.header.pool(signal);
        if position.segment >= pool.segments.entry_count {
            return None;
        }
        let (header, bytes) = inner.segment(pool, position.segment).single(position, inner.mode())?;
        let (mut dictionary, mut report) = (inner.dictionary(), Report::default());
        Resolver::new(&inner.source, &mut dictionary, &mut report).record(signal, &header, &bytes, position)
    }

    /// The metric series with their values now, without exemplars: [`attach_exemplars`] adds those of an
    /// observer.
    ///
    /// # Errors
    /// None at present: what cannot be read is a fault in `report`.
    pub fn series(&self, report: &mut Report) -> Result<Vec<Series>, Error> {
        let trusted = self.inner.mode().is_trusted();
        let mut dictionary = self.inner.dictionary();
        let mut resolver = Resolver::new(&self.inner.source, &mut dictionary, report);
        let series = resolver.series(&self.inner.header.metric_cells, trusted);
        report.readable.series += size(series.len());
        Ok(series)
    }

    /// Everything at once.
    ///
    /// # Errors
    /// None at present: what cannot be read is a fault in the report.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut report = Report::default();
        let mut spans_in_flight = self.inner.active_spans(&mut report);
        let batch = self.observe().poll()?;
        let (spans, events, measurements) = part(batch.records);
        let ended = spans.iter().map(|span| (span.trace_id, span.span_id)).collect();
        leave_out(&mut spans_in_flight, &ended);
        report.readable.spans_in_flight += size(spans_in_flight.len());
        report.merge(batch.report);
        let mut series = self.series(&mut report)?;
        attach_exemplars(&mut series, &measurements);
        let losses = losses::losses(&self.inner, &mut report);
        Ok(Snapshot { spans, events, measurements, spans_in_flight, series, losses, report })
    }

    /// What was lost, exactly.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if a part of the counters or segments cannot be read: what is left would not be exact.
    pub fn losses(&self) -> Result<Losses, Error> {
        losses::exact_losses(&self.inner)
    }

    /// How full the recording is.
    ///
    /// # Errors
    /// [`Error::TooShort`] or [`Error::Io`] if the start of the dictionary or of the metric cells cannot be read.
    pub fn fill(&self) -> Result<Fill, Error> {
        losses::fill(&self.inner)
    }

    /// Counts the entries of the dictionary by kind: those that were published since the last time, and of a very
    /// large dictionary a part of them each time.
    ///
    /// # Errors
    /// [`Error::TooShort`] or [`Error::Io`] if the start of the dictionary cannot be read.
    pub fn count_entries(&self, entries: &mut Entries) -> Result<(), Error> {
        entries.count(&self.inner)
    }

    /// Checks every structure and decodes every record.
    ///
    /// # Errors
    /// None at present: what cannot be read is a fault in the report.
    pub fn verify(&self) -> Result<Report, Error> {
        Ok(verify::verify(&self.inner))
    }
}

impl Inner {
    pub(crate) fn dictionary(&self) -> MutexGuard<'_, Dictionary> {
        self.dictionary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn segment<'a>(&'a self, pool: &'a Pool, slot: u32) -> SegmentReader<'a> {
        SegmentReader { source: &self.source, pool, slot, rules: RecordRules::of(&self.header) }
    }

    pub(crate) fn state(&self) -> Result<HeaderState, Error> {
        self.source.read(size(STATE_OFFSET), "the file state")
    }

    fn liveness(&self) -> Liveness {
        // The state is read after the lock: a writer closes first and gives up its lock afterwards.
        let locked = self.source.is_locked(WRITER_LOCK_BYTE);
        if let Some(closed) = self.closed() {
            return closed;
        }
        if locked == Some(false) || process::is_gone(&self.header) {
            return Liveness::Dead;
        }
        Liveness::Alive
    }

    fn closed(&self) -> Option<Liveness> {
        let state = self.state().ok()?;
        let closed = state.state.get() == FileState::Closed.code();
        closed.then_some(Liveness::Closed { realtime_nanos: state.closed_realtime_nanos.get() })
    }

    fn same_boot(&self) -> bool {
        self.header.boot_id.is_some() && self.header.boot_id == process::this_boot()
    }

    /// How committed words are to be taken: they may be older than the payload if the machine went down before
    /// its pages were written.
    pub(crate) fn mode(&self) -> Mode {
        match self.liveness() {
            Liveness::Alive => Mode::Live,
            _ if self.same_boot() => Mode::Still,
            Liveness::Closed { .. } => Mode::Adjoining,
            Liveness::Dead => Mode::Remnants,
        }
    }

    fn active_spans(&self, report: &mut Report) -> Vec<Span> {
        let proven = self.mode().is_trusted();
        let mut dictionary = self.dictionary();
        let mut resolver = Resolver::new(&self.source, &mut dictionary, report);
        let mut spans = resolver.active_spans(&self.header.active_spans, proven);
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// Ids of all spans that have a SPAN record.
    fn ended_spans(&self, report: &mut Report) -> HashSet<([u8; 16], [u8; 8])> {
        let [pool, ..] = &self.header.pools;
        let mode = self.mode();
        let mut ended = HashSet::new();
        for slot in 0..pool.segments.entry_count {
            let Some(chunk) = self.segment(pool, slot).all(mode, report) else { continue };
            let bodies =
                chunk.records().filter_map(|(_, bytes, ..)| view::<SpanBody>(bytes, RecordHeader::SIZE));
            ended.extend(bodies.map(|body| (body.trace_id, body.span_id)));
        }
        ended
    }
}

/// Gives each series the latest [`MAX_EXEMPLARS`] of its exemplars among `measurements`, oldest first.
pub fn attach_exemplars(series: &mut [Series], measurements: &[Measurement]) {
    let mut by_series: HashMap<(u32, u32), Vec<&Measurement>> = HashMap::new();
    for exemplar in measurements.iter().filter(|measurement| !measurement.raw) {
        by_series.entry(exemplar.series).or_default().push(exemplar);
    }
    for one in series {
        let Some(exemplars) = by_series.get_mut(&one.series) else { continue };
        exemplars.sort_by_key(|exemplar| exemplar.time_unix_nano);
        let skip = exemplars.len().saturating_sub(MAX_EXEMPLARS);
        one.exemplars = exemplars.iter().skip(skip).map(|exemplar| (*exemplar).clone()).collect();
    }
}

fn leave_out(in_flight: &mut Vec<Span>, ended: &HashSet<([u8; 16], [u8; 8])>) {
    in_flight.retain(|span| !ended.contains(&(span.trace_id, span.span_id)));
}

fn part(records: Vec<Record>) -> (Vec<Span>, Vec<Event>, Vec<Measurement>) {
    let (mut spans, mut events, mut measurements) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::Span(span) => spans.push(*span),
            Record::Event(event) => events.push(*event),
            Record::Measurement(measurement) => measurements.push(*measurement),
        }
    }
    (spans, events, measurements)
}
