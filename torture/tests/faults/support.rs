//! What the tests share: a process for each test, children, counters that outlive them, namespaces, skipping.

pub(crate) use crate::writer_support::{clean, filter_system_calls};
use otlp_mmap_reader::{Recording, Snapshot, model};
use otlp_mmap_writer::{
    Attributes, Config, Error, Event, KeyValue, ScopeRef, SpanKind, SpanStart, Text, Value, Writer,
};
use std::ffi::CString;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Names the test that a process was started for.
const TEST: &str = "OTLP_MMAP_FAULT_TEST";
/// Set to 1: what cannot be tested here fails, instead of being told and passed over.
const REQUIRE_ALL: &str = "OTLP_MMAP_REQUIRE_ALL";
/// Exit code of a process whose test has passed: one that ran no test exits with 0.
const PASSED: i32 = 42;
/// How long anything is waited for that has to happen.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the body of the test `name` (with its module) in a process of its own.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if std::env::var(TEST).is_ok_and(|test| test == name) {
        die_with_parent();
        body();
        // SAFETY: leaves at once; what the body made is dropped.
        unsafe { libc::_exit(PASSED) };
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture", "--test-threads=2"])
        .env(TEST, name)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(PASSED), "{status}: see above; a code of 0: no test has this name");
}

