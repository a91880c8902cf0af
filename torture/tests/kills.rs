//! A sample of the random kills; `make torture` makes 100,000 of them.
//!
//! The kills need a process with one thread, which a test is not; so the program itself makes them.

use std::process::Command;

#[test]
fn what_had_returned_survives_random_kills() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_otlp-mmap-torture"))
        .args(["kills", "--count", "336", "--directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let (table, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}\n{log}");
    let numbers = |line: &str| -> Vec<u64> {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let first = |cell: &str| cell.split(' ').next().and_then(|number| number.parse().ok());
        cells.iter().skip(2).filter_map(|cell| first(cell)).take(2).collect()
    };
    let lines: Vec<_> = table.lines().filter(|line| line.contains("random kills")).map(numbers).collect();
    // Each policy with 1, 2 to 3, 4 to 7, 8 to 11 and 12 to 16 threads: all kills were made, none with a violation.
    assert_eq!(lines.len(), 15, "{table}");
    assert_eq!(lines.iter().map(|line| line[0]).sum::<u64>(), 336, "{table}");
    assert!(lines.iter().all(|line| line[1] == 0), "{table}");
}
