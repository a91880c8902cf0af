//! Blocks: the mapped table behind [`crate::spans`], its free lists and chains (SPEC "Active spans").
//!
//! HOT, with the same promise. The table is divided into stripes, each with a free list of its own, so that
//! threads rarely meet. What links a chain is kept twice: in the file for readers, in private memory for the
//! writer, which never follows a number that it finds in the file.

use crate::storage::{Ahead, Storage};
use crate::sync::{AtomicU32, CachePadded, Ordering, TryLock, fence, number_of_this_thread};
use otlp_mmap_format::{ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, BLOCK_FLAG_SPILLED, BLOCK_SIZE};
use std::mem::offset_of;
use std::sync::Arc;

const MAX_STRIPES: u32 = 16;

pub(crate) struct Blocks {
    storage: Arc<Storage>,
    /// Start of the section in bytes.
    base: usize,
    stripes: Box<[CachePadded<TryLock<Stripe>>]>,
    stripe_length: u32,
    /// The block after each in its chain, or `NONE`.
    next: Box<[AtomicU32]>,
}

const NONE: u32 = u32::MAX;

/// A run of blocks with its free list.
struct Stripe {
    /// Last in, first out: the blocks used lately are used again, the others stay without space.
    free: Vec<u32>,
    ahead: Ahead,
}

/// A chain of blocks and the content in it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chain {
    pub(crate) head: u32,
    last: u32,
    /// Blocks in the chain; 0: there is none.
    pub(crate) blocks: u32,
    /// Content published or about to be.
    pub(crate) bytes: usize,
}

impl Chain {
    fn capacity(&self) -> usize {
        self.blocks as usize * BLOCK_CONTENT_SIZE
    }
}

impl Blocks {
    pub(crate) fn new(storage: Arc<Storage>, base: usize, count: u32) -> Self {
        let stripes = (count / 64).clamp(1, MAX_STRIPES);
        let stripe_length = count / stripes;
        let stripe = |number: u32| {
            let first = number * stripe_length;
            let end = if number + 1 == stripes { count } else { first + stripe_length };
            let ahead = Ahead {
                backed: base + first as usize * BLOCK_SIZE,
                section_end: base + end as usize * BLOCK_SIZE,
            };
            CachePadded(TryLock::new(Stripe { free: (first..end).rev().collect(), ahead }))
        };
        Self {
            stripes: (0..stripes).map(stripe).collect(),
            stripe_length,
            next: (0..count).map(|_| AtomicU32::new(NONE)).collect(),
            storage,
            base,
        }
    }

    fn block(&self, index: u32) -> usize {
        self.base + index as usize * BLOCK_SIZE
    }

    /// A chain with room for `bytes` of content, or `None` if no stripe has the blocks or the disk no space.
    #[inline]
    pub(crate) fn take(&self, bytes: usize) -> Option<Chain> {
        let wanted = u32::try_from(bytes.div_ceil(BLOCK_CONTENT_SIZE)).ok()?.max(1);
        let preferred = number_of_this_thread() as usize;
        let mut chain = Chain::default();
        let mut busy = 0_u32;
        for turn in 0..2 * self.stripes.len() {
            let number = (preferred + turn) % self.stripes.len();
            let stripe = &self.stripes[number].0;
            // Stripes that were busy are waited for: a span must not spill while blocks are free.
            let guard = match turn < self.stripes.len() {
                true => stripe.try_lock(),
                false if busy & 1 << number != 0 => stripe.lock_bounded(),
                false => continue,
            };
            match guard {
                Some(mut stripe) => self.take_from(&mut stripe, wanted, &mut chain),
                None => busy |= 1 << number,
            }
            if chain.blocks == wanted {
                return Some(chain);
            }
        }
        self.give_back(&chain);
        None
    }

    /// Adds the blocks that a stripe can give to a chain, until it has as many as are wanted.
    #[inline]
    fn take_from(&self, stripe: &mut Stripe, wanted: u32, chain: &mut Chain) {
        while chain.blocks < wanted
            && let Some(&block) = stripe.free.last()
        {
            if self.storage.back_ahead(&mut stripe.ahead, self.block(block), BLOCK_SIZE).is_err() {
                return;
            }
            stripe.free.pop();
            self.next[block as usize].store(NONE, Ordering::Relaxed);
            if chain.blocks == 0 {
                chain.head = block;
            } else {
                self.next[chain.last as usize].store(block, Ordering::Relaxed);
            }
            (chain.last, chain.blocks) = (block, chain.blocks + 1);
        }
    }

