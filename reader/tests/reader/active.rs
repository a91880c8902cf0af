//! Spans in flight: whole chains, broken chains, spans that ended.

use otlp_mmap_format::{ActiveCommit, ItemTag, StatusBody, U32, U64, ValueType};
use otlp_mmap_reader::model::{Span, Value};
use otlp_mmap_reader::{Report, Rule};
use zerocopy::IntoBytes;

use crate::observer::rules;
use crate::support::{Image, attribute, item, name};

fn in_flight(image: &Image) -> (Vec<Span>, Report) {
    let mut report = Report::default();
    let spans = image.open().spans_in_flight(&mut report).unwrap();
    (spans, report)
}

/// Items of more than two blocks.
fn long_items() -> Vec<u8> {
    let mut items = name("first");
    items.extend(attribute("long", ValueType::String, &[b'x'; 600]));
    items.extend(name("last"));
    items
}

#[test]
fn a_span_is_read_from_its_chain() {
    let mut image = Image::new();
    let content = image.span_content(1, &long_items());
    image.active(&[7, 2, 15], &content);
    let (spans, report) = in_flight(&image);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.readable.spans_in_flight, 1);
    let span = &spans[0];
    assert_eq!((&*span.name, span.span_id[0], span.end_time_unix_nano), ("last", 1, None));
    assert_eq!(span.attributes[0].value, Value::String("x".repeat(600)));
    assert_eq!((span.position.segment, span.spilled), (7, false));
}

#[test]
fn a_spilled_span_is_marked() {
    let mut image = Image::new();
    let content = image.span_content(1, &[]);
    image.active(&[3], &content);
    image.put(Image::block_at(3) + 12, &U32::new(1));
    assert!(in_flight(&image).0[0].spilled);
}

#[test]
fn a_span_with_a_record_is_left_out() {
    let mut image = Image::new();
    for number in [1, 2] {
        let content = image.span_content(number, &[]);
        image.active(&[u32::from(number)], &content);
    }
    image.span(0, 1, &[]);
    assert_eq!(in_flight(&image).0.iter().map(|span| span.span_id[0]).collect::<Vec<_>>(), [2]);
    let snapshot = image.open().snapshot().unwrap();
    assert_eq!((snapshot.spans.len(), snapshot.spans_in_flight.len()), (1, 1));
    assert_eq!(snapshot.report.readable.spans_in_flight, 1);
    let verified = image.open().verify().unwrap();
    assert_eq!((verified.readable.spans, verified.readable.spans_in_flight), (1, 1));
}

#[test]
fn an_ended_span_is_not_in_flight() {
    let mut image = Image::new();
    let content = image.span_content(1, &[]);
    image.active(&[0], &content);
    let word = ActiveCommit { generation: 1, bytes: 0 }.pack(0);
    image.put(Image::block_at(0), &U64::new(word));
    let (spans, report) = in_flight(&image);
    assert!(spans.is_empty() && report.is_clean());
}

#[test]
fn a_flipped_bit_does_not_bring_an_ended_span_back() {
    for bit in 0..64 {
        let mut image = Image::new();
        let content = image.span_content(1, &[]);
        image.active(&[4], &content);
        let word = ActiveCommit { generation: 1, bytes: 0 }.pack(4);
        image.put(Image::block_at(4), &U64::new(word ^ 1 << bit));
        let (spans, report) = in_flight(&image);
        assert!(spans.is_empty(), "bit {bit}");
        assert_eq!(rules(&report), [Rule::Committed], "bit {bit}");
    }
}

#[test]
fn a_broken_chain_does_not_hide_other_spans() {
    // The number of a block that does not exist, no block at all, and a ring.
    for next in [17, u32::MAX, 0] {
        let mut image = Image::new();
        let content = image.span_content(1, &long_items());
        image.active(&[7, 2, 15], &content);
        let other = image.span_content(9, &[]);
        image.active(&[8], &other);
        image.put(Image::block_at(2) + 8, &U32::new(next));
        let (spans, report) = in_flight(&image);
        // What stands before the break is kept; the long item is not whole then.
        let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["first", ""], "{next}");
        assert_eq!(rules(&report), [Rule::ActiveChain, Rule::ItemLength], "{next}");
        assert_eq!(report.faults[0].offset, Image::block_at(7) as u64);
    }
}

