//! Writer: the handle that applications hold, and what happens to it in a forked child (SPEC "Fork").
//!
//! Every call looks up this process's recorder: one atomic load and one comparison. In a forked child the
//! comparison fails once; the child then opens a recording of its own and leaves the parent's alone.

use crate::clock;
use crate::config::Config;
use crate::define::Measurement;
use crate::error::Error;
use crate::fork;
use crate::recorder::Recorder;
use crate::span_index::{Indexed, SpanIds};
use crate::sync::Ordering;
use crate::sync::plain::{AtomicI32, AtomicPtr, AtomicU64};
use crate::telemetry::{
    Attributes, Event, Link, MetricRef, MetricStream, Number, ResourceRef, ScopeRef, SeriesRef, SpanContext,
    SpanEvent, SpanRef, SpanStart, StatusCode, StringRef,
};
use otlp_mmap_format::{Counter, Signal, counter_index};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(all(test, not(loom)))]
mod busy;
#[cfg(all(test, not(loom)))]
mod wrap;

/// How long a child that could not open its recording waits before it tries again.
const RETRY_NANOS: u64 = 1_000_000_000;
/// Naps of 100 us of a thread that waits for another one of the same child to open the recording: 2 s at least, far
/// more than the opening takes.
const NAPS: u32 = 20_000;

/// Records telemetry into a file. Cheap to clone; all clones share the recording. Usable from many threads, in
/// a forked child (which gets a file of its own). A signal handler may call it too: it never waits for ever on what
/// the interrupted code holds of the recording. But a call may allocate (a thread's first one does), which is not safe
/// in a handler that interrupted an allocation.
///
/// Every call that fails has recorded nothing and, once the file exists, is counted in it by signal and reason.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    /// Made by `Box::into_raw`; replaced only in a forked child, which leaks its parent's.
    recorder: AtomicPtr<Recorder>,
    /// Token of the process in which a thread is opening the recording; 0: none is.
    opening: AtomicU64,
    /// Monotonic clock before which a failed opening is not tried again, and the system's error number.
    retry_at: AtomicU64,
    retry_reason: AtomicI32,
    /// Token of the process that closed the writer before it recorded anything.
    closed_in: AtomicU64,
}

impl Writer {
    /// Creates a recording.
    ///
    /// Errors: [`Error::Invalid`] for a configuration out of its limits, [`Error::Io`] where the file exists or
    /// cannot be created, locked or mapped.
    pub fn create(mut config: Config) -> Result<Self, Error> {
        // A child may have another working directory.
        config.path = std::path::absolute(&config.path).map_err(|source| Error::Io {
            what: "create",
            path: config.path.clone(),
            source,
        })?;
        let recorder = Box::into_raw(Box::new(Recorder::create(config, None)?));
        let shared = Shared {
            recorder: AtomicPtr::new(recorder),
            opening: AtomicU64::new(0),
            retry_at: AtomicU64::new(0),
            retry_reason: AtomicI32::new(0),
            closed_in: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// This process's recorder.
    #[inline]
    fn recorder(&self) -> Result<&Recorder, Error> {
        let recorder = self.shared.current();
        if recorder.is_ours() { Ok(recorder) } else { self.shared.open_in_child() }
    }

    /// The recording's file; in a forked child, the child's own.
    pub fn path(&self) -> Result<PathBuf, Error> {
        Ok(self.recorder()?.path.clone())
    }

    /// The recording's file, for reading it also after it was renamed or removed.
    pub fn file(&self) -> Result<File, Error> {
        let recorder = self.recorder()?;
        let io = |source| Error::Io { what: "open", path: recorder.path.clone(), source };
        recorder.storage.reopen().map_err(io)
    }

    /// Puts a string into the dictionary, or finds it there.
    ///
    /// Errors: [`Error::DictionaryFull`]; [`Error::Invalid`] for a string over 4,096 bytes.
    pub fn record_string(&self, string: &str) -> Result<StringRef, Error> {
        let recorder = self.recorder()?;
        let interned = recorder.record_string(string);
        if matches!(interned, Err(Error::DictionaryFull)) {
            // No loss: the caller still has the string and can record it inline.
            recorder.count(Signal::Events, Counter::DictionaryFull, 1);
            return interned;
        }
        recorder.counted(Signal::Events, interned)
    }

    /// Defines a resource (OTel "Resource").
    pub fn create_resource(
        &self,
        attributes: &dyn Attributes,
        schema_url: Option<&str>,
    ) -> Result<ResourceRef, Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Events, recorder.create_resource(attributes, schema_url))
    }

