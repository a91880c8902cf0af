//! The recordings that a command was given, and what it has to tell about them on stderr.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use otlp_mmap_reader::{Directory, Error, Recording, Report, recording_paths};

use crate::escape::Printable;

/// Most faults of one report that are told one by one.
const FAULTS_TOLD: usize = 10;

/// Tells on stderr what is no data, and remembers whether something could not be read.
pub(crate) struct Notes<'a> {
    stderr: &'a mut dyn Write,
    failed: bool,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(stderr: &'a mut dyn Write) -> Self {
        Self { stderr, failed: false }
    }

    /// Something could not be read: the exit code will be 2.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Tells something about a file.
    pub(crate) fn note(&mut self, path: &Path, text: impl Display) {
        let (path, text) = (path.display().to_string(), text.to_string());
        // Errors of the operating system name the file themselves.
        let text = if text.contains(&path) { text } else { format!("{path}: {text}") };
        self.line(&Printable(&text));
    }

    /// In one write: the other end of a pipe may share the terminal.
    fn line(&mut self, text: &dyn Display) {
        // Nobody can be told that stderr is gone.
        let _ = self.stderr.write_all(format!("otlp-mmap: {text}\n").as_bytes());
    }

    /// Tells how many lines are longer than a receiver takes.
    pub(crate) fn too_long(&mut self, lines: u64) {
        if lines > 0 {
            let text = "lines of one record each are over 512 KiB, which a receiver may refuse";
            self.line(&format_args!("{lines} {text}"));
        }
    }

    /// Tells that a file could not be read.
    pub(crate) fn fail(&mut self, path: &Path, error: impl Display) {
        self.failed = true;
        self.note(path, error);
    }

    /// Tells which of the paths are directories, in which there was nothing to read.
    pub(crate) fn no_recordings(&mut self, paths: &[PathBuf]) {
        for path in paths.iter().filter(|path| path.is_dir()) {
            self.note(path, "no recordings (*.otlpmm)");
        }
    }

    /// Tells the faults that were met while reading, the first few one by one.
    pub(crate) fn report(&mut self, path: &Path, report: &Report) {
        for fault in report.faults.iter().take(FAULTS_TOLD) {
            self.note(path, fault);
        }
        let told = u64::try_from(report.faults.len().min(FAULTS_TOLD)).unwrap_or(u64::MAX);
        let more = report.fault_count().saturating_sub(told);
        if more > 0 {
            self.note(path, format!("{more} more faults; `otlp-mmap verify` lists them"));
        }
    }
}

/// Files and directories of recordings.
#[derive(Debug)]
pub(crate) struct Sources {
    directories: Vec<(PathBuf, Directory)>,
}

impl Sources {
    /// Takes the paths; one that is not there is told, and does not hide the others.
    pub(crate) fn open(paths: &[PathBuf], notes: &mut Notes<'_>) -> Self {
        let mut directories = Vec::with_capacity(paths.len());
        for path in paths {
            match Directory::open(path) {
                Ok(directory) => directories.push((path.clone(), directory)),
                Err(error) => notes.fail(path, error),
            }
        }
        Self { directories }
    }

    /// Whether there is no path left to look at.
    pub(crate) fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    /// Closes a recording that nothing more comes of.
    pub(crate) fn release(&mut self, path: &Path) {
        for (_, directory) in &mut self.directories {
            directory.release(path);
        }
    }

    /// The recordings that are new since the last call; what cannot be read is told. A path that cannot be listed any
    /// more, and a file that is no recording, is told once and given up. Recordings of files that are gone stay
    /// readable as long as they are held.
    pub(crate) fn refresh(&mut self, notes: &mut Notes<'_>) -> Vec<Arc<Recording>> {
        let mut new = Vec::new();
        self.directories.retain_mut(|(path, directory)| match directory.refresh() {
            Ok(changes) => {
                new.extend(changes.new);
                // A recording has all of its header before it has its name.
                let stays = changes.faults.is_empty() || path.is_dir();
                for fault in changes.faults {
                    notes.fail(&fault.path, fault.error);
                }
                stays
            }
            Err(error) => {
                notes.fail(path, error);
                false
            }
        });
        new
    }
}

/// All recordings at the paths, in the order of the paths and then of their names. They are opened one by one: a
/// directory may hold more than a process can have open.
pub(crate) struct Recordings {
    paths: std::vec::IntoIter<PathBuf>,
}

impl Recordings {
    /// Lists the paths; a directory without recordings is told. A file is listed once, however often it is named.
    pub(crate) fn list(paths: &[PathBuf], notes: &mut Notes<'_>) -> Self {
        let mut listed = Vec::new();
        for path in paths {
            match recording_paths(path) {
                Ok(found) if found.is_empty() => notes.no_recordings(std::slice::from_ref(path)),
                Ok(found) => listed.extend(found),
                Err(error) => notes.fail(path, error),
            }
        }
        let mut seen = HashSet::new();
        listed.retain(|path| {
            fs::metadata(path).map_or(true, |metadata| seen.insert((metadata.dev(), metadata.ino())))
        });
        Self { paths: listed.into_iter() }
    }

    /// Opens the next one; what cannot be read is told and passed over.
    pub(crate) fn next(&mut self, notes: &mut Notes<'_>) -> Option<Recording> {
        for path in &mut self.paths {
            match Recording::open(&path) {
                Ok(recording) => return Some(recording),
                // Removed since it was listed.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error) => notes.fail(&path, error),
            }
        }
        None
    }
}

/// Has the process open as many files at once as it may: what is followed stays open.
pub(crate) fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // If it cannot be raised, what cannot be opened is told.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The name of a recording's file.
pub(crate) fn file_name(recording: &Recording) -> Arc<str> {
    let path = recording.path();
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into()
}

/// A name of the specification in lower case, its words joined by `joint`: `DictionaryFull`, `dictionary-full`.
pub(crate) fn joined(name: &str, joint: char) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push(joint);
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_lower_case() {
        assert_eq!(joined("DictionaryFull", '-'), "dictionary-full");
        assert_eq!(joined("Busy", '_'), "busy");
    }
}
