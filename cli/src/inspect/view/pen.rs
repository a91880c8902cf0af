//! Text in columns: measured, cut, wrapped and put on the screen, never outside of an area.
//!
//! A column is a cell of the terminal. What is measured here is what ratatui draws: by grapheme, control characters left
//! out.

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use super::theme::{Role, Symbols, Theme};

/// A piece of text with its style.
pub(super) type Piece = (String, Style);

/// A line that is not yet wrapped.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// Columns to the left of it, and of what it is continued in.
    pub(super) indent: usize,
    pub(super) parts: Vec<(String, Role)>,
}

impl Line {
    pub(super) fn new(indent: usize, parts: Vec<(String, Role)>) -> Self {
        Self { indent, parts }
    }

    /// A title.
    pub(super) fn title(text: impl Into<String>) -> Self {
        Self::new(0, vec![(text.into(), Role::Head)])
    }

    /// Name and value.
    pub(super) fn pair(indent: usize, name: &str, value: impl Into<String>, role: Role) -> Self {
        Self::new(indent, vec![(format!("{name}: "), Role::Name), (value.into(), role)])
    }
}

/// Graphemes with the columns they take.
fn graphemes(text: &str) -> Vec<(&str, usize)> {
    let span = Span::raw(text);
    let symbols: Vec<(usize, usize)> = span
        .styled_graphemes(Style::default())
        .map(|grapheme| (grapheme.symbol.len(), usize::from(grapheme.symbol.cell_width())))
        .collect();
    let mut rest = text;
    let mut pieces = Vec::with_capacity(symbols.len());
    for (length, width) in symbols {
        let Some((symbol, tail)) = rest.split_at_checked(length) else { break };
        pieces.push((symbol, width));
        rest = tail;
    }
    pieces
}

/// Printable ASCII: a column a byte.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}

/// Columns of a text.
pub(super) fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { graphemes(text).iter().map(|(_, width)| width).sum() }
}

/// The start of a text that is at most so wide, and its width.
pub(super) fn start(text: &str, most: usize) -> (&str, usize) {
    if is_plain(text) {
        let end = text.len().min(most);
        return (text.get(..end).unwrap_or(text), end);
    }
    let (mut length, mut columns) = (0_usize, 0_usize);
    for (symbol, width) in graphemes(text) {
        if columns + width > most {
            break;
        }
        length += symbol.len();
        columns += width;
    }
    (text.get(..length).unwrap_or(text), columns)
}

/// A text in exactly so many columns: cut, with a mark that it goes on, or filled up.
pub(super) fn fit(text: &str, columns: usize, right: bool, symbols: &Symbols) -> String {
    let whole = width(text);
    if whole > columns {
        let (cut, width) = start(text, columns.saturating_sub(1));
        let more = if columns > 0 { symbols.more } else { "" };
        return format!("{cut}{more}{}", " ".repeat(columns.saturating_sub(width + 1)));
    }
    let space = " ".repeat(columns - whole);
    if right { format!("{space}{text}") } else { format!("{text}{space}") }
}

/// Takes so many columns away from the start of a row.
pub(super) fn shift(row: &mut [Piece], columns: usize) {
    let mut left = columns;
    for (text, _) in row.iter_mut().filter(|_| columns > 0) {
        let (gone, width) = start(text, left);
        let mut rest = text.get(gone.len()..).unwrap_or_default().to_owned();
        left = left.saturating_sub(width);
        if left > 0 && !rest.is_empty() {
            // A wide character stands across the edge.
            rest = rest.chars().skip(1).collect();
            rest.insert(0, ' ');
            left = 0;
        }
        *text = rest;
    }
}

/// Wraps lines at so many columns: between words if it can.
pub(super) fn wrap(lines: &[Line], columns: usize, theme: &Theme) -> Vec<Vec<Piece>> {
    lines.iter().flat_map(|line| wrap_line(line, columns.max(4), theme)).collect()
}

