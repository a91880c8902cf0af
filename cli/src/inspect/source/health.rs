//! The recordings themselves: header, fill, losses, faults.

use std::sync::Arc;

use otlp_mmap_reader::{Fill, Liveness, OverflowPolicy, Recording, Usage};

use super::file::File;
use super::state::Asked;
use super::traces::sorted;
use crate::inspect::model::FileRow;
use crate::inspect::query::{FileKey, Order};
use crate::record::hex;
use crate::source::joined;
use crate::time::format_time;

/// Every recording, in its order.
pub(super) fn files(asked: &Asked<'_>) -> Vec<FileRow> {
    ordered(asked.files.iter().map(row).collect(), asked.query.order.files)
}

fn row(file: &File) -> FileRow {
    FileRow {
        id: file.id,
        path: file.path.clone(),
        name: Arc::clone(&file.name),
        service: file.service.clone().unwrap_or_default(),
        pid: file.pid,
        liveness: file.liveness,
        vanished: file.vanished,
        header: Arc::clone(&file.header),
        size: file.size,
        fill: file.fill.clone(),
        entries: file.entries.kinds,
        losses: file.losses.clone(),
        missed: file.missed,
        in_flight: file.in_flight.len(),
        faults: Arc::clone(&file.faults),
        fault_count: file.fault_count,
    }
}

/// What a header says, for people.
pub(super) fn facts(recording: &Recording) -> Vec<(&'static str, String)> {
    let header = recording.header();
    let id = |id: Option<[u8; 16]>| id.map_or_else(|| "unknown".to_owned(), |id| hex(&id));
    let mut policy = joined(header.overflow_policy.name(), '-');
    if header.overflow_policy == OverflowPolicy::Block {
        policy = format!("{policy}, {} ms at most", header.block_timeout_millis);
    }
    let mut facts = vec![
        ("file id", hex(&header.file_id)),
        ("format", format!("version {}.{}", header.version.0, header.version.1)),
        ("created", format_time(header.created_realtime_nanos)),
        ("process id", header.pid.to_string()),
        ("boot id", id(header.boot_id)),
        ("this boot", if recording.same_boot() { "yes" } else { "no" }.to_owned()),
        ("file size", format!("{} bytes", header.file_size)),
        ("segment size", format!("{} bytes", header.segment_size)),
        ("when full", policy),
        ("cardinality limit", header.cardinality_limit.to_string()),
        ("record CRC", if header.record_crc { "on" } else { "off" }.to_owned()),
    ];
    facts.extend(header.parent_file_id.map(|parent| ("forked from", hex(&parent))));
    facts
}

/// How full the fullest part is, in millionths.
fn fullest(fill: &Fill) -> u64 {
    let pools = fill.pools.iter().map(|pool| pool.bytes);
    let share = |usage: Usage| {
        let share = u128::from(usage.used) * 1_000_000 / u128::from(usage.total.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    };
    pools.chain([fill.dictionary, fill.active_blocks, fill.cells]).map(share).max().unwrap_or(0)
}

/// Those that live first, then those that died.
fn state(row: &FileRow) -> (bool, u8) {
    let state = match row.liveness {
        Liveness::Alive => 0,
        Liveness::Dead => 1,
        Liveness::Closed { .. } => 2,
    };
    (row.vanished, state)
}

fn ordered(rows: Vec<FileRow>, order: Order<FileKey>) -> Vec<FileRow> {
    let descending = order.descending;
    let id = |row: &FileRow| row.id;
    match order.key {
        FileKey::Name => sorted(rows, descending, |row| Arc::clone(&row.name), id),
        FileKey::Process => sorted(rows, descending, |row| row.pid, id),
        FileKey::Fill => sorted(rows, descending, |row| row.fill.as_ref().map(fullest), id),
        FileKey::Losses => sorted(rows, descending, FileRow::lost, id),
        FileKey::State => sorted(rows, descending, state, id),
    }
}
