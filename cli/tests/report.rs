//! `stat`, `verify`, `completions`, `man`, and the program itself.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Recorded, run, text};
use otlp_mmap::Exit;
use otlp_mmap_format::HEADER_CRC_OFFSET;
use otlp_mmap_reader::{Recording, Signal};
use otlp_mmap_writer::Config;

fn recorded(directory: &Path) -> (PathBuf, Recorded) {
    let path = directory.join("shop.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.fill();
    (path, recorded)
}

#[test]
fn stat_tells_what_a_recording_is() {
    let directory = tempfile::tempdir().unwrap();
    let (path, recorded) = recorded(directory.path());
    let ran = run(&["stat", text(&path)]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
    for part in [
        &format!("pid {}, alive", std::process::id()),
        "overwrite-oldest",
        "spans             2 recorded, 2 present, 0 lost\n",
        "events            2 recorded, 2 present, 0 lost\n",
        "measurements      1 recorded, 1 present, 0 lost\n",
        "metric series     1\n",
        "faults            none\n",
        "spans in flight   1\n",
        "SPAN shop \"POST /order\" server in-flight",
        "for 59.970s now",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    recorded.writer.close();
    assert!(run(&["stat", text(&path)]).stdout.contains(", closed at 20"));
}

#[test]
fn stat_counts_losses_by_signal_and_reason() {
    let directory = tempfile::tempdir().unwrap();
    let (path, recorded) = recorded(directory.path());
    for i in 0..5_000 {
        recorded.event("flood", 9, "x", i);
    }
    recorded.span(&"long".repeat(3_000), 1, 0);
    let ran = run(&["stat", "--format", "json", text(directory.path())]);
    let json = &ran.json()[0];
    let events = &json["signals"]["events"];
    assert_eq!(events["recorded"], 5_002);
    assert_eq!(events["lost"], events["lost_by_reason"]["overwritten"]);
    assert_eq!(events["present"].as_u64().unwrap() + events["lost"].as_u64().unwrap(), 5_002);
    assert!(events["lost"].as_u64().unwrap() > 0);
    assert_eq!(json["signals"]["spans"]["kept_by_reason"]["truncated"], 1);
    assert_eq!(json["liveness"], "alive");
    assert_eq!(json["spans_in_flight"], 1);
    assert_eq!(json["metric_series"], 1);
    assert_eq!(json["fill"]["events"]["segments"]["total"], 16);
    let text = run(&["stat", text(&path)]).stdout;
    assert!(text.contains(&format!("lost, overwritten {}", events["lost"])), "{text}");
}

#[test]
fn verify_is_content_with_a_live_and_with_a_killed_writer() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let ran = run(&["verify", text(&path)]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""), "{}", ran.stdout);
    let readable = "readable: 2 spans, 1 spans in flight, 2 events, 1 measurements, 1 metric series";
    assert!(ran.stdout.contains(": ok\n") && ran.stdout.contains(readable), "{}", ran.stdout);
    let dead = directory.path().join("dead.otlpmm");
    fs::copy(&path, &dead).unwrap();
    let ran = run(&["verify", text(&dead)]);
    assert_eq!(ran.exit, Exit::Success);
    assert!(ran.stderr.contains("did not close"), "{}", ran.stderr);
}

#[test]
fn a_half_written_record_of_a_killed_writer_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let recording = Recording::open(&path).unwrap();
    let used = recording.fill().unwrap().pools[1].bytes.used;
    let end = recording.header().pool(Signal::Events).segments.offset + used;
    let mut bytes = fs::read(&path).unwrap();
    let end = usize::try_from(end).unwrap();
    let half = bytes[end - 96..end - 40].to_vec();
    bytes[end..end + half.len()].copy_from_slice(&half);
    let dead = directory.path().join("dead.otlpmm");
    fs::write(&dead, bytes).unwrap();
    let ran = run(&["verify", text(&dead)]);
    assert_eq!(ran.exit, Exit::Success, "{}", ran.stdout);
    assert!(ran.stdout.contains(", 2 events,") && ran.stderr.contains("not finished"), "{ran:?}");
}

#[test]
fn a_recording_of_another_boot_is_read_and_remarked_on() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    let boot_id = Recording::open(&path).unwrap().header().boot_id.expect("Linux has a boot id");
    let at = bytes.windows(16).position(|window| window == boot_id).unwrap();
    bytes[at] ^= 1;
    let crc = crc32c::crc32c(&bytes[..HEADER_CRC_OFFSET]);
    bytes[HEADER_CRC_OFFSET..HEADER_CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    let dead = directory.path().join("dead.otlpmm");
    fs::write(&dead, bytes).unwrap();
    let ran = run(&["verify", text(&dead)]);
    assert_eq!(ran.exit, Exit::Success, "{}", ran.stdout);
    assert!(ran.stderr.contains("started again"), "{}", ran.stderr);
    let stat = run(&["stat", text(&dead)]).stdout;
    assert!(stat.contains("dead, before the machine was started again") && stat.contains("remark"), "{stat}");
    assert_eq!(run(&["dump", text(&dead)]).stdout, run(&["dump", text(&path)]).stdout);
}

