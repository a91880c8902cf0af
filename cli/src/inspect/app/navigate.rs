//! From view to view and back: what Enter opens, what leads to a trace or to events, bookmarks.

use super::super::model::{RecordId, SpanId, TraceId};
use super::super::query::View;
use super::state::{App, Bookmark, List, Tree, ViewMemory};

/// The views of the number keys, in their order; Tab goes through them.
const TABS: [View; 4] = [View::Traces, View::Metrics, View::Events, View::File];

/// Views that Esc leads back through; older ones are forgotten.
const MAX_BEHIND: usize = 32;

/// Bookmarks that are kept.
const MAX_BOOKMARKS: usize = 100;

impl App {
    /// Says something until the next key.
    pub(super) fn say(&mut self, message: impl Into<String>) {
        self.message = Some(message.into());
    }

    /// Shows a view.
    fn show(&mut self, view: View) {
        let shown = ViewMemory { follow: self.follow, is_detail_open: self.is_detail_open };
        self.memory.views.insert(self.query.view, shown);
        let ViewMemory { follow, is_detail_open } =
            self.memory.views.get(&view).copied().unwrap_or_else(|| ViewMemory::first(view));
        (self.follow, self.is_detail_open) = (follow, is_detail_open);
        (self.is_detail_expanded, self.detail_scroll, self.link) = (false, 0, 0);
        self.query.view = view;
    }

    /// Shows a view of which Esc leads back.
    fn enter(&mut self, view: View) {
        self.behind.push(self.query.view);
        let excess = self.behind.len().saturating_sub(MAX_BEHIND);
        self.behind.drain(..excess);
        self.show(view);
    }

    /// Shows all of a view, as its number key does.
    pub(super) fn go_to(&mut self, view: View) {
        self.behind.clear();
        (self.query.operation, self.query.events_of) = (None, None);
        self.show(view);
    }

    /// Tab.
    pub(super) fn next_tab(&mut self, forward: bool) {
        let base = match self.query.view {
            View::Operations | View::Waterfall => View::Traces,
            view => view,
        };
        let index = TABS.iter().position(|view| *view == base).unwrap_or(0);
        let step = if forward { 1 } else { TABS.len() - 1 };
        if let Some(view) = TABS.get((index + step) % TABS.len()) {
            self.go_to(*view);
        }
    }

    /// Enter.
    pub(super) fn open(&mut self) {
        match self.query.view {
            View::Traces => {
                if let Some(id) = self.selected_trace().map(|row| row.trace_id) {
                    self.open_trace(id, None);
                }
            }
            View::Operations => {
                if let Some(id) = self.selected_operation().map(|row| row.id.clone()) {
                    self.enter(View::Traces);
                    self.query.operation = Some(id);
                    self.traces = List::default();
                }
            }
            View::Metrics | View::Events => self.toggle_pane(),
            View::File => self.toggle_file(),
            View::Waterfall => self.toggle_fold(),
        }
    }

    /// Shows a trace, at a span if one is given.
    fn open_trace(&mut self, trace: TraceId, span: Option<SpanId>) {
        if self.query.trace != Some(trace) {
            self.query.trace = Some(trace);
            self.tree = Tree { center: 0.5, ..Tree::default() };
            self.waterfall = List::default();
            self.memory.selected.span = None;
        }
        if span.is_some() {
            self.tree.folded.clear();
            self.memory.selected.span = span;
        }
        self.enter(View::Waterfall);
        self.lay_out_tree();
    }

    /// Only what is in the selected recording, or again all.
    fn toggle_file(&mut self) {
        let Some(id) = self.selected_file().map(|row| row.id) else { return };
        self.query.file = if self.query.file == Some(id) { None } else { Some(id) };
        let words =
            if self.query.file.is_some() { "this recording alone is shown" } else { "all recordings" };
        self.say(words);
    }

    pub(super) fn toggle_pane(&mut self) {
        self.is_detail_open = !self.is_detail_open;
        (self.is_detail_expanded, self.detail_scroll) = (false, 0);
    }

    /// `o`: opens the pane, expands it, shrinks it.
    pub(super) fn expand_pane(&mut self) {
        if self.is_detail_open {
            self.is_detail_expanded = !self.is_detail_expanded;
        } else {
            self.toggle_pane();
        }
    }

    /// Esc.
    pub(super) fn back(&mut self) {
        let opened = self.is_detail_open && !ViewMemory::first(self.query.view).is_detail_open;
        if self.is_detail_expanded {
            self.is_detail_expanded = false;
        } else if opened {
            self.toggle_pane();
        } else if let Some(view) = self.behind.pop() {
            match self.query.view {
                View::Traces => self.query.operation = None,
                View::Events => self.query.events_of = None,
                _ => {}
            }
            self.show(view);
            self.lay_out_tree();
        } else if self.query.operation.take().is_none() && self.query.events_of.take().is_none() {
            self.say("q quits");
        }
    }

