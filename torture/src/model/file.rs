//! Files that are in memory where there is a tmpfs, and that leave nothing behind.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new directory, on a tmpfs where there is one.
///
/// # Panics
/// If there is no place for it.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("otlp-mmap-model.").tempdir_in(parent).expect("a directory")
}

/// A path by which a file can be opened again, whether it still has a name or not.
pub fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
