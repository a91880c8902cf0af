//! Crash tests of the recorder: `otlp-mmap-torture` runs them whole, `tests/` runs samples of them.

pub mod damage;
mod exponential;
pub mod kills;
pub mod model;
pub mod step;
pub mod table;
