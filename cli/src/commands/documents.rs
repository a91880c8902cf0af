//! `completions` and `man`: what the definition of the arguments makes by itself.

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Args;
use crate::io::{Exit, Io};

const NAME: &str = "otlp-mmap";

/// Prints the completions for a shell.
pub(super) fn completions(shell: Shell, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    // The generator panics if its stream fails; a vector does not.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    io.stdout.write_all(&script)?;
    Ok(Exit::Success)
}

/// Prints the manual page of the program, or of one of its commands.
pub(super) fn man(command: Option<&str>, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    let mut program = Args::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => program.find_subcommand(name).with_context(|| format!("no command {name}"))?.clone(),
    };
    Man::new(page).source(concat!("otlp-mmap ", env!("CARGO_PKG_VERSION"))).render(io.stdout)?;
    Ok(Exit::Success)
}