    /// To the trace of an event, an exemplar or a lint.
    pub(super) fn go_to_trace(&mut self) {
        let (trace, span) = match self.query.view {
            View::Events => {
                self.selected_event().map_or(([0; 16], [0; 8]), |row| (row.trace_id, row.span_id))
            }
            View::Metrics => self.linked_exemplar(),
            _ => {
                let links = self.links();
                let link = links.get(self.link).or(links.last());
                (link.copied().unwrap_or_default(), [0; 8])
            }
        };
        if trace == [0; 16] {
            self.say("this belongs to no trace");
        } else {
            self.open_trace(trace, (span != [0; 8]).then_some(span));
        }
    }

    fn linked_exemplar(&self) -> (TraceId, SpanId) {
        let exemplars = self.chart().map_or(&[][..], |chart| &chart.exemplars);
        let exemplar = exemplars.get(self.link).or(exemplars.last());
        exemplar.map_or(([0; 16], [0; 8]), |exemplar| (exemplar.trace_id, exemplar.span_id))
    }

    /// Selects another exemplar or lint.
    pub(super) fn move_link(&mut self, forward: bool) {
        let count = self.links().len();
        if count == 0 {
            self.say("nothing here leads to a trace");
            return;
        }
        let link = self.link.min(count - 1);
        self.link = (link + if forward { 1 } else { count - 1 }) % count;
    }

    /// The events of the selected trace, from those of the selected span on.
    pub(super) fn go_to_events(&mut self) {
        let Some(trace) = self.selected_trace().map(|row| row.trace_id).or(self.shown_trace()) else {
            return;
        };
        let event = self.first_event_of_span();
        let of_span = self.selected_span().is_some();
        self.enter(View::Events);
        self.query.events_of = Some(trace);
        self.follow = false;
        (self.memory.selected.event, self.events) = (event, List::default());
        if of_span && event.is_none() {
            self.say("the span has no events; these are of its trace");
        }
    }

    fn shown_trace(&self) -> Option<TraceId> {
        self.query.trace.filter(|_| self.query.view == View::Waterfall)
    }

    fn first_event_of_span(&self) -> Option<RecordId> {
        let span = self.selected_span()?.span.span_id;
        let events = &self.waterfall()?.events;
        events.iter().find(|event| event.span_id == span).map(|event| event.id)
    }

    /// Takes away what hides rows: filter, text to find, restrictions.
    pub(super) fn clear(&mut self) {
        (self.query.filter, self.query.file) = (None, None);
        (self.query.operation, self.query.events_of) = (None, None);
        self.find.clear();
        self.say("all is shown");
    }

    /// Bookmarks what is shown, or takes the bookmark away.
    pub(super) fn toggle_bookmark(&mut self) {
        let view = self.query.view;
        let bookmark = Bookmark {
            view,
            name: self.selected_row().and_then(|_| self.name_of_selected()).unwrap_or_default(),
            trace: self.shown_trace().or(self.selected_trace().map(|row| row.trace_id)),
            record: self.selected_record(),
            until: self.query.until,
        };
        let same = |known: &Bookmark| Bookmark { name: String::new(), ..known.clone() };
        if let Some(index) = self.bookmarks.iter().position(|known| same(known) == same(&bookmark)) {
            self.bookmarks.remove(index);
            self.say("bookmark taken away");
        } else if self.bookmarks.len() >= MAX_BOOKMARKS {
            self.say("too many bookmarks");
        } else {
            self.bookmarks.push(bookmark);
            self.say(format!("bookmark {}: ' goes back to it", self.bookmarks.len()));
        }
    }

    /// Goes to the next bookmark.
    pub(super) fn next_bookmark(&mut self) {
        if self.bookmarks.is_empty() {
            self.say("no bookmarks: m makes one");
            return;
        }
        let index = self.memory.bookmark.map_or(0, |last| last.saturating_add(1)) % self.bookmarks.len();
        let Some(bookmark) = self.bookmarks.get(index).cloned() else { return };
        self.memory.bookmark = Some(index);
        self.go_to(View::Traces);
        self.query.until = bookmark.until;
        match (bookmark.view, bookmark.trace) {
            (View::Waterfall, Some(trace)) => self.open_trace(trace, None),
            (View::Traces, trace) => {
                self.memory.selected.trace = trace;
                self.follow = false;
            }
            (view, _) => self.go_to(view),
        }
        if bookmark.view != View::Traces && bookmark.record.is_some() {
            self.memory.going_to = bookmark.record;
            self.follow = false;
        }
        self.say(format!("bookmark {} of {}: {}", index + 1, self.bookmarks.len(), bookmark.name));
    }
}
