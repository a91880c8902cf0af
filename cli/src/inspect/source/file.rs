//! One recording that is followed: its rows, its spans in flight, and its health.
//!
//! Whether the writer lives and what is in flight is asked before the records are read: a writer found gone has been read
//! to the end, and a span that ends between the two is found twice and left out once.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use otlp_mmap_reader::model::{Measurement, Record, Text};
use otlp_mmap_reader::{
    Batch, Entries, Fault, Fill, Liveness, Losses, Observer, Recording, Report, Rule, Signal,
};

use super::history::SeriesTable;
use super::intern::{FastHash, Interner, SpanKey};
use super::rows::{self, EventEntry, MeasurementEntry, Table, event_row, measurement_entry, span_row, wider};
use crate::filter::Filter;
use crate::inspect::model::{FileId, SpanRow};
use crate::record::RecordView;
use crate::source::file_name;

/// Time between two looks at fill and losses, and between two samples of the series.
const LOOK_INTERVAL: u64 = 1_000_000_000;
/// Most faults of a recording that are kept.
const MAX_FAULTS: usize = 1_000;
/// Bytes of records that are read at once: their records are rows before further ones are read, so that little memory is
/// in use for a short time only.
const PART: u64 = 1 << 20;

/// A recording with what the viewer keeps of it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    pub(super) name: Text,
    /// Of its header.
    pub(super) identity: [u8; 16],
    pub(super) pid: u32,
    pub(super) header: Arc<[(&'static str, String)]>,
    pub(super) size: u64,
    /// `None`: it was released, to be opened again when it is needed.
    pub(super) recording: Option<Arc<Recording>>,
    /// `None`: read to the end.
    observer: Option<Observer>,
    round: Round,
    pub(super) liveness: Liveness,
    pub(super) vanished: bool,
    pub(super) service: Option<Text>,
    pub(super) spans: Table<Arc<SpanRow>>,
    pub(super) events: Table<EventEntry>,
    pub(super) measurements: Table<MeasurementEntry>,
    pub(super) in_flight: Vec<Arc<SpanRow>>,
    pub(super) series: SeriesTable,
    pub(super) fill: Option<Fill>,
    pub(super) entries: Entries,
    pub(super) losses: Option<Losses>,
    pub(super) missed: [u64; 3],
    pub(super) faults: Arc<[Fault]>,
    pub(super) fault_count: u64,
    told: HashSet<(u64, Rule)>,
    /// Spans among those in flight that have a record.
    ended: HashSet<SpanKey, FastHash>,
    /// Spans that the last poll brought.
    last_ended: Vec<SpanKey>,
    looked_at: Option<u64>,
    /// Its rows are as the filter in force says.
    pub(super) is_filtered: bool,
}

/// How far the segments have been looked at, one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// A poll has stopped before the last segment, and the next one goes on there.
    is_open: bool,
    /// Every segment has been looked at once at least.
    was_whole: bool,
    /// When it began, the writer was gone.
    is_last: bool,
}

/// What polls need of the one who keeps the files.
pub(super) struct Polling<'a> {
    pub(super) filter: Option<&'a Filter>,
    pub(super) interner: &'a mut Interner,
    pub(super) now: u64,
    /// Whether it is time to stop: somebody waits, or it has taken too long.
    pub(super) is_due: &'a mut dyn FnMut() -> bool,
}

impl Polling<'_> {
    fn hit(&self, record: RecordView<'_>) -> bool {
        self.filter.is_none_or(|filter| filter.matches(&record))
    }
}

