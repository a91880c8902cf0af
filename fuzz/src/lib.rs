//! What the fuzz targets share. A target is a few lines in `fuzz_targets`; what it does and what it expects is here,
//! so that the tests of this crate can run it without a fuzzer.
//!
//! - [`open`]: any bytes as a file.
//! - [`damage`]: a good recording with damage; nothing may be invented, nothing else lost.
//! - [`differential`]: both readers, this one and the second one in Python, on a damaged recording.
//! - [`filter`]: the filter of the command line, against its own rules.
//! - [`operations`]: calls of the writer against a plain model of what they record.
//!
//! Every expectation is an assertion: what breaks one is a finding.

pub mod damage;
pub mod differential;
pub mod filter;
pub mod image;
pub mod memory;
pub mod open;
pub mod operations;
pub mod sample;
