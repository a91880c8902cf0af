//! Fuzz target: the filter of the command line. See `otlp_mmap_fuzz::filter`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp_mmap_fuzz::filter;

fuzz_target!(|text: &str| filter::run(text));
