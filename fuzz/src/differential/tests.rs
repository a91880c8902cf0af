//! The differential without a fuzzer: every golden recording, and some hundred with damage.

use super::*;

/// Edits from a small generator: the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..64).flat_map(|_| self.next().to_le_bytes()).collect()
    }

    fn edits(&mut self) -> Vec<Edit> {
        let bytes = self.bytes();
        let mut input = arbitrary::Unstructured::new(&bytes);
        (0..=self.next() % 4).map(|_| Edit::arbitrary(&mut input).expect("enough bytes")).collect()
    }
}

/// How a file may lie before its reader.
fn states() -> impl Iterator<Item = (bool, Option<bool>)> {
    [false, true]
        .into_iter()
        .flat_map(|same_boot| [None, Some(true), Some(false)].map(|closed| (same_boot, closed)))
}

fn damaged(golden: usize, state: (bool, Option<bool>), repair: bool, edits: Vec<Edit>) -> Damaged {
    let (same_boot, closed) = state;
    Damaged { golden: u8::try_from(golden).expect("few"), same_boot, closed, repair, edits }
}

#[test]
fn both_readers_find_the_same_in_every_golden_recording() {
    assert!(golden().len() >= 10);
    for number in 0..golden().len() {
        for state in states() {
            let damaged = damaged(number, state, false, vec![]);
            assert!(super::rust::read(&damaged.image()).is_some(), "{} is read", golden()[number].name);
            run(&damaged);
        }
    }
}

#[test]
fn both_readers_find_the_same_in_damaged_recordings() {
    // More of them, or others, on request.
    let wanted = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let mut numbers = Numbers(wanted("DIFFERENTIAL_SEED").unwrap_or(1));
    let count = wanted("DIFFERENTIAL_INPUTS").unwrap_or(400);
    for number in (0..usize::MAX).take(usize::try_from(count).expect("a number of inputs")) {
        let state = states().nth(number % 6).expect("six");
        run(&damaged(number % golden().len(), state, number % 3 == 0, numbers.edits()));
    }
}

#[test]
fn both_readers_find_the_same_in_cut_recordings() {
    let mut numbers = Numbers(2);
    for number in 0..60 {
        let state = states().nth(number % 6).expect("six");
        run(&damaged(number % golden().len(), state, false, vec![Edit::Cut { at: numbers.next() }]));
    }
}

#[test]
fn a_difference_is_noticed() {
    let image = damaged(1, (false, None), false, vec![]).image();
    let mut second = SecondReader::ask(&image).expect("a recording");
    let first = super::rust::read(&image).expect("a recording");
    first.assert_same(&second);
    second["faults"][0][0] = serde_json::json!(8);
    let other_fault = std::panic::catch_unwind(|| first.assert_same(&second));
    let mut second = SecondReader::ask(&image).expect("a recording");
    second["records"][0]["truncated"] = serde_json::json!("changed");
    let other_record = std::panic::catch_unwind(|| first.assert_same(&second));
    assert!(other_fault.is_err() && other_record.is_err());
}
