//! `inspect`: the viewer, or one screen of it as text.

use std::io::IsTerminal;
use std::path::PathBuf;

use otlp_mmap_reader::{Error, Recording, recording_paths};

use crate::args::Inspect;
use crate::filter::Filter;
use crate::inspect::{self, NamedFilter, Palette, Setup};
use crate::io::{Exit, Io};
use crate::paint::Paint;
use crate::source::Notes;

/// What to do without a terminal.
const NO_TERMINAL: &str = "`inspect` needs a terminal; `otlp-mmap tail` prints the last records, and \
    `otlp-mmap inspect --once traces` one screen";

pub(super) fn run(args: &Inspect, paint: Paint, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let setup = setup(args, paint)?;
    if args.once.is_none() && !(io.terminal && std::io::stdout().is_terminal()) {
        anyhow::bail!(NO_TERMINAL);
    }
    let mut notes = Notes::new(io.stderr);
    for path in &args.paths {
        if let Err(error) = check(path) {
            notes.fail(path, error);
        }
    }
    if notes.failed() {
        return Ok(Exit::Error);
    }
    let (exit, text) = if let Some(screen) = args.once {
        let text = inspect::screen(setup, screen, args.size, io.clock.now_unix_nano())?;
        (Exit::Success, text)
    } else {
        let (exit, kept) = inspect::show(setup)?;
        (exit, kept.unwrap_or_default())
    };
    io.stdout.write_all(text.as_bytes())?;
    Ok(exit)
}

fn setup(args: &Inspect, paint: Paint) -> anyhow::Result<Setup> {
    let filter = args.filter.as_ref().map(|text| match Filter::parse(text) {
        Ok(filter) => Ok(NamedFilter { text: text.clone(), filter }),
        Err(error) => Err(anyhow::Error::msg(error.render(text))),
    });
    let without_choice = if paint.on { Palette::Dark } else { Palette::Mono };
    Ok(Setup {
        paths: args.paths.clone(),
        filter: filter.transpose()?,
        palette: args.theme.unwrap_or(without_choice),
        ascii: args.ascii,
        mouse: args.mouse,
        panic_after_draws: args.panic_after_draws,
        panic_after_snapshots: args.panic_after_snapshots,
    })
}

/// A directory may still be empty; a file must be a recording.
fn check(path: &PathBuf) -> Result<(), Error> {
    recording_paths(path)?;
    if path.is_dir() { Ok(()) } else { Recording::open(path).map(drop) }
}
