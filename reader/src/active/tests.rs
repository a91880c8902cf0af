//! A span in flight that becomes another one while it is read.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

use otlp_mmap_format::{ActiveCommit, HEADER_SIZE};

use super::{Head, Taken, heads};
use crate::dictionary::{Dictionary, Resolver};
use crate::header::RawHeader;
use crate::source::Source;
use crate::{Report, Section};

/// A recording with spans in flight, to be changed.
struct Changing {
    source: Source,
    section: Section,
    dictionary: Dictionary,
    head: Head,
}

impl Changing {
    fn new() -> Self {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../format-spec/golden/in-flight.otlpmm");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&std::fs::read(golden).unwrap()).unwrap();
        let source = Source::new(file, golden.as_ref());
        let header = RawHeader::new(&source.up_to(0, HEADER_SIZE).unwrap()).unwrap().check().unwrap();
        let (section, mut report) = (header.active_spans, Report::default());
        let dictionary = Dictionary::new(&header, true);
        let found = heads(&source, &section, &mut report);
        assert!(report.is_clean(), "{report:?}");
        let head = *found.first().expect("a span in flight");
        Self { source, section, dictionary, head }
    }

    /// Whether the span is taken for what its head said, if that says this by the time its chain was copied.
    fn is_read(&mut self, change: impl FnOnce(ActiveCommit) -> ActiveCommit) -> bool {
        let word = change(self.head.commit).pack(self.head.index);
        let file: &File = self.source.file();
        file.write_all_at(&word.to_le_bytes(), self.section.entry_offset(self.head.index)).unwrap();
        let mut report = Report::default();
        let resolver = Resolver::new(&self.source, &mut self.dictionary, &mut report);
        resolver.chain(self.head, &self.section, &Taken::default()).unwrap().is_some()
    }
}

#[test]
fn a_span_that_grows_while_it_is_read_is_read() {
    assert!(Changing::new().is_read(|head| head));
    assert!(Changing::new().is_read(|head| ActiveCommit { bytes: head.bytes + 8, ..head }));
}

#[test]
fn a_span_that_ends_while_it_is_read_is_not_read() {
    assert!(!Changing::new().is_read(|head| ActiveCommit { bytes: 0, ..head }));
}

/// Its blocks went to another span of the same length, or of another one.
#[test]
fn a_span_whose_blocks_went_to_another_is_not_read() {
    for more in [0, 8] {
        let next =
            |head: ActiveCommit| ActiveCommit { generation: head.generation + 1, bytes: head.bytes + more };
        assert!(!Changing::new().is_read(next), "{more} bytes more");
    }
}
