//! What `y` and `Y` copy.

use super::super::query::View;
use super::key::Action;
use super::state::App;
use crate::escape::Printable;
use crate::jsonl;
use crate::record::hex;

/// Bytes that terminals take at once; more they drop without a word.
const MAX_COPIED: usize = 70_000;

impl App {
    /// `y`: the id of the selected row, or the name of what has none.
    pub(super) fn copy_id(&mut self) -> Action {
        let Some(text) = self.id_of_selected() else {
            self.say("nothing to copy");
            return Action::Redraw;
        };
        self.copy(&text)
    }

    fn id_of_selected(&self) -> Option<String> {
        match self.query.view {
            View::Traces => self.selected_trace().map(|row| hex(&row.trace_id)),
            View::Waterfall => self.selected_span().map(|row| hex(&row.span.span_id)),
            View::Events => {
                let row = self.selected_event()?;
                (row.trace_id != [0; 16]).then(|| hex(&row.trace_id))
            }
            View::File => self.selected_file().map(|row| row.path.display().to_string()),
            View::Operations | View::Metrics => self.name_of_selected(),
        }
    }

    /// The name of the selected row.
    pub(super) fn name_of_selected(&self) -> Option<String> {
        let name = match self.query.view {
            View::Traces => &self.selected_trace()?.root.name,
            View::Waterfall => &self.selected_span()?.span.name,
            View::Events => &self.selected_event()?.event_name,
            View::Metrics => &self.selected_series()?.stream().name,
            View::Operations => &self.selected_operation()?.id.name,
            View::File => &self.selected_file()?.name,
        };
        Some(name.to_string())
    }

    /// `Y`: the record as JSON, as soon as the source has read it.
    pub(super) fn copy_json(&mut self) -> Action {
        let Some(record) = self.selected_record() else {
            self.say("there is no record to copy");
            return Action::Redraw;
        };
        self.memory.copying = Some(record);
        self.query.detail = Some(record);
        self.copy_what_came()
    }

    /// Copies the record that was asked for if it is there.
    pub(super) fn copy_what_came(&mut self) -> Action {
        let Some(wanted) = self.memory.copying else { return Action::Redraw };
        let snapshot = self.snapshot.clone();
        let Some(detail) = snapshot.detail.as_ref().filter(|detail| detail.id == wanted) else {
            return Action::Redraw;
        };
        self.memory.copying = None;
        let Some(record) = &detail.record else {
            self.say("the record was overwritten");
            return Action::Redraw;
        };
        let file = snapshot.files.iter().find(|file| file.id == wanted.file);
        self.copy(&jsonl::line(record.view(), file.map_or("", |file| &file.name)))
    }

    fn copy(&mut self, text: &str) -> Action {
        // What is pasted into a shell is no place for control characters either.
        let text = Printable(text).to_string();
        if text.len() > MAX_COPIED {
            self.say(format!("too long to copy: {} bytes", text.len()));
            return Action::Redraw;
        }
        let shown: String = text.chars().take(40).collect();
        self.say(format!("copied {shown}{}", if shown.len() < text.len() { "…" } else { "" }));
        Action::Copy(text)
    }
}
