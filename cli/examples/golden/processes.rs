//! The vectors that need another process: one that is killed, and one that is forked.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use otlp_mmap_writer::{
    Aggregation, Event, Number, Overflow, SeriesRef, SpanEvent, SpanStart, StatusCode, Temporality, Text,
    Value,
};

use crate::vectors::{ENDED, Program, SAMPLED, at, config, pair};

/// The argument that makes this program record until it is killed.
pub(crate) const ROLE: &str = "--until-killed";

/// The recording of a process that was killed with SIGKILL while it waited.
pub(crate) fn in_flight(path: &Path) -> anyhow::Result<()> {
    let mut child =
        Command::new(std::env::current_exe()?).arg(ROLE).arg(path).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let told = BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line);
    child.kill()?;
    child.wait()?;
    told?;
    ensure!(line == "recorded\n", "the child ended by itself");
    Ok(())
}

/// What the killed process does: records, says so, and waits.
pub(crate) fn record_until_killed(path: &Path) -> anyhow::Result<()> {
    let program = Program::create(config(path))?;
    let writer = &program.writer;
    writer.record_event(&Event { body: Some(&Value::String("last words")), ..program.event(1) })?;
    let counter = sum(&program)?;
    writer.record_measurement(counter, &(), at(2), Number::Int(1), Some(&SAMPLED))?;
    spans_in_flight(&program)?;
    println!("recorded");
    std::io::stdout().flush()?;
    // Only as long as somebody may still come to kill it.
    std::thread::sleep(Duration::from_mins(1));
    Ok(())
}

/// Spans of one block, of several, one whose end is in memory alone, one that is there not at all, and one that has
/// ended. The last one's block is not used again.
fn spans_in_flight(program: &Program) -> anyhow::Result<()> {
    let writer = &program.writer;
    let small = writer.start_span(&SpanStart { name: Text::Str("one block"), ..program.span(11) })?;
    writer.set_status(small, StatusCode::Error, "so far")?;
    let text = "several blocks ".repeat(40);
    let attributes = [pair("text", Value::String(&text)), pair("number", Value::Int(1))];
    let large = SpanStart { attributes: &attributes, parent_span_id: [11; 8], ..program.span(12) };
    let large = writer.start_span(&SpanStart { name: Text::Str("several blocks"), ..large })?;
    writer.set_attributes(large, &[pair("number", Value::Int(2))])?;
    let event = SpanEvent {
        name: Text::Str("event"),
        time_unix_nano: at(13),
        attributes: &[pair("key", Value::Bool(true))],
        dropped_attributes_count: 0,
    };
    writer.add_event(large, &event)?;
    let ended = SpanStart { span_id: ENDED, name: Text::Str("ended"), ..program.span(14) };
    let ended = writer.start_span(&ended)?;
    let spilled = writer.start_span(&SpanStart { name: Text::Str("spilled"), ..program.span(15) })?;
    let rest = "the rest is in memory ".repeat(140);
    let attributes = [pair("rest", Value::String(&rest))];
    writer.set_attributes(spilled, &attributes)?;
    writer.start_span(&SpanStart { attributes: &attributes, ..program.span(16) })?;
    Ok(writer.end_span(ended, at(17))?)
}

fn sum(program: &Program) -> anyhow::Result<otlp_mmap_writer::MetricRef> {
    let aggregation = Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
    let stream = otlp_mmap_writer::MetricStream { name: "sum", description: "", unit: "", aggregation };
    Ok(program.writer.create_metric_stream(program.scope, &stream)?)
}

/// The recording of a forked child. The parent's own is left behind.
pub(crate) fn child(path: &Path) -> anyhow::Result<()> {
    let parent = path.with_file_name("parent.otlpmm");
    let mut config = config(&parent);
    config.overflow = Overflow::Block { timeout: Duration::from_millis(250) };
    let program = Program::create(config)?;
    let counter = sum(&program)?;
    let attributes = [pair("key", Value::String("bound"))];
    let series = program.writer.bind(counter, &attributes)?;
    program.writer.record_bound(series, at(1), Number::Int(100))?;
    program.writer.record_measurement(counter, &(), at(1), Number::Int(100), None)?;
    program.writer.start_span(&program.span(1))?;
    let made = fork(|| record_in_child(&program, series).and_then(|()| child_renames(&program, path)))?;
    ensure!(made, "the child failed");
    Ok(())
}

/// References and series of the parent, a span, and events until nobody makes room.
fn record_in_child(program: &Program, series: SeriesRef) -> anyhow::Result<()> {
    let writer = &program.writer;
    writer.record_bound(series, at(2), Number::Int(5))?;
    let span = writer.start_span(&SpanStart { name: Text::Str("of the child"), ..program.span(2) })?;
    writer.end_span(span, at(3))?;
    let text = "large ".repeat(600);
    let body = Value::String(&text);
    let record = |millis| writer.record_event(&Event { body: Some(&body), ..program.event(millis) });
    record(4)?;
    record(5)?;
    ensure!(record(6).is_err(), "there is no exporter to make room");
    writer.close();
    Ok(())
}

/// The child's file, which has a name of its own, gets the vector's.
fn child_renames(program: &Program, path: &Path) -> anyhow::Result<()> {
    Ok(std::fs::rename(program.writer.path()?, path)?)
}

/// Runs `work` in a forked child; whether it was done.
fn fork(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<bool> {
    // SAFETY: this process has one thread, so that the child finds everything as it is here.
    let child = unsafe { libc::fork() };
    ensure!(child >= 0, "cannot fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let result = work();
        if let Err(error) = &result {
            eprintln!("child: {error:#}");
        }
        // SAFETY: leaves at once, without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    ensure!(waited == child, "cannot wait for the child: {}", std::io::Error::last_os_error());
    Ok(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
}
