//! The time cursor.

use super::super::query::View;
use super::state::App;
use crate::time::known;

impl App {
    /// What the cursor moves over: the recording, in a waterfall the trace.
    fn cursor_range(&self) -> Option<(u64, u64)> {
        let of_trace = self.memory.trace_range.filter(|(id, ..)| self.query.trace == Some(*id));
        match of_trace.filter(|_| self.query.view == View::Waterfall) {
            Some((_, start, end)) => Some((start, end)),
            None => self.snapshot.range,
        }
    }

    /// Moves the cursor by hundredths of the range. Before the start of the range it stays there, behind its end it is
    /// now.
    pub(super) fn move_cursor(&mut self, hundredths: u64, forward: bool) {
        let Some((start, end)) = self.cursor_range() else {
            self.say("nothing is recorded yet");
            return;
        };
        let step = u128::from(end.saturating_sub(start)) * u128::from(hundredths) / 100;
        let step = u64::try_from(step).unwrap_or(u64::MAX).max(1);
        let at = self.query.until.map_or(end, |until| until.clamp(start, end.max(start)));
        if !forward {
            self.query.until = Some(at.saturating_sub(step).max(start));
        } else if self.query.until.is_none() {
            self.say("this is now");
        } else {
            self.query.until = Some(at.saturating_add(step)).filter(|until| *until < end);
        }
    }

    /// Moves the cursor to the time of the selected row.
    pub(super) fn cursor_here(&mut self) {
        let time = match self.query.view {
            View::Traces => self.selected_trace().map(|row| row.start),
            View::Waterfall => self.selected_span().map(|row| row.span.start),
            View::Events => self.selected_event().map(|row| row.time),
            View::Metrics => self.selected_series().map(|row| row.series.time_unix_nano),
            View::Operations | View::File => None,
        };
        match time.and_then(known) {
            Some(time) => self.query.until = Some(time),
            None => self.say("this has no time"),
        }
    }
}
