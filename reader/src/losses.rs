//! What a recording lost, and how full it is (SPEC "Counters", "Segment table").

use otlp_mmap_format::{Counter, Signal};

/// Exact losses of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Losses {
    /// Spans, events, measurements, in this order.
    pub signals: [SignalLosses; 3],
}

/// Losses of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalLosses {
    /// The signal.
    pub signal: Signal,
    /// Records ever published, those that were overwritten since included.
    pub recorded: u64,
    /// Records overwritten before an exporter acknowledged them.
    pub overwritten: u64,
    /// Every counter with its value, in the order of [`Counter::ALL`].
    pub counters: Vec<(Counter, u64)>,
}

impl Losses {
    /// The losses of `signal`.
    pub fn signal(&self, signal: Signal) -> &SignalLosses {
        let [spans, events, measurements] = &self.signals;
        match signal {
            Signal::Spans => spans,
            Signal::Events => events,
            Signal::Measurements => measurements,
        }
    }

    /// Every counter of every signal.
    pub fn counters(&self) -> impl Iterator<Item = (Signal, Counter, u64)> + '_ {
        self.signals
            .iter()
            .flat_map(|s| s.counters.iter().map(|&(counter, value)| (s.signal, counter, value)))
    }
}

impl SignalLosses {
    /// The value of `counter`.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters.iter().find(|(c, _)| *c == counter).map_or(0, |&(_, value)| value)
    }

    /// Everything of this signal that is in no file: overwritten, and refused for any reason.
    pub fn lost(&self) -> u64 {
        let refused = self.counters.iter().filter(|(c, _)| c.is_loss()).map(|&(_, value)| value);
        refused.fold(self.overwritten, u64::saturating_add)
    }
}

/// How full a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Spans, events, measurements, in this order.
    pub pools: [PoolFill; 3],
    /// Dictionary, in bytes.
    pub dictionary: Usage,
    /// Blocks of spans in flight.
    pub active_blocks: Usage,
    /// Metric cells, in bytes.
    pub cells: Usage,
    /// Bytes of the file for which the file system gave room, as the writer noted.
    pub backed_bytes: u64,
}

/// How full the segments of one signal are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFill {
    /// The signal.
    pub signal: Signal,
    /// Segments that hold, or held, records.
    pub segments: Usage,
    /// Bytes of records present.
    pub bytes: Usage,
}

/// So much of so much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In use.
    pub used: u64,
    /// Room there is.
    pub total: u64,
}
