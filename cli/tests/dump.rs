//! `dump` over real recordings: formats, filters, files, exit codes.

mod common;

use std::fs;

use common::{Recorded, TestClock, run, run_with, text};
use otlp_mmap::Exit;

/// A directory with one recording that holds a bit of everything. The writer lives as long as the value.
fn recorded() -> (tempfile::TempDir, String, Recorded) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.fill();
    (directory, text(&path).to_owned(), recorded)
}

#[test]
fn text_has_every_record_by_time_and_marks_spans_in_flight() {
    let (_directory, path, _writer) = recorded();
    let ran = run(&["dump", &path]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
    let trace = "trace=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let expected = format!(
        "\
2026-01-31T12:00:00.000000000Z SPAN shop \"GET /cart\" server 10.000ms {trace} span=0a0a0a0a0a0a0a0a http.route=/cart n=10
    +1.000ms \"cache miss\"
2026-01-31T12:00:00.001000000Z EVENT shop INFO started \"all well\"
2026-01-31T12:00:00.005000000Z SPAN shop \"GET /pay\" server 20.000ms error \"no money\" {trace} span=1414141414141414 http.route=/cart n=20
2026-01-31T12:00:00.024000000Z EVENT shop ERROR failed \"no money\"
2026-01-31T12:00:00.025000000Z MEASUREMENT shop shop.bytes 3 By {trace} span=0101010101010101 http.route=/cart
2026-01-31T12:00:00.030000000Z SPAN shop \"POST /order\" server in-flight {trace} span=1e1e1e1e1e1e1e1e http.route=/cart n=30
2026-01-31T12:00:00.025000000Z METRIC shop shop.bytes sum 3 By http.route=/cart exemplars=1
"
    );
    assert_eq!(ran.stdout, expected);
}

#[test]
fn jsonl_is_one_flat_object_a_record() {
    let (_directory, path, _writer) = recorded();
    let ran = run(&["dump", "--format", "jsonl", &path]);
    let records = ran.json();
    let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["span", "event", "span", "event", "measurement", "span", "metric"]);
    for record in &records {
        assert_eq!(record["schema_version"], 1);
        assert_eq!(record["service"], "shop");
        assert_eq!(record["file"], "shop.otlpmm");
        assert_eq!(record["resource"]["service.name"], "shop");
        assert_eq!(record["scope"]["name"], "test");
    }
    assert_eq!(records[0]["duration_nano"], 10_000_000);
    assert_eq!(records[0]["attributes"]["n"], 10);
    assert_eq!(records[5]["in_flight"], true);
    assert_eq!(records[6]["value"], 3);
    assert_eq!(records[6]["exemplars"][0]["trace_id"], "aa".repeat(16));
}

#[test]
fn otlp_jsonl_has_one_signal_a_line() {
    let (_directory, path, _writer) = recorded();
    let lines = run(&["dump", "--format", "otlp-jsonl", &path]).json();
    let keys: Vec<&String> = lines.iter().flat_map(|line| line.as_object().unwrap().keys()).collect();
    assert_eq!(keys, ["resourceSpans", "resourceMetrics", "resourceLogs"]);
    let spans = lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0]["startTimeUnixNano"], "1769860800000000000");
    let unfinished = serde_json::json!({"key": "otlp_mmap.span.unfinished", "value": {"boolValue": true}});
    assert!(spans[2]["attributes"].as_array().unwrap().contains(&unfinished), "{}", spans[2]);
}

#[test]
fn otlp_json_is_one_document_for_each_signal() {
    let (directory, path, _writer) = recorded();
    let copy = directory.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(run(&["dump", "--format", "otlp-json", &path]).json().len(), 3);
    let logs = run(&["dump", "--format", "otlp-json", "--signal", "events", &path, text(&copy)]).json();
    assert_eq!(logs.len(), 1);
    let logs = logs[0]["resourceLogs"].as_array().unwrap();
    let records = logs.iter().flat_map(|resource| resource["scopeLogs"].as_array().unwrap());
    assert_eq!(records.map(|scope| scope["logRecords"].as_array().unwrap().len()).sum::<usize>(), 4);
    let nothing = ["dump", "--format", "otlp-json", "--signal", "events", "--where", "name = nothing", &path];
    assert_eq!(run(&nothing).json().len(), 1);
    let nothing = ["dump", "--format", "otlp-json", "--where", "name = nothing", &path];
    assert_eq!(run(&nothing).stdout, "");
}

