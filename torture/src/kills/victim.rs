//! Victim: the process that records until it is killed.
//!
//! Each of its threads draws one call after the other and enters it into the ledger before and after. A call that
//! is refused is entered with its reason; its number goes to the next call of its kind, so that the numbers that
//! are recorded have no gaps.

use super::content::{
    BOUNDARIES, Content, MAX_BUCKETS, MAX_SCALE, Update, attributes, real, signed, span_id, trace_id,
};
use super::ledger::{Call, FORKED, Ledger, RING, Slot};
use super::process;
use super::round::{LIMIT, Random, Round};
use otlp_mmap_reader::Counter;
use otlp_mmap_writer::{
    Aggregation, Error, Event, KeyValue, Link, MetricRef, MetricStream, Number, ScopeRef, SpanContext,
    SpanEvent, SpanKind, SpanRef, SpanStart, StatusCode, StringRef, Temporality, Text, Value, Writer,
};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// Spans that a thread has in flight at most.
const MOST_OPEN: usize = 6;
const _: () = assert!((MOST_OPEN as u64) < RING);

/// What the threads record with.
struct Program<'a> {
    round: &'a Round,
    ledger: &'a Ledger,
    content: Content,
    writer: Writer,
    scope: ScopeRef,
    metrics: Metrics,
}

struct Metrics {
    exemplars: MetricRef,
    sums: MetricRef,
    shared_sum: MetricRef,
    histograms: MetricRef,
    shared_histogram: MetricRef,
    exponentials: MetricRef,
    gauges: MetricRef,
}

/// One thread of it.
struct Thread<'a> {
    program: &'a Program<'a>,
    slot: usize,
    ledger: Slot<'a>,
    random: Random,
    open: VecDeque<Open>,
    /// The string that events are named by: its number and its place in the dictionary.
    name: Option<(u64, StringRef)>,
    calls: u64,
}

/// A span in flight.
#[derive(Clone, Copy)]
struct Open {
    span: SpanRef,
    number: u64,
    updates: u64,
}

/// The recording is closed: the thread is done.
#[derive(Debug)]
struct Closed;

/// Records into a new file at `path` until somebody kills the process.
pub(super) fn record(round: &Round, ledger: &Ledger, path: &Path) {
    process::become_victim();
    process::abort_on_panic();
    let program = match Program::new(round, ledger, path) {
        Ok(program) => program,
        Err(error) => panic!("cannot begin to record: {error}"),
    };
    std::thread::scope(|scope| {
        for slot in 1..round.threads {
            let program = &program;
            scope.spawn(move || Thread::new(program, slot).run());
        }
        Thread::new(&program, 0).run();
    });
}

impl<'a> Program<'a> {
    fn new(round: &'a Round, ledger: &'a Ledger, path: &Path) -> Result<Self, Error> {
        let writer = Writer::create(round.config(path))?;
        let service = [KeyValue { key: "service.name", value: Value::String("killed") }];
        let resource = writer.create_resource(&service, None)?;
        let scope = writer.create_instrumentation_scope(resource, "killed", Some("1"), None, &())?;
        let metrics = Metrics::new(&writer, scope)?;
        let content = Content::new(round.seed);
        Ok(Self { round, ledger, content, writer, scope, metrics })
    }
}

impl Metrics {
    fn new(writer: &Writer, scope: ScopeRef) -> Result<Self, Error> {
        let temporality = Temporality::Cumulative;
        let stream = |name, aggregation| {
            let stream = MetricStream { name, description: "", unit: "1", aggregation };
            writer.create_metric_stream(scope, &stream)
        };
        let sum = Aggregation::Sum { temporality, is_monotonic: true };
        let buckets: Vec<f64> = (0..15).map(real).collect();
        let exponential =
            Aggregation::ExponentialHistogram { temporality, max_buckets: MAX_BUCKETS, max_scale: MAX_SCALE };
        Ok(Self {
            exemplars: stream("exemplars", sum)?,
            sums: stream("sums", sum)?,
            shared_sum: stream("shared sum", sum)?,
            histograms: stream(
                "histograms",
                Aggregation::Histogram { temporality, boundaries: &BOUNDARIES },
            )?,
            shared_histogram: {
                stream("shared histogram", Aggregation::Histogram { temporality, boundaries: &buckets })?
            },
            exponentials: stream("exponentials", exponential)?,
            gauges: stream("gauges", Aggregation::Gauge)?,
        })
    }
}

impl<'a> Thread<'a> {
    fn new(program: &'a Program<'a>, slot: usize) -> Self {
        Self {
            program,
            slot,
            ledger: program.ledger.slot(slot),
            random: program.round.random(slot as u64 + 1),
            open: VecDeque::with_capacity(MOST_OPEN),
            name: None,
            calls: 0,
        }
    }

