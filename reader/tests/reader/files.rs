//! Directories of recordings.

use std::fs;

use otlp_mmap_reader::{Directory, Error, Recording};

use crate::support::Image;

#[test]
fn files_come_and_go_and_a_bad_one_hides_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("b.1.otlpmm"), &Image::new().bytes).unwrap();
    fs::write(path("a.1.otlpmm"), &Image::new().bytes).unwrap();
    fs::write(path("bad.otlpmm"), b"nothing").unwrap();
    fs::write(path(".making.otlpmm"), b"not yet").unwrap();
    fs::write(path("notes.txt"), b"text").unwrap();
    let mut found = Directory::open(directory.path()).unwrap();
    assert_eq!(found.recordings().count(), 0);
    let changes = found.refresh().unwrap();
    let names: Vec<_> = changes.new.iter().map(|r| r.path().file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.1.otlpmm", "b.1.otlpmm"]);
    assert_eq!(changes.faults[0].path, path("bad.otlpmm"));
    assert!(matches!(changes.faults[0].error, Error::TooShort { .. }));

    let changes = found.refresh().unwrap();
    assert!(changes.new.is_empty() && changes.vanished.is_empty() && changes.faults.is_empty());

    fs::remove_file(path("a.1.otlpmm")).unwrap();
    fs::write(path("bad.otlpmm"), &Image::new().bytes).unwrap();
    let changes = found.refresh().unwrap();
    assert_eq!(changes.vanished, [path("a.1.otlpmm")]);
    assert_eq!(changes.new[0].path(), path("bad.otlpmm"));
    assert_eq!(found.recordings().count(), 2);

    fs::write(path("new"), &Image::new().bytes).unwrap();
    fs::rename(path("new"), path("b.1.otlpmm")).unwrap();
    let changes = found.refresh().unwrap();
    assert_eq!((changes.new.len(), changes.vanished), (1, vec![path("b.1.otlpmm")]));
}

#[test]
fn a_released_recording_is_new_again_only_if_it_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    fs::write(&path, &Image::new().bytes).unwrap();
    let mut found = Directory::open(directory.path()).unwrap();
    assert_eq!(found.refresh().unwrap().new.len(), 1);
    found.release(&path);
    assert_eq!(found.recordings().count(), 0);
    let changes = found.refresh().unwrap();
    assert!(changes.new.is_empty() && changes.vanished.is_empty());
    // Its inode is free, and may be the new file's; the clock of file times moves every few milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(30));
    fs::remove_file(&path).unwrap();
    fs::write(&path, &Image::new().bytes).unwrap();
    let changes = found.refresh().unwrap();
    assert_eq!((changes.new.len(), changes.vanished), (1, vec![path]));
}

#[test]
fn one_file_is_a_directory_of_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &Image::new().bytes).unwrap();
    let mut found = Directory::open(file.path()).unwrap();
    assert_eq!(found.refresh().unwrap().new.len(), 1);
    file.close().unwrap();
    assert_eq!(found.refresh().unwrap().vanished.len(), 1);
    assert!(matches!(Directory::open("/nonexistent"), Err(Error::Io { .. })));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe.otlpmm");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert!(Recording::open(&path).is_err());
    let changes = Directory::open(directory.path()).unwrap().refresh().unwrap();
    assert_eq!(changes.faults.len(), 1);
}
