//! A record with everything in it, read from its file again.

use otlp_mmap_reader::model::{Record, Series};
use otlp_mmap_reader::{MAX_EXEMPLARS, Report};

use super::file::File;
use super::state::Asked;
use crate::inspect::model::{Detail, RecordId, RecordKind};
use crate::record::OwnedRecord;

/// The record of an id, if it is still there.
pub(super) fn detail(asked: &Asked<'_>, id: RecordId) -> Detail {
    let file = asked.file(id.file);
    let record = file.and_then(|file| read(asked, file, id.kind));
    let in_flight = file.and_then(|file| file.in_flight.iter().find(|row| row.id == id));
    Detail { id, record, last: in_flight.and_then(|row| row.last) }
}

fn read(asked: &Asked<'_>, file: &File, kind: RecordKind) -> Option<OwnedRecord> {
    match kind {
        RecordKind::Record(signal, position) => {
            file.open()?.record(signal, position).map(OwnedRecord::Record)
        }
        RecordKind::InFlight(trace_id, span_id) => {
            let spans = file.open()?.active_spans(&mut Report::default());
            let mut spans = spans.into_iter();
            let span = spans.find(|span| span.trace_id == trace_id && span.span_id == span_id);
            span.map(|span| OwnedRecord::Record(Record::Span(Box::new(span)))).or_else(|| ended(file, kind))
        }
        RecordKind::Series(id) => {
            let entry = file.series.series.iter().find(|entry| entry.series.series == id)?;
            let (series, _) = entry.at(asked.cursor.0);
            let exemplars = file.exemplars(id, asked.cursor.0, MAX_EXEMPLARS);
            Some(OwnedRecord::Metric(Box::new(Series { exemplars, ..Series::clone(&series) })))
        }
    }
}

/// The record of a span that was in flight when it was asked for.
fn ended(file: &File, kind: RecordKind) -> Option<OwnedRecord> {
    let RecordKind::InFlight(trace_id, span_id) = kind else { return None };
    let mut rows = file.spans.rows();
    let row = rows.find(|row| row.span_id == span_id && row.trace_id == trace_id)?;
    let RecordKind::Record(signal, position) = row.id.kind else { return None };
    file.open()?.record(signal, position).map(OwnedRecord::Record)
}
