//! Signals: a process that is stopped, a thread that is stopped inside of a call, handlers that record themselves.

use crate::seccomp::Gate;
use crate::support::{
    Child, Recorder, Shared, clean, isolated, last_error, listing, number, skip, small, wait_until,
};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Liveness, Recording};
use otlp_mmap_writer::{Config, Counter, Error, KeyValue, Signal, Value};
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Sets a handler that no other signal interrupts.
fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` lives through the calls; what the handler may do is said at each.
    let set = unsafe {
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    assert_eq!(set, 0, "{}", last_error());
}

/// The kernel's id of this thread.
fn thread_id() -> libc::pid_t {
    // SAFETY: cannot fail and touches no memory.
    unsafe { libc::gettid() }
}

fn signal_thread(thread: libc::pid_t, signal: libc::c_int) {
    // SAFETY: plain numbers; the thread is one of this process.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
    assert_eq!(sent, 0, "{}", last_error());
}

// A process that is stopped.

/// Stops a process that records, and has it go on after `pause`.
fn stop_and_continue(pause: Duration) {
    let directory = tempfile::tempdir().unwrap();
    let shared = Shared::new();
    let mut child = Child::fork(|| {
        let few = |config: &mut Config| {
            small(config);
            config.event_segments = 8;
        };
        let recorder = Recorder::create(directory.path(), few).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..2_u64 {
                let recorder = &recorder;
                scope.spawn(move || {
                    let mut number = 0;
                    while shared.get(2) == 0 {
                        recorder.record(thread << 32 | number).unwrap();
                        shared.add(usize::try_from(thread).unwrap());
                        number += 1;
                    }
                });
            }
        });
    });
    let returned = || shared.get(0) + shared.get(1);
    wait_until("events", || shared.get(0) > 100 && shared.get(1) > 100);
    let path = listing(directory.path()).remove(0);
    let recording = Recording::open(path).unwrap();
    let mut observer = recording.observe();
    let (mut seen, mut missed) = (BTreeSet::new(), 0);
    let mut poll = |observer: &mut otlp_mmap_reader::Observer| {
        let batch = observer.poll().unwrap();
        assert_eq!(batch.report.faults, []);
        for record in &batch.records {
            let Record::Event(event) = record else { panic!("{record:?}") };
            assert!(seen.insert(number(event)), "twice: {event:?}");
        }
        missed += batch.missed(Signal::Events);
        (batch.records.len(), seen.len() as u64, missed)
    };
    let first = recording.losses().unwrap().signal(Signal::Events).overwritten;
    poll(&mut observer);
    child.signal(libc::SIGSTOP);
    assert!(libc::WIFSTOPPED(child.wait_for(libc::WUNTRACED)));
    let stopped_at = returned();
    poll(&mut observer);
    for _ in 0..4 {
        std::thread::sleep(pause / 4);
        // Nothing is said of a process for being slow: it is alive, and its file is whole.
        assert_eq!(recording.liveness(), Liveness::Alive);
        assert_eq!(poll(&mut observer).0, 0);
        let recorded = clean(&recording).losses.signal(Signal::Events).recorded;
        assert!((stopped_at..=stopped_at + 2).contains(&recorded), "{recorded}, {stopped_at} had returned");
    }
    child.signal(libc::SIGCONT);
    wait_until("more events", || returned() > stopped_at + 1_000);
    shared.set(2, 1);
    child.join();
    let (_, seen, missed) = poll(&mut observer);
    let losses = clean(&recording).losses;
    let events = losses.signal(Signal::Events);
    assert_eq!((events.recorded, events.lost()), (returned(), events.overwritten));
    // What was overwritten before the first poll was not missed, and may have grown until then.
    assert!((events.recorded - seen - missed) >= first && seen > 0);
    assert!(matches!(recording.liveness(), Liveness::Closed { .. }));
}

#[test]
fn a_stopped_process_is_alive_and_goes_on() {
    isolated("signals::a_stopped_process_is_alive_and_goes_on", || {
        stop_and_continue(Duration::from_secs(2));
    });
}

#[test]
#[ignore = "takes a minute: make torture runs it"]
fn a_process_that_is_stopped_for_a_minute_is_alive_and_goes_on() {
    isolated("signals::a_process_that_is_stopped_for_a_minute_is_alive_and_goes_on", || {
        stop_and_continue(Duration::from_mins(1));
    });
}

// A thread that is stopped inside of a call.

/// The pipe on which a stopped thread waits, and whether one does.
static PIPE: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Stops the thread that it interrupts until a byte comes.
extern "C" fn stop_here(_: libc::c_int) {
    let mut byte = 0_u8;
    STOPPED.store(true, Ordering::Release);
    // SAFETY: `byte` lives through the call, which a handler may make.
    while unsafe { libc::read(PIPE[0].load(Ordering::Relaxed), (&raw mut byte).cast(), 1) } != 1 {}
    STOPPED.store(false, Ordering::Release);
}

fn prepare_to_stop(signal: libc::c_int) {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two numbers.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0, "{}", last_error());
    PIPE.iter().zip(ends).for_each(|(end, number)| end.store(number, Ordering::Relaxed));
    handle(signal, stop_here);
}

fn wait_until_stopped() {
    wait_until("a thread to stop", || STOPPED.load(Ordering::Acquire));
}

fn let_go() {
    // SAFETY: one byte of a constant.
    assert_eq!(unsafe { libc::write(PIPE[1].load(Ordering::Relaxed), c"x".as_ptr().cast(), 1) }, 1);
    wait_until("a thread to go on", || !STOPPED.load(Ordering::Acquire));
}

/// A thread that records until it is told to end; its numbers begin at 2^32.
fn record_until(recorder: &Recorder, end: &AtomicBool, thread: &AtomicI32) -> [u64; 2] {
    let (mut recorded, mut refused) = (0, 0);
    thread.store(thread_id(), Ordering::Release);
    for number in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        match recorder.record(1 << 32 | number) {
            Ok(()) => recorded += 1,
            Err(Error::Busy) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    [recorded, refused]
}

/// Stops a recording thread at many moments; at each, `beside` records on another thread and gives how many records
/// were made and refused. In the end every call is in the file or counted.
fn stop_a_thread(recorder: &Recorder, moments: u64, mut beside: impl FnMut(u64) -> [u64; 2]) -> [u64; 2] {
    prepare_to_stop(libc::SIGUSR1);
    let (end, thread) = (AtomicBool::new(false), AtomicI32::new(0));
    let mut all = [0; 2];
    let of_thread = std::thread::scope(|scope| {
        let recording = scope.spawn(|| record_until(recorder, &end, &thread));
        wait_until("a thread", || thread.load(Ordering::Acquire) != 0);
        for moment in 0..moments {
            // A different part of the call each time.
            (0..moment * 37 % 1_000).for_each(|_| std::hint::spin_loop());
            signal_thread(thread.load(Ordering::Relaxed), libc::SIGUSR1);
            wait_until_stopped();
            let made = beside(moment);
            let_go();
            all = [all[0] + made[0], all[1] + made[1]];
        }
        end.store(true, Ordering::Relaxed);
        recording.join().unwrap()
    });
    let snapshot = clean(&Recording::open(recorder.path()).unwrap());
    let events = snapshot.losses.signal(Signal::Events);
    assert_eq!(events.recorded, all[0] + of_thread[0]);
    assert_eq!(events.counter(Counter::Busy), all[1] + of_thread[1]);
    assert_eq!(events.lost(), events.overwritten + all[1] + of_thread[1]);
    all
}

#[test]
fn a_thread_that_is_stopped_inside_of_a_call_holds_up_nobody() {
    isolated("signals::a_thread_that_is_stopped_inside_of_a_call_holds_up_nobody", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        let [_, refused] = stop_a_thread(&recorder, 40, |moment| {
            let record = |thread: u64| {
                (0..100)
                    .filter(|number| recorder.record(moment << 40 | thread << 32 | number).is_ok())
                    .count()
            };
            let recorded: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (2..4).map(|thread| scope.spawn(move || record(thread))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            [recorded as u64, 200 - recorded as u64]
        });
        // Sixteen lanes, of which the stopped thread has one; only the claim of a segment is everybody's.
        assert!(refused < 800, "{refused} of 8,000 refused");
    });
}

#[test]
fn the_only_lane_held_by_a_stopped_thread_is_refused_and_counted_and_comes_back() {
    isolated("signals::the_only_lane_held_by_a_stopped_thread_is_refused_and_counted_and_comes_back", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(directory.path(), |config| {
            small(config);
            config.event_segments = 2;
        });
        let recorder = recorder.unwrap();
        let [recorded, refused] = stop_a_thread(&recorder, 60, |moment| match recorder.record(moment) {
            Ok(()) => [1, 0],
            Err(Error::Busy) => [0, 1],
            Err(error) => panic!("{error}"),
        });
        // Both happen: at some moments the thread holds the lane, at others it does not.
        assert!(recorded > 0 && refused > 0, "{recorded} recorded, {refused} refused");
        recorder.record(1_000).unwrap();
    });
}

#[test]
fn a_thread_that_is_stopped_in_its_claim_of_a_segment_holds_up_nobody_with_room() {
    isolated("signals::a_thread_that_is_stopped_in_its_claim_of_a_segment_holds_up_nobody_with_room", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        // This thread's lane is open, with room.
        recorder.record(0).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let claiming = scope.spawn(|| {
                sender.send(Gate::new(libc::SYS_fallocate)).unwrap();
                recorder.record(1)
            });
            let gate = match receiver.recv().unwrap() {
                Ok(gate) => gate,
                Err(error) => return skip(format!("a thread cannot be stopped at a system call: {error}")),
            };
            // It stands in its first allocation, with its lane and the pool's claims locked.
            let call = gate.wait();
            (2..100).for_each(|number| recorder.record(number).unwrap());
            // Another thread's first record would claim a segment: it takes a lane that has room instead.
            scope.spawn(|| recorder.record(100).unwrap()).join().unwrap();
            // A record for which no lane has room needs the claims: refused after a bounded wait.
            let large = "x".repeat(30_000);
            let attributes = [KeyValue { key: "large", value: Value::String(&large) }];
            let record_large = || recorder.writer.record_event(&recorder.event(101, &attributes));
            let refused = record_large();
            assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
            gate.let_go(call);
            claiming.join().unwrap().unwrap();
            record_large().unwrap();
        });
        let snapshot = clean(&Recording::open(recorder.path()).unwrap());
        let events = snapshot.losses.signal(Signal::Events);
        assert_eq!((events.recorded, events.counter(Counter::Busy)), (102, 1));
    });
}

// Handlers that record themselves.

static RECORDER: OnceLock<Recorder> = OnceLock::new();
/// Calls from handlers: made, refused as busy, ended in another way; those that came while a call was under way; and
/// handlers that ended.
static HANDLED: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Records from within whatever it interrupts.
extern "C" fn record_here(_: libc::c_int) {
    let Some(recorder) = RECORDER.get() else { return };
    let number = HANDLED[0].fetch_add(1, Ordering::Relaxed);
    if INSIDE.load(Ordering::Relaxed) > 0 {
        HANDLED[3].fetch_add(1, Ordering::Relaxed);
    }
    match recorder.record(1 << 48 | number) {
        Ok(()) => {}
        Err(Error::Busy) => drop(HANDLED[1].fetch_add(1, Ordering::Relaxed)),
        Err(_) => drop(HANDLED[2].fetch_add(1, Ordering::Relaxed)),
    }
    HANDLED[4].fetch_add(1, Ordering::Release);
}

/// How often a handler was refused, and how often one interrupted a call.
fn refused_in_handlers() -> u64 {
    HANDLED[1].load(Ordering::Relaxed)
}

fn inside_of_calls() -> u64 {
    HANDLED[3].load(Ordering::Relaxed)
}

/// Records in a process of one thread, which signals interrupt, until it is enough; then every call has ended, in the
/// file or counted. `interrupt` is done again and again beside it, with its thread's id.
fn record_under_signals(event_segments: u32, enough: fn() -> bool, interrupt: impl Fn(libc::pid_t) + Sync) {
    let directory = tempfile::tempdir().unwrap();
    let configure = |config: &mut Config| {
        small(config);
        config.event_segments = event_segments;
    };
    Child::fork(|| {
        let recorder = RECORDER.get_or_init(|| Recorder::create(directory.path(), configure).unwrap());
        // What a first call allocates is allocated: a handler must not interrupt an allocation.
        recorder.record(0).unwrap();
        handle(libc::SIGALRM, record_here);
        handle(libc::SIGUSR1, record_here);
        let this = thread_id();
        let done = AtomicBool::new(false);
        let [recorded, refused] = std::thread::scope(|scope| {
            scope.spawn(|| {
                block_signals();
                while !done.load(Ordering::Acquire) {
                    interrupt(this);
                }
            });
            let counts = record_until_enough(recorder, enough);
            done.store(true, Ordering::Release);
            counts
        });
        ignore_signals();
        compare(recorder, recorded + 1, refused);
    })
    .join();
}

fn record_until_enough(recorder: &Recorder, enough: fn() -> bool) -> [u64; 2] {
    let (mut recorded, mut refused, mut number) = (0, 0, 1);
    while !enough() {
        INSIDE.store(1, Ordering::Relaxed);
        let result = recorder.record(number);
        INSIDE.store(0, Ordering::Relaxed);
        match result {
            Ok(()) => recorded += 1,
            Err(Error::Busy) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        number += 1;
    }
    [recorded, refused]
}

/// Compares the file with what the calls returned, of the thread and of the handlers.
fn compare(recorder: &Recorder, recorded: u64, refused: u64) {
    let [made, busy, other, ..] = HANDLED.each_ref().map(|count| count.load(Ordering::Relaxed));
    assert_eq!(other, 0);
    let snapshot = clean(&Recording::open(recorder.path()).unwrap());
    let events = snapshot.losses.signal(Signal::Events);
    assert_eq!(events.recorded, recorded + made - busy);
    assert_eq!(events.counter(Counter::Busy), busy + refused);
    assert_eq!(events.lost(), events.overwritten + busy + refused);
    for event in &snapshot.events {
        number(event);
    }
}

/// Blocks every signal in this thread, so that they go to another.
fn block_signals() {
    // SAFETY: the set lives through the calls, the first of which fills it in.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

fn ignore_signals() {
    for signal in [libc::SIGALRM, libc::SIGUSR1] {
        // SAFETY: no handler runs from now on.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

#[test]
fn handlers_that_record_never_wait_for_what_they_interrupted() {
    isolated("signals::handlers_that_record_never_wait_for_what_they_interrupted", || {
        record_under_signals(
            32,
            || inside_of_calls() >= 3_000,
            |thread| {
                signal_thread(thread, libc::SIGUSR1);
                std::thread::sleep(Duration::from_micros(50));
            },
        );
    });
}

#[test]
fn handlers_that_record_give_up_on_the_only_lane() {
    isolated("signals::handlers_that_record_give_up_on_the_only_lane", || {
        // A handler that finds the lane taken by the code it interrupted is refused, at once: if it waited, the next
        // signal would come first, and the code would stand where it is.
        record_under_signals(
            2,
            || refused_in_handlers() >= 100,
            |thread| {
                signal_thread(thread, libc::SIGUSR1);
                std::thread::sleep(Duration::from_micros(50));
            },
        );
    });
}

#[test]
fn handlers_of_an_interval_timer_record() {
    isolated("signals::handlers_of_an_interval_timer_record", || {
        let once = std::sync::Once::new();
        record_under_signals(
            32,
            || inside_of_calls() >= 1_000,
            |_| {
                once.call_once(|| {
                    let interval = libc::timeval { tv_sec: 0, tv_usec: 200 };
                    let timer = libc::itimerval { it_interval: interval, it_value: interval };
                    // SAFETY: `timer` lives through the call.
                    let set =
                        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
                    assert_eq!(set, 0, "{}", last_error());
                });
                std::thread::sleep(Duration::from_millis(1));
            },
        );
    });
}
