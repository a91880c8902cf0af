//! The waterfall: the tree of a trace's spans at the left, their bars on a time axis at the right.
//!
//! Only the spans in sight are looked at; of the events, each once a frame if one of those spans has any.

use ratatui::layout::Rect;

use super::super::app::App;
use super::super::cells::{State, safe, short_duration, state, to_f64};
use super::super::model::{SpanId, Waterfall, WaterfallSpan};
use super::lists::is_found;
use super::pen::{Pen, fit, selected, width};
use super::table::{Table, as_f64};
use super::theme::Role;
use crate::record::RecordView;

/// Where things of a row are: column and width, 0 if it is not shown.
struct Columns {
    tree: (usize, usize),
    service: (usize, usize),
    duration: (usize, usize),
    self_time: (usize, usize),
    bars: (usize, usize),
}

impl Columns {
    fn new(width: usize) -> Self {
        let tree = (width * 2 / 5).clamp(16, 60).min(width.saturating_sub(1));
        let mut x = 1 + tree + 1;
        let mut column = |columns: usize, is_shown: bool| {
            if !is_shown {
                return (x, 0);
            }
            x += columns + 1;
            (x - columns - 1, columns)
        };
        let service = column(12, width >= 110);
        let duration = column(6, width >= 32);
        let self_time = column(6, width >= 64);
        Self { tree: (1, tree), service, duration, self_time, bars: (x, width.saturating_sub(x)) }
    }
}

/// The part of the trace's time that is shown, in nanoseconds after its start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    from: f64,
    range: f64,
    columns: usize,
}

impl Axis {
    fn new(app: &App, tree: &Waterfall, columns: usize) -> Self {
        let total = to_f64(tree.end.saturating_sub(tree.start)).max(1.0);
        let (from, to) = app.tree.window();
        Self { from: from * total, range: (to - from) * total, columns }
    }

    /// The column of a time after the start, with parts of it; may be outside.
    fn column(&self, offset: f64) -> f64 {
        (offset - self.from) / self.range * as_f64(self.columns)
    }
}

/// A number of columns from 0 to `most`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and most; NaN gives 0"
)]
fn whole(value: f64, most: usize) -> usize {
    (value.clamp(0.0, as_f64(most)) as usize).min(most)
}

pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let Some(tree) = app.snapshot.waterfall.as_deref() else {
        let text =
            if app.query.trace.is_some() { " this trace is not in the recordings" } else { " no trace" };
        pen.text(area, 0, text, Role::Dim);
        return;
    };
    let columns = Columns::new(usize::from(area.width));
    let axis = Axis::new(app, tree, columns.bars.1);
    let height = usize::from(area.height);
    let head = Table::head_height(height);
    if head > 0 {
        draw_head(pen, area, app, tree, &columns, &axis);
    }
    let window = app.waterfall.window(app.row_count(), height.saturating_sub(head));
    let chosen = app.waterfall.selected(app.row_count());
    let shown = app.visible.get(window.clone()).unwrap_or_default();
    let spans: Vec<(usize, &WaterfallSpan)> =
        shown.iter().filter_map(|index| Some((*index, tree.spans.get(*index)?))).collect();
    let ticks = ticks(app, tree, &spans);
    for ((y, number), (index, span)) in (head..).zip(window).zip(spans) {
        let row = SpanLine { span, axis, start: tree.start, ticks: &ticks };
        row.draw(pen, area, y, app, &columns);
        let found = is_found(app, index);
        if found {
            pen.paint(area, y, pen.style(Role::Found));
        }
        mark(pen, area, y, app, span, found, chosen == Some(number));
    }
}

/// What stands before a row, and how it looks when it is selected.
fn mark(
    pen: &mut Pen<'_>,
    area: Rect,
    y: usize,
    app: &App,
    span: &WaterfallSpan,
    found: bool,
    is_selected: bool,
) {
    let symbols = pen.theme.symbols;
    let (mark, role) = match () {
        () if app.bookmarks.iter().any(|mark| mark.record == Some(span.span.id)) => {
            (symbols.bookmark, Role::Key)
        }
        () if is_selected => (symbols.selected, Role::Strong),
        () if found => (symbols.found, Role::Found),
        () => (" ", Role::Text),
    };
    pen.text(area, y, mark, role);
    if is_selected {
        pen.paint(area, y, selected(pen.theme));
    }
}

