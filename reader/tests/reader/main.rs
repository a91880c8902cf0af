//! Tests of the reader through its public API, over images that `support` builds.
// Numbers of a small image fit any type; where they do not, a test fails.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_lossless)]

#[path = "../support/mod.rs"]
mod support;

mod active;
mod dictionary;
mod expansion;
mod exporter;
mod files;
mod header;
mod items;
mod observer;
mod otlp;
mod property;
mod salvage;
mod series;
mod single;
mod sparse;
