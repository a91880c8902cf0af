//! SPAN: a span in flight is there, whole, in the table or as a record, and its blocks are not taken for
//! another's.

use super::explore;
use super::observer::{Cursor, Round, copy};
use super::segments::{RECORD, Segments};
use crate::spans::{ActiveSpans, Appended};
use crate::storage::Storage;
use crate::sync::{Ordering, fence};
use crate::telemetry::SpanRef;
use loom::thread;
use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, BLOCK_FLAG_SPILLED, BLOCK_SIZE, OverflowPolicy,
    SegmentEntry,
};
use std::mem::offset_of;
use std::sync::Arc;

const CONTENT: usize = offset_of!(ActiveBlock, content);

/// A table of so many blocks.
struct Table {
    storage: Arc<Storage>,
    spans: ActiveSpans,
}

impl Table {
    fn new(blocks: u32) -> Arc<Self> {
        Self::within(&Arc::new(Storage::in_memory(blocks as usize * BLOCK_SIZE)), blocks)
    }

    fn within(storage: &Arc<Storage>, blocks: u32) -> Arc<Self> {
        let spans = ActiveSpans::new(Arc::clone(storage), 0, blocks);
        Arc::new(Self { storage: Arc::clone(storage), spans })
    }

    fn start(&self, content: &[u64]) -> SpanRef {
        self.spans.start(&bytes(content), false, 0).unwrap().0
    }

    fn append(&self, span: SpanRef, items: &[u64]) {
        let appended = self.spans.append(span, &bytes(items), 1 << 16, false, [0; 3]).unwrap();
        assert!(matches!(appended, Appended::Done { .. }));
    }

    fn word(&self, block: usize, offset: usize, ordering: Ordering) -> u64 {
        self.storage.mapping().word(block * BLOCK_SIZE + offset).load(ordering)
    }

    /// The commit of the block 0.
    fn head(&self, ordering: Ordering) -> ActiveCommit {
        ActiveCommit::unpack(self.word(0, 0, ordering), 0).expect("the check of the head")
    }

    /// What `copy` makes of the span in block 0, if it is in flight before and after (SPEC 13.4).
    fn observe<T>(&self, copy: impl FnOnce(usize) -> T) -> Option<T> {
        let before = self.head(Ordering::Acquire);
        if before.bytes == 0 {
            return None;
        }
        let copy = copy(before.bytes as usize);
        // Acquire: what is read after the table is not older than it.
        let after = self.head(Ordering::Acquire);
        (after.generation == before.generation && after.bytes >= before.bytes).then_some(copy)
    }

    /// The content in block 0, up to two words of it.
    fn content(&self) -> Option<Vec<u64>> {
        self.observe(|bytes| copy(self.storage.mapping(), CONTENT, bytes.min(16)))
    }
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn content_against_observer() {
    explore(None, &["None", "Some([1, 2])", "Some([1])"], |outcomes| {
        let table = Table::new(1);
        let observer = thread::spawn({
            let table = Arc::clone(&table);
            move || outcomes.note(format!("{:?}", table.content()))
        });
        let span = table.start(&[1]);
        table.append(span, &[2]);
        observer.join().unwrap();
    });
}

/// A block goes from one span to the next.
#[test]
fn a_copy_of_blocks_that_went_to_another_span_is_known_for_one() {
    explore(None, &["None", "Some([1, 1])", "Some([2, 2])"], |outcomes| {
        let table = Table::new(1);
        let span = table.start(&[1, 1]);
        let observer = thread::spawn({
            let table = Arc::clone(&table);
            move || outcomes.note(format!("{:?}", table.content()))
        });
        table.spans.cancel(span);
        table.start(&[2, 2]);
        observer.join().unwrap();
    });
}

/// The thread that takes a block and the one that stores the rest of its content are not the same.
#[test]
fn another_thread_appends_to_a_block_that_was_another_spans() {
    explore(None, &["None", "Some([1, 1])", "Some([2, 3])", "Some([2])"], |outcomes| {
        let table = Table::new(1);
        let span = table.start(&[1, 1]);
        let observer = thread::spawn({
            let table = Arc::clone(&table);
            move || outcomes.note(format!("{:?}", table.content()))
        });
        table.spans.cancel(span);
        let span = table.start(&[2]);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || table.append(span, &[3])
        });
        other.join().unwrap();
        observer.join().unwrap();
    });
}

