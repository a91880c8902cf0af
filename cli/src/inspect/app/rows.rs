//! Rows: how many a view has, which is selected, and that it stays selected when rows come, go and change places.

use super::super::model::{
    EventRow, FileRow, Lint, OperationRow, RecordId, RecordKind, SeriesId, SeriesRow, TraceId, TraceRow,
    WaterfallSpan,
};
use super::super::query::{EventKey, TraceKey, View};
use super::state::{App, List, RowsOf};

/// What a view shows newest rows at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewestEnd {
    First,
    Last,
}

impl App {
    /// Rows of the list that is shown; none until the source has answered.
    pub(crate) fn row_count(&self) -> usize {
        let snapshot = &self.snapshot;
        if self.memory.rows_of != Some(RowsOf::new(&self.query)) {
            return 0;
        }
        match self.query.view {
            View::Traces => snapshot.traces.len(),
            View::Operations => snapshot.operations.len(),
            View::Metrics => snapshot.series.len(),
            View::Events => snapshot.events.len(),
            View::File => snapshot.files.len(),
            View::Waterfall => self.visible.len(),
        }
    }

    /// The list that is shown.
    pub(crate) fn list(&self) -> &List {
        match self.query.view {
            View::Traces => &self.traces,
            View::Operations => &self.operations,
            View::Metrics => &self.metrics,
            View::Events => &self.events,
            View::File => &self.files,
            View::Waterfall => &self.waterfall,
        }
    }

    pub(super) fn list_mut(&mut self) -> &mut List {
        match self.query.view {
            View::Traces => &mut self.traces,
            View::Operations => &mut self.operations,
            View::Metrics => &mut self.metrics,
            View::Events => &mut self.events,
            View::File => &mut self.files,
            View::Waterfall => &mut self.waterfall,
        }
    }

    /// The selected row of the list that is shown.
    pub(crate) fn selected_row(&self) -> Option<usize> {
        self.list().selected(self.row_count())
    }

    fn selected_in(&self, view: View) -> Option<usize> {
        self.selected_row().filter(|_| self.query.view == view)
    }

    /// The selected trace, while traces are shown.
    pub(crate) fn selected_trace(&self) -> Option<&TraceRow> {
        self.snapshot.traces.get(self.selected_in(View::Traces)?)
    }

    /// The selected operation, while operations are shown.
    pub(crate) fn selected_operation(&self) -> Option<&OperationRow> {
        self.snapshot.operations.get(self.selected_in(View::Operations)?)
    }

    /// The selected series, while metrics are shown.
    pub(crate) fn selected_series(&self) -> Option<&SeriesRow> {
        self.snapshot.series.get(self.selected_in(View::Metrics)?)
    }

    /// The selected event, while events are shown.
    pub(crate) fn selected_event(&self) -> Option<&EventRow> {
        self.snapshot.events.get(self.selected_in(View::Events)?).map(AsRef::as_ref)
    }

    /// The selected recording, while files are shown.
    pub(crate) fn selected_file(&self) -> Option<&FileRow> {
        self.snapshot.files.get(self.selected_in(View::File)?)
    }

    /// The index of the selected span in the waterfall, while one is shown.
    pub(crate) fn selected_span_index(&self) -> Option<usize> {
        self.visible.get(self.selected_in(View::Waterfall)?).copied()
    }

    /// The selected span, while a waterfall is shown.
    pub(crate) fn selected_span(&self) -> Option<&WaterfallSpan> {
        self.waterfall()?.spans.get(self.selected_span_index()?)
    }

    /// The record that the selected row stands for: of a trace its root span.
    pub(crate) fn selected_record(&self) -> Option<RecordId> {
        match self.query.view {
            View::Traces => self.selected_trace().map(|row| row.root.id),
            View::Waterfall => self.selected_span().map(|row| row.span.id),
            View::Events => self.selected_event().map(|row| row.id),
            View::Metrics => self
                .selected_series()
                .map(|row| RecordId { file: row.id.file, kind: RecordKind::Series(row.id.series) }),
            View::Operations | View::File => None,
        }
    }

    /// The lints that are shown beside the selected recording: its own, and those of no recording.
    pub(crate) fn shown_lints(&self) -> impl Iterator<Item = &Lint> {
        let file = self.selected_file().map(|row| row.id);
        self.snapshot.lints.iter().filter(move |lint| lint.file.is_none() || lint.file == file)
    }

    /// The traces that lines of the pane lead to, see [`App::link`]; all zero: none.
    pub(crate) fn links(&self) -> Vec<TraceId> {
        match self.query.view {
            View::Metrics => {
                let exemplars = self.chart().map_or(&[][..], |chart| &chart.exemplars);
                exemplars.iter().map(|exemplar| exemplar.trace_id).collect()
            }
            View::File => self.shown_lints().map(|lint| lint.trace.unwrap_or_default()).collect(),
            _ => Vec::new(),
        }
    }

    /// Selects a row; beyond the last one: the last one. Rows that are followed are no longer, unless it is the newest.
    pub(super) fn select(&mut self, row: usize) {
        let count = self.row_count();
        if count == 0 {
            return;
        }
        let row = row.min(count - 1);
        self.list_mut().selected = row;
        if let Some(end) = self.newest_end() {
            self.follow = row == newest_row(end, count);
        }
    }

