//! This reader's findings in the form of the second reader's, and how they are compared.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use otlp_mmap::jsonl;
use otlp_mmap::record::RecordView;
use otlp_mmap_format::COUNTER_SLOTS;
use otlp_mmap_reader::{Losses, Snapshot};
use serde_json::{Value, json};

use crate::memory::MemoryFile;

/// What this reader finds in an image.
#[derive(Debug)]
pub(super) struct Findings {
    records: Vec<Value>,
    faults: BTreeSet<(u64, &'static str)>,
    fault_count: u64,
    all_faults_kept: bool,
    signals: Value,
    dictionary_entries: u64,
}

/// Reads the image; `None`: it is refused.
pub(super) fn read(image: &[u8]) -> Option<Findings> {
    let file = MemoryFile::new();
    file.put(image);
    let recording = file.recording().ok()?;
    let before = now();
    let snapshot = recording.snapshot().expect("a snapshot");
    let verified = recording.verify().expect("a report");
    Some(Findings {
        records: records(&snapshot, before),
        faults: verified.faults.iter().map(|fault| (fault.offset, fault.rule.name())).collect(),
        fault_count: verified.fault_count(),
        all_faults_kept: verified.omitted == 0,
        signals: signals(&snapshot.losses),
        dictionary_entries: verified.readable.dictionary_entries,
    })
}

impl Findings {
    /// Asserts that the second reader found the same.
    pub(super) fn assert_same(&self, second: &Value) {
        let faults = faults(second);
        if self.all_faults_kept {
            assert_eq!(self.faults, faults, "faults, this reader's on the left");
        } else {
            // Only the first faults are kept, and the two readers look in another order.
            let unknown: Vec<_> = self.faults.difference(&faults).collect();
            assert!(unknown.is_empty(), "faults that the second reader does not find: {unknown:?}");
            let count = second["fault_count"].as_u64().expect("a number");
            assert!(count > 0 && self.fault_count > 0);
        }
        assert_eq!(self.dictionary_entries, second["dictionary_entries"], "entries of the dictionary");
        assert_eq!(self.signals, second["signals"], "losses, this reader's on the left");
        if second["order_matters"] == false {
            self.assert_same_records(second["records"].as_array().expect("a list"));
        }
    }

    /// Asserts that the records are the same, in whatever order.
    fn assert_same_records(&self, second: &[Value]) {
        let text = |records: &[Value]| {
            let mut lines: Vec<String> = records.iter().map(canonical).collect();
            lines.sort_unstable();
            lines
        };
        let (first, second) = (text(&self.records), text(second));
        let missing: Vec<_> = second.iter().filter(|line| first.binary_search(line).is_err()).collect();
        let invented: Vec<_> = first.iter().filter(|line| second.binary_search(line).is_err()).collect();
        assert!(
            first == second,
            "{} and {} records\nfound by this reader alone: {invented:#?}\nby the second reader alone: {missing:#?}",
            first.len(),
            second.len(),
        );
    }
}

/// Every record as the command line shows it. A series without a time is given that of reading, which no two readings
/// share: it is shown without one.
fn records(snapshot: &Snapshot, before: u64) -> Vec<Value> {
    let spans = snapshot.spans.iter().chain(&snapshot.spans_in_flight).map(RecordView::Span);
    let events = snapshot.events.iter().map(RecordView::Event);
    let measurements = snapshot.measurements.iter().map(RecordView::Measurement);
    let shown = |record| serde_json::from_str::<Value>(&jsonl::line(record, "image")).expect("JSON");
    let mut records: Vec<Value> = spans.chain(events).chain(measurements).map(shown).collect();
    let after = now();
    for series in &snapshot.series {
        let mut record = shown(RecordView::Metric(series));
        if (before..=after).contains(&series.time_unix_nano) {
            record["time"] = Value::Null;
            record["time_unix_nano"] = Value::Null;
        }
        records.push(record);
    }
    records
}

fn signals(losses: &Losses) -> Value {
    let signals = losses.signals.iter().map(|signal| {
        let mut counters = [0; COUNTER_SLOTS];
        for (counter, value) in &signal.counters {
            counters[counter.code() as usize] = *value;
        }
        for (code, value) in &signal.unknown {
            counters[*code as usize] = *value;
        }
        json!({"recorded": signal.recorded, "overwritten": signal.overwritten, "counters": counters})
    });
    signals.collect()
}

fn faults(second: &Value) -> BTreeSet<(u64, &str)> {
    let faults = second["faults"].as_array().expect("a list").iter();
    faults.map(|fault| (fault[0].as_u64().expect("an offset"), fault[1].as_str().expect("a rule"))).collect()
}

/// JSON with sorted keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| format!("{key:?}:{}", canonical(value))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time behind 1970");
    u64::try_from(since.as_nanos()).expect("a time before 2554")
}
