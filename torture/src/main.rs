//! `otlp-mmap-torture`: runs the crash tests whole and prints their figures in one table.

use clap::{Parser, Subcommand};
use otlp_mmap_torture::table::{Line, Table};
use otlp_mmap_torture::{damage, kills, step};
use std::path::PathBuf;
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
    /// Damages the golden vectors: flips each bit, cuts to each length, zeroes each page and mixes old and new ones.
    Bits {
        /// Only vectors whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// One in so many of bits and lengths.
        #[arg(long, default_value_t = 1)]
        one_in: u64,
        /// Which ones.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Flip bits that nobody looks at one at a time too, and not many at once. Takes hours.
        #[arg(long)]
        each_alone: bool,
    },
    /// Kills recording processes at random moments, and compares their files with what had returned.
    Kills(kills::Options),
    /// Steps a writer through its calls, and reads its file after each instruction.
    Step {
        /// Only scenarios whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
        /// Step through one call in so many.
        #[arg(long, default_value_t = 1)]
        one_in: u64,
        /// Which call of each scenario is the first to be stepped through.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// What a stepped process runs.
    #[command(hide = true)]
    Play {
        /// Name of the scenario.
        scenario: String,
        /// Directory that the tracer prepared.
        place: PathBuf,
    },
}

fn main() -> ExitCode {
    let mut table = Table::default();
    match Args::parse().command {
        Command::All => {
            run_kills(&mut table, &kills::Options::default());
            run_steps(&mut table, &step::Options::default());
            run_bits(&mut table, &damage::Options::default());
        }
        Command::Bits { only, one_in, seed, each_alone } => {
            run_bits(
                &mut table,
                &damage::Options { only, ..damage::Options::one_in(one_in, seed, each_alone) },
            );
        }
        Command::Kills(options) => run_kills(&mut table, &options),
        Command::Step { only, one_in, seed } => {
            run_steps(&mut table, &step::Options { one_in, seed, only, ..step::Options::default() });
        }
        Command::Play { scenario, place } => {
            step::play(&scenario, &place);
            return ExitCode::SUCCESS;
        }
    }
    println!("{table}");
    if table.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_kills(table: &mut Table, options: &kills::Options) {
    if let Err(error) = kills::run(options, table) {
        table.push(Line {
            what: "random kills".to_owned(),
            count: "none".to_owned(),
            violations: 1,
            notes: error.to_string(),
        });
    }
}

fn run_bits(table: &mut Table, options: &damage::Options) {
    for outcome in damage::run(options) {
        eprintln!("{}: {} images", outcome.what, outcome.tally.count);
        table.push(outcome.line());
    }
}

fn run_steps(table: &mut Table, options: &step::Options) {
    let program = std::env::current_exe().expect("the path of this program");
    match step::run(&program, options) {
        Ok(lines) => lines.into_iter().for_each(|line| table.push(line)),
        Err(forbidden) => table.push(Line {
            what: "step".to_owned(),
            count: "nothing".to_owned(),
            violations: 1,
            notes: forbidden.to_string(),
        }),
    }
}
