//! `otlp-mmap-torture`: runs the crash tests whole and prints their figures in one table.

use clap::{Parser, Subcommand};
use otlp_mmap_torture::table::Table;
use std::process::ExitCode;

/// Kills, single-steps and damages recordings, and checks what a reader finds.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

/// Each command adds its lines to the table; `all` runs every one.
#[derive(Subcommand)]
enum Command {
    /// Everything.
    All,
}

fn main() -> ExitCode {
    let table = Table::default();
    match Args::parse().command {
        Command::All => {}
    }
    println!("{table}");
    if table.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
