//! What is made of rows, as pure functions.

use std::sync::Arc;

use super::{event_row, id, row, trace};
use crate::inspect::model::{RATE_PARTS, SAMPLES, Sample, SpanRow, TraceRow, Waterfall};
use crate::inspect::source::cursor::Cursor;
use crate::inspect::source::intern::Interner;
use crate::inspect::source::rows::EventEntry;
use crate::inspect::source::{lints, metrics, operations, traces, waterfall};

const NOW: Cursor = Cursor(None);

/// The tree of some spans, looked at at 1,000.
fn tree(spans: Vec<SpanRow>) -> Waterfall {
    tree_at(spans, NOW, 1_000)
}

fn tree_at(spans: Vec<SpanRow>, cursor: Cursor, until: u64) -> Waterfall {
    let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
    waterfall::waterfall(trace(1), spans.iter(), [].iter(), cursor, until).unwrap()
}

/// Number, depth, descendants of each row.
fn shape(tree: &Waterfall) -> Vec<(u64, usize, usize)> {
    let number = |span: &SpanRow| u64::from_be_bytes(span.span_id);
    tree.spans.iter().map(|row| (number(&row.span), row.depth, row.descendants)).collect()
}

fn numbers(tree: &Waterfall, wanted: impl Fn(&crate::inspect::model::WaterfallSpan) -> bool) -> Vec<u64> {
    let found = tree.spans.iter().filter(|row| wanted(row));
    found.map(|row| u64::from_be_bytes(row.span.span_id)).collect()
}

#[test]
fn a_tree_is_drawn_by_start_with_each_span_before_its_children() {
    let tree = tree(vec![
        row(4, 2, 20, Some(30)),
        row(3, 1, 50, Some(60)),
        row(1, 0, 0, Some(100)),
        row(2, 1, 10, Some(40)),
        row(5, 2, 15, Some(18)),
    ]);
    assert_eq!(shape(&tree), [(1, 0, 4), (2, 1, 2), (5, 2, 0), (4, 2, 0), (3, 1, 0)]);
    assert_eq!((tree.start, tree.end), (0, 100));
    assert!(numbers(&tree, |row| row.is_orphan).is_empty());
}

#[test]
fn orphans_stand_at_the_top_and_keep_their_children() {
    let tree = tree(vec![row(1, 0, 0, Some(9)), row(2, 99, 3, Some(5)), row(3, 2, 4, Some(5))]);
    assert_eq!(shape(&tree), [(1, 0, 0), (2, 0, 1), (3, 1, 0)]);
    assert_eq!(numbers(&tree, |row| row.is_orphan), [2]);
}

#[test]
fn circles_of_parents_are_cut() {
    let own = tree(vec![row(1, 1, 0, Some(9))]);
    assert_eq!((shape(&own), numbers(&own, |row| row.is_orphan)), (vec![(1, 0, 0)], vec![1]));
    let two = tree(vec![row(1, 2, 0, Some(9)), row(2, 1, 1, Some(8))]);
    assert_eq!((shape(&two), numbers(&two, |row| row.is_orphan)), (vec![(1, 0, 1), (2, 1, 0)], vec![1]));
    // A tail that hangs below a circle of three, and a tree beside it.
    let spans = [(1, 4, 0), (2, 3, 1), (3, 4, 2), (4, 2, 3), (5, 0, 4), (6, 5, 5), (7, 1, 6)];
    let tailed = tree(spans.map(|(number, parent, start)| row(number, parent, start, Some(9))).to_vec());
    assert_eq!(tailed.spans.len(), 7);
    assert_eq!(numbers(&tailed, |row| row.is_orphan).len(), 1);
    assert_eq!(tailed.spans.iter().filter(|row| row.depth == 0).count(), 2);
}

#[test]
fn of_spans_with_one_id_the_first_has_the_children_and_none_is_lost() {
    let mut copy = row(1, 0, 5, Some(50));
    copy.name = "copy".into();
    let tree = tree(vec![copy, row(1, 0, 0, Some(100)), row(2, 1, 10, Some(20))]);
    assert_eq!(shape(&tree), [(1, 0, 1), (2, 1, 0), (1, 0, 0)]);
    assert_eq!(&*tree.spans[2].span.name, "copy");
}

