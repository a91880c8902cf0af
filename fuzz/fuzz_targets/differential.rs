//! Fuzz target: both readers on one image. See `otlp_mmap_fuzz::differential`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp_mmap_fuzz::differential::{self, Damaged};

fuzz_target!(|damaged: Damaged| differential::run(&damaged));