/// Has this process killed when its parent dies: nothing is left of a test that is interrupted.
fn die_with_parent() {
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Tells that this machine does not let a test do what it is for. Told past the test harness, which hides what a test
/// that passes prints.
pub(crate) fn skip(reason: impl Display) {
    let name = std::env::var(TEST).unwrap_or_default();
    assert!(
        std::env::var_os(REQUIRE_ALL).is_none_or(|all| all != "1"),
        "{name}: not testable here: {reason}"
    );
    let _ = std::io::stderr().write_all(format!("SKIPPED {name}: {reason}\n").as_bytes());
}

/// Waits for something that has to happen.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: waited in vain");
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// The error of the last system call.
pub(crate) fn last_error() -> std::io::Error {
    std::io::Error::last_os_error()
}

/// A child process; killed if it is dropped before it was waited for.
pub(crate) struct Child {
    pub(crate) pid: libc::pid_t,
    waited: bool,
}

impl Child {
    pub(crate) fn new(pid: libc::pid_t) -> Self {
        assert!(pid > 0, "{}", last_error());
        Self { pid, waited: false }
    }

    /// Runs `work` in a forked child, which leaves without any clean-up.
    pub(crate) fn fork(work: impl FnOnce()) -> Self {
        // SAFETY: the child runs `work` and leaves; of what other threads held at the fork it needs malloc alone,
        // which glibc makes usable in a child.
        Self::new(match unsafe { libc::fork() } {
            0 => leave(|| {
                die_with_parent();
                work();
            }),
            pid => pid,
        })
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        // SAFETY: plain numbers; the pid is that of a child that was not waited for.
        assert_eq!(unsafe { libc::kill(self.pid, signal) }, 0, "{}", last_error());
    }

    /// Waits until it ended or, with `WUNTRACED`, stopped.
    pub(crate) fn wait_for(&mut self, options: libc::c_int) -> libc::c_int {
        let mut status = 0;
        // SAFETY: `status` lives through the call.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, options) };
        assert_eq!(pid, self.pid, "{}", last_error());
        self.waited = libc::WIFEXITED(status) || libc::WIFSIGNALED(status);
        status
    }

    /// Its status, if it has ended.
    pub(crate) fn try_wait(&mut self) -> Option<libc::c_int> {
        let mut status = 0;
        // SAFETY: `status` lives through the call.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) };
        self.waited |= pid == self.pid;
        self.waited.then_some(status)
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn join(mut self) {
        let status = self.wait_for(0);
        assert_eq!(status, 0, "the child ended with status {status:#x}; see above");
    }

    /// Waits for the signal that ends it.
    pub(crate) fn killed_by(mut self) -> libc::c_int {
        let status = self.wait_for(0);
        assert!(libc::WIFSIGNALED(status), "the child ended with status {status:#x}; see above");
        libc::WTERMSIG(status)
    }

    pub(crate) fn kill(self) {
        self.signal(libc::SIGKILL);
        assert_eq!(self.killed_by(), libc::SIGKILL);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.waited {
            // SAFETY: plain numbers; the pid is that of a child that was not waited for.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            self.wait_for(0);
        }
    }
}

/// Runs `work` in a process that was just made, and leaves: with 0, or with 1 if it panicked.
pub(crate) fn leave(work: impl FnOnce()) -> ! {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
    // SAFETY: leaves at once.
    unsafe { libc::_exit(i32::from(!done)) }
}

/// Counters in memory that a process shares with its children; they outlive any of them.
#[derive(Clone, Copy)]
pub(crate) struct Shared(&'static [AtomicU64; 512]);

impl Shared {
    pub(crate) fn new() -> Self {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping of a page, wherever the kernel likes; nothing else uses it.
        let page = unsafe {
            libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        assert_ne!(page, libc::MAP_FAILED, "{}", last_error());
        // SAFETY: the page is aligned, zeroed, 512 words large, and never unmapped.
        Self(unsafe { &*page.cast() })
    }

    pub(crate) fn get(self, index: usize) -> u64 {
        self.0[index].load(Ordering::Acquire)
    }

    pub(crate) fn set(self, index: usize, value: u64) {
        self.0[index].store(value, Ordering::Release);
    }

    pub(crate) fn add(self, index: usize) {
        self.0[index].fetch_add(1, Ordering::AcqRel);
    }
}

/// A writer with a scope.
pub(crate) struct Recorder {
    pub(crate) writer: Writer,
    pub(crate) scope: ScopeRef,
}

impl Recorder {
    /// Starts a recording in a directory, or at a path.
    pub(crate) fn create(path: &Path, configure: impl FnOnce(&mut Config)) -> Result<Self, Error> {
        let mut config = Config::new(path);
        config.service_name = Some("fault".to_owned());
        configure(&mut config);
        let writer = Writer::create(config)?;
        let resource = writer.create_resource(&(), None)?;
        let scope = writer.create_instrumentation_scope(resource, "fault", None, None, &())?;
        Ok(Self { writer, scope })
    }

    /// A small one: it is read quickly, and has room for what a test records that loses nothing.
    pub(crate) fn new(path: &Path) -> Self {
        Self::create(path, small).unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.writer.path().unwrap()
    }

    /// Records an event with a number in its attributes and as its time.
    pub(crate) fn record(&self, number: u64) -> Result<(), Error> {
        let attributes = [KeyValue { key: "number", value: Value::Int(number.cast_signed()) }];
        self.writer.record_event(&self.event(number, &attributes))
    }

    pub(crate) fn event<'a>(&self, time_unix_nano: u64, attributes: &'a dyn Attributes) -> Event<'a> {
        Event {
            scope: self.scope,
            context: None,
            name: None,
            time_unix_nano,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: None,
            attributes,
            dropped_attributes_count: 0,
        }
    }

    /// A root span's start with this number as its id.
    pub(crate) fn span(&self, number: u64, start_time_unix_nano: u64) -> SpanStart<'static> {
        SpanStart {
            scope: self.scope,
            trace_id: [1; 16],
            span_id: number.to_be_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano,
            attributes: &(),
        }
    }
}

/// Four segments of 32 KiB for each signal but events, which have 32.
pub(crate) fn small(config: &mut Config) {
    config.segment_size = 32 << 10;
    (config.span_segments, config.event_segments, config.measurement_segments) = (4, 32, 4);
    (config.active_blocks, config.cells_size, config.dictionary_size) = (256, 64 << 10, 64 << 10);
}

/// The numbers of the events in a snapshot, sorted.
pub(crate) fn numbers(snapshot: &Snapshot) -> Vec<u64> {
    let mut numbers: Vec<_> = snapshot.events.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// The number of an event, which stands in it twice.
pub(crate) fn number(event: &model::Event) -> u64 {
    let [model::KeyValue { value: model::Value::Int(number), .. }] = &event.attributes[..] else {
        panic!("{:?}", event.attributes)
    };
    assert_eq!(number.cast_unsigned(), event.time_unix_nano);
    event.time_unix_nano
}

/// Everything in a directory, hidden files too, sorted.
pub(crate) fn listing(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The content of the recording at a path, which must be free of faults.
pub(crate) fn read(path: impl AsRef<Path>) -> (Recording, Snapshot) {
    let recording = Recording::open(path).unwrap();
    let snapshot = clean(&recording);
    (recording, snapshot)
}

/// Runs the command line; its exit code, stdout and stderr.
pub(crate) fn command(args: &[&str]) -> (i32, String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut io = otlp_mmap::Io {
        stdout: &mut stdout,
        stderr: &mut stderr,
        clock: &otlp_mmap::SystemClock,
        terminal: false,
        no_color: true,
    };
    let args = std::iter::once("otlp-mmap").chain(args.iter().copied()).map(Into::into);
    let exit = otlp_mmap::run(args, &mut io).code();
    (exit, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Moves this process, which must have one thread, into new namespaces: as root, or as root of a new user namespace.
pub(crate) fn unshare(flags: libc::c_int) -> std::io::Result<()> {
    // SAFETY: plain numbers.
    if unsafe { libc::unshare(flags) } == 0 {
        return Ok(());
    }
    // SAFETY: these calls cannot fail and touch no memory.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: plain numbers.
    if unsafe { libc::unshare(flags | libc::CLONE_NEWUSER) } != 0 {
        return Err(last_error());
    }
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Mounts a file system; `source` and `kind` as in `mount(8)`.
pub(crate) fn mount(
    source: &str,
    target: &Path,
    kind: &str,
    flags: libc::c_ulong,
    options: &str,
) -> std::io::Result<()> {
    let text = |text: &[u8]| CString::new(text).unwrap();
    let (source, kind, options) = (text(source.as_bytes()), text(kind.as_bytes()), text(options.as_bytes()));
    let target = text(target.as_os_str().as_encoded_bytes());
    // SAFETY: all strings are NUL-terminated and live through the call.
    let result = unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// New namespaces of which one is for mounts: nothing that is mounted from now on is seen outside.
pub(crate) fn unshare_mounts(flags: libc::c_int) -> std::io::Result<()> {
    unshare(flags | libc::CLONE_NEWNS)?;
    mount("none", Path::new("/"), "", libc::MS_REC | libc::MS_PRIVATE, "")
}

/// Makes this process an ordinary user's, whom the modes of files bind, if it is root's. A failure is root's without
/// the privilege to be another: in a user namespace of one user.
pub(crate) fn become_ordinary() -> std::io::Result<()> {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: these calls cannot fail and touch no memory.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    // SAFETY: plain numbers, and no list of groups.
    let done = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0
    };
    if done { Ok(()) } else { Err(last_error()) }
}
