//! Reads otlp-mmap recordings: live while their process writes them, or after it died.
//!
//! [`Recording::open`] checks the header and the geometry of a file. From there, [`Observer`] follows its
//! records, [`Recording::snapshot`] takes everything at once, [`Recording::verify`] names every fault, and
//! [`otlp`] turns the plain values of [`model`] into OTLP messages and OTLP JSON. [`Directory`] follows the files
//! of many processes, and [`Exporter`] acknowledges what was delivered.
//!
//! Every byte of a file is untrusted, and moves while it is read: bytes are copied with `pread`, the words that
//! guard them are checked again, and only then is the private copy parsed. A file is never mapped for reading, so
//! that cutting it short while it is read is an error and not a signal. Damage is reported as a [`Fault`] with its
//! offset, and reading goes on behind it. Nothing that a file holds makes this crate panic, run for ever, or
//! allocate more than a small multiple of what the file takes on its disk.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod acknowledge;
mod active;
mod advance;
mod attributes;
mod bytes;
mod cells;
mod decode;
mod definition;
mod dictionary;
mod directory;
mod entries;
mod error;
mod header;
mod items;
mod losses;
pub mod model;
mod observer;
pub mod otlp;
mod point;
mod pool;
mod process;
mod recording;
mod report;
mod segment;
mod source;
mod verify;
mod window;
mod zeros;

// The images of the tests in `tests` are for those here, too.
#[cfg(test)]
extern crate self as otlp_mmap_reader;
#[cfg(test)]
mod moments;

/// Where a file that the writer's models share finds its atomics.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
}

pub use acknowledge::Exporter;
pub use directory::{Changes, Directory, FileFault, recording_paths};
pub use entries::{Entries, EntryCount};
pub use error::Error;
pub use header::{Header, Pool, Section};
pub use losses::{Fill, Losses, PoolFill, SignalLosses, Usage};
pub use observer::{Batch, Observer, Progress};
pub use otlp_mmap_format::{Counter, OverflowPolicy, Signal};
pub use recording::{Liveness, MAX_EXEMPLARS, Recording, Snapshot, attach_exemplars};
pub use report::{Fault, MAX_FAULTS, Readable, Report, Rule};
