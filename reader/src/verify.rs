//! Every structure of a recording checked, one after another (SPEC "Verification").

use otlp_mmap_format::{Acknowledged, Committed, FileState, STATE_OFFSET, SegmentEntry};

use crate::bytes::size;
use crate::dictionary::{self, Dictionary, Resolver};
use crate::header::Pool;
use crate::observer::decode;
use crate::pool::{Cursor, read_table};
use crate::recording::Inner;
use crate::source::or_fault;
use crate::{Report, Rule};

/// Checks everything, with a dictionary of its own so that no earlier reading hides a fault.
pub(crate) fn verify(inner: &Inner) -> Report {
    let mut report = Report::default();
    let mut dictionary = Dictionary::new(inner.header.dictionary);
    let trusted = inner.trusts_committed();
    state(inner, &mut report);
    let mut resolver = Resolver::new(&inner.source, &mut dictionary, &mut report);
    entries(inner, trusted, &mut resolver);
    let in_flight = size(resolver.active_spans(&inner.header.active_spans).len());
    resolver.report.readable.spans_in_flight = in_flight;
    for pool in &inner.header.pools {
        records(inner, pool, trusted, &mut resolver);
    }
    let series = size(resolver.series(&inner.header.metric_cells, trusted).len());
    resolver.report.readable.series = series;
    report
}

fn state(inner: &Inner, report: &mut Report) {
    let offset = size(STATE_OFFSET);
    let Some(state) = or_fault(inner.state(), offset, report) else { return };
    let code = state.state.get();
    if FileState::from_code(code).is_none() {
        report.fault(offset, Rule::FileState, || format!("unknown file state {code}"));
    }
}

fn entries(inner: &Inner, trusted: bool, resolver: &mut Resolver<'_>) {
    let section = inner.header.dictionary;
    let used = dictionary::published(&section, &inner.source, resolver.report);
    let Some(used) = or_fault(used, section.offset, resolver.report) else { return };
    let end = if trusted { used } else { section.length };
    let whole = resolver.verify_dictionary(end, trusted);
    resolver.report.readable.dictionary_entries = whole;
}

fn records(inner: &Inner, pool: &Pool, trusted: bool, resolver: &mut Resolver<'_>) {
    for (slot, entry) in (0..).zip(read_table(&inner.source, pool, resolver.report)) {
        let mut cursor = Cursor::default();
        let reader = inner.segment(pool, slot);
        if let Some(chunk) = reader.read_new(&mut cursor, trusted, false, &mut 0, resolver.report) {
            let found = decode(resolver, pool.signal, slot, &chunk);
            resolver.report.count(&found);
        }
        acknowledged(&entry, pool.table.entry_offset(slot), &cursor, resolver.report);
    }
}

/// No more records can be acknowledged than there are. The entry was read before the records.
fn acknowledged(entry: &SegmentEntry, offset: u64, cursor: &Cursor, report: &mut Report) {
    let acknowledged = Acknowledged::unpack(entry.acknowledged.get());
    let (generation, records) = cursor.progress();
    let same = generation == acknowledged.generation
        && generation == Committed::unpack(entry.committed.get()).generation;
    if same && acknowledged.records > records {
        let found = acknowledged.records;
        report.fault(offset, Rule::SegmentEntry, || format!("{found} of {records} records are acknowledged"));
    }
}
