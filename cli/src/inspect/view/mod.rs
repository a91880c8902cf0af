//! Draws the state of the viewer, and changes nothing.
//!
//! Work is proportional to what is in sight. Every text of a recording passes `Printable` on its way, in `cells` or here;
//! nothing is drawn outside of the screen, which may have no cell at all.

mod chart;
mod chrome;
mod detail;
mod layout;
mod lists;
mod overlays;
mod pen;
mod print;
mod recording;
mod table;
mod theme;
mod waterfall;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use self::layout::Layout;
use self::pen::{Line, Pen};
pub(crate) use self::print::text;
pub(crate) use self::theme::{Palette, Theme};
use super::app::{App, Mouse};
use super::query::View;

/// Draws the screen.
pub(crate) fn draw(app: &App, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let layout = Layout::new(app, area);
    let mut pen = Pen { buffer: frame.buffer_mut(), theme };
    chrome::draw_tabs(&mut pen, layout.tabs, app);
    draw_list(&mut pen, layout.list, app);
    draw_pane(&mut pen, &layout, app);
    let body = Rect {
        y: layout.tabs.bottom(),
        height: layout.status.y.saturating_sub(layout.tabs.bottom()),
        ..area
    };
    if let Some(line) = app.sort_menu {
        overlays::draw_menu(&mut pen, body, app, line);
    }
    if let Some(help) = &app.help {
        overlays::draw_help(&mut pen, body, app, help);
    }
    chrome::draw_status(&mut pen, layout.status, app);
    if let Some((x, y)) = chrome::draw_foot(&mut pen, layout.foot, app) {
        frame.set_cursor_position(Position { x, y });
    }
}

/// Rows of the list that fit on the screen: a page.
pub(crate) fn page(app: &App) -> usize {
    Layout::new(app, screen(app)).page()
}

/// What a click at a column and a line is on; `None`: nothing that takes it.
pub(crate) fn hit(app: &App, column: u16, line: u16) -> Option<Mouse> {
    let layout = Layout::new(app, screen(app));
    let at = Position { x: column, y: line };
    if layout.tabs.contains(at) {
        return chrome::tab_at(app, layout.tabs.width, column).map(Mouse::View);
    }
    if layout.list.contains(at) {
        return lists::row_at(app, layout.list.height, line - layout.list.y).map(Mouse::Row);
    }
    None
}

/// The furthest that the pane can be scrolled, in lines.
pub(crate) fn detail_end(app: &App) -> usize {
    // Symbols and styles of any theme take the same columns.
    let theme = Theme::new(Palette::Mono, true);
    let (area, _, lines) = pane(app, &theme, &Layout::new(app, screen(app)));
    pen::wrap(&lines, usize::from(area.width), &theme).len().saturating_sub(usize::from(area.height))
}

fn screen(app: &App) -> Rect {
    Rect { x: 0, y: 0, width: app.size.0, height: app.size.1 }
}

fn draw_list(pen: &mut Pen<'_>, area: Rect, app: &App) {
    match app.query.view {
        View::Traces => lists::draw_traces(pen, area, app),
        View::Operations => lists::draw_operations(pen, area, app),
        View::Waterfall => waterfall::draw(pen, area, app),
        View::Metrics => lists::draw_metrics(pen, area, app),
        View::Events => lists::draw_events(pen, area, app),
        View::File => lists::draw_files(pen, area, app),
    }
}

/// Where the lines of the pane go, its title, and the lines.
fn pane(app: &App, theme: &Theme, layout: &Layout) -> (Rect, String, Vec<Line>) {
    let area = inside(layout);
    match (app.query.view, app.chart()) {
        (View::Metrics, Some(chart)) => {
            let height = chart::height(area.height);
            let below = Rect { y: area.y.saturating_add(height), height: area.height - height, ..area };
            (below, chart::title(app, chart), chart::lines(app, chart))
        }
        (View::Metrics, None) => {
            let text = if app.query.series.is_some() { "reading ..." } else { "no series is selected" };
            (area, "Chart".to_owned(), vec![Line::new(0, vec![(text.to_owned(), theme::Role::Dim)])])
        }
        (View::File, _) => (area, "Recording".to_owned(), recording::lines(app, theme)),
        _ => (area, "Details".to_owned(), detail::lines(app)),
    }
}

/// The pane without the line that parts it from the list.
fn inside(layout: &Layout) -> Rect {
    let pane = layout.pane;
    let left = u16::from(layout.is_beside).min(pane.width);
    let top = u16::from(pane.height > 0);
    Rect {
        x: pane.x.saturating_add(left),
        y: pane.y.saturating_add(top),
        width: pane.width - left,
        height: pane.height - top,
    }
}

fn draw_pane(pen: &mut Pen<'_>, layout: &Layout, app: &App) {
    if layout.pane.is_empty() {
        return;
    }
    let theme = pen.theme;
    let (area, title, lines) = pane(app, theme, layout);
    if layout.is_beside {
        let style = pen.style(theme::Role::Dim);
        for y in 0..usize::from(layout.pane.height) {
            pen.put(layout.pane, 0, y, theme.symbols.vertical, style);
        }
    }
    if let Some(chart) = app.chart().filter(|_| app.query.view == View::Metrics) {
        chart::draw(pen, inside(layout), app, chart);
    }
    let rows = pen::wrap(&lines, usize::from(area.width), theme);
    let height = usize::from(area.height);
    let top = app.detail_scroll.min(rows.len().saturating_sub(height));
    for (y, row) in rows.iter().skip(top).take(height).enumerate() {
        pen.row(area, y, row);
    }
    let end = (top + height).min(rows.len());
    let scroll = if height > 0 && (end < rows.len() || top > 0) {
        format!("{end}/{}", rows.len())
    } else {
        String::new()
    };
    let rule = Rect { x: inside(layout).x, width: inside(layout).width, ..layout.pane };
    pen.rule(rule, 0, &title, &scroll);
}