impl File {
    pub(super) fn new(id: FileId, recording: Arc<Recording>) -> Self {
        let header = recording.header();
        Self {
            id,
            path: recording.path().to_owned(),
            name: file_name(&recording),
            identity: header.file_id,
            pid: header.pid,
            header: super::health::facts(&recording).into(),
            size: header.file_size,
            observer: Some(recording.observe()),
            // It may be long until it is read.
            liveness: recording.liveness(),
            recording: Some(recording),
            round: Round::default(),
            vanished: false,
            service: None,
            spans: Table::default(),
            events: Table::default(),
            measurements: Table::default(),
            in_flight: Vec::new(),
            series: SeriesTable::default(),
            fill: None,
            entries: Entries::default(),
            losses: None,
            missed: [0; 3],
            faults: Arc::default(),
            fault_count: 0,
            told: HashSet::new(),
            ended: HashSet::default(),
            last_ended: Vec::new(),
            looked_at: None,
            is_filtered: true,
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_done(&self) -> bool {
        self.observer.is_none()
    }

    /// Whether it was polled before.
    pub(super) fn was_read(&self) -> bool {
        self.looked_at.is_some()
    }

    /// Its recording, opened again if it was released; `None` if that is not to be had any more.
    pub(super) fn open(&self) -> Option<Arc<Recording>> {
        if let Some(recording) = &self.recording {
            return Some(Arc::clone(recording));
        }
        let recording = Recording::open(&self.path).ok()?;
        (recording.header().file_id == self.identity).then(|| Arc::new(recording))
    }

    /// First and last time.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        let in_flight = self.in_flight.iter().filter_map(|span| rows::known_range((span.start, span.start)));
        let tables = [self.spans.range(), self.events.range(), self.measurements.range()];
        let series = self.series.last_time().and_then(|time| rows::known_range((time, time)));
        tables.into_iter().flatten().chain(series).chain(in_flight).reduce(wider)
    }

    /// Reads what is new, or a part of it if it is time to stop; gives the number of new records, or `None` if nothing has
    /// changed.
    pub(super) fn poll(&mut self, polling: &mut Polling<'_>) -> Option<u64> {
        let (Some(recording), Some(mut observer)) = (self.recording.clone(), self.observer.take()) else {
            return None;
        };
        let liveness = recording.liveness();
        if !self.round.is_open {
            self.round.is_last = liveness != Liveness::Alive;
        }
        let mut report = Report::default();
        let active = recording.active_spans(&mut report);
        let mut changed = liveness != self.liveness;
        self.liveness = liveness;
        changed |= self.take_faults(report);
        let (mut count, mut ended) = (0_u64, Vec::new());
        loop {
            let (batch, is_whole) = part(&mut observer);
            self.round.is_open = !is_whole;
            self.round.was_whole |= is_whole;
            changed |= !batch.progress.is_empty();
            count = count.saturating_add(u64::try_from(batch.records.len()).unwrap_or(u64::MAX));
            changed |= self.take(batch, &mut ended, polling);
            if is_whole || (polling.is_due)() {
                break;
            }
        }
        changed |= self.take_in_flight(&active, ended, polling);
        let is_over = self.round.is_last && !self.round.is_open;
        let due = self.looked_at.is_none_or(|last| polling.now.saturating_sub(last) >= LOOK_INTERVAL);
        if due || is_over {
            self.looked_at = Some(polling.now);
            changed |= self.look(&recording, &observer, polling);
        }
        if is_over {
            changed |= self.outlive();
        } else {
            self.observer = Some(observer);
        }
        changed.then_some(count)
    }

    /// Whether every segment has been looked at once at least.
    pub(super) fn was_whole(&self) -> bool {
        self.round.was_whole
    }

    /// Takes new records in, and adds the ids of the spans among them to `ended`; whether there was a fault.
    fn take(&mut self, batch: Batch, ended: &mut Vec<SpanKey>, polling: &mut Polling<'_>) -> bool {
        for (missed, more) in self.missed.iter_mut().zip(batch.missed) {
            *missed = missed.saturating_add(more);
        }
        let begun: Vec<_> = batch.progress.iter().map(|progress| self.begin(progress)).collect();
        for record in batch.records {
            let hit = polling.hit((&record).into());
            let segment = record.position().segment;
            match &record {
                Record::Span(span) => {
                    ended.push((span.trace_id, span.span_id));
                    let row = span_row(self.id, span, hit, polling.interner);
                    self.service.get_or_insert_with(|| Arc::clone(&row.service));
                    self.spans.push(segment, Arc::new(row));
                }
                Record::Event(event) => {
                    let row = Arc::new(event_row(self.id, event, polling.interner));
                    self.service.get_or_insert_with(|| Arc::clone(&row.service));
                    self.events.push(segment, EventEntry { row, hit });
                }
                Record::Measurement(measurement) => {
                    self.measurements.push(segment, measurement_entry(measurement));
                }
            }
        }
        for (progress, before) in batch.progress.iter().zip(begun) {
            match progress.signal {
                Signal::Spans => self.spans.settle(progress.segment, before),
                Signal::Events => self.events.settle(progress.segment, before),
                Signal::Measurements => self.measurements.settle(progress.segment, before),
            }
        }
        self.take_faults(batch.report)
    }

    /// Lets rows of an older generation go; gives the number of those that stay.
    fn begin(&mut self, progress: &otlp_mmap_reader::Progress) -> usize {
        let (segment, generation) = (progress.segment, progress.generation);
        match progress.signal {
            Signal::Spans => self.spans.begin(segment, generation).rows.len(),
            Signal::Events => self.events.begin(segment, generation).rows.len(),
            Signal::Measurements => self.measurements.begin(segment, generation).rows.len(),
        }
    }

    /// Takes what the table of spans in flight holds, without those that have a record: that may have come in this
    /// poll, in the last one, or have been seen before that.
    fn take_in_flight(
        &mut self,
        active: &[otlp_mmap_reader::model::Span],
        new: Vec<SpanKey>,
        polling: &mut Polling<'_>,
    ) -> bool {
        let keys: HashSet<SpanKey, FastHash> =
            active.iter().map(|span| (span.trace_id, span.span_id)).collect();
        let mut ended = std::mem::take(&mut self.ended);
        ended.retain(|key| keys.contains(key));
        ended.extend(self.last_ended.iter().chain(&new).filter(|key| keys.contains(*key)));
        self.last_ended = new;
        let rows: Vec<_> = active
            .iter()
            .filter(|span| !ended.contains(&(span.trace_id, span.span_id)))
            .map(|span| {
                let hit = polling.hit(RecordView::Span(span));
                Arc::new(span_row(self.id, span, hit, polling.interner))
            })
            .collect();
        self.ended = ended;
        if let Some(first) = rows.first() {
            self.service.get_or_insert_with(|| Arc::clone(&first.service));
        }
        let is_same = |(one, other): (&Arc<SpanRow>, &Arc<SpanRow>)| {
            one.id == other.id
                && one.start == other.start
                && one.hit == other.hit
                && one.status_code == other.status_code
                && one.name == other.name
        };
        if rows.len() == self.in_flight.len() && rows.iter().zip(&self.in_flight).all(is_same) {
            return false;
        }
        self.in_flight = rows;
        true
    }

    /// The process is gone, and all of its recording is read: what was in flight reaches no further than the last time
    /// in it. Whether anything was.
    fn outlive(&mut self) -> bool {
        let last = self.range().map(|(_, last)| last);
        for row in &mut self.in_flight {
            Arc::make_mut(row).last = last;
        }
        !self.in_flight.is_empty()
    }

    /// Keeps faults that were not met before; whether there was one.
    fn take_faults(&mut self, report: Report) -> bool {
        let mut new = Vec::new();
        for fault in report.faults {
            if self.told.len() < MAX_FAULTS && self.told.insert((fault.offset, fault.rule)) {
                new.push(fault);
            }
        }
        // Those that were left out cannot be told from one another: they count when they are more than before.
        let found = u64::try_from(self.told.len()).unwrap_or(u64::MAX).saturating_add(report.omitted);
        let is_more = found > self.fault_count;
        self.fault_count = self.fault_count.max(found);
        if !new.is_empty() {
            self.faults = self.faults.iter().cloned().chain(new).collect();
        }
        is_more
    }

    /// Looks at fill, losses and series.
    fn look(&mut self, recording: &Recording, observer: &Observer, polling: &mut Polling<'_>) -> bool {
        let (fill, losses) = (recording.fill().ok(), observer.losses().ok());
        let mut changed = fill != self.fill || losses != self.losses;
        (self.fill, self.losses) = (fill, losses);
        // What cannot be counted is told by those who use it. Entries that are new make the dictionary fuller.
        let _ = recording.count_entries(&mut self.entries);
        let mut report = Report::default();
        let series = recording.series(&mut report).unwrap_or_default();
        changed |= self.take_faults(report);
        if let Some(first) = series.first() {
            let service = polling.interner.service(&first.stream.scope);
            self.service.get_or_insert(service);
        }
        changed | self.series.take(series, self.liveness != Liveness::Alive, polling)
    }

    /// Says for every row anew whether it passes, by reading the recording again in full. `false`: it was told to stop.
    pub(super) fn refilter(&mut self, filter: Option<&Filter>, is_stale: &mut dyn FnMut() -> bool) -> bool {
        let Some(filter) = filter else {
            self.spans.set_hits(|_, _| true);
            self.events.set_hits(|_, _| true);
            self.series.set_hits(|_| true);
            self.in_flight.iter_mut().for_each(|row| rows::Row::set_hit(row, true));
            return true;
        };
        let mut active = HashMap::new();
        let mut found = [HashSet::new(), HashSet::new()];
        if let Some(recording) = self.open() {
            let in_flight = recording.active_spans(&mut Report::default());
            let keyed = in_flight
                .iter()
                .map(|span| ((span.trace_id, span.span_id), filter.matches(&RecordView::Span(span))));
            active.extend(keyed);
            let Some(passing) = passing(&recording, filter, is_stale) else { return false };
            found = passing;
        }
        let [spans, events] = found;
        self.spans.set_hits(|segment, sequence| spans.contains(&(segment, sequence)));
        self.events.set_hits(|segment, sequence| events.contains(&(segment, sequence)));
        self.series.set_hits(|series| filter.matches(&RecordView::Metric(series)));
        for row in &mut self.in_flight {
            let hit = active.get(&(row.trace_id, row.span_id)).copied().unwrap_or(false);
            rows::Row::set_hit(row, hit);
        }
        true
    }

    /// The latest exemplars of a series that are still there, oldest first; at most `limit`.
    pub(super) fn exemplars(&self, series: (u32, u32), until: Option<u64>, limit: usize) -> Vec<Measurement> {
        let is_it = |entry: &&MeasurementEntry| {
            !entry.raw && entry.series == series && until.is_none_or(|until| entry.time <= until)
        };
        let mut found: Vec<_> = self.measurements.rows().filter(is_it).collect();
        found.sort_by_key(|entry| entry.time);
        let skip = found.len().saturating_sub(limit);
        let Some(recording) = self.open() else { return Vec::new() };
        let read = found.iter().skip(skip).filter_map(|entry| {
            match recording.record(Signal::Measurements, entry.position)? {
                Record::Measurement(measurement) => Some(*measurement),
                _ => None,
            }
        });
        read.collect()
    }
}

/// The next part of what is new, and whether it is the last.
fn part(observer: &mut Observer) -> (Batch, bool) {
    observer.poll_part(PART).unwrap_or_else(|_| (Batch::default(), true))
}

/// Segment and sequence of the spans and of the events that pass; `None`: it was told to stop.
fn passing(
    recording: &Recording,
    filter: &Filter,
    is_stale: &mut dyn FnMut() -> bool,
) -> Option<[HashSet<(u32, u64)>; 2]> {
    let (mut spans, mut events) = (HashSet::new(), HashSet::new());
    let mut observer = recording.observe();
    loop {
        let (batch, is_whole) = part(&mut observer);
        for record in batch.records.iter().filter(|record| filter.matches(&(*record).into())) {
            let position = record.position();
            match record {
                Record::Span(_) => spans.insert((position.segment, position.sequence)),
                Record::Event(_) => events.insert((position.segment, position.sequence)),
                Record::Measurement(_) => false,
            };
        }
        if is_whole {
            return Some([spans, events]);
        }
        if is_stale() {
            return None;
        }
    }
}
