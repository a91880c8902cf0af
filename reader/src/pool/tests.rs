use std::fs::File;

use otlp_mmap_format::{Acknowledged, Committed, HEADER_SIZE, SegmentEntry, seal};
use zerocopy::FromZeros;

use super::{Cursor, Report, SegmentReader};
use crate::header::RawHeader;
use crate::segment::RecordRules;
use crate::source::Source;

/// What is missed if a segment with 10 records, of which so many are acknowledged, is recycled between the first
/// look at its entry and the copy of its records.
fn missed(skip_acknowledged: bool, acknowledged: u32) -> u64 {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../format-spec/golden/events.otlpmm");
    let source = Source::new(File::open(golden).unwrap(), golden.as_ref());
    let header = RawHeader::new(&source.up_to(0, HEADER_SIZE).unwrap()).unwrap().check().unwrap();
    let [_, pool, _] = &header.pools;
    let reader = SegmentReader { source: &source, pool, slot: 0, rules: RecordRules::of(&header) };
    let (mut cursor, mut missed, mut report) = (Cursor::default(), 0, Report::default());
    for (generation, records) in [(5, acknowledged), (6, 0)] {
        let mut entry = SegmentEntry::new_zeroed();
        entry.committed.set(Committed { generation, bytes: 0 }.pack());
        entry.acknowledged.set(Acknowledged { generation, closed: false, records }.pack());
        entry.base_records = [seal(110).into(), seal(100).into()];
        reader.follow(&entry, generation, &mut cursor, skip_acknowledged, &mut missed, &mut report);
    }
    assert!(report.is_clean(), "{report:?}");
    missed
}

/// Found by random kills: an exporter that attached while segments were recycled counted as missed what the exporter
/// before it had acknowledged.
#[test]
fn what_was_acknowledged_is_not_missed() {
    assert_eq!([0, 4, 10].map(|acknowledged| missed(true, acknowledged)), [10, 6, 0]);
}

#[test]
fn who_reads_everything_misses_what_was_acknowledged_too() {
    assert_eq!([0, 4, 10].map(|acknowledged| missed(false, acknowledged)), [10, 10, 10]);
}
