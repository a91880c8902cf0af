//! Files whose zeros take no room on a disk: what they claim to hold costs neither memory nor time without bound, and
//! zeros that somebody recorded are kept.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, setrlimit};
use otlp_mmap_format::{
    Committed, EntryHeader, EntryKind, EventBody, ExponentialCopy, Header, ItemTag, PAGE_SIZE, RecordHeader,
    RecordType, SECTIONS_OFFSET, SectionEntry, SectionKind, SegmentEntry, SeriesHeader, SeriesKind, U32, U64,
    ValueType, seal, series_size,
};
use otlp_mmap_reader::model::{Event, Value};
use otlp_mmap_reader::{Fault, Recording, Rule, Snapshot};
use zerocopy::{FromZeros, IntoBytes};

use crate::series::stream;
use crate::support::{Image, item, record, text_item};

/// The test that runs in a process of its own.
const TEST: &str = "OTLP_MMAP_SPARSE_TEST";
/// Set where a sanitizer needs an address space of terabytes for itself: processor time alone is limited then.
const NO_MEMORY_LIMIT: &str = "OTLP_MMAP_SPARSE_NO_MEMORY_LIMIT";
/// Address space of such a process: far less than what the file claims to hold.
const MEMORY: u64 = 512 << 20;
/// Processor time of such a process, seconds: looking at each word of the file takes a multiple.
const SECONDS: u64 = 60;
/// Zeros that a file may hold whatever it takes on its disk.
const KEPT: usize = 64 << 20;

/// Runs `body` in a process with little memory and time.
fn limited(name: &str, body: impl FnOnce()) {
    if std::env::var(TEST).is_ok_and(|test| test == name) {
        if std::env::var_os(NO_MEMORY_LIMIT).is_none() {
            setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).unwrap();
        }
        setrlimit(Resource::RLIMIT_CPU, SECONDS, SECONDS).unwrap();
        return body();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("sparse::{name}"), "--test-threads=1"])
        .env(TEST, name)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("1 passed"), "{}: {told}", child.status);
}

fn open(file: File) -> Recording {
    Recording::from_file(file, "sparse").unwrap()
}

/// An image whose three pools have `count` segments of 8 MiB, behind its end; gives the start of the events'.
fn with_large_segments(count: u32) -> (Image, u64) {
    let mut image = Image::new();
    let size = 8_u32 << 20;
    let table = (count as usize * SegmentEntry::SIZE).next_multiple_of(PAGE_SIZE);
    let tables = image.bytes.len();
    image.bytes.resize(tables + 3 * table, 0);
    let (segments, pool) = (image.bytes.len() as u64, u64::from(count) * u64::from(size));
    for place in (0..10).map(|index| SECTIONS_OFFSET + index * SectionEntry::SIZE) {
        let mut section: SectionEntry = image.get(place);
        let number = u64::from(section.signal.get()).wrapping_sub(1);
        let (offset, length) = match SectionKind::from_code(section.kind.get()) {
            Some(SectionKind::SegmentTable) => (tables as u64 + number * table as u64, table as u64),
            Some(SectionKind::Segments) => {
                section.entry_size = U32::new(size);
                (segments + number * pool, pool)
            }
            _ => continue,
        };
        (section.offset, section.length) = (U64::new(offset), U64::new(length));
        section.entry_count = U32::new(count);
        image.put(place, &section);
    }
    let field = |name| Header::FIELDS.iter().find(|field| field.name == name).unwrap().offset;
    image.put(field("segment_size"), &U32::new(size));
    image.put(field("file_size"), &U64::new(segments + 3 * pool));
    image.seal_header();
    for slot in 0..count as usize {
        let word = Committed { generation: 1, bytes: size }.pack();
        image.put(tables + table + slot * SegmentEntry::SIZE, &U64::new(word));
    }
    (image, segments + pool)
}

/// An event with a body of NULs, `length` bytes in all.
fn event(image: &Image, length: usize) -> Vec<u8> {
    let body = EventBody { scope_ref: U32::new(image.scope), ..EventBody::new_zeroed() };
    let nuls = length - RecordHeader::SIZE - EventBody::SIZE - 16;
    let body_item = item(ItemTag::Body.code(), 0, &item(ValueType::String.code(), 0, &vec![0; nuls]));
    record(RecordType::Event, 1, 0, 5, &[body.as_bytes(), &body_item].concat())
}

/// A file with an event of NULs in each of `count` segments of 8 MiB. `dense`: its zeros take room.
fn events(count: u32, dense: bool) -> File {
    let (image, segments) = with_large_segments(count);
    let file = image.file();
    file.set_len(segments + 2 * (u64::from(count) << 23)).unwrap();
    let record = event(&image, 8 << 20);
    let stored = if dense { record.len() } else { PAGE_SIZE };
    for slot in 0..count {
        file.write_all_at(&record[..stored], segments + (u64::from(slot) << 23)).unwrap();
    }
    file
}

