//! Random programs against the model. What fails is shrunk to few calls; `PROPTEST_CASES` makes more of them.

use otlp_mmap_reader::{Counter, Signal};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::strategy::{anything, definitions, events, metrics, programs, spans};
use super::{run, run_to_the_end};

fn cases(number: u32) -> ProptestConfig {
    // The environment's number counts where it is set.
    let given = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: given.unwrap_or(number), max_shrink_iters: 4096, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn whatever_is_recorded_is_read(program in programs(anything(), 80)) {
        run(&program);
    }

    #[test]
    fn spans_are_what_was_done_to_them(program in programs(spans(), 80)) {
        run(&program);
    }

    #[test]
    fn series_are_sums_of_their_measurements(
        program in programs(prop_oneof![8 => metrics(), 1 => definitions()].boxed(), 100),
    ) {
        run(&program);
    }
}

proptest! {
    // Each makes thousands of records.
    #![proptest_config(cases(24))]

    #[test]
    fn pools_overwrite_discard_and_deliver(program in programs(prop_oneof![4 => events(), 1 => spans()].boxed(), 60)) {
        run(&program);
    }
}

/// Limits that programs must get to.
const LIMITS: [(Signal, Counter); 17] = [
    (Signal::Spans, Counter::Discarded),
    (Signal::Spans, Counter::BlockTimeout),
    (Signal::Spans, Counter::Invalid),
    (Signal::Spans, Counter::Truncated),
    (Signal::Spans, Counter::Spilled),
    (Signal::Spans, Counter::DictionaryFull),
    (Signal::Events, Counter::Discarded),
    (Signal::Events, Counter::BlockTimeout),
    (Signal::Events, Counter::Invalid),
    (Signal::Events, Counter::Truncated),
    (Signal::Events, Counter::DictionaryFull),
    (Signal::Events, Counter::DefinitionLost),
    (Signal::Measurements, Counter::Invalid),
    (Signal::Measurements, Counter::CellsFull),
    (Signal::Measurements, Counter::CardinalityOverflow),
    (Signal::Measurements, Counter::DefinitionLost),
    (Signal::Measurements, Counter::ExemplarLost),
];

/// What the properties say is worth something only if programs get to where it is hard: each limit is reached within
/// as many programs as the properties run, with some to spare.
#[test]
fn programs_reach_every_limit() {
    let mut runner = TestRunner::deterministic();
    let strategies = [
        programs(anything(), 80),
        programs(spans(), 80),
        programs(prop_oneof![4 => events(), 1 => spans()].boxed(), 60),
        programs(metrics(), 100),
    ];
    let mut missing: Vec<(Signal, Option<Counter>)> =
        LIMITS.iter().map(|&(signal, counter)| (signal, Some(counter))).collect();
    missing.extend(Signal::ALL.iter().map(|&(signal, _)| (signal, None)));
    for strategy in strategies.iter().cycle().take(160) {
        let program = strategy.new_tree(&mut runner).expect("a program").current();
        let losses = run_to_the_end(&program);
        missing.retain(|&(signal, counter)| {
            let losses = losses.signal(signal);
            counter.map_or(losses.overwritten, |counter| losses.counter(counter)) == 0
        });
        if missing.is_empty() {
            return;
        }
    }
    panic!("never reached (no counter: overwritten): {missing:?}");
}
