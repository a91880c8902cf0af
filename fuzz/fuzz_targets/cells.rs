//! Fuzz target: metric series of all kinds, damaged but with checks that fit. See `otlp_mmap_fuzz::cells`.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use otlp_mmap_fuzz::{cells, target};

fuzz_target!(|input: &[u8]| cells::run(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let default = &mut |data: &mut [u8], size, most| fuzzer_mutate(data, size, most);
    target::mutate(&mut data[..max_size], size, seed, cells::mutate, default)
});
