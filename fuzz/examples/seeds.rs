//! Writes what the fuzzer begins with: `cargo run --example seeds CORPUS`, where `CORPUS` gets a directory for each
//! target whose input is a file or parts of one.

use std::fs;
use std::path::Path;

use otlp_mmap_fuzz::seeds::{golden, seeds};

fn main() -> std::io::Result<()> {
    let corpus = std::env::args_os().nth(1).expect("usage: seeds CORPUS");
    let corpus = Path::new(&corpus);
    let directory = corpus.join("open");
    fs::create_dir_all(&directory)?;
    for path in golden() {
        fs::copy(&path, directory.join(path.file_name().expect("a name")))?;
    }
    for target in ["scan", "dictionary", "attributes", "cells"] {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)?;
        for (name, parts) in seeds() {
            fs::write(directory.join(name), parts.encode())?;
        }
    }
    Ok(())
}
