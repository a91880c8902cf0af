//! Folds and zoom.

use super::*;
use crate::inspect::samples::span_id;

fn at_waterfall() -> Viewer {
    let mut viewer = Viewer::new();
    viewer.press("G<Enter>g");
    viewer
}

fn selected_id(viewer: &Viewer) -> u64 {
    u64::from_be_bytes(viewer.app.selected_span().unwrap().span.span_id)
}

fn rows(viewer: &Viewer) -> Vec<usize> {
    viewer.app.visible.clone()
}

#[test]
fn enter_folds_and_opens() {
    let mut viewer = at_waterfall();
    assert_eq!(rows(&viewer), [0, 1, 2, 3, 4, 5, 6, 7]);
    viewer.press("jjj<Enter>");
    assert_eq!((rows(&viewer), selected_id(&viewer)), (vec![0, 1, 2, 3, 6, 7], 4));
    viewer.press("g<Enter>");
    assert_eq!(rows(&viewer), [0, 6, 7]);
    viewer.press("<Enter>");
    assert_eq!(rows(&viewer), [0, 1, 2, 3, 6, 7], "folds within stay");
    viewer.press("j<Enter>");
    assert!(viewer.app.is_detail_open, "a span without children opens its details");
}

#[test]
fn arrows_go_to_the_parent_and_the_child() {
    let mut viewer = at_waterfall();
    viewer.press("jjjjj");
    assert_eq!(selected_id(&viewer), 6);
    viewer.press("h");
    assert_eq!(selected_id(&viewer), 4);
    viewer.press("<Left>");
    assert_eq!(rows(&viewer), [0, 1, 2, 3, 6, 7]);
    viewer.press("<Left>");
    assert_eq!(selected_id(&viewer), 1);
    viewer.press("<Left>");
    assert_eq!(rows(&viewer), [0, 6, 7]);
    viewer.press("<Left>");
    assert_eq!(selected_id(&viewer), 1, "a root has no parent");
    viewer.press("<Right>ll");
    assert_eq!((rows(&viewer).len(), selected_id(&viewer)), (6, 2));
}

#[test]
fn all_is_folded_and_opened() {
    let mut viewer = at_waterfall();
    viewer.press("jjjjjz");
    assert_eq!((rows(&viewer), selected_id(&viewer)), (vec![0, 1, 2, 3, 6, 7], 4), "the span above it");
    viewer.press("z");
    assert_eq!(rows(&viewer).len(), 8);
}

#[test]
fn an_error_behind_a_fold_is_gone_to() {
    let mut viewer = at_waterfall();
    viewer.press("<Enter>e");
    assert_eq!((selected_id(&viewer), rows(&viewer).len()), (6, 8));
    viewer.press("e");
    assert_eq!((selected_id(&viewer), viewer.message()), (1, "again from the top"));
    viewer.press("E");
    assert_eq!(selected_id(&viewer), 6);
}

#[test]
fn the_filter_has_hits_in_the_waterfall() {
    let mut viewer = at_waterfall();
    viewer.press("n");
    assert!(viewer.message().contains("nothing is looked for"));
    viewer.press("/name = x<Enter>n");
    assert_eq!(selected_id(&viewer), 2, "the sample says that all pass");
}

#[test]
fn the_selected_span_is_the_same_when_spans_come() {
    let mut viewer = at_waterfall();
    viewer.press("jjjjj");
    let mut tree = (**viewer.app.snapshot.waterfall.as_ref().unwrap()).clone();
    let new = crate::inspect::model::WaterfallSpan {
        span: Arc::new(crate::inspect::model::SpanRow {
            span_id: span_id(77),
            ..(*tree.spans[1].span).clone()
        }),
        ..tree.spans[1].clone()
    };
    tree.spans.insert(1, new);
    viewer.show(Snapshot { waterfall: Some(Arc::new(tree)), ..samples::shop() });
    assert_eq!((selected_id(&viewer), viewer.selected()), (6, 6));
}

#[test]
fn another_trace_begins_unfolded() {
    let mut viewer = at_waterfall();
    viewer.press("z==<Esc>");
    assert!(!viewer.app.tree.folded.is_empty());
    viewer.press("<Enter>");
    assert!(!viewer.app.tree.folded.is_empty(), "the same trace is as it was");
    viewer.press("<Esc>g<Enter>");
    assert!(viewer.app.tree.folded.is_empty() && viewer.app.tree.zoom == 0);
}

#[test]
fn zoom_and_pan_stay_within_the_trace() {
    let mut viewer = at_waterfall();
    viewer.press("jj=");
    let (from, to) = viewer.app.tree.window();
    assert!((to - from - 0.5).abs() < 1e-9 && from <= 26.0 / 75.0 && 26.0 / 75.0 <= to, "{from} {to}");
    viewer.press(&"<".repeat(20));
    assert!(viewer.app.tree.window().0.abs() < 1e-9);
    viewer.press(&">".repeat(20));
    assert!((viewer.app.tree.window().1 - 1.0).abs() < 1e-9);
    viewer.press(&"=".repeat(100));
    let (from, to) = viewer.app.tree.window();
    assert!(from < to && 0.0 <= from && to <= 1.0);
    viewer.press(&"-".repeat(100));
    assert_eq!(viewer.app.tree.window(), (0.0, 1.0));
    viewer.press("==0");
    assert_eq!(viewer.app.tree.window(), (0.0, 1.0));
}

#[test]
fn a_chain_ten_thousand_deep() {
    let mut viewer = Viewer::over(|query| match query.view {
        View::Waterfall => samples::deep_waterfall(10_000),
        _ => samples::traces(),
    });
    viewer.press("G<Enter>G");
    assert_eq!(viewer.selected(), 9_999);
    viewer.press("hzG");
    assert_eq!(rows(&viewer), [0, 1]);
    viewer.press("gfget<Enter>N");
    assert_eq!(rows(&viewer).len(), 10_000, "what is found is opened up to the root");
}

#[test]
fn a_waterfall_without_a_trace() {
    let mut viewer = Viewer::over(|_| samples::traces());
    viewer.press("g<Enter>");
    assert_eq!((viewer.app.query.view, viewer.app.row_count()), (View::Waterfall, 0));
    viewer.press("jkhlz=-0<>eEnNyYvtmo<Enter>{[");
}
