//! The state of the viewer and how it changes: no terminal, no file, no clock.

mod state;

pub(crate) use self::state::*;