fn wrap_line(line: &Line, columns: usize, theme: &Theme) -> Vec<Vec<Piece>> {
    let indent = line.indent.min(columns / 2);
    let next_indent = (line.indent + 2).min(columns / 2);
    let symbols: Vec<(&str, usize, Role)> = line
        .parts
        .iter()
        .flat_map(|(text, role)| graphemes(text).into_iter().map(|(symbol, width)| (symbol, width, *role)))
        .collect();
    let mut rows = Vec::new();
    let mut rest = symbols.as_slice();
    loop {
        let indent = if rows.is_empty() { indent } else { next_indent };
        let (row, tail) = rest.split_at(row_length(rest, columns - indent));
        rows.push(row_pieces(row, indent, theme));
        rest = tail;
        if rest.is_empty() {
            return rows;
        }
    }
}

/// How many symbols go into a row: at least one.
fn row_length(symbols: &[(&str, usize, Role)], columns: usize) -> usize {
    let mut used = 0;
    let mut last_space = None;
    for (i, (symbol, width, _)) in symbols.iter().enumerate() {
        if used + width > columns {
            return last_space.filter(|at| *at > i / 2).unwrap_or(i).max(1);
        }
        used += width;
        if *symbol == " " {
            last_space = Some(i + 1);
        }
    }
    symbols.len()
}

fn row_pieces(symbols: &[(&str, usize, Role)], indent: usize, theme: &Theme) -> Vec<Piece> {
    let mut pieces = vec![(" ".repeat(indent), Style::default())];
    let mut last = None;
    for (symbol, _, role) in symbols {
        match pieces.last_mut().filter(|_| last == Some(*role)) {
            Some((text, _)) => text.push_str(symbol),
            None => pieces.push(((*symbol).to_owned(), theme.style(*role))),
        }
        last = Some(*role);
    }
    pieces
}

/// Draws with a theme.
pub(super) struct Pen<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: &'a Theme,
}

impl Pen<'_> {
    pub(super) fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Draws a text from column `x` of line `y` of an area on, cut at its end; gives the columns it took.
    pub(super) fn put(&mut self, area: Rect, x: usize, y: usize, text: &str, style: Style) -> usize {
        let Some((at, most)) = self.place(area, x, y) else { return 0 };
        let most = usize::from(most);
        if width(text) <= most {
            let (end, _) = self.buffer.set_stringn(at.0, at.1, text, most, style);
            return usize::from(end.saturating_sub(at.0));
        }
        let cut = fit(text, most, false, self.theme.symbols);
        self.buffer.set_stringn(at.0, at.1, cut, most, style);
        most
    }

    /// Where a column and a line of an area are on the screen, and the columns that are left there.
    fn place(&self, area: Rect, x: usize, y: usize) -> Option<((u16, u16), u16)> {
        let (x, y) = (u16::try_from(x).ok()?, u16::try_from(y).ok()?);
        let area = area.intersection(*self.buffer.area());
        if x >= area.width || y >= area.height {
            return None;
        }
        Some(((area.x + x, area.y + y), area.width - x))
    }

    /// Draws pieces one behind the other; gives the columns they took.
    pub(super) fn row(&mut self, area: Rect, y: usize, pieces: &[Piece]) -> usize {
        let mut x = 0;
        for (text, style) in pieces {
            x += self.put(area, x, y, text, *style);
        }
        x
    }

    /// Draws a text in a role.
    pub(super) fn text(&mut self, area: Rect, y: usize, text: &str, role: Role) -> usize {
        self.put(area, 0, y, text, self.style(role))
    }

    /// Changes the style of what stands on a line of an area.
    pub(super) fn paint(&mut self, area: Rect, y: usize, style: Style) {
        if let Some((at, width)) = self.place(area, 0, y) {
            self.buffer.set_style(Rect { x: at.0, y: at.1, width, height: 1 }, style);
        }
    }

    /// Clears an area.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(*self.buffer.area());
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
    }

    /// Draws a box with a title over whatever is there; gives its inside.
    pub(super) fn frame(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(*self.buffer.area());
        self.clear(area);
        let Some(inner_width) = usize::from(area.width).checked_sub(2).filter(|_| area.height >= 2) else {
            return Rect { height: 0, ..area };
        };
        let symbols = self.theme.symbols;
        let [top_left, top_right, bottom_left, bottom_right] = symbols.corners;
        let style = self.style(Role::Dim);
        let (last_x, last_y) = (inner_width + 1, usize::from(area.height) - 1);
        let line = symbols.horizontal.repeat(inner_width);
        self.put(area, 0, 0, &format!("{top_left}{line}{top_right}"), style);
        self.put(area, 0, last_y, &format!("{bottom_left}{line}{bottom_right}"), style);
        for y in 1..last_y {
            self.put(area, 0, y, symbols.vertical, style);
            self.put(area, last_x, y, symbols.vertical, style);
        }
        let inside = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 };
        let head = Rect { y: area.y, height: 1, ..inside };
        self.put(head, 1, 0, &format!(" {title} "), self.style(Role::Strong));
        inside
    }

    /// Draws a line across an area with a title in it.
    pub(super) fn rule(&mut self, area: Rect, y: usize, title: &str, right: &str) {
        let columns = usize::from(area.width);
        self.text(area, y, &self.theme.symbols.horizontal.repeat(columns), Role::Dim);
        self.put(area, 1, y, &format!(" {title} "), self.style(Role::Strong));
        let room = columns.saturating_sub(width(title) + 5);
        if !right.is_empty() && width(right) + 2 <= room {
            self.put(area, columns - width(right) - 3, y, &format!(" {right} "), self.style(Role::Dim));
        }
    }
}

