//! The state of the viewer: what is selected, folded, typed. `update` changes it, `view` draws it.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::model::{RecordId, Snapshot, SpanId, TraceId};
use super::super::query::{Query, View};

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
    /// The pane beside or below the list is shown.
    pub(crate) is_detail_open: bool,
    /// It takes the whole screen.
    pub(crate) is_detail_expanded: bool,
    /// First line of the detail pane that is shown.
    pub(crate) detail_scroll: usize,
    pub(crate) chart: ChartMode,
    /// New rows at the end stay in sight: of events, and of traces sorted by start.
    pub(crate) follow: bool,
    /// What is shown does not change; see `newest`.
    pub(crate) is_paused: bool,
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
    /// The source is gone, and why.
    pub(crate) failure: Option<String>,
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
