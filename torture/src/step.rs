//! Kill at every instruction.
//!
//! The format promises that any instruction of the writer may be its last. Random kills try a few instructions out of
//! millions; here every one is tried. A process is stepped, one machine instruction after the other (`ptrace`),
//! through calls on the writer: events, spans, measurements, definitions, full pools, the creation of the file. What it
//! has stored so far is what would be left of it had it been killed there, because a store into the mapping is in the
//! page cache at once, and nothing else would follow. So after each instruction its file is copied, the copy is opened
//! as the recording of a dead process, and everything a reader can be asked is asked. The live file of the stopped
//! process, which still holds its lock, is read and followed in the same state.
//!
//! The oracle ([`oracle`]) knows nothing of the format. It follows the calls and knows which *worlds* are legal during
//! each of them, in their order: the one before the call, the one after it, and what the specification allows in
//! between ([`world`]). Each state of the file must be one of them, exactly, field by field and counter by counter,
//! and none may come back once it was left. When the call has returned, only the last one is legal. Besides, no
//! reader may report a fault, panic, or see a record twice; observers that follow must get every record; what is
//! overwritten must be the oldest segment and be counted ([`watched`]).
//!
//! An instruction that changes nothing in the file leaves the state that was looked at before it, so the file is
//! compared after each instruction and read only if it differs. What processors may reorder is not seen this way; a
//! kill does not see it either.
//!
//! | file | what it holds |
//! |---|---|
//! | `call`, `scenario` | calls as plain data, and which are made in which order |
//! | `program`, `process`, `markers` | the traced process: makes the calls, and tells what has returned |
//! | `tracer` | steps the process and looks after each instruction |
//! | `look`, `watched` | the dead copy and the live file |
//! | `oracle`, `cells`, `world` | what must be found |

mod call;
mod cells;
mod look;
mod markers;
mod oracle;
mod process;
mod program;
mod scenario;
mod tracer;
mod watched;
mod world;

use crate::table::{Line, thousands};
use markers::Markers;
use scenario::Scenario;
use std::path::Path;
use tracer::{Failure, Figures, Tracer};

/// Which calls are stepped through.
#[derive(Clone, Debug)]
pub struct Options {
    /// One call in so many; 1: all of them. The others are made at full speed and checked when they have returned.
    pub one_in: u64,
    /// Chooses where in each scenario the first of them is.
    pub seed: u64,
    /// Most instructions in all. Beyond them, calls are made at full speed.
    pub budget: u64,
    /// Only scenarios whose name contains this; empty: all but those that break a promise on purpose.
    pub only: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { one_in: 1, seed: 0, budget: u64::MAX, only: String::new() }
    }
}

/// This process may not trace its child.
#[derive(Debug)]
pub struct Forbidden;

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "ptrace is forbidden here (EPERM), so nothing could be stepped through; in a container, allow it with \
             --cap-add=SYS_PTRACE",
        )
    }
}

impl std::error::Error for Forbidden {}

/// Runs the scenarios; `program` is the executable whose `play` command is [`play`]. Gives a line for each.
///
/// # Panics
/// If there is no temporary directory.
pub fn run(program: &Path, options: &Options) -> Result<Vec<Line>, Forbidden> {
    let is_chosen = |scenario: &Scenario| match &*options.only {
        "" => !scenario.is_broken,
        only => scenario.name.contains(only),
    };
    let mut scenarios: Vec<_> = scenario::all().into_iter().filter(is_chosen).collect();
    if let Some(first) = options.seed.checked_rem(scenarios.len() as u64) {
        // The budget may not last to the last one.
        scenarios.rotate_left(usize::try_from(first).unwrap_or(0));
    }
    let one_in = options.one_in.max(1);
    let choose = |call: usize| options.seed.wrapping_add(call as u64).is_multiple_of(one_in);
    let (mut lines, mut all) = (Vec::new(), Figures::default());
    for scenario in &scenarios {
        let figures = run_one(program, scenario, choose, options.budget.saturating_sub(all.instructions))?;
        all.calls += figures.calls;
        all.instructions += figures.instructions;
        all.states += figures.states;
        lines.push(line(scenario.name, &figures));
    }
    lines.push(line("in all", &all));
    Ok(lines)
}

fn run_one(
    program: &Path,
    scenario: &Scenario,
    choose: impl Fn(usize) -> bool,
    budget: u64,
) -> Result<Figures, Forbidden> {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut figures = Figures::default();
    let outcome = Tracer::start(program, scenario, place.path()).and_then(|mut tracer| {
        let outcome = tracer.run(choose, budget);
        figures = tracer.figures();
        outcome
    });
    match outcome {
        Ok(()) => {}
        Err(Failure::Forbidden) => return Err(Forbidden),
        Err(Failure::Violation(what)) => figures.violation = Some(what),
    }
    Ok(figures)
}

fn line(name: &str, figures: &Figures) -> Line {
    let Figures { calls, instructions, states, violation } = figures;
    Line {
        what: format!("step: {name}"),
        count: format!("{} instructions, {} states", thousands(*instructions), thousands(*states)),
        violations: u64::from(violation.is_some()),
        notes: violation.clone().unwrap_or_else(|| format!("{calls} calls")),
    }
}

/// What the traced process does: makes the calls of a scenario in `place`, traced by its parent.
///
/// # Panics
/// If there is no such scenario, or `place` was not prepared by [`run`].
pub fn play(name: &str, place: &Path) {
    let scenarios = scenario::all();
    let scenario = scenarios.iter().find(|scenario| scenario.name == name).expect("a scenario of this name");
    let markers = Markers::open(&place.join("markers")).expect("the marker page");
    process::be_traced();
    program::run(scenario, &place.join("recordings"), &markers);
}
