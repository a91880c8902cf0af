//! Calls of the writer against a plain model of what they record.
//!
//! A [`Program`] is settings with everything small, so that pools are overwritten, values do not fit, spans spill and
//! the dictionary is full, then calls, good and bad. `machine` makes each call on a writer and notes in plain vectors
//! what must come of it; `check` reads the file and compares, while the writer lives and after it closed; a `watcher`
//! is an observer that looks at random moments.
//!
//! Two choose programs: the property tests of this crate, and the fuzz target `operations`.

mod check;
mod dictionary;
pub mod file;
pub mod given;
mod input;
mod machine;
mod metrics;
#[cfg(test)]
mod properties;
mod room;
mod spans;
#[cfg(test)]
mod strategy;
mod values;
mod watcher;

use otlp_mmap_reader::Losses;

pub use self::input::Program;
use self::machine::Machine;

/// Most operations that are made.
const MAX_OPERATIONS: usize = 600;
/// Most checks in between.
const MAX_CHECKS: usize = 8;

/// Makes the calls and compares what is read with what was recorded.
///
/// # Panics
/// If they differ.
pub fn run(program: &Program) {
    run_to_the_end(program);
}

/// As [`run`]; gives what was lost in the end.
fn run_to_the_end(program: &Program) -> Losses {
    let mut machine = Machine::new(&program.settings);
    let mut checks = 0;
    for operation in program.operations.iter().take(MAX_OPERATIONS) {
        let is_check = machine.apply(operation);
        if is_check && checks < MAX_CHECKS {
            checks += 1;
            machine.check();
        }
    }
    machine.check();
    machine.close();
    machine.check()
}
