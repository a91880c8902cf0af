//! Fuzz target: any bytes as a file. See `otlp_mmap_fuzz::open`.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use otlp_mmap_fuzz::open;

fuzz_target!(|bytes: &[u8]| open::run(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    open::mutate(&mut data[..max_size], size, seed, &mut |data, size, most| fuzzer_mutate(data, size, most))
});
