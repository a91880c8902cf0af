//! What the targets have in common whose inputs are [`Parts`].

use crate::parts::Parts;
use crate::random::{Mutate, Random};

/// Changes an input of `size` bytes in `data` and gives its new size: takes it apart, has `change` change some parts,
/// and makes checks and CRCs fit after most changes, since few inputs would get past them otherwise.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    seed: u32,
    change: fn(&mut Parts, &mut Random, Mutate<'_>),
    default: Mutate<'_>,
) -> usize {
    let mut random = Random::new(seed);
    if random.one_in(16) {
        let most = data.len();
        return default(data, size, most);
    }
    let mut parts = Parts::decode(&data[..size]);
    for _ in 0..=random.below(4) {
        change(&mut parts, &mut random, default);
    }
    if !random.one_in(8) {
        parts.repair();
    }
    let input = parts.encode();
    match data.get_mut(..input.len()) {
        Some(place) => place.copy_from_slice(&input),
        None => return size,
    }
    input.len()
}

/// Runs a target on the seeds and on some inputs that its mutator makes of them.
#[cfg(test)]
pub(crate) fn try_out(run: fn(&[u8]), change: fn(&mut Parts, &mut Random, Mutate<'_>)) {
    let mut default = |data: &mut [u8], size: usize, most: usize| {
        let size = (size + 1).min(most);
        if let Some(byte) = data.get_mut(size / 2) {
            *byte ^= 0x55;
        }
        size
    };
    for (number, (_, parts)) in (0..).zip(crate::seeds::seeds()) {
        let mut data = parts.encode();
        run(&data);
        let mut size = data.len();
        data.resize(1 << 17, 0);
        for seed in 0..12 {
            size = mutate(&mut data, size, seed * 64 + number, change, &mut default);
            run(&data[..size]);
        }
    }
}
