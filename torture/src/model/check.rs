//! Reads the file of a [`Machine`] and compares it with the model.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use otlp_mmap_reader::model::{self, Measurement, Series, Span};
use otlp_mmap_reader::{Counter, Losses, MAX_EXEMPLARS, Recording, Signal, Snapshot};

use super::file::path_of;
use super::input::Policy;
use super::machine::{GivenMeasurement, Machine};
use super::metrics::{aggregation_read, same};
use super::room::Fit;

impl Machine {
    /// Compares everything that is read with everything that was given; gives the losses that were read.
    pub(super) fn check(&mut self) -> Losses {
        let recording = Recording::open(path_of(&self.file)).expect("a whole header");
        let snapshot = recording.snapshot().expect("snapshot has no errors");
        assert_eq!(snapshot.report.faults, []);
        let verified = recording.verify().expect("verify has no errors");
        assert_eq!(verified.faults, []);
        assert_eq!(recording.losses().expect("everything can be read"), snapshot.losses);
        self.check_spans(&snapshot.spans);
        self.check_in_flight(&snapshot);
        self.check_events(&snapshot.events);
        self.check_measurements(&snapshot.measurements);
        self.check_series(&snapshot);
        self.check_counters(&snapshot.losses);
        self.check_present(&snapshot);
        self.check_fill(&recording);
        snapshot.losses
    }

    fn check_spans(&self, found: &[Span]) {
        let given: HashMap<_, _> = self.spans.iter().map(|span| (span.span.span_id, span)).collect();
        for span in found {
            given.get(&span.span_id).unwrap_or_else(|| panic!("invented: {span:?}")).check(span);
        }
        assert!(found.is_sorted_by_key(|span| span.end_time_unix_nano));
        assert_all_differ(found.iter().map(|span| span.span_id));
    }

    /// What spilled before it had a block is not in the file; all else is.
    fn check_in_flight(&self, snapshot: &Snapshot) {
        let found = &snapshot.spans_in_flight;
        let given: HashMap<_, _> = self.live.iter().map(|span| (span.span.span_id, span)).collect();
        for span in found {
            given
                .get(&span.span_id)
                .unwrap_or_else(|| panic!("not in flight: {span:?}"))
                .check_in_flight(span);
        }
        assert_all_differ(found.iter().map(|span| span.span_id));
        let spilled = snapshot.losses.signal(Signal::Spans).counter(Counter::Spilled);
        let missing = (self.live.len() - found.len()) as u64;
        let partly = found.iter().filter(|span| span.spilled).count() as u64;
        assert!(missing + partly <= spilled, "{missing} missing, {partly} in part, {spilled} spilled");
    }

    fn check_events(&self, found: &[model::Event]) {
        let given: HashMap<_, _> =
            self.events.iter().map(|event| (event.event.observed_time_unix_nano, event)).collect();
        for event in found {
            let one = given.get(&event.observed_time_unix_nano);
            one.unwrap_or_else(|| panic!("invented: {event:?}")).check(event);
        }
        assert_all_differ(found.iter().map(|event| event.observed_time_unix_nano));
    }

    fn check_measurements(&self, found: &[Measurement]) {
        let given: HashMap<_, _> = self.measurements.iter().map(|one| (one.time, one)).collect();
        for measurement in found {
            let one = given.get(&measurement.time_unix_nano);
            self.check_measurement(one.unwrap_or_else(|| panic!("invented: {measurement:?}")), measurement);
        }
        assert_all_differ(found.iter().map(|one| one.time_unix_nano));
    }

    fn check_measurement(&self, given: &GivenMeasurement, found: &Measurement) {
        let (stream, series) = given.place;
        let stream = &self.metrics.streams[stream];
        let series = match series {
            Some(series) => &stream.series[series],
            None => stream.overflow.as_ref().expect("it was measured"),
        };
        assert_eq!(found.series.0, stream.metric.raw());
        assert_eq!(*found.series_attributes, series.attributes);
        assert!(same(found.value, given.value), "{:?}, given {:?}", found.value, given.value);
        let ids = given.context.map_or(([0; 16], [0; 8]), |context| (context.trace_id, context.span_id));
        assert_eq!((found.trace_id, found.span_id, found.raw), (ids.0, ids.1, given.raw));
        assert_eq!(found.filtered_attributes, given.filtered);
    }

    fn check_series(&self, snapshot: &Snapshot) {
        let mut expected = 0;
        for stream in &self.metrics.streams {
            let all = stream.series.iter().map(|series| (series, false));
            let all = all.chain(stream.overflow.iter().map(|series| (series, true)));
            // A series that was never measured is not reported.
            for (series, overflow) in all.filter(|(series, _)| !series.measured.is_empty()) {
                expected += 1;
                let is_it = |found: &&Series| {
                    found.series.0 == stream.metric.raw()
                        && found.overflow == overflow
                        && *found.attributes == series.attributes
                };
                let found = snapshot.series.iter().find(is_it).expect("a series that was measured");
                series.check(stream.kind, found);
                self.check_stream(stream.scope, stream.kind, &found.stream);
                check_exemplars(found, &snapshot.measurements);
            }
        }
        assert_eq!(snapshot.series.len(), expected);
    }

