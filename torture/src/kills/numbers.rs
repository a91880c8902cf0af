//! Numbers: which records of which thread were seen, a bit for each.

use super::content::Made;
use super::ledger::SLOTS;
use super::round::{LIMIT, WORDS};

/// Sets of numbers by signal (spans, events, measurements) and thread.
#[derive(Debug)]
pub(super) struct Numbers {
    bits: Vec<u64>,
    counts: [u64; 3],
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self { bits: vec![0; 3 * SLOTS * WORDS], counts: [0; 3] }
    }

    /// Adds a number; `false`: it is there already, or too large to exist.
    pub(super) fn insert(&mut self, signal: usize, made: Made) -> bool {
        let Some(word) = place(signal, made).and_then(|place| self.bits.get_mut(place)) else { return false };
        let bit = 1 << (made.1 % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.counts[signal] += u64::from(is_new);
        is_new
    }

    /// How many numbers of a signal there are.
    pub(super) fn count(&self, signal: usize) -> u64 {
        self.counts[signal]
    }

    /// Every number, with its signal.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Made)> + '_ {
        self.bits.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(|(at, &word)| {
            let (row, first) = (at / WORDS, (at % WORDS) as u64 * 64);
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| (row / SLOTS, (row % SLOTS, first + bit)))
        })
    }

    pub(super) fn contains(&self, signal: usize, made: Made) -> bool {
        let word = place(signal, made).and_then(|place| self.bits.get(place));
        word.is_some_and(|word| word >> (made.1 % 64) & 1 == 1)
    }
}

fn place(signal: usize, (slot, number): Made) -> Option<usize> {
    (slot < SLOTS && number < LIMIT)
        .then(|| (signal * SLOTS + slot) * WORDS + usize::try_from(number / 64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn a_number_is_new_once() {
        let mut numbers = Numbers::new();
        assert!(numbers.insert(2, (16, 8191)) && numbers.insert(0, (3, 64)));
        assert!(
            !numbers.insert(2, (16, 8191)) && !numbers.insert(0, (17, 0)) && !numbers.insert(0, (0, 8192))
        );
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [(0, (3, 64)), (2, (16, 8191))]);
        assert!(numbers.contains(0, (3, 64)) && !numbers.contains(0, (3, 65)));
        assert_eq!([0, 1, 2].map(|signal| numbers.count(signal)), [1, 0, 1]);
    }
}
