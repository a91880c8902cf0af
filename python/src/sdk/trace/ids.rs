//! Trace and span ids: random, each thread from a generator of its own (xoshiro256++), seeded by the kernel.
//!
//! A forked child has a copy of its parent's generator, so it seeds it again before its first id: the state is kept
//! with the token of the process it belongs to.

use otlp_mmap_writer::process_token;
use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

struct Generator {
    /// The process that the state belongs to; 0: none yet.
    token: u64,
    state: [u64; 4],
}

thread_local! {
    static GENERATOR: RefCell<Generator> = const { RefCell::new(Generator { token: 0, state: [0; 4] }) };
}

impl Generator {
    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let number = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        number
    }

    /// `N` bytes, not all zero.
    fn id<const N: usize>(&mut self) -> [u8; N] {
        let token = process_token();
        if self.token != token {
            self.state = seed();
            self.token = token;
        }
        loop {
            let mut id = [0; N];
            id.chunks_mut(8)
                .for_each(|chunk| chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]));
            if id != [0; N] {
                return id;
            }
        }
    }
}

/// A new trace id. All its bits are random.
pub(crate) fn trace_id() -> [u8; 16] {
    GENERATOR.with_borrow_mut(Generator::id)
}

/// A new span id.
pub(crate) fn span_id() -> [u8; 8] {
    GENERATOR.with_borrow_mut(Generator::id)
}

#[cold]
fn seed() -> [u64; 4] {
    let mut seed = [0_u64; 4];
    // SAFETY: the call fills at most the 32 bytes of `seed`.
    let filled = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), size_of_val(&seed), 0) };
    if filled != 32 {
        // Random keys of the standard library, made different by process and place.
        let keys = RandomState::new();
        seed = std::array::from_fn(|index| keys.hash_one((index, process_token())));
    }
    // All zeros would stay so.
    seed[0] |= u64::from(seed == [0; 4]);
    seed
}
