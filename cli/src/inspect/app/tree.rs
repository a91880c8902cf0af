//! The waterfall: folds, and the part of the time axis that is shown.

use std::collections::HashSet;

use super::super::model::{SpanId, Waterfall, WaterfallSpan};
use super::super::query::View;
use super::rows::find_near;
use super::state::{App, Tree};

/// Most halvings of the time axis: beyond them a nanosecond fills the screen.
const MAX_ZOOM: u32 = 40;

/// Indices of the spans that are not hidden by a fold.
pub(super) fn visible(spans: &[WaterfallSpan], folded: &HashSet<SpanId>) -> Vec<usize> {
    if folded.is_empty() {
        return (0..spans.len()).collect();
    }
    let mut rows = Vec::new();
    let mut index = 0_usize;
    while let Some(row) = spans.get(index) {
        rows.push(index);
        let hidden = if folded.contains(&row.span.span_id) { row.descendants } else { 0 };
        index = index.saturating_add(1).saturating_add(hidden);
    }
    rows
}

impl Tree {
    /// The part of the time axis that is shown, in parts of the trace's duration.
    pub(crate) fn window(&self) -> (f64, f64) {
        let half = self.half();
        let center = if self.center.is_finite() { self.center.clamp(half, 1.0 - half) } else { 0.5 };
        (center - half, center + half)
    }

    fn half(&self) -> f64 {
        0.5_f64.powi(i32::try_from(self.zoom.min(MAX_ZOOM)).unwrap_or(0) + 1)
    }

    fn center_at(&mut self, center: f64) {
        let half = self.half();
        self.center = if center.is_finite() { center.clamp(half, 1.0 - half) } else { 0.5 };
    }
}

impl App {
    fn waterfall_spans(&self) -> &[WaterfallSpan] {
        self.waterfall().map_or(&[], |waterfall| &waterfall.spans)
    }

    /// Makes the rows of the waterfall anew. The selected span stays selected; if a fold hides it, the one above it.
    pub(super) fn lay_out_tree(&mut self) {
        let selected = self.selected_span_index();
        self.visible = visible(self.waterfall_spans(), &self.tree.folded);
        if let Some(index) = selected {
            self.waterfall.selected = self.row_of_span(index);
        }
    }

    /// The row of a span; of one that is hidden by a fold, that of the span above.
    fn row_of_span(&self, index: usize) -> usize {
        self.visible.partition_point(|visible| *visible <= index).saturating_sub(1)
    }

    /// Where the span of an id stands now.
    pub(super) fn find_span(&self, id: SpanId) -> Option<usize> {
        let spans = self.waterfall_spans();
        let is_at = |index: usize| spans.get(index).is_some_and(|row| row.span.span_id == id);
        let from = self.visible.get(self.waterfall.selected).copied().unwrap_or(0);
        find_near(from, spans.len(), &is_at).map(|index| self.row_of_span(index))
    }

    /// Opens what hides a span, and gives its row.
    pub(super) fn reveal(&mut self, index: usize) -> usize {
        let mut below = index;
        let mut above = Vec::new();
        let spans = self.waterfall_spans();
        let mut depth = spans.get(index).map_or(0, |row| row.depth);
        while depth > 0 && below > 0 {
            below -= 1;
            if let Some(row) = spans.get(below).filter(|row| row.depth < depth) {
                depth = row.depth;
                above.push(row.span.span_id);
            }
        }
        let before = self.tree.folded.len();
        for id in above {
            self.tree.folded.remove(&id);
        }
        if self.tree.folded.len() < before {
            self.visible = visible(self.waterfall_spans(), &self.tree.folded);
        }
        self.row_of_span(index)
    }

    /// Enter: folds or opens; of a span without children the pane.
    pub(super) fn toggle_fold(&mut self) {
        let Some((id, descendants)) = self.selected_branch() else { return };
        if descendants == 0 {
            self.toggle_pane();
        } else if !self.tree.folded.remove(&id) {
            self.tree.folded.insert(id);
        }
        self.lay_out_tree();
    }

    fn selected_branch(&self) -> Option<(SpanId, usize)> {
        self.selected_span().map(|row| (row.span.span_id, row.descendants))
    }

    /// Folds the selected span, or goes to its parent.
    pub(super) fn fold(&mut self) {
        let Some((id, descendants)) = self.selected_branch() else { return };
        if descendants > 0 && self.tree.folded.insert(id) {
            self.lay_out_tree();
        } else if let Some(parent) = self.selected_parent() {
            let row = self.row_of_span(parent);
            self.select(row);
        }
    }

    fn selected_parent(&self) -> Option<usize> {
        let index = self.selected_span_index()?;
        let spans = self.waterfall_spans();
        let depth = spans.get(index)?.depth;
        spans.get(..index)?.iter().rposition(|row| row.depth < depth)
    }

    /// Opens the selected span, or goes to its first child.
    pub(super) fn unfold(&mut self) {
        let Some((id, descendants)) = self.selected_branch() else { return };
        if self.tree.folded.remove(&id) {
            self.lay_out_tree();
        } else if descendants > 0 {
            self.move_by(1, true);
        }
    }

    /// Folds everything below the roots, or opens everything.
    pub(super) fn fold_all(&mut self) {
        if self.tree.folded.is_empty() {
            let spans = self.waterfall_spans().iter().filter(|row| row.depth > 0 && row.descendants > 0);
            self.tree.folded = spans.map(|row| row.span.span_id).collect();
        } else {
            self.tree.folded.clear();
        }
        self.lay_out_tree();
    }

    /// Doubles the time axis around the middle of the selected span.
    pub(super) fn zoom_in(&mut self) {
        let Some(center) = self.selected_center() else { return };
        self.tree.zoom = self.tree.zoom.saturating_add(1).min(MAX_ZOOM);
        self.tree.center_at(center);
    }

    pub(super) fn zoom_out(&mut self) {
        self.tree.zoom = self.tree.zoom.saturating_sub(1);
        self.tree.center_at(self.tree.center);
    }

    pub(super) fn zoom_reset(&mut self) {
        self.tree.zoom = 0;
        self.tree.center_at(0.5);
    }

    /// Moves the time axis by a quarter of what is shown.
    pub(super) fn pan(&mut self, later: bool) {
        let step = self.tree.half() / 2.0;
        self.tree.center_at(self.tree.center + if later { step } else { -step });
    }

    fn selected_center(&self) -> Option<f64> {
        let span = &self.selected_span()?.span;
        let Waterfall { start, end, .. } = *self.waterfall()?;
        let middle = span.start.saturating_add(span.duration(end) / 2).saturating_sub(start);
        Some(ratio(middle, end.saturating_sub(start)))
    }

    /// Remembers how far the trace of the waterfall goes, also while the time cursor hides its end.
    pub(super) fn remember_trace_range(&mut self) {
        let Some(waterfall) = self.waterfall().filter(|_| self.query.view == View::Waterfall) else {
            return;
        };
        let (id, start, end) = (waterfall.trace_id, waterfall.start, waterfall.end);
        let known = self.memory.trace_range.filter(|known| known.0 == id);
        self.memory.trace_range = Some(match known {
            Some((_, earliest, latest)) => (id, start.min(earliest), end.max(latest)),
            None => (id, start, end),
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place on the screen needs no more")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.5 } else { part as f64 / whole as f64 }
}
