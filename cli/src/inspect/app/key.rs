//! Keys, events and actions: what goes into `update` and what comes out, as plain data.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use super::super::model::Snapshot;
use super::super::query::View;

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Key(Key),
    /// Text that was pasted.
    Paste(String),
    Mouse(Mouse),
    /// Columns and rows of the terminal.
    Resize(u16, u16),
    Snapshot(Arc<Snapshot>),
    /// The source is gone, and why.
    Failure(String),
}

/// What is to be done after an event. The source is to be asked whenever the number of `App::query` has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The screen stays as it is.
    None,
    Redraw,
    /// The screen is to be drawn from scratch.
    Clear,
    Quit {
        /// The last screen is to be left in the terminal.
        keep_screen: bool,
    },
    /// Text for the clipboard of the terminal.
    Copy(String),
    /// The mouse is to be listened to, or no longer.
    Mouse(bool),
    /// The process is to be stopped until the shell continues it.
    Suspend,
}

/// What the mouse did, as `view` understands where it did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mouse {
    WheelUp,
    WheelDown,
    /// A click on a row of the list, by its index.
    Row(usize),
    /// A click on the name of a view.
    View(View),
}

/// A key with what was held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) code: Code,
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
}

/// A key. Shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    Char(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

impl Key {
    /// A key by itself.
    pub(crate) const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character.
    pub(crate) const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with Ctrl.
    pub(crate) const fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false }
    }

    /// The text that it types.
    pub(crate) fn text(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt && !c.is_control() => Some(c),
            _ => None,
        }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.alt {
            f.write_str("Alt-")?;
        }
        match self.code {
            Code::Char(c) if self.ctrl => write!(f, "Ctrl-{}", c.to_ascii_uppercase()),
            Code::Char(' ') => f.write_str("Space"),
            Code::Char(c) => write!(f, "{c}"),
            Code::F(number) => write!(f, "F{number}"),
            Code::BackTab => f.write_str("Shift-Tab"),
            Code::PageUp => f.write_str("PgUp"),
            Code::PageDown => f.write_str("PgDn"),
            code => write!(f, "{code:?}"),
        }
    }
}