    /// Defines an instrumentation scope of a resource (OTel "InstrumentationScope").
    pub fn create_instrumentation_scope(
        &self,
        resource: ResourceRef,
        name: &str,
        version: Option<&str>,
        schema_url: Option<&str>,
        attributes: &dyn Attributes,
    ) -> Result<ScopeRef, Error> {
        let recorder = self.recorder()?;
        let scope = recorder.create_instrumentation_scope(resource, name, version, schema_url, attributes);
        recorder.counted(Signal::Events, scope)
    }

    /// Defines a metric stream of a scope (OTel metrics SDK "View": the stream that comes out of one).
    pub fn create_metric_stream(
        &self,
        scope: ScopeRef,
        stream: &MetricStream<'_>,
    ) -> Result<MetricRef, Error> {
        self.define_metric_stream(scope, stream, None)
    }

    /// As [`Self::create_metric_stream`], of a stream with a cardinality limit of its own (OTel "View"): at most so
    /// many series, 2 at least, the overflow series included. [`crate::Config::cardinality_limit`] holds as well.
    pub fn create_limited_metric_stream(
        &self,
        scope: ScopeRef,
        stream: &MetricStream<'_>,
        cardinality_limit: u32,
    ) -> Result<MetricRef, Error> {
        self.define_metric_stream(scope, stream, Some(cardinality_limit))
    }

    fn define_metric_stream(
        &self,
        scope: ScopeRef,
        stream: &MetricStream<'_>,
        cardinality_limit: Option<u32>,
    ) -> Result<MetricRef, Error> {
        let recorder = self.recorder()?;
        let metric = recorder.create_metric_stream(scope, stream, cardinality_limit);
        recorder.counted(Signal::Measurements, metric)
    }

