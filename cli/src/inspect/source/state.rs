//! Everything that the source knows: the recordings that are followed, and the answers made from them.

use std::path::PathBuf;
use std::sync::Arc;

use otlp_mmap_reader::Liveness;

use super::cursor::Cursor;
use super::file::{File, Polling};
use super::found::{self, Found};
use super::intern::Interner;
use super::rows::wider;
use super::{detail, events, health, lints, metrics, operations, traces, waterfall};
use crate::inspect::model::{FileId, Snapshot, Totals};
use crate::inspect::query::{NamedFilter, Query, View};
use crate::source::raise_file_limit;

/// Files that are gone and whose writers are, too, that are kept. The oldest of more go with all their rows.
const MAX_VANISHED: usize = 16;

/// The recordings at some paths, and the rows of what they hold.
#[derive(Debug)]
pub(crate) struct Model {
    found: Found,
    pub(super) files: Vec<File>,
    interner: Interner,
    filter: Option<Arc<NamedFilter>>,
    next_file: u32,
    seen: u64,
    /// Recordings that stay open once they were read to the end.
    open_limit: usize,
    /// The last answer: lists that are not asked for now stay as they were in it.
    last: Snapshot,
}

impl Model {
    /// Names the paths; the first poll looks at them. One that is not there is a problem of the snapshot.
    pub(crate) fn open(paths: &[PathBuf]) -> Self {
        raise_file_limit();
        Self {
            found: Found::new(paths),
            files: Vec::new(),
            interner: Interner::default(),
            filter: None,
            next_file: 0,
            seen: 0,
            open_limit: found::open_limit(),
            last: Snapshot::default(),
        }
    }

    /// Looks for new files and reads what is new in all of them; whether anything changed.
    pub(crate) fn poll(&mut self, now: u64) -> bool {
        self.poll_until(now, &mut || false).changed
    }

    /// As [`Model::poll`], but once it is due, a part of each file is read and no more; those that were never read before
    /// wait for the next poll.
    pub(super) fn poll_until(&mut self, now: u64, is_due: &mut dyn FnMut() -> bool) -> Polled {
        let (new, vanished) = self.found.refresh();
        let mut polled = Polled { changed: !new.is_empty() || !vanished.is_empty(), is_complete: true };
        for path in &vanished {
            let gone = self.files.iter_mut().filter(|file| file.path == *path);
            gone.for_each(|file| file.vanished = true);
        }
        for recording in new {
            self.files.push(File::new(FileId(self.next_file), recording));
            self.next_file = self.next_file.saturating_add(1);
        }
        let filter = self.filter.clone();
        let filter = filter.as_ref().map(|named| &named.filter);
        let mut polling = Polling { filter, interner: &mut self.interner, now, is_due };
        let mut is_first = true;
        for file in &mut self.files {
            if !file.was_read() && !std::mem::take(&mut is_first) && (polling.is_due)() {
                polled.is_complete = false;
                continue;
            }
            if let Some(count) = file.poll(&mut polling) {
                polled.changed = true;
                self.seen = self.seen.saturating_add(count);
            }
            polled.is_complete &= file.was_whole();
        }
        self.close_some();
        polled
    }

    /// Whether a writer lives.
    pub(super) fn is_live(&self) -> bool {
        self.files.iter().any(|file| file.liveness == Liveness::Alive)
    }

    /// Closes recordings that were read to the end if too many are open, and lets the oldest of those go whose files
    /// are gone.
    fn close_some(&mut self) {
        let gone = |file: &File| file.vanished && file.is_done();
        let mut surplus = self.files.iter().filter(|file| gone(file)).count().saturating_sub(MAX_VANISHED);
        if surplus > 0 {
            self.files.retain(|file| {
                let goes = surplus > 0 && gone(file);
                surplus -= usize::from(goes);
                !goes
            });
        }
        let open = self.files.iter().filter(|file| file.recording.is_some()).count();
        let mut surplus = open.saturating_sub(self.open_limit);
        for file in &mut self.files {
            if surplus == 0 {
                break;
            }
            // A file that is gone cannot be opened again.
            if file.is_done() && !file.vanished && file.recording.take().is_some() {
                self.found.release(&file.path);
                surplus -= 1;
            }
        }
    }

    /// What the query asks for.
    pub(crate) fn answer(&mut self, query: &Query, now: u64) -> Snapshot {
        self.set_filter(query, &mut || false);
        self.answer_as_filtered(query, now)
    }

