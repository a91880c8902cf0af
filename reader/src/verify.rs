//! Every structure of a recording checked, one after another (SPEC "Verification").

use std::collections::HashMap;

use otlp_mmap_format::{Acknowledged, Committed, FileState, STATE_OFFSET, SegmentEntry, unseal};

use crate::bytes::size;
use crate::dictionary::{self, Dictionary, Resolver};
use crate::header::Pool;
use crate::losses;
use crate::model::Record;
use crate::observer::decode;
use crate::pool::{Cursor, Mode, damaged_word, of_generation};
use crate::recording::Inner;
use crate::segment::is_newer;
use crate::source::or_fault;
use crate::{Report, Rule};

/// How many spans in flight have these ids. Those that turn out to have a SPAN record, too, are taken out.
type Unended = HashMap<([u8; 16], [u8; 8]), u64>;

/// Checks everything, with a dictionary of its own so that no earlier reading hides a fault.
pub(crate) fn verify(inner: &Inner) -> Report {
    let mut report = Report::default();
    let mode = inner.mode();
    let trusted = mode.is_trusted();
    let mut dictionary = Dictionary::new(&inner.header, trusted);
    state(inner, &mut report);
    losses::counters(inner, &mut report);
    let mut resolver = Resolver::new(&inner.source, &mut dictionary, &mut report);
    entries(inner, trusted, &mut resolver);
    let mut in_flight = Unended::default();
    for span in resolver.active_spans(&inner.header.active_spans, trusted) {
        *in_flight.entry((span.trace_id, span.span_id)).or_default() += 1;
    }
    for pool in &inner.header.pools {
        records(inner, pool, mode, &mut resolver, &mut in_flight);
    }
    resolver.report.readable.spans_in_flight = in_flight.values().sum();
    let series = size(resolver.series(&inner.header.metric_cells, trusted).len());
    resolver.report.readable.series = series;
    length(inner, &mut report);
    report
}

/// A file that was cut says so, even if what is missing held nothing.
fn length(inner: &Inner, report: &mut Report) {
    let (Ok(found), expected) = (inner.source.length(), inner.header.file_size) else { return };
    if found < expected && !report.faults.iter().any(|fault| fault.rule == Rule::Unreadable) {
        report.fault(found, Rule::Unreadable, || format!("the file ends here, expected {expected} bytes"));
    }
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
    let end = used.filter(|_| trusted).unwrap_or(section.length);
    let whole = resolver.verify_dictionary(end, used.unwrap_or(0));
    resolver.report.readable.dictionary_entries = whole;
}

fn records(inner: &Inner, pool: &Pool, mode: Mode, resolver: &mut Resolver<'_>, in_flight: &mut Unended) {
    for slot in 0..pool.table.entry_count {
        let mut cursor = Cursor::default();
        let reader = inner.segment(pool, slot);
        let before = reader.stable_entry(resolver.report);
        if let Some(chunk) = reader.read_new(&mut cursor, mode, false, &mut 0, resolver.report) {
            let found = decode(resolver, pool.signal, slot, &chunk);
            resolver.report.count(&found);
            for record in found {
                if let Record::Span(span) = record {
                    in_flight.remove(&(span.trace_id, span.span_id));
                }
            }
        }
        if let Some(entry) = before {
            if mode == Mode::Remnants {
                reader.check_unheeded(&entry, resolver.report);
            }
            words(&entry, pool.table.entry_offset(slot), mode, &cursor, resolver.report);
        }
    }
}

/// The words of an entry agree with each other and with the records, which were read after it.
fn words(entry: &SegmentEntry, offset: u64, mode: Mode, cursor: &Cursor, report: &mut Report) {
    let committed = Committed::unpack(entry.committed.get());
    let ([held_even, held_odd], [gone_even, gone_odd]) = (entry.base_records, entry.base_overwritten);
    // What is in force was reported when the records were read by it; the rest is read by nobody, but checked.
    let in_force = committed.map(|word| word.generation % 2).filter(|_| mode != Mode::Remnants);
    let checked = [
        ("acknowledged", entry.acknowledged, false),
        ("base_records", held_even, in_force == Some(0)),
        ("base_records", held_odd, in_force == Some(1)),
        ("base_overwritten", gone_even, false),
        ("base_overwritten", gone_odd, false),
    ];
    for (name, word, is_reported) in checked {
        if !is_reported && unseal(word.get()).is_none() {
            damaged_word(name, word, offset, Rule::SegmentEntry, report);
        }
    }
    let Some(Committed { generation, .. }) = committed else { return };
    let held = of_generation(entry.base_records, generation).unwrap_or(u64::MAX);
    let overwritten = of_generation(entry.base_overwritten, generation).unwrap_or(0);
    if overwritten > held {
        report
            .fault(offset, Rule::SegmentEntry, || format!("{overwritten} of {held} records are overwritten"));
    }
    let (read, records) = cursor.progress();
    // Of a segment without a generation this was reported when it was read.
    if mode != Mode::Live && generation != 0 && is_newer(read, generation) {
        let detail = || format!("generation {generation}, but records of generation {read} stand there");
        report.fault(offset, Rule::SegmentEntry, detail);
    }
    let acknowledged = Acknowledged::unpack(entry.acknowledged.get());
    let Some(Acknowledged { generation: of, records: found, .. }) = acknowledged else { return };
    if read == generation && of == generation && found > records {
        report.fault(offset, Rule::SegmentEntry, || format!("{found} of {records} records are acknowledged"));
    }
}
