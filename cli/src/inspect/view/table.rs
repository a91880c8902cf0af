//! Lists as tables: columns fall away by priority where there is no room, and only visible rows are made.

use std::ops::Range;

use ratatui::layout::Rect;

use super::super::app::List;
use super::super::cells::shortened;
use super::pen::{Pen, Piece, fit, selected, shift, start};
use super::theme::{Role, Symbols};

/// A column.
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Fewest columns of the screen that it is of use with.
    pub(super) least: usize,
    /// Most that it takes.
    pub(super) most: usize,
    /// Columns with a smaller number stay longer.
    pub(super) priority: u8,
    /// Numbers stand right.
    pub(super) right: bool,
}

/// A column that is always `width` wide.
pub(super) const fn fixed(title: &'static str, width: usize, priority: u8) -> Column {
    Column { title, least: width, most: width, priority, right: false }
}

/// A column of numbers.
pub(super) const fn number(title: &'static str, width: usize, priority: u8) -> Column {
    Column { title, least: width, most: width, priority, right: true }
}

/// A column that takes the room there is.
pub(super) const fn flexible(title: &'static str, least: usize, most: usize, priority: u8) -> Column {
    Column { title, least, most, priority, right: false }
}

/// What stands in a row and a column.
pub(super) enum Cell {
    Text(String, Role),
    /// The first text, or the second where there is no room for the first.
    Shorter(String, String, Role),
    /// A part of the column is filled: 0 to 1.
    Bar(f64, Role),
    /// A sparkline of the newest values.
    Spark(Vec<f64>),
    /// A sparkline of all counts, neighbours added up where there is no room for each.
    Counts(Vec<u64>),
}

/// A row.
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    /// It has the text that is looked for.
    pub(super) is_found: bool,
    pub(super) is_bookmarked: bool,
}

/// What a table shows, its rows aside.
pub(super) struct Table<'a> {
    pub(super) columns: &'a [Column],
    /// The column by which the rows are sorted, largest first or not.
    pub(super) sorted: Option<(usize, bool)>,
    pub(super) list: List,
    pub(super) count: usize,
    /// Said when there are no rows.
    pub(super) nothing: &'a str,
}

/// A column and its width.
type Place = (usize, usize);

impl Table<'_> {
    /// Lines above the rows.
    pub(super) fn head_height(height: usize) -> usize {
        usize::from(height >= 3)
    }

    /// Draws it; `row` makes a row by its index.
    pub(super) fn draw(&self, pen: &mut Pen<'_>, area: Rect, row: impl Fn(usize) -> Row) {
        let height = usize::from(area.height);
        let head = Self::head_height(height);
        let places = self.places(usize::from(area.width).saturating_sub(1));
        if head > 0 {
            let title = self.title(&places, pen.theme.symbols);
            pen.text(area, 0, &title, Role::Head);
        }
        if self.count == 0 && height > 0 {
            let y = head.min(height.saturating_sub(1));
            pen.text(area, y, &format!(" {}", self.nothing), Role::Dim);
        }
        let selected = self.list.selected(self.count);
        for (y, index) in (head..).zip(self.window(height)) {
            self.row(pen, area, y, &places, &row(index), selected == Some(index));
        }
    }

    fn window(&self, height: usize) -> Range<usize> {
        self.list.window(self.count, height.saturating_sub(Self::head_height(height)))
    }

    /// The columns that are shown. Moved to the left, a table has all of them in full.
    fn places(&self, width: usize) -> Vec<Place> {
        let widest = self.columns.iter().map(|column| column.most.min(200) + 1).sum::<usize>();
        arrange(self.columns, if self.list.shift > 0 { widest.max(width) } else { width })
    }

    fn title(&self, places: &[Place], symbols: &Symbols) -> String {
        let mut titles = Vec::new();
        for (index, width) in places {
            let Some(column) = self.columns.get(*index) else { continue };
            let mark = match self.sorted {
                Some((sorted, descending)) if sorted == *index => {
                    if descending {
                        symbols.down
                    } else {
                        symbols.up
                    }
                }
                _ => "",
            };
            let (name, _) = start(column.title, width.saturating_sub(super::pen::width(mark)));
            let title = fit(&format!("{name}{mark}"), *width, column.right, symbols);
            titles.push((format!("{title} "), ratatui::style::Style::default()));
        }
        shift(&mut titles, self.list.shift);
        let titles: String = titles.into_iter().map(|(title, _)| title).collect();
        format!(" {}", titles.trim_end())
    }

    fn row(&self, pen: &mut Pen<'_>, area: Rect, y: usize, places: &[Place], row: &Row, is_selected: bool) {
        let symbols = pen.theme.symbols;
        let (mark, role) = match (is_selected, row.is_found, row.is_bookmarked) {
            (_, _, true) => (symbols.bookmark, Role::Key),
            (true, ..) => (symbols.selected, Role::Strong),
            (_, true, _) => (symbols.found, Role::Found),
            _ => (" ", Role::Text),
        };
        let mut pieces: Vec<Piece> = Vec::with_capacity(places.len() * 2);
        for (index, width) in places {
            if let Some((column, cell)) = self.columns.get(*index).zip(row.cells.get(*index)) {
                pieces.push(piece(cell, *width, column.right, pen));
                pieces.push((" ".to_owned(), pen.style(Role::Text)));
            }
        }
        shift(&mut pieces, self.list.shift);
        pieces.insert(0, (mark.to_owned(), pen.style(role)));
        pen.row(area, y, &pieces);
        if row.is_found {
            pen.paint(area, y, pen.style(Role::Found));
        }
        if is_selected {
            pen.paint(area, y, selected(pen.theme));
        }
    }
}

