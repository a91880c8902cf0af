//! The error of every call of this crate.
//!
//! A call that fails has recorded nothing. What was lost is also counted in the file by signal and reason
//! (SPEC "Counters"), since few applications look at the errors of their telemetry.

use std::io;
use std::path::PathBuf;

/// Why a call recorded nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument that cannot be recorded.
    #[error("{argument}: {reason}")]
    Invalid {
        /// The argument's name, as the call has it.
        argument: &'static str,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// A reference that this recording did not give out, or that refers to something else.
    #[error("{argument}: {reference} does not refer to {expected} of this recording")]
    UnknownReference {
        /// The argument's name.
        argument: &'static str,
        /// The reference as given.
        reference: u32,
        /// What it must refer to, with its article.
        expected: &'static str,
    },
    /// No span with these ids is in flight: it never started here, or it has ended.
    #[error("span_id: no span in flight with trace id {trace_id} and span id {span_id}")]
    UnknownSpan {
        /// Trace id in hex; empty where the span was named by a handle.
        trace_id: String,
        /// Span id in hex, or the handle.
        span_id: String,
    },
    /// A span with these ids is in flight already.
    #[error("span_id: a span with trace id {trace_id} and span id {span_id} is in flight already")]
    DuplicateSpan {
        /// Trace id in hex.
        trace_id: String,
        /// Span id in hex.
        span_id: String,
    },
    /// The process forked while the call's own arguments were encoded; this is the child, and nothing is recorded.
    #[error("the process forked inside of this call")]
    Forked,
    /// The writer was closed.
    #[error("the recording is closed")]
    Closed,
    /// The pool is used up and the policy keeps what is there.
    #[error("discarded: every segment is in use and not acknowledged (policy discard-newest)")]
    Discarded,
    /// The exporter did not free a segment in time, or none is attached.
    #[error("discarded: the exporter freed no segment in time (policy block)")]
    BlockTimeout,
    /// The file system has no room.
    #[error("discarded: no space left for another segment of the recording")]
    NoSpace,
    /// Another thread held what this call needs for too long.
    #[error("discarded: other threads kept the recording busy")]
    Busy,
    /// The dictionary has no room for a definition.
    #[error("the recording's dictionary is full")]
    DictionaryFull,
    /// The metric cells have no room for another series, nor for an overflow series.
    #[error("discarded: the recording's metric cells are full")]
    CellsFull,
    /// The operating system refused something.
    #[error("{what}: {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn invalid(argument: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { argument, reason: reason.into() }
    }

    pub(crate) fn unknown_span(trace_id: &[u8], span_id: &[u8]) -> Self {
        Self::UnknownSpan { trace_id: hex(trace_id), span_id: hex(span_id) }
    }

    pub(crate) fn duplicate_span(trace_id: &[u8], span_id: &[u8]) -> Self {
        Self::DuplicateSpan { trace_id: hex(trace_id), span_id: hex(span_id) }
    }
}

/// Bytes in lower-case hex, as ids are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
