//! What the tool changes in a recording that the writer made.
//!
//! Numbers of the machine and of the moment are replaced by fixed ones, with the CRCs that go with them; `file_id`
//! stays, since it is part of every record's check. Two vectors get a state that cannot be recorded at will.

use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, EventBody, FileState, Header, HeaderState, RecordHeader, STATE_OFFSET,
    SectionKind, SeriesHeader, Signal, SpanBody,
};

use crate::image::{Image, range, size};
use crate::vectors::{ENDED, NOW, SECOND};

/// A boot id that no machine has.
const BOOT_ID: [u8; 16] = *b"not a real boot.";

/// Replaces what depends on machine and moment.
pub(crate) fn settle(image: &mut Image) {
    for (name, number) in [
        ("pid", 4711),
        ("process_start_ticks", 123_456),
        ("pid_namespace", 4_026_531_836),
        ("created_realtime_nanos", NOW - SECOND),
        ("created_monotonic_nanos", 1_000 * SECOND),
    ] {
        image.set(0, Header::FIELDS, name, number);
    }
    image.set_boot_id(BOOT_ID);
    if image.number(STATE_OFFSET, HeaderState::FIELDS, "state") == FileState::Closed.code() {
        let closed = NOW + 60 * SECOND;
        image.set(STATE_OFFSET, HeaderState::FIELDS, "closed_realtime_nanos", closed);
    }
    for series in image.series() {
        settle_series(image, series);
    }
}

/// A series that began without a measurement, or in a forked child, began at the time of the clock.
fn settle_series(image: &mut Image, series: usize) {
    let fields = SeriesHeader::FIELDS;
    let start = image.number(series, fields, "start_time_unix_nano");
    image.set(series, fields, "start_time_unix_nano", start.min(NOW));
    let crc = crc32c::crc32c(&image.bytes[series..range(series, fields, "crc").start]);
    image.set(series, fields, "crc", crc.into());
}

/// Flips one bit: bit 0 of `observed_time_unix_nano` of the second EVENT record.
pub(crate) fn flip(image: &mut Image) {
    let at = damaged_record(image) + RecordHeader::SIZE;
    let observed = image.number(at, EventBody::FIELDS, "observed_time_unix_nano");
    image.set(at, EventBody::FIELDS, "observed_time_unix_nano", observed ^ 1);
}

/// Offset of the record that [`flip`] damages.
pub(crate) fn damaged_record(image: &Image) -> usize {
    image.records(Signal::Events)[1]
}

/// Puts the span [`ENDED`] back in flight, beside its SPAN record: as after a kill between the two stores that end a
/// span (SPEC "End a span", steps 2 and 3).
pub(crate) fn revive(image: &mut Image) {
    let id = |at: usize| &image.bytes[range(at, SpanBody::FIELDS, "span_id")];
    let record = image.records(Signal::Spans).into_iter();
    let record =
        record.map(|record| (record, record + RecordHeader::SIZE)).find(|(_, body)| id(*body) == ENDED);
    let (record, _) = record.expect("the span has ended");
    let content = image.size(record, RecordHeader::FIELDS, "length") - RecordHeader::SIZE;
    let table = image.section(SectionKind::ActiveSpans, None);
    let content_at = |at: usize| range(at, ActiveBlock::FIELDS, "content").start;
    let (index, at) = (0..)
        .map(|index: u32| (index, table.offset + size(index.into()) * table.entry_size))
        .take(table.entry_count)
        .find(|(_, at)| id(content_at(*at)) == ENDED)
        .expect("its blocks were not used again");
    let word = image.number(at, ActiveBlock::FIELDS, "committed");
    let retired = ActiveCommit::unpack(word, index).filter(|commit| commit.bytes == 0);
    let generation = retired.expect("the head of an ended span").generation;
    let commit = ActiveCommit { generation, bytes: u32::try_from(content).expect("a span's content") };
    image.set(at, ActiveBlock::FIELDS, "committed", commit.pack(index));
}
