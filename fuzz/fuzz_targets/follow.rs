//! Fuzz target: a file that changes while it is followed. See `otlp_mmap_fuzz::follow`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otlp_mmap_fuzz::follow::{self, Chase};

fuzz_target!(|chase: Chase| follow::run(&chase));
