//! The vector `events`: every type of value in bodies and attributes, nested, empty, cut, with inline keys.

use std::path::Path;

use otlp_mmap_writer::{Attributes, Encoder, Error, Event, Key, KeyValue, StringRef, Text, Value};

use super::{Program, SAMPLED, at, config, pair};

pub(super) fn make(path: &Path) -> anyhow::Result<()> {
    let mut config = config(path);
    config.event_segments = 12;
    let program = Program::create(config)?;
    first(&program)?;
    bodies(&program)?;
    values(&program)?;
    keys(&program)?;
    without(&program)?;
    too_large(&program)?;
    inline_keys(&program)
}

/// The event that SPEC.md shows byte by byte.
fn first(program: &Program) -> anyhow::Result<()> {
    let name = program.writer.record_string("cart.opened")?;
    Ok(program.writer.record_event(&Event {
        context: Some(SAMPLED),
        name: Some(Text::Ref(name)),
        observed_time_unix_nano: at(1) + 1,
        severity_number: 9,
        severity_text: "INFO",
        body: Some(&Value::String("hello")),
        attributes: &[pair("http.route", Value::String("/cart")), pair("items", Value::Int(3))],
        ..program.event(1)
    })?)
}

fn bodies(program: &Program) -> anyhow::Result<()> {
    let nested = [Value::Array(&[]), Value::Map(&[]), Value::Array(&[Value::Empty, Value::Bool(true)])];
    let inner = [pair("array", Value::Array(&nested))];
    let map = [pair("inner", Value::Map(&inner)), pair("other", Value::Int(0))];
    let bodies = [
        Value::Empty,
        Value::String("gr\u{fc}\u{df}e \u{1f600} \u{1b}[31m\n\"\\\u{0}\u{2028}"),
        Value::String(""),
        Value::Bool(false),
        Value::Int(i64::MIN),
        Value::Double(-0.0),
        Value::Bytes(&[0, 1, 127, 128, 255]),
        Value::Array(&nested),
        Value::Map(&map),
    ];
    for (millis, body) in (10..).zip(&bodies) {
        program.writer.record_event(&Event { body: Some(body), ..program.event(millis) })?;
    }
    Ok(())
}

fn values(program: &Program) -> anyhow::Result<()> {
    let record = |millis, attributes: &dyn Attributes| {
        program.writer.record_event(&Event { attributes, ..program.event(millis) })
    };
    record(
        20,
        &[
            pair("empty", Value::Empty),
            pair("string", Value::String("text")),
            pair("empty string", Value::String("")),
            pair("true", Value::Bool(true)),
            pair("false", Value::Bool(false)),
            pair("bytes", Value::Bytes(b"\x00\x01\x02")),
            pair("no bytes", Value::Bytes(b"")),
            pair("array", Value::Array(&[Value::Int(1), Value::String("two"), Value::Double(3.0)])),
            pair("empty array", Value::Array(&[])),
            pair("map", Value::Map(&[pair("key", Value::Map(&[pair("key", Value::Int(1))]))])),
            pair("empty map", Value::Map(&[])),
        ],
    )?;
    let int = |key, number| pair(key, Value::Int(number));
    record(21, &[int("zero", 0), int("minus one", -1), int("least", i64::MIN), int("greatest", i64::MAX)])?;
    let double = |key, number| pair(key, Value::Double(number));
    record(
        22,
        &[
            double("not a number", f64::NAN),
            double("infinity", f64::INFINITY),
            double("negative infinity", f64::NEG_INFINITY),
            double("negative zero", -0.0),
            double("least subnormal", 5e-324),
            double("greatest", f64::MAX),
            double("tenth", 0.1),
        ],
    )?;
    Ok(record(23, &Nested { arrays: 31 }).and_then(|()| record(24, &Nested { arrays: 40 }))?)
}

/// Arrays within arrays around a number.
struct Nested {
    arrays: u32,
}

impl Attributes for Nested {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        nest(encoder, Key::Str("nested"), self.arrays)
    }
}

fn nest(encoder: &mut Encoder<'_>, key: Key<'_>, arrays: u32) -> Result<(), Error> {
    match arrays {
        0 => encoder.int(key, 1),
        _ => encoder.array(key, |inner| nest(inner, Key::None, arrays - 1)),
    }
}

/// Keys by reference, and keys that come again.
fn keys(program: &Program) -> anyhow::Result<()> {
    let key = program.writer.record_string("by reference")?;
    program.writer.record_event(&Event { attributes: &Again(key), ..program.event(30) })?;
    Ok(())
}

struct Again(StringRef);

impl Attributes for Again {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        encoder.int(Key::Ref(self.0), 1)?;
        encoder.int(Key::Str("other"), 2)?;
        encoder.string(Key::Str("by reference"), "the last one counts")?;
        let map = [pair("key", Value::Int(1)), pair("key", Value::Int(2))];
        encoder.value(Key::Str("map"), &Value::Map(&map))
    }
}

/// Events that lack something, and the ends of the severities.
fn without(program: &Program) -> anyhow::Result<()> {
    let (none, least, most) = (program.event(40), program.event(41), program.event(42));
    let observed = Event { time_unix_nano: 0, observed_time_unix_nano: at(43), ..program.event(43) };
    let timeless = Event { time_unix_nano: 0, name: Some(Text::Str("no time")), ..program.event(44) };
    for event in [
        none,
        Event { severity_number: 1, severity_text: "finest", ..least },
        Event { severity_number: 24, dropped_attributes_count: 3, ..most },
        observed,
        timeless,
    ] {
        program.writer.record_event(&event)?;
    }
    Ok(())
}

/// More than a record holds: text, bytes and arrays that are cut, attributes that are left out.
fn too_large(program: &Program) -> anyhow::Result<()> {
    let text = "\u{20ac}uro ".repeat(1_000);
    let bytes = vec![7; 5_000];
    let array = vec![Value::Int(5); 400];
    program.writer.record_event(&Event { body: Some(&Value::String(&text)), ..program.event(50) })?;
    let attributes = [
        pair("text", Value::String(&text)),
        pair("bytes", Value::Bytes(&bytes)),
        pair("array", Value::Array(&array)),
        pair("small", Value::String("stays whole")),
    ];
    program.writer.record_event(&Event { attributes: &attributes, ..program.event(51) })?;
    let keys: Vec<String> = (0..260).map(|number| format!("{number:03}")).collect();
    let many: Vec<KeyValue<'_>> = keys.iter().map(|key| pair(key, Value::Bool(true))).collect();
    Ok(program.writer.record_event(&Event { attributes: &many, ..program.event(52) })?)
}

/// Keys that the dictionary has no room for any more: in attributes and in maps, and one that is cut.
fn inline_keys(program: &Program) -> anyhow::Result<()> {
    let full = |number: u32| {
        let filler = format!("filler {number:03} ").repeat(340);
        program.writer.record_string(&filler).is_err()
    };
    anyhow::ensure!((0..20).any(full), "the dictionary is not full yet");
    let long = format!("inline {}", "key ".repeat(300));
    let map = [pair("inline", Value::Bool(true)), pair("items", Value::Empty)];
    let attributes = [
        pair("inline int", Value::Int(1)),
        pair("inline string", Value::String("text")),
        pair("inline map", Value::Map(&map)),
        pair(&long, Value::Double(0.25)),
        pair("items", Value::Int(2)),
    ];
    let name = Some(Text::Str("inline name"));
    Ok(program.writer.record_event(&Event { name, attributes: &attributes, ..program.event(60) })?)
}
