//! Checked views of private bytes.

use zerocopy::{FromBytes, Immutable, KnownLayout};

/// A copy of the structure at `at`, if it lies within `bytes`.
pub(crate) fn view<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8], at: usize) -> Option<T> {
    T::read_from_prefix(bytes.get(at..)?).ok().map(|(value, _)| value)
}

/// A length in memory as a length in a file.
pub(crate) fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// A length in a file as a length in memory; on a machine that cannot hold it, a length nothing has.
pub(crate) fn len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Rounds `bytes` up to a multiple of 8; `None` beyond the largest number.
pub(crate) fn align8(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(8)
}
