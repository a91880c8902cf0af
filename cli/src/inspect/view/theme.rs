//! How the parts of the screen look: styles by role, and the symbols that are drawn.
//!
//! Nothing is told by colour alone: each role that matters has a word or a symbol of its own, and `mono` has no colour at
//! all.

use ratatui::style::{Color, Modifier, Style};

/// The colours to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Palette {
    /// For dark terminals.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// No colours: bold, dim, underlined, reversed.
    Mono,
}

/// Colours and symbols.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    palette: Palette,
    pub(super) symbols: &'static Symbols,
}

impl Theme {
    /// A palette, with symbols of Unicode or of ASCII alone.
    pub(crate) fn new(palette: Palette, ascii: bool) -> Self {
        Self { palette, symbols: if ascii { &ASCII } else { &UNICODE } }
    }

    /// How a role looks.
    pub(super) fn style(&self, role: Role) -> Style {
        let (dark, light, modifier) = role.look();
        let style = Style::new().add_modifier(modifier);
        match self.palette {
            // A colour that is less than the others needs not be dimmed, too.
            Palette::Dark => style.fg(dark).remove_modifier(Modifier::DIM),
            Palette::Light => style.fg(light).remove_modifier(Modifier::DIM),
            Palette::Mono => style,
        }
    }
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Text,
    /// Less important than the rest.
    Dim,
    /// Names and titles.
    Strong,
    /// Titles of columns and of parts.
    Head,
    Error,
    Warning,
    Good,
    /// In flight.
    Flight,
    /// In flight when its process died.
    Died,
    /// The selected row.
    Selected,
    /// A row with the text that is looked for.
    Found,
    /// The view that is shown.
    Tab,
    /// Keys.
    Key,
    /// What was typed.
    Typed,
    Bar,
    Critical,
    /// Lines of charts.
    Plot,
    /// Names of attributes.
    Name,
    Rewind,
}

impl Role {
    /// Colour on dark, colour on light, and what stands out without colours.
    const fn look(self) -> (Color, Color, Modifier) {
        const ORANGE: Color = Color::Indexed(130);
        const PLAIN: Modifier = Modifier::empty();
        const BOLD: Modifier = Modifier::BOLD;
        match self {
            Self::Text => (Color::Reset, Color::Reset, PLAIN),
            Self::Typed | Self::Strong => (Color::Reset, Color::Reset, BOLD),
            Self::Dim => (Color::Indexed(245), Color::Indexed(243), Modifier::DIM),
            Self::Head => (Color::Indexed(110), Color::Indexed(25), BOLD),
            Self::Error | Self::Died => (Color::LightRed, Color::Indexed(160), BOLD),
            Self::Warning => (Color::Yellow, ORANGE, BOLD),
            Self::Good => (Color::Green, Color::Indexed(28), PLAIN),
            Self::Flight => (Color::LightCyan, Color::Indexed(30), Modifier::ITALIC),
            Self::Selected => (Color::Reset, Color::Reset, Modifier::REVERSED),
            Self::Found => (Color::Yellow, ORANGE, Modifier::UNDERLINED),
            Self::Tab => (Color::LightCyan, Color::Indexed(25), Modifier::REVERSED),
            Self::Key => (Color::LightYellow, ORANGE, BOLD),
            Self::Bar => (Color::Indexed(67), Color::Indexed(67), PLAIN),
            Self::Critical => (Color::Indexed(215), Color::Indexed(166), BOLD),
            Self::Plot => (Color::LightGreen, Color::Indexed(28), PLAIN),
            Self::Name => (Color::Indexed(110), Color::Indexed(25), PLAIN),
            Self::Rewind => (Color::LightMagenta, Color::Indexed(90), Modifier::REVERSED),
        }
    }
}

/// Symbols, each one column wide.
#[derive(Debug)]
pub(super) struct Symbols {
    /// Text goes on.
    pub(super) more: &'static str,
    /// Before the selected row.
    pub(super) selected: &'static str,
    pub(super) found: &'static str,
    pub(super) bookmark: &'static str,
    pub(super) open: &'static str,
    pub(super) folded: &'static str,
    pub(super) error: &'static str,
    pub(super) flight: &'static str,
    pub(super) died: &'static str,
    pub(super) orphan: &'static str,
    pub(super) bar: &'static str,
    /// Bar on the critical path.
    pub(super) critical: &'static str,
    /// Bar shorter than a column.
    pub(super) short: &'static str,
    /// An event on a bar.
    pub(super) tick: &'static str,
    pub(super) vertical: &'static str,
    pub(super) horizontal: &'static str,
    /// Corners of a box: top left, top right, bottom left, bottom right.
    pub(super) corners: [&'static str; 4],
    pub(super) full: &'static str,
    pub(super) empty: &'static str,
    pub(super) within: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    /// Heights of a sparkline, lowest first.
    pub(super) heights: [&'static str; 8],
    /// Dots of a plot are braille, two by four in a column; else one.
    pub(super) braille: bool,
}

const UNICODE: Symbols = Symbols {
    more: "…",
    selected: "▌",
    found: "•",
    bookmark: "◆",
    open: "▾",
    folded: "▸",
    error: "✗",
    flight: "»",
    died: "†",
    orphan: "?",
    bar: "━",
    critical: "█",
    short: "╸",
    tick: "◆",
    vertical: "│",
    horizontal: "─",
    corners: ["┌", "┐", "└", "┘"],
    full: "█",
    empty: "░",
    within: "›",
    up: "▲",
    down: "▼",
    heights: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    braille: true,
};

const ASCII: Symbols = Symbols {
    more: "~",
    selected: ">",
    found: "*",
    bookmark: "@",
    open: "v",
    folded: ">",
    error: "!",
    flight: ">",
    died: "x",
    orphan: "?",
    bar: "-",
    critical: "=",
    short: "-",
    tick: "+",
    vertical: "|",
    horizontal: "-",
    corners: ["+", "+", "+", "+"],
    full: "#",
    empty: ".",
    within: ">",
    up: "^",
    down: "v",
    heights: ["_", ".", ",", "-", "=", "+", "*", "#"],
    braille: false,
};

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn all(symbols: &Symbols) -> Vec<&'static str> {
        let s = symbols;
        let mut all = vec![
            s.more,
            s.selected,
            s.found,
            s.bookmark,
            s.open,
            s.folded,
            s.error,
            s.flight,
            s.died,
            s.orphan,
            s.bar,
            s.critical,
            s.short,
            s.tick,
            s.vertical,
            s.horizontal,
            s.full,
            s.empty,
            s.within,
            s.up,
            s.down,
        ];
        all.extend(s.corners);
        all.extend(s.heights);
        all
    }

    #[test]
    fn every_symbol_is_a_column_wide() {
        for symbol in all(&UNICODE).into_iter().chain(all(&ASCII)) {
            assert_eq!(symbol.width(), 1, "{symbol}");
        }
    }

    #[test]
    fn ascii_is_ascii() {
        assert!(all(&ASCII).into_iter().all(str::is_ascii));
    }

    #[test]
    fn what_matters_stands_out_without_colours() {
        let mono = Theme::new(Palette::Mono, true);
        for role in
            [Role::Error, Role::Died, Role::Flight, Role::Selected, Role::Found, Role::Tab, Role::Critical]
        {
            let style = mono.style(role);
            assert_eq!((style.fg, style.bg), (None, None));
            assert!(!style.add_modifier.is_empty(), "{role:?}");
        }
    }
}
