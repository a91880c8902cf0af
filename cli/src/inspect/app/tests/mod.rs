//! `update` as a pure function.
