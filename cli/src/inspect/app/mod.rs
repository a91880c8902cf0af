//! The state of the viewer and how it changes: no terminal, no file, no clock.
//!
//! [`update`] is the one way in. Keys become commands by the table in [`keys`]; a command changes the state; then what
//! depends on the state is made to fit: rows of the tree, the selected row, the query.

mod copy;
pub(crate) mod find;
pub(crate) mod help;
mod key;
pub(crate) mod keys;
mod navigate;
mod prompt;
mod rewind;
mod rows;
pub(crate) mod sort;
mod state;
mod tree;
mod update;

#[cfg(test)]
mod tests;

pub(crate) use self::key::*;
pub(crate) use self::state::*;
pub(crate) use self::update::update;
