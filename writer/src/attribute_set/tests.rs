//! Sets in any order, with duplicates, with keys inline.

use super::*;
use crate::metrics::tests::{Lab, encode};
use crate::telemetry::{KeyValue, Value};

fn int(key: &str, value: i64) -> KeyValue<'_> {
    KeyValue { key, value: Value::Int(value) }
}

/// An attribute whose key stands inline, as the encoder writes it while the dictionary is busy or full.
fn inline(key: &str, value: i64) -> Vec<u8> {
    let mut payload = (key.len() as u64).to_le_bytes().to_vec();
    payload.extend_from_slice(key.as_bytes());
    payload.resize(align8(payload.len()), 0);
    payload.extend_from_slice(&value.to_le_bytes());
    referring(otlp_mmap_format::ValueType::Int.code(), 0, &payload)
}

#[test]
fn order_matters_neither_to_hash_nor_to_equality() {
    let lab = Lab::new();
    let forth = encode(&lab.dictionary, &[int("a", 1), int("b", 2), int("c", 3)]);
    let back = encode(&lab.dictionary, &[int("c", 3), int("b", 2), int("a", 1)]);
    assert_eq!(hash(9, 4, &forth), hash(9, 4, &back));
    assert_ne!(hash(9, 4, &forth), hash(9, 5, &forth));
    assert!(is_same(&forth, &back) && is_plain(&back));
    assert_eq!(canonical(&lab.dictionary, &back), forth);
    for other in [&[int("a", 1), int("b", 2), int("c", 4)][..], &[int("a", 1), int("b", 2)], &[]] {
        assert!(!is_same(&forth, &encode(&lab.dictionary, other)));
    }
}

#[test]
fn keys_are_sorted_by_text_and_the_last_of_two_values_counts() {
    let lab = Lab::new();
    let given = encode(&lab.dictionary, &[int("z", 1), int("b", 2), int("b", 3), int("a", 4), int("z", 5)]);
    assert!(!is_plain(&given));
    let set = canonical(&lab.dictionary, &given);
    assert_eq!(set, encode(&lab.dictionary, &[int("a", 4), int("b", 3), int("z", 5)]));
    // Equal in length and every item of one in the other, yet not the same.
    let twice = encode(&lab.dictionary, &[int("a", 4), int("a", 4)]);
    assert!(!is_same(&encode(&lab.dictionary, &[int("a", 4), int("b", 3)]), &twice));
}

#[test]
fn an_inline_key_becomes_a_reference() {
    let lab = Lab::new();
    let given = [inline("new", 2), encode(&lab.dictionary, &[int("known", 1)]), inline("known", 3)].concat();
    assert!(!is_plain(&given));
    let set = canonical(&lab.dictionary, &given);
    assert_eq!(set, encode(&lab.dictionary, &[int("known", 3), int("new", 2)]));
}

#[test]
fn long_sets_are_left_to_the_canonical_form() {
    let lab = Lab::new();
    let keys: Vec<String> = (100..300).map(|number| number.to_string()).collect();
    let attributes: Vec<_> = keys.iter().map(|key| int(key, 1)).collect();
    let reversed: Vec<_> = attributes.iter().rev().copied().collect();
    let (forth, back) = (encode(&lab.dictionary, &attributes), encode(&lab.dictionary, &reversed));
    assert!(is_same(&forth, &forth) && !is_same(&forth, &back) && !is_plain(&forth));
    assert_eq!(canonical(&lab.dictionary, &back), forth);
}

#[test]
fn what_is_no_item_is_left_out() {
    let lab = Lab::new();
    let good = encode(&lab.dictionary, &[int("a", 1)]);
    for tail in [&[1, 2, 3][..], &[0xff; 16], &[0; 8], &inline("key", 1)[..16]] {
        let given = [&good[..], tail].concat();
        let _ = (hash(1, 2, &given), is_plain(&given), is_same(&good, &given));
        assert!(canonical(&lab.dictionary, &given).ends_with(&good));
    }
}
