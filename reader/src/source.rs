//! The one place that reads a file: `pread` into private memory, and the fences and locks around it.
//!
//! Nothing is mapped. What is returned is a copy that nobody else changes; whether it was whole when it was taken
//! is for the caller to find out by reading the guarding word again (SPEC "Observer").

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::{Whence, lseek};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::bytes::{len, size, view};
use crate::{Error, Report, Rule};

/// Unit in which a file system tells what a file takes.
const BLOCK: u64 = 512;
/// No file reaches beyond this; the kernel refuses a read that would, even of what is there.
const MAX_OFFSET: u64 = i64::MAX.cast_unsigned();

/// An opened file.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    path: PathBuf,
}

impl Source {
    pub(crate) fn new(file: File, path: &Path) -> Self {
        Self { file, path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file now, in bytes; an error if it is no regular file.
    pub(crate) fn length(&self) -> Result<u64, Error> {
        let metadata = self.file.metadata().map_err(|e| self.io("cannot stat", e))?;
        if !metadata.is_file() {
            return Err(self.io("cannot read", std::io::Error::other("not a regular file")));
        }
        Ok(metadata.len())
    }

    /// Bytes that the file takes on its disk: holes take none. 0 if that is not known.
    pub(crate) fn allocated(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.blocks().saturating_mul(BLOCK))
    }

    /// Up to `length` bytes from `offset`; fewer if the file ends before.
    pub(crate) fn up_to(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        #[cfg(test)]
        crate::moments::before_read();
        let mut bytes = vec![0; length.min(len(MAX_OFFSET.saturating_sub(offset)))];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(size(filled))) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io("cannot read", e)),
            }
        }
        bytes.truncate(filled);
        // What was copied must not be taken for older than a word that is read after it.
        fence(Ordering::SeqCst);
        Ok(bytes)
    }

    /// `length` bytes from `offset`. The caller has checked that the header promises them.
    pub(crate) fn bytes(&self, offset: u64, length: usize, what: &'static str) -> Result<Vec<u8>, Error> {
        let bytes = self.up_to(offset, length)?;
        if bytes.len() == length {
            return Ok(bytes);
        }
        let expected = offset.saturating_add(size(length));
        Err(Error::TooShort { what, expected, found: offset.saturating_add(size(bytes.len())) })
    }

    /// The structure at `offset`.
    pub(crate) fn read<T>(&self, offset: u64, what: &'static str) -> Result<T, Error>
    where
        T: FromBytes + KnownLayout + Immutable,
    {
        let bytes = self.bytes(offset, size_of::<T>(), what)?;
        let found = size(bytes.len());
        view(&bytes, 0).ok_or(Error::TooShort { what, expected: size(size_of::<T>()), found })
    }

    /// Start of the next bytes at or behind `offset` for which the file system holds data; `None` if nothing but
    /// a hole follows. File systems that know of no holes hold data everywhere.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        let start = libc::off_t::try_from(offset).ok()?;
        match lseek(&self.file, start, Whence::SeekData) {
            Ok(next) => u64::try_from(next).ok(),
            Err(nix::Error::ENXIO) => None,
            Err(_) => Some(offset),
        }
    }

    /// Whether nothing was ever stored into `length` bytes from `offset`.
    pub(crate) fn is_hole(&self, offset: u64, length: usize) -> bool {
        length > 0 && self.next_data(offset).is_none_or(|next| next >= offset.saturating_add(size(length)))
    }

    /// Whether another open file description holds an exclusive lock on `byte`; `None` if the file system
    /// cannot tell.
    pub(crate) fn is_locked(&self, byte: u64) -> Option<bool> {
        #[cfg(test)]
        crate::moments::before_read();
        let mut lock = byte_lock(byte)?;
        fcntl(&self.file, FcntlArg::F_OFD_GETLK(&mut lock)).ok()?;
        Some(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    /// Takes the exclusive lock on `byte` for as long as the file is open; `false`: somebody else has it.
    pub(crate) fn lock(&self, byte: u64) -> Result<bool, Error> {
        let unsupported = || self.io("cannot lock", std::io::ErrorKind::Unsupported.into());
        let lock = byte_lock(byte).ok_or_else(unsupported)?;
        match fcntl(&self.file, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => Ok(true),
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
            Err(e) => Err(self.io("cannot lock", e.into())),
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn io(&self, what: &'static str, source: std::io::Error) -> Error {
        Error::Io { what, path: self.path.clone(), source }
    }
}

/// Keeps a value that could be read; what could not be becomes a fault at `offset`.
pub(crate) fn or_fault<T>(result: Result<T, Error>, offset: u64, report: &mut Report) -> Option<T> {
    result.map_err(|error| report.fault(offset, Rule::Unreadable, || error.to_string())).ok()
}

fn byte_lock(byte: u64) -> Option<libc::flock> {
    Some(libc::flock {
        l_type: libc::c_short::try_from(libc::F_WRLCK).ok()?,
        l_whence: libc::c_short::try_from(libc::SEEK_SET).ok()?,
        l_start: libc::off_t::try_from(byte).ok()?,
        l_len: 1,
        l_pid: 0,
    })
}