fn nuls(events: &[Event]) -> usize {
    let body = |event: &Event| match &event.body {
        Some(Value::String(text)) => text.len(),
        other => panic!("{other:?}"),
    };
    events.iter().map(body).sum()
}

#[test]
fn events_of_zeros_in_holes_are_left_out_behind_a_limit() {
    limited("events_of_zeros_in_holes_are_left_out_behind_a_limit", || {
        let recording = open(events(72, false));
        let snapshot = recording.snapshot().unwrap();
        let faults = &snapshot.report.faults;
        assert_eq!((snapshot.events.len(), faults.len()), (8, 64));
        assert!(nuls(&snapshot.events) <= KEPT);
        assert!(faults.iter().all(|fault| fault.rule == Rule::RecordBody), "{}", faults[0]);
        let first = snapshot.events[7].position.offset + (8 << 20);
        assert_eq!(faults[0].offset, first, "{}", faults[0]);
        assert_eq!(snapshot.losses.signals[1].recorded, 72, "they are there, but are not kept");
        // What the file takes, and with it the limit, may change when it is written back.
        let places = |faults: &[Fault]| faults.iter().map(|fault| fault.offset).collect::<Vec<_>>();
        assert_eq!(places(&recording.verify().unwrap().faults), places(faults));
        // What one reading left out, the next one does not count.
        assert_eq!(recording.observe().poll().unwrap().records.len(), 8);
    });
}

#[test]
fn zeros_that_take_room_on_the_disk_are_kept() {
    let snapshot = open(events(12, true)).snapshot().unwrap();
    assert!(snapshot.report.is_clean(), "{:?}", snapshot.report);
    assert!(nuls(&snapshot.events) > KEPT + (16 << 20));
}

#[test]
fn zeros_in_the_holes_of_a_copy_are_kept() {
    let snapshot = open(events(8, false)).snapshot().unwrap();
    assert!(snapshot.report.is_clean(), "{:?}", snapshot.report);
    assert!(nuls(&snapshot.events) > KEPT - (1 << 20));
}

/// Behind the header of a dictionary at the end of the file: what `put` writes, and a word that publishes it all.
fn with_dictionary(mut image: Image, length: u64, put: impl FnOnce(&File, u64)) -> Recording {
    let at = image.dictionary_at as u64;
    image.move_section(SectionKind::Dictionary, image.dictionary_at, usize::try_from(length).unwrap(), 0);
    image.put(image.dictionary_at, &U64::new(seal(length)));
    let file = image.file();
    file.set_len(at + length).unwrap();
    put(&file, at);
    open(file)
}

/// The header of an entry whose payload is zeros.
fn string_of_zeros(zeros: &[u8]) -> EntryHeader {
    let mut header = EntryHeader::new_zeroed();
    header.length = U32::new(u32::try_from(EntryHeader::SIZE + zeros.len()).unwrap());
    header.kind = U32::new(EntryKind::String.code());
    header.crc = U32::new(crc32c::crc32c_append(crc32c::crc32c(&header.as_bytes()[..8]), zeros));
    header
}

/// Spans named by strings of nearly 16 MiB in holes.
fn named_by_holes(strings: u8) -> Recording {
    let mut image = Image::new();
    image.enlarge_dictionary(1);
    let place = |number: u8| (1_u64 << 16) + (u64::from(number) << 24);
    for number in 0..strings {
        let reference = u32::try_from(place(number) / 8).unwrap();
        let name = text_item(ItemTag::Name.code(), reference, "");
        image.span(u32::from(number / 40), number + 1, &name);
    }
    let header = string_of_zeros(&vec![0; (1 << 24) - 4096 - EntryHeader::SIZE]);
    with_dictionary(image, place(strings), |file, at| {
        for number in 0..strings {
            file.write_all_at(header.as_bytes(), at + place(number)).unwrap();
        }
    })
}

#[test]
fn strings_of_zeros_in_holes_are_left_out_behind_a_limit() {
    limited("strings_of_zeros_in_holes_are_left_out_behind_a_limit", || {
        let Snapshot { spans, report, .. } = named_by_holes(100).snapshot().unwrap();
        let named: Vec<_> = spans.iter().filter(|span| !span.name.is_empty()).collect();
        assert_eq!((spans.len(), named.len(), report.faults.len()), (100, 4, 96));
        assert!(report.faults.iter().all(|fault| fault.rule == Rule::Reference), "{}", report.faults[0]);
        assert!(report.faults[0].detail.contains("zeros"), "{}", report.faults[0]);
        assert!(report.faults[95].detail.contains("not read"), "{}", report.faults[95]);
    });
}

