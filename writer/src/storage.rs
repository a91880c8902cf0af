//! Storage: the file behind a recording - created, backed by space, locked, named, closed (SPEC "Lifecycle").
//!
//! Everything here is a system call and happens off the recording path: at creation, when a segment is used for
//! the first time, at the end.

use crate::error::Error;
use crate::fork::DescriptorSlot;
use crate::mapping::Mapping;
use crate::sync::Ordering;
use otlp_mmap_format::{EXPORTER_LOCK_BYTE, HeaderState, STATE_OFFSET, WRITER_LOCK_BYTE};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Only the owner may read what an application recorded.
const MODE: u32 = 0o600;

/// By how much append-only sections are backed ahead, in bytes.
const AHEAD: usize = 64 << 10;
const BACKED_BYTES_OFFSET: usize = STATE_OFFSET + std::mem::offset_of!(HeaderState, backed_bytes);

/// How far an append-only section is backed by space.
pub(crate) struct Ahead {
    /// Bytes from the start of the file up to which it is.
    pub(crate) backed: usize,
    /// Where it ends.
    pub(crate) section_end: usize,
}

/// A mapped file that may not have a name yet.
pub(crate) struct Storage {
    /// Tells the fork handler which descriptors a child must close. First, so that it forgets them before they
    /// are closed here.
    _descriptors: [DescriptorSlot; 2],
    mapping: Mapping,
    file: File,
    /// Which file that is: the number of a descriptor that the program has closed may be another file's.
    identity: Identity,
    /// The description that holds the writer's lock. It is not mapped: a mapping that a forked child inherits
    /// keeps its description alive, and the lock with it.
    lock: File,
    /// The name as long as it is a temporary one; empty: the file was created unnamed.
    temporary: Option<TemporaryName>,
}

/// Device and inode.
type Identity = (u64, u64);

/// A hidden name that is removed when it is dropped; gone already if the file was published.
struct TemporaryName(PathBuf);

