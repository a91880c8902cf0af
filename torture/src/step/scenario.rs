//! The scenarios: what is set up at full speed, and which calls are then stepped through.

mod metrics;
mod records;
mod spans;

use crate::step::call::{Call, EventCall, Named, Outcome, Step, attribute, text};
use otlp_mmap_reader::model::{Aggregation, KeyValue, Value};
use otlp_mmap_writer::Config;

/// A run of a process, from the creation of its recording to its death.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) configure: fn(&mut Config),
    /// Makes everything ready, at full speed.
    setup: Vec<Step>,
    /// What is looked at after each instruction.
    stepped: Vec<Step>,
    /// As on a file system that has no `O_TMPFILE`.
    pub(crate) without_unnamed_files: bool,
    /// It breaks a promise, so that a test can see that this is noticed.
    pub(crate) is_broken: bool,
}

impl Scenario {
    fn new(name: &'static str, setup: Vec<Step>, stepped: Vec<Step>) -> Self {
        Self { name, configure: small, setup, stepped, without_unnamed_files: false, is_broken: false }
    }

    fn configured(self, configure: fn(&mut Config)) -> Self {
        Self { configure, ..self }
    }

    /// Every call, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.setup.iter().chain(&self.stepped)
    }

    /// Whether the call with this number is stepped through.
    pub(crate) fn is_stepped(&self, number: usize) -> bool {
        number >= self.setup.len()
    }
}

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let all = [creation(), records::scenarios(), spans::scenarios(), metrics::scenarios(), broken()];
    all.into_iter().flatten().collect()
}

/// The smallest file there is: what is looked at so often must be short. One lane for each signal.
fn small(config: &mut Config) {
    config.segment_size = 4096;
    (config.span_segments, config.event_segments, config.measurement_segments) = (3, 3, 3);
    config.active_blocks = 16;
    (config.cells_size, config.dictionary_size) = (64 << 10, 64 << 10);
}

fn creation() -> Vec<Scenario> {
    let parent = vec![
        Call::Stream("orders", SUM).into(),
        Call::Intern("interned by the parent".to_owned()).into(),
        event("of the parent", 1),
        measure(0, &[("key", text("value"))], 1),
        Call::Fork.into(),
    ];
    let child = vec![
        Call::Event(Box::new(EventCall { name: Some(Named::Interned(0)), ..EventCall::default() })).into(),
        measure(0, &[("key", text("value"))], 7),
        Call::Intern("interned by the child".to_owned()).into(),
        start(1, "of the child"),
        end(1),
    ];
    vec![
        Scenario::new("create a file", vec![], vec![Call::Create.into()]),
        Scenario {
            without_unnamed_files: true,
            ..Scenario::new("create a file under a temporary name", vec![], vec![Call::Create.into()])
        },
        Scenario::new("first calls of a forked child", ready(parent), child),
    ]
}

fn broken() -> Vec<Scenario> {
    let scenario = |name, call: Call| Scenario {
        is_broken: true,
        ..Scenario::new(name, ready(vec![event("whole", 100)]), vec![call.into()])
    };
    vec![
        scenario("broken: a byte of a record changes", Call::Damage),
        scenario("broken: an event is lost", Call::Pretend(Box::new(filled_event("lost", 1)))),
    ]
}

const SUM: Aggregation = Aggregation::Sum { temporality: 2, is_monotonic: true };

/// A recording with a resource and a scope, and then more.
fn ready(more: Vec<Step>) -> Vec<Step> {
    // A reader adds the instance id to a resource without.
    let service =
        vec![attribute("service.name", text("stepped")), attribute("service.instance.id", text("1"))];
    let mut steps: Vec<Step> = vec![
        Call::Create.into(),
        Call::Resource(service).into(),
        Call::Scope(0, "scope", vec![attribute("of", text("scope"))]).into(),
    ];
    steps.extend(more);
    steps
}

/// An event with a value of so many bytes.
fn event(name: &'static str, bytes: usize) -> Step {
    Call::Event(Box::new(filled_event(name, bytes))).into()
}

fn refused_event(outcome: Outcome) -> Step {
    Call::Event(Box::new(filled_event("refused", 1_000))).ends(outcome)
}

fn filled_event(name: &'static str, bytes: usize) -> EventCall {
    let attributes = vec![attribute("value", text(&"v".repeat(bytes)))];
    EventCall { name: Some(Named::Inline(name)), attributes, ..EventCall::default() }
}

fn start(span: u8, name: &'static str) -> Step {
    start_with(span, name, vec![attribute("key", Value::Int(span.into()))])
}

fn start_with(span: u8, name: &'static str, attributes: Vec<KeyValue>) -> Step {
    Call::Start { span, name: Named::Inline(name), attributes, by_ids: false }.into()
}

fn end(span: u8) -> Step {
    Call::End { span, by_ids: false }.into()
}

fn measure(stream: usize, attributes: &[(&str, Value)], value: i64) -> Step {
    let attributes = attributes.iter().map(|(key, value)| attribute(key, value.clone())).collect();
    let value = otlp_mmap_reader::model::Number::Int(value);
    Call::Measure { stream, attributes, value, sampled: false }.into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = super::all().iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
