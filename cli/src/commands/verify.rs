//! `verify`: every fault with its offset and rule, and how much is readable in spite of it.

use std::io::Write;

use otlp_mmap_reader::{Liveness, Readable, Recording, Report};
use serde_json::{Value, json};

use super::dump::exit;
use crate::args::{ReportFormat, Verify};
use crate::escape::{Printable, json_safe};
use crate::io::{Exit, Io};
use crate::paint::{Paint, Style};
use crate::source::{Notes, Recordings};

pub(super) fn run(args: &Verify, paint: Paint, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let mut notes = Notes::new(io.stderr);
    let mut damaged = false;
    let mut recordings = Recordings::list(&args.paths, &mut notes);
    while let Some(recording) = recordings.next(&mut notes) {
        let report = match recording.verify() {
            Ok(report) => report,
            Err(error) => {
                notes.fail(recording.path(), error);
                continue;
            }
        };
        damaged |= !report.is_clean();
        match args.format {
            ReportFormat::Text => text(&recording, &report, paint, io.stdout)?,
            ReportFormat::Jsonl => {
                let json = json(&recording, &report).to_string();
                writeln!(io.stdout, "{}", json_safe(&json))?;
            }
        }
        if recording.liveness() == Liveness::Dead {
            notes.note(recording.path(), if recording.same_boot() { KILLED } else { OTHER_BOOT });
        }
    }
    Ok(exit(&notes, damaged))
}

/// What a killed writer leaves.
const KILLED: &str =
    "the writer did not close the recording; a record that it had not finished does not count as damage";

/// What a machine that went down leaves.
const OTHER_BOOT: &str = "the writer did not close the recording, and the machine was started again since: what is whole \
    counts, whether it was published or not";

fn text(recording: &Recording, report: &Report, paint: Paint, out: &mut dyn Write) -> std::io::Result<()> {
    let path = recording.path().display().to_string();
    let count = report.fault_count();
    let verdict = if report.is_clean() {
        paint.style(Style::Green, "ok".to_owned())
    } else {
        paint.style(Style::Red, format!("{count} {}", if count == 1 { "fault" } else { "faults" }))
    };
    writeln!(out, "{}: {verdict}", Printable(&path))?;
    for fault in &report.faults {
        writeln!(out, "  {}", Printable(&fault.to_string()))?;
    }
    if report.omitted > 0 {
        writeln!(out, "  and {} more", report.omitted)?;
    }
    let Readable { spans, events, measurements, spans_in_flight, series, dictionary_entries, .. } =
        report.readable;
    writeln!(
        out,
        "  readable: {spans} spans, {spans_in_flight} spans in flight, {events} events, {measurements} measurements, \
         {series} metric series, {dictionary_entries} dictionary entries"
    )
}

fn json(recording: &Recording, report: &Report) -> Value {
    let faults: Vec<Value> = report
        .faults
        .iter()
        .map(|fault| json!({"offset": fault.offset, "rule": fault.rule.name(), "detail": fault.detail}))
        .collect();
    json!({
        "schema_version": crate::jsonl::SCHEMA_VERSION,
        "type": "verify",
        "path": recording.path().to_string_lossy(),
        "damaged": !report.is_clean(),
        "fault_count": report.fault_count(),
        "faults": faults,
        "readable": readable(&report.readable),
    })
}

/// How much is readable, by kind.
pub(super) fn readable(readable: &Readable) -> Value {
    json!({
        "spans": readable.spans,
        "spans_in_flight": readable.spans_in_flight,
        "events": readable.events,
        "measurements": readable.measurements,
        "series": readable.series,
        "dictionary_entries": readable.dictionary_entries,
    })
}
