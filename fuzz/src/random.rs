//! Choices of a target's own mutator, and the fuzzer's mutation of a part of its input.

/// Changes bytes in a buffer, of which the first so many are in use; gives how many are then, at most the third
/// number. What libFuzzer does to an input if nobody tells it what the input is.
pub type Mutate<'a> = &'a mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// A xorshift generator.
pub struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed`.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed) | 1 << 32)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`; 0 if there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() >> 33).unwrap_or(0) % limit.max(1)
    }

    /// Whether one of `times` comes true.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `all`.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }

    /// A number at which programs go wrong, or near it.
    pub fn interesting(&mut self) -> u64 {
        let values =
            [0, 1, 7, 8, 16, 31, 32, 64, 4096, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX];
        let value = values[self.below(values.len())];
        match self.below(3) {
            0 => value,
            1 => value.wrapping_add(self.number() % 17).wrapping_sub(8),
            _ => value << 32 | self.number() & 0xffff,
        }
    }

    /// Has the fuzzer change all of `bytes`, which may grow.
    pub fn change(&mut self, bytes: &mut Vec<u8>, default: Mutate<'_>) {
        let size = bytes.len();
        bytes.resize(size + 8 * (1 + self.below(16)), 0);
        let most = bytes.len();
        let size = default(bytes, size, most);
        bytes.truncate(size);
    }

    /// Changes a few bytes of `bytes` in their place.
    pub fn change_within(&mut self, bytes: &mut [u8], default: Mutate<'_>) {
        let start = self.below(bytes.len());
        let end = (start + 1 + self.below(16)).min(bytes.len());
        let window = &mut bytes[start..end];
        if !window.is_empty() {
            default(window, window.len(), window.len());
        }
    }

    /// Puts an interesting number, of 4 or 8 bytes, somewhere into `bytes`.
    pub fn put_interesting(&mut self, bytes: &mut [u8]) {
        let width = if self.one_in(2) { 4 } else { 8 };
        let at = self.below(bytes.len() / width) * width;
        let value = self.interesting().to_le_bytes();
        if let Some(place) = bytes.get_mut(at..at + width) {
            place.copy_from_slice(&value[..width]);
        }
    }
}
