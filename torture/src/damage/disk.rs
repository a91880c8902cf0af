//! A damaged file: sparse, and in memory where there is a tmpfs.

use otlp_mmap_format::PAGE_SIZE;
use otlp_mmap_reader::{Error, Recording};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The file of one image. It goes with this value.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
}

impl Disk {
    /// The image as a writer leaves it: pages of zeros are holes.
    pub(super) fn new(image: &[u8]) -> Self {
        let memory = Path::new("/dev/shm");
        let file = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
        let disk = Self { file: file.expect("a temporary file") };
        disk.file.set_len(image.len() as u64).expect("room");
        for (number, page) in image.chunks(PAGE_SIZE).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                disk.put(number * PAGE_SIZE, page);
            }
        }
        disk
    }

    /// Stores bytes.
    pub(super) fn put(&self, at: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, at as u64).expect("room");
    }

    /// Cuts the file.
    pub(super) fn cut(&self, length: usize) {
        self.file.set_len(length as u64).expect("a shorter file");
    }

    /// Opens it as a recording.
    pub(super) fn recording(&self) -> Result<Recording, Error> {
        Recording::from_file(self.file.try_clone().expect("another descriptor"), "damaged")
    }
}
