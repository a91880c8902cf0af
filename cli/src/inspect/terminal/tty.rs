//! The terminal itself: taken over, and given back whatever happens.
//!
//! Output goes to a descriptor of its own and not through `std::io::stdout`, whose lock the main thread holds: a thread
//! that panics must be able to give the terminal back. What is drawn after that goes nowhere.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, Signal, raise};
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::super::query::Query;
use super::super::source::Source;
use super::drive::{Message, Outside};
use crate::jsonl::base64;

/// The terminal. Dropped, it is as it was before.
pub(super) struct Tty {
    shared: Arc<Shared>,
}

struct Shared {
    file: File,
    /// Whether the terminal is the viewer's.
    taken: Mutex<bool>,
}

impl Tty {
    /// The terminal of stdout, not yet taken.
    pub(super) fn new() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { shared: Arc::new(Shared { file, taken: Mutex::new(false) }) })
    }

    /// A stream to draw on.
    pub(super) fn output(&self) -> Output {
        Output(Arc::clone(&self.shared))
    }

    /// Takes the terminal over: no echo, no line editing, another screen.
    pub(super) fn take(&self, mouse: bool) -> io::Result<()> {
        let mut taken = self.shared.lock();
        *taken = true;
        enable_raw_mode()?;
        execute!(&self.shared.file, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if mouse { execute!(&self.shared.file, EnableMouseCapture) } else { Ok(()) }
    }

    /// Gives it back.
    pub(super) fn give_back(&self) {
        self.shared.give_back();
    }

    /// Has a panic in any thread give the terminal back before its message is printed, and end the viewer.
    pub(super) fn hook_panics(&self, messages: Sender<Message>) -> PanicHook {
        let shared = Arc::clone(&self.shared);
        let previous = Arc::new(panic::take_hook());
        let hook = PanicHook(Arc::clone(&previous));
        panic::set_hook(Box::new(move |panic| {
            shared.give_back();
            // The loop may be what has panicked: then nobody reads it.
            let _ = messages.send(Message::Panicked);
            previous(panic);
        }));
        hook
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        let mut taken = self.lock();
        if std::mem::take(&mut *taken) {
            // A terminal that is gone needs nothing.
            let _ =
                execute!(&self.file, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
    }
}

/// Writes to the terminal while it is the viewer's.
pub(super) struct Output(Arc<Shared>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.0.lock();
        if *taken { (&self.0.file).write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync>;

/// The hook that was there before; it is back when this is dropped.
pub(super) struct PanicHook(Arc<Hook>);

impl Drop for PanicHook {
    fn drop(&mut self) {
        // The hook cannot be changed by a thread that panics; the process is about to end then.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.0);
            panic::set_hook(Box::new(move |panic| previous(panic)));
        }
    }
}

/// The terminal and the source, as the loop needs them.
pub(super) struct World<'a> {
    pub(super) tty: &'a Tty,
    pub(super) source: Source,
}

impl World<'_> {
    fn write(&self, text: impl Display) -> io::Result<()> {
        self.tty.output().write_all(text.to_string().as_bytes())
    }
}

impl Outside for World<'_> {
    fn ask(&mut self, query: Query) {
        self.source.ask(query);
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.write(format_args!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
    }

    fn listen_to_mouse(&mut self, on: bool) -> io::Result<()> {
        let mut output = self.tty.output();
        if on { execute!(output, EnableMouseCapture) } else { execute!(output, DisableMouseCapture) }
    }

    /// Returns when the shell continues the process.
    fn suspend(&mut self, mouse: bool) -> io::Result<()> {
        self.tty.give_back();
        // Blocked, it would come back as a message.
        let stop = SigSet::from(Signal::SIGTSTP);
        stop.thread_unblock()?;
        let stopped = raise(Signal::SIGTSTP);
        stop.thread_block()?;
        stopped?;
        self.tty.take(mouse)
    }

    fn go_on(&mut self, mouse: bool) -> io::Result<()> {
        self.tty.give_back();
        self.tty.take(mouse)
    }
}
