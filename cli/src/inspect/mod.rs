//! `inspect`: the terminal viewer of recordings, live or left behind by a dead process.
//!
//! ```text
//! recordings ──> source (a thread) ──Snapshot──> App ──> view ──> terminal
//!                      ^                          │ ^
//!                      └────────── Query ─────────┘ └── keys
//! ```
//!
//! - [`source`] follows the recordings, keeps a small row for each record that they hold, and answers the [`Query`] of the
//!   viewer with a [`Snapshot`]: what the present view shows, filtered, sorted and as of the time cursor.
//! - [`app`] is the state of the viewer, plain data: `update` takes a key or a snapshot and says what is to be done.
//! - [`view`] draws the state, and changes nothing.
//! - [`terminal`] connects them to a real terminal; [`once`] prints a single screen instead.
//!
//! Rows go when their records are overwritten, so memory is bounded by what the recordings hold, however long the viewer
//! runs; attributes and bodies are read from the file again when they are looked at.

mod app;
mod cells;
mod model;
mod once;
mod query;
#[cfg(test)]
mod samples;
mod source;
mod terminal;
mod view;

use std::path::PathBuf;

use self::app::Options;
pub(crate) use self::once::{Screen, Size};
pub(crate) use self::query::NamedFilter;
pub(crate) use self::view::Palette;
use self::view::Theme;
use crate::io::Exit;

/// How the viewer is run.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Recordings, and directories of them.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) filter: Option<NamedFilter>,
    pub(crate) palette: Palette,
    /// Symbols of ASCII alone.
    pub(crate) ascii: bool,
    /// The mouse is on from the beginning.
    pub(crate) mouse: bool,
    /// For tests: a panic after so many screens.
    pub(crate) panic_after_draws: Option<u64>,
    /// For tests: a panic of the source instead of its so-manieth snapshot.
    pub(crate) panic_after_snapshots: Option<u64>,
}

impl Setup {
    fn options(&mut self, screen: Option<Screen>) -> Options {
        Options {
            view: screen.map(|screen| screen.view).unwrap_or_default(),
            trace: screen.and_then(|screen| screen.trace),
            filter: self.filter.take().map(Into::into),
            is_mouse_on: self.mouse,
        }
    }

    fn theme(&self) -> Theme {
        Theme::new(self.palette, self.ascii)
    }
}

/// Shows the recordings on the terminal of stdout until the viewer is quit. Gives the last screen if it is to be left in
/// the terminal.
pub(crate) fn show(setup: Setup) -> anyhow::Result<(Exit, Option<String>)> {
    terminal::run(setup)
}

/// One screen as text, as of `now`.
pub(crate) fn screen(mut setup: Setup, screen: Screen, size: Size, now: u64) -> anyhow::Result<String> {
    let (options, theme) = (setup.options(Some(screen)), setup.theme());
    once::print(&setup.paths, options, size, &theme, now)
}
