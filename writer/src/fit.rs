//! Fitting: finds the cap under which a record's values fit into the room there is.
//!
//! The first pass caps nothing that could fit and is the only one in the steady state. If it left something
//! out, the record is encoded again with smaller caps: so the largest values are cut first, small ones stay
//! whole, and items are left out only when even short values have no room.

use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::error::Error;

/// Below this cap items are left out instead of cut further, in bytes.
const SMALLEST_CAP: usize = 32;
/// Steps of the bisection between the last cap that did not fit and the first that did.
const REFINEMENTS: u32 = 5;

/// What fitting did to a record.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Values were cut or left out.
    pub(crate) truncated: bool,
    /// Attributes left out.
    pub(crate) dropped: u32,
    /// Keys that stand inline because the dictionary has no room.
    pub(crate) inlined: u32,
}

/// Appends to `bytes` what `encode` encodes, in at most `room` bytes; `None`: it does not fit even when cut. On
/// `None` and on an error `bytes` is as it was.
#[inline]
pub(crate) fn encode_fitting(
    bytes: &mut Vec<u8>,
    room: usize,
    dictionary: &Dictionary,
    encode: &mut dyn FnMut(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<Option<Fit>, Error> {
    let start = bytes.len();
    let fit = match pass(bytes, start, room, room, dictionary, encode) {
        Ok((fit, true)) => return Ok(Some(fit)),
        Ok((_, false)) => search(bytes, start, room, dictionary, encode),
        Err(error) => Err(error),
    };
    if !matches!(fit, Ok(Some(_))) {
        bytes.truncate(start);
    }
    fit
}

/// As [`encode_fitting`]; what does not fit even when cut is an error.
#[inline]
pub(crate) fn encode_or_refuse(
    bytes: &mut Vec<u8>,
    room: usize,
    dictionary: &Dictionary,
    encode: &mut dyn FnMut(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<Fit, Error> {
    encode_fitting(bytes, room, dictionary, encode)?
        .ok_or_else(|| Error::invalid("attributes", format!("do not fit into {room} bytes even when cut")))
}

/// One encoding under a cap; the flag says whether all of it found room.
fn pass(
    bytes: &mut Vec<u8>,
    start: usize,
    room: usize,
    cap: usize,
    dictionary: &Dictionary,
    encode: &mut dyn FnMut(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<(Fit, bool), Error> {
    bytes.truncate(start);
    let mut encoder = Encoder::new(bytes, dictionary, cap, start + room);
    encode(&mut encoder)?;
    let fit = Fit { truncated: encoder.truncated, dropped: encoder.dropped, inlined: encoder.inlined };
    let whole = fit.dropped == 0 && bytes.len() <= start + room && !(fit.truncated && cap == room);
    Ok((fit, whole))
}

#[cold]
fn search(
    bytes: &mut Vec<u8>,
    start: usize,
    room: usize,
    dictionary: &Dictionary,
    encode: &mut dyn FnMut(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<Option<Fit>, Error> {
    let mut attempt = |cap| pass(bytes, start, room, cap, dictionary, encode);
    let (mut too_large, mut cap) = (room, room / 2);
    while cap > SMALLEST_CAP && !attempt(cap)?.1 {
        (too_large, cap) = (cap, cap / 2);
    }
    for _ in 0..REFINEMENTS {
        let middle = usize::midpoint(cap, too_large);
        if middle - cap < SMALLEST_CAP {
            break;
        }
        if attempt(middle)?.1 { cap = middle } else { too_large = middle }
    }
    let (fit, _) = attempt(cap)?;
    Ok((bytes.len() <= start + room).then_some(fit))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::telemetry::{Attributes, KeyValue, Value};
    use crate::testing::dictionary;

    fn fit_into(room: usize, attributes: &[KeyValue<'_>]) -> (Option<Fit>, usize) {
        let mut bytes = vec![7; 16];
        let fit = encode_fitting(&mut bytes, room, &dictionary(), &mut |encoder| attributes.encode(encoder))
            .unwrap();
        assert_eq!(bytes[..16], [7; 16]);
        (fit, bytes.len() - 16)
    }

    #[test]
    fn what_fits_is_whole() {
        let (fit, length) = fit_into(1000, &[KeyValue { key: "key", value: Value::String("value") }]);
        assert_eq!((fit, length), (Some(Fit::default()), 16));
    }

    #[test]
    fn the_largest_value_is_cut_and_small_ones_stay() {
        let large = "x".repeat(100 << 20);
        let attributes = [
            KeyValue { key: "large", value: Value::String(&large) },
            KeyValue { key: "small", value: Value::String("stays whole") },
        ];
        let (fit, length) = fit_into(4000, &attributes);
        assert_eq!(fit, Some(Fit { truncated: true, dropped: 0, inlined: 0 }));
        assert!((3500..=4000).contains(&length), "{length} bytes of 4000 used");
    }

    #[test]
    fn attributes_are_left_out_only_when_nothing_can_be_cut() {
        let attributes: Vec<_> = (0..100).map(|_| KeyValue { key: "key", value: Value::Int(1) }).collect();
        assert_eq!(fit_into(1600, &attributes), (Some(Fit::default()), 1600));
        assert_eq!(fit_into(1599, &attributes).0, Some(Fit { truncated: true, dropped: 1, inlined: 0 }));
        assert_eq!(fit_into(0, &attributes).0, Some(Fit { truncated: true, dropped: 100, inlined: 0 }));
    }

    #[test]
    fn a_large_array_is_cut_by_elements() {
        let elements = vec![Value::Int(5); 100_000];
        let (fit, length) = fit_into(4096, &[KeyValue { key: "array", value: Value::Array(&elements) }]);
        assert_eq!(fit, Some(Fit { truncated: true, dropped: 0, inlined: 0 }));
        assert!((3600..=4096).contains(&length), "{length} bytes of 4096 used");
    }
}
