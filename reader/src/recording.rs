//! One opened recording.

use std::fs::File;
use std::path::Path;

use crate::model::{Event, Measurement, Series, Span};
use crate::{Error, Fill, Header, Losses, Observer, Report};

/// Whether the writer of a recording lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The writer holds its lock.
    Alive,
    /// The writer closed the recording.
    Closed {
        /// When, unix nanoseconds.
        realtime_nanos: u64,
    },
    /// The writer is gone and has not closed the recording.
    Dead,
}

/// Everything a recording holds at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Ended spans, by end time.
    pub spans: Vec<Span>,
    /// Events, by time.
    pub events: Vec<Event>,
    /// Exemplars and raw points, by time.
    pub measurements: Vec<Measurement>,
    /// Spans in flight, by start time.
    pub spans_in_flight: Vec<Span>,
    /// Metric series with their exemplars.
    pub series: Vec<Series>,
    /// What was lost.
    pub losses: Losses,
    /// Faults, and how much was readable.
    pub report: Report,
}

/// One opened recording: its header is checked, and its geometry lies within the file.
#[derive(Debug)]
pub struct Recording {}

impl Recording {
    /// Opens the recording at `path` for reading.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// Reads the recording in `file`; `path` serves for messages alone.
    pub fn from_file(file: File, path: impl AsRef<Path>) -> Result<Self, Error> {
        let _ = (file, path);
        todo!()
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// The checked header.
    pub fn header(&self) -> &Header {
        todo!()
    }

    /// Whether the writer lives. Where the file system cannot tell, it counts as alive.
    pub fn liveness(&self) -> Liveness {
        todo!()
    }

    /// Whether this machine has not been started again since the recording was created.
    pub fn same_boot(&self) -> bool {
        todo!()
    }

    /// Follows the records from the oldest one present.
    pub fn observe(&self) -> Observer {
        todo!()
    }

    /// Follows the records from the first one that no exporter has acknowledged.
    pub fn observe_unacknowledged(&self) -> Observer {
        todo!()
    }

    /// The spans in flight, without those that have a SPAN record.
    pub fn spans_in_flight(&self, report: &mut Report) -> Result<Vec<Span>, Error> {
        let _ = report;
        todo!()
    }

    /// The metric series with their values now and their latest exemplars.
    pub fn series(&self, report: &mut Report) -> Result<Vec<Series>, Error> {
        let _ = report;
        todo!()
    }

    /// Everything at once.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        todo!()
    }

    /// What was lost, exactly.
    pub fn losses(&self) -> Result<Losses, Error> {
        todo!()
    }

    /// How full the recording is.
    pub fn fill(&self) -> Result<Fill, Error> {
        todo!()
    }

    /// Checks every structure.
    pub fn verify(&self) -> Result<Report, Error> {
        todo!()
    }
}
