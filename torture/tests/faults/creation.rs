//! A writer killed before and after each system call of its creation, and what a reader of the directory finds then.
//!
//! The child is traced: it stops at each entry to a system call and at each return from one. In the first run it is
//! killed at the first stop, in the next at the second, until a run comes to the end of the creation.

use crate::seccomp::refuse_unnamed_files;
use crate::support::{Child, Recorder, isolated, last_error, leave, listing, numbers, read, skip, small};
use otlp_mmap_reader::{Directory, Liveness, Recording};
use otlp_mmap_writer::{Config, Writer};
use std::path::{Path, PathBuf};

/// Most stops of a creation: it has fewer than a hundred system calls.
const MOST_STOPS: usize = 400;

/// What was found in the directory over all kills.
#[derive(Debug, Default)]
struct Found {
    nothing: usize,
    temporary: usize,
    /// Under its own name, perhaps beside its temporary one.
    recording: usize,
    both: usize,
}

/// Starts `create` in a child that is traced from there on; an error if that is forbidden.
fn trace(create: &dyn Fn()) -> Result<Child, std::io::Error> {
    // SAFETY: as in `Child::fork`.
    let mut child = Child::new(match unsafe { libc::fork() } {
        0 => leave(|| {
            let none = std::ptr::null_mut::<libc::c_void>();
            // SAFETY: makes this process one that its parent traces; the two pointers are not used.
            if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) } != 0 {
                // SAFETY: leaves at once.
                unsafe { libc::_exit(last_error().raw_os_error().unwrap_or(1)) };
            }
            // SAFETY: stops this process until its parent has it go on.
            unsafe { libc::raise(libc::SIGSTOP) };
            create();
            // SAFETY: as above.
            unsafe { libc::raise(libc::SIGSTOP) };
        }),
        pid => pid,
    });
    let status = child.wait_for(libc::WUNTRACED);
    if libc::WIFEXITED(status) {
        return Err(std::io::Error::from_raw_os_error(libc::WEXITSTATUS(status)));
    }
    Ok(child)
}

/// Lets a traced child go on until it enters or leaves a system call; `false`: it has come to its end.
fn to_next_stop(child: &mut Child) -> bool {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the child is stopped, and this thread traces it; the two pointers are not used.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, child.pid, none, none) }, 0, "{}", last_error());
    let status = child.wait_for(0);
    assert!(libc::WIFSTOPPED(status), "the creation ended with status {status:#x}; see above");
    libc::WSTOPSIG(status) == libc::SIGTRAP
}

/// Kills `create` at each of its stops and looks at what that left in the directory, which is then emptied. `check`
/// looks at each file with a name besides. `None`: tracing is forbidden.
fn kill_at_each_stop(directory: &Path, create: &dyn Fn(), check: &dyn Fn(&Recording)) -> Option<Found> {
    let mut all = Found::default();
    for stops in 0..MOST_STOPS {
        let mut child = match trace(create) {
            Ok(child) => child,
            Err(error) => {
                skip(format!("a child cannot be traced: {error}"));
                return None;
            }
        };
        let ended = !(0..stops).all(|_| to_next_stop(&mut child));
        // A file with a name is complete, and its writer holds the lock.
        for path in named(directory) {
            assert_eq!(Recording::open(&path).unwrap().liveness(), Liveness::Alive, "after {stops} stops");
            check(&read(&path).0);
        }
        child.kill();
        check_the_dead(directory, &mut all);
        for path in listing(directory) {
            std::fs::remove_file(path).unwrap();
        }
        if ended {
            return Some(all);
        }
    }
    panic!("more than {MOST_STOPS} stops")
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".otlp-mmap."))
}

fn named(directory: &Path) -> Vec<PathBuf> {
    listing(directory).into_iter().filter(|path| !is_temporary(path)).collect()
}

/// What a reader finds of a creation that was killed.
fn check_the_dead(directory: &Path, all: &mut Found) {
    let (files, named) = (listing(directory), named(directory));
    let temporary = files.len() - named.len();
    assert!(named.len() <= 1 && temporary <= 1, "{files:?}");
    let changes = Directory::open(directory).unwrap().refresh().unwrap();
    assert_eq!((changes.new.len(), changes.faults.len()), (named.len(), 0));
    for recording in &changes.new {
        assert_eq!(recording.liveness(), Liveness::Dead);
        let (_, snapshot) = read(recording.path());
        assert!(snapshot.events.is_empty() && snapshot.spans.is_empty());
    }
    match (named.len(), temporary) {
        (0, 0) => all.nothing += 1,
        (0, _) => all.temporary += 1,
        (_, 0) => all.recording += 1,
        _ => all.both += 1,
    }
}

fn create(directory: &Path) {
    let mut config = Config::new(directory);
    small(&mut config);
    std::mem::forget(Writer::create(config).unwrap());
}

#[test]
fn killed_at_each_system_call_of_a_creation() {
    isolated("creation::killed_at_each_system_call_of_a_creation", || {
        let directory = tempfile::tempdir().unwrap();
        let found = kill_at_each_stop(directory.path(), &|| create(directory.path()), &|_| {});
        let Some(found) = found else { return };
        // The file has no name before its last step.
        assert!(found.nothing > 20 && found.recording > 0, "{found:?}");
        assert_eq!((found.temporary, found.both), (0, 0), "{found:?}");
    });
}

#[test]
fn killed_at_each_system_call_of_a_creation_without_unnamed_files() {
    isolated("creation::killed_at_each_system_call_of_a_creation_without_unnamed_files", || {
        let directory = tempfile::tempdir().unwrap();
        let create = || {
            refuse_unnamed_files();
            create(directory.path());
        };
        let Some(found) = kill_at_each_stop(directory.path(), &create, &|_| {}) else { return };
        assert!(found.nothing > 0 && found.temporary > 10 && found.recording > 0, "{found:?}");
        // Between `link` and `unlink` the file has two names.
        assert!(found.both > 0, "{found:?}");
    });
}

#[test]
fn killed_at_each_system_call_of_a_forked_childs_creation() {
    isolated("creation::killed_at_each_system_call_of_a_forked_childs_creation", || {
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let parent = Recorder::new(directory.path());
        parent.record(1).unwrap();
        // The child's own file is alone in the directory.
        std::fs::rename(parent.path(), elsewhere.path().join("parent.otlpmm")).unwrap();
        let is_the_childs = |recording: &Recording| assert!(recording.header().parent_file_id.is_some());
        let create = || drop(parent.path());
        let Some(found) = kill_at_each_stop(directory.path(), &create, &is_the_childs) else { return };
        assert!(found.nothing > 20 && found.recording > 0, "{found:?}");
        assert_eq!((found.temporary, found.both), (0, 0), "{found:?}");
        assert_eq!(numbers(&read(elsewhere.path().join("parent.otlpmm")).1), [1]);
    });
}