/// Titles and the time axis.
fn draw_head(pen: &mut Pen<'_>, area: Rect, app: &App, tree: &Waterfall, columns: &Columns, axis: &Axis) {
    let style = pen.style(Role::Head);
    let title = match tree.spans.len() {
        1 => "1 span".to_owned(),
        count => format!("{count} spans"),
    };
    pen.put(area, columns.tree.0, 0, &fit(&title, columns.tree.1, false, pen.theme.symbols), style);
    for (title, (x, width), right) in [
        ("service", columns.service, false),
        ("time", columns.duration, true),
        ("self", columns.self_time, true),
    ] {
        if width > 0 {
            pen.put(area, x, 0, &fit(title, width, right, pen.theme.symbols), style);
        }
    }
    let zoom = if app.tree.zoom > 0 { format!(" x2^{}", app.tree.zoom) } else { String::new() };
    let end = format!("{}{zoom}", short_duration(nanos(axis.from + axis.range)));
    let room = axis.columns.saturating_sub(width(&end) + 1);
    let parts = (axis.columns / 16).clamp(1, 8);
    for part in 0..parts {
        let share = as_f64(part) / as_f64(parts);
        let label = format!(
            "{}{}",
            pen.theme.symbols.vertical,
            short_duration(nanos(axis.from + axis.range * share))
        );
        let x = axis.columns * part / parts;
        if part == 0 || x + width(&label) < room {
            pen.put(area, columns.bars.0 + x, 0, &label, pen.style(Role::Dim));
        }
    }
    if axis.columns >= width(&end) + 8 {
        pen.put(area, columns.bars.0 + room + 1, 0, &end, pen.style(Role::Dim));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and NaN gives 0")]
fn nanos(value: f64) -> u64 {
    value as u64
}

/// Times at which something happened in the spans in sight: events of the recordings, and the span events of the span
/// whose details are there.
fn ticks(app: &App, tree: &Waterfall, spans: &[(usize, &WaterfallSpan)]) -> Vec<(SpanId, u64)> {
    let mut ticks = Vec::new();
    if spans.iter().any(|(_, span)| span.event_count > 0) {
        let shown: std::collections::HashSet<SpanId> =
            spans.iter().map(|(_, span)| span.span.span_id).collect();
        let events = tree.events.iter().filter(|event| shown.contains(&event.span_id));
        ticks.extend(events.map(|event| (event.span_id, event.time)));
    }
    let record = app.detail().and_then(|detail| detail.record.as_ref());
    if let Some(RecordView::Span(span)) = record.map(crate::record::OwnedRecord::view) {
        ticks.extend(span.events.iter().map(|event| (span.span_id, event.time_unix_nano)));
    }
    ticks
}

/// A row.
struct SpanLine<'a> {
    span: &'a WaterfallSpan,
    axis: Axis,
    /// Start of the trace.
    start: u64,
    ticks: &'a [(SpanId, u64)],
}

impl SpanLine<'_> {
    fn draw(&self, pen: &mut Pen<'_>, area: Rect, y: usize, app: &App, columns: &Columns) {
        let row = self.span;
        let state = state(&row.span, &app.snapshot.files);
        let role = self.role(state);
        let is_passed_over = app.query.filter.is_some() && !row.span.hit;
        let name_role = match role {
            Role::Bar | Role::Critical if is_passed_over => Role::Dim,
            Role::Bar | Role::Critical => Role::Text,
            role => role,
        };
        let symbols = pen.theme.symbols;
        let name = fit(&self.name(app, state, pen, columns.tree.1), columns.tree.1, false, symbols);
        pen.put(area, columns.tree.0, y, &name, pen.style(name_role));
        let duration = row.span.duration(app.snapshot.until);
        for (text, (x, width), right, role) in [
            (safe(&row.span.service), columns.service, false, Role::Name),
            (short_duration(duration), columns.duration, true, name_role),
            (short_duration(row.self_time), columns.self_time, true, Role::Dim),
        ] {
            if width > 0 {
                pen.put(area, x, y, &fit(&text, width, right, symbols), pen.style(role));
            }
        }
        let bars = Rect {
            x: area.x.saturating_add(u16::try_from(columns.bars.0).unwrap_or(u16::MAX)),
            width: u16::try_from(columns.bars.1).unwrap_or(0),
            ..area
        };
        self.bar(pen, bars, y, app.snapshot.until, state, role);
    }

    fn role(&self, state: State) -> Role {
        match state {
            State::Died => Role::Died,
            _ if self.span.span.is_error() => Role::Error,
            State::InFlight => Role::Flight,
            State::Ended if self.span.is_critical => Role::Critical,
            State::Ended => Role::Bar,
        }
    }

    /// Indented by depth, as far as there is room, with marks before the name.
    fn name(&self, app: &App, state: State, pen: &Pen<'_>, columns: usize) -> String {
        let (row, symbols) = (self.span, pen.theme.symbols);
        let most = columns / 2;
        let indent = if row.depth <= most {
            " ".repeat(row.depth)
        } else {
            let depth = format!("{}{} ", symbols.more, row.depth);
            format!("{}{depth}", " ".repeat(most.saturating_sub(width(&depth))))
        };
        let is_folded = row.descendants > 0 && app.tree.folded.contains(&row.span.span_id);
        let fold = match (row.descendants, is_folded) {
            (0, _) => " ",
            (_, true) => symbols.folded,
            (_, false) => symbols.open,
        };
        let mut marks = String::new();
        for (is_set, mark) in [
            (row.is_orphan, symbols.orphan),
            (row.span.is_error(), symbols.error),
            (state == State::InFlight, symbols.flight),
            (state == State::Died, symbols.died),
        ] {
            if is_set {
                marks.push_str(mark);
            }
        }
        let hidden = if is_folded { format!("(+{}) ", row.descendants) } else { String::new() };
        format!("{indent}{fold}{marks}{hidden}{}", safe(&row.span.name))
    }

    fn bar(&self, pen: &mut Pen<'_>, area: Rect, y: usize, until: u64, state: State, role: Role) {
        let columns = self.axis.columns;
        let span = &self.span.span;
        let offset = |time: u64| to_f64(time.saturating_sub(self.start));
        let end = span.start.saturating_add(span.duration(until));
        let (from, to) = (self.axis.column(offset(span.start)), self.axis.column(offset(end)));
        let style = pen.style(role);
        let symbols = pen.theme.symbols;
        if columns == 0 {
            return;
        }
        // Out of the part that is shown: where to look for it.
        if to < 0.0 || from > as_f64(columns) {
            let (x, mark) = if to < 0.0 { (0, "<") } else { (columns - 1, ">") };
            pen.put(area, x, y, mark, pen.style(Role::Dim));
            return;
        }
        let first = whole(from.floor(), columns - 1);
        let last = whole(to.ceil() - 1.0, columns - 1).max(first);
        let symbol = match role {
            _ if to - from < 0.5 => symbols.short,
            _ if self.span.is_critical => symbols.critical,
            _ => symbols.bar,
        };
        pen.put(area, first, y, &symbol.repeat(last - first + 1), style);
        for (_, time) in self.ticks.iter().filter(|(id, _)| *id == span.span_id) {
            let x = self.axis.column(offset(*time));
            if x >= 0.0 && x < as_f64(columns) {
                pen.put(area, whole(x, columns - 1), y, symbols.tick, pen.style(Role::Key));
            }
        }
        let mark = match state {
            State::Died => symbols.died,
            State::InFlight => symbols.flight,
            State::Ended if span.is_error() => symbols.error,
            State::Ended => return,
        };
        pen.put(area, (last + 1).min(columns - 1), y, mark, style);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::app::Options;
    use super::super::super::samples;
    use super::*;

    fn axis(zoom: u32, center: f64) -> Axis {
        let mut app = App::new((80, 24), Options::default());
        app.tree.zoom = zoom;
        app.tree.center = center;
        let snapshot = samples::waterfall();
        Axis::new(&app, snapshot.waterfall.as_ref().unwrap(), 75)
    }

    #[test]
    fn the_axis_covers_the_trace() {
        let axis = axis(0, 0.5);
        assert!((axis.column(0.0) - 0.0).abs() < 1e-9);
        assert!((axis.column(75e6) - 75.0).abs() < 1e-9);
    }

    #[test]
    fn zoom_stays_inside_of_the_trace() {
        assert!((axis(1, 0.0).from - 0.0).abs() < 1e-3);
        assert!((axis(1, 1.0).from - 37.5e6).abs() < 1e-3);
        assert!((axis(1, 0.5).from - 18.75e6).abs() < 1e-3);
        let hostile = axis(u32::MAX, f64::NAN);
        assert!(hostile.range > 0.0 && hostile.from.is_finite());
    }
}
