//! Going to rows: with the text that is looked for, that pass the filter, that are errors.

use super::super::cells::row_text;
use super::super::query::View;
use super::state::App;

/// OTLP `SEVERITY_NUMBER_ERROR`.
const SEVERITY_ERROR: u32 = 17;

impl App {
    /// `n` and `N`.
    pub(super) fn next_hit(&mut self, forward: bool) {
        if !self.find.is_empty() {
            let text = format!("no row has \"{}\"", self.find);
            self.next_row(forward, App::has_text, &text);
        } else if self.query.filter.is_none() {
            self.say("nothing is looked for: f finds text, / filters");
        } else {
            self.next_row(forward, App::is_hit, "no other row passes the filter");
        }
    }

    /// `e` and `E`.
    pub(super) fn next_error(&mut self, forward: bool) {
        self.next_row(forward, App::is_error, "no errors here");
    }

    /// Goes to the first row with the text that is being typed, from the selected one on.
    pub(super) fn find_from_here(&mut self) {
        let Some(selected) = self.index_of_selected().filter(|_| !self.find.is_empty()) else { return };
        if !self.has_text(selected) {
            self.next_hit(true);
        }
    }

    /// Rows in which something is looked for: in a waterfall all spans, also those that a fold hides.
    fn searched_count(&self) -> usize {
        match (self.query.view, self.waterfall()) {
            (View::Waterfall, Some(waterfall)) => waterfall.spans.len(),
            _ => self.row_count(),
        }
    }

    fn index_of_selected(&self) -> Option<usize> {
        if self.query.view == View::Waterfall { self.selected_span_index() } else { self.selected_row() }
    }

    /// Selects the next row of a kind; behind the last one it goes on with the first.
    fn next_row(&mut self, forward: bool, is_it: fn(&App, usize) -> bool, none: &str) {
        let count = self.searched_count();
        let selected = self.index_of_selected().unwrap_or(0);
        let mut rows: Box<dyn Iterator<Item = usize>> = if forward {
            Box::new((selected.saturating_add(1)..count).chain(0..count.min(selected.saturating_add(1))))
        } else {
            Box::new((0..count.min(selected)).rev().chain((selected..count).rev()))
        };
        match rows.find(|row| is_it(self, *row)) {
            None => self.say(none),
            Some(row) => {
                let wrapped = if forward { row <= selected } else { row >= selected };
                self.go_to_row(row);
                if wrapped {
                    self.say(if forward { "again from the top" } else { "again from the bottom" });
                }
            }
        }
    }

    fn go_to_row(&mut self, row: usize) {
        let row = if self.query.view == View::Waterfall { self.reveal(row) } else { row };
        self.select(row);
        if self.can_follow() {
            self.follow = false;
        }
    }

    /// Whether a row has the text that is looked for.
    pub(crate) fn has_text(&self, row: usize) -> bool {
        !self.find.is_empty()
            && row_text(self.query.view, &self.snapshot, row)
                .is_some_and(|text| text.to_lowercase().contains(&self.find))
    }

    /// Whether a row passes the filter: rows of lists are there because they do.
    fn is_hit(&self, row: usize) -> bool {
        match (self.query.view, self.waterfall()) {
            (View::Waterfall, Some(waterfall)) => waterfall.spans.get(row).is_some_and(|row| row.span.hit),
            _ => true,
        }
    }

    /// Whether a row tells of something that went wrong.
    fn is_error(&self, row: usize) -> bool {
        let snapshot = &self.snapshot;
        match self.query.view {
            View::Traces => snapshot.traces.get(row).is_some_and(|row| row.error_count > 0),
            View::Operations => snapshot.operations.get(row).is_some_and(|row| row.error_count > 0),
            View::Events => snapshot.events.get(row).is_some_and(|row| row.severity_number >= SEVERITY_ERROR),
            View::File => snapshot.files.get(row).is_some_and(|row| row.fault_count > 0 || row.lost() > 0),
            View::Waterfall => {
                let waterfall = snapshot.waterfall.as_ref();
                waterfall
                    .and_then(|waterfall| waterfall.spans.get(row))
                    .is_some_and(|row| row.span.is_error())
            }
            View::Metrics => false,
        }
    }
}
