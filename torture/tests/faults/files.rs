//! Files that are no recordings, or none that can be read, among those that are; one path for two writers.

use crate::support::{Child, Recorder, command, isolated, listing, numbers, read, small};
use otlp_mmap_format::{HEADER_CRC_OFFSET, Header};
use otlp_mmap_reader::{Directory, Error as ReaderError, Liveness, Recording};
use otlp_mmap_writer::Error;
use std::mem::offset_of;
use std::path::Path;
use std::sync::Barrier;

/// The bytes of a closed recording of one event.
fn recorded() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(directory.path());
    recorder.record(1).unwrap();
    let path = recorder.path();
    drop(recorder);
    std::fs::read(path).unwrap()
}

/// A copy with bytes of its header changed, and the header's check made good.
fn changed(bytes: &[u8], offset: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + value.len()].copy_from_slice(value);
    let crc = crc32c::crc32c(&bytes[..HEADER_CRC_OFFSET]);
    bytes[HEADER_CRC_OFFSET..HEADER_CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Puts every kind of file into a directory; the names of those that can be read.
fn fill(directory: &Path) -> [&'static str; 3] {
    let bytes = recorded();
    let major = offset_of!(Header, version_major);
    let minor = offset_of!(Header, version_minor);
    let compatible = offset_of!(Header, compat_flags);
    let incompatible = offset_of!(Header, incompat_flags);
    let put = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).unwrap();
    put("a-empty.otlpmm", &[]);
    put("b-good.otlpmm", &bytes);
    put("c-next-major.otlpmm", &changed(&bytes, major, &2_u16.to_le_bytes()));
    put("d-next-minor.otlpmm", &changed(&bytes, minor, &9_u16.to_le_bytes()));
    put("e-compatible.otlpmm", &changed(&bytes, compatible, &[1]));
    put("f-incompatible.otlpmm", &changed(&bytes, incompatible, &[1]));
    put("g-short.otlpmm", &bytes[..100]);
    put("h-zeros.otlpmm", &vec![0; 64 << 10]);
    put("i-text.otlpmm", "text\n".repeat(10_000).as_bytes());
    put(".otlp-mmap.1.0123456789abcdef.tmp", &[]);
    put("j-other.log", b"text");
    std::fs::create_dir(directory.join("k-directory.otlpmm")).unwrap();
    std::os::unix::fs::symlink("nowhere", directory.join("l-dangling.otlpmm")).unwrap();
    std::os::unix::fs::symlink("m-loop.otlpmm", directory.join("m-loop.otlpmm")).unwrap();
    ["b-good.otlpmm", "d-next-minor.otlpmm", "e-compatible.otlpmm"]
}

#[test]
fn empty_files_and_those_of_a_future_version_hide_no_other() {
    isolated("files::empty_files_and_those_of_a_future_version_hide_no_other", || {
        let directory = tempfile::tempdir().unwrap();
        let readable = fill(directory.path());
        let mut found = Directory::open(directory.path()).unwrap();
        let changes = found.refresh().unwrap();
        let names = changes.new.iter().map(|recording| recording.path().file_name().unwrap());
        assert!(names.eq(readable));
        for recording in &changes.new {
            assert_eq!(numbers(&recording.snapshot().unwrap()), [1], "{}", recording.path().display());
        }
        let fault = |name: &str| {
            let path = directory.path().join(name);
            let fault = changes.faults.iter().find(|fault| fault.path == path);
            &fault.unwrap_or_else(|| panic!("{name} was not told")).error
        };
        assert!(matches!(fault("a-empty.otlpmm"), ReaderError::TooShort { found: 0, .. }));
        assert!(matches!(
            fault("c-next-major.otlpmm"),
            ReaderError::UnsupportedVersion { expected: 1, found: 2, .. }
        ));
        assert!(matches!(fault("f-incompatible.otlpmm"), ReaderError::UnsupportedFeatures { found: 1, .. }));
        assert!(matches!(fault("g-short.otlpmm"), ReaderError::TooShort { found: 100, .. }));
        assert!(matches!(fault("h-zeros.otlpmm"), ReaderError::NotARecording { .. }));
        assert!(matches!(fault("i-text.otlpmm"), ReaderError::NotARecording { .. }));
        assert!(matches!(fault("k-directory.otlpmm"), ReaderError::Io { .. }));
        assert!(matches!(fault("m-loop.otlpmm"), ReaderError::Io { .. }));
        assert_eq!(changes.faults.len(), 8);
        // Each is told once.
        let changes = found.refresh().unwrap();
        assert!(changes.new.is_empty() && changes.vanished.is_empty());
        assert!(changes.faults.is_empty(), "told again: {:?}", changes.faults);
    });
}