#[test]
fn chains_of_any_depth_need_no_stack() {
    let depth = 10_000;
    let spans = (1..=depth).map(|number| row(number, number - 1, number, Some(50_000 - number)));
    let tree = tree(spans.rev().collect());
    let last = tree.spans.last().unwrap();
    assert_eq!((last.depth, last.descendants, tree.spans[0].descendants), (9_999, 0, 9_999));
    assert!(tree.spans.iter().all(|row| row.is_critical));
    assert_eq!(tree.spans[0].self_time, 2);
    // The same in a circle.
    let spans = (1..=depth).map(|number| row(number, if number == 1 { depth } else { number - 1 }, 0, None));
    assert_eq!(self::tree(spans.collect()).spans.len(), 10_000);
}

#[test]
fn self_time_leaves_out_when_any_child_ran() {
    let tree = tree(vec![
        row(1, 0, 100, Some(200)),
        // Overlapping, one within another, before the parent, behind it, and backwards.
        row(2, 1, 110, Some(130)),
        row(3, 1, 120, Some(140)),
        row(4, 1, 125, Some(126)),
        row(5, 1, 90, Some(105)),
        row(6, 1, 190, Some(300)),
        row(7, 1, 160, Some(150)),
    ]);
    let times: Vec<_> = tree.spans.iter().map(|row| (row.span.span_id, row.self_time)).collect();
    assert!(times.contains(&(id(1), 100 - 30 - 5 - 10)), "{times:?}");
    assert!(times.contains(&(id(6), 110)));
    assert!(times.contains(&(id(7), 0)));
}

#[test]
fn spans_in_flight_reach_up_to_the_time_of_the_look() {
    let tree = tree_at(vec![row(1, 0, 100, None), row(2, 1, 150, Some(160))], NOW, 400);
    assert_eq!((tree.end, tree.spans[0].self_time), (400, 290));
    // One that will start later than the look has no negative age.
    let tree = tree_at(vec![row(1, 0, 500, None)], NOW, 400);
    assert_eq!((tree.start, tree.end, tree.spans[0].self_time), (500, 500, 0));
}

#[test]
fn the_critical_path_goes_back_from_the_end() {
    let path = |spans| numbers(&tree(spans), |row| row.is_critical);
    // The one that ended last, and who ended last before it began.
    let spans = vec![
        row(1, 0, 0, Some(100)),
        row(2, 1, 10, Some(40)),
        row(3, 1, 30, Some(60)),
        row(4, 1, 70, Some(90)),
        row(5, 4, 75, Some(80)),
        row(6, 2, 11, Some(39)),
    ];
    assert_eq!(path(spans), [1, 3, 4, 5]);
    // A child that outlives its parent was not waited for up to its own end.
    let spans = vec![row(1, 0, 0, Some(50)), row(2, 1, 40, Some(100)), row(3, 2, 60, Some(90))];
    assert_eq!(path(spans), [1, 2]);
    // Several at the top, one after another.
    let spans = vec![row(1, 0, 0, Some(10)), row(2, 9, 20, Some(30)), row(3, 9, 25, Some(29))];
    assert_eq!(path(spans), [1, 2]);
    // No time at all.
    assert_eq!(path(vec![row(1, 0, 5, Some(5)), row(2, 1, 5, Some(5)), row(3, 1, 5, Some(5))]), [1, 2, 3]);
}

#[test]
fn times_at_their_limits_do_no_harm() {
    let tree = tree(vec![
        row(1, 0, 0, Some(u64::MAX)),
        row(2, 1, u64::MAX, None),
        row(3, 1, u64::MAX, Some(0)),
        row(4, 0, 0, None),
    ]);
    assert_eq!((tree.start, tree.end, tree.spans.len()), (0, u64::MAX, 4));
}

