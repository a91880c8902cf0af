//! Processes: their ids, their ends, and what their children inherit. Kills at random moments, and children of `fork`
//! that outlive their parent, are in `writer/tests/processes.rs`.

use crate::support::{
    Child, Recorder, Shared, isolated, last_error, leave, listing, mount, numbers, read, skip, unshare,
    unshare_mounts, wait_until,
};
use otlp_mmap_format::WRITER_LOCK_BYTE;
use otlp_mmap_reader::{Directory, Liveness, Recording, model};
use otlp_mmap_writer::{Aggregation, MetricStream, Number, Temporality};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Stays until it is killed, also by the death of its parent.
fn stay() -> ! {
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

/// A child by the bare system call: no fork handler runs, and every descriptor is inherited.
fn clone_bare(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: as `fork`, without its handlers: the caller has one thread, so no lock is held.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match i32::try_from(pid).unwrap() {
        0 => leave(work),
        pid => pid,
    }
}

/// A child with a pid of one's choice.
fn clone_with_pid(pid: libc::pid_t, work: impl FnOnce()) -> std::io::Result<Child> {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.exit_signal = libc::SIGCHLD.cast_unsigned().into();
    args.set_tid = (&raw const pid) as u64;
    args.set_tid_size = 1;
    // SAFETY: `args` and `pid` live through the call; otherwise as `clone_bare`.
    let made = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    match made {
        0 => leave(work),
        -1 => Err(last_error()),
        made => Ok(Child::new(i32::try_from(made).unwrap())),
    }
}

/// Words that a namespace's processes share with the test.
const FORBIDDEN: usize = 0;
const READY: usize = 1;
const END: usize = 2;

/// Runs `work` as process 1 of a pid namespace of its own, until it ends or the test says so. What the kernel forbids
/// is told as a skip, and to the test.
fn in_pid_namespace(shared: Shared, work: impl FnOnce()) -> Child {
    Child::fork(|| {
        if let Err(error) = unshare(libc::CLONE_NEWPID) {
            shared.set(FORBIDDEN, 1);
            return skip(format!("no pid namespace: {error}"));
        }
        let mut first = Child::fork(work);
        while shared.get(END) == 0 {
            if let Some(status) = first.try_wait() {
                return assert_eq!(status, 0, "process 1 ended with status {status:#x}; see above");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        first.kill();
    })
}

#[test]
fn two_writers_with_the_pid_one_on_one_volume_live_and_die_apart() {
    isolated("processes::two_writers_with_the_pid_one_on_one_volume_live_and_die_apart", || {
        let directory = tempfile::tempdir().unwrap();
        let shared = [Shared::new(), Shared::new()];
        let start = |number: u64, shared: Shared| {
            in_pid_namespace(shared, || {
                let recorder = Recorder::new(directory.path());
                recorder.record(number).unwrap();
                shared.set(READY, 1);
                stay();
            })
        };
        let [one, two] = [start(1, shared[0]), start(2, shared[1])];
        wait_until("two writers", || {
            shared.iter().all(|shared| shared.get(READY) > 0 || shared.get(FORBIDDEN) > 0)
        });
        if shared.iter().any(|shared| shared.get(FORBIDDEN) > 0) {
            return;
        }
        let mut found = Directory::open(directory.path()).unwrap();
        let mut recordings = found.refresh().unwrap().new;
        recordings.sort_by_key(|recording| numbers(&recording.snapshot().unwrap()));
        let [first, second] = &recordings[..] else { panic!("{recordings:?}") };
        assert_eq!((first.header().pid, second.header().pid), (1, 1));
        assert_ne!(first.header().pid_namespace, second.header().pid_namespace);
        assert_ne!(first.path(), second.path());
        let alive = || [first.liveness(), second.liveness()].map(|liveness| liveness == Liveness::Alive);
        assert_eq!(alive(), [true, true]);
        shared[0].set(END, 1);
        one.join();
        assert_eq!((first.liveness(), alive()), (Liveness::Dead, [false, true]));
        shared[1].set(END, 1);
        two.join();
        assert_eq!((second.liveness(), alive()), (Liveness::Dead, [false, false]));
        assert_eq!((numbers(&read(first.path()).1), numbers(&read(second.path()).1)), (vec![1], vec![2]));
    });
}

#[test]
fn a_reader_that_sees_another_namespaces_proc_does_not_take_the_living_for_dead() {
    isolated(
        "processes::a_reader_that_sees_another_namespaces_proc_does_not_take_the_living_for_dead",
        || {
            let directory = tempfile::tempdir().unwrap();
            let shared = Shared::new();
            let child = in_pid_namespace(shared, || {
                // `/proc` is still the outer one, where process 1 is another.
                let recorder = Recorder::new(directory.path());
                recorder.record(1).unwrap();
                let path = recorder.path();
                let (recording, _) = read(&path);
                assert_eq!(recording.header().pid, 1);
                assert_eq!(recording.liveness(), Liveness::Alive);
                Child::fork(|| assert_eq!(read(&path).0.liveness(), Liveness::Alive)).join();
                shared.set(READY, 1);
            });
            child.join();
            assert!(shared.get(READY) > 0 || shared.get(FORBIDDEN) > 0);
        },
    );
}

#[test]
fn a_dead_writers_pid_may_belong_to_another_process() {
    isolated("processes::a_dead_writers_pid_may_belong_to_another_process", || {
        let directory = tempfile::tempdir().unwrap();
        Child::fork(|| {
            let namespaces = unshare_mounts(libc::CLONE_NEWPID);
            if let Err(error) = namespaces {
                return skip(format!("no pid namespace: {error}"));
            }
            Child::fork(|| match mount("proc", Path::new("/proc"), "proc", 0, "") {
                Ok(()) => reuse_a_pid(directory.path()),
                Err(error) => skip(format!("no proc of a pid namespace: {error}")),
            })
            .join();
        })
        .join();
    });
}

/// The whole life of a pid of two processes, as process 1 of a namespace.
fn reuse_a_pid(directory: &Path) {
    const PID: libc::pid_t = 77;
    let shared = Shared::new();
    let record = |number: u64| {
        let recorder = Recorder::new(directory);
        recorder.record(number).unwrap();
        // A child that keeps the lock, whoever dies.
        shared.set(1, u64::try_from(clone_bare(|| stay())).unwrap());
        shared.set(0, number);
        stay();
    };
    let writer = match clone_with_pid(PID, || record(1)) {
        Ok(writer) => writer,
        Err(error) => return skip(format!("no process with a pid of one's choice: {error}")),
    };
    wait_until("a recording", || shared.get(0) == 1);
    let leaked = i32::try_from(shared.get(1)).unwrap();
    let path = listing(directory).remove(0);
    let (recording, _) = read(&path);
    assert_eq!((recording.header().pid, recording.liveness()), (77, Liveness::Alive));
    writer.kill();
    assert!(is_locked(&path));
    assert_eq!(recording.liveness(), Liveness::Dead, "no process has the pid");
    // Processes are told apart by the clock ticks of their start, a hundred a second.
    std::thread::sleep(Duration::from_millis(30));
    let other = clone_with_pid(PID, || stay()).unwrap();
    assert!(is_locked(&path));
    assert_eq!(recording.liveness(), Liveness::Dead, "the pid is another process's");
    other.kill();
    Child::new(leaked).kill();
    // And another writer's: two recordings of one pid, one alive and one dead.
    let second = clone_with_pid(PID, || record(2)).unwrap();
    wait_until("another recording", || shared.get(0) == 2);
    let found = Directory::open(directory).unwrap().refresh().unwrap().new;
    let of_pid: BTreeSet<_> = found.iter().map(|one| (one.header().pid, one.path() == path)).collect();
    assert_eq!(of_pid, BTreeSet::from([(77, false), (77, true)]));
    for one in found {
        let expected = if one.path() == path { Liveness::Dead } else { Liveness::Alive };
        assert_eq!(one.liveness(), expected);
    }
    let leaked = i32::try_from(shared.get(1)).unwrap();
    second.kill();
    Child::new(leaked).kill();
}

/// Whether somebody holds the writer's lock.
fn is_locked(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = i16::try_from(libc::F_WRLCK).unwrap();
    (range.l_start, range.l_len) = (WRITER_LOCK_BYTE.cast_signed(), 1);
    // SAFETY: `range` lives through the call; the descriptor is open.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) };
    assert_eq!(asked, 0, "{}", last_error());
    i32::from(range.l_type) != libc::F_UNLCK
}

#[test]
fn a_descriptor_that_leaked_to_a_child_keeps_no_dead_writer_alive() {
    isolated("processes::a_descriptor_that_leaked_to_a_child_keeps_no_dead_writer_alive", || {
        // The child outlives its parent and becomes this process's.
        // SAFETY: plain numbers.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }, 0);
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::new();
        let writer = Child::fork(|| {
            let recorder = Recorder::new(directory.path());
            recorder.record(1).unwrap();
            let leaked = clone_bare(|| {
                wait_until("a command to record", || shared.get(1) > 0);
                recorder.record(2).unwrap();
                shared.set(2, 1);
                stay();
            });
            shared.set(0, u64::try_from(leaked).unwrap());
            wait_until("a command to die", || shared.get(3) > 0);
            // SAFETY: leaves at once, without closing the recording.
            unsafe { libc::_exit(0) };
        });
        wait_until("a child", || shared.get(0) > 0);
        let path = listing(directory.path()).remove(0);
        let recording = Recording::open(&path).unwrap();
        assert_eq!(recording.liveness(), Liveness::Alive);
        shared.set(3, 1);
        writer.join();
        let leaked = Child::new(i32::try_from(shared.get(0)).unwrap());
        assert!(is_locked(&path), "the child does not hold the lock");
        assert_eq!(recording.liveness(), Liveness::Dead);
        // The child notices that it is one without a fork handler, and leaves its parent's file alone.
        shared.set(1, 1);
        wait_until("the child's event", || shared.get(2) > 0);
        let found = Directory::open(directory.path()).unwrap().refresh().unwrap().new;
        assert_eq!(found.len(), 2);
        for one in found {
            let (expected, liveness) =
                if one.path() == path { (vec![1], Liveness::Dead) } else { (vec![2], Liveness::Alive) };
            assert_eq!((numbers(&read(one.path()).1), one.liveness()), (expected, liveness));
            assert_eq!(one.header().parent_file_id.is_some(), one.path() != path);
        }
        leaked.kill();
        assert_eq!(recording.liveness(), Liveness::Dead);
    });
}

/// Children that are forked while other threads record, and what each records.
const FORKS: u64 = 40;
const EACH: u64 = 20;

#[test]
fn children_forked_while_threads_append_record_at_once_and_nothing_is_lost() {
    isolated("processes::children_forked_while_threads_append_record_at_once_and_nothing_is_lost", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        let aggregation = Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
        let stream = MetricStream { name: "calls", description: "", unit: "", aggregation };
        let sum = recorder.writer.create_metric_stream(recorder.scope, &stream).unwrap();
        let measure = || recorder.writer.record_measurement(sum, &(), 1, Number::Int(1), None).unwrap();
        let stop = AtomicBool::new(false);
        let made: u64 = std::thread::scope(|scope| {
            let record = |thread: u64| {
                let (recorder, stop) = (&recorder, &stop);
                move || {
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        recorder.record(thread << 32 | number).unwrap();
                        measure();
                        number += 1;
                    }
                    number
                }
            };
            let threads: Vec<_> = (1..=3).map(|thread| scope.spawn(record(thread))).collect();
            for child in 1..=FORKS {
                Child::fork(|| {
                    (0..EACH).for_each(|number| recorder.record(child << 32 | number).unwrap());
                    measure();
                    let span = recorder.writer.start_span(&recorder.span(child, 1)).unwrap();
                    recorder.writer.end_span(span, 2).unwrap();
                })
                .join();
            }
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let parent = recorder.path();
        for path in listing(directory.path()).into_iter().filter(|path| *path != parent) {
            let (recording, snapshot) = read(&path);
            let child = numbers(&snapshot)[0] >> 32;
            assert_eq!(recording.liveness(), Liveness::Dead);
            assert!(numbers(&snapshot).into_iter().eq((0..EACH).map(|number| child << 32 | number)));
            assert_eq!((snapshot.spans.len(), snapshot.series.len()), (1, 1));
            assert!(snapshot.losses.signals.iter().all(|signal| signal.lost() == 0));
            std::fs::remove_file(path).unwrap();
        }
        let (_, snapshot) = read(&parent);
        let [spans, events, measurements] = &snapshot.losses.signals;
        assert_eq!((spans.lost(), events.lost(), measurements.lost()), (0, events.overwritten, 0));
        assert_eq!((events.recorded, events.overwritten + snapshot.events.len() as u64), (made, made));
        let point = &snapshot.series[0].point;
        assert_eq!(*point, model::Point::Sum(model::Number::Int(made.cast_signed())));
    });
}

/// Ends this process in a way of its own.
type End = (&'static str, libc::c_int, fn());

const ENDS: [End; 6] = [
    ("_exit", 0, || leave(|| ())),
    ("exit", 0, || std::process::exit(0)),
    ("abort", libc::SIGABRT, || std::process::abort()),
    ("a write to address 8", libc::SIGSEGV, || {
        // SAFETY: none: the page is never mapped, and the process ends here. That is what is tested.
        unsafe { std::hint::black_box(8 as *mut u8).write_volatile(1) }
    }),
    ("a stack that overflows", libc::SIGABRT, || {
        overflow(&mut [0; 1024]);
    }),
    ("SIGKILL", libc::SIGKILL, || {
        // SAFETY: plain numbers.
        unsafe { libc::raise(libc::SIGKILL) };
    }),
];

#[allow(unconditional_recursion, reason = "that is what is tested")]
fn overflow(bytes: &mut [u8; 1024]) -> u8 {
    let mut more = *bytes;
    more[0] = more[0].wrapping_add(1);
    overflow(std::hint::black_box(&mut more)).wrapping_add(bytes[1])
}

#[test]
fn whatever_ends_a_process_leaves_all_that_it_recorded() {
    isolated("processes::whatever_ends_a_process_leaves_all_that_it_recorded", || {
        for (name, signal, end) in ENDS {
            let directory = tempfile::tempdir().unwrap();
            let mut child = Child::fork(|| {
                let recorder = Recorder::new(directory.path());
                (0..500).for_each(|number| recorder.record(number).unwrap());
                recorder.writer.start_span(&recorder.span(7, 1)).unwrap();
                std::mem::forget(recorder);
                end();
            });
            let status = child.wait_for(0);
            assert_eq!(if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 }, signal, "{name}");
            let (recording, snapshot) = read(&listing(directory.path())[0]);
            assert_eq!(recording.liveness(), Liveness::Dead, "{name}");
            assert!(numbers(&snapshot).into_iter().eq(0..500), "{name}");
            assert_eq!(snapshot.spans_in_flight.len(), 1, "{name}");
        }
    });
}