#[test]
fn the_commands_read_past_empty_files_and_those_of_a_future_version() {
    isolated("files::the_commands_read_past_empty_files_and_those_of_a_future_version", || {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path());
        let path = directory.path().to_str().unwrap();
        for (args, lines) in [
            (&["dump", "--format", "jsonl", "--signal", "events", path][..], 3),
            (&["tail", "--format", "jsonl", path], 3),
            (&["stat", "--format", "jsonl", path], 3),
        ] {
            let (exit, stdout, stderr) = command(args);
            assert_eq!((exit, stdout.lines().count()), (2, lines), "{args:?}: {stdout}{stderr}");
            assert!(
                stderr.contains("format version 2 (at offset 12) is not supported, expected 1"),
                "{stderr}"
            );
            assert!(stderr.contains("a-empty.otlpmm: file too short"), "{stderr}");
        }
    });
}

#[test]
fn a_file_that_is_in_the_way_is_left_as_it_is() {
    isolated("files::a_file_that_is_in_the_way_is_left_as_it_is", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken.otlpmm");
        let other = directory.path().join("other");
        let taken = |create: &dyn Fn()| {
            create();
            let error = Recorder::create(&path, |_| {}).map(|_| ()).unwrap_err();
            let Error::Io { what: "create", path: told, source } = &error else { panic!("{error}") };
            assert_eq!((told, source.raw_os_error()), (&path, Some(libc::EEXIST)));
        };
        taken(&|| std::fs::write(&path, "").unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
        taken(&|| std::fs::write(&path, recorded()).unwrap());
        assert_eq!(numbers(&read(&path).1), [1]);
        std::fs::remove_file(&path).unwrap();
        // A link that leads nowhere is a name that is taken, and nothing is made where it leads.
        taken(&|| std::os::unix::fs::symlink(&other, &path).unwrap());
        assert_eq!(listing(directory.path()), [path]);
    });
}

#[test]
fn of_many_writers_at_one_path_one_records() {
    isolated("files::of_many_writers_at_one_path_one_records", || {
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("same.otlpmm");
            let barrier = Barrier::new(8);
            let create = |number: u64| {
                barrier.wait();
                let recorder = Recorder::create(&path, small).ok()?;
                recorder.record(number).unwrap();
                Some((number, recorder))
            };
            let created: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || create(number))).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            let [(number, recorder)] = &created[..] else { panic!("{} writers", created.len()) };
            // Another process is refused as well.
            Child::fork(|| assert!(Recorder::create(&path, |_| {}).is_err())).join();
            recorder.record(100).unwrap();
            let (recording, snapshot) = read(&path);
            assert_eq!((recording.liveness(), numbers(&snapshot)), (Liveness::Alive, vec![*number, 100]));
            assert_eq!(listing(directory.path()), std::slice::from_ref(&path));
        }
    });
}

#[test]
fn two_writers_of_a_process_and_many_readers_share_a_directory() {
    isolated("files::two_writers_of_a_process_and_many_readers_share_a_directory", || {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (Recorder::new(directory.path()), Recorder::new(directory.path()));
        one.record(1).unwrap();
        two.record(2).unwrap();
        assert_ne!(one.path(), two.path());
        // The same file twice in one process: closing one reader's descriptor takes nobody's lock.
        let twice = [Recording::open(one.path()).unwrap(), Recording::open(one.path()).unwrap()];
        let [first, second] = twice;
        assert_eq!(first.liveness(), Liveness::Alive);
        drop(first);
        assert_eq!(second.liveness(), Liveness::Alive);
        let path = directory.path().to_str().unwrap();
        let (exit, stdout, _) = command(&["dump", "--format", "jsonl", "--signal", "events", path, path]);
        assert_eq!((exit, stdout.lines().count()), (0, 2));
        drop(one);
        assert!(matches!(second.liveness(), Liveness::Closed { .. }));
        assert_eq!(read(two.path()).0.liveness(), Liveness::Alive);
    });
}
