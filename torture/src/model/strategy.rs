//! How property tests choose programs: likely and dangerous things more often than a fuzzer's bytes would, and in a
//! form that shrinks to few short calls.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::dictionary::DEFINITIONS;
use super::input::{
    Attributes, Context, Event, Measured, Name, Operation, Policy, Program, SeriesAttributes, Settings, Start,
};
use super::metrics::KINDS;
use super::values::{Generated, GeneratedText};

/// Programs of up to so many of these operations, with checks, observers and deliveries between them; now and then
/// the same few again and again, which uses up whatever they take.
pub(super) fn programs(operation: BoxedStrategy<Operation>, most: usize) -> BoxedStrategy<Program> {
    let repeated = (2..120_u8, vec(prop_oneof![6 => operation.clone(), 1 => looks()], 1..5));
    let any = prop_oneof![
        40 => operation,
        4 => looks(),
        2 => repeated.prop_map(|(times, operations)| Operation::Repeat { times, operations }),
    ];
    (settings(), vec(any, 1..=most))
        .prop_map(|(settings, operations)| Program { settings, operations })
        .boxed()
}

fn settings() -> BoxedStrategy<Settings> {
    let policy = prop_oneof![
        2 => Just(Policy::Overwrite),
        1 => Just(Policy::Discard),
        1 => Just(Policy::Block),
    ];
    let segment_size = prop_oneof![3 => Just(4096_u32), 1 => Just(8192), 1 => Just(12_288)];
    // Full for strings, and for definitions too but for some bytes.
    let dictionary_left = prop_oneof![
        4 => Just(None),
        1 => Just(Some(DEFINITIONS)),
        2 => (0..40_u32).prop_map(|words| Some(words * 8)),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (policy, segment_size, [2..5_u32, 2..5_u32, 2..5_u32], 16..48_u32, 2..6_u32, flags, dictionary_left)
        .prop_map(|(policy, segment_size, segments, blocks, cardinality_limit, flags, dictionary_left)| {
            let (crc, stream_measurements, exporter) = flags;
            Settings {
                policy,
                segment_size,
                segments,
                blocks,
                cardinality_limit,
                crc,
                stream_measurements,
                exporter,
                dictionary_left,
            }
        })
        .boxed()
}

fn looks() -> BoxedStrategy<Operation> {
    prop_oneof![
        4 => Just(Operation::Observe),
        3 => Just(Operation::Deliver),
        2 => Just(Operation::Check),
    ]
    .boxed()
}

/// Any operation.
pub(super) fn anything() -> BoxedStrategy<Operation> {
    prop_oneof![
        6 => spans(),
        4 => events(),
        2 => definitions(),
        5 => metrics(),
        1 => prop_oneof![15 => looks(), 1 => Just(Operation::Close)],
    ]
    .boxed()
}

/// Spans: many in flight, many changes of each.
pub(super) fn spans() -> BoxedStrategy<Operation> {
    let span = index;
    prop_oneof![
        6 => start().prop_map(Operation::Start),
        4 => (span(), attributes())
            .prop_map(|(span, attributes)| Operation::SetAttributes { span, attributes }),
        3 => (span(), name(), dropped(), attributes()).prop_map(|(span, name, dropped, attributes)| {
            Operation::AddEvent { span, name, dropped, attributes }
        }),
        3 => (span(), any::<u16>(), text(), dropped(), attributes()).prop_map(
            |(span, flags, trace_state, dropped, attributes)| {
                Operation::AddLink { span, flags, trace_state, dropped, attributes }
            }
        ),
        1 => (span(), 0..3_u8, text())
            .prop_map(|(span, code, message)| Operation::SetStatus { span, code, message }),
        1 => (span(), text()).prop_map(|(span, name)| Operation::UpdateName { span, name }),
        1 => (span(), [dropped(), dropped(), dropped()])
            .prop_map(|(span, dropped)| Operation::AddDropped { span, dropped }),
        5 => (span(), any::<bool>(), rarely()).prop_map(|(span, by_ids, other_scope)| {
            Operation::End { span, by_ids, other_scope }
        }),
        1 => span().prop_map(|span| Operation::EndAgain { span }),
    ]
    .boxed()
}

/// Events, single and in numbers that use a pool up.
pub(super) fn events() -> BoxedStrategy<Operation> {
    prop_oneof![
        4 => event().prop_map(Operation::Event),
        1 => (1..150_u8, small_event()).prop_map(|(times, event)| Operation::Events { times, event }),
    ]
    .boxed()
}

/// Scopes, streams and strings.
pub(super) fn definitions() -> BoxedStrategy<Operation> {
    prop_oneof![
        2 => text().prop_map(|text| Operation::Intern { text }),
        1 => series_attributes().prop_map(|attributes| Operation::DefineScope { attributes }),
        2 => stream(),
    ]
    .boxed()
}

fn stream() -> BoxedStrategy<Operation> {
    let kinds = u8::try_from(KINDS).expect("few");
    (reference(), 0..kinds).prop_map(|(scope, kind)| Operation::DefineStream { scope, kind }).boxed()
}

/// Measurements, with the streams they go to.
pub(super) fn metrics() -> BoxedStrategy<Operation> {
    prop_oneof![
        2 => stream(),
        1 => series_attributes().prop_map(|attributes| Operation::DefineScope { attributes }),
        10 => (index(), series_attributes(), measured(), context()).prop_map(
            |(stream, attributes, value, context)| {
                Operation::Measure { stream, attributes, value, context }
            }
        ),
        2 => (index(), series_attributes())
            .prop_map(|(stream, attributes)| Operation::Bind { stream, attributes }),
        4 => (index(), measured()).prop_map(|(bound, value)| Operation::MeasureBound { bound, value }),
    ]
    .boxed()
}

fn start() -> BoxedStrategy<Start> {
    let by_ids = option::of(rarely());
    let ids = (by_ids, prop_oneof![30 => Just(0), 1 => Just(u8::MAX)], any::<bool>());
    (reference(), ids, text(), any::<u16>(), name(), 0..6_u8, attributes())
        .prop_map(|(scope, (by_ids, zero_id, parent), trace_state, flags, name, kind, attributes)| Start {
            scope,
            by_ids,
            zero_id,
            parent,
            trace_state,
            flags,
            name,
            kind,
            attributes,
        })
        .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let texts = (option::of(name()), text(), option::of(value()));
    (reference(), context(), texts, 0..9_u8, 0..27_u8, dropped(), attributes())
        .prop_map(|(scope, context, (name, severity_text, body), time, severity, dropped, attributes)| {
            Event { scope, context, name, time, severity, severity_text, body, dropped, attributes }
        })
        .boxed()
}

fn small_event() -> BoxedStrategy<Event> {
    (event(), vec((0..20_u8, scalar()), 0..3))
        .prop_map(|(event, attributes)| Event {
            severity_text: GeneratedText::Word(1),
            body: None,
            attributes,
            ..event
        })
        .boxed()
}

/// What chooses among the spans in flight, the streams, the bound series.
fn index() -> BoxedStrategy<u8> {
    (0..24_u8).boxed()
}

/// A scope; sometimes one that does not exist.
fn reference() -> BoxedStrategy<u8> {
    prop_oneof![40 => 0..5_u8, 1 => Just(u8::MAX)].boxed()
}

fn rarely() -> BoxedStrategy<bool> {
    prop::bool::weighted(0.1).boxed()
}

fn dropped() -> BoxedStrategy<u8> {
    prop_oneof![3 => Just(0), 1 => any::<u8>()].boxed()
}

fn name() -> BoxedStrategy<Name> {
    prop_oneof![
        20 => text().prop_map(Name::Inline),
        10 => (0..8_u8).prop_map(Name::Interned),
        1 => (0..8_u8).prop_map(Name::Unknown),
    ]
    .boxed()
}

/// Mostly a word; sometimes around the size of a segment, of the longest interned string, of a block.
fn text() -> BoxedStrategy<GeneratedText> {
    prop_oneof![
        20 => (0..50_u8).prop_map(GeneratedText::Word),
        3 => (0..4_u8, 0..300_u16).prop_map(|(unit, times)| GeneratedText::Repeated(unit, times)),
        2 => (0..4_u8, 0..2_500_u16).prop_map(|(unit, times)| GeneratedText::Repeated(unit, times)),
        // Two bytes and four: around 4,096.
        1 => (2_000..2_060_u16).prop_map(|times| GeneratedText::Repeated(1, times)),
        1 => (1_010..1_026_u16).prop_map(|times| GeneratedText::Repeated(3, times)),
    ]
    .boxed()
}

fn attributes() -> BoxedStrategy<Attributes> {
    let key = prop_oneof![60 => 0..20_u8, 1 => Just(u8::MAX)];
    vec((key, value()), 0..5).boxed()
}

fn scalar() -> BoxedStrategy<Generated> {
    prop_oneof![
        Just(Generated::Empty),
        any::<bool>().prop_map(Generated::Bool),
        any::<i8>().prop_map(Generated::Small),
        any::<i64>().prop_map(Generated::Int),
        any::<i32>().prop_map(Generated::Eighths),
        (0..50_u8).prop_map(|number| Generated::Text(GeneratedText::Word(number))),
    ]
    .boxed()
}

fn value() -> BoxedStrategy<Generated> {
    let leaf = prop_oneof![
        8 => scalar(),
        2 => text().prop_map(Generated::Text),
        1 => (any::<u8>(), 0..300_u16).prop_map(|(byte, times)| Generated::Bytes(byte, times)),
        1 => (any::<u8>(), 3_900..5_000_u16).prop_map(|(byte, times)| Generated::Bytes(byte, times)),
        1 => (0..40_u8).prop_map(Generated::Deep),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Generated::Array),
            vec((0..20_u8, inner), 0..4).prop_map(Generated::Map),
        ]
    })
    .boxed()
}

