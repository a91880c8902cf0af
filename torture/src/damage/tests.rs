//! The table of what no check guards, and the oracle's own teeth.

use super::flips::{Bulk, Job, Sample};
use super::image::Section;
use super::oracle::{Whole, look};
use super::unchecked::UNCHECKED;
use super::*;
use otlp_mmap_format::{PAGE_SIZE, SectionKind};
use otlp_mmap_writer::{Config, KeyValue, SpanKind, SpanStart, Text, Value, Writer};
use std::collections::BTreeSet;

fn whole(name: &str, reading: Reading) -> Whole {
    let (name, path) = golden().into_iter().find(|(found, _)| found == name).expect("a golden vector");
    Whole::new(&name, reading, std::fs::read(path).expect("its bytes"))
}

#[test]
fn every_unchecked_region_is_in_some_golden_vector() {
    let mut met = BTreeSet::new();
    for (name, _) in golden() {
        let regions = whole(&name, Reading::DeadBefore).map.regions;
        met.extend(regions.iter().filter_map(|region| region.unchecked).map(|row| row.region));
    }
    let listed: BTreeSet<_> = UNCHECKED.iter().map(|row| row.region).collect();
    assert_eq!(listed.difference(&met).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn a_region_without_a_row_must_be_named_by_verify() {
    let whole = whole("spans", Reading::SameBoot);
    let mut region =
        whole.map.regions.iter().find(|region| region.name == "ActiveBlock.content, unpublished");
    let mut region = region.take().expect("blocks").clone();
    let at = region.bytes.start;
    let disk = disk::Disk::new(&whole.image);
    disk.put(at, &[whole.image[at] ^ 1]);
    assert_eq!(whole.judge_flip(&region, at, look(&disk)), Ok(()));
    region.unchecked = None;
    assert!(whole.judge_flip(&region, at, look(&disk)).is_err_and(|found| found.contains("names no place")));
}

#[test]
fn what_another_vector_holds_is_invented() {
    let (one, other) = (whole("spans", Reading::SameBoot), whole("events", Reading::SameBoot));
    let damage = one.image.len() - 1..one.image.len();
    let found = look(&disk::Disk::new(&other.image)).expect("a recording");
    assert!(one.judge_look(&damage, found).is_err());
}

#[test]
fn a_lost_record_is_excused_by_its_own_damage_alone() {
    let whole = whole("spans", Reading::SameBoot);
    let records: Vec<_> = whole.map.regions.iter().filter(|region| region.name == "record").collect();
    let (one, other) = (records[0], records[1]);
    let disk = disk::Disk::new(&whole.image);
    disk.put(one.bytes.start, &[whole.image[one.bytes.start] ^ 1]);
    assert_eq!(whole.judge_flip(one, one.bytes.start, look(&disk)), Ok(()));
    assert!(whole.judge_flip(other, other.bytes.start, look(&disk)).is_err());
}

#[test]
fn a_sample_takes_about_its_share_and_the_whole_takes_all() {
    let count =
        |sample: &Sample| (0..10_000).filter(|bit| sample.takes(bit / 8, bit % 8, sample.one_in)).count();
    assert_eq!(count(&Sample::WHOLE), 10_000);
    let tenth = Sample { one_in: 10, ..Sample::WHOLE };
    assert!((800..1_200).contains(&count(&tenth)));
    let whole = whole("empty", Reading::SameBoot);
    let combs =
        |sample| flips::jobs(&whole, &sample).iter().filter(|job| matches!(job, Job::Combs(_))).count();
    assert_eq!((combs(tenth), combs(Sample { bulk: Bulk::EachAlone, ..tenth })), (1, 0));
}

#[test]
fn a_byte_changes_what_it_feeds_and_nothing_else_of_its_series() {
    let whole = whole("metrics", Reading::SameBoot);
    let at = |name: &str| {
        let region = whole.map.regions.iter().find(|region| region.name == name);
        region.expect("a histogram").bytes.start
    };
    let (sum, bucket) = (at("HistogramCopy.sum_bits"), at("HistogramCopy, bucket"));
    let judge = |touched: usize, changed: &[usize]| {
        let disk = disk::Disk::new(&whole.image);
        for at in changed {
            disk.put(*at, &[whole.image[*at] ^ 2]);
        }
        whole.judge_look(&(touched..touched + 1), look(&disk).expect("a recording"))
    };
    assert_eq!((judge(sum, &[sum]), judge(bucket, &[bucket])), (Ok(()), Ok(())));
    assert!(judge(sum, &[bucket]).is_err());
    assert!(judge(bucket, &[sum]).is_err());
    assert!(judge(sum, &[sum, bucket]).is_err());
}

/// An image with a span in flight whose chain goes on in the next page.
fn long_chain() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = Config::new(directory.path().join("chain.otlpmm"));
    config.active_blocks = 64;
    let writer = Writer::create(config).expect("a recording");
    let resource = writer.create_resource(&(), None).expect("room");
    let scope = writer.create_instrumentation_scope(resource, "scope", None, None, &()).expect("room");
    let start = SpanStart {
        scope,
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_span_id: [0; 8],
        trace_state: "",
        flags: 1,
        name: Text::Str("long"),
        kind: SpanKind::Internal,
        start_time_unix_nano: 1,
        attributes: &[KeyValue { key: "filling", value: Value::String(&"f".repeat(2 * PAGE_SIZE)) }],
    };
    writer.start_span(&start).expect("room");
    std::fs::read(writer.path().expect("a path")).expect("its bytes")
}

#[test]
fn a_lost_page_of_a_chain_is_a_fault_at_its_head_and_that_of_the_head_is_not() {
    let whole = Whole::new("chain", Reading::SameBoot, long_chain());
    let start = Section::find(&whole.image, SectionKind::ActiveSpans, None).bytes.start;
    let [first, second] = [0, PAGE_SIZE].map(|at| start + at..start + at + PAGE_SIZE);
    let head = start..start + 256;
    assert_eq!((whole.guarded(&first).len(), &whole.guarded(&second)[..]), (0, std::slice::from_ref(&head)));
    let unharmed = look(&disk::Disk::new(&whole.image)).expect("a recording");
    assert!(whole.judge_page(&second, &unharmed).is_err_and(|found| found.contains("names no place")));
    for page in [first, second] {
        let disk = disk::Disk::new(&whole.image);
        disk.put(page.start, &[0; PAGE_SIZE]);
        let look = look(&disk).expect("a recording");
        assert_eq!(look.faults().is_empty(), page.start == start);
        assert_eq!(whole.judge_page(&page, &look), Ok(()));
        assert_eq!(whole.judge_look(&page, look), Ok(()));
    }
}
