//! Spans in flight (SPEC "Active spans").
//!
//! A head block's commit word says how much of a chain is content. The chain is copied, the word is read again,
//! and the copy counts only if the generation is the same and the span has not ended. A chain is as long as its
//! content and no longer, and never goes through a block twice. Blocks that are in several chains are read for each
//! of them, but no more than [`MAX_SHARED_BLOCKS`] times in all: so what is kept is little more than what the blocks
//! hold, however large the table claims to be.

use std::collections::HashSet;

use otlp_mmap_format::{ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, BLOCK_FLAG_SPILLED, U64};

use crate::bytes::{len, size};
use crate::dictionary::Resolver;
use crate::model::{Position, Span};
use crate::source::{Source, or_fault};
use crate::{Report, Rule, Section};

/// Blocks that are read at once when heads are looked for.
const BLOCKS_AT_ONCE: u32 = 4096;

/// Blocks that are read again for a further chain in one scan, before a chain ends at such a block: as many as the
/// longest chain has, of 16,777,215 bytes of content. A damaged link may lead into another span, which is whole all the same.
const MAX_SHARED_BLOCKS: u64 = 69_906;

/// Blocks that are in a chain already.
#[derive(Default)]
struct Taken {
    blocks: HashSet<u32>,
    /// How often one of them was read for a further chain.
    shared: u64,
}

/// A span in flight as it was copied.
struct Chain {
    head: u32,
    generation: u32,
    spilled: bool,
    content: Vec<u8>,
    /// Its blocks, and how often blocks were shared up to its end.
    taken: Taken,
    /// Why the content ends before its published length.
    fault: Option<String>,
}

/// A block that heads a span in flight.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    index: u32,
    commit: ActiveCommit,
}

impl Head {
    /// Blocks its chain takes.
    pub(crate) fn blocks(&self) -> u64 {
        u64::from(self.commit.bytes).div_ceil(size(BLOCK_CONTENT_SIZE))
    }
}

/// The heads of all spans in flight.
pub(crate) fn heads(source: &Source, section: &Section, report: &mut Report) -> Vec<Head> {
    let mut heads = Vec::new();
    let mut first = 0;
    while first < section.entry_count {
        let count = BLOCKS_AT_ONCE.min(section.entry_count - first);
        let offset = section.entry_offset(first);
        let wanted = len(u64::from(count)).saturating_mul(ActiveBlock::SIZE);
        let Some(bytes) = or_fault(source.up_to(offset, wanted), offset, report) else { break };
        let (blocks, _) = bytes.as_chunks::<{ ActiveBlock::SIZE }>();
        for (index, block) in (first..).zip(blocks) {
            let block: ActiveBlock = zerocopy::transmute!(*block);
            heads.extend(head(&block, index, section, report));
        }
        if bytes.len() < wanted {
            let found = bytes.len();
            report.fault(offset, Rule::Unreadable, || format!("{found} of {wanted} bytes can be read"));
            break;
        }
        let step = if bytes.iter().all(|byte| *byte == 0) {
            // Blocks in a hole of the file were never taken, however many there are.
            let next = source.next_data(offset).map_or(section.length, |next| next - section.offset);
            let block = u32::try_from(next / size(ActiveBlock::SIZE)).unwrap_or(u32::MAX);
            count.max(block.saturating_sub(first))
        } else {
            count
        };
        first = first.saturating_add(step);
    }
    heads
}

fn head(block: &ActiveBlock, index: u32, section: &Section, report: &mut Report) -> Option<Head> {
    let word = block.committed.get();
    let Some(commit) = ActiveCommit::unpack(word, index) else {
        let detail = || format!("the check of commit word {word:#018x} of block {index} does not fit");
        report.fault(section.entry_offset(index), Rule::Committed, detail);
        return None;
    };
    (commit.bytes != 0).then_some(Head { index, commit })
}

