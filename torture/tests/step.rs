//! A sample of "kill at every instruction": other calls in each run. `otlp-mmap-torture step` steps through all of them.

use otlp_mmap_torture::step::{Options, run};
use otlp_mmap_torture::table::Line;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names the sample to repeat.
const SEED: &str = "OTLP_MMAP_STEP_SEED";
/// One call of each scenario in so many is stepped through.
const ONE_IN: u64 = 5;
/// Instructions in all; scenarios beyond them run at full speed, and are checked after each call.
const BUDGET: u64 = 100_000;

fn steps(options: &Options) -> Vec<Line> {
    let program = Path::new(env!("CARGO_BIN_EXE_otlp-mmap-torture"));
    run(program, options).unwrap_or_else(|forbidden| panic!("{forbidden}"))
}

#[test]
fn a_reader_finds_what_had_returned_after_any_instruction() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    };
    let lines = steps(&Options { one_in: ONE_IN, seed, budget: BUDGET, only: String::new() });
    for line in &lines {
        println!("{}: {} ({})", line.what, line.count, line.notes);
        assert_eq!(line.violations, 0, "{}: {}\nrepeat with {SEED}={seed}", line.what, line.notes);
    }
    assert!(lines.len() > 20, "{} scenarios", lines.len());
}

/// What is broken on purpose is noticed.
#[test]
fn a_lost_event_and_a_changed_byte_are_violations() {
    let lines = steps(&Options { only: "broken: ".to_owned(), budget: 10_000, ..Options::default() });
    let notes: Vec<_> = lines.iter().filter(|line| line.violations == 1).map(|line| &*line.notes).collect();
    assert_eq!(notes.len(), 2, "{lines:?}");
    assert!(notes[0].contains("record-crc"), "{}", notes[0]);
    assert!(notes[1].contains("1 events were recorded, expected 2"), "{}", notes[1]);
}
