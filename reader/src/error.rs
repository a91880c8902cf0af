//! Why a recording cannot be read at all. What is wrong inside a recording that can be read is a
//! [`crate::Fault`] instead: it is reported, and reading goes on.

use std::io;
use std::path::PathBuf;

use crate::Fault;

/// Why an operation on a recording failed. Offsets are bytes from the start of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried, as the start of a sentence: "cannot open".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file ends before something it must hold.
    #[error("file too short: {what} needs {expected} bytes, found {found}")]
    TooShort {
        /// What does not fit.
        what: &'static str,
        /// Size the file must have for it, in bytes.
        expected: u64,
        /// Size the file has, in bytes.
        found: u64,
    },
    /// The first eight bytes are not those of a recording.
    #[error("not an otlp-mmap recording: magic at offset 0 is {found:02x?}, expected {expected:02x?}")]
    NotARecording {
        /// The magic.
        expected: [u8; 8],
        /// What stands there.
        found: [u8; 8],
    },
    /// The file was written with another byte order.
    #[error("foreign byte order: tag at offset {offset} is {found:#010x}, expected {expected:#010x}")]
    ForeignByteOrder {
        /// Where the tag stands.
        offset: u64,
        /// The tag of a little-endian file.
        expected: u32,
        /// What stands there.
        found: u32,
    },
    /// The file has another major version.
    #[error("format version {found} (at offset {offset}) is not supported, expected {expected}")]
    UnsupportedVersion {
        /// Where the major version stands.
        offset: u64,
        /// The major version this crate reads.
        expected: u16,
        /// The file's.
        found: u16,
    },
    /// The file uses features that change its meaning and that this crate does not know.
    #[error("unknown incompatible feature flags {found:#x} (at offset {offset}), known {expected:#x}")]
    UnsupportedFeatures {
        /// Where the flags stand.
        offset: u64,
        /// The flags this crate knows.
        expected: u64,
        /// The flags it does not know.
        found: u64,
    },
    /// The header is damaged.
    #[error("header damaged: CRC32C at offset {offset} is {found:#010x}, expected {expected:#010x}")]
    HeaderCrc {
        /// Where the CRC stands.
        offset: u64,
        /// CRC of the bytes it covers.
        expected: u32,
        /// What stands there.
        found: u32,
    },
    /// A field of the header or section table breaks its rule.
    #[error("{field} at offset {offset} must be {expected}, found {found}")]
    Header {
        /// The field, by its name in the specification.
        field: &'static str,
        /// Where it stands.
        offset: u64,
        /// Its rule.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A section that every recording has is missing.
    #[error("section table at offset {offset} has no {section} section")]
    MissingSection {
        /// Where the section table starts.
        offset: u64,
        /// Kind, and signal if it has one.
        section: String,
    },
    /// Another exporter has the recording.
    #[error("{} already has an exporter (lock on byte {offset})", path.display())]
    ExporterAttached {
        /// The recording.
        path: PathBuf,
        /// The byte that is locked.
        offset: u64,
    },
    /// A part of the file without which the answer would not be exact cannot be read.
    #[error("{fault}")]
    Incomplete {
        /// What and where.
        fault: Fault,
    },
    /// An argument names nothing in this recording.
    #[error("{argument} must be below {limit}, is {found}")]
    OutOfRange {
        /// The argument.
        argument: &'static str,
        /// First value that is too large.
        limit: u64,
        /// Its value.
        found: u64,
    },
}