/// The style of the selected row over another.
pub(super) fn selected(theme: &Theme) -> Style {
    Style::new().add_modifier(theme.style(Role::Selected).add_modifier | Modifier::REVERSED)
}

#[cfg(test)]
mod tests {
    use super::super::theme::Palette;
    use super::*;
    use proptest::prelude::*;

    fn theme() -> Theme {
        Theme::new(Palette::Dark, false)
    }

    #[test]
    fn cuts_between_characters() {
        let symbols = theme().symbols;
        assert_eq!(fit("name", 6, false, symbols), "name  ");
        assert_eq!(fit("name", 6, true, symbols), "  name");
        assert_eq!(fit("long name", 6, false, symbols), "long …");
        // The third character would stand across the edge.
        assert_eq!(fit("日本語", 5, false, symbols), "日本…");
        assert_eq!(fit("日本語", 4, false, symbols), "日… ");
        assert_eq!(fit("x", 0, false, symbols), "");
    }

    #[test]
    fn shifts_rows() {
        let style = Style::default();
        let mut row = vec![("ab".to_owned(), style), ("日本".to_owned(), style)];
        shift(&mut row, 3);
        assert_eq!(row, [(String::new(), style), (" 本".to_owned(), style)]);
    }

    #[test]
    fn wraps_between_words_and_inside_of_long_ones() {
        let wrapped = |text: &str, columns| -> Vec<String> {
            let rows = wrap(&[Line::new(0, vec![(text.to_owned(), Role::Text)])], columns, &theme());
            rows.iter().map(|row| row.iter().map(|(text, _)| text.as_str()).collect()).collect()
        };
        assert_eq!(wrapped("one two three", 9), ["one two ", "  three"]);
        assert_eq!(wrapped("abcdefghij", 6), ["abcdef", "  ghij"]);
        assert_eq!(wrapped("", 6), [""]);
    }

    proptest! {
        #[test]
        fn fits_whatever_it_is(text in any::<String>(), columns in 0..40_usize, right in any::<bool>()) {
            let text = crate::escape::Printable(&text).to_string();
            prop_assert_eq!(width(&fit(&text, columns, right, theme().symbols)), columns);
        }

        #[test]
        fn wrapped_rows_fit(text in any::<String>(), indent in 0..100_usize, columns in 6..40_usize) {
            let text = crate::escape::Printable(&text).to_string();
            let line = Line::new(indent, vec![(text, Role::Text)]);
            for row in wrap(&[line], columns, &theme()) {
                let used: usize = row.iter().map(|(text, _)| width(text)).sum();
                prop_assert!(used <= columns);
            }
        }
    }
}