    /// Adds blocks to a chain until it has room for `more` bytes; `false` if there are not enough.
    #[inline]
    pub(crate) fn grow(&self, chain: &mut Chain, more: usize) -> bool {
        let missing = (chain.bytes + more).saturating_sub(chain.capacity());
        if missing == 0 {
            return true;
        }
        let Some(added) = self.take(missing) else { return false };
        // SYNC SPAN: as in `write`, for the link.
        fence(Ordering::Release);
        self.next[chain.last as usize].store(added.head, Ordering::Relaxed);
        self.link(chain.last, added.head);
        chain.last = added.last;
        chain.blocks += added.blocks;
        true
    }

    /// Writes a block's successor where readers look for it.
    fn link(&self, block: u32, successor: u32) {
        let next = if successor == NONE { 0 } else { u64::from(successor) + 1 };
        self.storage
            .mapping()
            .word(self.block(block) + offset_of!(ActiveBlock, next))
            .store(next, Ordering::Relaxed);
    }

    /// Writes content into a chain's blocks from byte `at` on, a multiple of 8; links the blocks it enters.
    #[inline]
    pub(crate) fn write(&self, chain: &Chain, mut at: usize, mut content: &[u8]) {
        // SYNC SPAN: orders the store that retired the blocks' former span, by whatever thread, before every
        // store into them. No instruction on x86-64.
        fence(Ordering::Release);
        let mut block = chain.head;
        for _ in 0..at / BLOCK_CONTENT_SIZE {
            block = self.next[block as usize].load(Ordering::Relaxed);
        }
        while block != NONE {
            let successor = self.next[block as usize].load(Ordering::Relaxed);
            let within = at % BLOCK_CONTENT_SIZE;
            if within == 0 {
                self.link(block, successor);
            }
            let (now, rest) = content.split_at(content.len().min(BLOCK_CONTENT_SIZE - within));
            self.storage
                .mapping()
                .store_bytes(self.block(block) + offset_of!(ActiveBlock, content) + within, now);
            if rest.is_empty() {
                break;
            }
            (at, content, block) = (at + now.len(), rest, successor);
        }
    }

    /// Appends a chain's content to `out`.
    #[inline]
    pub(crate) fn read(&self, chain: &Chain, out: &mut Vec<u8>) {
        let (mut block, mut left) = (chain.head, chain.bytes);
        while left > 0 && block != NONE {
            let now = left.min(BLOCK_CONTENT_SIZE);
            self.storage.mapping().load_bytes(self.block(block) + offset_of!(ActiveBlock, content), now, out);
            left -= now;
            block = self.next[block as usize].load(Ordering::Relaxed);
        }
    }

    /// Publishes a chain's content.
    #[inline]
    pub(crate) fn publish(&self, chain: &Chain, generation: u32) {
        self.commit(chain.head, generation, u32::try_from(chain.bytes).unwrap_or(0));
    }

    /// Takes a chain's span out of the readers' sight, before its blocks are given back.
    pub(crate) fn retire(&self, chain: &Chain, generation: u32) {
        self.commit(chain.head, generation, 0);
    }

    #[inline]
    fn commit(&self, head: u32, generation: u32, bytes: u32) {
        let word = ActiveCommit { generation, bytes }.pack(head);
        // SYNC SPAN: orders the content before the word that makes it exist, and a span's record (SYNC PUB)
        // before its disappearance from the table; paired with a reader's load of the head.
        self.storage
            .mapping()
            .word(self.block(head) + offset_of!(ActiveBlock, committed))
            .store(word, Ordering::Release);
    }

    /// Tells readers that the rest of a span's content is in process memory alone.
    #[cold]
    pub(crate) fn mark_spilled(&self, chain: &Chain) {
        let word = self.storage.mapping().word(self.block(chain.head) + offset_of!(ActiveBlock, next));
        word.fetch_or(u64::from(BLOCK_FLAG_SPILLED) << 32, Ordering::Release);
    }

    /// Gives a retired chain's blocks back to their stripes.
    #[inline]
    pub(crate) fn give_back(&self, chain: &Chain) {
        let (mut block, mut left) = (chain.head, chain.blocks);
        while left > 0 && block != NONE {
            let successor = self.next[block as usize].load(Ordering::Relaxed);
            let number = (block / self.stripe_length).min(self.last_stripe());
            // A stripe that stays busy keeps its block out of use: rarer than a stopped thread, and harmless.
            if let Some(mut stripe) = self.stripes[number as usize].0.lock_bounded() {
                stripe.free.push(block);
            }
            (block, left) = (successor, left - 1);
        }
    }

    fn last_stripe(&self) -> u32 {
        u32::try_from(self.stripes.len() - 1).unwrap_or(0)
    }
}
