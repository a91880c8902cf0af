//! Words that carry a check of themselves (SPEC "Checked words").

/// The stored form of a value below 2^56: `value << 8 | check`, where `check` is the exclusive or of the other
/// seven bytes. The word 0 is the value 0.
#[inline]
pub const fn seal(value: u64) -> u64 {
    let word = value << 8;
    word | fold(word) as u64
}

/// The value of a stored word; `None` if its check does not fit, as after one flipped bit.
#[inline]
pub const fn unseal(word: u64) -> Option<u64> {
    if fold(word) == 0 { Some(word >> 8) } else { None }
}

/// Exclusive or of the eight bytes.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the low byte is what is meant
pub(crate) const fn fold(word: u64) -> u8 {
    let half = word ^ word >> 32;
    let quarter = half ^ half >> 16;
    (quarter ^ quarter >> 8) as u8
}
