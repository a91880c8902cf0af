//! Follows the records of a recording (SPEC "Observer").

use otlp_mmap_format::Signal;

use crate::model::Record;
use crate::{Error, Report};

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// New records, sorted by time.
    pub records: Vec<Record>,
    /// Records that were overwritten before this observer could read them: spans, events, measurements.
    pub missed: [u64; 3],
    /// How far each segment that brought something has been read now.
    pub progress: Vec<Progress>,
    /// Faults met in this poll, and how many records of each kind it brought.
    pub report: Report,
}

/// How far a segment was read: what [`crate::Exporter::acknowledge`] takes once the batch is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The signal whose segment it is.
    pub signal: Signal,
    /// Number of the segment within its pool.
    pub segment: u32,
    /// Generation of the segment.
    pub generation: u32,
    /// Records read, counted from the first of the generation.
    pub records: u32,
}

impl Batch {
    /// Records of `signal` that were missed.
    pub fn missed(&self, signal: Signal) -> u64 {
        let [spans, events, measurements] = self.missed;
        match signal {
            Signal::Spans => spans,
            Signal::Events => events,
            Signal::Measurements => measurements,
        }
    }
}

/// A place in a recording from which its records are read on. It starts at the oldest record present.
#[derive(Debug)]
pub struct Observer {}

impl Observer {
    /// Reads what was recorded since the last poll; never waits.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read at all. A file that was cut short gives faults instead.
    pub fn poll(&mut self) -> Result<Batch, Error> {
        todo!()
    }
}
