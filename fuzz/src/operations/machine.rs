//! A writer, and beside it in plain vectors what it was given and what it refused.

mod calls;

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use otlp_mmap_reader::model::{self, Number, Record, Text as ModelText};
use otlp_mmap_reader::{Batch, Exporter, Observer, Recording};
use otlp_mmap_writer::{
    Config, Counter, Error, MetricStream, Overflow, ResourceRef, ScopeRef, SeriesRef, Signal, SpanContext,
    SpanRef, StringRef, Text, Writer,
};

use super::input::{Name, Operation, Policy, SeriesAttributes, Settings};
use super::metrics::{KINDS, Metrics, Place, aggregation};
use super::room::SEGMENT;
use super::spans::{GivenEvent, GivenSpan};
use super::values::{GeneratedText, fold, series_attributes};
use crate::given::Given;
use crate::memory::{fresh_path, path_of};

/// Longest string that is interned.
const MAX_INTERNED: usize = 4096;
const MAX_SCOPES: usize = 5;
const MAX_STREAMS: usize = 16;

/// A writer and its model.
pub(super) struct Machine {
    pub(super) writer: Writer,
    pub(super) file: File,
    pub(super) policy: Policy,
    stream_measurements: bool,
    /// Calls that were refused, by signal and counter.
    pub(super) refused: [[u64; 16]; 3],
    closed: bool,
    /// Ids and times, so that each is of one thing alone.
    next: u64,
    resource: ResourceRef,
    strings: Vec<(StringRef, String)>,
    pub(super) scopes: Vec<(ScopeRef, Arc<model::Scope>)>,
    pub(super) live: Vec<GivenSpan>,
    ended: Vec<SpanRef>,
    pub(super) spans: Vec<GivenSpan>,
    pub(super) events: Vec<GivenEvent>,
    pub(super) measurements: Vec<GivenMeasurement>,
    pub(super) metrics: Metrics,
    bound: Vec<(SeriesRef, Place)>,
    pub(super) watcher: Watcher,
    pub(super) exporter: Option<(Exporter, Watcher)>,
}

/// A MEASUREMENT record as it was given to the writer.
pub(super) struct GivenMeasurement {
    pub(super) place: Place,
    pub(super) time: u64,
    pub(super) value: Number,
    pub(super) context: Option<SpanContext>,
    /// Attributes of the measurement that an overflow series does not have.
    pub(super) filtered: Vec<model::KeyValue>,
    pub(super) raw: bool,
}

/// An observer from the start, and what it saw: ids by signal.
pub(super) struct Watcher {
    observer: Observer,
    pub(super) seen: [HashSet<u64>; 3],
    pub(super) missed: [u64; 3],
}

/// What a record is known by.
pub(super) fn id(record: &Record) -> (usize, u64) {
    match record {
        Record::Span(span) => (0, u64::from_be_bytes(span.span_id)),
        Record::Event(event) => (1, event.observed_time_unix_nano),
        Record::Measurement(measurement) => (2, measurement.time_unix_nano),
    }
}

impl Watcher {
    /// An observer has missed nothing that was gone at its first look: so it looks at once.
    fn new(observer: Observer) -> Self {
        let mut watcher = Self { observer, seen: Default::default(), missed: [0; 3] };
        watcher.poll();
        watcher
    }

    /// Looks for what is new; nothing may come twice.
    pub(super) fn poll(&mut self) -> Batch {
        let batch = self.observer.poll().expect("poll has no errors");
        assert_eq!(batch.report.faults, []);
        for record in &batch.records {
            let (signal, id) = id(record);
            assert!(self.seen[signal].insert(id), "seen twice: {record:?}");
        }
        for (sum, missed) in self.missed.iter_mut().zip(batch.missed) {
            *sum += missed;
        }
        batch
    }
}

impl Machine {
    pub(super) fn new(settings: &Settings) -> Self {
        let path = fresh_path();
        let config = config(settings, &path);
        let metrics = Metrics::new(config.cardinality_limit);
        let writer = Writer::create(config).expect("a recording");
        let file = File::open(&path).expect("the recording");
        let exporter = settings.exporter.then(|| Exporter::attach(&path).expect("no other exporter"));
        std::fs::remove_file(&path).expect("its name");
        let resource = writer.create_resource(&(), None).expect("room");
        let recording = Recording::open(path_of(&file)).expect("a whole header");
        let exporter = exporter.map(|exporter| {
            let observer = exporter.recording().observe_unacknowledged();
            (exporter, Watcher::new(observer))
        });
        let mut machine = Self {
            writer,
            file,
            policy: settings.policy,
            stream_measurements: settings.stream_measurements,
            refused: [[0; 16]; 3],
            closed: false,
            next: 1,
            resource,
            strings: Vec::new(),
            scopes: Vec::new(),
            live: Vec::new(),
            ended: Vec::new(),
            spans: Vec::new(),
            events: Vec::new(),
            measurements: Vec::new(),
            metrics,
            bound: Vec::new(),
            watcher: Watcher::new(recording.observe()),
            exporter,
        };
        machine.define_scope(&Vec::new());
        for kind in [1, 3] {
            machine.define_stream(0, kind);
        }
        machine
    }

