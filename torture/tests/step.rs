//! A sample of "kill at every instruction": some calls of each scenario, others in each run. `otlp-mmap-torture step`
//! steps through all of them.

use otlp_mmap_torture::step::{Options, run};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names the sample to repeat.
const SEED: &str = "OTLP_MMAP_STEP_SEED";
/// One call of each scenario in so many is stepped through.
const ONE_IN: u64 = 12;

#[test]
fn a_reader_finds_what_had_returned_after_any_instruction() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    };
    let program = Path::new(env!("CARGO_BIN_EXE_otlp-mmap-torture"));
    let options = Options { one_in: ONE_IN, seed, only: String::new() };
    let lines = run(program, &options).unwrap_or_else(|forbidden| panic!("{forbidden}"));
    for line in &lines {
        println!("{}: {} ({})", line.what, line.count, line.notes);
        assert_eq!(line.violations, 0, "{}: {}\nrepeat with {SEED}={seed}", line.what, line.notes);
    }
    assert!(lines.len() > 20, "{} scenarios", lines.len());
}
