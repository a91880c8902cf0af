//! Inputs that found something, in `regressions/TARGET` under the name of the test in the crate that was wrong: each
//! runs again.

use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use otlp_mmap_fuzz::{attributes, cells, damage, dictionary, filter, follow, open, operations, scan};

#[test]
fn what_was_found_once_is_not_found_again() {
    let all = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/regressions"));
    let mut count = 0;
    for target in fs::read_dir(all).expect("the inputs") {
        let target = target.expect("a directory").path();
        for input in fs::read_dir(&target).expect("the inputs of a target") {
            let input = input.expect("an input").path();
            println!("{}", input.display());
            let name = target.file_name().expect("a name").to_string_lossy();
            replay(&name, &fs::read(&input).expect("an input"));
            count += 1;
        }
    }
    assert!(count > 0);
}

fn replay(target: &str, input: &[u8]) {
    match target {
        "open" => open::run(input),
        "scan" => scan::run(input),
        "dictionary" => dictionary::run(input),
        "attributes" => attributes::run(input),
        "cells" => cells::run(input),
        "filter" => filter::run(str::from_utf8(input).expect("text")),
        "damage" => damage::run(&made(input)),
        "follow" => follow::run(&made(input)),
        "operations" => operations::run(&made(input)),
        other => panic!("no target {other}"),
    }
}

/// What a target's macro makes of an input.
fn made<'a, T: Arbitrary<'a>>(input: &'a [u8]) -> T {
    T::arbitrary_take_rest(Unstructured::new(input)).expect("an input of this target")
}
