//! A quota that is used up, limits on the size of files, directories and file systems that are read-only. A full disk
//! is in `writer/tests/full_disk.rs`.

use crate::support::{
    Child, Recorder, become_ordinary, command, filter_system_calls, isolated, last_error, listing, mount,
    numbers, read, skip, small, unshare_mounts, wait_until,
};
use otlp_mmap_reader::{Directory, Exporter, Liveness, Recording};
use otlp_mmap_writer::{Error, Signal};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Fills the quota, records more than the recording has room for, and looks at what is there.
fn record_beyond_the_quota(directory: &Path) {
    let recorder = Recorder::new(directory);
    recorder.record(0).unwrap();
    let filled = std::fs::write(directory.join("filler"), vec![1; 8 << 20]);
    assert_eq!(filled.unwrap_err().raw_os_error(), Some(libc::EDQUOT));
    assert!((1..5_000).all(|number| recorder.record(number).is_ok()));
    let (_, snapshot) = read(recorder.path());
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!((losses.recorded, losses.overwritten + snapshot.events.len() as u64), (5_000, 5_000));
    // All that it had at once would have fitted without a quota. The newest are there, without a gap.
    assert!(losses.overwritten > 0);
    assert!(numbers(&snapshot).into_iter().eq(losses.overwritten..5_000));
    let error = Recorder::create(directory, small).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. } if source.raw_os_error() == Some(libc::EDQUOT)),
        "{error}"
    );
    assert_eq!(listing(directory), [recorder.path(), directory.join("filler")]);
    std::fs::remove_file(directory.join("filler")).unwrap();
    assert!((5_000..6_000).all(|number| recorder.record(number).is_ok()));
}

/// A file system on which an ordinary user has a quota of two megabytes (Linux 6.6).
fn mount_with_quota(directory: &Path) -> std::io::Result<()> {
    unshare_mounts(0)?;
    mount("tmpfs", directory, "tmpfs", 0, "size=64m,mode=777,usrquota,usrquota_block_hardlimit=2m")?;
    become_ordinary()
}

#[test]
fn a_real_quota_costs_records_and_never_the_process() {
    isolated("storage::a_real_quota_costs_records_and_never_the_process", || {
        let directory = tempfile::tempdir().unwrap();
        Child::fork(|| match mount_with_quota(directory.path()) {
            Ok(()) => record_beyond_the_quota(directory.path()),
            Err(error) => skip(format!("no tmpfs with a quota can be mounted: {error}")),
        })
        .join();
    });
}

#[test]
fn a_refused_allocation_costs_records_and_never_the_process() {
    isolated("storage::a_refused_allocation_costs_records_and_never_the_process", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(0).unwrap();
        for number in [libc::EDQUOT, libc::EIO] {
            let error = std::thread::scope(|threads| {
                let refused = threads.spawn(|| {
                    let action = libc::SECCOMP_RET_ERRNO | number.cast_unsigned();
                    filter_system_calls(&[libc::SYS_fallocate], action, libc::SECCOMP_RET_ALLOW);
                    assert!((1..5_000).all(|number| recorder.record(number).is_ok()));
                    Recorder::create(directory.path(), |_| {}).map(|_| ()).unwrap_err()
                });
                refused.join().unwrap()
            });
            let Error::Io { what: "allocate space for a recording in", source, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!(source.raw_os_error(), Some(number));
            assert_eq!(listing(directory.path()), [recorder.path()]);
        }
        let (_, snapshot) = read(recorder.path());
        assert_eq!(snapshot.losses.signal(Signal::Events).recorded, 9_999);
        assert_eq!(snapshot.losses.signal(Signal::Events).lost() + snapshot.events.len() as u64, 9_999);
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
    isolated("storage::a_limit_on_the_size_of_files_is_an_error_and_no_signal", || {
        let directory = tempfile::tempdir().unwrap();
        Child::fork(|| {
            let limit = libc::rlimit { rlim_cur: 2 << 20, rlim_max: libc::RLIM_INFINITY };
            // SAFETY: `limit` lives through the call.
            let set = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
            assert_eq!(set, 0, "{}", last_error());
            let error = Recorder::create(directory.path(), |_| {}).map(|_| ()).unwrap_err();
            let Error::Io { what: "size a recording in", source, .. } = &error else { panic!("{error}") };
            assert_eq!(source.raw_os_error(), Some(libc::EFBIG));
            // A recording that is small enough is not concerned.
            Recorder::new(directory.path()).record(1).unwrap();
        })
        .join();
        let [path] = &listing(directory.path())[..] else { panic!("something was left behind") };
        assert_eq!(numbers(&read(path).1), [1]);
    });
}

#[test]
fn a_limit_that_comes_after_the_file_costs_records_and_never_the_process() {
    isolated("storage::a_limit_that_comes_after_the_file_costs_records_and_never_the_process", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(0).unwrap();
        let limit = libc::rlimit { rlim_cur: 4096, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: `limit` lives through the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0, "{}", last_error());
        std::thread::scope(|threads| {
            let without_fallocate = || {
                // As on a file system that cannot: then space comes by writing, which the limit forbids.
                let action = libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP.cast_unsigned();
                filter_system_calls(&[libc::SYS_fallocate], action, libc::SECCOMP_RET_ALLOW);
                assert!((1..5_000).all(|number| recorder.record(number).is_ok()));
            };
            threads.spawn(without_fallocate).join().unwrap();
        });
        let (_, snapshot) = read(recorder.path());
        let losses = snapshot.losses.signal(Signal::Events);
        assert!(losses.overwritten > 0);
        assert_eq!((losses.recorded, losses.lost() + snapshot.events.len() as u64), (5_000, 5_000));
    });
}

#[test]
fn a_read_only_directory_is_an_error_and_readable() {
    isolated("storage::a_read_only_directory_is_an_error_and_readable", || {
        let directory = tempfile::tempdir().unwrap();
        Child::fork(|| {
            // As an ordinary user throughout, whom modes bind.
            let set_mode = |mode| std::fs::set_permissions(directory.path(), Permissions::from_mode(mode));
            set_mode(0o777).unwrap();
            if let Err(error) = become_ordinary() {
                return skip(format!("root, whom modes do not bind, and no other: {error}"));
            }
            let parent = tempfile::tempdir_in(directory.path()).unwrap();
            let here = parent.path();
            let recorder = Recorder::new(here);
            recorder.record(1).unwrap();
            std::fs::set_permissions(here, Permissions::from_mode(0o555)).unwrap();
            let error = Recorder::create(here, |_| {}).map(|_| ()).unwrap_err();
            assert!(
                matches!(&error, Error::Io { source, .. } if source.raw_os_error() == Some(libc::EACCES))
            );
            assert!(error.to_string().contains(here.to_str().unwrap()), "{error}");
            // A forked child has nowhere to record; its parent goes on.
            Child::fork(|| assert!(matches!(recorder.record(7), Err(Error::Io { .. })))).join();
            recorder.record(2).unwrap();
            assert_eq!(listing(here), [recorder.path()]);
            let mut found = Directory::open(here).unwrap();
            assert_eq!(found.refresh().unwrap().new[0].liveness(), Liveness::Alive);
            assert_eq!(numbers(&read(recorder.path()).1), [1, 2]);
            std::fs::set_permissions(here, Permissions::from_mode(0o755)).unwrap();
        })
        .join();
    });
}

#[test]
fn a_read_only_file_is_read_and_told_alive_and_cannot_be_acknowledged() {
    isolated("storage::a_read_only_file_is_read_and_told_alive_and_cannot_be_acknowledged", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(1).unwrap();
        let path = recorder.path();
        std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o555)).unwrap();
        Child::fork(|| {
            if let Err(error) = become_ordinary() {
                return skip(format!("root, whom modes do not bind, and no other: {error}"));
            }
            let (recording, snapshot) = read(&path);
            assert_eq!((recording.liveness(), numbers(&snapshot)), (Liveness::Alive, vec![1]));
            let error = Exporter::attach(&path).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("ermission denied"), "{error}");
        })
        .join();
        std::fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        Child::fork(|| {
            if become_ordinary().is_ok() {
                let (exit, _, stderr) = command(&["dump", directory.path().to_str().unwrap()]);
                assert_eq!(exit, 2);
                assert!(stderr.contains("ermission denied"), "{stderr}");
            }
        })
        .join();
    });
}

