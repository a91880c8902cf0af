//! Round: what one kill is like, all of it drawn from the seed and the number of the kill.
//!
//! Where exactly the kill strikes is up to the scheduler: a repeated round has the same plan, not the same instant.

use otlp_mmap_writer::{Config, Overflow};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Most threads of the killed process.
pub(super) const MAX_THREADS: usize = 16;
/// Numbers that a thread gives to calls of one kind.
pub(super) const LIMIT: u64 = WORDS as u64 * 64;
/// Words of a bitmap with a bit for each of them.
pub(super) const WORDS: usize = 128;
/// The policies, in the order in which rounds take turns.
pub(super) const POLICIES: [Policy; 3] = [Policy::OverwriteOldest, Policy::DiscardNewest, Policy::Block];

/// What happens when every segment is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    OverwriteOldest,
    DiscardNewest,
    Block,
}

/// When the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long after it was forked: while it creates its file, mostly.
    AfterFork(Duration),
    /// So long after so many of its threads had begun to record.
    AfterBegin(Duration, u64),
}

/// What becomes of the process before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing.
    Never,
    /// It is stopped, looked at, and killed.
    Kill,
    /// It is stopped, looked at, goes on, and is killed.
    Resume,
}

/// The exporter-like consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exporting {
    /// Attached from the first chance to the end.
    Steady,
    /// Lets go, and attaches again, now and then.
    Restarting,
    /// A process that is killed while it exports; then another one takes over.
    Killed,
}

/// The plan of one kill.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) policy: Policy,
    pub(super) threads: usize,
    pub(super) segments: u32,
    pub(super) active_blocks: u32,
    /// Strings come so often and so long that the dictionary runs full.
    pub(super) many_names: bool,
    /// The threads wait until the consumers are attached.
    pub(super) waits: bool,
    /// A thread forks a process that records, too.
    pub(super) forks: bool,
    /// A thread closes the recording after so many calls.
    pub(super) closes_after: Option<u64>,
    pub(super) moment: Moment,
    pub(super) stop: Stop,
    pub(super) exporting: Exporting,
    /// Between two looks of the consumers, at most.
    pub(super) look_every: Duration,
    /// The process it forked is killed after it, and not with it.
    pub(super) spares_forked: bool,
}

impl Round {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed ^ mix(number));
        let policy = POLICIES[random_turn(number, 3)];
        let threads = random_turn(number / 3, MAX_THREADS) + 1;
        let exporting = match random.below(10) {
            0 => Exporting::Killed,
            1..4 => Exporting::Restarting,
            _ => Exporting::Steady,
        };
        Self {
            number,
            seed: random.next(),
            policy,
            threads,
            segments: [2, 4, 4, 8, 8, 16, 32][random.index(7)],
            active_blocks: if random.below(8) == 0 { 16 } else { 1024 },
            many_names: random.below(16) == 0,
            waits: random.below(4) < if policy == Policy::Block { 3 } else { 2 },
            forks: random.below(24) == 0,
            closes_after: (random.below(24) == 0).then(|| random.below(1500)),
            moment: moment(&mut random, threads as u64),
            stop: match random.below(20) {
                0 => Stop::Kill,
                1 => Stop::Resume,
                _ => Stop::Never,
            },
            exporting,
            look_every: Duration::from_micros([60, 200, 500, 1000][random.index(4)]),
            spares_forked: random.below(2) == 0,
        }
    }

    /// The writer's configuration: a small file, so that segments are recycled all the time.
    pub(super) fn config(&self, path: &Path) -> Config {
        let mut config = Config::new(path);
        config.segment_size = 4096;
        config.span_segments = self.segments;
        config.event_segments = self.segments;
        config.measurement_segments = self.segments;
        config.active_blocks = self.active_blocks;
        config.cells_size = 64 << 10;
        config.dictionary_size = 64 << 10;
        config.overflow = match self.policy {
            Policy::OverwriteOldest => Overflow::OverwriteOldest,
            Policy::DiscardNewest => Overflow::DiscardNewest,
            // Longer than any round: a call that waits ends with a free segment or with the process.
            Policy::Block => Overflow::Block { timeout: Duration::from_mins(2) },
        };
        config
    }

    /// Whether nothing at all may be refused for want of room: somebody exports from the first record on.
    pub(super) fn keeps_everything(&self) -> bool {
        self.policy == Policy::Block && self.waits && self.exporting == Exporting::Steady
    }

    /// Random numbers for the part `part` of the round.
    pub(super) fn random(&self, part: u64) -> Random {
        Random::new(self.seed ^ mix(part))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kill {} ({:?}, {} threads, ", self.number, self.policy, self.threads)?;
        write!(f, "{} segments, {:?}, {:?}, ", self.segments, self.moment, self.stop)?;
        write!(f, "{:?}, waits {}, forks {}, ", self.exporting, self.waits, self.forks)?;
        write!(f, "closes after {:?}, {} blocks)", self.closes_after, self.active_blocks)
    }
}

fn moment(random: &mut Random, threads: u64) -> Moment {
    match random.below(20) {
        0..3 => Moment::AfterFork(Duration::from_micros(random.below(800))),
        3 => Moment::AfterBegin(Duration::from_micros(random.below(10_000)), threads),
        _ => Moment::AfterBegin(Duration::from_micros(random.below(2_000)), 1 + random.below(threads)),
    }
}

fn random_turn(number: u64, turns: usize) -> usize {
    usize::try_from(number % turns as u64).unwrap_or(0)
}

/// Numbers that look random and are the same for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

/// Spreads a number over all 64 bits.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
