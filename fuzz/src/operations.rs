//! Calls of the writer against a plain model of what they record.
//!
//! A [`Program`] is what the fuzzer chooses: settings with everything small, so that pools are overwritten, values do
//! not fit and spans spill, then calls, good and bad. [`machine`] makes each call on a writer and notes in plain
//! vectors what must come of it; [`check`] reads the file and compares, while the writer lives and after it closed.

mod check;
mod input;
mod machine;
mod metrics;
mod room;
mod spans;
mod values;

pub use self::input::Program;
use self::machine::Machine;

/// Most operations that are made.
const MAX_OPERATIONS: usize = 600;
/// Most checks in between.
const MAX_CHECKS: usize = 4;

/// Makes the calls and compares what is read with what was recorded.
pub fn run(program: &Program) {
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
    machine.check();
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbitrary::{Arbitrary, Unstructured};

    #[test]
    fn programs_made_of_noise_agree_with_the_model() {
        let mut state = 1_u64;
        for length in (0..120).map(|number| number * 25) {
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_le_bytes()[7]
            };
            let bytes: Vec<u8> = (0..length).map(|_| noise()).collect();
            run(&Program::arbitrary_take_rest(Unstructured::new(&bytes)).expect("a program"));
        }
    }
}