    /// Takes the filter of a query over; `false`: `is_stale` has put an end to it.
    pub(super) fn set_filter(&mut self, query: &Query, is_stale: &mut dyn FnMut() -> bool) -> bool {
        let text = |filter: &Option<Arc<NamedFilter>>| filter.as_ref().map(|named| named.text.clone());
        if text(&self.filter) != text(&query.filter) {
            self.filter.clone_from(&query.filter);
            self.files.iter_mut().for_each(|file| file.is_filtered = false);
        }
        let filter = self.filter.as_ref().map(|named| &named.filter);
        for file in self.files.iter_mut().filter(|file| !file.is_filtered) {
            if !file.refilter(filter, is_stale) {
                return false;
            }
            file.is_filtered = true;
        }
        true
    }

    fn answer_as_filtered(&mut self, query: &Query, now: u64) -> Snapshot {
        let range = self.files.iter().filter_map(File::range).reduce(wider);
        let end = if self.is_live() { now } else { range.map_or(now, |(_, last)| last) };
        let until = query.until.unwrap_or(end);
        let asked = Asked {
            files: &self.files,
            query,
            cursor: Cursor(query.until),
            until,
            range,
            is_filtered: self.filter.is_some(),
        };
        let mut answer = Snapshot {
            query: query.number,
            now,
            until,
            range,
            totals: asked.totals(self.seen),
            files: health::files(&asked).into(),
            problems: self.found.problems().into(),
            detail: query.detail.map(|id| Arc::new(detail::detail(&asked, id))),
            ..self.last.clone()
        };
        asked.view(&mut answer);
        self.last = Snapshot { detail: None, ..answer.clone() };
        answer
    }
}

/// What a poll came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polled {
    pub(super) changed: bool,
    /// All that was there at first has been read.
    pub(super) is_complete: bool,
}

/// What answers are made of.
pub(super) struct Asked<'a> {
    pub(super) files: &'a [File],
    pub(super) query: &'a Query,
    pub(super) cursor: Cursor,
    /// The cursor, or the time that is now.
    pub(super) until: u64,
    pub(super) range: Option<(u64, u64)>,
    pub(super) is_filtered: bool,
}

impl<'a> Asked<'a> {
    /// The files that are asked for.
    pub(super) fn files(&self) -> impl Iterator<Item = &'a File> + Clone + use<'a> {
        let wanted = self.query.file;
        self.files.iter().filter(move |file| wanted.is_none_or(|id| id == file.id))
    }

    /// The file of a number.
    pub(super) fn file(&self, id: FileId) -> Option<&'a File> {
        self.files.iter().find(|file| file.id == id)
    }

    fn view(&self, answer: &mut Snapshot) {
        let query = self.query;
        match query.view {
            View::Traces => answer.traces = traces::traces(self).into(),
            View::Operations => answer.operations = operations::operations(self).into(),
            View::Metrics => {
                answer.series = metrics::series(self).into();
                answer.chart = query.series.and_then(|id| metrics::chart(self, id)).map(Arc::new);
            }
            View::Events => answer.events = events::events(self).into(),
            View::File => answer.lints = lints::lints(self).into(),
            View::Waterfall => {
                answer.waterfall = query.trace.and_then(|id| waterfall::of_trace(self, id)).map(Arc::new);
            }
        }
    }

    fn totals(&self, seen: u64) -> Totals {
        let sum = |count: &dyn Fn(&File) -> usize| self.files.iter().map(count).sum();
        let hits = |file: &File| {
            let in_flight = file.in_flight.iter().filter(|span| span.hit).count();
            file.spans.hits() + file.events.hits() + file.series.hits() + in_flight
        };
        Totals {
            spans: sum(&|file| file.spans.len()),
            events: sum(&|file| file.events.len()),
            measurements: sum(&|file| file.measurements.len()),
            series: sum(&|file| file.series.series.len()),
            in_flight: sum(&|file| file.in_flight.len()),
            seen,
            hits: self.files().map(hits).sum(),
        }
    }
}

#[cfg(test)]
impl Model {
    pub(super) fn set_open_limit(&mut self, limit: usize) {
        self.open_limit = limit;
    }

    pub(super) fn open_count(&self) -> usize {
        self.files.iter().filter(|file| file.recording.is_some()).count()
    }
}
