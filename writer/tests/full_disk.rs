//! A full disk: a real file system of one megabyte, mounted in a namespace of its own. Where the kernel forbids such
//! namespaces (in most containers), a thread whose `fallocate` the kernel answers with `ENOSPC`.

mod support;

use otlp_mmap_reader::Recording;
use otlp_mmap_writer::{Config, Counter, Error, Event, KeyValue, Signal, SpanKind, SpanStart, Value, Writer};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// The disk that gets full.
enum Disk {
    /// A file system of its own, and the file that fills it.
    Small(PathBuf),
    /// Any; what fills it is a thread's filter.
    Refusing,
}

impl Disk {
    /// Leaves this thread no space.
    fn fill(&self) {
        match self {
            Self::Small(other) => while std::fs::write(other, vec![1; 16 << 20]).is_ok() {},
            Self::Refusing => {
                let no_space = libc::SECCOMP_RET_ERRNO | libc::ENOSPC.cast_unsigned();
                support::filter_system_calls(&[libc::SYS_fallocate], no_space, libc::SECCOMP_RET_ALLOW);
            }
        }
    }

    /// Gives the space back, to other threads at least.
    fn free(&self) {
        if let Self::Small(other) = self {
            std::fs::remove_file(other).unwrap();
        }
    }
}

/// Gives this process mounts of its own: by right, or as the root of a user namespace, where a file system takes files
/// of users alone that are known there.
fn own_mounts() -> bool {
    // SAFETY: plain numbers.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    // SAFETY: plain numbers; the process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0 {
        return true;
    }
    // SAFETY: as above.
    (unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) }) == 0
        && std::fs::write("/proc/self/setgroups", "deny").is_ok()
        && std::fs::write("/proc/self/uid_map", format!("0 {user} 1")).is_ok()
        && std::fs::write("/proc/self/gid_map", format!("0 {group} 1")).is_ok()
}

/// Runs `work` in a forked child that has a tmpfs of `size` bytes on `directory`, if the kernel allows that.
fn on_small_disk(directory: &Path, size: &str, work: impl FnOnce(&Disk)) {
    // SAFETY: the child mounts, runs `work` and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let target = CString::new(directory.as_os_str().as_encoded_bytes()).unwrap();
        let options = CString::new(format!("size={size}")).unwrap();
        // SAFETY: all strings are NUL-terminated and live through the calls.
        let mounted = unsafe {
            own_mounts()
                && libc::mount(
                    c"none".as_ptr(),
                    c"/".as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                && libc::mount(
                    c"tmpfs".as_ptr(),
                    target.as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    options.as_ptr().cast(),
                ) == 0
        };
        let disk = if mounted { Disk::Small(directory.join("other")) } else { Disk::Refusing };
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&disk))).is_ok();
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "killed by signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "see the child's panic above");
}

fn record_until_full(directory: &Path, disk: &Disk) {
    let writer = Writer::create(Config::new(directory)).unwrap();
    let resource = writer.create_resource(&(), None).unwrap();
    let scope = writer.create_instrumentation_scope(resource, "full", None, None, &()).unwrap();
    let filler = "x".repeat(1000);
    let attributes = [KeyValue { key: "filler", value: Value::String(&filler) }];
    let record = |time_unix_nano| {
        writer.record_event(&Event {
            scope,
            context: None,
            name: None,
            time_unix_nano,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: None,
            attributes: &attributes,
            dropped_attributes_count: 0,
        })
    };
    let start = |number: u8| {
        writer.start_span(&SpanStart {
            scope,
            trace_id: [number; 16],
            span_id: [number; 8],
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 0,
            name: "span".into(),
            kind: SpanKind::Internal,
            start_time_unix_nano: 1,
            attributes: &(),
        })
    };
    let record_on_full_disk = || {
        // Somebody else fills the disk after the first record.
        record(0).unwrap();
        disk.fill();
        let recorded = (1..2_000).take_while(|&time| record(time).is_ok()).count() as u64;
        // With one segment there is nothing to overwrite but itself, and it is.
        assert_eq!(recorded, 1_999);
        // No block of the table has space: the span waits in process memory, and has no segment at its end.
        let span = start(1).unwrap();
        assert!(matches!(writer.end_span(span, 2), Err(Error::NoSpace)));
    };
    std::thread::scope(|threads| threads.spawn(record_on_full_disk).join().unwrap());
    let recording = Recording::open(writer.path().unwrap()).unwrap();
    let snapshot = support::clean(&recording);
    let losses = snapshot.losses.signal(Signal::Events);
    assert_eq!((losses.recorded, losses.overwritten + snapshot.events.len() as u64), (2_000, 2_000));
    assert_eq!(snapshot.losses.signal(Signal::Spans).counter(Counter::NoSpace), 1);
    // With room again, recording goes on.
    disk.free();
    writer.end_span(start(2).unwrap(), 2).unwrap();
    assert_eq!(support::clean(&recording).spans.len(), 1);
}

#[test]
fn a_full_disk_costs_records_and_never_the_process() {
    let directory = tempfile::tempdir().unwrap();
    on_small_disk(directory.path(), "1m", |disk| record_until_full(directory.path(), disk));
}

#[test]
fn a_disk_without_room_for_a_recording_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    on_small_disk(directory.path(), "16k", |disk| {
        if let Disk::Refusing = disk {
            disk.fill();
        }
        let error = Writer::create(Config::new(directory.path())).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("space"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    });
}