/// Another thread links a block to one that had another successor in its former chain.
#[test]
fn another_thread_links_a_block_that_was_another_spans() {
    explore(None, &["None", "Some(None)", "Some(Some(1))", "Some(Some(4))"], |outcomes| {
        let table = Table::new(3);
        let span = table.start(&[1; BLOCK_CONTENT_SIZE / 8 + 1]);
        let observer = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let second = table.observe(|bytes| {
                    let next = table.word(0, offset_of!(ActiveBlock, next), Ordering::Relaxed) & 0xffff_ffff;
                    fence(Ordering::Acquire);
                    let second = usize::try_from(next).unwrap().checked_sub(1);
                    let word = second.filter(|_| bytes > BLOCK_CONTENT_SIZE).map(|second| {
                        // The words in between are of no concern here.
                        copy(table.storage.mapping(), second * BLOCK_SIZE + CONTENT, 8)[0]
                    });
                    (next, bytes, word)
                });
                if let Some((next, bytes, word)) = second
                    && bytes > BLOCK_CONTENT_SIZE
                {
                    assert!([(2, Some(1)), (3, Some(4))].contains(&(next, word)), "{next}: {word:?}");
                }
                outcomes.note(format!("{:?}", second.map(|(_, _, word)| word)));
            }
        });
        table.spans.cancel(span);
        // The block that was given back last is taken first.
        table.start(&[2]);
        let span = table.start(&[3]);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || table.append(span, &[4; BLOCK_CONTENT_SIZE / 8])
        });
        other.join().unwrap();
        observer.join().unwrap();
    });
}

/// A span that ends while a reader looks into the table and then into the segments is in one of the two.
#[test]
fn a_span_that_ends_is_in_one_place_at_least() {
    explore(None, &["a record", "in flight"], |outcomes| {
        let storage = Arc::new(Storage::in_memory(BLOCK_SIZE + SegmentEntry::SIZE + RECORD));
        let table = Table::within(&storage, 1);
        let segments = Segments::within(&storage, BLOCK_SIZE, 1, OverflowPolicy::OverwriteOldest);
        let span = table.start(&[0]);
        let observer = thread::spawn({
            let (table, segments) = (Arc::clone(&table), Arc::clone(&segments));
            move || {
                if table.content() == Some(vec![0]) {
                    return outcomes.note("in flight");
                }
                assert_eq!(Cursor::payloads().round(&segments), Round::Records(vec![0]));
                outcomes.note("a record");
            }
        });
        assert!(matches!(table.spans.end(span, 7, &segments.pool, false, &mut Vec::new()), Ok(Ok(false))));
        observer.join().unwrap();
    });
}

/// The mark of a spilled span is not taken for that of the span that had the block before.
#[test]
fn a_spilled_span_is_not_taken_for_another() {
    explore(None, &["None", "Some((1, false))", "Some((2, false))", "Some((2, true))"], |outcomes| {
        let table = Table::new(1);
        let span = table.start(&[1]);
        let observer = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let found = table.observe(|_| {
                    let content = table.word(0, CONTENT, Ordering::Relaxed);
                    let flags = copy(table.storage.mapping(), offset_of!(ActiveBlock, next), 8)[0] >> 32;
                    (content, flags == u64::from(BLOCK_FLAG_SPILLED))
                });
                outcomes.note(format!("{found:?}"));
            }
        });
        table.spans.cancel(span);
        let span = table.start(&[2]);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || table.append(span, &[3; BLOCK_CONTENT_SIZE / 8])
        });
        other.join().unwrap();
        observer.join().unwrap();
    });
}
