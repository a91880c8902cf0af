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
