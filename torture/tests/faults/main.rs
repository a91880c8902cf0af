//! Faults by name: what the kernel, the disk, the clock and other processes can do to a recording, one test for each.
//! `FAULTS.md` beside this crate lists them with what is kept and what is lost.
//!
//! Each test runs in a process of its own (see [`support::isolated`]): limits, filters, timers, namespaces and forks
//! of one do not reach another.

#![allow(clippy::similar_names, reason = "a `recorder` and what it `recorded`")]

mod clock;
mod creation;
mod descriptors;
mod files;
mod listed;
mod memory;
mod processes;
mod readers;
mod seccomp;
mod signals;
mod storage;
mod support;
#[path = "../../../writer/tests/support/mod.rs"]
mod writer_support;