    /// Moves the selection.
    pub(super) fn move_by(&mut self, rows: usize, down: bool) {
        let Some(row) = self.selected_row() else { return };
        self.select(if down { row.saturating_add(rows) } else { row.saturating_sub(rows) });
    }

    /// Which end of the list new rows come to; `None`: anywhere.
    fn newest_end(&self) -> Option<NewestEnd> {
        let order = &self.query.order;
        let descending = match self.query.view {
            View::Traces if order.traces.key == TraceKey::Start => order.traces.descending,
            View::Events if order.events.key == EventKey::Time => order.events.descending,
            _ => return None,
        };
        Some(if descending { NewestEnd::First } else { NewestEnd::Last })
    }

    /// Whether new rows can be followed.
    pub(crate) fn can_follow(&self) -> bool {
        self.newest_end().is_some()
    }

    /// Selects what is to be selected among rows that came: the newest if they are followed, what is gone to, else
    /// what was selected before.
    pub(super) fn restore_selection(&mut self) {
        let count = self.row_count();
        if count == 0 {
            return;
        }
        if let Some(record) = self.memory.going_to.take() {
            self.go_to_record(record);
            return;
        }
        let row = match self.newest_end() {
            Some(end) if self.follow => Some(newest_row(end, count)),
            _ => self.find_selected(count),
        };
        if let Some(row) = row {
            self.list_mut().selected = row;
        }
    }

    fn go_to_record(&mut self, record: RecordId) {
        let snapshot = self.snapshot.clone();
        let position = match (self.query.view, record.kind) {
            (View::Events, _) => snapshot.events.iter().position(|row| row.id == record),
            (View::Metrics, RecordKind::Series(series)) => {
                let id = SeriesId { file: record.file, series };
                snapshot.series.iter().position(|row| row.id == id)
            }
            (View::Waterfall, _) => {
                let spans = snapshot.waterfall.iter().flat_map(|waterfall| &waterfall.spans);
                let found = spans.enumerate().find(|(_, row)| row.span.id == record);
                found.map(|(index, _)| self.reveal(index))
            }
            _ => snapshot.traces.iter().position(|row| row.root.id == record),
        };
        match position {
            Some(row) => {
                self.follow = false;
                self.list_mut().selected = row;
            }
            None => self.say("it is not there any more"),
        }
    }

    /// Where the row is now that was selected before.
    fn find_selected(&self, count: usize) -> Option<usize> {
        let (from, snapshot) = (self.list().selected, &self.snapshot);
        let memory = &self.memory.selected;
        let near = |is_it: &dyn Fn(usize) -> bool| find_near(from, count, is_it);
        match self.query.view {
            View::Traces => {
                let id = memory.trace?;
                near(&|row| snapshot.traces.get(row).is_some_and(|row| row.trace_id == id))
            }
            View::Operations => {
                let id = memory.operation.as_ref()?;
                near(&|row| snapshot.operations.get(row).is_some_and(|row| row.id == *id))
            }
            View::Metrics => {
                let id = memory.series?;
                near(&|row| snapshot.series.get(row).is_some_and(|row| row.id == id))
            }
            View::Events => {
                let id = memory.event?;
                near(&|row| snapshot.events.get(row).is_some_and(|row| row.id == id))
            }
            View::File => {
                let id = memory.file?;
                near(&|row| snapshot.files.get(row).is_some_and(|row| row.id == id))
            }
            View::Waterfall => self.find_span(memory.span?),
        }
    }

    /// Remembers what the selected row is.
    pub(super) fn remember_selection(&mut self) {
        if self.row_count() == 0 {
            return;
        }
        match self.query.view {
            View::Traces => self.memory.selected.trace = self.selected_trace().map(|row| row.trace_id),
            View::Operations => {
                self.memory.selected.operation = self.selected_operation().map(|row| row.id.clone());
            }
            View::Metrics => self.memory.selected.series = self.selected_series().map(|row| row.id),
            View::Events => self.memory.selected.event = self.selected_event().map(|row| row.id),
            View::File => self.memory.selected.file = self.selected_file().map(|row| row.id),
            View::Waterfall => self.memory.selected.span = self.selected_span().map(|row| row.span.span_id),
        }
    }

    /// Has the selected row on the screen.
    pub(super) fn keep_in_sight(&mut self) {
        let (count, page) = (self.row_count(), self.page);
        let list = self.list_mut();
        if let Some(selected) = list.selected(count).filter(|_| page > 0) {
            list.selected = selected;
            list.top = list.window(count, page).start;
        }
    }
}

fn newest_row(end: NewestEnd, count: usize) -> usize {
    match end {
        NewestEnd::First => 0,
        NewestEnd::Last => count.saturating_sub(1),
    }
}

/// The row closest to `from` that is the one looked for: rows seldom go far.
pub(super) fn find_near(from: usize, count: usize, is_it: &dyn Fn(usize) -> bool) -> Option<usize> {
    let from = from.min(count.saturating_sub(1));
    (0..count).find_map(|distance| {
        let below = from.checked_add(distance).filter(|row| *row < count && is_it(*row));
        below.or_else(|| from.checked_sub(distance).filter(|row| is_it(*row)))
    })
}
