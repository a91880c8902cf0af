//! A writer, and beside it in plain vectors what it was given and what it refused.

mod calls;
mod define;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otlp_mmap_reader::model::{self, Number, Text as ModelText};
use otlp_mmap_reader::{Exporter, Recording};
use otlp_mmap_writer::{
    Config, Counter, Error, Overflow, ScopeRef, SeriesRef, Signal, SpanContext, SpanRef, StringRef, Text,
    Writer,
};

use super::dictionary::{DICTIONARY, Dictionary};
use super::file::{directory, path_of};
use super::input::{Name, Operation, Policy, Settings};
use super::metrics::{CELLS, KINDS, Metrics, Place};
use super::room::Room;
use super::spans::{GivenEvent, GivenSpan};
use super::values::GeneratedText;
use super::watcher::{Published, Watcher};

/// A writer and its model.
pub(super) struct Machine {
    pub(super) writer: Writer,
    pub(super) file: File,
    pub(super) policy: Policy,
    stream_measurements: bool,
    room: Room,
    pub(super) dictionary: Dictionary,
    /// Calls that were refused, by signal and counter.
    pub(super) refused: [[u64; 16]; 3],
    closed: bool,
    /// Ids and times, so that each is of one thing alone.
    next: u64,
    strings: Vec<(StringRef, String)>,
    pub(super) scopes: Vec<(ScopeRef, Arc<model::Scope>)>,
    pub(super) live: Vec<GivenSpan>,
    ended: Vec<SpanRef>,
    pub(super) spans: Vec<GivenSpan>,
    pub(super) events: Vec<GivenEvent>,
    pub(super) measurements: Vec<GivenMeasurement>,
    pub(super) published: Published,
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
    /// Attributes of the measurement that its series does not have.
    pub(super) filtered: Vec<model::KeyValue>,
    pub(super) raw: bool,
}

impl Machine {
    pub(super) fn new(settings: &Settings) -> Self {
        let directory = directory();
        let path = directory.path().join("model.otlpmm");
        let writer = Writer::create(config(settings, &path)).expect("a recording");
        let file = File::open(&path).expect("the recording");
        let exporter = settings.exporter.then(|| Exporter::attach(&path).expect("no other exporter"));
        // It is reached by its descriptors alone from here on.
        drop(directory);
        let recording = Recording::open(path_of(&file)).expect("a whole header");
        let oldest_first = settings.policy == Policy::Overwrite;
        let exporter = exporter.map(|exporter| {
            let observer = exporter.recording().observe_unacknowledged();
            (exporter, Watcher::new(observer, oldest_first))
        });
        let mut machine = Self {
            file,
            policy: settings.policy,
            stream_measurements: settings.stream_measurements,
            room: Room { segment: usize::try_from(settings.segment_size).expect("small") },
            dictionary: Dictionary::new(&writer, None),
            refused: [[0; 16]; 3],
            closed: false,
            next: 1,
            strings: Vec::new(),
            scopes: Vec::new(),
            live: Vec::new(),
            ended: Vec::new(),
            spans: Vec::new(),
            events: Vec::new(),
            measurements: Vec::new(),
            published: Published::default(),
            metrics: Metrics::new(settings.cardinality_limit),
            bound: Vec::new(),
            watcher: Watcher::new(recording.observe(), oldest_first),
            exporter,
            writer,
        };
        machine.define_scope(&Vec::new());
        for kind in [1, 3] {
            machine.define_stream(0, kind);
        }
        if settings.dictionary_left.is_some() {
            (1..4).for_each(|number| machine.intern(&GeneratedText::Word(number)));
            machine.dictionary = Dictionary::new(&machine.writer, settings.dictionary_left);
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
            Operation::Repeat { times, operations } => {
                for operation in (0..*times).flat_map(|_| operations) {
                    self.apply(operation);
                }
            }
            Operation::Observe => drop(self.watcher.poll(&self.published)),
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

    /// Whether sizes are known: of every key, whether it is in the dictionary.
    fn is_exact(&self) -> bool {
        let inline = |signal| self.writer.counter(signal, Counter::DictionaryFull).expect("this process");
        self.dictionary.is_exact() || Signal::ALL.iter().all(|(signal, _)| inline(*signal) == 0)
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// What calls refer to.
impl Machine {
    /// A scope to refer to; one in 256 is unknown.
    fn scope(&self, number: u8) -> (ScopeRef, Arc<model::Scope>, Option<Counter>) {
        let (scope, model) = &self.scopes[usize::from(number) % self.scopes.len()];
        match number {
            u8::MAX => (ScopeRef::from_raw(1), Arc::clone(model), Some(Counter::Invalid)),
            _ => (*scope, Arc::clone(model), None),
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

fn config(settings: &Settings, path: &Path) -> Config {
    let mut config = Config::new(path);
    config.segment_size = settings.segment_size;
    [config.span_segments, config.event_segments, config.measurement_segments] = settings.segments;
    config.active_blocks = settings.blocks;
    (config.cells_size, config.dictionary_size) = (CELLS, DICTIONARY.into());
    config.overflow = match settings.policy {
        Policy::Overwrite => Overflow::OverwriteOldest,
        Policy::Discard => Overflow::DiscardNewest,
        Policy::Block => Overflow::Block { timeout: Duration::ZERO },
    };
    config.cardinality_limit = settings.cardinality_limit;
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