#[test]
fn a_read_only_mount_of_a_living_recording_is_read() {
    isolated("storage::a_read_only_mount_of_a_living_recording_is_read", || {
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let recorder = Recorder::new(directory.path());
        recorder.record(1).unwrap();
        let original = recorder.path();
        Child::fork(|| {
            let source = directory.path().to_str().unwrap();
            let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
            let mounted = unshare_mounts(0)
                .and_then(|()| mount(source, elsewhere.path(), "", libc::MS_BIND, ""))
                .and_then(|()| mount("none", elsewhere.path(), "", read_only, ""));
            if let Err(error) = mounted {
                return skip(format!("no read-only mount: {error}"));
            }
            let path = elsewhere.path().join(original.file_name().unwrap());
            let (recording, snapshot) = read(&path);
            // The lock is the file's, whatever way leads to it.
            assert_eq!((recording.liveness(), numbers(&snapshot)), (Liveness::Alive, vec![1]));
            let error = Recorder::create(elsewhere.path(), |_| {}).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("ead-only file system"), "{error}");
            let error = Exporter::attach(&path).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("ead-only file system"), "{error}");
        })
        .join();
    });
}

#[test]
fn a_mount_that_turns_read_only_under_a_writer_costs_nothing() {
    isolated("storage::a_mount_that_turns_read_only_under_a_writer_costs_nothing", || {
        let directory = tempfile::tempdir().unwrap();
        Child::fork(|| {
            let mounted =
                unshare_mounts(0).and_then(|()| mount("tmpfs", directory.path(), "tmpfs", 0, "size=64m"));
            if let Err(error) = mounted {
                return skip(format!("no file system of its own: {error}"));
            }
            let recorder = Recorder::new(directory.path());
            recorder.record(0).unwrap();
            // The kernel refuses while the file is mapped for writing; a writer is never cut off.
            let remounted = mount("none", directory.path(), "", libc::MS_REMOUNT | libc::MS_RDONLY, "");
            assert_eq!(remounted.unwrap_err().raw_os_error(), Some(libc::EBUSY));
            assert!((1..5_000).all(|number| recorder.record(number).is_ok()));
            assert!(numbers(&read(recorder.path()).1).into_iter().eq(0..5_000));
            let path = recorder.path();
            drop(recorder);
            wait_until("read-only", || {
                mount("none", directory.path(), "", libc::MS_REMOUNT | libc::MS_RDONLY, "").is_ok()
            });
            assert!(matches!(Recording::open(&path).unwrap().liveness(), Liveness::Closed { .. }));
            assert_eq!(read(&path).1.events.len(), 5_000);
        })
        .join();
    });
}