    /// Aggregates a measurement. With the context of a sampled span it is also kept as an exemplar.
    ///
    /// Errors: NaN, an infinity (but for a gauge) or a negative value of a monotonic sum: [`Error::Invalid`].
    pub fn record_measurement(
        &self,
        metric: MetricRef,
        attributes: &dyn Attributes,
        time_unix_nano: u64,
        value: Number,
        context: Option<&SpanContext>,
    ) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let outcome = recorder.record_measurement(metric, attributes, time_unix_nano, value, context);
        recorder.counted(Signal::Measurements, outcome)
    }

    /// Looks a series up once, for [`Self::record_bound`].
    pub fn bind(&self, metric: MetricRef, attributes: &dyn Attributes) -> Result<SeriesRef, Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Measurements, recorder.bind(metric, attributes))
    }

    /// Aggregates a measurement of a bound series.
    #[inline]
    pub fn record_bound(&self, series: SeriesRef, time_unix_nano: u64, value: Number) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let measurement = Measurement { time_unix_nano, value, context: None, is_exemplar: false };
        let outcome = recorder.check_open().and_then(|()| recorder.record_in(series, measurement, &()));
        if outcome.is_ok() && recorder.metrics.is_overflow(series) {
            recorder.count(Signal::Measurements, Counter::CardinalityOverflow, 1);
        }
        recorder.counted(Signal::Measurements, outcome)
    }

    /// Whether a bound series is the overflow series of its stream (OTel "Cardinality limits"), which does not have
    /// the attributes it was bound with.
    pub fn is_overflow(&self, series: SeriesRef) -> bool {
        self.recorder().is_ok_and(|recorder| recorder.metrics.is_overflow(series))
    }

    /// Makes the value of a bound series the total that was observed (OTel "Asynchronous Counter"): what was recorded
    /// of the series before is replaced in one step. Of a series that is also added to, additions made meanwhile
    /// may be lost.
    ///
    /// Totals of a series that were integers and are doubles now are exact to the precision of the larger one.
    ///
    /// Errors: a series of another aggregation than [`crate::Aggregation::Sum`], NaN, an infinity, a negative total
    /// of a monotonic sum: [`Error::Invalid`].
    pub fn record_total(&self, series: SeriesRef, time_unix_nano: u64, total: Number) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let outcome = recorder.record_total(series, time_unix_nano, total);
        if outcome.is_ok() && recorder.metrics.is_overflow(series) {
            recorder.count(Signal::Measurements, Counter::CardinalityOverflow, 1);
        }
        recorder.counted(Signal::Measurements, outcome)
    }

    /// Records an exemplar of a bound series (OTel "Exemplar"), in addition to the measurement itself. Attributes
    /// that the series has are left out of it. Without a context it belongs to no span.
    ///
    /// An exemplar that is lost is no lost measurement: it is counted as [`Counter::ExemplarLost`] alone.
    pub fn record_exemplar(
        &self,
        series: SeriesRef,
        time_unix_nano: u64,
        value: Number,
        context: Option<&SpanContext>,
        attributes: &dyn Attributes,
    ) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let outcome = recorder.record_exemplar(series, time_unix_nano, value, context, attributes);
        outcome.inspect_err(|_| recorder.count(Signal::Measurements, Counter::ExemplarLost, 1))
    }

    /// Records an event: an OTLP log record.
    #[inline]
    pub fn record_event(&self, event: &Event<'_>) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Events, recorder.record_event(event))
    }

    /// Starts a span. It is in the file from now on, and listed as in flight until it ends.
    #[inline]
    pub fn start_span(&self, start: &SpanStart<'_>) -> Result<SpanRef, Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.start_span(start))
    }

    /// Sets attributes of a span in flight; a key that it has gets the new value.
    #[inline]
    pub fn set_attributes(&self, span: SpanRef, attributes: &dyn Attributes) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.set_attributes(span, attributes))
    }

    /// Adds an event to a span in flight.
    pub fn add_event(&self, span: SpanRef, event: &SpanEvent<'_>) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.add_event(span, event))
    }

    /// Adds a link to a span in flight.
    pub fn add_link(&self, span: SpanRef, link: &Link<'_>) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.add_link(span, link))
    }

    /// Sets the status of a span in flight; the last one counts.
    pub fn set_status(&self, span: SpanRef, code: StatusCode, message: &str) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.set_status(span, code, message))
    }

    /// Gives a span in flight another name.
    pub fn update_name(&self, span: SpanRef, name: &str) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.update_name(span, name))
    }

    /// Adds to the counts of attributes, events and links that the caller left out of a span, to its own limits.
    pub fn add_dropped(&self, span: SpanRef, attributes: u32, events: u32, links: u32) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.add_dropped(span, [attributes, events, links]))
    }

    /// Ends a span: its record is in the file when this returns.
    #[inline]
    pub fn end_span(&self, span: SpanRef, end_time_unix_nano: u64) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.end_span(span, end_time_unix_nano))
    }

    /// Starts a span that is found again by its ids: [`Self::find_span`], [`Self::record_span_end`].
    ///
    /// Errors: [`Error::DuplicateSpan`] if a span with these ids is in flight.
    pub fn record_span_start(&self, start: &SpanStart<'_>) -> Result<SpanRef, Error> {
        let recorder = self.recorder()?;
        let ids = SpanIds { trace_id: start.trace_id, span_id: start.span_id };
        // Looked up first, so that a duplicate is not in the file for a moment.
        let is_new = recorder.check_open().and_then(|()| recorder.index.check_new(&ids));
        let started = is_new.and_then(|()| recorder.start_span(start)).and_then(|span| {
            let entered = recorder.index.insert(ids, Indexed { span, scope: start.scope });
            entered.inspect_err(|_| recorder.active.cancel(span)).map(|()| span)
        });
        recorder.counted(Signal::Spans, started)
    }

    /// The span in flight with these ids that [`Self::record_span_start`] started.
    ///
    /// Errors: [`Error::UnknownSpan`]; [`Error::Invalid`] if it was started under another scope.
    pub fn find_span(&self, scope: ScopeRef, trace_id: [u8; 16], span_id: [u8; 8]) -> Result<SpanRef, Error> {
        let recorder = self.recorder()?;
        recorder.counted(Signal::Spans, recorder.index.find(scope, &SpanIds { trace_id, span_id }))
    }

    /// Ends the span with these ids.
    ///
    /// Errors: [`Error::UnknownSpan`]; [`Error::Invalid`] if it was started under another scope.
    pub fn record_span_end(
        &self,
        scope: ScopeRef,
        trace_id: [u8; 16],
        span_id: [u8; 8],
        end_time_unix_nano: u64,
    ) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let ids = SpanIds { trace_id, span_id };
        let found = recorder.check_open().and_then(|()| recorder.index.find(scope, &ids));
        let ended = found.and_then(|span| {
            let ended = recorder.end_span(span, end_time_unix_nano);
            // Its state was busy: it is still in flight, and may be ended again. All lanes were: it is gone.
            if !matches!(ended, Err(Error::Busy)) || !recorder.active.is_live(span) {
                recorder.index.remove(&ids, span);
            }
            ended
        });
        recorder.counted(Signal::Spans, ended)
    }

    /// Counts a loss that the caller found before it called: input that it could not hand over
    /// ([`Counter::Invalid`]).
    pub fn count_invalid(&self, signal: Signal) -> Result<(), Error> {
        let recorder = self.recorder()?;
        recorder.count(signal, Counter::Invalid, 1);
        Ok(())
    }

    /// How often something of a signal was counted, in this process's file.
    pub fn counter(&self, signal: Signal, counter: Counter) -> Result<u64, Error> {
        let recorder = self.recorder()?;
        let section = recorder.layout.section(otlp_mmap_format::SectionKind::Counters, None);
        let word = recorder.storage.mapping().word(section.offset + counter_index(signal, counter) * 8);
        Ok(word.load(Ordering::Relaxed))
    }

    /// Writes everything to the storage device, against a power loss. A killed process loses nothing without it.
    pub fn flush(&self) -> Result<(), Error> {
        let recorder = self.recorder()?;
        let io = |source| Error::Io { what: "write to the device", path: recorder.path.clone(), source };
        recorder.storage.mapping().sync().map_err(io)
    }

    /// Closes the recording: later calls fail with [`Error::Closed`]. Spans in flight stay listed. In a forked
    /// child that has recorded nothing there is nothing to close.
    pub fn close(&self) {
        let recorder = self.shared.current();
        if recorder.is_ours() {
            recorder.close();
        } else {
            self.shared.closed_in.store(fork::token(), Ordering::Relaxed);
        }
    }
}

