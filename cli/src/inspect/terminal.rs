//! The viewer on a real terminal: threads for keys, signals and the source, one channel, and the loop.
//!
//! However the loop ends, the terminal is given back before anything else is printed: it is done when [`tty::Tty`] is
//! dropped, and by a hook when any thread panics.

mod drive;
mod input;
#[cfg(test)]
mod tests;
mod tty;

use std::io::{self, BufWriter, IsTerminal};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event;

use self::drive::{Ahead, Drive, Ending, Message};
use self::tty::{Tty, World};
use super::Setup;
use super::app::App;
use super::source::Source;
use crate::io::{Exit, SystemClock};

/// Bytes of a screen that go to the terminal at once.
const SCREEN_BYTES: usize = 1 << 16;

/// The kernel does not wake everyone who waits for nothing but the end of a terminal.
const WATCH_INTERVAL: u16 = 500;

/// Signals by which a process is asked to end or to stop, and by which it is told that it goes on.
const SIGNALS: [Signal; 5] =
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGTSTP, Signal::SIGCONT];

/// Shows the recordings until the viewer is quit. The terminal must be that of stdout. Gives the last screen if it is to
/// be left in the terminal.
pub(super) fn run(mut setup: Setup) -> anyhow::Result<(Exit, Option<String>)> {
    let (sender, messages) = channel();
    // Before any other thread is there: each takes its mask from the one that starts it.
    let signals: SigSet = SIGNALS.into_iter().collect();
    signals.thread_block()?;
    spawn("signals", &sender, move |sender| wait_for_signals(&signals, &sender))?;
    let ending = {
        let tty = Tty::new()?;
        let _hook = tty.hook_panics(sender.clone());
        tty.take(setup.mouse).context("terminal")?;
        spawn("keys", &sender, |sender| read_terminal(&sender))?;
        spawn("terminal", &sender, |sender| watch_terminal(&sender))?;
        drive(&tty, &mut setup, sender, &messages)?
    };
    signals.thread_unblock()?;
    match ending {
        Ending::Quit => Ok((Exit::Success, None)),
        Ending::Kept(text) => Ok((Exit::Success, Some(text))),
        Ending::Panicked => Ok((Exit::Error, None)),
        Ending::Signal(signal) => {
            // Whoever started the process is told that it died of the signal.
            raise(signal)?;
            Ok((Exit::Error, None))
        }
    }
}

fn drive(
    tty: &Tty,
    setup: &mut Setup,
    sender: Sender<Message>,
    messages: &Receiver<Message>,
) -> anyhow::Result<Ending> {
    let backend = CrosstermBackend::new(BufWriter::with_capacity(SCREEN_BYTES, tty.output()));
    let mut screen = Terminal::new(backend)?;
    let size = screen.size()?;
    let mut app = App::new((size.width, size.height), setup.options(None));
    let mut left = setup.panic_after_snapshots;
    let source = Source::spawn(std::mem::take(&mut setup.paths), SystemClock, move |delivery| {
        left = left.map(|left| left.saturating_sub(1)).filter(|_| delivery.is_ok());
        assert!(left != Some(0), "the test asked for a panic of the source");
        // If the loop has ended, so will the source.
        let _ = sender.send(Message::Source(delivery));
    })
    .context("thread")?;
    let mut world = World { tty, source };
    let mut drive = Drive {
        app: &mut app,
        theme: &setup.theme(),
        screen: &mut screen,
        outside: &mut world,
        panic_after_draws: setup.panic_after_draws,
        ahead: Ahead::default(),
    };
    drive.run(messages)
}

fn spawn(
    name: &str,
    sender: &Sender<Message>,
    body: impl FnOnce(Sender<Message>) + Send + 'static,
) -> anyhow::Result<()> {
    let sender = sender.clone();
    thread::Builder::new().name(name.to_owned()).spawn(move || body(sender)).context("thread")?;
    Ok(())
}

/// Hands over what the terminal sends, until it is gone or the loop has ended.
fn read_terminal(sender: &Sender<Message>) {
    loop {
        let message = match event::read() {
            Ok(raw) => Message::Input(raw),
            Err(error) => {
                let _ = sender.send(Message::InputGone(error));
                return;
            }
        };
        if sender.send(message).is_err() {
            return;
        }
    }
}

/// Tells when the terminal is gone: reading from it would then go on for ever without an error. A process whose
/// controlling terminal it is gets a signal as well.
fn watch_terminal(sender: &Sender<Message>) {
    let (input, output) = (io::stdin(), io::stdout());
    let mut watched = vec![PollFd::new(output.as_fd(), PollFlags::empty())];
    if input.is_terminal() {
        watched.push(PollFd::new(input.as_fd(), PollFlags::empty()));
    }
    loop {
        match poll(&mut watched, WATCH_INTERVAL) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(_) => return,
        }
    }
    let _ = sender.send(Message::InputGone(io::ErrorKind::UnexpectedEof.into()));
}

fn wait_for_signals(signals: &SigSet, sender: &Sender<Message>) {
    while let Ok(signal) = signals.wait() {
        if sender.send(Message::Signal(signal)).is_err() {
            return;
        }
    }
}
