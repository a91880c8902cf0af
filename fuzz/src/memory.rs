//! Files in memory: a memfd for bytes that are read as a recording.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use otlp_mmap_format::{PAGE_SIZE, WRITER_LOCK_BYTE};
use otlp_mmap_reader::{Error, Recording};
use otlp_mmap_torture::model::file::path_of;

/// A file that no directory has.
#[derive(Debug)]
pub struct MemoryFile {
    file: File,
}

/// The lock of a writer that lives; given up when dropped.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
}

impl MemoryFile {
    /// An empty file.
    pub fn new() -> Self {
        let descriptor = memfd_create("otlp-mmap-fuzz", MFdFlags::MFD_CLOEXEC).expect("memfd_create");
        Self { file: File::from(descriptor) }
    }

    /// Replaces the content. Pages of zeros become holes, as in the sparse file of a writer.
    pub fn put(&self, bytes: &[u8]) {
        self.file.set_len(0).expect("set_len");
        self.file.set_len(bytes.len() as u64).expect("set_len");
        for (number, page) in bytes.chunks(PAGE_SIZE).enumerate() {
            // One comparison: a loop over bytes is slow under a fuzzer, which looks at each step.
            if page != &[0; PAGE_SIZE][..page.len()] {
                self.file.write_all_at(page, (number * PAGE_SIZE) as u64).expect("write");
            }
        }
    }

    /// Stores bytes, wherever the file ends.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, at as u64).expect("write");
    }

    /// Cuts the file, or has it grow by zeros.
    pub fn resize(&self, length: usize) {
        self.file.set_len(length as u64).expect("set_len");
    }

    /// Up to `length` bytes; fewer where the file ends before.
    pub fn read(&self, at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.file.read_at(&mut bytes, at as u64).expect("read");
        bytes.truncate(read);
        bytes
    }

    /// Reads the content as a recording.
    ///
    /// # Errors
    /// Those of [`Recording::from_file`].
    pub fn recording(&self) -> Result<Recording, Error> {
        Recording::from_file(self.file.try_clone().expect("another descriptor"), "fuzzed")
    }

    /// Takes the writer's lock, on a file description of its own as a writer does.
    pub fn lock(&self) -> WriterLock {
        let file = OpenOptions::new().read(true).write(true).open(path_of(&self.file)).expect("open again");
        let byte = libc::flock {
            l_type: libc::c_short::try_from(libc::F_WRLCK).expect("a small number"),
            l_whence: libc::c_short::try_from(libc::SEEK_SET).expect("a small number"),
            l_start: libc::off_t::try_from(WRITER_LOCK_BYTE).expect("a small number"),
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_SETLK(&byte)).expect("the lock");
        WriterLock { _file: file }
    }
}

impl Default for MemoryFile {
    fn default() -> Self {
        Self::new()
    }
}
