//! The state of the viewer: what is selected, folded, typed. `update` changes it, `view` draws it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::model::{
    Chart, Detail, FileId, OperationId, RecordId, SeriesId, Snapshot, SpanId, TraceId, Waterfall,
};
use super::super::query::{NamedFilter, Query, View};

/// Everything that is drawn.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct App {
    /// What is shown. While the viewer is paused this is not the newest.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The newest snapshot, while the viewer is paused.
    pub(crate) newest: Option<Arc<Snapshot>>,
    /// What the source was asked for last. Holds the view, the filter, the orders, the time cursor.
    pub(crate) query: Query,
    /// Where Esc leads: views that were left by Enter, with the last on top.
    pub(crate) behind: Vec<View>,
    pub(crate) traces: List,
    pub(crate) operations: List,
    pub(crate) metrics: List,
    pub(crate) events: List,
    pub(crate) files: List,
    /// Rows of the waterfall that are not hidden by a fold.
    pub(crate) waterfall: List,
    pub(crate) tree: Tree,
    /// Indices of the spans of the waterfall that are not hidden by a fold: its rows.
    pub(crate) visible: Vec<usize>,
    /// The pane beside or below the list is shown.
    pub(crate) is_detail_open: bool,
    /// It takes the whole screen.
    pub(crate) is_detail_expanded: bool,
    /// First line of the detail pane that is shown.
    pub(crate) detail_scroll: usize,
    /// The line of the pane that leads to a trace: of a chart the selected exemplar, of a file the selected lint;
    /// beyond the last one: the last one.
    pub(crate) link: usize,
    pub(crate) chart: ChartMode,
    /// New rows at the end stay in sight: of events, and of traces sorted by start.
    pub(crate) follow: bool,
    /// What is shown does not change; see `newest`.
    pub(crate) is_paused: bool,
    /// Where it was paused.
    pub(crate) paused: Paused,
    /// A line of text is being typed.
    pub(crate) prompt: Option<Prompt>,
    /// Text that is looked for in the rows, in lower case; empty: none. Rows that have it stand out.
    pub(crate) find: String,
    pub(crate) help: Option<Help>,
    /// The menu of orders, with the selected line.
    pub(crate) sort_menu: Option<usize>,
    pub(crate) bookmarks: Vec<Bookmark>,
    /// Said once, until the next key.
    pub(crate) message: Option<String>,
    pub(crate) is_mouse_on: bool,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// Rows of the list that fit on the screen, as the loop learned from `view`.
    pub(crate) page: usize,
    /// The largest [`App::detail_scroll`] that shows something, as the loop learned from `view`.
    pub(crate) detail_end: usize,
    /// The source is gone, and why.
    pub(crate) failure: Option<String>,
    /// Lines that were typed, oldest first: filters, texts to find.
    pub(crate) history: [Vec<String>; 2],
    /// What `update` remembers and nothing draws.
    pub(super) memory: Memory,
}

/// How the viewer begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) view: View,
    pub(crate) filter: Option<Arc<NamedFilter>>,
    /// The trace of a waterfall.
    pub(crate) trace: Option<TraceId>,
    pub(crate) is_mouse_on: bool,
}

/// The moment at which the viewer was paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paused {
    /// Time as of which the recordings are shown.
    pub(crate) until: u64,
    /// Records that had come.
    pub(crate) seen: u64,
}

/// What `update` remembers from one event to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What was asked for last, under the number of [`App::query`].
    pub(super) asked: Query,
    /// The first query that has the same rows: later ones ask for other details only.
    pub(super) rows_since: u64,
    /// The first query with this filter.
    pub(super) filter_since: u64,
    /// The source is to be asked even for the same.
    pub(super) must_ask: bool,
    pub(super) selected: SelectedRows,
    /// Whose rows are in [`App::snapshot`].
    pub(super) rows_of: Option<RowsOf>,
    /// Follow and open pane of the views that are not shown.
    pub(super) views: HashMap<View, ViewMemory>,
    /// The record that is selected as soon as its row is there.
    pub(super) going_to: Option<RecordId>,
    /// The record that is copied as soon as it is there.
    pub(super) copying: Option<RecordId>,
    /// First and last time that were seen of the trace of the waterfall.
    pub(super) trace_range: Option<(TraceId, u64, u64)>,
    /// The bookmark that was gone to last.
    pub(super) bookmark: Option<usize>,
}

/// Whose rows a list has: those of another view or trace are not taken for them while the source works.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowsOf {
    view: View,
    trace: Option<TraceId>,
    events_of: Option<TraceId>,
    operation: Option<OperationId>,
}

impl RowsOf {
    /// Those that a query asks for.
    pub(super) fn new(query: &Query) -> Self {
        let Query { view, trace, events_of, operation, .. } = query.clone();
        Self { view, trace, events_of, operation }
    }
}

/// The selected row of each view by what it is, so that it stays selected wherever it moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SelectedRows {
    pub(super) trace: Option<TraceId>,
    pub(super) operation: Option<OperationId>,
    pub(super) series: Option<SeriesId>,
    pub(super) event: Option<RecordId>,
    pub(super) file: Option<FileId>,
    pub(super) span: Option<SpanId>,
}

/// What is remembered of a view that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ViewMemory {
    pub(super) follow: bool,
    pub(super) is_detail_open: bool,
}

impl ViewMemory {
    /// How a view is at first.
    pub(super) fn first(view: View) -> Self {
        Self { follow: true, is_detail_open: matches!(view, View::Metrics | View::File) }
    }
}