impl Resolver<'_> {
    /// All spans in flight, in the order of their heads. `proven`: content that is published is whole.
    pub(crate) fn active_spans(&mut self, section: &Section, proven: bool) -> Vec<Span> {
        let (mut spans, mut taken) = (Vec::new(), Taken::default());
        for head in heads(self.source, section, self.report) {
            let offset = section.entry_offset(head.index);
            match self.chain(head, section, &taken) {
                Ok(Some(chain)) => {
                    // Those of a span that ended meanwhile may be others' by now.
                    taken.blocks.extend(&chain.taken.blocks);
                    taken.shared = chain.taken.shared;
                    spans.extend(self.active_span(chain, offset, proven));
                }
                Ok(None) => {}
                Err(detail) => self.report.fault(offset, Rule::ActiveChain, || detail),
            }
        }
        spans
    }

    fn active_span(&mut self, chain: Chain, offset: u64, proven: bool) -> Option<Span> {
        let is_cut = chain.fault.is_some();
        if let Some(detail) = chain.fault {
            self.report.fault(offset, Rule::ActiveChain, || detail);
        }
        let position = Position { segment: chain.head, sequence: u64::from(chain.generation), offset };
        let Some(span) = self.span(&chain.content, position, None) else {
            let found = chain.content.len();
            self.report.fault(offset, Rule::ActiveChain, || format!("{found} bytes hold no SpanBody"));
            return None;
        };
        if !proven && span.trace_id == [0; 16] {
            self.report.fault(offset, Rule::ActiveChain, || "the content has no trace id".to_owned());
            return None;
        }
        Some(Span { spilled: chain.spilled || is_cut, ..span })
    }

    /// Copies the chain of `head`; `None` if the span ended meanwhile.
    fn chain(&self, head: Head, section: &Section, taken: &Taken) -> Result<Option<Chain>, String> {
        let copied = self.copy_chain(head, section, taken);
        let offset = section.entry_offset(head.index);
        let word: U64 = self.source.read(offset, "the active spans").map_err(|e| e.to_string())?;
        let now = ActiveCommit::unpack(word.get(), head.index);
        let same =
            now.is_some_and(|now| now.generation == head.commit.generation && now.bytes >= head.commit.bytes);
        // What was copied of a span that has ended may be anything, and so may its faults.
        if same { copied.map(Some) } else { Ok(None) }
    }

    fn copy_chain(&self, head: Head, section: &Section, taken: &Taken) -> Result<Chain, String> {
        let mut rest = len(u64::from(head.commit.bytes));
        if head.blocks() > u64::from(section.entry_count) {
            return Err(format!("{rest} bytes do not fit into {} blocks", section.entry_count));
        }
        let (mut content, mut own) = (Vec::new(), Taken { shared: taken.shared, ..Taken::default() });
        let (mut index, mut flags, mut fault) = (head.index, None, None);
        loop {
            let is_shared = taken.blocks.contains(&index);
            if !own.blocks.insert(index) || is_shared && own.shared == MAX_SHARED_BLOCKS {
                fault = Some(format!("block {index} is in a chain already, {rest} bytes before the end"));
                break;
            }
            own.shared += u64::from(is_shared);
            let offset = section.entry_offset(index);
            let block: ActiveBlock =
                self.source.read(offset, "the active spans").map_err(|e| e.to_string())?;
            flags.get_or_insert(block.flags.get());
            let take = rest.min(BLOCK_CONTENT_SIZE);
            content.extend_from_slice(block.content.get(..take).unwrap_or_default());
            rest -= take;
            if rest == 0 {
                break;
            }
            let next = block.next.get();
            let Some(follower) = next.checked_sub(1).filter(|index| *index < section.entry_count) else {
                fault =
                    Some(format!("block {index} is followed by number {next}, {rest} bytes before the end"));
                break;
            };
            index = follower;
        }
        let spilled = flags.unwrap_or(0) & BLOCK_FLAG_SPILLED != 0;
        Ok(Chain {
            head: head.index,
            generation: head.commit.generation,
            spilled,
            content,
            taken: own,
            fault,
        })
    }
}

#[cfg(test)]
mod tests;
