//! Too few file descriptors (`EMFILE`).

use crate::support::{Child, Recorder, isolated, last_error, listing, numbers, read, wait_until};
use otlp_mmap_reader::{Directory, Error as ReaderError};
use otlp_mmap_writer::Error;
use std::fs::File;

/// Lets this process have `spare` more descriptors than it has, and no gaps among those.
fn limit_descriptors(spare: u64) {
    let highest = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<u64>().unwrap())
        .max()
        .unwrap();
    // Fills what is free below, so that the number of spare ones is exact.
    loop {
        let file = File::open("/dev/null").unwrap();
        let number = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&file)).unwrap();
        if number > highest {
            break;
        }
        std::mem::forget(file);
    }
    set_limit(highest + 1 + spare);
}

fn set_limit(descriptors: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0, "{}", last_error());
        limit.rlim_cur = descriptors.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0, "{}", last_error());
    }
}

#[test]
fn a_recording_has_all_its_descriptors_or_is_an_error_that_leaves_nothing() {
    isolated("descriptors::a_recording_has_all_its_descriptors_or_is_an_error_that_leaves_nothing", || {
        let mut created = Vec::new();
        for spare in 0..6 {
            let directory = tempfile::tempdir().unwrap();
            Child::fork(|| {
                limit_descriptors(spare);
                match Recorder::create(directory.path(), |_| {}) {
                    Ok(recorder) => (0..2_000).for_each(|number| recorder.record(number).unwrap()),
                    Err(Error::Io { source, path, .. }) => {
                        assert_eq!(source.raw_os_error(), Some(libc::EMFILE), "{source}");
                        assert_eq!(path, directory.path());
                    }
                    Err(error) => panic!("{error}"),
                }
            })
            .join();
            let found = listing(directory.path());
            for path in &found {
                let (recording, snapshot) = read(path);
                assert!(numbers(&snapshot).into_iter().eq(0..2_000));
                // Nothing of the header was left out for want of a descriptor.
                let header = recording.header();
                assert!(
                    recording.same_boot() && header.process_start_ticks != 0 && header.pid_namespace != 0
                );
            }
            created.push(found.len());
        }
        // One for the mapped file, one for the lock.
        assert_eq!(created, [0, 0, 1, 1, 1, 1]);
    });
}

#[test]
fn a_forked_child_without_descriptors_is_told_and_its_parent_goes_on() {
    isolated("descriptors::a_forked_child_without_descriptors_is_told_and_its_parent_goes_on", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(1).unwrap();
        // The child has none but its parent's two, which it closes and does not need more than.
        limit_descriptors(0);
        Child::fork(|| recorder.record(7).unwrap()).join();
        Child::fork(|| {
            let taken = File::open("/dev/null").unwrap();
            for _ in 0..3 {
                let Err(Error::Io { source, .. }) = recorder.record(8) else { panic!("recorded") };
                assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
            }
            // Tried again about a second later.
            drop(taken);
            wait_until("recording", || recorder.record(9).is_ok());
        })
        .join();
        set_limit(1_000);
        recorder.record(2).unwrap();
        let (_, snapshot) = read(recorder.path());
        assert_eq!(numbers(&snapshot), [1, 2]);
        // What its child was refused is none of the parent's losses.
        assert_eq!(snapshot.losses.counters().map(|(_, _, counted)| counted).max(), Some(0));
        let children = listing(directory.path()).into_iter().filter(|path| *path != recorder.path());
        let mut recorded: Vec<_> = children.map(|path| numbers(&read(path).1)).collect();
        recorded.sort();
        assert_eq!(recorded, [[7], [9]]);
    });
}

#[test]
fn a_directory_is_read_as_far_as_descriptors_reach_and_on_when_there_are_more() {
    isolated(
        "descriptors::a_directory_is_read_as_far_as_descriptors_reach_and_on_when_there_are_more",
        || {
            let directory = tempfile::tempdir().unwrap();
            for number in 0..6 {
                Recorder::new(&directory.path().join(format!("{number}.otlpmm"))).record(number).unwrap();
            }
            Child::fork(|| {
                let mut found = Directory::open(directory.path()).unwrap();
                // Four, as listing the directory takes one that is free again afterwards.
                limit_descriptors(4);
                let changes = found.refresh().unwrap();
                let kept = changes.new.len();
                assert_eq!((kept, changes.faults.len()), (4, 2));
                for fault in &changes.faults {
                    let ReaderError::Io { source, .. } = &fault.error else { panic!("{}", fault.error) };
                    assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
                }
                set_limit(1_000);
                let changes = found.refresh().unwrap();
                assert_eq!((changes.new.len(), changes.faults.len()), (2, 0), "never tried again");
                assert_eq!(found.recordings().count(), 6);
                assert!(found.refresh().unwrap().new.is_empty());
            })
            .join();
        },
    );
}
