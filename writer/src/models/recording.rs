//! CLOSE, creation, counters: the recorder as a whole, as small as the format lets a file be.

use super::explore;
use crate::config::Config;
use crate::mapping::Mapping;
use crate::pool::Heading;
use crate::recorder::Recorder;
use crate::storage::on_publish;
use crate::sync::Ordering;
use loom::thread;
use otlp_mmap_format::{
    CellsHeader, Committed, Counter, DictionaryHeader, FileState, HEADER_CRC_OFFSET, HeaderState,
    RecordHeader, RecordType, STATE_OFFSET, SectionKind, Signal, counter_index, unseal,
};
use std::mem::offset_of;
use std::sync::Arc;

fn config() -> Config {
    Config {
        service_name: Some("model".to_owned()),
        segment_size: 4096,
        span_segments: 2,
        event_segments: 2,
        measurement_segments: 2,
        active_blocks: 16,
        cells_size: 64 << 10,
        dictionary_size: 64 << 10,
        ..Config::new("model.otlpmm")
    }
}

fn recorder() -> Arc<Recorder> {
    Arc::new(Recorder::create(config(), None).unwrap())
}

fn state(mapping: &Mapping, ordering: Ordering) -> Option<FileState> {
    FileState::from_code(mapping.word(STATE_OFFSET + offset_of!(HeaderState, state)).load(ordering))
}

fn append_event(recorder: &Recorder) -> bool {
    let heading = Heading { record_type: RecordType::Event, flags: 0, time_unix_nano: 7 };
    recorder.events.append(heading, &mut [0; RecordHeader::SIZE + 8]).is_ok()
}

/// Bytes that are published in the first segment of events.
fn event_bytes(recorder: &Recorder) -> u32 {
    let table = recorder.layout.section(SectionKind::SegmentTable, Some(Signal::Events));
    let word = recorder.storage.mapping().word(table.offset).load(Ordering::Relaxed);
    Committed::unpack(word).expect("the check of the word").bytes
}

/// Who finds a file by its name finds it complete.
#[test]
fn a_file_with_a_name_is_complete() {
    explore(None, &["complete"], |outcomes| {
        let observer = Arc::new(std::sync::Mutex::new(None));
        let found = Arc::clone(&observer);
        let check = move |mapping: Arc<Mapping>| {
            let thread = thread::spawn(move || {
                let mut page = Vec::new();
                mapping.load_bytes(0, STATE_OFFSET, &mut page);
                let crc = crc32c::crc32c(&page[..HEADER_CRC_OFFSET]);
                assert_eq!(page[HEADER_CRC_OFFSET..], crc.to_le_bytes(), "CRC of the header");
                assert_eq!(state(&mapping, Ordering::Acquire), Some(FileState::Open));
                for (kind, size) in [
                    (SectionKind::Dictionary, DictionaryHeader::SIZE),
                    (SectionKind::MetricCells, CellsHeader::SIZE),
                ] {
                    let offset = crate::layout::Layout::new(&config()).section(kind, None).offset;
                    assert_eq!(unseal(mapping.word(offset).load(Ordering::Acquire)), Some(size as u64));
                }
                outcomes.note("complete");
            });
            *found.lock().unwrap() = Some(thread);
        };
        on_publish(check);
        let recorder = recorder();
        observer.lock().unwrap().take().expect("the file got its name").join().unwrap();
        drop(recorder);
    });
}

/// A closed file has its time and all that was recorded, and a writer without its lock has closed its file.
#[test]
fn a_closed_file_is_complete() {
    explore(2, &["closed", "open"], |outcomes| {
        let recorder = recorder();
        let observer = thread::spawn({
            let recorder = Arc::clone(&recorder);
            move || {
                let is_locked = recorder.storage.is_locked();
                let mapping = recorder.storage.mapping();
                if state(mapping, Ordering::Acquire) != Some(FileState::Closed) {
                    assert!(is_locked, "an open file without a writer");
                    return outcomes.note("open");
                }
                let time = STATE_OFFSET + offset_of!(HeaderState, closed_realtime_nanos);
                assert_ne!(mapping.word(time).load(Ordering::Relaxed), 0, "the time of the close");
                assert_eq!(event_bytes(&recorder), 40, "bytes of events");
                outcomes.note("closed");
            }
        });
        assert!(append_event(&recorder));
        recorder.close();
        observer.join().unwrap();
    });
}

/// A call that is under way when another thread closes the file comes to its end first, or is refused.
#[test]
fn nothing_is_recorded_after_the_close() {
    explore(2, &["0 bytes", "40 bytes"], |outcomes| {
        let recorder = recorder();
        let other = thread::spawn({
            let recorder = Arc::clone(&recorder);
            move || append_event(&recorder)
        });
        recorder.close();
        let bytes = event_bytes(&recorder);
        let is_appended = other.join().unwrap();
        assert_eq!((bytes, event_bytes(&recorder)), (u32::from(is_appended) * 40, bytes));
        outcomes.note(format!("{bytes} bytes"));
    });
}

#[test]
fn counters_lose_nothing() {
    explore(None, &[], |_| {
        let recorder = recorder();
        let other = thread::spawn({
            let recorder = Arc::clone(&recorder);
            move || recorder.count(Signal::Spans, Counter::Busy, 1)
        });
        recorder.count(Signal::Spans, Counter::Busy, 1);
        other.join().unwrap();
        let counters = recorder.layout.section(SectionKind::Counters, None).offset;
        let word = counters + counter_index(Signal::Spans, Counter::Busy) * 8;
        assert_eq!(recorder.storage.mapping().word(word).load(Ordering::Relaxed), 2);
    });
}