    fn run(mut self) {
        while self.program.round.waits && self.slot != FORKED && !self.program.ledger.is_attached() {
            std::thread::sleep(Duration::from_micros(100));
        }
        self.program.ledger.begin_recording();
        while self.step().is_ok() {}
        std::thread::sleep(Duration::from_hours(1));
    }

    /// One call.
    fn step(&mut self) -> Result<(), Closed> {
        self.calls += 1;
        if self.slot == 0 {
            self.disturb();
        }
        match self.random.below(32) {
            0..10 => self.event(),
            10..20 => self.span(),
            20..22 => self.exemplar(),
            22..24 => self.measure(Call::Sum),
            24 => self.measure(Call::SharedSum),
            25 => self.measure(Call::Histogram),
            26 => self.measure(Call::SharedHistogram),
            27 => self.measure(Call::Exponential),
            28 => self.measure(Call::Gauge),
            _ if self.program.round.many_names || self.random.below(8) == 0 => self.name(),
            _ => self.event(),
        }
    }

    /// What happens once in a process, now and then.
    fn disturb(&mut self) {
        let round = self.program.round;
        if round.closes_after == Some(self.calls) {
            self.program.writer.close();
        }
        // At some call, so that other threads are in the middle of theirs.
        if round.forks && self.random.below(64) == 0 && self.program.ledger.fork() {
            let record = || {
                let mut forked = Self::new(self.program, FORKED);
                while forked.calls < 400 && forked.step().is_ok() {}
                std::thread::sleep(Duration::from_hours(1));
            };
            process::fork_beside_threads(record).expect("fork");
        }
    }

    /// Makes a call that records something, between two entries in the ledger.
    fn call<T>(
        &self,
        call: Call,
        made: impl FnOnce(&Writer) -> Result<T, Error>,
    ) -> Result<Option<T>, Closed> {
        self.ledger.begin(call);
        match made(&self.program.writer) {
            Ok(value) => {
                self.ledger.returned(call);
                Ok(Some(value))
            }
            Err(error) => {
                let reason = reason(&error);
                self.ledger.refused(call, reason);
                if reason == Counter::Closed { Err(Closed) } else { Ok(None) }
            }
        }
    }

    /// The number of the next call of a kind; `None`: there are none left.
    fn next(&self, call: Call) -> Option<u64> {
        Some(self.ledger.count(call).returned).filter(|number| *number < LIMIT)
    }

    fn event(&mut self) -> Result<(), Closed> {
        let Some(number) = self.next(Call::Event) else { return self.measure(Call::Sum) };
        let attributes = attributes(self.slot, number, self.program.content.event_text(self.slot, number));
        let name = self.name.filter(|_| self.random.below(2) == 0);
        let mut attributes = attributes.to_vec();
        attributes
            .extend(name.map(|(name, _)| KeyValue { key: "name", value: Value::Int(name.cast_signed()) }));
        let event = Event {
            scope: self.program.scope,
            context: Some(self.context(number)),
            name: Some(name.map_or(Text::Str("event"), |(_, reference)| Text::Ref(reference))),
            time_unix_nano: number + 1,
            observed_time_unix_nano: number,
            severity_number: u32::try_from(number % 25).unwrap_or(0),
            severity_text: "",
            body: Some(&Value::Double(real(number))),
            attributes: &attributes,
            dropped_attributes_count: 0,
        };
        self.call(Call::Event, |writer| writer.record_event(&event)).map(drop)
    }

    fn context(&self, number: u64) -> SpanContext {
        SpanContext { trace_id: trace_id(self.slot, number), span_id: span_id(self.slot, number), flags: 1 }
    }

    /// Starts a span, changes one, or ends the oldest.
    fn span(&mut self) -> Result<(), Closed> {
        if self.open.len() < MOST_OPEN && self.random.below(3) == 0 {
            return self.start();
        }
        let Some(at) = (!self.open.is_empty()).then(|| self.random.index(self.open.len())) else {
            return self.start();
        };
        let planned = |open: Open| self.program.content.updates(self.slot, open.number);
        match [at, 0].into_iter().find(|&at| self.open[at].updates < planned(self.open[at])) {
            Some(at) => self.update(at),
            None => self.end(),
        }
    }

    fn start(&mut self) -> Result<(), Closed> {
        let Some(number) = self.next(Call::Start) else { return self.measure(Call::Sum) };
        self.ledger.reset_updates(number);
        let attributes = attributes(self.slot, number, self.program.content.span_text(self.slot, number));
        let start = SpanStart {
            scope: self.program.scope,
            trace_id: trace_id(self.slot, number),
            span_id: span_id(self.slot, number),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Client,
            start_time_unix_nano: number + 1,
            attributes: &attributes,
        };
        if let Some(span) = self.call(Call::Start, |writer| writer.start_span(&start))? {
            self.open.push_back(Open { span, number, updates: 0 });
        }
        Ok(())
    }

