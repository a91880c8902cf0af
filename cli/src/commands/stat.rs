//! `stat`: what a recording is, how full it is, what it lost, and what was in flight.

use std::fmt::Display;
use std::io::{self, Write};

use otlp_mmap_reader::{
    Counter, Fill, Header, Liveness, OverflowPolicy, Recording, SignalLosses, Snapshot, Usage,
};
use serde_json::{Map, Value, json};

use super::dump::exit;
use super::verify::readable;
use crate::args::{ReportFormat, Stat};
use crate::escape::{Printable, json_safe};
use crate::io::{Exit, Io};
use crate::jsonl;
use crate::paint::{Paint, Style};
use crate::record::{RecordView, hex};
use crate::source::{Notes, Recordings, file_name, joined};
use crate::text::Text;
use crate::time::{format_duration, format_time, known};

/// Most spans in flight that the text names.
const SPANS_NAMED: usize = 20;

pub(super) fn run(args: &Stat, paint: Paint, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let now = io.clock.now_unix_nano();
    let mut notes = Notes::new(io.stderr);
    let mut recordings = Recordings::list(&args.paths, &mut notes);
    while let Some(recording) = recordings.next(&mut notes) {
        let snapshot = match recording.snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => {
                notes.fail(recording.path(), error);
                continue;
            }
        };
        let fill = recording.fill().map_err(|error| notes.fail(recording.path(), error)).ok();
        let stat = Statistics { recording: &recording, snapshot, fill, now, paint };
        match args.format {
            ReportFormat::Text => stat.text(io.stdout)?,
            ReportFormat::Jsonl => writeln!(io.stdout, "{}", json_safe(&stat.json().to_string()))?,
        }
    }
    Ok(exit(&notes, false))
}

/// Everything that is told of one recording.
struct Statistics<'a> {
    recording: &'a Recording,
    snapshot: Snapshot,
    /// `None`: a part that it counts cannot be read.
    fill: Option<Fill>,
    now: u64,
    paint: Paint,
}