    /// Makes a call; gives whether it is a check, which is left to the caller.
    pub(super) fn apply(&mut self, operation: &Operation) -> bool {
        match operation {
            Operation::Start(start) => self.start(start),
            Operation::SetAttributes { span, attributes } => self.set_attributes(*span, attributes),
            Operation::AddEvent { span, name, dropped, attributes } => {
                self.add_event(*span, name, u32::from(*dropped), attributes);
            }
            Operation::AddLink { span, flags, trace_state, dropped, attributes } => {
                self.add_link(*span, u32::from(*flags), trace_state, u32::from(*dropped), attributes);
            }
            Operation::SetStatus { span, code, message } => self.set_status(*span, *code, message),
            Operation::UpdateName { span, name } => self.update_name(*span, name),
            Operation::AddDropped { span, dropped } => self.add_dropped(*span, dropped.map(u32::from)),
            Operation::End { span, by_ids, other_scope } => self.end(*span, *by_ids, *other_scope),
            Operation::EndAgain { span } => self.end_again(*span),
            Operation::Event(event) => self.event(event),
            Operation::Events { times, event } => (0..*times).for_each(|_| self.event(event)),
            Operation::Intern { text } => self.intern(text),
            Operation::DefineScope { attributes } => self.define_scope(attributes),
            Operation::DefineStream { scope, kind } => self.define_stream(*scope, usize::from(*kind) % KINDS),
            Operation::Measure { stream, attributes, value, context } => {
                self.measure(*stream, attributes, *value, *context);
            }
            Operation::Bind { stream, attributes } => self.bind(*stream, attributes),
            Operation::MeasureBound { bound, value } => self.measure_bound(*bound, *value),
            Operation::Observe => drop(self.watcher.poll()),
            Operation::Deliver => self.deliver(),
            Operation::Check => return true,
            Operation::Close => self.close(),
        }
        false
    }

    pub(super) fn close(&mut self) {
        self.writer.close();
        self.closed = true;
    }

    /// Takes a call's result: `refusal` is why it must be refused, `allowed` why it may be.
    fn settle<T>(
        &mut self,
        signal: Signal,
        result: Result<T, Error>,
        refusal: Option<Counter>,
        allowed: Option<Counter>,
    ) -> Option<T> {
        let refusal = if self.closed { Some(Counter::Closed) } else { refusal };
        let reason = match result {
            Ok(done) if refusal.is_none() => return Some(done),
            Ok(_) => panic!("not refused, expected {refusal:?}"),
            Err(error) => {
                let reason = reason(&error);
                let expected = Some(reason) == refusal || (refusal.is_none() && Some(reason) == allowed);
                assert!(expected, "{error}, expected {refusal:?} or {allowed:?}");
                reason
            }
        };
        self.refused[signal as usize - 1][reason as usize] += 1;
        None
    }

    /// Why a record may be refused though nothing is wrong with it.
    fn full(&self) -> Option<Counter> {
        match self.policy {
            Policy::Overwrite => None,
            Policy::Discard => Some(Counter::Discarded),
            Policy::Block => Some(Counter::BlockTimeout),
        }
    }

