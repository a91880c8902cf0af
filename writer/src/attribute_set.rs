//! Attribute sets: what makes two lists of encoded attributes the same set (SPEC "Dictionary").
//!
//! Comparing and hashing do not depend on the order and are HOT: no allocation, bounded steps. The canonical
//! form, sorted and without duplicates, is what the dictionary has.

use crate::dictionary::{self, Dictionary};
use otlp_mmap_format::{ItemHeader, align8};
use zerocopy::{FromBytes, IntoBytes};

/// Items that `is_same` looks at and that `is_plain` takes before they leave the question to the canonical form.
const MOST_STEPS: usize = 4096;
const MOST_PLAIN: usize = 64;

/// The items of a list, each with its padding. What is not a whole item ends the list.
pub(crate) struct Items<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (header, _) = ItemHeader::ref_from_prefix(self.0).ok()?;
        let length = (header.length() as usize).max(ItemHeader::SIZE);
        let (item, rest) = self.0.split_at_checked(align8(length))?;
        self.0 = rest;
        Some(item)
    }
}

/// A hash of a stream's attributes that does not depend on their order.
#[inline]
pub(crate) fn hash(seed: u64, stream: u32, attributes: &[u8]) -> u64 {
    let sum = Items(attributes).fold(0_u64, |sum, item| sum.wrapping_add(dictionary::hash(seed, item)));
    dictionary::hash(sum ^ seed, &u64::from(stream).to_le_bytes())
}

/// Whether attributes are those of a canonical set, in any order. `false` may also mean "too long to tell".
#[inline]
pub(crate) fn is_same(canonical: &[u8], given: &[u8]) -> bool {
    canonical == given || (canonical.len() == given.len() && is_permutation(canonical, given))
}

/// Whether the items of a canonical set, no two of which are the same, are all among the given ones. As both
/// are equally long, nothing else is.
fn is_permutation(canonical: &[u8], given: &[u8]) -> bool {
    let mut steps = 0;
    let mut found = |wanted: &[u8]| {
        Items(given).any(|item| {
            steps += 1;
            item == wanted || steps > MOST_STEPS
        })
    };
    Items(canonical).all(&mut found) && steps <= MOST_STEPS
}

/// Whether attributes surely need no canonical form to be compared: few, every key by reference, none twice.
pub(crate) fn is_plain(attributes: &[u8]) -> bool {
    let mut keys = [0; MOST_PLAIN];
    let mut count = 0;
    Items(attributes).all(|item| {
        let key = key_reference(item);
        if key == 0 || count == MOST_PLAIN || keys[..count].contains(&key) {
            return false;
        }
        keys[count] = key;
        count += 1;
        true
    })
}

/// The canonical form: sorted by the text of the keys, of a key given twice the last value, keys by reference
/// wherever the dictionary has room for them.
#[cold]
pub(crate) fn canonical(dictionary: &Dictionary, attributes: &[u8]) -> Vec<u8> {
    let mut items: Vec<(Vec<u8>, Vec<u8>)> =
        Items(attributes).map(|item| with_key(dictionary, item)).collect();
    // Stable: of a key given twice the last value stays last.
    items.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut set = Vec::with_capacity(attributes.len());
    for (at, (key, item)) in items.iter().enumerate() {
        if items.get(at + 1).is_none_or(|(next, _)| next != key) {
            set.extend_from_slice(item);
        }
    }
    set
}

/// Removes the attributes that a canonical set has too, key and (last) value, from the items behind `start`.
pub(crate) fn remove_those_of(set: &[u8], items: &mut Vec<u8>, start: usize) {
    for own in Items(set) {
        if Items(&items[start..]).filter(|item| is_same_key(own, item)).last() != Some(own) {
            continue;
        }
        let (mut at, mut end) = (start, start);
        while let Some(item) = Items(&items[at..]).next() {
            let (length, keep) = (item.len(), !is_same_key(own, item));
            if keep {
                items.copy_within(at..at + length, end);
                end += length;
            }
            at += length;
        }
        items.truncate(end);
    }
}

/// Whether two items have the same key, both by reference or both inline.
fn is_same_key(one: &[u8], other: &[u8]) -> bool {
    let key = |item| (key_reference(item), if key_reference(item) == 0 { inline_key(item) } else { None });
    key(one) == key(other)
}

#[inline]
fn key_reference(item: &[u8]) -> u32 {
    ItemHeader::ref_from_prefix(item).map_or(0, |(header, _)| header.reference.get())
}

/// An item and the text of its key; an inline key is put into the dictionary if there is room.
fn with_key(dictionary: &Dictionary, item: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let reference = key_reference(item);
    if reference != 0 {
        return (dictionary.payload(reference), item.to_vec());
    }
    let Some((key, value)) = split_inline(item) else { return (Vec::new(), item.to_vec()) };
    let interned = std::str::from_utf8(key).ok().and_then(|key| dictionary.intern(key));
    (key.to_vec(), interned.map_or_else(|| item.to_vec(), |reference| referring(item[0], reference, value)))
}

fn inline_key(item: &[u8]) -> Option<&[u8]> {
    split_inline(item).map(|(key, _)| key)
}

/// The key and the value of an item with an inline key.
fn split_inline(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, _) = ItemHeader::ref_from_prefix(item).ok()?;
    let payload = item.get(ItemHeader::SIZE..header.length() as usize)?;
    let (&key_length, rest) = payload.split_first_chunk::<8>()?;
    let key_length = usize::try_from(u64::from_le_bytes(key_length)).ok()?;
    Some((rest.get(..key_length)?, rest.get(align8(key_length)..)?))
}

/// The item with its key by reference.
fn referring(tag: u8, reference: u32, value: &[u8]) -> Vec<u8> {
    // Shorter than the item it is made of.
    let length = u32::try_from(ItemHeader::SIZE + value.len()).unwrap_or(0);
    let mut item = ItemHeader::new(tag, length, reference).as_bytes().to_vec();
    item.extend_from_slice(value);
    item.resize(align8(item.len()), 0);
    item
}

#[cfg(all(test, not(loom)))]
mod tests;
