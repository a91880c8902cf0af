//! A drawn screen as text, for pipes, tests and the last screen that stays in a terminal.

use ratatui::buffer::{Buffer, CellWidth};

/// The lines of a screen without spaces at their ends, each with a line end.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for line in lines(buffer) {
        let line: String = line.iter().map(|(_, cell)| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The cells of each line with their columns, without those that a wide character hides.
pub(super) fn lines(buffer: &Buffer) -> impl Iterator<Item = Vec<(u16, &ratatui::buffer::Cell)>> {
    let area = *buffer.area();
    (area.top()..area.bottom()).map(move |y| {
        let mut next = area.left();
        let cells = (area.left()..area.right()).filter_map(move |x| {
            let cell = buffer.cell((x, y)).filter(|_| x >= next)?;
            next = x.saturating_add(cell.cell_width().max(1));
            Some((x, cell))
        });
        cells.collect()
    })
}
