//! What a recording lost, and how full it is (SPEC "Counters", "Segment table").

use otlp_mmap_format::{COUNTER_SLOTS, Committed, Counter, Signal, counter_index};

use crate::active::{self, Head};
use crate::header::Pool;
use crate::pool::{Cursor, Mode, SegmentReader, of_generation, present_generation, read_table};
use crate::recording::Inner;
use crate::source::or_fault;
use crate::{Error, Report, Rule, cells, dictionary};

/// How often counters that change while they are read are read again.
const MAX_TRIES: usize = 8;

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
    /// Counters that a later version added and that are not 0, by their number. What they count is not known.
    pub unknown: Vec<(u32, u64)>,
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

/// Reads every counter and base word; what cannot be read counts as 0 and is a fault.
pub(crate) fn losses(inner: &Inner, report: &mut Report) -> Losses {
    let mode = inner.mode();
    count(inner, report, |pool, faults| records(inner, pool, mode, faults))
}

/// As [`losses`], with the records that were published as far as `cursors` have read; or an error if they are not
/// exact.
pub(crate) fn losses_as_read(inner: &Inner, cursors: &[Vec<Cursor>; 3]) -> Result<Losses, Error> {
    let mut report = Report::default();
    let mut cursors = cursors.iter();
    let losses = count(inner, &mut report, |pool, faults| {
        let (mut recorded, mut gone) = (0_u64, 0_u64);
        for (slot, cursor) in (0..).zip(cursors.next().into_iter().flatten()) {
            recorded = recorded.saturating_add(cursor.accounted());
            gone = gone.saturating_add(overwritten(inner.segment(pool, slot), faults));
        }
        (recorded, gone)
    });
    exact(losses, report)
}

/// The counters, and what `records` says of each pool: records published, and those overwritten.
fn count(
    inner: &Inner,
    report: &mut Report,
    mut records: impl FnMut(&Pool, &mut Report) -> (u64, u64),
) -> Losses {
    let counters = counters(inner, report);
    // Faults of records belong to those who read records.
    let mut faults = Report::default();
    let signals = inner.header.pools.each_ref().map(|pool| {
        let (recorded, overwritten) = records(pool, &mut faults);
        let of = |counter: Counter| counters.get(counter_index(pool.signal, counter)).copied().unwrap_or(0);
        let unknown = unknown(&counters, pool.signal);
        let counters = Counter::ALL.iter().map(|&(counter, _)| (counter, of(counter))).collect();
        SignalLosses { signal: pool.signal, recorded, overwritten, counters, unknown }
    });
    for fault in faults.faults.into_iter().filter(|fault| fault.rule == Rule::Unreadable) {
        report.fault(fault.offset, fault.rule, || fault.detail);
    }
    Losses { signals }
}

/// The counters of a signal that have no name here and are not 0.
fn unknown(counters: &[u64], signal: Signal) -> Vec<(u32, u64)> {
    let of_signal = Signal::ALL.iter().zip(counters.chunks(COUNTER_SLOTS)).find(|((of, _), _)| *of == signal);
    let numbered = (0..).zip(of_signal.map_or(&[][..], |(_, counters)| counters).iter().copied());
    numbered.filter(|(code, value)| *value != 0 && Counter::from_code(*code).is_none()).collect()
}

/// As [`losses`], or an error if they are not exact.
pub(crate) fn exact_losses(inner: &Inner) -> Result<Losses, Error> {
    let mut report = Report::default();
    let losses = losses(inner, &mut report);
    exact(losses, report)
}

fn exact(losses: Losses, report: Report) -> Result<Losses, Error> {
    match report.faults.into_iter().next() {
        None => Ok(losses),
        Some(fault) => Err(Error::Incomplete { fault }),
    }
}

/// Every counter that the file holds; those behind its end are a fault.
pub(crate) fn counters(inner: &Inner, report: &mut Report) -> Vec<u64> {
    let (at, wanted) = (inner.header.counters.offset, Signal::ALL.len() * COUNTER_SLOTS);
    let counters = or_fault(stable_counters(inner, wanted), at, report).unwrap_or_default();
    if counters.len() < wanted {
        report.fault(at, Rule::Unreadable, || format!("{} of {wanted} counters can be read", counters.len()));
    }
    counters
}

/// The counters, read until two readings agree.
fn stable_counters(inner: &Inner, wanted: usize) -> Result<Vec<u64>, Error> {
    let read = || inner.source.up_to(inner.header.counters.offset, wanted * size_of::<u64>());
    let mut bytes = read()?;
    for _ in 0..MAX_TRIES {
        let again = read()?;
        let same = again == bytes;
        bytes = again;
        if same {
            break;
        }
    }
    let (words, _) = bytes.as_chunks::<8>();
    Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

/// Records ever published into a pool, and those overwritten.
fn records(inner: &Inner, pool: &Pool, mode: Mode, report: &mut Report) -> (u64, u64) {
    let (mut recorded, mut gone) = (0_u64, 0_u64);
    for slot in 0..pool.segments.entry_count {
        let (mut cursor, reader) = (Cursor::default(), inner.segment(pool, slot));
        reader.read_new(&mut cursor, mode, false, &mut 0, report);
        recorded = recorded.saturating_add(cursor.accounted());
        gone = gone.saturating_add(overwritten(reader, report));
    }
    (recorded, gone)
}

/// Records of a segment that were overwritten.
fn overwritten(reader: SegmentReader<'_>, report: &mut Report) -> u64 {
    let entry = reader.stable_entry(report);
    entry.and_then(|entry| of_generation(entry.base_overwritten, present_generation(&entry)?)).unwrap_or(0)
}

/// Reads how full every part is.
pub(crate) fn fill(inner: &Inner) -> Result<Fill, Error> {
    let mut report = Report::default();
    let (source, header) = (&inner.source, &inner.header);
    let dictionary = dictionary::published(&header.dictionary, source, &mut report)?;
    let cells = cells::published(&header.metric_cells, source, &mut report)?;
    let heads = active::heads(source, &header.active_spans, &mut report);
    let blocks = heads.iter().map(Head::blocks).fold(0, u64::saturating_add);
    let total = u64::from(header.active_spans.entry_count);
    Ok(Fill {
        pools: header.pools.each_ref().map(|pool| pool_fill(inner, pool, &mut report)),
        dictionary: Usage {
            used: dictionary.unwrap_or(header.dictionary.length),
            total: header.dictionary.length,
        },
        active_blocks: Usage { used: blocks.min(total), total },
        cells: Usage { used: cells.unwrap_or(header.metric_cells.length), total: header.metric_cells.length },
        backed_bytes: inner.state()?.backed_bytes.get(),
    })
}

fn pool_fill(inner: &Inner, pool: &Pool, report: &mut Report) -> PoolFill {
    let (count, size) = (u64::from(pool.segments.entry_count), u64::from(pool.segments.entry_size));
    let mut fill = PoolFill {
        signal: pool.signal,
        segments: Usage { used: 0, total: count },
        bytes: Usage { used: 0, total: count * size },
    };
    for entry in read_table(&inner.source, pool, report) {
        // A damaged word is that of a segment that was used.
        let committed = Committed::unpack(entry.committed.get());
        let committed = committed.unwrap_or(Committed { generation: 1, bytes: 0 });
        if committed.generation != 0 {
            fill.segments.used += 1;
            fill.bytes.used += u64::from(committed.bytes).min(size);
        }
    }
    fill
}
