//! Fuzz target: calls of the writer against a model. See `otlp_mmap_fuzz::operations`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp_mmap_fuzz::operations::{self, Program};

fuzz_target!(|program: Program| operations::run(&program));