#[test]
fn events_belong_to_their_span_and_come_by_time() {
    let spans: Vec<_> = [row(1, 0, 0, Some(9)), row(2, 1, 1, Some(5))].map(Arc::new).to_vec();
    let events = [event_row(1, 2, 4), event_row(2, 2, 3), event_row(3, 0, 1)];
    let events = events.map(|row| EventEntry { row: Arc::new(row), hit: true });
    let tree = waterfall::waterfall(trace(1), spans.iter(), events.iter(), NOW, 10).unwrap();
    assert_eq!(tree.spans.iter().map(|row| row.event_count).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(tree.events.iter().map(|event| event.time).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(waterfall::waterfall(trace(1), [].iter(), events.iter(), NOW, 10), None);
}

fn grouped(spans: &[Arc<SpanRow>], cursor: Cursor) -> Vec<TraceRow> {
    let mut rows = traces::grouped(spans.iter(), [].iter(), cursor, None, false);
    rows.sort_by_key(|row| row.trace_id);
    rows
}

#[test]
fn a_trace_is_named_by_its_root_or_by_the_first_whose_parent_is_gone() {
    let with_root = [row(2, 1, 0, Some(90)), row(1, 0, 5, Some(50)), row(3, 0, 6, Some(7))].map(Arc::new);
    let rows = grouped(&with_root, NOW);
    assert_eq!((rows[0].root.span_id, rows[0].has_root, rows[0].start), (id(1), true, 0));
    assert_eq!((rows[0].end, rows[0].span_count), (Some(90), 3));
    // The earliest has a parent that is there: the clocks of two processes differ.
    let without = [row(4, 3, 1, Some(5)), row(3, 77, 2, Some(9)), row(5, 78, 4, Some(6))].map(Arc::new);
    let rows = grouped(&without, NOW);
    assert_eq!((rows[0].root.span_id, rows[0].has_root), (id(3), false));
    let circle = [row(2, 1, 3, Some(5)), row(1, 2, 2, Some(9))].map(Arc::new);
    assert_eq!(grouped(&circle, NOW)[0].root.span_id, id(1));
}

#[test]
fn a_trace_has_no_end_while_its_root_is_in_flight() {
    let open_root = [row(1, 0, 0, None), row(2, 1, 1, Some(5))].map(Arc::new);
    assert_eq!(grouped(&open_root, NOW)[0].end, None);
    let open_child = [row(1, 0, 0, Some(9)), row(2, 1, 1, None)].map(Arc::new);
    let rows = grouped(&open_child, NOW);
    assert_eq!((rows[0].end, rows[0].in_flight_count), (Some(9), 1));
    let orphan = [row(1, 7, 0, Some(9)), row(2, 1, 1, None)].map(Arc::new);
    assert_eq!(grouped(&orphan, NOW)[0].end, None);
}

#[test]
fn the_cursor_takes_back_what_came_later() {
    let mut failed = row(2, 1, 10, Some(60));
    failed.status_code = SpanRow::ERROR;
    let spans = [row(1, 0, 0, Some(100)), failed, row(3, 1, 70, Some(80))].map(Arc::new);
    let rows = grouped(&spans, Cursor(Some(50)));
    let found = (rows[0].span_count, rows[0].error_count, rows[0].in_flight_count, rows[0].end);
    assert_eq!(found, (2, 0, 2, None));
    assert_eq!((rows[0].root.end, rows[0].duration(50)), (None, 50));
    let rows = grouped(&spans, Cursor(Some(60)));
    assert_eq!((rows[0].error_count, rows[0].in_flight_count), (1, 1));
    assert!(grouped(&spans[2..], Cursor(Some(69))).is_empty());
    let tree = tree_at(spans.iter().map(|span| SpanRow::clone(span)).collect(), Cursor(Some(50)), 50);
    assert_eq!((shape(&tree), tree.end), (vec![(1, 0, 1), (2, 1, 0)], 50));
    assert!(tree.spans.iter().all(|row| row.span.end.is_none() && row.span.status_code == 0));
}

#[test]
fn operations_count_by_service_and_name() {
    let mut spans: Vec<SpanRow> = (1..=100).map(|number| row(number, 0, number, Some(2 * number))).collect();
    spans[0].status_code = SpanRow::ERROR;
    spans.push(SpanRow { end: None, ..row(101, 0, 100, None) });
    spans.push(SpanRow { service: "other".into(), ..row(102, 0, 1, Some(1)) });
    let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
    let mut rows = operations::grouped(spans.iter(), NOW, (0, 199));
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(rows.len(), 2, "texts that are equal are one, wherever they are");
    let shop = &rows[1];
    assert_eq!((shop.count, shop.error_count, shop.in_flight_count), (101, 1, 1));
    assert_eq!((shop.p50, shop.p95, shop.p99, shop.max), (50, 95, 99, 100));
    assert_eq!((shop.rate.len(), shop.rate.iter().sum::<u64>()), (RATE_PARTS, 101));
    assert_eq!((shop.rate[0], shop.rate[1], shop.rate[20], shop.rate[21]), (4, 5, 2, 0));
    assert_eq!((rows[0].p50, rows[0].max), (0, 0));
}

#[test]
fn nearest_ranks() {
    let rank = |values: &[u64], percent| operations::nearest_rank(&mut values.to_vec(), percent);
    assert_eq!(rank(&[], 50), 0);
    assert_eq!((rank(&[7], 50), rank(&[7], 99)), (7, 7));
    assert_eq!((rank(&[3, 1, 2, 4], 50), rank(&[3, 1, 2, 4], 95)), (2, 4));
}

#[test]
fn a_rate_is_growth_between_samples_that_differ_in_time() {
    let rate = |samples: &[(u64, f64)]| {
        let samples = samples.iter().map(|&(seconds, value)| Sample { time: seconds * 1_000_000_000, value });
        metrics::rate(&samples.collect::<Vec<_>>())
    };
    assert_eq!(rate(&[]), None);
    assert_eq!(rate(&[(1, 5.0)]), None);
    assert_eq!(rate(&[(1, 5.0), (1, 9.0)]), None);
    assert_eq!(rate(&[(1, 5.0), (3, 9.0)]), Some(2.0));
    assert_eq!(rate(&[(1, 5.0), (3, 9.0), (3, 11.0)]), Some(3.0));
    assert_eq!(rate(&[(3, 5.0), (1, 9.0)]), None);
    assert_eq!(rate(&[(1, f64::NAN), (2, 9.0)]), None);
    assert_eq!(rate(&[(1, f64::NEG_INFINITY), (2, 9.0)]), None);
}

#[test]
fn spans_without_their_parent_are_told_by_service() {
    let server = SpanRow { kind: 2, ..row(3, 98, 0, Some(1)) };
    let spans = [row(1, 0, 0, Some(9)), row(2, 1, 0, Some(9)), server, row(4, 99, 0, Some(1))];
    let spans = spans.map(Arc::new);
    let lints = lints::orphans(spans.iter());
    assert_eq!(lints.len(), 1);
    assert_eq!((lints[0].count, lints[0].trace), (1, Some(trace(1))));
    assert!(lints[0].detail.contains(&crate::record::hex(&id(99))), "{}", lints[0].detail);
}

#[test]
fn spans_that_end_before_they_start_are_told() {
    let spans = [row(1, 0, 5, Some(5)), row(2, 0, 5, Some(4)), row(3, 0, 5, None), row(4, 0, 9, Some(1))];
    let spans = spans.map(Arc::new);
    let lint = lints::backward(crate::inspect::model::FileId(0), spans.iter()).unwrap();
    assert_eq!(lint.count, 2);
    assert_eq!(lints::backward(crate::inspect::model::FileId(0), spans[..1].iter()), None);
}

#[test]
fn attributes_with_many_values_are_told() {
    use otlp_mmap_reader::model::Value;
    let sets: Vec<_> = (0..150)
        .map(|number| {
            let user = crate::samples::pair("user", Value::Int(number));
            vec![user, crate::samples::pair("route", Value::Int(number % 99))]
        })
        .collect();
    let series = sets.iter().map(|set| ("requests".into(), set.as_slice()));
    let lints = lints::many_values(crate::inspect::model::FileId(0), series);
    assert_eq!(
        lints.iter().map(|lint| lint.detail.as_str()).collect::<Vec<_>>(),
        ["user of requests has 150 values"]
    );
}

#[test]
fn texts_are_held_once() {
    let mut interner = Interner::default();
    let scope = crate::samples::scope();
    let (one, other) = (interner.service(&scope), interner.service(&crate::samples::scope()));
    assert_eq!(&*one, "checkout");
    assert!(Arc::ptr_eq(&one, &other));
}

#[test]
fn many_series_share_what_is_kept_of_the_past() {
    let most = crate::inspect::source::history::samples_each;
    assert_eq!((most(0), most(1), most(4_000)), (SAMPLES, SAMPLES, SAMPLES));
    assert_eq!((most(1 << 14), most(1 << 24)), (64, 2));
}