#[test]
fn headers_of_damaged_entries_cost_what_the_file_takes_and_not_what_it_claims() {
    limited("headers_of_damaged_entries_cost_what_the_file_takes_and_not_what_it_claims", || {
        let mut image = Image::new();
        image.enlarge_dictionary(1);
        let recording = with_dictionary(image, 32 << 30, |file, at| {
            let header =
                EntryHeader { crc: U32::ZERO, ..string_of_zeros(&vec![0; (1 << 24) - EntryHeader::SIZE]) };
            file.write_all_at(&header.as_bytes().repeat(10_000), at + 4096).unwrap();
        });
        let report = recording.verify().unwrap();
        assert_eq!(report.faults.iter().map(|fault| fault.rule).collect::<Vec<_>>(), [Rule::DictionaryEntry]);
    });
}

#[test]
fn a_dictionary_up_to_the_last_offset_of_a_file_ends_there() {
    limited("a_dictionary_up_to_the_last_offset_of_a_file_ends_there", || {
        let mut image = Image::new();
        image.enlarge_dictionary(1);
        let (at, end) = (image.dictionary_at, (1 << 63) - PAGE_SIZE);
        // A reader has no other word for where the entries end.
        image.move_section(SectionKind::Dictionary, at, usize::MAX - at, 0);
        image.put(at, &U64::new(1));
        let file = File::from(memfd_create("recording", MFdFlags::MFD_CLOEXEC).unwrap());
        file.write_all_at(&image.bytes, 0).unwrap();
        // A page of what is no entry, behind which the kernel refuses to read one more.
        file.set_len(end as u64).unwrap();
        file.write_all_at(&[0xff; PAGE_SIZE], (end - PAGE_SIZE) as u64).unwrap();
        let report = open(file).verify().unwrap();
        let rules: Vec<_> = report.faults.iter().map(|fault| fault.rule).collect();
        assert_eq!(rules, [Rule::Committed, Rule::Unreadable], "{report:?}");
        assert!(report.readable.dictionary_entries > 0);
    });
}

#[test]
fn series_of_zeros_in_holes_are_left_out_behind_a_limit() {
    limited("series_of_zeros_in_holes_are_left_out_behind_a_limit", || {
        let mut image = Image::new();
        let stream = stream(&mut image, 4);
        let (count, capacity) = (1_000_u32, 1_u32 << 16);
        let (kind, at) = (SeriesKind::ExponentialHistogram, image.bytes.len());
        let (size, copy) = (series_size(kind, capacity), kind.copy_size(capacity));
        let length = (64 + u64::from(count) * size).next_multiple_of(PAGE_SIZE as u64);
        image.move_section(SectionKind::MetricCells, at, usize::try_from(length).unwrap(), 0);
        image.bytes.extend(seal(64 + u64::from(count) * size).to_le_bytes());
        let file = image.file();
        file.set_len(at as u64 + length).unwrap();
        for number in 0..count {
            let mut header = SeriesHeader::new_zeroed();
            header.size = U32::new(u32::try_from(size).unwrap());
            header.kind = kind.code().into();
            (header.stream_ref, header.attributes_ref) = (U32::new(stream), U32::new(number << 24));
            (header.capacity, header.version) = (U32::new(capacity), U64::new(seal(2)));
            header.crc = U32::new(crc32c::crc32c(&header.as_bytes()[..28]));
            let mut state = ExponentialCopy::new_zeroed();
            (state.positive_length, state.negative_length) = (U32::new(capacity), U32::new(capacity));
            let offset = at as u64 + 64 + u64::from(number) * size;
            file.write_all_at(&[header.as_bytes(), state.as_bytes()].concat(), offset).unwrap();
        }
        assert!(copy > 1 << 20);
        let snapshot = open(file).snapshot().unwrap();
        // The headers take room, 16 MiB and more with the factor.
        let kept = snapshot.series.len();
        assert!((64..120).contains(&kept), "{kept}");
        let left_out = snapshot.report.faults.iter().filter(|fault| fault.rule == Rule::SeriesState).count();
        assert_eq!(kept + left_out, 1_000);
    });
}

#[test]
fn published_holes_behind_a_record_are_passed_by_the_page() {
    limited("published_holes_behind_a_record_are_passed_by_the_page", || {
        let (image, segments) = with_large_segments(256);
        let file = image.file();
        file.set_len(segments + (2 << 31)).unwrap();
        let record = event(&image, 160);
        for slot in 0..256_u64 {
            file.write_all_at(&record, segments + (slot << 23)).unwrap();
        }
        let snapshot = open(file).snapshot().unwrap();
        assert_eq!(snapshot.events.len(), 256);
        let rules: Vec<_> = snapshot.report.faults.iter().map(|fault| fault.rule).collect();
        assert_eq!(rules, [Rule::RecordCheck; 256]);
        assert_eq!(snapshot.report.faults[255].offset, segments + (255 << 23) + 160);
    });
}
