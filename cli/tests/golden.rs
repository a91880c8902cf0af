//! The golden vectors beside SPEC.md: they read as they did when they were made, on every machine and at any time.
//!
//! `cargo run -p otlp-mmap --example golden` makes them, and says how.

#[path = "../examples/golden/expected.rs"]
mod expected;
#[path = "../examples/golden/hexdump.rs"]
mod hexdump;
#[path = "../examples/golden/image.rs"]
#[allow(dead_code, reason = "the tool changes recordings, too")]
mod image;
#[path = "golden/occurring.rs"]
mod occurring;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use image::Image;
use otlp_mmap_format::{Counter, RecordHeader, Signal};

const SPEC: &str = include_str!("../../format-spec/SPEC.md");

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../format-spec/golden")
}

/// The recordings in the directory.
fn vectors() -> Vec<PathBuf> {
    let files = fs::read_dir(golden()).unwrap().map(|file| file.unwrap().path());
    let mut vectors: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "otlpmm")).collect();
    vectors.sort();
    vectors
}

fn checked_in(vector: &Path) -> String {
    fs::read_to_string(vector.with_extension("jsonl")).unwrap()
}

fn name(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// Fails at the first line that differs, which is easier to read than two files.
#[track_caller]
fn assert_lines(found: &str, expected: &str, what: &str) {
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{what}, line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{what}: number of lines");
    assert!(found.ends_with('\n') && expected.ends_with('\n'), "{what}: a last line without an end");
}

#[test]
fn the_directory_holds_what_the_specification_names() {
    let section = SPEC.split("\n## 20 ").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: BTreeSet<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let vectors = vectors();
    assert_eq!(vectors.iter().map(|path| name(path)).collect::<BTreeSet<_>>(), named);
    for file in fs::read_dir(golden()).unwrap() {
        let path = file.unwrap().path();
        let of_a_vector = path.extension().is_some_and(|e| e == "otlpmm" || e == "jsonl");
        assert!(path.ends_with(".gitattributes") || of_a_vector && named.contains(name(&path)), "{path:?}");
    }
}

#[test]
fn every_vector_reads_as_it_did() {
    for vector in vectors() {
        assert_lines(&expected::expected(&vector).unwrap(), &checked_in(&vector), name(&vector));
    }
}

/// What is checked in was made at another boot than that of any reader; here it is of this one, too, and of none.
#[test]
fn every_vector_reads_the_same_at_its_own_boot_and_at_any_other() {
    let directory = tempfile::tempdir().unwrap();
    for vector in vectors() {
        let copy = directory.path().join(vector.file_name().unwrap());
        for (boot, boot_id) in [("this boot", this_boot()), ("another boot", [7; 16]), ("unknown", [0; 16])] {
            let mut image = Image::read(&vector).unwrap();
            image.set_boot_id(boot_id);
            fs::write(&copy, image.bytes).unwrap();
            let what = format!("{}, {boot}", name(&vector));
            assert_lines(&expected::expected(&copy).unwrap(), &checked_in(&vector), &what);
        }
        let of_this_boot = otlp_mmap_reader::Recording::open(&copy).unwrap().same_boot();
        assert!(!of_this_boot, "an unknown boot is not this one");
    }
}

#[test]
fn a_copy_with_the_id_of_this_boot_is_of_this_boot() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.otlpmm");
    let mut image = Image::read(&golden().join("spans.otlpmm")).unwrap();
    image.set_boot_id(this_boot());
    fs::write(&copy, image.bytes).unwrap();
    assert!(otlp_mmap_reader::Recording::open(&copy).unwrap().same_boot());
}

fn this_boot() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap().to_be_bytes()
}

#[test]
fn only_the_damaged_vector_has_a_fault() {
    for vector in vectors() {
        let image = Image::read(&vector).unwrap();
        let expected = if name(&vector) == "damaged" {
            let record = image.records(Signal::Events)[1];
            vec![(u64::try_from(record).unwrap(), "record-crc".to_owned())]
        } else {
            vec![]
        };
        assert_eq!(expected::faults(&vector).unwrap(), expected, "{}", name(&vector));
    }
}

#[test]
fn verify_counts_what_a_snapshot_holds() {
    for vector in vectors() {
        let recording = otlp_mmap_reader::Recording::open(&vector).unwrap();
        let mut verified = recording.verify().unwrap().readable;
        // A snapshot looks up the entries that it needs.
        verified.dictionary_entries = 0;
        assert_eq!(verified, recording.snapshot().unwrap().report.readable, "{}", name(&vector));
    }
}

#[test]
fn the_damage_is_one_flipped_bit() {
    let image = Image::read(&golden().join("damaged.otlpmm")).unwrap();
    let record = image.records(Signal::Events)[1];
    let end = record + image.size(record, RecordHeader::FIELDS, "length");
    let fits = |bytes: &[u8]| {
        let crc =
            crc32c::crc32c_append(crc32c::crc32c(&bytes[record..record + 16]), &bytes[record + 24..end]);
        u64::from(crc) == image.number(record, RecordHeader::FIELDS, "crc")
    };
    assert!(!fits(&image.bytes));
    let mut whole = image.bytes.clone();
    whole[record + RecordHeader::SIZE] ^= 1;
    assert!(fits(&whole), "bit 0 of observed_time_unix_nano");
}

#[test]
fn everything_that_a_file_can_hold_occurs() {
    let (mut found, mut all) = (BTreeSet::new(), occurring::all());
    for vector in vectors() {
        found.extend(occurring::of(&Image::read(&vector).unwrap()));
    }
    // A full disk and a stopped thread cannot be had at will.
    for counter in [Counter::NoSpace, Counter::Busy] {
        assert!(all.remove(&format!("Counter.{}", counter.name())));
    }
    let missing: Vec<_> = all.difference(&found).collect();
    assert!(missing.is_empty(), "in no vector: {missing:?}");
}

#[test]
fn the_dump_in_the_specification_is_that_of_the_vector() {
    let (_, rest) = SPEC.split_once(hexdump::BEGIN).unwrap();
    let (dump, _) = rest.split_once(hexdump::END).unwrap();
    let image = Image::read(&golden().join(hexdump::VECTOR).with_extension("otlpmm")).unwrap();
    assert_lines(dump, &hexdump::render(&image), "the dump");
    assert!(!dump.contains("DOES NOT FIT"));
}

/// Checked out where they are not sparse, and compressed in a repository.
#[test]
fn the_vectors_are_small() {
    for vector in vectors() {
        assert!(fs::metadata(&vector).unwrap().len() < 256 << 10, "{}", name(&vector));
    }
}
