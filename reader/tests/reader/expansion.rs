//! What a small file can make large: texts and definitions that stand in it once and are referred to often.

use std::io;

use otlp_mmap_format::{EntryKind, ItemTag, SeriesKind, VALUE_INT, ValueType};
use otlp_mmap_reader::model::{Span, Value};
use otlp_mmap_reader::{Rule, Snapshot, otlp};
use zerocopy::IntoBytes;

use crate::series::{exponential_cell, histogram_cell, stream, sum};
use crate::support::{Image, attribute, item, name, text_item};

/// Length of the large text: a quarter of what a record may refer to.
const LARGE: usize = 1 << 22;

/// An image with a large text, and a reference to it.
fn large() -> (Image, u32) {
    let mut image = Image::new();
    image.enlarge_dictionary(2_048);
    let reference = image.string(&"k".repeat(LARGE));
    (image, reference)
}

/// An array of `count` maps, each with `key` alone.
fn maps(key: u32, count: usize) -> Vec<u8> {
    let map = item(ValueType::Map.code(), 0, &item(ValueType::Empty.code(), key, &[]));
    attribute("array", ValueType::Array, &map.repeat(count))
}

fn keys(span: &Span) -> usize {
    let Value::Array(maps) = &span.attributes[0].value else { panic!("{:?}", span.attributes) };
    maps.iter().filter(|map| matches!(map, Value::Map(entries) if entries.len() == 1)).count()
}

#[test]
fn a_record_refers_to_no_more_text_than_16_mib() {
    let (mut image, key) = large();
    for (number, count) in [(1, 4), (2, 100), (3, 4)] {
        image.span(0, number, &maps(key, count));
    }
    let snapshot = image.open().snapshot().unwrap();
    assert_eq!(snapshot.spans.iter().map(keys).collect::<Vec<_>>(), [4, 4, 4]);
    let [fault] = &snapshot.report.faults[..] else { panic!("{:?}", snapshot.report) };
    // The item of the fifth reference of the second span: behind 7 words of body, the array with its key, five maps.
    let span = snapshot.spans[1].position.offset;
    assert_eq!((fault.rule, fault.offset), (Rule::Reference, span + 32 + 56 + 24 + 4 * 16 + 8));
    assert_eq!(image.open().verify().unwrap().faults, snapshot.report.faults);
}

#[test]
fn a_name_counts_behind_the_items_and_a_lost_key_as_dropped() {
    let (mut image, key) = large();
    let attributes = [maps(key, 4), item(ValueType::Bool.code(), key, &[1])].concat();
    image.span(0, 1, &[attributes, item(ItemTag::Name.code(), key, &[])].concat());
    let snapshot = image.open().snapshot().unwrap();
    let span = &snapshot.spans[0];
    assert_eq!((&*span.name, span.attributes.len(), span.dropped_attributes_count), ("", 1, 1));
    assert_eq!(snapshot.report.fault_count(), 1);
}

#[test]
fn a_definition_has_a_measure_of_its_own() {
    let (mut image, key) = large();
    let resource = image.entry(EntryKind::Resource, &maps(key, 5));
    image.scope = image.new_scope(resource, "other");
    for number in 1..5 {
        image.span(0, number, &maps(key, 4));
    }
    let snapshot = image.open().snapshot().unwrap();
    assert_eq!(snapshot.spans.iter().map(keys).sum::<usize>(), 16);
    assert_eq!(snapshot.report.fault_count(), 1, "that of the resource, once");
    let Value::Array(maps) = &snapshot.spans[0].scope.resource.attributes[0].value else { panic!() };
    assert_eq!(maps.last(), Some(&Value::Map(Vec::new())));
}

