//! Recordings of many processes: a directory of `*.otlpmm` files, or one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Recording};

/// A file that cannot be read as a recording.
#[derive(Debug)]
pub struct FileFault {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// What changed between two refreshes.
#[derive(Debug, Default)]
pub struct Changes {
    /// Recordings that are new, in the order of their names.
    pub new: Vec<Arc<Recording>>,
    /// Files that are gone or were replaced. Their recordings stay readable as long as they are held.
    pub vanished: Vec<PathBuf>,
    /// Files that cannot be read, each reported once.
    pub faults: Vec<FileFault>,
}

/// A file or a directory of recordings.
#[derive(Debug)]
pub struct Directory {}

impl Directory {
    /// Names the file or directory at `path`; the first [`Directory::refresh`] opens its recordings.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// Looks for recordings that came or went. One that cannot be read never hides the others.
    pub fn refresh(&mut self) -> Result<Changes, Error> {
        todo!()
    }

    /// The recordings as of the last refresh, in the order of their names.
    pub fn recordings(&self) -> impl Iterator<Item = &Arc<Recording>> + '_ {
        std::iter::empty()
    }
}