    fn update(&mut self, at: usize) -> Result<(), Closed> {
        let Open { span, number, updates } = self.open[at];
        self.ledger.begin_update(number);
        let update = self.program.content.update(self.slot, number, updates);
        let done = self.call(Call::Update, |writer| match update {
            Update::Attribute => {
                let value = Value::Int(updates.cast_signed());
                writer.set_attributes(span, &[KeyValue { key: "update", value }])
            }
            Update::Event => {
                let event = SpanEvent {
                    name: Text::Str("update"),
                    time_unix_nano: updates,
                    attributes: &(),
                    dropped_attributes_count: 0,
                };
                writer.add_event(span, &event)
            }
            Update::Status => writer.set_status(span, StatusCode::Ok, &updates.to_string()),
            Update::Link => {
                let context = self.context(updates);
                let link = Link { context, trace_state: "", attributes: &(), dropped_attributes_count: 0 };
                writer.add_link(span, &link)
            }
        });
        let is_done = matches!(done, Ok(Some(())));
        self.ledger.end_update(number, is_done);
        self.open[at].updates += u64::from(is_done);
        done.map(drop)
    }

    /// Ends the oldest span, so that spans end in the order of their numbers.
    fn end(&mut self) -> Result<(), Closed> {
        let Some(Open { span, number, .. }) = self.open.pop_front() else { return Ok(()) };
        self.ledger.begin(Call::End);
        match self.program.writer.end_span(span, number + 2) {
            Ok(()) => self.ledger.returned(Call::End),
            Err(error) => match reason(&error) {
                Counter::Closed => {
                    self.ledger.refused(Call::End, Counter::Closed);
                    return Err(Closed);
                }
                reason => self.ledger.refused_end(number, reason),
            },
        }
        Ok(())
    }

    fn exemplar(&mut self) -> Result<(), Closed> {
        let Some(number) = self.next(Call::Exemplar) else { return self.measure(Call::Sum) };
        let value = Number::Int(number.cast_signed());
        let (metric, context) = (self.program.metrics.exemplars, self.context(number));
        let set = [KeyValue { key: "thread", value: Value::Int(signed(self.slot)) }];
        let made =
            |writer: &Writer| writer.record_measurement(metric, &set, number + 1, value, Some(&context));
        self.call(Call::Exemplar, made).map(drop)
    }

    fn measure(&mut self, call: Call) -> Result<(), Closed> {
        let number = self.ledger.count(call).returned;
        let (metrics, content) = (&self.program.metrics, self.program.content);
        let (metric, value) = match call {
            Call::SharedSum => (metrics.shared_sum, Number::Double(0.25)),
            Call::Histogram => {
                (metrics.histograms, Number::Int(content.histogram_value(self.slot, number).into()))
            }
            Call::SharedHistogram => (metrics.shared_histogram, Number::Int(signed(self.slot))),
            Call::Exponential => {
                (metrics.exponentials, Number::Double(content.exponential_value(self.slot, number)))
            }
            Call::Gauge => (metrics.gauges, Number::Int(number.cast_signed())),
            _ => (metrics.sums, Number::Int(1)),
        };
        let own = [KeyValue { key: "thread", value: Value::Int(signed(self.slot)) }];
        let is_shared = matches!(call, Call::SharedSum | Call::SharedHistogram);
        let set = if is_shared { &own[..0] } else { &own[..] };
        let made = |writer: &Writer| writer.record_measurement(metric, &set, number + 1, value, None);
        self.call(call, made).map(drop)
    }

    /// A new string in the dictionary; it may be full.
    fn name(&mut self) -> Result<(), Closed> {
        let Some(number) = self.next(Call::Name) else { return Ok(()) };
        let name = self.program.content.name(self.slot, number, self.program.round.many_names);
        let interned = self.call(Call::Name, |writer| match writer.record_string(&name) {
            Ok(reference) => Ok(Some(reference)),
            Err(Error::DictionaryFull) => Ok(None),
            Err(error) => Err(error),
        })?;
        self.name = interned.flatten().map(|reference| (number, reference)).or(self.name);
        Ok(())
    }
}

/// The counter of a refusal.
fn reason(error: &Error) -> Counter {
    match error {
        Error::Discarded => Counter::Discarded,
        Error::BlockTimeout => Counter::BlockTimeout,
        Error::NoSpace | Error::Io { .. } => Counter::NoSpace,
        Error::Busy => Counter::Busy,
        Error::Closed => Counter::Closed,
        Error::CellsFull => Counter::CellsFull,
        error => panic!("unexpected: {error}"),
    }
}