impl Statistics<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let path = self.recording.path().display().to_string();
        writeln!(out, "{}", self.paint.style(Style::Bold, Printable(&path)))?;
        self.identity(out)?;
        self.fill(out)?;
        for losses in &self.snapshot.losses.signals {
            self.losses(losses, out)?;
        }
        if self.recording.liveness() == Liveness::Dead && !self.recording.same_boot() {
            line(out, "remark", "the machine was started again: counts may be older than the records")?;
        }
        line(out, "metric series", self.snapshot.series.len())?;
        self.faults(out)?;
        self.in_flight(out)
    }

    fn identity(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = self.recording.header();
        line(out, "file id", hex(&header.file_id))?;
        if let Some(parent) = &header.parent_file_id {
            line(out, "parent", format_args!("{} (this process was forked)", hex(parent)))?;
        }
        line(out, "format", format_args!("version {}.{}", header.version.0, header.version.1))?;
        let size = Bytes(header.file_size);
        match &self.fill {
            Some(fill) => line(out, "size", format_args!("{size}, {} on disk", Bytes(fill.backed_bytes)))?,
            None => line(out, "size", size)?,
        }
        line(out, "created", format_time(header.created_realtime_nanos))?;
        line(out, "writer", format_args!("pid {}, {}", header.pid, self.liveness()))?;
        line(out, "policy", policy(header))?;
        line(out, "record CRC", if header.record_crc { "on" } else { "off" })
    }

    fn liveness(&self) -> String {
        match self.recording.liveness() {
            Liveness::Alive => self.paint.style(Style::Green, "alive").to_string(),
            Liveness::Closed { realtime_nanos } => format!("closed at {}", format_time(realtime_nanos)),
            Liveness::Dead => {
                let boot =
                    if self.recording.same_boot() { "" } else { ", before the machine was started again" };
                format!("{}{boot}", self.paint.style(Style::Red, "dead"))
            }
        }
    }

    fn fill(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(fill) = &self.fill else { return line(out, "fill", "cannot be read") };
        for pool in &fill.pools {
            let name = format!("{} pool", joined(pool.signal.name(), ' '));
            let Usage { used, total } = pool.segments;
            line(out, &name, format_args!("{}, {used} of {total} segments", ByteUsage(pool.bytes)))?;
        }
        line(out, "dictionary", ByteUsage(fill.dictionary))?;
        line(out, "metric cells", ByteUsage(fill.cells))?;
        let Usage { used, total } = fill.active_blocks;
        line(out, "active spans", format_args!("{used} of {total} blocks"))
    }

    fn losses(&self, losses: &SignalLosses, out: &mut dyn Write) -> io::Result<()> {
        let present = present(&self.snapshot, losses);
        let lost = losses.lost();
        let style = if lost > 0 { Style::Yellow } else { Style::Plain };
        let lost = self.paint.style(style, format!("{lost} lost"));
        let mut parts = vec![format!("{} recorded, {present} present, {lost}", losses.recorded)];
        parts.extend(reasons(losses, true, '-').iter().map(|(reason, count)| format!("{reason} {count}")));
        parts.extend(
            reasons(losses, false, '-').iter().map(|(reason, count)| format!("kept but {reason} {count}")),
        );
        parts.extend(losses.unknown.iter().map(|(code, count)| format!("unknown counter {code}: {count}")));
        let text = parts.join(", ");
        line(out, &joined(losses.signal.name(), ' '), text)
    }

    fn faults(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.snapshot.report.fault_count() {
            0 => line(out, "faults", "none"),
            count => {
                let text = format!("{count}; `otlp-mmap verify` lists them");
                line(out, "faults", self.paint.style(Style::Red, text))
            }
        }
    }

    fn in_flight(&self, out: &mut dyn Write) -> io::Result<()> {
        let spans = &self.snapshot.spans_in_flight;
        line(out, "spans in flight", spans.len())?;
        for span in spans.iter().take(SPANS_NAMED) {
            let record = RecordView::Span(span);
            writeln!(out, "    {}", Text { record, paint: self.paint })?;
            if self.recording.liveness() == Liveness::Alive && span.start_time_unix_nano > 0 {
                let since = self.now.saturating_sub(span.start_time_unix_nano);
                writeln!(out, "        for {} now", format_duration(since))?;
            }
        }
        let more = spans.len().saturating_sub(SPANS_NAMED);
        if more > 0 {
            writeln!(out, "    and {more} more: otlp-mmap dump --where 'in_flight = true'")?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let header = self.recording.header();
        let (liveness, closed) = match self.recording.liveness() {
            Liveness::Alive => ("alive", None),
            Liveness::Closed { realtime_nanos } => ("closed", known(realtime_nanos)),
            Liveness::Dead => ("dead", None),
        };
        let created = known(header.created_realtime_nanos);
        let mut signals = Map::new();
        for losses in &self.snapshot.losses.signals {
            signals.insert(joined(losses.signal.name(), '_'), signal_json(&self.snapshot, losses));
        }
        json!({
            "schema_version": jsonl::SCHEMA_VERSION,
            "type": "stat",
            "path": self.recording.path().to_string_lossy(),
            "file": &*file_name(self.recording),
            "file_id": hex(&header.file_id),
            "parent_file_id": header.parent_file_id.map(|id| hex(&id)),
            "version": format!("{}.{}", header.version.0, header.version.1),
            "file_size": header.file_size,
            "created": created.map(format_time),
            "created_unix_nano": created,
            "pid": header.pid,
            "liveness": liveness,
            "closed": closed.map(format_time),
            "closed_unix_nano": closed,
            "same_boot": self.recording.same_boot(),
            "overflow_policy": joined(header.overflow_policy.name(), '_'),
            "block_timeout_millis": header.block_timeout_millis,
            "cardinality_limit": header.cardinality_limit,
            "segment_size": header.segment_size,
            "record_crc": header.record_crc,
            "fill": self.fill.as_ref().map(fill_json),
            "signals": signals,
            "fault_count": self.snapshot.report.fault_count(),
            "readable": readable(&self.snapshot.report.readable),
            "metric_series": self.snapshot.series.len(),
            "spans_in_flight": self.snapshot.spans_in_flight.len(),
        })
    }
}