fn piece(cell: &Cell, width: usize, right: bool, pen: &Pen<'_>) -> Piece {
    let symbols = pen.theme.symbols;
    match cell {
        Cell::Text(text, role) => {
            let shorter =
                if right && super::pen::width(text) > width { shortened(text, width) } else { None };
            (fit(shorter.as_ref().unwrap_or(text), width, right, symbols), pen.style(*role))
        }
        Cell::Shorter(long, short, role) => {
            let text = if super::pen::width(long) > width { short } else { long };
            (fit(text, width, right, symbols), pen.style(*role))
        }
        Cell::Bar(share, role) => (bar(*share, width, symbols), pen.style(*role)),
        Cell::Spark(values) => (spark(values, width, symbols), pen.style(Role::Plot)),
        Cell::Counts(counts) => (spark(&added_up(counts, width), width, symbols), pen.style(Role::Plot)),
    }
}

/// Which columns are shown and how wide: those with the smallest numbers first, as long as they fit; what is left goes to
/// those that can use it, an equal part to each.
fn arrange(columns: &[Column], width: usize) -> Vec<Place> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|index| columns.get(*index).map_or(0, |column| column.priority));
    let mut left = width;
    let mut places: Vec<Place> = Vec::new();
    for index in order {
        let least = columns.get(index).map_or(0, |column| column.least);
        // The first one is there at any width.
        if places.is_empty() || least < left {
            places.push((index, least.min(width)));
            left = left.saturating_sub(least + 1);
        }
    }
    places.sort_unstable();
    spread(columns, &mut places, left);
    places
}

/// What is left over goes to names first, then to each column that has less than a word's length, then to all.
fn spread(columns: &[Column], places: &mut [Place], mut left: usize) {
    let of = |index: usize| columns.get(index).map_or((0, 0), |column| (column.priority, column.most));
    for (priorities, wanted) in [(0..=0, 32), (0..=u8::MAX, 16), (0..=u8::MAX, usize::MAX)] {
        for priority in priorities {
            let room = |(index, width): &Place| {
                let (found, most) = of(*index);
                if found == priority || wanted == usize::MAX {
                    most.min(wanted).saturating_sub(*width)
                } else {
                    0
                }
            };
            left = share_out(places, left, room);
            if left == 0 {
                return;
            }
            if wanted == usize::MAX {
                break;
            }
        }
    }
}

/// Gives columns equal parts of what is left, as far as each has room; gives the rest.
fn share_out(places: &mut [Place], mut left: usize, room: impl Fn(&Place) -> usize) -> usize {
    while left > 0 {
        let takers = places.iter().filter(|place| room(place) > 0).count();
        if takers == 0 {
            break;
        }
        let part = (left / takers).max(1);
        for place in places.iter_mut() {
            let more = room(place).min(part).min(left);
            place.1 += more;
            left -= more;
        }
    }
    left
}

/// A bar of which a part, 0 to 1, is filled; anything above nothing fills a column at least.
pub(super) fn bar(share: f64, width: usize, symbols: &Symbols) -> String {
    let full = columns_of(share, width).max(usize::from(share > 0.0)).min(width);
    format!("{}{}", symbols.full.repeat(full), " ".repeat(width - full))
}