    fn check_stream(&self, scope: usize, kind: usize, found: &model::MetricStream) {
        let expected = model::MetricStream {
            scope: self.scopes[scope].1.clone(),
            name: format!("metric {kind}").into(),
            description: "".into(),
            unit: "1".into(),
            aggregation: aggregation_read(kind),
        };
        assert_eq!(*found, expected);
    }

    /// Refused calls are counted by signal and reason, exactly.
    fn check_counters(&self, losses: &Losses) {
        for ((signal, _), refused) in Signal::ALL.iter().zip(&self.refused) {
            let found = losses.signal(*signal);
            for &(counter, _) in Counter::ALL {
                if counter.is_loss() || counter == Counter::ExemplarLost {
                    assert_eq!(found.counter(counter), refused[counter as usize], "{signal:?} {counter:?}");
                }
            }
        }
        let overflowed = losses.signal(Signal::Measurements).counter(Counter::CardinalityOverflow);
        let series = self.metrics.streams.iter().filter_map(|stream| stream.overflow.as_ref());
        assert_eq!(overflowed, series.map(|series| series.measured.len() as u64).sum::<u64>());
        let fits = [
            (Signal::Spans, self.spans.iter().map(|span| span.content.fit()).collect::<Vec<_>>()),
            (Signal::Events, self.events.iter().map(|event| event.fit).collect()),
        ];
        for (signal, fits) in fits {
            let cut = fits.iter().filter(|fit| **fit == Fit::Cut).count() as u64;
            let unknown = fits.iter().filter(|fit| **fit == Fit::Unknown).count() as u64;
            let found = losses.signal(signal).counter(Counter::Truncated);
            assert!(
                (cut..=cut + unknown).contains(&found),
                "{found} of {signal:?} truncated, {cut} expected"
            );
        }
    }

    /// What is not there was overwritten, was counted, and was the oldest.
    fn check_present(&mut self, snapshot: &Snapshot) {
        let mut present: [Vec<u64>; 3] = [
            snapshot.spans.iter().map(|span| u64::from_be_bytes(span.span_id)).collect(),
            snapshot.events.iter().map(|event| event.observed_time_unix_nano).collect(),
            snapshot.measurements.iter().map(|measurement| measurement.time_unix_nano).collect(),
        ];
        self.watcher.poll(&self.published);
        for (number, (signal, _)) in Signal::ALL.iter().enumerate() {
            let (given, present) = (self.published.ids(*signal), &mut present[number]);
            let losses = snapshot.losses.signal(*signal);
            assert_eq!(losses.recorded, given.len() as u64, "recorded {signal:?}");
            let delivered = self.exporter.iter().flat_map(|(_, watcher)| &watcher.seen[number]);
            let known: HashSet<u64> = delivered.chain(&*present).copied().collect();
            assert_eq!(losses.overwritten, (given.len() - known.len()) as u64, "overwritten {signal:?}");
            let (seen, missed) = (self.watcher.seen[number].len() as u64, self.watcher.missed[number]);
            assert_eq!(seen + missed, losses.recorded, "seen and missed {signal:?}");
            match self.policy {
                Policy::Overwrite => {
                    self.published.sort(*signal, present);
                    assert!(given.ends_with(present), "not the newest {signal:?}: {present:?} of {given:?}");
                    assert_eq!(given.is_empty(), present.is_empty());
                }
                Policy::Discard | Policy::Block => assert_eq!(losses.overwritten, 0),
            }
        }
    }

    fn check_fill(&self, recording: &Recording) {
        let fill = recording.fill().expect("everything can be read");
        assert_eq!(fill.cells.used, self.metrics.used);
        if let Some(used) = self.dictionary.used() {
            assert_eq!(fill.dictionary.used, used);
        }
        if self.live.is_empty() {
            assert_eq!(fill.active_blocks.used, 0);
        }
    }
}

fn check_exemplars(series: &Series, measurements: &[Measurement]) {
    let own = measurements.iter().filter(|one| !one.raw && one.series == series.series);
    let times: Vec<u64> = own.map(|one| one.time_unix_nano).collect();
    let latest = &times[times.len().saturating_sub(MAX_EXEMPLARS)..];
    let found: Vec<u64> = series.exemplars.iter().map(|one| one.time_unix_nano).collect();
    assert_eq!(found, latest);
}

fn assert_all_differ<T: Eq + Hash>(ids: impl Iterator<Item = T>) {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        assert!(seen.insert(id), "found twice");
    }
}