#[test]
fn an_output_directory_has_one_signal_a_file_and_short_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("big.otlpmm");
    let mut config = otlp_mmap_writer::Config::new(&path);
    config.stream_measurements = true;
    let recorded = Recorded::with(config, "big");
    let name = "n".repeat(4000);
    for i in 0..600 {
        recorded.span(&name, 1, i);
    }
    recorded.fill();
    let out = directory.path().join("out");
    let ran = run(&["dump", "--output-dir", text(&out), text(&path)]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (Exit::Success, "", ""));
    let mut spans = 0;
    for (file, key) in [("traces", "resourceSpans"), ("metrics", "resourceMetrics"), ("logs", "resourceLogs")]
    {
        let content = fs::read_to_string(out.join(file).with_extension("jsonl")).unwrap();
        assert!(content.lines().count() >= 1, "{file}");
        for line in content.lines() {
            assert!(line.len() + 1 < 512 * 1024);
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), [key]);
            spans += line.matches("\"spanId\"").count() * usize::from(file == "traces");
        }
        assert_eq!(content.lines().count() > 1, file == "traces", "{file}");
    }
    assert_eq!(spans, 603);
    let only = directory.path().join("only");
    run(&["dump", "--output-dir", text(&only), "--signal", "events", "--format", "jsonl", text(&path)]);
    let files: Vec<_> = fs::read_dir(&only).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["logs.jsonl"]);
}

#[test]
fn filters_compose() {
    let (_directory, path, _writer) = recorded();
    let names = |args: &[&str]| -> Vec<String> {
        let args = [&["dump", "--format", "jsonl", &path], args].concat();
        let name = |record: &serde_json::Value| {
            let name = if record["type"] == "event" { &record["event_name"] } else { &record["name"] };
            name.as_str().unwrap().to_owned()
        };
        run(&args).json().iter().map(name).collect()
    };
    assert_eq!(names(&["--where", "duration > 10ms and status = error"]), ["GET /pay"]);
    assert_eq!(names(&["--where", "in_flight = true"]), ["POST /order"]);
    assert_eq!(names(&["--signal", "spans,events", "--where", "n >= 20"]), ["GET /pay", "POST /order"]);
    assert_eq!(names(&["--signal", "events", "--signal", "metrics"]), ["started", "failed", "shop.bytes"]);
    assert_eq!(names(&["--since", "-59971ms"]), ["POST /order"]);
    assert_eq!(names(&["-U", "2026-01-31T12:00:00.001Z"]), ["GET /cart", "started"]);
    assert_eq!(names(&["--where", "severity >= warn", "-S", "-1m"]), ["failed"]);
    assert!(names(&["-S", "now", "--signal", "events"]).is_empty());
}

#[test]
fn exit_code_tells_whether_something_matched() {
    let (_directory, path, _writer) = recorded();
    assert_eq!(run(&["dump", "--where", "name = nothing", &path]).exit, Exit::Success);
    assert_eq!(run(&["dump", "--where", "name = nothing", "--exit-code", &path]).exit, Exit::No);
    assert_eq!(run(&["dump", "--where", "has(name)", "--exit-code", &path]).exit, Exit::Success);
}

#[test]
fn usage_errors_are_2_and_go_to_stderr() {
    let (directory, path, _writer) = recorded();
    let input = directory.path().join("copy");
    fs::copy(&path, &input).unwrap();
    let out = text(directory.path());
    for (args, part) in [
        (&["dump", "--where", "status = bad", &path][..], "           ^^^\n"),
        (&["dump", "--since", "soon", &path], "RFC 3339"),
        (&["dump", "-S", "-1m", "-U", "-2m", &path], "later"),
        (&["dump", "--format", "otlp-jsonl", "-o", "/dev/null", &path], "--output-dir"),
        (&["dump", "--format", "otlp-json", "--signal", "measurements", &path], "exemplars"),
        (&["dump", "--format", "text", "--output-dir", out, &path], "--output"),
        (&["dump", "-o", &path, &path], "not replaced"),
        (&["dump", "-o", text(&input), text(&input)], "not replaced"),
        (&["dump", "/nowhere/at/all"], "cannot open /nowhere/at/all"),
        (&["frobnicate"], "frobnicate"),
        (&[], "Usage"),
    ] {
        let ran = run(args);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Error, ""), "{args:?}");
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), fs::metadata(&input).unwrap().len());
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let (directory, _, _writer) = recorded();
    fs::write(directory.path().join("a.otlpmm"), "no recording").unwrap();
    fs::write(directory.path().join("notes.txt"), "ignored").unwrap();
    let ran = run(&["dump", text(directory.path())]);
    assert_eq!(ran.exit, Exit::Error);
    assert_eq!(ran.stdout.lines().count(), 8);
    assert!(ran.stderr.contains("a.otlpmm") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn an_empty_directory_is_told_and_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["dump", text(directory.path())]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Success, ""));
    assert!(ran.stderr.contains("no recordings"));
    assert_eq!(run(&["dump", "--exit-code", text(directory.path())]).exit, Exit::No);
}

