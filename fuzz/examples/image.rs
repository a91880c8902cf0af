//! Writes the recording that an input of `scan`, `dictionary`, `attributes` or `cells` is:
//! `cargo run --example image INPUT FILE`. Then `otlp-mmap verify FILE` reads it.

use otlp_mmap_fuzz::image::localise;
use otlp_mmap_fuzz::parts::Parts;

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [input, file] = &arguments[..] else { panic!("usage: image INPUT FILE") };
    let mut image = Parts::decode(&std::fs::read(input)?).assemble();
    localise(&mut image);
    std::fs::write(file, image)
}
