//! The commands, a module each.

mod documents;
mod dump;
mod inspect;
mod stat;
mod tail;
mod verify;

use crate::args::{Args, Color, Command};
use crate::io::{Exit, Io};
use crate::paint::Paint;

/// Runs the command that the arguments name.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let paint = Paint {
        on: match args.color {
            Color::Auto => io.terminal && !io.no_color,
            Color::Always => true,
            Color::Never => false,
        },
    };
    match &args.command {
        Command::Inspect(args) => inspect::run(args, paint, io),
        Command::Dump(args) => dump::run(args, paint, io),
        Command::Tail(args) => tail::run(args, paint, io),
        Command::Stat(args) => stat::run(args, paint, io),
        Command::Verify(args) => verify::run(args, paint, io),
        Command::Completions { shell } => documents::completions(*shell, io),
        Command::Man { command } => documents::man(command.as_deref(), io),
    }
}