/// So many columns of `width` as a share of them, 0 to 1, takes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and width; NaN gives 0"
)]
pub(super) fn columns_of(share: f64, width: usize) -> usize {
    ((share.clamp(0.0, 1.0) * as_f64(width)).round() as usize).min(width)
}

/// The nearest `f64`.
pub(super) fn as_f64(value: usize) -> f64 {
    super::super::cells::to_f64(value as u64)
}

/// Values as heights, from the smallest to the largest of them; the newest if there are too many, and a space for what is
/// no number. If all are the same the line is flat.
pub(super) fn spark(values: &[f64], width: usize, symbols: &Symbols) -> String {
    let shown = values.get(values.len().saturating_sub(width)..).unwrap_or_default();
    let finite = || shown.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let symbol = |value: &f64| {
        if !value.is_finite() {
            return " ";
        }
        symbols.heights.get(columns_of(share_of(*value, low, high), 7)).copied().unwrap_or(" ")
    };
    let mut text: String = shown.iter().map(symbol).collect();
    text.push_str(&" ".repeat(width.saturating_sub(shown.len())));
    text
}

/// Counts as no more than `width` sums of neighbours.
fn added_up(counts: &[u64], width: usize) -> Vec<f64> {
    let size = counts.len().div_ceil(width.max(1)).max(1);
    let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    counts.chunks(size).map(|counts| super::super::cells::to_f64(sum(counts))).collect()
}

/// Where a value stands between two others: 0 to 1; between equal ones at 0.
pub(super) fn share_of(value: f64, low: f64, high: f64) -> f64 {
    // Halves, since the distance of two finite numbers may be infinite.
    let range = high / 2.0 - low / 2.0;
    if range > 0.0 { ((value / 2.0 - low / 2.0) / range).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::theme::{Palette, Theme};
    use super::*;

    const COLUMNS: [Column; 4] = [
        fixed("start", 12, 1),
        number("duration", 6, 0),
        flexible("name", 10, 80, 0),
        flexible("service", 6, 16, 2),
    ];

    fn symbols() -> &'static Symbols {
        Theme::new(Palette::Dark, true).symbols
    }

    #[test]
    fn columns_fall_away_by_priority() {
        assert_eq!(arrange(&COLUMNS, 60), [(0, 12), (1, 6), (2, 32), (3, 6)]);
        assert_eq!(arrange(&COLUMNS, 70), [(0, 12), (1, 6), (2, 32), (3, 16)]);
        assert_eq!(arrange(&COLUMNS, 90), [(0, 12), (1, 6), (2, 52), (3, 16)]);
        assert_eq!(arrange(&COLUMNS, 34), [(0, 12), (1, 6), (2, 13)]);
        assert_eq!(arrange(&COLUMNS, 20), [(1, 6), (2, 12)]);
        assert_eq!(arrange(&COLUMNS, 5), [(1, 5)]);
        assert_eq!(arrange(&COLUMNS, 0), [(1, 0)]);
        assert_eq!(arrange(&[], 10), []);
    }

    #[test]
    fn sparklines() {
        assert_eq!(spark(&[0.0, 1.0, 2.0], 4, symbols()), "_=# ");
        assert_eq!(spark(&[5.0, 0.0, f64::NAN, 7.0], 3, symbols()), "_ #");
        assert_eq!(spark(&[f64::MIN, f64::MAX, f64::INFINITY], 3, symbols()), "_# ");
        assert_eq!(spark(&[1.0, 1.0], 2, symbols()), "__");
        assert_eq!(spark(&[], 2, symbols()), "  ");
        assert_eq!(added_up(&[1, 2, 3, u64::MAX, 1], 3), [3.0, 18_446_744_073_709_551_615.0, 1.0]);
    }

    #[test]
    fn bars() {
        assert_eq!(bar(0.5, 4, symbols()), "##  ");
        assert_eq!(bar(0.001, 4, symbols()), "#   ");
        assert_eq!(bar(0.0, 4, symbols()), "    ");
        assert_eq!(bar(f64::NAN, 4, symbols()), "    ");
        assert_eq!(bar(f64::INFINITY, 4, symbols()), "####");
        assert_eq!(bar(1.0, 0, symbols()), "");
    }
}
