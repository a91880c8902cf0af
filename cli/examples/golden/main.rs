//! Makes the golden vectors beside SPEC.md, and the annotated dump in it (SPEC "Golden vectors").
//!
//!     cargo run -p otlp-mmap --example golden               the vectors that are not there yet
//!     cargo run -p otlp-mmap --example golden -- --render   their JSON Lines again, from the recordings as they are
//!     cargo run -p otlp-mmap --example golden -- --force    everything anew
//!
//! The dump in SPEC.md is rendered each time. Recordings are made by the writer in a directory for the time being;
//! then what would tell of the machine is replaced in their headers ([`settle`]), and they are checked in. They are
//! to stay readable for ever: `--force` is for a format that nobody has used yet.

mod expected;
mod hexdump;
#[allow(dead_code, reason = "the test looks for more than the tool")]
mod image;
mod processes;
mod settle;
mod vectors;

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::image::Image;
use crate::vectors::VECTORS;

/// What may be replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing.
    Missing,
    /// What is derived from the recordings.
    Render,
    /// Everything.
    Force,
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mode = match args[..] {
        [] => Mode::Missing,
        ["--render"] => Mode::Render,
        ["--force"] => Mode::Force,
        [processes::ROLE, path] => return processes::record_until_killed(Path::new(path)),
        _ => bail!("usage: golden [--render | --force]"),
    };
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../format-spec");
    let golden = spec.join("golden");
    std::fs::create_dir_all(&golden)?;
    for vector in VECTORS {
        let path = golden.join(vector.name).with_extension("otlpmm");
        let is_new = mode == Mode::Force || !path.exists();
        if is_new {
            make(vector, &path).with_context(|| format!("the vector {}", vector.name))?;
        }
        if is_new || mode == Mode::Render {
            let text = expected::expected(&path)?;
            std::fs::write(path.with_extension("jsonl"), text)?;
        }
    }
    render(&spec.join("SPEC.md"), &golden)
}

/// Makes a recording; the file at `path` is replaced.
fn make(vector: &vectors::Vector, path: &Path) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let made = directory.path().join(vector.name).with_extension("otlpmm");
    (vector.make)(&made)?;
    let mut image = Image::read(&made)?;
    settle::settle(&mut image);
    if let Some(change) = vector.change {
        change(&mut image);
    }
    std::fs::write(path, image.bytes)?;
    Ok(())
}

/// Puts the dump between its markers in SPEC.md.
fn render(spec: &Path, golden: &Path) -> anyhow::Result<()> {
    let image = Image::read(&golden.join(hexdump::VECTOR).with_extension("otlpmm"))?;
    let text = std::fs::read_to_string(spec)?;
    let (before, rest) = text.split_once(hexdump::BEGIN).context("no marker for the begin of the dump")?;
    let (_, after) = rest.split_once(hexdump::END).context("no marker for the end of the dump")?;
    ensure!(!after.contains(hexdump::END), "two dumps");
    let dump = hexdump::render(&image);
    std::fs::write(spec, [before, hexdump::BEGIN, &dump, hexdump::END, after].concat())?;
    Ok(())
}
