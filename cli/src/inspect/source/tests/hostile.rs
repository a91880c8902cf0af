//! Files that are damaged, cut, changed while they are read, or no recordings at all.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use otlp_mmap_format::Committed;
use otlp_mmap_reader::Signal;
use otlp_mmap_writer::Value;
use proptest::prelude::*;

use super::{Model, NOON, Recorded, SECOND, ask, filter, id, open, query, spec, trace};
use crate::inspect::model::{LintRule, RecordId, RecordKind};
use crate::inspect::query::{Query, View};

const VIEWS: [View; 6] =
    [View::Traces, View::Operations, View::Waterfall, View::Events, View::Metrics, View::File];

/// Asks everything that can be asked.
fn ask_all(model: &mut Model, now: u64) {
    model.poll(now);
    for view in VIEWS {
        for until in [None, Some(0), Some(NOON + SECOND), Some(u64::MAX)] {
            let first = model.answer(&Query { until, ..query(view) }, now);
            let detail = first.traces.first().map(|row| row.root.id);
            let detail = detail.or(first.events.first().map(|row| row.id));
            let trace = first.traces.first().map(|row| row.trace_id);
            let series = first.series.first().map(|row| row.id);
            let full = Query { until, detail, trace, series, filter: Some(filter("n > 3")), ..query(view) };
            model.answer(&full, now);
        }
    }
}

fn fill(recorded: &Recorded) {
    for number in 1..=40 {
        recorded.span(super::Spec { parent: number / 2, trace: 1, ..spec(number) });
        recorded.event("e", &Value::String("body"), number, 9, (1, number));
    }
    recorded.start(spec(50));
    let metric = recorded.counter("bytes");
    recorded.measure(metric, 1.0, 1, Some((1, 1)));
}

fn image() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let mut config = otlp_mmap_writer::Config::new(&path);
    config.segment_size = 4096;
    (config.span_segments, config.event_segments, config.measurement_segments) = (4, 4, 2);
    (config.active_blocks, config.cells_size, config.dictionary_size) = (16, 64 << 10, 64 << 10);
    let recorded = Recorded::with(config, "shop");
    fill(&recorded);
    recorded.writer.close();
    fs::read(&path).unwrap()
}

#[test]
fn what_is_no_recording_is_told_once_and_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.otlpmm"), "no\u{1b}[2J recording").unwrap();
    fs::write(directory.path().join("b.otlpmm"), [0; 8192]).unwrap();
    fs::create_dir(directory.path().join("c.otlpmm")).unwrap();
    let recorded = Recorded::create(&directory.path().join("d.otlpmm"), "shop");
    recorded.span(spec(1));
    let mut model = open(directory.path());
    for _ in 0..3 {
        let snapshot = ask(&mut model, &query(View::Traces));
        assert_eq!((snapshot.traces.len(), snapshot.problems.len()), (1, 3), "{:?}", snapshot.problems);
        assert!(snapshot.problems.iter().all(|problem| !problem.contains(char::is_control)));
    }
}

#[test]
fn a_file_that_is_cut_under_the_viewer_keeps_its_rows_and_shows_faults() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    fs::write(&path, image()).unwrap();
    let live = directory.path().join("b.otlpmm");
    let recorded = Recorded::create(&live, "other");
    recorded.span(spec(77));
    let mut model = open(directory.path());
    let before = ask(&mut model, &query(View::Traces));
    let position = before.traces.iter().find(|row| row.trace_id == trace(1)).unwrap().root.id;
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let snapshot = ask(&mut model, &Query { detail: Some(position), ..query(View::Traces) });
    assert_eq!(snapshot.traces.len(), before.traces.len());
    assert_eq!(snapshot.detail.unwrap().record, None);
    ask_all(&mut model, NOON + 70 * SECOND);
    // Cut before it was read at all.
    let mut fresh = open(&path);
    let snapshot = ask(&mut fresh, &query(View::File));
    assert!(snapshot.files[0].fault_count > 0);
    assert!(snapshot.lints.iter().any(|lint| lint.rule == LintRule::Damage));
    ask_all(&mut fresh, NOON + 70 * SECOND);
}

#[test]
fn a_record_id_that_was_made_up_finds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    fs::write(&path, image()).unwrap();
    let mut model = open(&path);
    let file = ask(&mut model, &query(View::File)).files[0].id;
    let position = otlp_mmap_reader::model::Position { segment: u32::MAX, sequence: 1, offset: u64::MAX };
    for kind in [
        RecordKind::Record(Signal::Spans, position),
        RecordKind::InFlight(trace(9), id(9)),
        RecordKind::Series((u32::MAX, 0)),
    ] {
        for file in [file, crate::inspect::model::FileId(99)] {
            let query = Query { detail: Some(RecordId { file, kind }), ..query(View::Traces) };
            assert_eq!(ask(&mut model, &query).detail.unwrap().record, None);
        }
    }
}

#[test]
fn faults_are_kept_once_and_not_without_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    fill(&recorded);
    // The table of the spans' segments, which a living writer goes on using.
    let header = otlp_mmap_reader::Recording::open(&path).unwrap().header().clone();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 8], header.pool(Signal::Spans).table.offset).unwrap();
    let mut model = open(&path);
    let first = ask(&mut model, &query(View::File)).files[0].fault_count;
    for _ in 0..5 {
        model.poll(NOON + 61 * SECOND);
    }
    let snapshot = ask(&mut model, &query(View::File));
    assert!(first > 0);
    assert_eq!(snapshot.files[0].fault_count, first, "{:?}", snapshot.files[0].faults);
}

/// Every segment of a file claims to be full; not one of them has a byte.
#[test]
fn what_is_claimed_and_not_there_takes_no_memory() {
    const SEGMENTS: u32 = 4_096;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let mut config = otlp_mmap_writer::Config::new(&path);
    config.segment_size = 1 << 20;
    (config.span_segments, config.event_segments, config.measurement_segments) =
        (SEGMENTS, SEGMENTS, SEGMENTS);
    Recorded::with(config, "shop").writer.close();
    let header = otlp_mmap_reader::Recording::open(&path).unwrap().header().clone();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let full = Committed { generation: 1, bytes: 1 << 20 }.pack().to_le_bytes();
    for pool in &header.pools {
        for slot in 0..u64::from(SEGMENTS) {
            let entry = pool.table.offset + slot * u64::from(pool.table.entry_size);
            file.write_all_at(&full, entry).unwrap();
        }
    }
    let mut model = open(&path);
    ask_all(&mut model, NOON);
    let snapshot = ask(&mut model, &query(View::File));
    assert_eq!((snapshot.totals.spans, snapshot.totals.events, snapshot.totals.measurements), (0, 0, 0));
    let file = &snapshot.files[0];
    assert!(file.fault_count > 0 && file.faults.len() <= 1_000, "{} faults", file.faults.len());
    let rows = model.files[0].spans.segments.iter().map(|segment| segment.rows.capacity());
    assert_eq!(rows.sum::<usize>(), 0);
}

fn with_bytes(path: &Path, image: &[u8], changes: &[(usize, u8)]) {
    let mut bytes = image.to_vec();
    for (at, byte) in changes {
        let at = at % bytes.len();
        bytes[at] = *byte;
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_source_panic(
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..60),
        later in prop::collection::vec((any::<usize>(), any::<u8>()), 0..60),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.otlpmm");
        let image = image();
        with_bytes(&path, &image, &changes);
        let mut model = open(&path);
        ask_all(&mut model, NOON);
        with_bytes(&path, &image, &later);
        ask_all(&mut model, NOON + SECOND);
    }
}