impl Shared {
    #[inline]
    fn current(&self) -> &Recorder {
        // Acquire pairs with the Release of `open_in_child`: the recorder is whole.
        // SAFETY: the pointer came from `Box::into_raw` and is freed only in `drop`, which nobody else survives.
        unsafe { &*self.recorder.load(Ordering::Acquire) }
    }

    /// Opens the child's own recording; one thread does, others wait for it, bounded.
    #[cold]
    fn open_in_child(&self) -> Result<&Recorder, Error> {
        let token = fork::token();
        for _ in 0..NAPS {
            let parent = self.current();
            if parent.is_ours() {
                return Ok(parent);
            }
            if parent.closed.load(Ordering::Relaxed) || self.closed_in.load(Ordering::Relaxed) == token {
                return Err(Error::Closed);
            }
            if clock::monotonic_nanos() < self.retry_at.load(Ordering::Relaxed) {
                return Err(self.retry_error(parent));
            }
            let opening = self.opening.load(Ordering::Relaxed);
            // A token of another process is the parent's, copied while one of its threads was at it.
            let free = opening != token;
            if free
                && self.opening.compare_exchange(opening, token, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return self.replace(parent);
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Err(Error::Busy)
    }

    /// Why the child has no recording, until it tries again.
    fn retry_error(&self, parent: &Recorder) -> Error {
        match self.retry_reason.load(Ordering::Relaxed) {
            0 => Error::Busy,
            reason => Error::Io {
                what: "create a forked child's recording beside",
                path: parent.path.clone(),
                source: std::io::Error::from_raw_os_error(reason),
            },
        }
    }

    fn replace(&self, parent: &Recorder) -> Result<&Recorder, Error> {
        match Recorder::create(parent.config.clone(), Some(parent)) {
            Ok(recorder) => {
                // The parent's recorder is leaked on purpose: its file and lock are the parent's to close.
                self.recorder.store(Box::into_raw(Box::new(recorder)), Ordering::Release);
            }
            Err(error) => {
                if let Error::Io { source, .. } = &error {
                    self.retry_reason.store(source.raw_os_error().unwrap_or(0), Ordering::Relaxed);
                }
                self.retry_at.store(clock::monotonic_nanos() + RETRY_NANOS, Ordering::Relaxed);
                self.opening.store(0, Ordering::Release);
                return Err(error);
            }
        }
        self.opening.store(0, Ordering::Release);
        Ok(self.current())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let recorder = *self.recorder.get_mut();
        // SAFETY: the pointer came from `Box::into_raw`; `&mut self` says that nobody else uses it.
        let recorder = unsafe { Box::from_raw(recorder) };
        if !recorder.is_ours() {
            // A forked child that recorded nothing: the parent's file is not for it to close.
            std::mem::forget(recorder);
        }
    }
}
