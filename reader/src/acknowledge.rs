//! The exporter's part.

use std::path::Path;

use otlp_mmap_format::Signal;

use crate::{Error, Recording};

/// The one exporter of a recording.
#[derive(Debug)]
pub struct Exporter {}

impl Exporter {
    /// Attaches to the recording at `path` as its exporter.
    pub fn attach(path: impl AsRef<Path>) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        todo!()
    }

    /// Acknowledges that the first `records` records of generation `generation` of segment `slot` were
    /// delivered. `false`: the writer has recycled the segment; the rest counts as overwritten.
    pub fn acknowledge(
        &self,
        signal: Signal,
        slot: u32,
        generation: u32,
        records: u32,
    ) -> Result<bool, Error> {
        let _ = (signal, slot, generation, records);
        todo!()
    }
}
