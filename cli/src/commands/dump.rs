//! `dump`: every record of every file, then the end.
//!
//! One file is in memory at a time; only OTLP JSON documents have to hold what they are made of.

use std::sync::Arc;

use anyhow::bail;
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Recording, Report, Snapshot};

use crate::args::{Dump, Format};
use crate::io::{Exit, Io};
use crate::output::{Item, OtlpSignal, Output, Sinks, otlp_signals, refuse_input};
use crate::paint::Paint;
use crate::record::{OwnedRecord, Signal};
use crate::select::Selection;
use crate::source::{Notes, Recordings, file_name};

/// What is dumped if no signal is named.
const SIGNALS: [Signal; 4] = [Signal::Spans, Signal::Events, Signal::Measurements, Signal::Metrics];

pub(super) fn run(args: &Dump, paint: Paint, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.select, &SIGNALS, io.clock.now_unix_nano())?;
    let format = format(args)?;
    let named = otlp_signals(&args.select.signals);
    let wanted = if named.is_empty() { otlp_signals(&SIGNALS) } else { named.clone() };
    let mut notes = Notes::new(io.stderr);
    // Before anything is created: nothing is left behind if nothing can be read.
    let mut recordings = Recordings::list(&args.paths, &mut notes);
    let mut next = recordings.next(&mut notes);
    if next.is_none() && notes.failed() {
        return Ok(Exit::Error);
    }
    let mut output = Output::new(format, paint, sinks(args, &wanted, io.stdout)?);
    let mut found = false;
    while let Some(recording) = next {
        match recording.snapshot() {
            Ok(snapshot) => {
                notes.report(recording.path(), &snapshot.report);
                let items = items(snapshot, &selection, &file_name(&recording));
                found |= !items.is_empty();
                output.write(items)?;
                notes.too_long(output.take_too_long());
            }
            Err(error) => notes.fail(recording.path(), error),
        }
        next = recordings.next(&mut notes);
    }
    output.finish(if args.output_dir.is_some() { &wanted } else { &named })?;
    Ok(exit(&notes, args.select.exit_code && !found))
}

/// The exit code: what could not be read weighs more than what was not found.
pub(super) fn exit(notes: &Notes<'_>, no: bool) -> Exit {
    match (notes.failed(), no) {
        (true, _) => Exit::Error,
        (false, true) => Exit::No,
        (false, false) => Exit::Success,
    }
}

/// Refuses measurements alone in OTLP, where they are part of their metrics.
pub(super) fn check_signals(format: Format, signals: &[Signal]) -> anyhow::Result<()> {
    let otlp = matches!(format, Format::OtlpJsonl | Format::OtlpJson);
    if otlp && signals.contains(&Signal::Measurements) && !signals.contains(&Signal::Metrics) {
        bail!("OTLP has measurements as exemplars of metrics: take --signal metrics, or --format jsonl");
    }
    Ok(())
}

fn format(args: &Dump) -> anyhow::Result<Format> {
    let otherwise = if args.output_dir.is_some() { Format::OtlpJsonl } else { Format::Text };
    let format = args.format.unwrap_or(otherwise);
    check_signals(format, &args.select.signals)?;
    if args.output_dir.is_some() && format == Format::Text {
        bail!("--output-dir is for the JSON formats; for text take --output");
    }
    let otlp = matches!(format, Format::OtlpJsonl | Format::OtlpJson);
    if args.output.is_some() && otlp && otlp_signals(&args.select.signals).len() != 1 {
        bail!("an OTLP file has one signal: name it with --signal, or take --output-dir for one file each");
    }
    Ok(format)
}

fn sinks<'a>(
    args: &Dump,
    wanted: &[OtlpSignal],
    stdout: &'a mut dyn std::io::Write,
) -> anyhow::Result<Sinks<'a>> {
    if let Some(path) = &args.output {
        refuse_input(path, &args.paths)?;
        return Sinks::file(path);
    }
    if let Some(path) = &args.output_dir {
        return Sinks::directory(path, wanted);
    }
    Ok(Sinks::One(Box::new(stdout)))
}

/// The wanted records of a recording: by time, metrics last.
fn items(snapshot: Snapshot, selection: &Selection, file: &Arc<str>) -> Vec<Item> {
    let spans = snapshot.spans.into_iter().chain(snapshot.spans_in_flight);
    let spans = spans.map(|span| Record::Span(Box::new(span)));
    let events = snapshot.events.into_iter().map(|event| Record::Event(Box::new(event)));
    let measurements = snapshot.measurements.into_iter();
    let measurements = measurements.map(|measurement| Record::Measurement(Box::new(measurement)));
    let mut items: Vec<Item> = spans
        .chain(events)
        .chain(measurements)
        .filter(|record| selection.accepts(record.into()))
        .map(|record| Item::new(file, record))
        .collect();
    items.sort_by_key(Item::time);
    let metrics = snapshot.series.into_iter().map(|series| OwnedRecord::Metric(Box::new(series)));
    let metrics = metrics.filter(|metric| selection.accepts(metric.view()));
    items.extend(metrics.map(|record| Item { file: Arc::clone(file), record }));
    items
}

/// The series of a recording that are wanted, each as it is now. `None`: they cannot be read, which was told.
pub(super) fn metrics(
    recording: &Recording,
    selection: &Selection,
    notes: &mut Notes<'_>,
) -> Option<Vec<OwnedRecord>> {
    match recording.series(&mut Report::default()) {
        Ok(series) => {
            let metrics = series.into_iter().map(|series| OwnedRecord::Metric(Box::new(series)));
            Some(metrics.filter(|metric| selection.accepts(metric.view())).collect())
        }
        Err(error) => {
            notes.fail(recording.path(), error);
            None
        }
    }
}
