//! Fuzz target: a good recording, damaged. See `otlp_mmap_fuzz::damage`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp_mmap_fuzz::damage::{self, Damage};

fuzz_target!(|damage: Damage| damage::run(&damage));
