//! The vector `spans`: every kind, status and item of a span, and definitions with all that they can have.

use std::path::Path;

use otlp_mmap_writer::{
    Link, ScopeRef, SpanContext, SpanEvent, SpanKind, SpanStart, StatusCode, Text, Value, Writer,
};

use super::{Program, TRACE, at, config, pair};

const KINDS: [(SpanKind, &str); 6] = [
    (SpanKind::Unspecified, "unspecified"),
    (SpanKind::Internal, "internal"),
    (SpanKind::Server, "server"),
    (SpanKind::Client, "client"),
    (SpanKind::Producer, "producer"),
    (SpanKind::Consumer, "consumer"),
];

pub(super) fn make(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.span_segments = 8;
    let program = Program::create(config)?;
    for (number, (kind, name)) in (1..).zip(KINDS) {
        let start = SpanStart { kind, name: Text::Str(name), ..program.span(number) };
        end(&program, &start)?;
    }
    statuses(&program)?;
    contexts(&program)?;
    names(&program)?;
    overriding(&program)?;
    events_and_links(&program)?;
    too_large(&program)?;
    by_ids(&program)
}

fn end(program: &Program, start: &SpanStart<'_>) -> anyhow::Result<()> {
    let span = program.writer.start_span(start)?;
    Ok(program.writer.end_span(span, start.start_time_unix_nano + 500_000)?)
}

fn statuses(program: &Program) -> anyhow::Result<()> {
    for (number, code, message) in
        [(11, StatusCode::Unset, ""), (12, StatusCode::Ok, ""), (13, StatusCode::Error, "no such user")]
    {
        let span = program.writer.start_span(&program.span(number))?;
        program.writer.set_status(span, code, message)?;
        program.writer.end_span(span, at(14))?;
    }
    Ok(())
}

/// Flags of a remote parent, trace states, a scope and a resource with all that they can have.
fn contexts(program: &Program) -> anyhow::Result<()> {
    let scope = full_scope(&program.writer)?;
    let remote = SpanStart { parent_span_id: [1; 8], flags: 0x301, ..program.span(21) };
    end(program, &SpanStart { trace_state: "vendor=t61rcWkgMzE,other=1", scope, ..remote })?;
    end(program, &SpanStart { parent_span_id: [21; 8], flags: 0x100, ..program.span(22) })
}

fn full_scope(writer: &Writer) -> anyhow::Result<ScopeRef> {
    let map = [pair("key", Value::Bool(false))];
    let attributes = [
        pair("service.name", Value::String("everything")),
        pair("empty", Value::Empty),
        pair("bool", Value::Bool(true)),
        pair("int", Value::Int(-1)),
        pair("double", Value::Double(0.5)),
        pair("bytes", Value::Bytes(b"\x00\xff")),
        pair("array", Value::Array(&[Value::Int(1), Value::String("two")])),
        pair("map", Value::Map(&map)),
    ];
    let resource = writer.create_resource(&attributes, Some("https://example.com/schemas/1.0"))?;
    let url = Some("https://example.com/schemas/1.1");
    let attributes = [pair("team", Value::String("recorder"))];
    Ok(writer.create_instrumentation_scope(resource, "everything", Some("2.0"), url, &attributes)?)
}

/// A name by reference, an empty one, and others in place of either.
fn names(program: &Program) -> anyhow::Result<()> {
    let name = Text::Ref(program.writer.record_string("GET /by-reference")?);
    end(program, &SpanStart { name, ..program.span(31) })?;
    end(program, &SpanStart { name: Text::Str(""), ..program.span(32) })?;
    for (number, name) in [(33, name), (34, Text::Str("first"))] {
        let span = program.writer.start_span(&SpanStart { name, ..program.span(number) })?;
        program.writer.update_name(span, "second")?;
        program.writer.update_name(span, "last")?;
        program.writer.end_span(span, at(35))?;
    }
    Ok(())
}

/// Later items in place of earlier ones; dropped counts that add up.
fn overriding(program: &Program) -> anyhow::Result<()> {
    let attributes =
        [pair("kept", Value::Int(1)), pair("changed", Value::Int(2)), pair("last", Value::Int(3))];
    let span = program.writer.start_span(&SpanStart { attributes: &attributes, ..program.span(41) })?;
    program.writer.set_attributes(span, &[pair("changed", Value::String("two"))])?;
    program
        .writer
        .set_attributes(span, &[pair("new", Value::Bool(true)), pair("changed", Value::Double(2.5))])?;
    program.writer.set_status(span, StatusCode::Error, "for now")?;
    program.writer.set_status(span, StatusCode::Ok, "in the end")?;
    program.writer.add_dropped(span, 1, 2, 3)?;
    program.writer.add_dropped(span, 10, 20, 30)?;
    Ok(program.writer.end_span(span, at(42))?)
}

fn events_and_links(program: &Program) -> anyhow::Result<()> {
    let writer = &program.writer;
    let span = writer.start_span(&program.span(51))?;
    let inline = SpanEvent {
        name: Text::Str("exception"),
        time_unix_nano: at(51),
        attributes: &[pair("exception.message", Value::String("no such user"))],
        dropped_attributes_count: 0,
    };
    writer.add_event(span, &inline)?;
    let name = Text::Ref(writer.record_string("cache.miss")?);
    let by_reference = SpanEvent { name, attributes: &(), dropped_attributes_count: 4, ..inline };
    writer.add_event(span, &SpanEvent { time_unix_nano: at(52), ..by_reference })?;
    let linked = SpanContext { trace_id: [0x33; 16], span_id: [0x44; 8], flags: 0x301 };
    let link = Link {
        context: linked,
        trace_state: "vendor=1",
        attributes: &[pair("why", Value::String("retry"))],
        dropped_attributes_count: 5,
    };
    writer.add_link(span, &link)?;
    let context = SpanContext { trace_id: TRACE, span_id: [1; 8], flags: 0 };
    writer
        .add_link(span, &Link { context, trace_state: "", attributes: &(), dropped_attributes_count: 0 })?;
    Ok(writer.end_span(span, at(53))?)
}

/// More than a record holds: an attribute that is cut, and an event for which there is no room.
fn too_large(program: &Program) -> anyhow::Result<()> {
    let text = "cut ".repeat(2_000);
    let attributes = [pair("long", Value::String(&text)), pair("short", Value::String("whole"))];
    let span = program.writer.start_span(&SpanStart { attributes: &attributes, ..program.span(61) })?;
    let event = SpanEvent {
        name: Text::Str("an event for which the span has no room"),
        time_unix_nano: at(61),
        attributes: &[pair("long", Value::String(&text[..200]))],
        dropped_attributes_count: 0,
    };
    program.writer.add_event(span, &event)?;
    program.writer.add_event(span, &event)?;
    Ok(program.writer.end_span(span, at(62))?)
}

/// A span that is started and ended by its ids.
fn by_ids(program: &Program) -> anyhow::Result<()> {
    let start = program.span(71);
    program.writer.record_span_start(&start)?;
    Ok(program.writer.record_span_end(program.scope, start.trace_id, start.span_id, at(72))?)
}
