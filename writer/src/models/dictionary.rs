//! DICT: what `committed` covers is whole, and whoever finds a record finds what it refers to.

use super::explore;
use super::segments::{RECORD, Segments};
use crate::dictionary::Dictionary;
use crate::mapping::Mapping;
use crate::storage::Storage;
use crate::sync::Ordering;
use loom::thread;
use otlp_mmap_format::{
    DictionaryHeader, EntryHeader, EntryKind, OverflowPolicy, SegmentEntry, seal, unseal,
};
use std::sync::Arc;

/// Room for five strings.
const LENGTH: usize = 256;
/// An entry of a string of up to 8 bytes.
const ENTRY: usize = 24;

fn dictionary(storage: &Arc<Storage>) -> Arc<Dictionary> {
    storage.mapping().word(0).store(seal(DictionaryHeader::SIZE as u64), Ordering::Relaxed);
    Arc::new(Dictionary::new(Arc::clone(storage), 0..LENGTH, 1, 0).unwrap())
}

/// The strings that are published, each entry checked whole.
fn strings(mapping: &Mapping) -> Vec<String> {
    let committed = unseal(mapping.word(0).load(Ordering::Acquire)).expect("the check of the word");
    let end = usize::try_from(committed).unwrap();
    (DictionaryHeader::SIZE..end).step_by(ENTRY).map(|at| string(mapping, at)).collect()
}

fn string(mapping: &Mapping, at: usize) -> String {
    let [head, crc, payload] = [0, 8, 16].map(|field| mapping.word(at + field).load(Ordering::Relaxed));
    let length = (EntryHeader::SIZE + 2) as u64;
    assert_eq!(
        head,
        length | u64::from(EntryKind::String.code()) << 32,
        "length and kind of the entry at {at}"
    );
    let payload = &payload.to_le_bytes()[..2];
    let expected = crc32c::crc32c_append(crc32c::crc32c(&head.to_le_bytes()), payload);
    assert_eq!(crc, u64::from(expected), "CRC of the entry at {at}");
    String::from_utf8(payload.to_vec()).unwrap()
}

#[test]
fn entries_against_observer() {
    let expected = [r#"[] then ["ab", "cd"]"#, r#"[] then ["ab"]"#, "[] then []"];
    let more = [r#"["ab", "cd"] then ["ab", "cd"]"#, r#"["ab"] then ["ab", "cd"]"#, r#"["ab"] then ["ab"]"#];
    explore(None, &[expected, more].concat(), |outcomes| {
        let storage = Arc::new(Storage::in_memory(LENGTH));
        let dictionary = dictionary(&storage);
        let observer = thread::spawn(move || {
            let [first, second] = [(); 2].map(|()| strings(storage.mapping()));
            outcomes.note(format!("{first:?} then {second:?}"));
        });
        assert_eq!(dictionary.intern("ab"), Some(8));
        assert_eq!(dictionary.intern("cd"), Some(11));
        observer.join().unwrap();
    });
}

/// One thread interns a string, another finds it and records what refers to it.
#[test]
fn entries_are_there_before_records_that_refer_to_them() {
    explore(None, &["no record", "a record"], |outcomes| {
        let storage = Arc::new(Storage::in_memory(LENGTH + SegmentEntry::SIZE + RECORD));
        let segments = Segments::within(&storage, LENGTH, 1, OverflowPolicy::OverwriteOldest);
        let dictionary = dictionary(&storage);
        let other = thread::spawn({
            let (dictionary, segments) = (Arc::clone(&dictionary), Arc::clone(&segments));
            move || {
                if dictionary.intern("ab") == Some(8) {
                    segments.append(0).unwrap();
                }
            }
        });
        let observer = thread::spawn(move || {
            // No fence here: loom's hands on more than this thread has read.
            if segments.committed(Ordering::Acquire).bytes == 0 {
                return outcomes.note("no record");
            }
            assert_eq!(strings(storage.mapping()), ["ab"]);
            outcomes.note("a record");
        });
        dictionary.intern("ab");
        other.join().unwrap();
        observer.join().unwrap();
    });
}
