//! What a reader must find in a vector: the text of `NAME.jsonl` (SPEC "Golden vectors").
//!
//! The lines of `dump --format jsonl`, and a last one that sums up what `stat` and `verify` say. Left out is what is
//! not of the recording: its path, whether this is its boot, and the wording of faults.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, ensure};
use otlp_mmap::{Clock, Exit, Io};
use serde_json::{Map, Value};

/// Keys of `stat` that say what the recording is and what it lost.
const STAT: [&str; 17] = [
    "file_id",
    "parent_file_id",
    "version",
    "file_size",
    "created_unix_nano",
    "closed_unix_nano",
    "pid",
    "liveness",
    "overflow_policy",
    "block_timeout_millis",
    "cardinality_limit",
    "segment_size",
    "record_crc",
    "signals",
    "metric_series",
    "spans_in_flight",
    "fill",
];

/// What is expected of the recording at `path`.
pub(crate) fn expected(path: &Path) -> anyhow::Result<String> {
    let mut text = run(&["dump", "--format", "jsonl"], path)?;
    text += &summary(path)?.to_string();
    text.push('\n');
    Ok(text)
}

/// The faults that `verify` finds: offset and rule.
pub(crate) fn faults(path: &Path) -> anyhow::Result<Vec<(u64, String)>> {
    let report: Value = serde_json::from_str(&run(&["verify", "--format", "jsonl"], path)?)?;
    let faults = report["faults"].as_array().context("verify names faults")?;
    let fault = |fault: &Value| Some((fault["offset"].as_u64()?, fault["rule"].as_str()?.to_owned()));
    faults.iter().map(|one| fault(one).context("a fault has an offset and a rule")).collect()
}

fn summary(path: &Path) -> anyhow::Result<Value> {
    let mut stat: Value = serde_json::from_str(&run(&["stat", "--format", "jsonl"], path)?)?;
    let verified: Value = serde_json::from_str(&run(&["verify", "--format", "jsonl"], path)?)?;
    let mut summary = Map::new();
    summary.insert("type".to_owned(), "summary".into());
    summary.extend(STAT.iter().map(|&key| (key.to_owned(), stat[key].take())));
    summary.insert("dictionary_entries".to_owned(), verified["readable"]["dictionary_entries"].clone());
    let faults = faults(path)?.into_iter();
    let faults = faults.map(|(offset, rule)| serde_json::json!({"offset": offset, "rule": rule}));
    summary.insert("faults".to_owned(), faults.collect());
    Ok(Value::Object(summary))
}

/// Runs the command line over a recording, and gives what it prints.
fn run(args: &[&str], path: &Path) -> anyhow::Result<String> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let words = ["otlp-mmap"].iter().chain(args).map(OsString::from);
    let clock = &Unused;
    let mut io = Io { stdout: &mut stdout, stderr: &mut stderr, clock, terminal: false, no_color: true };
    let exit = otlp_mmap::run(words.chain([path.into()]), &mut io);
    // `No` is the answer of `verify` to damage.
    let told = String::from_utf8_lossy(&stderr);
    ensure!(exit != Exit::Error, "{} {}: {told}", args.join(" "), path.display());
    Ok(String::from_utf8(stdout)?)
}

/// A clock that tells nothing: no output of these commands may depend on the time.
struct Unused;

impl Clock for Unused {
    fn now_unix_nano(&self) -> u64 {
        0
    }

    fn wait(&self, _: std::time::Duration) -> bool {
        false
    }
}
