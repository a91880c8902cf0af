//! Recordings of many processes: a directory of `*.otlpmm` files, or one file.
//!
//! Files come and go while processes do. A file is known by its name, device and inode, so that one that replaces
//! another of the same name is a new recording. Names that begin with a dot are files in the making.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

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
    /// Files that cannot be read. Each is told once, and again only after it has changed. Where it is the operating
    /// system that refused, each refresh tries again.
    pub faults: Vec<FileFault>,
}

/// The recordings at `path` by their names: that of a file, and those in a directory, sorted. None is opened, so that a
/// directory may hold more than a process can have open.
///
/// # Errors
/// [`Error::Io`] if there is nothing at `path`, or a directory cannot be listed.
pub fn recording_paths(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let path = path.as_ref();
    let metadata = fs::metadata(path).map_err(|e| io("cannot open", path, e))?;
    if metadata.is_dir() { list(path) } else { Ok(vec![path.to_owned()]) }
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
    /// `None`: the file cannot be looked at, as a symbolic link that leads to itself.
    identity: Option<Identity>,
    readable: bool,
    /// The operating system refused, which is no fault of the file: for want of descriptors or of permission.
    refused: bool,
    /// `None`: it is not readable, or was released.
    recording: Option<Arc<Recording>>,
}

/// Tells a file from one that replaced it; for a file that cannot be read also its size and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// An inode that no recording holds any more may be another file's.
    born: Option<SystemTime>,
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
            if !stays && known.readable {
                changes.vanished.push(path.clone());
            }
            stays
        });
        for path in present {
            self.look_at(path, &mut changes);
        }
        Ok(changes)
    }

    /// Gives up the recording of a file, which stays known: it is not new again unless it is replaced.
    pub fn release(&mut self, path: &Path) {
        if let Some(known) = self.files.get_mut(path) {
            known.recording = None;
        }
    }

    /// The recordings as of the last refresh, in the order of their names, without those released.
    pub fn recordings(&self) -> impl Iterator<Item = &Arc<Recording>> + '_ {
        self.files.values().filter_map(|known| known.recording.as_ref())
    }

    fn list(&self) -> Result<Vec<PathBuf>, Error> {
        if self.is_file {
            let exists = fs::exists(&self.path).unwrap_or(true);
            return Ok(if exists { vec![self.path.clone()] } else { Vec::new() });
        }
        list(&self.path)
    }

    fn look_at(&mut self, path: PathBuf, changes: &mut Changes) {
        let metadata = fs::metadata(&path);
        // Removed since it was listed: the next refresh will say so.
        if metadata.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            return;
        }
        let known = self.files.get(&path);
        let same = known.is_some_and(|known| known.is(metadata.as_ref().ok()));
        let refused = same && known.is_some_and(|known| known.refused);
        if same && !refused {
            return;
        }
        if known.is_some_and(|known| known.readable) {
            changes.vanished.push(path.clone());
        }
        let identity =
            |readable: bool| metadata.as_ref().ok().map(|metadata| Identity::of(metadata, !readable));
        let known = match Recording::open(&path) {
            Ok(recording) => {
                let recording = Arc::new(recording);
                changes.new.push(Arc::clone(&recording));
                Known { identity: identity(true), readable: true, refused: false, recording: Some(recording) }
            }
            Err(error) => {
                let again = matches!(error, Error::Io { .. });
                if !(refused && again) {
                    changes.faults.push(FileFault { path: path.clone(), error });
                }
                Known { identity: identity(false), readable: false, refused: again, recording: None }
            }
        };
        self.files.insert(path, known);
    }
}

impl Known {
    /// Whether it is the file that is there now. One that was readable and cannot be looked at now is not taken for
    /// another.
    fn is(&self, metadata: Option<&Metadata>) -> bool {
        match metadata {
            None => self.readable || self.identity.is_none(),
            Some(metadata) => self.identity == Some(Identity::of(metadata, !self.readable)),
        }
    }
}

impl Identity {
    fn of(metadata: &Metadata, with_change: bool) -> Self {
        let change = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        let (device, inode, born) = (metadata.dev(), metadata.ino(), metadata.created().ok());
        Self { device, inode, born, changed: with_change.then_some(change) }
    }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |e| io("cannot list", directory, e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_recording_name(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_recording_name(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { what, path: path.to_owned(), source }
}
