//! Follows the records of a recording (SPEC "Observer").
//!
//! The observer reads only; the writer does not know of it. It keeps one cursor for each segment. What was
//! recycled before it was read is counted exactly, from the number of records each segment ever held.

use std::sync::Arc;

use otlp_mmap_format::{Committed, Signal};

use crate::bytes::len;
use crate::dictionary::Resolver;
use crate::model::{Position, Record};
use crate::pool::{Chunk, Cursor, Mode, read_table};
use crate::recording::Inner;
use crate::{Error, Losses, Report, losses};

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// New records, sorted by time.
    pub records: Vec<Record>,
    /// Records that were overwritten before this observer could read them: spans, events, measurements.
    pub missed: [u64; 3],
    /// How far each segment that brought something has been read now.
    pub progress: Vec<Progress>,
    /// Faults met in this poll, and how many records of each kind it brought.
    pub report: Report,
}

/// How far a segment was read: what [`crate::Exporter::acknowledge`] takes once the batch is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The signal whose segment it is.
    pub signal: Signal,
    /// Number of the segment within its pool.
    pub segment: u32,
    /// Generation of the segment.
    pub generation: u32,
    /// Records read, counted from the first of the generation.
    pub records: u32,
}

impl Batch {
    /// Records of `signal` that were missed.
    pub fn missed(&self, signal: Signal) -> u64 {
        let [spans, events, measurements] = self.missed;
        match signal {
            Signal::Spans => spans,
            Signal::Events => events,
            Signal::Measurements => measurements,
        }
    }
}

/// A place in a recording from which its records are read on.
#[derive(Debug)]
pub struct Observer {
    inner: Arc<Inner>,
    cursors: [Vec<Cursor>; 3],
    mode: Mode,
    skip_acknowledged: bool,
    /// Pool and segment where a poll in parts goes on.
    next: (usize, u32),
}

impl Observer {
    pub(crate) fn new(inner: Arc<Inner>, skip_acknowledged: bool) -> Self {
        let mode = inner.mode();
        let cursors = inner.header.pools.each_ref().map(|pool| {
            let count = len(u64::from(pool.table.entry_count));
            vec![Cursor::default(); count]
        });
        Self { inner, cursors, mode, skip_acknowledged, next: (0, 0) }
    }

    /// Reads what was recorded since the last poll; never waits.
    ///
    /// # Errors
    /// None at present: a part of the file that cannot be read any more gives a [`crate::Fault`] in each poll.
    pub fn poll(&mut self) -> Result<Batch, Error> {
        self.next = (0, 0);
        self.poll_part(u64::MAX).map(|(batch, _)| batch)
    }

    /// As [`Observer::poll`], but stops behind the segment with which it has read so many bytes of records, or
    /// more. `false`: the next call goes on from there; `true`: every segment was looked at once.
    ///
    /// # Errors
    /// As [`Observer::poll`].
    pub fn poll_part(&mut self, bytes: u64) -> Result<(Batch, bool), Error> {
        if self.mode == Mode::Live {
            self.mode = self.inner.mode();
        }
        let mut batch = Batch::default();
        let inner = Arc::clone(&self.inner);
        let mut dictionary = inner.dictionary();
        let mut resolver = Resolver::new(&inner.source, &mut dictionary, &mut batch.report);
        let (mut left, mut stopped) = (bytes, None);
        let pools = inner.header.pools.iter().zip(&mut self.cursors).zip(&mut batch.missed);
        'pools: for (number, ((pool, cursors), missed)) in pools.enumerate().skip(self.next.0) {
            let first = if number == self.next.0 { self.next.1 } else { 0 };
            let table = read_table(&inner.source, pool, resolver.report);
            for ((slot, entry), cursor) in (0..).zip(table).zip(cursors).skip(len(first.into())) {
                let committed = Committed::unpack(entry.committed.get());
                if self.mode != Mode::Remnants && !cursor.is_behind(committed) {
                    continue;
                }
                if left == 0 {
                    stopped = Some((number, slot));
                    break 'pools;
                }
                let reader = inner.segment(pool, slot);
                let skip = self.skip_acknowledged;
                let Some(chunk) = reader.read_new(cursor, self.mode, skip, missed, resolver.report) else {
                    continue;
                };
                left = left.saturating_sub(chunk.size());
                batch.records.extend(decode(&mut resolver, pool.signal, slot, &chunk));
                let (generation, records) = cursor.progress();
                batch.progress.push(Progress { signal: pool.signal, segment: slot, generation, records });
            }
        }
        self.next = stopped.unwrap_or_default();
        batch.report.count(&batch.records);
        batch.records.sort_by_key(Record::time_unix_nano);
        Ok((batch, stopped.is_none()))
    }

    /// What was lost, exactly, as far as this observer has read. As [`crate::Recording::losses`], but no record is
    /// read for it.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if a part of the counters or of the segment tables cannot be read.
    pub fn losses(&self) -> Result<Losses, Error> {
        losses::losses_as_read(&self.inner, &self.cursors)
    }
}

/// The records of `chunk` that can be decoded.
pub(crate) fn decode(
    resolver: &mut Resolver<'_>,
    signal: Signal,
    segment: u32,
    chunk: &Chunk,
) -> Vec<Record> {
    let mut records = Vec::with_capacity(len(chunk.len()));
    for (frame, bytes, sequence, offset) in chunk.records() {
        let position = Position { segment, sequence, offset };
        records.extend(resolver.record(signal, &frame.header, bytes, position));
    }
    records
}