    /// Whether sizes are known: every key has gone to the dictionary.
    fn is_exact(&self) -> bool {
        let inline = |signal| self.writer.counter(signal, Counter::DictionaryFull).expect("this process");
        Signal::ALL.iter().all(|(signal, _)| inline(*signal) == 0)
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Definitions.
impl Machine {
    fn intern(&mut self, text: &GeneratedText) {
        let string = text.text();
        let refusal = (string.len() > MAX_INTERNED).then_some(Counter::Invalid);
        let result = self.writer.record_string(&string);
        if let Some(reference) = self.settle(Signal::Events, result, refusal, Some(Counter::DefinitionLost)) {
            self.strings.push((reference, string));
        }
    }

    fn define_scope(&mut self, given: &SeriesAttributes) {
        if self.scopes.len() >= MAX_SCOPES {
            return;
        }
        let attributes = series_attributes(given);
        let name = format!("scope {}", self.scopes.len());
        let result =
            self.writer.create_instrumentation_scope(self.resource, &name, None, None, &Given(&attributes));
        if let Some(scope) = self.settle(Signal::Events, result, None, None) {
            let attributes = fold(&attributes);
            let model = model::Scope { name: name.into(), attributes, ..model::Scope::default() };
            self.scopes.push((scope, Arc::new(model)));
        }
    }

    /// A scope to refer to; one in 256 is unknown.
    fn scope(&self, number: u8) -> (ScopeRef, Arc<model::Scope>, Option<Counter>) {
        let (scope, model) = &self.scopes[usize::from(number) % self.scopes.len()];
        match number {
            u8::MAX => (ScopeRef::from_raw(1), Arc::clone(model), Some(Counter::Invalid)),
            _ => (*scope, Arc::clone(model), None),
        }
    }

    fn define_stream(&mut self, scope: u8, kind: usize) {
        if self.metrics.streams.len() >= MAX_STREAMS {
            return;
        }
        let number = usize::from(scope) % self.scopes.len();
        let (scope, _, mut refusal) = self.scope(scope);
        let known = self.metrics.streams.iter().any(|stream| (stream.scope, stream.kind) == (number, kind));
        if kind == KINDS - 1 {
            refusal = Some(Counter::Invalid);
        } else if !known && !self.metrics.has_room(kind) {
            refusal = refusal.or(Some(Counter::CellsFull));
        }
        let name = format!("metric {kind}");
        let stream = MetricStream { name: &name, description: "", unit: "1", aggregation: aggregation(kind) };
        let result = self.writer.create_metric_stream(scope, &stream);
        let metric = self.settle(Signal::Measurements, result, refusal, None);
        if let Some(metric) = metric
            && !known
        {
            self.metrics.define(metric, number, kind);
        }
    }

    /// A name with its text, the bytes of its item, and whether it is refused.
    fn name(&self, name: &Name) -> (NameGiven, Option<Counter>) {
        match name {
            Name::Inline(text) => (NameGiven::Inline(text.text()), None),
            Name::Interned(_) if self.strings.is_empty() => (NameGiven::Inline(String::new()), None),
            Name::Interned(number) => {
                let (reference, string) = &self.strings[usize::from(*number) % self.strings.len()];
                (NameGiven::Interned(*reference, string.clone()), None)
            }
            // Before the first entry.
            Name::Unknown(number) => {
                let reference = StringRef::from_raw(u32::from(*number) % 8);
                (NameGiven::Interned(reference, String::new()), Some(Counter::Invalid))
            }
        }
    }
}

/// A name as it is given to the writer.
enum NameGiven {
    Inline(String),
    Interned(StringRef, String),
}

impl NameGiven {
    fn given(&self) -> Text<'_> {
        match self {
            Self::Inline(text) => Text::Str(text),
            Self::Interned(reference, _) => Text::Ref(*reference),
        }
    }

    fn text(&self) -> ModelText {
        let (Self::Inline(text) | Self::Interned(_, text)) = self;
        text.as_str().into()
    }

    /// Bytes of it that stand inline.
    fn inline(&self) -> usize {
        match self {
            Self::Inline(text) => text.len(),
            Self::Interned(..) => 0,
        }
    }
}

fn config(settings: &Settings, path: &std::path::Path) -> Config {
    let mut config = Config::new(path);
    let [spans, events, measurements] = settings.segments.map(|count| 2 + u32::from(count) % 3);
    config.segment_size = u32::try_from(SEGMENT).expect("small");
    (config.span_segments, config.event_segments) = (spans, events);
    config.measurement_segments = measurements;
    config.active_blocks = 16 + u32::from(settings.blocks) % 32;
    (config.cells_size, config.dictionary_size) = (super::metrics::CELLS, 64 << 10);
    config.overflow = match settings.policy {
        Policy::Overwrite => Overflow::OverwriteOldest,
        Policy::Discard => Overflow::DiscardNewest,
        Policy::Block => Overflow::Block { timeout: Duration::ZERO },
    };
    config.cardinality_limit = 2 + u32::from(settings.cardinality) % 6;
    config.crc = settings.crc;
    config.stream_measurements = settings.stream_measurements;
    config
}

/// The counter that stands for an error (SPEC "Counters").
fn reason(error: &Error) -> Counter {
    match error {
        Error::Closed => Counter::Closed,
        Error::Discarded => Counter::Discarded,
        Error::BlockTimeout => Counter::BlockTimeout,
        Error::DictionaryFull => Counter::DefinitionLost,
        Error::CellsFull => Counter::CellsFull,
        Error::Invalid { .. }
        | Error::UnknownReference { .. }
        | Error::UnknownSpan { .. }
        | Error::DuplicateSpan { .. } => Counter::Invalid,
        other => panic!("{other}"),
    }
}
