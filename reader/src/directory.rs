//! Recordings of many processes: a directory of `*.otlpmm` files, or one file.
//!
//! Files come and go while processes do. A file is known by its name, device and inode, so that one that replaces
//! another of the same name is a new recording. Names that begin with a dot are files in the making.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Recording};

/// Extension of a recording's file name.
const EXTENSION: &str = "otlpmm";

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
    /// Files that cannot be read. Each is told once, and again only after it has changed.
    pub faults: Vec<FileFault>,
}

/// A file or a directory of recordings.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    is_file: bool,
    files: BTreeMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    identity: Identity,
    recording: Option<Arc<Recording>>,
}

/// Tells a file from one that replaced it; for a file that cannot be read also its size and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: Option<(u64, i64, i64)>,
}

impl Directory {
    /// Names the file or directory at `path`; the first [`Directory::refresh`] opens its recordings.
    ///
    /// # Errors
    /// [`Error::Io`] if there is nothing at `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let metadata = fs::metadata(&path).map_err(|e| io("cannot open", &path, e))?;
        Ok(Self { path, is_file: !metadata.is_dir(), files: BTreeMap::new() })
    }

    /// Looks for recordings that came or went. One that cannot be read never hides the others.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be listed any more.
    pub fn refresh(&mut self) -> Result<Changes, Error> {
        let present = self.list()?;
        let mut changes = Changes::default();
        self.files.retain(|path, known| {
            let stays = present.binary_search(path).is_ok();
            if !stays && known.recording.is_some() {
                changes.vanished.push(path.clone());
            }
            stays
        });
        for path in present {
            self.look_at(path, &mut changes);
        }
        Ok(changes)
    }

    /// The recordings as of the last refresh, in the order of their names.
    pub fn recordings(&self) -> impl Iterator<Item = &Arc<Recording>> + '_ {
        self.files.values().filter_map(|known| known.recording.as_ref())
    }

    fn list(&self) -> Result<Vec<PathBuf>, Error> {
        if self.is_file {
            let exists = fs::exists(&self.path).unwrap_or(true);
            return Ok(if exists { vec![self.path.clone()] } else { Vec::new() });
        }
        let entries = fs::read_dir(&self.path).map_err(|e| io("cannot list", &self.path, e))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| io("cannot list", &self.path, e))?.path();
            if is_recording_name(&path) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn look_at(&mut self, path: PathBuf, changes: &mut Changes) {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // Removed since it was listed: the next refresh will say so.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return,
            Err(e) => {
                let error = io("cannot open", &path, e);
                changes.faults.push(FileFault { path, error });
                return;
            }
        };
        let known = self.files.get(&path);
        if known.is_some_and(|known| known.is(&metadata)) {
            return;
        }
        if known.is_some_and(|known| known.recording.is_some()) {
            changes.vanished.push(path.clone());
        }
        let recording = match Recording::open(&path) {
            Ok(recording) => Some(Arc::new(recording)),
            Err(error) => {
                changes.faults.push(FileFault { path: path.clone(), error });
                None
            }
        };
        changes.new.extend(recording.clone());
        let identity = Identity::of(&metadata, recording.is_none());
        self.files.insert(path, Known { identity, recording });
    }
}

impl Known {
    fn is(&self, metadata: &Metadata) -> bool {
        self.identity == Identity::of(metadata, self.recording.is_none())
    }
}

impl Identity {
    fn of(metadata: &Metadata, with_change: bool) -> Self {
        let change = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), changed: with_change.then_some(change) }
    }
}

fn is_recording_name(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { what, path: path.to_owned(), source }
}