/// Pieces joined, and the longest one.
fn pieces(write: impl FnOnce(&mut otlp::json::Sink<'_>) -> io::Result<()>) -> (String, usize) {
    let (mut text, mut longest) = (String::new(), 0);
    write(&mut |piece| {
        text.push_str(piece);
        longest = longest.max(piece.len());
        Ok(())
    })
    .unwrap();
    (text, longest)
}

/// Asserts that documents in pieces are those of whole messages.
fn assert_same(snapshot: &Snapshot) {
    let Snapshot { spans, events, series, .. } = snapshot;
    let traces = otlp::json::traces(&otlp::traces(spans));
    assert_eq!(pieces(|sink| otlp::json::write_traces(spans, sink)).0, traces);
    let logs = otlp::json::logs(&otlp::logs(events));
    assert_eq!(pieces(|sink| otlp::json::write_logs(events, sink)).0, logs);
    let metrics = otlp::json::metrics(&otlp::metrics(series));
    assert_eq!(pieces(|sink| otlp::json::write_metrics(series, sink)).0, metrics);
}

#[test]
fn a_document_in_pieces_is_that_of_the_whole_messages() {
    let mut image = Image::new();
    assert_same(&image.open().snapshot().unwrap());
    let first = image.scope;
    let schema = text_item(ItemTag::SchemaUrl.code(), 0, "https://schema");
    let resource = image.entry(EntryKind::Resource, &schema);
    let second = image.new_scope(resource, "second");
    let bare = image.entry(EntryKind::Scope, &[u8::try_from(resource).unwrap(), 0, 0, 0, 0, 0, 0, 0]);
    for (number, scope) in [(1, first), (2, second), (3, first), (4, bare)] {
        image.scope = scope;
        image.span(0, number, &[name("say \"hi\""), attribute("b", ValueType::Bool, &[1])].concat());
        image.event(0, number, &name("login"));
    }
    let (histograms, exponential) = (stream(&mut image, 3), stream(&mut image, 4));
    image.scope = first;
    let sums = stream(&mut image, 2);
    let set = image.entry(EntryKind::AttributeSet, &attribute("k", ValueType::Int, &1_i64.to_le_bytes()));
    image.series(SeriesKind::Sum, sums, 0, 0, sum(7, 0.0, VALUE_INT).as_bytes());
    image.series(SeriesKind::Sum, sums, set, 0, sum(8, 0.0, VALUE_INT).as_bytes());
    image.series(SeriesKind::Histogram, histograms, 0, 3, &histogram_cell([1, 2, 3]));
    image.series(SeriesKind::ExponentialHistogram, exponential, 0, 4, &exponential_cell(2, 1));
    let snapshot = image.open().snapshot().unwrap();
    assert_eq!((snapshot.spans.len(), snapshot.events.len()), (4, 4));
    assert_eq!(snapshot.series.len(), 4, "{:?}", snapshot.report);
    assert_same(&snapshot);
}

/// A document of 32 MiB, of which no more than a record is in memory.
#[test]
fn a_name_of_many_records_is_written_for_one_after_another() {
    let (mut image, key) = large();
    for number in 1..=8 {
        image.span(0, number, &item(ItemTag::Name.code(), key, &[]));
    }
    let snapshot = image.open().snapshot().unwrap();
    let (mut length, mut longest) = (0, 0);
    otlp::json::write_traces(&snapshot.spans, &mut |piece| {
        length += piece.len();
        longest = longest.max(piece.len());
        Ok(())
    })
    .unwrap();
    assert!(length > 8 * LARGE && longest < 2 * LARGE, "{length} {longest}");
    assert!(otlp::Weights::default().of(&snapshot.spans, usize::MAX) >= 8 * LARGE);
    assert!(otlp::Weights::default().of(&snapshot.spans, LARGE) < 2 * LARGE, "stops at the limit");
}

/// 100 scopes of one resource of 4 MiB: the text of their contents would be 400 MiB.
#[test]
fn scopes_are_told_apart_without_their_resource_in_full() {
    let (mut image, key) = large();
    let resource = image.entry(EntryKind::Resource, &maps(key, 4));
    for number in 1..=20 {
        image.scope = image.new_scope(resource, &format!("scope {}", number % 10));
        image.span(0, number, &[]);
    }
    let snapshot = image.open().snapshot().unwrap();
    let data = otlp::traces(&snapshot.spans);
    assert_eq!(data.resource_spans.len(), 1);
    let spans: Vec<_> = data.resource_spans[0].scope_spans.iter().map(|scope| scope.spans.len()).collect();
    assert_eq!(spans, [2; 10]);
}

#[test]
fn equal_records_weigh_what_their_messages_hold_at_least() {
    let mut image = Image::new();
    image.span(0, 1, &[name("name"), attribute("key", ValueType::String, b"value")].concat());
    let snapshot = image.open().snapshot().unwrap();
    let weight = otlp::Weights::default().of(&snapshot.spans, usize::MAX);
    let json = otlp::json::traces(&otlp::traces(&snapshot.spans));
    assert!(weight >= "name".len() + "key".len() + "value".len() && weight < json.len(), "{weight} {json}");
}