/// Few sets, so that series meet again; the overflow series' own attribute among them.
fn series_attributes() -> BoxedStrategy<SeriesAttributes> {
    let key = prop_oneof![12 => 0..3_u8, 1 => Just(u8::MAX)];
    vec((key, 0..8_u8), 0..4).boxed()
}

fn context() -> BoxedStrategy<Context> {
    prop_oneof![
        4 => Just(Context::None),
        2 => Just(Context::Unsampled),
        4 => Just(Context::Sampled),
        1 => Just(Context::Zero),
    ]
    .boxed()
}

fn measured() -> BoxedStrategy<Measured> {
    let edges = [i64::MAX, i64::MIN, i64::MAX - 1, 1 << 62, -(1 << 62), 1 << 53, (1 << 53) + 1, 1 << 40];
    let doubles = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1.5,
        1000.0,
        1e300,
    ];
    prop_oneof![
        6 => (0..100_i8).prop_map(Measured::Small),
        2 => any::<i8>().prop_map(Measured::Small),
        3 => any::<i32>().prop_map(Measured::Eighths),
        2 => prop::sample::select(edges.to_vec()).prop_map(Measured::Int),
        1 => any::<i64>().prop_map(Measured::Int),
        2 => prop::sample::select(doubles.to_vec()).prop_map(|value| Measured::Bits(value.to_bits())),
        1 => any::<u64>().prop_map(Measured::Bits),
    ]
    .boxed()
}
