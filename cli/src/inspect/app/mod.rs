//! The state of the viewer and how it changes: no terminal, no file, no clock.

pub(crate) mod help;
mod key;
pub(crate) mod keys;
mod state;

pub(crate) use self::key::*;
pub(crate) use self::state::*;
