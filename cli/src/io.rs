//! What a run gets from outside: streams, the clock, the terminal. Tests give their own.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Streams and surroundings of a run.
pub struct Io<'a> {
    /// Data.
    pub stdout: &'a mut dyn Write,
    /// Everything else. Its errors are ignored: there is no one to tell.
    pub stderr: &'a mut dyn Write,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Whether `stdout` is a terminal.
    pub terminal: bool,
    /// The environment asks for no colours.
    pub no_color: bool,
}

/// The time, and waiting for it.
pub trait Clock {
    /// Realtime, unix nanoseconds.
    fn now_unix_nano(&self) -> u64;

    /// Waits; `false`: the run is to end now, as if what it follows had ended, or because nobody reads it any more.
    fn wait(&self, duration: Duration) -> bool;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_unix_nano(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Without a look at stdout, `tail -f | head` would go on for as long as nothing is recorded.
    fn wait(&self, duration: Duration) -> bool {
        let stdout = std::io::stdout();
        // No event is asked for: what is told all the same is that the other end is gone.
        let mut streams = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(duration).unwrap_or(PollTimeout::MAX);
        !matches!(poll(&mut streams, timeout), Ok(1))
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// The answer is no: damage was found, or nothing matched.
    No,
    /// Wrong usage, or something could not be read or written.
    Error,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Error => 2,
        }
    }
}
