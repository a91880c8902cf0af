//! `tail`: the last records of all files in the order of their times, then new ones as they come.
//!
//! A round asks every recording for what is new. Whether a writer lives is asked before its records are read, so that
//! a writer found gone has been read to the end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use otlp_mmap_reader::model::Point;
use otlp_mmap_reader::{Batch, Fault, Liveness, Observer, Recording, Report, Rule, Signal as FileSignal};

use super::dump;
use crate::args::{Format, Tail};
use crate::io::{Exit, Io};
use crate::output::{Item, Output, Sinks};
use crate::paint::Paint;
use crate::record::{OwnedRecord, Signal};
use crate::select::Selection;
use crate::source::{Notes, Sources, file_name, joined, raise_file_limit};

/// What is followed if no signal is named: what is recorded at a time. Metrics only change.
const SIGNALS: [Signal; 3] = [Signal::Spans, Signal::Events, Signal::Measurements];

/// Time between rounds.
const INTERVAL: Duration = Duration::from_millis(100);

/// Rounds from one look at the metrics to the next.
const METRIC_ROUNDS: u64 = 10;

/// Most faults of one recording that are remembered as told, and told.
const FAULTS_TOLD: usize = 100;

pub(super) fn run(args: &Tail, paint: Paint, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let format = Format::from(args.format);
    dump::check_signals(format, &args.select.signals)?;
    let selection = Selection::new(&args.select, &SIGNALS, io.clock.now_unix_nano())?;
    let mut notes = Notes::new(io.stderr);
    raise_file_limit();
    let sources = Sources::open(&args.paths, &mut notes);
    if sources.is_empty() {
        return Ok(Exit::Error);
    }
    let follow = args.follow || args.until_closed;
    let mut rounds = Rounds { sources, selection, notes, followed: Vec::new(), follow, number: 0 };
    let mut output = Output::new(format, paint, Sinks::One(Box::new(&mut *io.stdout)));
    let mut items = rounds.next(args.lines);
    let mut found = !items.is_empty();
    if rounds.followed.is_empty() {
        rounds.notes.no_recordings(&args.paths);
    }
    loop {
        output.write(items)?;
        output.flush()?;
        rounds.notes.too_long(output.take_too_long());
        rounds.end();
        let done = !follow || rounds.are_over(args.until_closed);
        if done || !io.clock.wait(INTERVAL) {
            break;
        }
        items = rounds.next(usize::MAX);
        found |= !items.is_empty();
    }
    Ok(dump::exit(&rounds.notes, args.select.exit_code && !found))
}

struct Rounds<'a> {
    sources: Sources,
    selection: Selection,
    notes: Notes<'a>,
    followed: Vec<Followed>,
    follow: bool,
    number: u64,
}

/// A recording with what was already seen of it.
struct Followed {
    recording: Arc<Recording>,
    file: Arc<str>,
    observer: Observer,
    /// Time and value of each series when it was last printed.
    metrics: HashMap<(u32, u32), (u64, Point)>,
    told: HashSet<(u64, Rule)>,
    ended: bool,
    /// How it ended; told once what it brought last is printed.
    end: Option<Liveness>,
}

impl Rounds<'_> {
    /// What is new in all recordings, by time; at most the last `limit` records.
    fn next(&mut self, limit: usize) -> Vec<Item> {
        let new = self.sources.refresh(&mut self.notes);
        self.followed.extend(new.into_iter().map(Followed::new));
        let with_metrics = self.selection.has(Signal::Metrics) && self.number.is_multiple_of(METRIC_ROUNDS);
        self.number += 1;
        let mut items = Vec::new();
        for followed in &mut self.followed {
            followed.round(&self.selection, with_metrics, &mut self.notes, &mut items);
            items.sort_by_key(Item::time);
            // After each file: memory is for one file and the limit.
            items.drain(..items.len().saturating_sub(limit));
        }
        items
    }

    /// Tells what ended in this round, and closes it.
    fn end(&mut self) {
        for followed in self.followed.extract_if(.., |followed| followed.ended) {
            if let Some(liveness) = followed.end.filter(|_| self.follow) {
                followed.tell_end(liveness, &mut self.notes);
            }
            self.sources.release(followed.recording.path());
        }
    }

    /// Whether there is nothing more to follow: no path is left, or `until_closed` and no writer that lives.
    fn are_over(&self, until_closed: bool) -> bool {
        self.followed.is_empty() && (until_closed || self.sources.is_empty())
    }
}

impl Followed {
    fn new(recording: Arc<Recording>) -> Self {
        Self {
            file: file_name(&recording),
            observer: recording.observe(),
            recording,
            metrics: HashMap::new(),
            told: HashSet::new(),
            ended: false,
            end: None,
        }
    }

    fn round(
        &mut self,
        selection: &Selection,
        with_metrics: bool,
        notes: &mut Notes<'_>,
        items: &mut Vec<Item>,
    ) {
        let liveness = self.recording.liveness();
        match self.observer.poll() {
            Ok(batch) => {
                self.tell(&batch, notes);
                let records = batch.records.into_iter().filter(|record| selection.accepts(record.into()));
                items.extend(records.map(|record| Item::new(&self.file, record)));
            }
            Err(error) => {
                notes.fail(self.recording.path(), error);
                self.ended = true;
            }
        }
        if liveness != Liveness::Alive {
            self.ended = true;
            self.end = Some(liveness);
        }
        if with_metrics || self.ended && selection.has(Signal::Metrics) {
            self.changed_metrics(selection, notes, items);
        }
    }

    fn changed_metrics(&mut self, selection: &Selection, notes: &mut Notes<'_>, items: &mut Vec<Item>) {
        let Some(metrics) = dump::metrics(&self.recording, selection, notes) else {
            self.ended = true;
            return;
        };
        for record in metrics {
            let OwnedRecord::Metric(series) = &record else { continue };
            let now = (series.time_unix_nano, series.point.clone());
            // Comparing a NaN says "changed"; the time says whether it is so.
            if self.metrics.get(&series.series).is_some_and(|last| last.0 == now.0 && same(&last.1, &now.1)) {
                continue;
            }
            self.metrics.insert(series.series, now);
            items.push(Item { file: Arc::clone(&self.file), record });
        }
    }

    /// Tells what a poll missed, and each fault once.
    fn tell(&mut self, batch: &Batch, notes: &mut Notes<'_>) {
        let path = self.recording.path();
        for (signal, name) in FileSignal::ALL {
            let missed = batch.missed(*signal);
            if missed > 0 {
                notes.note(
                    path,
                    format!("missed {missed} {}, overwritten before they were read", joined(name, ' ')),
                );
            }
        }
        for fault in &batch.report.faults {
            let Fault { offset, rule, .. } = fault;
            if self.told.len() < FAULTS_TOLD && self.told.insert((*offset, *rule)) {
                notes.note(path, fault);
            }
        }
    }

    fn tell_end(&self, liveness: Liveness, notes: &mut Notes<'_>) {
        let path = self.recording.path();
        let in_flight = match self.recording.spans_in_flight(&mut Report::default()) {
            Ok(spans) if !spans.is_empty() => format!("; spans in flight: {}", spans.len()),
            _ => String::new(),
        };
        let what = match liveness {
            Liveness::Closed { .. } => "the writer closed the recording",
            _ => "the writer is gone and did not close the recording",
        };
        notes.note(path, format!("{what}{in_flight}"));
    }
}

/// Whether two values are the same for a reader.
fn same(left: &Point, right: &Point) -> bool {
    left == right || format!("{left:?}") == format!("{right:?}")
}