impl App {
    /// The viewer before anything is read, and the first query in `query`.
    pub(crate) fn new(size: (u16, u16), options: Options) -> Self {
        let mut memory = Memory::default();
        let Options { view, filter, trace, is_mouse_on } = options;
        let query = Query { number: 1, view, filter, trace, ..Query::default() };
        memory.asked = query.clone();
        memory.rows_since = query.number;
        Self {
            snapshot: Arc::default(),
            newest: None,
            behind: if view == View::Waterfall { vec![View::Traces] } else { Vec::new() },
            traces: List::default(),
            operations: List::default(),
            metrics: List::default(),
            events: List::default(),
            files: List::default(),
            waterfall: List::default(),
            tree: Tree { center: 0.5, ..Tree::default() },
            visible: Vec::new(),
            is_detail_open: ViewMemory::first(view).is_detail_open,
            is_detail_expanded: false,
            detail_scroll: 0,
            link: 0,
            chart: ChartMode::default(),
            follow: true,
            is_paused: false,
            paused: Paused::default(),
            prompt: None,
            find: String::new(),
            help: None,
            sort_menu: None,
            bookmarks: Vec::new(),
            message: None,
            is_mouse_on,
            size,
            page: 0,
            detail_end: usize::MAX,
            failure: None,
            history: [Vec::new(), Vec::new()],
            memory,
            query,
        }
    }

    /// The details of the selected record, once they are there.
    pub(crate) fn detail(&self) -> Option<&Detail> {
        self.snapshot.detail.as_deref().filter(|detail| Some(detail.id) == self.query.detail)
    }

    /// The chart of the selected series, once it is there.
    pub(crate) fn chart(&self) -> Option<&Chart> {
        self.snapshot.chart.as_deref().filter(|chart| Some(chart.row.id) == self.query.series)
    }

    /// The waterfall of the trace that is shown, once it is there.
    pub(crate) fn waterfall(&self) -> Option<&Waterfall> {
        self.snapshot.waterfall.as_deref().filter(|waterfall| Some(waterfall.trace_id) == self.query.trace)
    }

    /// Records that came since the viewer was paused.
    pub(crate) fn new_records(&self) -> u64 {
        let newest = self.newest.as_ref().unwrap_or(&self.snapshot);
        if self.is_paused { newest.totals.seen.saturating_sub(self.paused.seen) } else { 0 }
    }

    /// Whether the rows and hits that are shown are those of another filter: the source still works on this one.
    pub(crate) fn is_filter_awaited(&self) -> bool {
        self.snapshot.query < self.memory.filter_since
    }

    /// Whether the source still works on the first rows of the view that is shown.
    pub(crate) fn are_rows_awaited(&self) -> bool {
        self.failure.is_none() && self.memory.rows_of != Some(RowsOf::new(&self.query))
    }

    /// What the source is to be asked for: `query`, while paused as of the pause.
    pub(crate) fn asking(&self) -> Query {
        let mut query = self.query.clone();
        if self.is_paused && query.until.is_none() {
            query.until = Some(self.paused.until);
        }
        query
    }
}

/// A list with a selected row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    /// Index of the selected row; beyond the last one: the last one.
    pub(crate) selected: usize,
    /// Index of the first row that is drawn; `view` moves it no further than it needs to show the selected one, by
    /// [`List::window`].
    pub(crate) top: usize,
    /// Columns by which wide rows are moved to the left.
    pub(crate) shift: usize,
}

impl List {
    /// The selected row of `count`; `None` without rows.
    pub(crate) fn selected(&self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.selected.min(count - 1))
    }

    /// The rows of `count` that are drawn on `height` lines: the selected one is among them.
    pub(crate) fn window(&self, count: usize, height: usize) -> std::ops::Range<usize> {
        let Some(selected) = self.selected(count).filter(|_| height > 0) else { return 0..0 };
        let last_top = count.saturating_sub(height);
        let top = self.top.min(selected).max((selected + 1).saturating_sub(height)).min(last_top);
        top..count.min(top + height)
    }
}

/// How a waterfall is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    /// Spans whose descendants are hidden.
    pub(crate) folded: HashSet<SpanId>,
    /// How often the time axis was halved.
    pub(crate) zoom: u32,
    /// Middle of the time axis, in parts of the trace's duration: 0 to 1.
    pub(crate) center: f64,
}

/// What the chart of a series shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChartMode {
    #[default]
    Value,
    /// Growth a second.
    Rate,
}

/// A line that is typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) purpose: Purpose,
    pub(crate) text: String,
    /// Byte offset of the cursor, at a character.
    pub(crate) cursor: usize,
    /// What is wrong with the text: byte offset, length and words.
    pub(crate) error: Option<(usize, usize, String)>,
    /// The filter in force before: Esc brings it back.
    pub(crate) before: String,
    /// The line of the history that is shown, counted from the newest; `None`: the typed one.
    pub(crate) recalled: Option<usize>,
    /// What was typed before the history was gone through.
    pub(crate) draft: String,
}

/// What a typed line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A filter, tried with each key.
    Filter,
    /// Text to be found in the rows.
    Find,
}

/// The help that is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Help {
    /// Only lines with this text.
    pub(crate) search: String,
    pub(crate) scroll: usize,
}

/// A place to come back to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bookmark {
    pub(crate) view: View,
    /// What it is about, for people.
    pub(crate) name: String,
    pub(crate) trace: Option<TraceId>,
    pub(crate) record: Option<RecordId>,
    /// The time cursor.
    pub(crate) until: Option<u64>,
}
