//! Configuration of a recording, and its check.

use crate::error::Error;
use otlp_mmap_format::{MAX_SEGMENT_COUNT, MAX_SEGMENT_SIZE, MIN_SEGMENT_SIZE};
use std::path::PathBuf;
use std::time::Duration;

/// Where and how to record. `Config::new` fills in the defaults; every field may be changed.
#[derive(Clone, Debug)]
pub struct Config {
    /// A file to create (an existing one is an error), or an existing directory, in which the file is named
    /// `<service>.<pid>.<16 hex of its id>.otlpmm`.
    pub path: PathBuf,
    /// The service in a name within a directory. Default: `OTEL_SERVICE_NAME`, or the program's name.
    pub service_name: Option<String>,
    /// Size of a segment in bytes, a multiple of 4,096 from 4,096 to 8 MiB; no record is larger. Default 128 KiB.
    pub segment_size: u32,
    /// Segments for spans, 2 to 65,536. Default 64 (8 MiB).
    pub span_segments: u32,
    /// Segments for events, 2 to 65,536. Default 48 (6 MiB).
    pub event_segments: u32,
    /// Segments for exemplars and raw measurements, 2 to 65,536. Default 16 (2 MiB).
    pub measurement_segments: u32,
    /// Blocks of 256 bytes for spans in flight, 16 to 1,048,576. Default 4,096 (1 MiB).
    pub active_blocks: u32,
    /// Bytes for metric series, 64 KiB to 1 GiB. Default 4 MiB.
    pub cells_size: u64,
    /// Bytes for strings and definitions, 64 KiB to 1 GiB. Default 4 MiB.
    pub dictionary_size: u64,
    /// What happens when every segment of a pool is in use. Default: overwrite the oldest.
    pub overflow: Overflow,
    /// Most series of a metric stream, its overflow series included, 2 at least. Default 2,000, as the metrics SDK specification has it.
    pub cardinality_limit: u32,
    /// Whether records carry a CRC32C. Default: yes.
    pub crc: bool,
    /// Whether every measurement is also recorded as a raw point. Default: no.
    pub stream_measurements: bool,
}

/// What happens when every segment of a pool is in use (SPEC "Overflow").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest sealed segment is recycled: a flight recorder.
    OverwriteOldest,
    /// The new record is discarded unless the exporter has acknowledged a segment.
    DiscardNewest,
    /// As `DiscardNewest`, after waiting for the exporter; not at all if none is attached.
    Block {
        /// Longest wait of one call.
        timeout: Duration,
    },
}

impl Config {
    /// The default configuration for a file or directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            service_name: None,
            segment_size: 128 << 10,
            span_segments: 64,
            event_segments: 48,
            measurement_segments: 16,
            active_blocks: 4096,
            cells_size: 4 << 20,
            dictionary_size: 4 << 20,
            overflow: Overflow::OverwriteOldest,
            cardinality_limit: 2000,
            crc: true,
            stream_measurements: false,
        }
    }

    /// Checks every field against the limits that its documentation gives.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let within = |argument, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::invalid(argument, format!("{value} is not between {low} and {high}")))
            }
        };
        let segments = u64::from(MAX_SEGMENT_COUNT);
        within("segment_size", self.segment_size.into(), MIN_SEGMENT_SIZE.into(), MAX_SEGMENT_SIZE.into())?;
        if !self.segment_size.is_multiple_of(4096) {
            return Err(Error::invalid(
                "segment_size",
                format!("{} is not a multiple of 4096", self.segment_size),
            ));
        }
        within("span_segments", self.span_segments.into(), 2, segments)?;
        within("event_segments", self.event_segments.into(), 2, segments)?;
        within("measurement_segments", self.measurement_segments.into(), 2, segments)?;
        within("active_blocks", self.active_blocks.into(), 16, 1 << 20)?;
        within("cells_size", self.cells_size, 64 << 10, 1 << 30)?;
        within("dictionary_size", self.dictionary_size, 64 << 10, 1 << 30)?;
        within("cardinality_limit", self.cardinality_limit.into(), 2, u64::from(u32::MAX))?;
        if let Overflow::Block { timeout } = self.overflow
            && timeout > Duration::from_hours(1)
        {
            return Err(Error::invalid("block_timeout", "longer than an hour"));
        }
        Ok(())
    }
}
