//! The viewer in a terminal of its own: what it writes is shown by a terminal emulator in memory.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

/// Far longer than anything takes: a test that waits so long has failed.
const DEADLINE: Duration = Duration::from_secs(90);

/// What is different from one run to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// The terminal is that which the process gets its signals from.
    pub(crate) is_controlling: bool,
    /// Keys come from stdin; else stdin is empty, and they come from the controlling terminal.
    pub(crate) is_stdin: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { is_controlling: true, is_stdin: true }
    }
}

/// A viewer that runs in a terminal of 100x30.
pub(crate) struct Pty {
    child: Child,
    /// Shared with the thread that reads, which ends when it is told to.
    terminal: Option<Arc<File>>,
    reader: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    /// The end of the process, kept open so that its settings can be compared.
    inner: File,
    chunks: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    written: Vec<u8>,
    /// Settings from before the process was there.
    settings: String,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What is on the screen.
    pub(crate) screen: String,
}

impl Pty {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(Surroundings::default(), args)
    }

    pub(crate) fn start_in(surroundings: Surroundings, args: &[&str]) -> Self {
        Self::start_program(surroundings, env!("CARGO_BIN_EXE_otlp-mmap"), args)
    }

    /// A shell that has the viewer as a job; in the script it is `"$@"`.
    pub(crate) fn start_job(script: &str, args: &[&str]) -> Self {
        let shell = ["-c", script, "sh", env!("CARGO_BIN_EXE_otlp-mmap")];
        Self::start_program(Surroundings::default(), "sh", &[&shell, args].concat())
    }

    fn start_program(surroundings: Surroundings, program: &str, args: &[&str]) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let inner = open_without_control(ptsname(&outer, Vec::new()).unwrap().into_string().unwrap());
        tcsetwinsize(&outer, size(100, 30)).unwrap();
        let settings = settings(&inner);
        let child = spawn(surroundings, program, args, &inner);
        let outer = Arc::new(File::from(outer));
        let is_over = Arc::new(AtomicBool::new(false));
        let (reader, chunks) = read(Arc::clone(&outer), Arc::clone(&is_over));
        Self {
            child,
            terminal: Some(outer),
            reader: Some(reader),
            is_over,
            inner,
            chunks,
            screen: vt100::Parser::new(side(30), side(100), 0),
            written: Vec::new(),
            settings,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process that the shell of [`Pty::start_job`] waits for.
    pub(crate) fn job(&self) -> Pid {
        let shell = self.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        Pid::from_raw(children.trim().parse().unwrap())
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.as_deref().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Writes on the screen as another process does.
    pub(crate) fn spoil(&mut self, bytes: &[u8]) {
        self.inner.write_all(bytes).unwrap();
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.screen_mut().set_size(side(rows), side(columns));
        tcsetwinsize(self.terminal.as_deref().unwrap(), size(columns, rows)).unwrap();
    }

    /// Closes the terminal's window.
    pub(crate) fn hang_up(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.reader.take().unwrap().join().unwrap();
        self.terminal = None;
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            let screen = self.text();
            if is_it(&screen) {
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.take(&chunk),
                Err(why) => panic!("waited for {what} ({why}), and this is there:\n{screen}"),
            }
        }
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until a text is no longer on the screen.
    #[track_caller]
    pub(crate) fn wait_without(&mut self, text: &str) {
        self.wait_until(&format!("the end of {text}"), |screen| !screen.contains(text));
    }

    /// Whether the viewer's own screen is shown, and not what was in the terminal before.
    pub(crate) fn is_shown(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Whether the process has written these bytes.
    pub(crate) fn has_written(&self, bytes: &[u8]) -> bool {
        self.written.windows(bytes.len()).any(|part| part == bytes)
    }

    /// Waits until the process has written these bytes.
    #[track_caller]
    pub(crate) fn wait_for_bytes(&mut self, bytes: &[u8]) {
        let end = Instant::now() + DEADLINE;
        while !self.has_written(bytes) {
            let chunk = self.chunks.recv_timeout(end.saturating_duration_since(Instant::now()));
            let chunk = chunk.unwrap_or_else(|why| panic!("waited for {bytes:?}: {why}"));
            self.take(&chunk);
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.screen.process(chunk);
        self.written.extend_from_slice(chunk);
    }

    /// Waits for the process.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            // What it writes must be read, or it waits.
            match self.chunks.recv_timeout(Duration::from_millis(10)) {
                Ok(chunk) => self.take(&chunk),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(10)),
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
        }
    }

    /// Waits for the end. The terminal must be as it was before: settings, screen, cursor, mouse, pastes.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = self.wait_for_end();
        assert_eq!(settings(&self.inner), self.settings, "settings of the terminal");
        self.press("typed\n");
        // It is echoed again, after everything that the process wrote.
        self.wait_for("typed");
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the other screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pastes are as before");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        Ended { status, screen: screen.contents() }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It has ended unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The inner end, so that it does not become the terminal of the tests.
fn open_without_control(path: impl AsRef<Path>) -> File {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
}

fn spawn(surroundings: Surroundings, program: &str, args: &[&str], inner: &File) -> Child {
    let end = || Stdio::from(OwnedFd::from(inner.try_clone().unwrap()));
    let mut command = Command::new(program);
    command.args(args).env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command.stdin(if surroundings.is_stdin { end() } else { Stdio::null() }).stdout(end()).stderr(end());
    // SAFETY: two system calls on descriptors that the child has; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            if surroundings.is_controlling {
                ioctl_tiocsctty(rustix::stdio::stdout())?;
            }
            Ok(())
        });
    }
    command.spawn().unwrap()
}

/// Hands over what the process writes, until it is over.
fn read(terminal: Arc<File>, is_over: Arc<AtomicBool>) -> (JoinHandle<()>, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while !is_over.load(Ordering::Relaxed) {
            let mut watched = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
            if poll(&mut watched, 20_u16) != Ok(1) {
                continue;
            }
            let Ok(length) = (&*terminal).read(&mut buffer) else { return };
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    (thread, receiver)
}

fn settings(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

fn side(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}
