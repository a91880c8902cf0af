//! The `otlp-mmap` command line: dump, follow, filter and verify recordings.
//!
//! `main` is [`main_from`] with the process's arguments; [`run`] is the same with every stream, the clock and the
//! terminal given, so that tests need no process. Data goes to stdout, everything else to stderr. Recordings are only
//! read; nothing they hold reaches a terminal unescaped.

mod args;
mod commands;
pub mod escape;
pub mod filter;
mod inspect;
mod io;
mod output;
pub mod paint;
pub mod record;
#[cfg(test)]
mod samples;
mod select;
mod source;
pub mod time;

use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, IsTerminal};

use clap::Parser;

pub use self::io::{Clock, Exit, Io, SystemClock};
pub use self::output::jsonl;
pub use self::output::text;
use crate::args::Args;
use crate::escape::Printable;

/// Runs with the process's own streams, clock and environment. `args` begins with the program's name, as in
/// [`std::env::args_os`]. Returns the exit code: 0 done, 1 the answer is no, 2 usage or I/O.
pub fn main_from(args: impl Iterator<Item = OsString>) -> i32 {
    let stdout = std::io::stdout();
    let terminal = stdout.is_terminal();
    let mut stdout = BufWriter::with_capacity(1 << 16, stdout.lock());
    let mut stderr = std::io::stderr();
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut io = Io {
        stdout: &mut stdout,
        stderr: &mut stderr,
        clock: &SystemClock,
        terminal,
        no_color: set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
    };
    run(args, &mut io).code()
}

/// Parses `args`, the first being the program's name, and runs the command they name. All output is flushed.
pub fn run(args: impl Iterator<Item = OsString>, io: &mut Io<'_>) -> Exit {
    let result = match Args::try_parse_from(args) {
        Ok(args) => commands::run(&args, io),
        Err(message) => print_usage(&message, io),
    };
    result.and_then(|exit| io.stdout.flush().map(|()| exit).map_err(Into::into)).unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return Exit::Success;
        }
        // Nothing is left to be told if stderr is gone.
        let _ = writeln!(io.stderr, "otlp-mmap: {}", Multiline(&format!("{error:#}")));
        Exit::Error
    })
}

/// Help and version are what was asked for; anything else is a usage error.
fn print_usage(message: &clap::Error, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let text = message.render().to_string();
    if message.use_stderr() {
        let _ = write!(io.stderr, "{}", Multiline(&text));
        return Ok(Exit::Error);
    }
    io.stdout.write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}

/// Displays a message that keeps its line ends; every line is escaped.
struct Multiline<'a>(&'a str);

impl std::fmt::Display for Multiline<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.split_inclusive('\n') {
            let text = line.strip_suffix('\n');
            write!(f, "{}{}", Printable(text.unwrap_or(line)), if text.is_some() { "\n" } else { "" })?;
        }
        Ok(())
    }
}
