//! What the fuzz targets share. A target is a few lines in `fuzz_targets`; what it does and what it expects is here,
//! so that the tests of this crate can run it without a fuzzer.
//!
//! - [`open`]: any bytes as a file.
//! - [`scan`], [`dictionary`], [`attributes`], [`cells`]: one part of a recording is anything, with checks that fit.
//! - [`follow`]: an observer of a file whose bytes change.
//! - [`damage`]: a good recording with damage; nothing may be invented, nothing else lost.
//! - [`differential`]: both readers, this one and the second one in Python, on a damaged recording.
//! - [`filter`]: the filter of the command line, against its own rules.
//! - [`operations`]: calls of the writer against a plain model of what they record.
//!
//! Every expectation is an assertion: what breaks one is a finding. What several targets expect is in [`read`] and
//! [`output`].

pub mod attributes;
pub mod cells;
pub mod damage;
pub mod dictionary;
pub mod differential;
pub mod filter;
pub mod follow;
pub mod image;
pub mod items;
pub mod memory;
pub mod open;
pub mod operations;
pub mod output;
pub mod parts;
pub mod random;
pub mod read;
pub mod sample;
pub mod scan;
pub mod seeds;
pub mod target;
