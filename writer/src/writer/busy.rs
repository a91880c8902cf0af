//! Ends of spans that find a lock held: the span that is still in flight is found again, the one that is gone leaves its
//! ids free.

use super::Writer;
use crate::config::Config;
use crate::error::Error;
use crate::telemetry::{ScopeRef, SpanKind, SpanRef, SpanStart, Text};
use otlp_mmap_format::{Counter, Signal};
use otlp_mmap_reader::Recording;

/// A writer with one scope.
struct Program {
    writer: Writer,
    scope: ScopeRef,
    _directory: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::create(Config::new(directory.path())).unwrap();
        let resource = writer.create_resource(&(), None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "busy", None, None, &()).unwrap();
        Self { writer, scope, _directory: directory }
    }

    fn start(&self) -> Result<SpanRef, Error> {
        self.writer.record_span_start(&SpanStart {
            scope: self.scope,
            trace_id: [1; 16],
            span_id: [2; 8],
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano: 1,
            attributes: &(),
        })
    }

    fn end(&self) -> Result<(), Error> {
        self.writer.record_span_end(self.scope, [1; 16], [2; 8], 2)
    }

    /// Spans that ended, and those in flight.
    fn spans(&self) -> (usize, usize) {
        let snapshot = Recording::open(self.writer.path().unwrap()).unwrap().snapshot().unwrap();
        (snapshot.spans.len(), snapshot.spans_in_flight.len())
    }

    fn busy(&self) -> u64 {
        self.writer.counter(Signal::Spans, Counter::Busy).unwrap()
    }
}

#[test]
fn a_span_whose_state_was_busy_at_its_end_is_found_again() {
    let program = Program::new();
    let span = program.start().unwrap();
    let held = program.writer.recorder().unwrap().active.hold(span);
    assert!(matches!(program.end(), Err(Error::Busy)));
    drop(held);
    assert_eq!((program.spans(), program.busy()), ((0, 1), 1));
    assert_eq!(program.writer.find_span(program.scope, [1; 16], [2; 8]).unwrap(), span);
    program.end().unwrap();
    assert_eq!(program.spans(), (1, 0));
}

#[test]
fn a_span_that_found_every_lane_busy_at_its_end_leaves_its_ids_free() {
    let program = Program::new();
    program.start().unwrap();
    let held = program.writer.recorder().unwrap().spans.hold();
    assert!(matches!(program.end(), Err(Error::Busy)));
    drop(held);
    assert_eq!((program.spans(), program.busy()), ((0, 0), 1));
    program.start().unwrap();
    program.end().unwrap();
    assert!(matches!(program.end(), Err(Error::UnknownSpan { .. })));
    assert_eq!(program.spans(), (1, 0));
}
