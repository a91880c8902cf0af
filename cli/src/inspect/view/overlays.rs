//! What lies over the body: the help, and the menu of orders.

use ratatui::layout::Rect;

use super::super::app::help::{self, HelpLine, Mark};
use super::super::app::{App, Help, sort};
use super::pen::{Pen, Piece, fit, selected, width};
use super::theme::{Role, Symbols};
use crate::escape::Printable;

/// Columns from which the help stands in two columns.
const TWO_COLUMNS: u16 = 110;

/// Columns of the names of keys.
const KEYS: usize = 18;

/// An area in the middle of another, no larger than that.
fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

pub(super) fn draw_help(pen: &mut Pen<'_>, area: Rect, app: &App, help: &Help) {
    let two = area.width >= TWO_COLUMNS;
    let area = middle(area, if two { 150 } else { 90 }, area.height);
    let search = if help.search.is_empty() {
        "type to search".to_owned()
    } else {
        Printable(&help.search).to_string()
    };
    let inside = pen.frame(area, &format!("Help: {search}"));
    let lines = help::lines(app, &help.search);
    if lines.is_empty() {
        pen.text(inside, 0, "nothing found", Role::Dim);
    }
    let height = usize::from(inside.height);
    let columns: u16 = if two { 2 } else { 1 };
    let per_page = height * usize::from(columns);
    let top = help.scroll.min(lines.len().saturating_sub(per_page));
    let column_width = inside.width / columns;
    for (index, line) in lines.iter().skip(top).take(per_page).enumerate() {
        let column = u16::try_from(index.checked_div(height).unwrap_or(0)).unwrap_or(0);
        let x = inside.x.saturating_add(column_width.saturating_mul(column));
        let place = Rect { x, width: column_width, ..inside };
        draw_help_line(pen, place, index.checked_rem(height).unwrap_or(0), line);
    }
    let end = (top + per_page).min(lines.len());
    if end < lines.len() || top > 0 {
        let text = format!(" {}-{end} of {} ", top + 1, lines.len());
        let foot = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
        let x = usize::from(area.width).saturating_sub(width(&text) + 2);
        pen.put(foot, x, 0, &text, pen.style(Role::Dim));
    }
}

fn draw_help_line(pen: &mut Pen<'_>, area: Rect, y: usize, line: &HelpLine) {
    match line {
        HelpLine::Title(title) => {
            pen.text(area, y, title, Role::Head);
        }
        HelpLine::Keys(keys, words) => draw_explained(pen, area, y, (keys, Role::Key), words),
        HelpLine::Mark(mark, words) => {
            let (symbol, role) = symbol(*mark, pen.theme.symbols);
            draw_explained(pen, area, y, (symbol, role), words);
        }
    }
}

fn draw_explained(pen: &mut Pen<'_>, area: Rect, y: usize, (what, role): (&str, Role), words: &str) {
    let room = usize::from(area.width);
    // Names that are too long for their column push the words away.
    let columns = KEYS.min(room / 3).max(width(what).min(room));
    let pieces: Vec<Piece> = vec![
        (" ".to_owned(), pen.style(Role::Text)),
        (fit(what, columns, false, pen.theme.symbols), pen.style(role)),
        (format!(" {words} "), pen.style(Role::Text)),
    ];
    let inner = Rect { width: area.width.saturating_sub(1), ..area };
    pen.row(inner, y, &pieces);
}

fn symbol(mark: Mark, symbols: &Symbols) -> (&'static str, Role) {
    match mark {
        Mark::CriticalBar => (symbols.critical, Role::Critical),
        Mark::Bar => (symbols.bar, Role::Bar),
        Mark::Event => (symbols.tick, Role::Key),
        Mark::Error => (symbols.error, Role::Error),
        Mark::InFlight => (symbols.flight, Role::Flight),
        Mark::Died => (symbols.died, Role::Died),
        Mark::Orphan => (symbols.orphan, Role::Warning),
        Mark::Found => (symbols.found, Role::Found),
        Mark::Bookmark => (symbols.bookmark, Role::Key),
        Mark::Mean => ("~", Role::Text),
    }
}

pub(super) fn draw_menu(pen: &mut Pen<'_>, area: Rect, app: &App, line: usize) {
    let names = sort::names(app.query.view);
    let present = sort::present(&app.query);
    let height = u16::try_from(names.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inside = pen.frame(middle(area, 32, height), "Order by");
    let symbols = pen.theme.symbols;
    let line = line.min(names.len().saturating_sub(1));
    // On a low screen the selected line is in sight.
    let top = (line + 1).saturating_sub(usize::from(inside.height));
    for (y, (index, name)) in names.iter().enumerate().skip(top).take(usize::from(inside.height)).enumerate()
    {
        let arrow = match present {
            Some((chosen, true)) if chosen == index => format!("{} largest first", symbols.down),
            Some((chosen, false)) if chosen == index => format!("{} smallest first", symbols.up),
            _ => String::new(),
        };
        let mark = if index == line { symbols.selected } else { " " };
        pen.text(inside, y, &format!("{mark}{name:<9}{arrow}"), Role::Text);
        if index == line {
            pen.paint(inside, y, selected(pen.theme));
        }
    }
}