impl Drop for TemporaryName {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Storage {
    /// Creates a file of `size` bytes in `directory` without a valid name, its first `backed` bytes backed by
    /// space, mapped and locked.
    pub(crate) fn create(directory: &Path, size: usize, backed: usize) -> Result<Self, Error> {
        let io = |what| move |source| Error::Io { what, path: directory.to_owned(), source };
        let (file, temporary) = open_unnamed(directory).map_err(io("create a recording in"))?;
        let identity = identify(&file).map_err(io("stat a recording in"))?;
        set_size(&file, size as u64).map_err(io("size a recording in"))?;
        back(&file, 0, backed).map_err(io("allocate space for a recording in"))?;
        let lock = reopen(&file, temporary.as_ref()).map_err(io("reopen a recording in"))?;
        // Before the lock is taken, so that the fork handler knows of it in nearly every child. (One that is forked
        // between the opening above and here keeps the lock; a reader then tells by the pid.)
        let descriptors =
            [DescriptorSlot::register(file.as_raw_fd()), DescriptorSlot::register(lock.as_raw_fd())];
        if !take_lock(&lock, WRITER_LOCK_BYTE).map_err(io("lock a recording in"))? {
            return Err(io("lock a recording in")(io::ErrorKind::WouldBlock.into()));
        }
        let mapping = Mapping::new(&file, size).map_err(io("map a recording in"))?;
        mapping.word(BACKED_BYTES_OFFSET).store(backed as u64, Ordering::Relaxed);
        Ok(Self { mapping, file, identity, lock, temporary, _descriptors: descriptors })
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// A description of the file for reading alone, whatever its name is now.
    pub(crate) fn reopen(&self) -> io::Result<File> {
        self.check_identity()?;
        File::open(descriptor_path(self.file.as_raw_fd()))
    }

    /// Gives the finished file its name; an existing file is never replaced.
    pub(crate) fn publish(&self, path: &Path) -> Result<(), Error> {
        let result = match &self.temporary {
            None => link_descriptor(&self.file, path),
            Some(TemporaryName(temporary)) => {
                std::fs::hard_link(temporary, path).and_then(|()| std::fs::remove_file(temporary))
            }
        };
        result.map_err(|source| Error::Io { what: "create", path: path.to_owned(), source })
    }

    /// Has the file system allocate a range, so that a store to it cannot fail. Calling it again is harmless.
    #[cold]
    pub(crate) fn back(&self, offset: usize, length: usize) -> io::Result<()> {
        self.check_identity()?;
        back(&self.file, offset, length)?;
        // Relaxed: informative.
        self.mapping.word(BACKED_BYTES_OFFSET).fetch_add(length as u64, Ordering::Relaxed);
        Ok(())
    }

    /// An error if the descriptor is another file's by now, which must not grow.
    fn check_identity(&self) -> io::Result<()> {
        if identify(&self.file)? == self.identity {
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Has a section backed ahead, in steps: after it the bytes from `offset` to `offset + length` are.
    #[inline]
    pub(crate) fn back_ahead(&self, ahead: &mut Ahead, offset: usize, length: usize) -> io::Result<()> {
        let end = offset + length;
        if end > ahead.backed {
            let target = end.max(ahead.backed + AHEAD).min(ahead.section_end);
            self.back(ahead.backed, target - ahead.backed)?;
            ahead.backed = target;
        }
        Ok(())
    }

    /// Whether an exporter is attached: somebody holds its lock.
    pub(crate) fn has_exporter(&self) -> bool {
        is_locked(&self.file, EXPORTER_LOCK_BYTE)
    }

    /// Gives the writer's lock up: the recording is closed.
    pub(crate) fn unlock(&self) {
        let mut range = lock_range(libc::F_UNLCK, WRITER_LOCK_BYTE);
        // SAFETY: `fcntl` reads one `flock` structure that lives through the call; the descriptor is open.
        // Failure would leave the lock until the descriptor is closed, which ends it as well.
        unsafe { libc::fcntl(self.lock.as_raw_fd(), libc::F_OFD_SETLK, &raw mut range) };
    }
}

/// A file without a name, or with a hidden temporary one where the file system cannot do that.
fn open_unnamed(directory: &Path) -> io::Result<(File, Option<TemporaryName>)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(MODE);
    match options.clone().custom_flags(libc::O_TMPFILE).open(directory) {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) =>
        {
            let name = format!(".otlp-mmap.{}.{:016x}.tmp", std::process::id(), crate::clock::random_u64());
            let path = directory.join(name);
            let file = options.create_new(true).open(&path)?;
            Ok((file, Some(TemporaryName(path))))
        }
        result => Ok((result?, None)),
    }
}

fn identify(file: &File) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Sizes the file.
fn set_size(file: &File, size: u64) -> io::Result<()> {
    check_limit(size)?;
    file.set_len(size)
}

/// Beyond the process's limit on the size of files is an error here: the system would answer with a signal that ends
/// the process.
fn check_limit(size: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the call, which fills it in.
    if unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0 && size > limit.rlim_cur {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(())
}

/// A second open file description of the same file.
fn reopen(file: &File, temporary: Option<&TemporaryName>) -> io::Result<File> {
    let path = temporary.map_or_else(|| descriptor_path(file.as_raw_fd()), |name| name.0.clone());
    OpenOptions::new().read(true).write(true).open(path)
}

fn descriptor_path(descriptor: RawFd) -> PathBuf {
    format!("/proc/self/fd/{descriptor}").into()
}

fn link_descriptor(file: &File, path: &Path) -> io::Result<()> {
    let from = CString::new(descriptor_path(file.as_raw_fd()).as_os_str().as_bytes())?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both paths are NUL-terminated strings that live through the call.
    let result = unsafe {
        libc::linkat(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), libc::AT_SYMLINK_FOLLOW)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn back(file: &File, offset: usize, length: usize) -> io::Result<()> {
    let (Ok(start), Ok(bytes)) = (i64::try_from(offset), i64::try_from(length)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    loop {
        // SAFETY: plain numbers; the descriptor is open.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, start, bytes) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => return back_by_rewriting(file, offset, length),
            _ => return Err(error),
        }
    }
}

/// Backs a range by reading and writing it again: slower, for file systems without `fallocate`. The range is
/// not in use yet (SPEC "Backing"), so nothing can be stored between reading and writing.
fn back_by_rewriting(file: &File, offset: usize, length: usize) -> io::Result<()> {
    // The limit may have come after the file.
    check_limit((offset + length) as u64)?;
    let mut page = [0; 4096];
    let mut at = offset;
    while at < offset + length {
        let part = &mut page[..(offset + length - at).min(4096)];
        file.read_exact_at(part, at as u64)?;
        file.write_all_at(part, at as u64)?;
        at += part.len();
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // F_*LCK are 0 to 2, offsets small
fn lock_range(kind: i32, byte: u64) -> libc::flock {
    // SAFETY: `flock` is plain numbers, for which zero is a value.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as i16;
    range.l_whence = libc::SEEK_SET as i16;
    range.l_start = byte as i64;
    range.l_len = 1;
    range
}

/// Tries an exclusive open-file-description lock on one byte; `false`: somebody else has it.
fn take_lock(file: &File, byte: u64) -> io::Result<bool> {
    let mut range = lock_range(libc::F_WRLCK, byte);
    // SAFETY: `fcntl` reads one `flock` structure that lives through the call; the descriptor is open.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut range) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

fn is_locked(file: &File, byte: u64) -> bool {
    let mut range = lock_range(libc::F_WRLCK, byte);
    // SAFETY: `fcntl` reads and writes one `flock` structure that lives through the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) };
    result == 0 && i32::from(range.l_type) != libc::F_UNLCK
}
