//! The vectors: their names, and the smallest recordings that hold what SPEC "Golden vectors" says of them.

mod events;
mod losses;
mod metrics;
mod spans;

use std::path::Path;

use otlp_mmap_writer::{
    Config, Event, KeyValue, ScopeRef, SpanContext, SpanKind, SpanStart, Text, Value, Writer,
};

use crate::image::Image;
use crate::{processes, settle};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MILLI: u64 = 1_000_000;
/// When everything is recorded: 2023-11-14T22:13:20Z.
pub(crate) const NOW: u64 = 1_700_000_000 * SECOND;
/// The trace of every span.
pub(crate) const TRACE: [u8; 16] = [0x11; 16];
/// A span in a trace that samples.
pub(crate) const SAMPLED: SpanContext = SpanContext { trace_id: TRACE, span_id: [0x22; 8], flags: 1 };
/// The span that is in flight and has a SPAN record.
pub(crate) const ENDED: [u8; 8] = [0xed; 8];

/// A golden vector.
pub(crate) struct Vector {
    /// Of its files.
    pub(crate) name: &'static str,
    /// Records it into the file that the path names.
    pub(crate) make: fn(&Path) -> anyhow::Result<()>,
    /// What is changed afterwards.
    pub(crate) change: Option<fn(&mut Image)>,
}

/// Every vector.
pub(crate) const VECTORS: &[Vector] = &[
    Vector { name: "empty", make: empty, change: None },
    Vector { name: "spans", make: spans::make, change: None },
    Vector { name: "events", make: events::make, change: None },
    Vector { name: "metrics", make: metrics::make, change: None },
    Vector { name: "in-flight", make: processes::in_flight, change: Some(settle::revive) },
    Vector { name: "overwritten", make: losses::overwritten, change: None },
    Vector { name: "full", make: losses::full, change: None },
    Vector { name: "child", make: processes::child, change: None },
    Vector { name: "no-crc", make: no_crc, change: None },
    Vector { name: "damaged", make: damaged, change: Some(settle::flip) },
];

/// The smallest configuration.
pub(crate) fn config(path: &Path) -> Config {
    let mut config = Config::new(path);
    config.segment_size = 4096;
    (config.span_segments, config.event_segments, config.measurement_segments) = (2, 2, 2);
    config.active_blocks = 16;
    config.cells_size = 64 << 10;
    config.dictionary_size = 64 << 10;
    config
}

/// A writer with a resource and a scope. Dropping it closes the recording.
pub(crate) struct Program {
    pub(crate) writer: Writer,
    pub(crate) scope: ScopeRef,
}

impl Program {
    pub(crate) fn create(config: Config) -> anyhow::Result<Self> {
        let writer = Writer::create(config)?;
        let resource = writer.create_resource(&[pair("service.name", Value::String("golden"))], None)?;
        let scope = writer.create_instrumentation_scope(resource, "scope", Some("1.0"), None, &())?;
        Ok(Self { writer, scope })
    }

    /// A root span with this number as its id, so many milliseconds after `NOW`, without anything else.
    pub(crate) fn span(&self, number: u8) -> SpanStart<'static> {
        SpanStart {
            scope: self.scope,
            trace_id: TRACE,
            span_id: [number; 8],
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano: at(number.into()),
            attributes: &(),
        }
    }

    /// An event so many milliseconds after `NOW`, without anything but its time.
    pub(crate) fn event(&self, millis: u64) -> Event<'static> {
        Event {
            scope: self.scope,
            context: None,
            name: None,
            time_unix_nano: at(millis),
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: None,
            attributes: &(),
            dropped_attributes_count: 0,
        }
    }
}

/// So many milliseconds after `NOW`.
pub(crate) fn at(millis: u64) -> u64 {
    NOW + millis * MILLI
}

pub(crate) fn pair<'a>(key: &'a str, value: Value<'a>) -> KeyValue<'a> {
    KeyValue { key, value }
}

/// A closed recording without a record.
fn empty(path: &Path) -> anyhow::Result<()> {
    Writer::create(config(path))?.close();
    Ok(())
}

/// A record of each type, without CRCs.
fn no_crc(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.crc = false;
    let program = Program::create(config)?;
    let span = program.writer.start_span(&program.span(1))?;
    program.writer.end_span(span, at(2))?;
    program.writer.record_event(&Event { body: Some(&Value::String("no CRC")), ..program.event(3) })?;
    metrics::count(&program, 4)
}

/// Three events; the second one is damaged afterwards.
fn damaged(path: &Path) -> anyhow::Result<()> {
    let program = Program::create(config(path))?;
    for (millis, body) in [(1, "before"), (2, "damaged"), (3, "behind")] {
        let event = Event { observed_time_unix_nano: at(millis), ..program.event(millis) };
        program.writer.record_event(&Event { body: Some(&Value::String(body)), ..event })?;
    }
    Ok(())
}
