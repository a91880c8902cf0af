//! The critical path of a trace: the spans for which its end waited.
//!
//! From the end of a span back: it waited for the child that ended last before, from that child's start on for the one
//! that ended last before that, and so on; and each of those for its own children.

use super::waterfall::Tree;

/// For each span of the tree whether it is on the critical path.
pub(super) fn path(tree: &Tree) -> Vec<bool> {
    let mut is_critical = vec![false; tree.starts.len()];
    let end = tree.ends.iter().copied().max().unwrap_or(0);
    // Spans whose children are still to be looked at, and the time up to which somebody waited for them.
    let mut waiting = awaited(tree, &tree.top_order, end);
    while let Some((index, end)) = waiting.pop() {
        if let Some(mark) = is_critical.get_mut(index) {
            *mark = true;
        }
        waiting.extend(awaited(tree, tree.children(index), end));
    }
    is_critical
}

/// Those of `spans` that were waited for up to `end`, each with its own end. What runs on behind `end` was not waited for
/// any longer.
fn awaited(tree: &Tree, spans: &[usize], end: u64) -> Vec<(usize, u64)> {
    let mut ending: Vec<_> = spans.iter().map(|index| (tree.interval(*index), *index)).collect();
    ending.retain(|((start, _), _)| *start <= end);
    ending.sort_by_key(|((start, span_end), index)| {
        // Latest end first; of those the one that began first.
        (std::cmp::Reverse((*span_end).min(end)), *start, *index)
    });
    let (mut awaited, mut until) = (Vec::new(), end);
    for ((start, span_end), index) in ending {
        let span_end = span_end.min(end);
        if span_end <= until {
            awaited.push((index, span_end));
            until = start;
        }
    }
    awaited
}
