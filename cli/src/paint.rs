//! Colours: on or off, decided once.

use std::fmt::{self, Display, Formatter};

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Paint {
    /// Colours are written.
    pub on: bool,
}

/// How text stands out, as SGR parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Less than the rest.
    Dim,
    /// Names.
    Bold,
    /// Errors.
    Red,
    /// Good.
    Green,
    /// Warnings.
    Yellow,
    /// Events.
    Blue,
    /// Metrics.
    Magenta,
    /// Spans.
    Cyan,
}

/// Text with its style.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    paint: Paint,
    style: Style,
    text: T,
}

impl Paint {
    /// Gives `text` a style. The text must be safe to print.
    pub fn style<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { paint: self, style, text }
    }
}

impl Style {
    const fn parameters(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.paint.on && self.style != Style::Plain {
            write!(f, "\u{1b}[{}m{}\u{1b}[0m", self.style.parameters(), self.text)
        } else {
            self.text.fmt(f)
        }
    }
}
