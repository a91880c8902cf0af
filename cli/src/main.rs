//! The `otlp-mmap` command: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Exit codes are 0, 1 and 2.
    ExitCode::from(u8::try_from(otlp_mmap::main_from(std::env::args_os())).unwrap_or(2))
}