#[test]
fn a_file_that_is_named_twice_is_printed_once() {
    let (directory, path, _writer) = recorded();
    let once = run(&["dump", &path]).stdout;
    assert_eq!(run(&["dump", &path, &path, text(directory.path())]).stdout, once);
}

#[test]
fn output_goes_to_a_file() {
    let (directory, path, _writer) = recorded();
    let out = directory.path().join("out.jsonl");
    let ran = run(&["dump", "--format", "jsonl", "-o", text(&out), &path]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Success, ""));
    assert_eq!(fs::read_to_string(out).unwrap().lines().count(), 7);
}

#[test]
fn a_recording_is_not_replaced_under_another_name() {
    let (directory, path, _writer) = recorded();
    let before = fs::read(&path).unwrap();
    let out = directory.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::hard_link(&path, out.join("traces.jsonl")).unwrap();
    std::os::unix::fs::symlink(&path, out.join("link")).unwrap();
    let (traces, link) = (out.join("traces.jsonl"), out.join("link"));
    let other = directory.path().join("other.otlpmm");
    fs::copy(&path, &other).unwrap();
    for args in [["--output-dir", text(&out)], ["-o", text(&traces)], ["-o", text(&link)]] {
        let ran = run(&["dump", args[0], args[1], text(&other)]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Error, ""), "{args:?}");
        assert!(ran.stderr.contains("not replaced"), "{args:?}: {}", ran.stderr);
    }
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn what_is_replaced_is_emptied_and_a_pipe_is_written_to() {
    let (directory, path, _writer) = recorded();
    let out = directory.path().join("out");
    fs::write(&out, "x".repeat(100_000)).unwrap();
    assert_eq!(run(&["dump", "-o", text(&out), &path]).exit, Exit::Success);
    let expected = run(&["dump", &path]).stdout;
    assert_eq!(fs::read_to_string(&out).unwrap(), expected);
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let name = pipe.clone();
    let reader = std::thread::spawn(move || fs::read_to_string(name).unwrap());
    assert_eq!(run(&["dump", "-o", text(&pipe), &path]).exit, Exit::Success);
    assert_eq!(reader.join().unwrap(), expected);
}

#[test]
fn colours_only_where_they_are_wanted() {
    let (_directory, path, _writer) = recorded();
    for (arguments, terminal, no_color, expected) in [
        (&["dump", &path][..], false, false, false),
        (&["dump", &path], true, false, true),
        (&["dump", &path], true, true, false),
        (&["dump", "--color", "always", &path], false, true, true),
        (&["--color=never", "dump", &path], true, false, false),
        (&["dump", "--format", "jsonl", "--color", "always", &path], true, false, false),
    ] {
        let ran = run_with(arguments, &TestClock::default(), terminal, no_color);
        assert_eq!(ran.stdout.contains('\u{1b}'), expected, "{arguments:?} {terminal} {no_color}");
    }
}

#[test]
fn hostile_text_never_reaches_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.otlpmm");
    let hostile = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\nline";
    let recorded = Recorded::create(&path, hostile);
    recorded.span(hostile, 1, 0);
    recorded.event(hostile, 9, hostile, 1);
    recorded.count(recorded.counter("m"), 2);
    for format in ["text", "jsonl", "otlp-jsonl", "otlp-json"] {
        let ran = run_with(&["dump", "--format", format, text(&path)], &TestClock::default(), true, true);
        assert_eq!(ran.exit, Exit::Success);
        assert!(!ran.stdout.replace('\n', "").contains(otlp_mmap::escape::is_dangerous), "{}", ran.stdout);
        assert!(ran.stdout.contains("line"), "{format}");
    }
}
