//! The recordings at the paths that were given: they come and go while the viewer runs.
//!
//! What cannot be read is a problem that is told once. A path that is not there yet is looked for again.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};
use otlp_mmap_reader::{Changes, Directory, Error, FileFault, Recording};

use crate::escape::Printable;

/// Most problems that are kept.
const MAX_PROBLEMS: usize = 100;
/// Most recordings that stay open once they were read to the end, whatever the process may open.
const MAX_OPEN: u64 = 4096;
/// Errors of the operating system for want of descriptors.
const NO_DESCRIPTOR: [i32; 2] = [nix::libc::EMFILE, nix::libc::ENFILE];

/// Files and directories, followed.
#[derive(Debug)]
pub(super) struct Found {
    places: Vec<Place>,
    problems: Vec<String>,
    /// Files that cannot be opened for want of descriptors.
    waiting: BTreeSet<PathBuf>,
    /// Files that are followed, by device and inode: each is followed once, however often it is named.
    known: HashMap<(u64, u64), PathBuf>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// `None`: nothing is there.
    directory: Option<Directory>,
    /// It cannot be read, and that was told.
    is_told: bool,
}

impl Found {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let place = |path: &PathBuf| Place { path: path.clone(), directory: None, is_told: false };
        Self {
            places: paths.iter().map(place).collect(),
            problems: Vec::new(),
            waiting: BTreeSet::new(),
            known: HashMap::new(),
        }
    }

    /// Recordings that are new, and paths of those that are gone.
    pub(super) fn refresh(&mut self) -> (Vec<Arc<Recording>>, Vec<PathBuf>) {
        let (mut new, mut vanished) = (Vec::new(), Vec::new());
        for index in 0..self.places.len() {
            let Some(changes) =
                self.places.get_mut(index).and_then(|place| place.changes(&mut self.problems))
            else {
                continue;
            };
            // The inode of a file that is gone may be another's already.
            self.known.retain(|_, path| !changes.vanished.contains(path));
            vanished.extend(changes.vanished);
            for recording in changes.new {
                let path = recording.path();
                self.waiting.remove(path);
                let known = identity(path).and_then(|identity| self.known.insert(identity, path.to_owned()));
                if known.is_none() {
                    new.push(recording);
                }
            }
            changes.faults.into_iter().for_each(|fault| self.fault(fault));
        }
        self.waiting.retain(|path| path.exists());
        (new, vanished)
    }

    fn fault(&mut self, fault: FileFault) {
        if let Error::Io { source, .. } = &fault.error {
            if source.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
                self.waiting.insert(fault.path);
                return;
            }
            if source.kind() == std::io::ErrorKind::NotFound {
                return;
            }
        }
        tell(&mut self.problems, &fault.path, &fault.error.to_string());
    }

    /// Gives up a recording that was read to the end; it is not new again.
    pub(super) fn release(&mut self, path: &Path) {
        for directory in self.places.iter_mut().filter_map(|place| place.directory.as_mut()) {
            directory.release(path);
        }
    }

    /// What could not be read.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        if let Some(first) = self.waiting.first() {
            let (count, first) = (self.waiting.len(), first.display().to_string());
            problems.push(format!(
                "{count} recordings cannot be opened, too many files are open: {}",
                Printable(&first)
            ));
        }
        problems
    }
}

impl Place {
    fn changes(&mut self, problems: &mut Vec<String>) -> Option<Changes> {
        if self.directory.is_none() {
            match Directory::open(&self.path) {
                Ok(directory) => self.directory = Some(directory),
                Err(error) => {
                    self.tell(&error, problems);
                    return None;
                }
            }
        }
        match self.directory.as_mut()?.refresh() {
            Ok(changes) => {
                self.is_told = false;
                Some(changes)
            }
            Err(error) => {
                self.tell(&error, problems);
                None
            }
        }
    }

    fn tell(&mut self, error: &Error, problems: &mut Vec<String>) {
        if !std::mem::replace(&mut self.is_told, true) {
            tell(problems, &self.path, &error.to_string());
        }
    }
}

/// Adds a problem with a path, unless it is known.
fn tell(problems: &mut Vec<String>, path: &Path, error: &str) {
    let path = path.display().to_string();
    // Errors of the operating system name the file themselves.
    let text = if error.contains(&path) { error.to_owned() } else { format!("{path}: {error}") };
    let text = Printable(&text).to_string();
    if problems.len() < MAX_PROBLEMS && !problems.contains(&text) {
        problems.push(text);
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Recordings that may stay open once they were read to the end: half of what the process may open.
pub(super) fn open_limit() -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
    usize::try_from((soft / 2).min(MAX_OPEN)).unwrap_or(usize::MAX)
}