#[test]
fn a_ring_of_blocks_ends_with_the_content() {
    let mut image = Image::new();
    let content = image.span_content(1, &long_items());
    image.active(&[7, 2, 15], &content);
    image.put(Image::block_at(2) + 8, &U32::new(8));
    let (spans, _) = in_flight(&image);
    assert!(spans.len() <= 1);
}

#[test]
fn content_beyond_the_table_is_refused() {
    let mut image = Image::new();
    let word = ActiveCommit { generation: 1, bytes: (1 << 24) - 1 }.pack(0);
    image.put(Image::block_at(0), &U64::new(word));
    let (spans, report) = in_flight(&image);
    assert!(spans.is_empty());
    assert!(rules(&report).contains(&Rule::ActiveChain), "{report:?}");
}

#[test]
fn many_heads_of_long_chains_are_not_all_copied() {
    let mut image = Image::new();
    for index in 0..16 {
        image.put(Image::block_at(index) + 8, &U32::new(index + 1));
        let word = ActiveCommit { generation: 1, bytes: 16 * 240 }.pack(index);
        image.put(Image::block_at(index), &U64::new(word));
    }
    let (spans, report) = in_flight(&image);
    assert!(spans.len() <= 2);
    assert_eq!(rules(&report).last(), Some(&Rule::ActiveChain));
}

#[test]
fn too_little_content_is_a_fault() {
    let mut image = Image::new();
    image.active(&[0], &[1; 55]);
    let (spans, report) = in_flight(&image);
    assert!(spans.is_empty());
    assert_eq!(rules(&report), [Rule::ActiveChain]);
}

#[test]
fn later_items_override_earlier_ones() {
    let status = |code: u32, message: &str| {
        let body = StatusBody { code: code.into(), reserved: 0.into() };
        item(ItemTag::Status.code(), 0, &[body.as_bytes(), message.as_bytes()].concat())
    };
    let mut items = attribute("a", ValueType::Int, &1_i64.to_le_bytes());
    items.extend(status(1, ""));
    items.extend(attribute("b", ValueType::Bool, &[1]));
    items.extend(attribute("a", ValueType::Int, &2_i64.to_le_bytes()));
    items.extend(status(2, "broken"));
    let mut image = Image::new();
    let content = image.span_content(1, &items);
    image.active(&[0], &content);
    let span = in_flight(&image).0.remove(0);
    assert_eq!((span.status_code, &*span.status_message), (2, "broken"));
    let attributes: Vec<_> = span.attributes.iter().map(|kv| (&*kv.key, kv.value.clone())).collect();
    assert_eq!(attributes, [("a", Value::Int(2)), ("b", Value::Bool(true))]);
}

#[test]
fn faults_in_a_span_in_flight_are_at_its_head() {
    let mut items = long_items();
    items.extend(item(ItemTag::Name.code(), 1, &[]));
    let nested = item(ValueType::Bool.code(), 0, &[]);
    items.extend(attribute("array", ValueType::Array, &nested));
    items.extend([0; 8]);
    let mut image = Image::new();
    let content = image.span_content(1, &items);
    image.active(&[7, 2, 15, 4], &content);
    let (_, report) = in_flight(&image);
    let found: Vec<_> = report.faults.iter().map(|fault| (fault.rule, fault.offset)).collect();
    let head = Image::block_at(7) as u64;
    assert_eq!(found, [(Rule::Reference, head), (Rule::ItemPayload, head), (Rule::ItemLength, head)]);
}

#[test]
fn a_span_whose_chain_is_broken_is_incomplete() {
    let mut image = Image::new();
    let content = image.span_content(1, &long_items());
    image.active(&[7, 2, 15], &content);
    image.put(Image::block_at(2) + 8, &U32::new(99));
    let (spans, report) = in_flight(&image);
    assert!(spans[0].spilled);
    assert_eq!(report.faults[0].rule, Rule::ActiveChain);
}
