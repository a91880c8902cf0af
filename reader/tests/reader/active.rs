//! Spans in flight: whole chains, broken chains, spans that ended.

use otlp_mmap_format::{ActiveCommit, ItemTag, SectionKind, SpanEventBody, StatusBody, U32, U64, ValueType};
use otlp_mmap_reader::model::{Span, Value};
use otlp_mmap_reader::{Recording, Report, Rule};
use zerocopy::{FromZeros, IntoBytes};

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
fn the_mark_of_a_spilled_span_stands_in_its_head_alone() {
    for (marked, is_spilled) in [(7, true), (2, false), (15, false)] {
        let mut image = Image::new();
        let content = image.span_content(1, &long_items());
        image.active(&[7, 2, 15], &content);
        image.put(Image::block_at(marked) + 12, &U32::new(1));
        assert_eq!(in_flight(&image).0[0].spilled, is_spilled, "block {marked}");
    }
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
fn a_ring_of_blocks_ends_where_it_closes() {
    let mut image = Image::new();
    let content = image.span_content(1, &long_items());
    image.active(&[7, 2, 15], &content);
    image.put(Image::block_at(2) + 8, &U32::new(8));
    let (spans, report) = in_flight(&image);
    assert!(spans[0].spilled);
    assert_eq!((spans.len(), &*spans[0].name), (1, "first"));
    assert_eq!(rules(&report), [Rule::ActiveChain, Rule::ItemLength]);
}

#[test]
fn a_link_into_another_chain_does_not_harm_that_chain() {
    let mut image = Image::new();
    let content = image.span_content(1, &long_items());
    image.active(&[0, 1, 2], &content);
    let content = image.span_content(2, &long_items());
    image.active(&[3, 4, 5], &content);
    image.put(Image::block_at(0) + 8, &U32::new(5));
    let (spans, report) = in_flight(&image);
    assert!(report.is_clean(), "{report:?}");
    let second: Vec<_> = spans.iter().filter(|span| span.span_id[0] == 2).collect();
    assert_eq!((&*second[0].name, second[0].spilled), ("last", false));
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

/// Heads of a huge sparse table, each of a chain of nearly 16 MiB; `next` gives what follows a block.
fn greedy(heads: u32, blocks: u32, next: impl Fn(u32) -> u32) -> (Vec<Span>, Report) {
    let mut image = Image::new();
    let at = image.bytes.len();
    image.move_section(SectionKind::ActiveSpans, at, 256 << 28, 1 << 28);
    image.bytes.resize(at + 256 * blocks as usize, 0);
    for index in 0..blocks {
        let block = at + 256 * index as usize;
        let content = if index < heads {
            image.span_content(1, &attribute("k", ValueType::String, &[b'v'; 160]))
        } else {
            let body = SpanEventBody { name_length: U32::new(216), ..SpanEventBody::new_zeroed() };
            item(ItemTag::SpanEvent.code(), 0, &[body.as_bytes(), &[b'e'; 216]].concat())
        };
        image.put(block + 16, &content[..]);
        image.put(block + 8, &U32::new(next(index) + 1));
        if index < heads {
            let word = ActiveCommit { generation: 1, bytes: (1 << 24) - 16 }.pack(index);
            image.put(block, &U64::new(word));
        }
    }
    let file = image.file();
    file.set_len(at as u64 + (256 << 28)).unwrap();
    let mut report = Report::default();
    let spans = Recording::from_file(file, "image").unwrap().spans_in_flight(&mut report).unwrap();
    (spans, report)
}

#[test]
fn rings_of_many_heads_are_not_gone_round() {
    let (spans, report) =
        greedy(1_000, 1_010, |index| if index < 1_000 { 1_000 } else { 1_000 + (index + 1) % 10 });
    assert_eq!((spans.len(), report.fault_count()), (1_000, 1_000));
    assert!(spans.iter().all(|span| span.events.len() == 10 && span.spilled));
}

#[test]
fn a_long_chain_of_many_heads_is_not_copied_for_each() {
    let (spans, _) = greedy(1_000, 8_000, |index| if index < 1_000 { 1_000 } else { (index + 1).min(7_999) });
    let events: usize = spans.iter().map(|span| span.events.len()).sum();
    assert_eq!(spans.len(), 1_000);
    assert_eq!(events, 7_000 + 69_906);
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