#[test]
fn verify_names_offset_and_rule_and_the_rest_stays_readable() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    let body = bytes.windows(8).rposition(|window| window == b"all well").unwrap();
    bytes[body] ^= 1;
    let damaged = directory.path().join("damaged.otlpmm");
    fs::write(&damaged, bytes).unwrap();
    let ran = run(&["verify", text(&damaged), text(&path)]);
    assert_eq!(ran.exit, Exit::No);
    assert!(ran.stdout.contains("1 fault\n  offset "), "{}", ran.stdout);
    assert!(ran.stdout.contains(": record-crc: ") && ran.stdout.contains(", 1 events,"), "{}", ran.stdout);
    assert!(ran.stdout.contains(": ok\n"));
    let json = run(&["verify", "--format", "jsonl", text(&damaged)]).json();
    assert_eq!(json[0]["damaged"], true);
    assert_eq!(json[0]["faults"][0]["rule"], "record-crc");
    let ran = run(&["dump", "--signal", "events", text(&damaged)]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (Exit::Success, 1));
    assert!(ran.stderr.contains("record-crc"));
}

#[test]
fn a_file_that_is_no_recording_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.otlpmm");
    fs::write(&path, vec![7; 10_000]).unwrap();
    for command in ["dump", "tail", "stat", "verify"] {
        let ran = run(&[command, text(&path)]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Error, ""), "{command}");
        assert!(ran.stderr.contains("not an otlp-mmap recording"), "{command}: {}", ran.stderr);
    }
}

#[test]
fn a_file_cut_anywhere_is_read_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let bytes = fs::read(&path).unwrap();
    let cut = directory.path().join("cut");
    for length in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
        fs::write(&cut, &bytes[..length]).unwrap();
        for command in ["dump", "tail", "stat", "verify"] {
            run(&[command, text(&cut)]);
        }
    }
}

#[test]
fn stat_shows_what_a_cut_file_has() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _recorded) = recorded(directory.path());
    let dictionary = Recording::open(&path).unwrap().header().dictionary.offset;
    let bytes = fs::read(&path).unwrap();
    let cut = directory.path().join("cut.otlpmm");
    fs::write(&cut, &bytes[..usize::try_from(dictionary).unwrap()]).unwrap();
    let ran = run(&["stat", text(&cut)]);
    assert_eq!(ran.exit, Exit::Error);
    assert!(ran.stderr.contains("file too short"), "{}", ran.stderr);
    for part in ["file id", "writer            pid", "fill              cannot be read", "faults            "]
    {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    let json = &run(&["stat", "--format", "jsonl", text(&cut)]).json()[0];
    assert!(json["fill"].is_null() && json["fault_count"].as_u64() > Some(0), "{json}");
}

#[test]
fn a_directory_may_hold_more_recordings_than_can_be_open() {
    let directory = tempfile::tempdir().unwrap();
    for i in 0..40 {
        let mut config = Config::new(directory.path().join(format!("{i}.otlpmm")));
        config.segment_size = 4096;
        (config.span_segments, config.event_segments, config.measurement_segments) = (16, 16, 16);
        let recorded = Recorded::with(config, "many");
        recorded.event("one", 9, "", 0);
        recorded.writer.close();
    }
    let program = env!("CARGO_BIN_EXE_otlp-mmap");
    // Only `tail` has them all open, and may raise the soft limit for it.
    for (limit, command, lines) in [
        ("-n", "dump", 40),
        ("-n", "verify", 80),
        ("-n", "stat --format=jsonl", 40),
        ("-Sn", "tail -n=all", 40),
    ] {
        let script = format!("ulimit {limit} 24; \"$0\" {command} \"$1\"");
        let output =
            Command::new("bash").args(["-c", &script, program, text(directory.path())]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), printed.lines().count()), (Some(0), lines), "{command}: {printed}");
        assert_eq!(output.stderr, b"", "{command}");
    }
}

#[test]
fn without_a_path_it_is_the_directory_of_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let (_path, recorded) = recorded(directory.path());
    recorded.writer.close();
    for command in ["dump", "tail", "stat", "verify"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_otlp-mmap"));
        let output = program.arg(command).env("OTLP_MMAP_DIRECTORY", directory.path()).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {output:?}");
        let missing = directory.path().join("missing");
        let output = program.env("OTLP_MMAP_DIRECTORY", &missing).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && told.contains(text(&missing)), "{command}: {told}");
    }
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell]);
        assert!(ran.exit == Exit::Success && ran.stdout.contains("until-closed"), "{shell}");
    }
    assert!(run(&["man"]).stdout.contains(".TH otlp-mmap 1"));
    assert!(run(&["man", "tail"]).stdout.contains("until\\-closed"));
    assert_eq!(run(&["man", "nothing"]).exit, Exit::Error);
    let ran = run(&["--version"]);
    assert!(ran.exit == Exit::Success && ran.stdout.starts_with("otlp-mmap "));
    assert!(run(&["dump", "--help"]).stdout.contains("parent_span_id"));
}

#[test]
fn the_program_survives_a_closed_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let (_path, recorded) = recorded(directory.path());
    for i in 0..400 {
        recorded.event("many", 9, &"x".repeat(100), i);
    }
    let script = "\"$0\" dump --format jsonl \"$1\" | head -c 1; test \"${PIPESTATUS[0]}\" = 0";
    let program = env!("CARGO_BIN_EXE_otlp-mmap");
    let output = Command::new("bash").args(["-c", script, program, text(directory.path())]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"{"[..], &b""[..]));
}
