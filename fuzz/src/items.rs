//! Items as a tree: what the target `attributes` changes. Bytes that are no items stay as they are.

use otlp_mmap_format::{
    ITEM_TRUNCATED, ItemHeader, ItemTag, LinkBody, SpanEventBody, U32, ValueType, align8,
};
use zerocopy::IntoBytes;

use crate::image::get;
use crate::random::{Mutate, Random};

/// Levels to which bytes are taken for items.
const MAX_LEVELS: usize = 48;
/// Most nodes of a tree that still grows.
const MAX_NODES: usize = 400;

/// An item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Tag, with the bit of a cut value.
    tag: u8,
    reference: u32,
    /// The payload, or what of it stands in front of the items in it.
    lead: Vec<u8>,
    children: Vec<Node>,
    /// What the length in the item's header is wrong by.
    error: u32,
}

/// Takes bytes apart as items, with keys or without.
pub fn parse(bytes: &[u8], keyed: bool) -> Vec<Node> {
    parse_at(bytes, keyed, 0)
}

fn parse_at(bytes: &[u8], keyed: bool, level: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = 0;
    while let Some(header) = get::<ItemHeader>(bytes, at) {
        let length = usize::try_from(header.length()).unwrap_or(usize::MAX);
        let end = at.saturating_add(length).min(bytes.len());
        let Some(payload) = bytes.get(at + ItemHeader::SIZE..end) else { break };
        let tag = header.tag_and_length.get().to_le_bytes()[0];
        let reference = header.reference.get();
        let start =
            items_start(tag & !ITEM_TRUNCATED, reference, keyed, payload).filter(|_| level < MAX_LEVELS);
        let (lead, inner) = payload.split_at(start.unwrap_or(usize::MAX).min(payload.len()));
        let inside_keyed = tag & !ITEM_TRUNCATED != ValueType::Array.code() && tag != ItemTag::Body.code();
        let children = if inner.is_empty() { Vec::new() } else { parse_at(inner, inside_keyed, level + 1) };
        nodes.push(Node { tag, reference, lead: lead.to_vec(), children, error: 0 });
        at = align8(end);
    }
    nodes
}

/// Where the items in the payload of an item start, if it holds items.
fn items_start(tag: u8, reference: u32, keyed: bool, payload: &[u8]) -> Option<usize> {
    let number =
        |at| get::<U32>(payload, at).map(|number| usize::try_from(number.get()).unwrap_or(usize::MAX));
    let behind =
        |start: usize, length: Option<usize>| start.checked_add(length?)?.checked_next_multiple_of(8);
    if let Some(ValueType::Array | ValueType::Map) = ValueType::from_code(tag) {
        return if keyed && reference == 0 { behind(8, number(0)) } else { Some(0) };
    }
    match ItemTag::from_code(tag)? {
        ItemTag::Body => Some(0),
        ItemTag::SpanEvent => behind(SpanEventBody::SIZE, number(12)),
        ItemTag::Link => behind(LinkBody::SIZE, number(32)),
        _ => None,
    }
}

/// The bytes of items.
pub fn serialize(nodes: &[Node]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for node in nodes {
        let mut payload = node.lead.clone();
        if !node.children.is_empty() {
            payload.resize(align8(payload.len()), 0);
            payload.extend(serialize(&node.children));
        }
        let length =
            u32::try_from(ItemHeader::SIZE + payload.len()).unwrap_or(u32::MAX).wrapping_add(node.error);
        bytes.extend_from_slice(ItemHeader::new(node.tag, length, node.reference).as_bytes());
        bytes.extend(payload);
        bytes.resize(align8(bytes.len()), 0);
    }
    bytes
}

/// Changes something in a tree. `references`: those that lead to an entry of the dictionary.
pub fn mutate(nodes: &mut Vec<Node>, references: &[u32], random: &mut Random, default: Mutate<'_>) {
    let count = count(nodes);
    if count == 0 || (count < MAX_NODES && random.one_in(6)) {
        nodes.push(leaf(references, random));
        return;
    }
    let mut number = random.below(count);
    let Some((list, place)) = find(nodes, &mut number) else { return };
    let node = &mut list[place];
    match random.below(9) {
        0 => wrap(node, random),
        1 if count < MAX_NODES => {
            let copy = node.clone();
            list.insert(place, copy);
        }
        2 => drop(list.remove(place)),
        3 => node.tag = tag(random),
        4 => node.reference = reference(references, random),
        5 => random.change(&mut node.lead, default),
        6 => random.put_interesting(&mut node.lead),
        7 => node.error = u32::try_from(random.below(64)).unwrap_or(0).wrapping_sub(32),
        _ => node.children.push(leaf(references, random)),
    }
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// The list of the node with this number, counted from the root, and its place in it.
fn find<'a>(nodes: &'a mut Vec<Node>, number: &mut usize) -> Option<(&'a mut Vec<Node>, usize)> {
    let mut below = None;
    for (place, node) in nodes.iter().enumerate() {
        if *number == 0 {
            return Some((nodes, place));
        }
        *number -= 1;
        let inner = count(&node.children);
        if *number < inner {
            below = Some(place);
            break;
        }
        *number -= inner;
    }
    find(&mut nodes[below?].children, number)
}

/// Puts a node into arrays or maps, some of them deeper than values may nest.
fn wrap(node: &mut Node, random: &mut Random) {
    let levels = if random.one_in(4) { random.below(40) } else { 1 };
    for _ in 0..levels {
        let tag = if random.one_in(2) { ValueType::Array.code() } else { ValueType::Map.code() };
        let inner = std::mem::take(node);
        *node = Node { tag, reference: inner.reference, children: vec![inner], ..Node::default() };
    }
}

fn leaf(references: &[u32], random: &mut Random) -> Node {
    let reference = if random.one_in(3) { 0 } else { reference(references, random) };
    let mut lead = Vec::new();
    if reference == 0 {
        // An inline key: its length, and itself.
        lead.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, b"abc\0"[random.below(4)], 0, 0, 0, 0, 0, 0, 0]);
    }
    lead.extend_from_slice(&random.interesting().to_le_bytes()[..random.below(9)]);
    Node { tag: tag(random), reference, lead, ..Node::default() }
}

fn tag(random: &mut Random) -> u8 {
    let all = ValueType::ALL.iter().map(|(tag, _)| tag.code());
    let all: Vec<u8> = all.chain(ItemTag::ALL.iter().map(|(tag, _)| tag.code())).chain([31, 127]).collect();
    random.pick(&all).map_or(0, |tag| tag | if random.one_in(8) { ITEM_TRUNCATED } else { 0 })
}

fn reference(references: &[u32], random: &mut Random) -> u32 {
    let stray = u32::try_from(random.below(1 << 13)).unwrap_or(0);
    match random.below(8) {
        0 => stray,
        1 => u32::MAX - stray,
        _ => random.pick(references).copied().unwrap_or(stray),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_what_is_written() {
        let mut random = Random::new(7);
        let mut default = |_: &mut [u8], size: usize, _: usize| size;
        for _ in 0..200 {
            let mut nodes = Vec::new();
            for _ in 0..random.below(20) {
                mutate(&mut nodes, &[8, 20], &mut random, &mut default);
            }
            let bytes = serialize(&nodes);
            let again = serialize(&parse(&bytes, true));
            assert_eq!(serialize(&parse(&again, true)), again);
        }
    }
}
