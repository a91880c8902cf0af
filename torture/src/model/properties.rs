//! Random programs against the model. What fails is shrunk to few calls; `PROPTEST_CASES` makes more of them.

use otlp_mmap_reader::{Counter, Losses, Signal};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::strategy::{anything, definitions, events, metrics, programs, spans};
use super::{Program, run, run_to_the_end};

fn cases(number: u32) -> ProptestConfig {
    // The environment's number counts where it is set.
    let given = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: given.unwrap_or(number), max_shrink_iters: 4096, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_is_recorded_is_read(program in programs(anything(), 80)) {
        run(&program);
    }

    #[test]
    fn spans_are_what_was_done_to_them(program in programs(spans(), 80)) {
        run(&program);
    }

    #[test]
    fn pools_overwrite_discard_and_deliver(program in programs(prop_oneof![4 => events(), 1 => spans()].boxed(), 60)) {
        run(&program);
    }

    #[test]
    fn series_are_sums_of_their_measurements(
        program in programs(prop_oneof![8 => metrics(), 1 => definitions()].boxed(), 100),
    ) {
        run(&program);
    }
}

/// What the properties say is worth something only if programs get to where it is hard.
#[test]
fn programs_reach_every_limit() {
    let mut runner = TestRunner::deterministic();
    let mut any =
        |strategy: BoxedStrategy<Program>| strategy.new_tree(&mut runner).expect("a program").current();
    let losses: Vec<Losses> = (0..48)
        .map(|number| match number % 4 {
            0 => any(programs(anything(), 80)),
            1 => any(programs(spans(), 80)),
            2 => any(programs(events(), 60)),
            _ => any(programs(metrics(), 100)),
        })
        .map(|program| run_to_the_end(&program))
        .collect();
    let times = |of: &dyn Fn(&Losses) -> u64| losses.iter().filter(|losses| of(losses) > 0).count();
    let mut missed = false;
    for (signal, counter) in [
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
    ] {
        let reached = times(&|losses| losses.signal(signal).counter(counter));
        println!("{signal:?} {counter:?}: {reached} programs");
        missed |= reached == 0;
    }
    for &(signal, _) in Signal::ALL {
        let reached = times(&|losses| losses.signal(signal).overwritten);
        println!("{signal:?} overwritten: {reached} programs");
        missed |= reached == 0;
    }
    assert!(!missed);
}