fn fill_json(fill: &Fill) -> Value {
    let usage = |usage: Usage| json!({"used": usage.used, "total": usage.total});
    let mut json = Map::new();
    for pool in &fill.pools {
        let value = json!({"segments": usage(pool.segments), "bytes": usage(pool.bytes)});
        json.insert(joined(pool.signal.name(), '_'), value);
    }
    json.insert("dictionary".to_owned(), usage(fill.dictionary));
    json.insert("metric_cells".to_owned(), usage(fill.cells));
    json.insert("active_blocks".to_owned(), usage(fill.active_blocks));
    json.insert("backed_bytes".to_owned(), fill.backed_bytes.into());
    Value::Object(json)
}

fn line(out: &mut dyn Write, name: &str, text: impl Display) -> io::Result<()> {
    writeln!(out, "  {name:<18}{text}")
}

fn policy(header: &Header) -> String {
    let name = joined(header.overflow_policy.name(), '-');
    if header.overflow_policy == OverflowPolicy::Block {
        return format!("{name}, {} ms at most", header.block_timeout_millis);
    }
    name
}

/// Records of a signal that can be read now.
fn present(snapshot: &Snapshot, losses: &SignalLosses) -> u64 {
    let readable = &snapshot.report.readable;
    match losses.signal {
        otlp_mmap_reader::Signal::Spans => readable.spans,
        otlp_mmap_reader::Signal::Events => readable.events,
        otlp_mmap_reader::Signal::Measurements => readable.measurements,
    }
}

/// Why things of a signal were lost, or kept in another form, with their counts; reasons that never occurred are left
/// out.
fn reasons(losses: &SignalLosses, lost: bool, joint: char) -> Vec<(String, u64)> {
    let overwritten = ("Overwritten", if lost { losses.overwritten } else { 0 });
    let wanted = |counter: &Counter| counter.is_loss() == lost;
    let counters = losses.counters.iter().filter(|(counter, _)| wanted(counter));
    std::iter::once(overwritten)
        .chain(counters.map(|(counter, count)| (counter.name(), *count)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (joined(name, joint), count))
        .collect()
}

fn signal_json(snapshot: &Snapshot, losses: &SignalLosses) -> Value {
    let object = |lost| -> Map<String, Value> {
        reasons(losses, lost, '_').into_iter().map(|(name, count)| (name, count.into())).collect()
    };
    let mut signal = json!({
        "recorded": losses.recorded,
        "present": present(snapshot, losses),
        "lost": losses.lost(),
        "lost_by_reason": object(true),
        "kept_by_reason": object(false),
    });
    if !losses.unknown.is_empty() {
        let unknown = losses.unknown.iter().map(|(code, count)| (code.to_string(), Value::from(*count)));
        signal["unknown_counters"] = unknown.collect();
    }
    signal
}

/// Displays a number of bytes for people and exactly.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match UNITS.iter().find(|(_, unit)| self.0 >= *unit) {
            Some((name, unit)) => write!(f, "{}.{} {name}", self.0 / unit, self.0 % unit * 10 / unit),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// Displays so many bytes of so many, with the share.
struct ByteUsage(Usage);

impl Display for ByteUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Usage { used, total } = self.0;
        let percent = u128::from(used) * 100 / u128::from(total.max(1));
        write!(f, "{} of {} ({percent} %)", Bytes(used), Bytes(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        assert_eq!(Bytes(1023).to_string(), "1023 bytes");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Bytes(16 << 20).to_string(), "16.0 MiB");
        assert_eq!(
            ByteUsage(Usage { used: 1 << 20, total: 4 << 20 }).to_string(),
            "1.0 MiB of 4.0 MiB (25 %)"
        );
        assert_eq!(ByteUsage(Usage { used: 0, total: 0 }).to_string(), "0 bytes of 0 bytes (0 %)");
    }
}
