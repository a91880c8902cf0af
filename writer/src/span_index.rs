//! Span index: finds spans in flight by their ids, for callers that keep no [`SpanRef`] (the low-level calls of
//! the Python extension).

use crate::error::Error;
use crate::sync::TryLock;
use crate::telemetry::{ScopeRef, SpanRef};
use std::collections::HashMap;

const SHARDS: usize = 16;

/// Trace id and span id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SpanIds {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
}

/// A span in flight and the scope it was started under.
#[derive(Clone, Copy)]
pub(crate) struct Indexed {
    pub(crate) span: SpanRef,
    pub(crate) scope: ScopeRef,
}

/// Spans in flight by their ids.
pub(crate) struct SpanIndex {
    shards: [TryLock<HashMap<SpanIds, Indexed>>; SHARDS],
}

impl SpanIndex {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| TryLock::new(HashMap::new())) }
    }

    fn shard(&self, ids: &SpanIds) -> &TryLock<HashMap<SpanIds, Indexed>> {
        &self.shards[usize::from(ids.span_id[7]) % SHARDS]
    }

    /// Refuses ids that are in flight already.
    pub(crate) fn check_new(&self, ids: &SpanIds) -> Result<(), Error> {
        let shard = self.shard(ids).lock_bounded().ok_or(Error::Busy)?;
        if shard.contains_key(ids) { Err(Error::duplicate_span(&ids.trace_id, &ids.span_id)) } else { Ok(()) }
    }

    /// Enters a span; an error if these ids are in flight already.
    pub(crate) fn insert(&self, ids: SpanIds, indexed: Indexed) -> Result<(), Error> {
        let mut shard = self.shard(&ids).lock_bounded().ok_or(Error::Busy)?;
        if shard.contains_key(&ids) {
            return Err(Error::duplicate_span(&ids.trace_id, &ids.span_id));
        }
        shard.insert(ids, indexed);
        Ok(())
    }

    /// The span in flight with these ids; an error if it was started under another scope.
    pub(crate) fn find(&self, scope: ScopeRef, ids: &SpanIds) -> Result<SpanRef, Error> {
        let shard = self.shard(ids).lock_bounded().ok_or(Error::Busy)?;
        let indexed = shard.get(ids).ok_or_else(|| Error::unknown_span(&ids.trace_id, &ids.span_id))?;
        if indexed.scope != scope {
            let reason = format!("{} is not the scope {} it started in", scope.raw(), indexed.scope.raw());
            return Err(Error::invalid("instrumentation_scope_ref", reason));
        }
        Ok(indexed.span)
    }

    /// Removes a span that has ended; not another one that has its ids by now.
    pub(crate) fn remove(&self, ids: &SpanIds, span: SpanRef) {
        if let Some(mut shard) = self.shard(ids).lock_bounded()
            && shard.get(ids).is_some_and(|indexed| indexed.span == span)
        {
            shard.remove(ids);
        }
    }
}
