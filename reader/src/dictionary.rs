//! The dictionary: looked up as it is needed, cached by reference (SPEC "Dictionary").
//!
//! An entry counts only if it lies within the published part of the section, its CRC fits, and it overlaps no
//! entry that was accepted before. So all accepted entries together are no larger than the section. A reference
//! that leads nowhere gives a placeholder and a fault, never an error.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use otlp_mmap_format::{DictionaryHeader, EntryHeader, EntryKind, U64};

use crate::bytes::{len, size, view};
use crate::model::{Aggregation, KeyValue, MetricStream, Resource, Scope, Text};
use crate::source::Source;
use crate::{Error, Fault, Report, Rule, Section};

/// Largest entry that is read, in bytes: what the largest item could hold.
const MAX_ENTRY_SIZE: u64 = 1 << 24;
/// Largest text that may be used by reference, in bytes; longer text stands inline.
pub(crate) const MAX_REFERENCED_TEXT: usize = 1 << 16;
/// Bytes of damaged entries that are read before further ones are taken for damaged unread, in sizes of the
/// section: a bound for the time that a hostile file costs.
const DAMAGE_FACTOR: u64 = 4;

/// What has been read of a dictionary. Every value is immutable once published, so it never grows stale.
#[derive(Debug)]
pub(crate) struct Dictionary {
    section: Section,
    cache: HashMap<u32, Cached>,
    /// Start and end of accepted entries, from the start of the section.
    accepted: BTreeMap<u64, u64>,
    damaged_bytes: u64,
}

#[derive(Clone, Debug)]
struct Cached {
    value: Entry,
    /// What was wrong with the entry, and with those it refers to.
    faults: Arc<[Fault]>,
}

/// A decoded entry.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Text(Text),
    Resource(Arc<Resource>),
    Scope(Arc<Scope>),
    MetricStream(Arc<MetricStream>),
    AttributeSet(Arc<Vec<KeyValue>>),
    /// Damaged, or of a kind this version does not know.
    Unusable,
}

/// An entry whose header and CRC were checked.
pub(crate) struct RawEntry {
    /// Offset from the start of the file.
    pub(crate) offset: u64,
    /// Length of header and payload in bytes.
    pub(crate) length: u64,
    /// `EntryKind` number.
    pub(crate) kind: u32,
    payload: Vec<u8>,
}

impl Dictionary {
    pub(crate) fn new(section: Section) -> Self {
        Self { section, cache: HashMap::new(), accepted: BTreeMap::new(), damaged_bytes: 0 }
    }

    /// Reads and checks the entry at `at` bytes from the start of the section.
    fn raw_entry(&mut self, at: u64, source: &Source) -> Result<RawEntry, String> {
        let (offset, limit) = (self.section.offset + at, self.section.length);
        let read = |length| source.bytes(offset, length, "the dictionary").map_err(|e| e.to_string());
        if at < size(DictionaryHeader::SIZE) || at.saturating_add(size(EntryHeader::SIZE)) > limit {
            return Err(format!("it does not lie within the section's {limit} bytes"));
        }
        let header: EntryHeader = view(&read(EntryHeader::SIZE)?, 0).ok_or("no entry header")?;
        let length = u64::from(header.length.get());
        let room = (limit - at).min(MAX_ENTRY_SIZE);
        if length < size(EntryHeader::SIZE) || length > room {
            return Err(format!("length {length}, expected {} to {room}", EntryHeader::SIZE));
        }
        if self.damaged_bytes > limit.saturating_mul(DAMAGE_FACTOR) {
            return Err("not read, since too many entries are damaged".to_owned());
        }
        let bytes = read(len(length))?;
        let payload = bytes.get(EntryHeader::SIZE..).unwrap_or_default();
        let crc = crc32c::crc32c_append(crc32c::crc32c(bytes.get(..8).unwrap_or_default()), payload);
        if crc != header.crc.get() {
            self.damaged_bytes = self.damaged_bytes.saturating_add(length);
            return Err(format!("CRC32C {:#010x}, expected {crc:#010x}", header.crc.get()));
        }
        Ok(RawEntry { offset, length, kind: header.kind.get(), payload: payload.to_vec() })
    }

    /// As [`Self::raw_entry`], for an entry that overlaps no accepted one; accepts it.
    fn accept(&mut self, at: u64, source: &Source) -> Result<RawEntry, String> {
        let entry = self.raw_entry(at, source)?;
        let end = at + entry.length;
        let before = self.accepted.range(..end).next_back();
        if before.is_some_and(|(_, other_end)| *other_end > at) {
            return Err("the entry overlaps another one".to_owned());
        }
        self.accepted.insert(at, end);
        Ok(entry)
    }
}

/// Decodes with a dictionary at hand: looks references up, and reports what it meets.
pub(crate) struct Resolver<'a> {
    pub(crate) source: &'a Source,
    pub(crate) dictionary: &'a mut Dictionary,
    pub(crate) report: &'a mut Report,
    /// Dictionary faults that this report has already.
    pub(crate) reported: HashSet<(u64, Rule)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(source: &'a Source, dictionary: &'a mut Dictionary, report: &'a mut Report) -> Self {
        Self { source, dictionary, report, reported: HashSet::new() }
    }

    /// The text behind `reference`; `offset` is where the reference stands.
    pub(crate) fn text(&mut self, reference: u32, offset: u64) -> Text {
        match self.entry(reference, offset) {
            Some(Entry::Text(text)) => text,
            other => self.misfit(other.as_ref(), reference, offset, EntryKind::String),
        }
    }

    /// The resource behind `reference`.
    pub(crate) fn resource(&mut self, reference: u32, offset: u64) -> Arc<Resource> {
        match self.entry(reference, offset) {
            Some(Entry::Resource(resource)) => resource,
            other => {
                self.misfit(other.as_ref(), reference, offset, EntryKind::Resource);
                Arc::default()
            }
        }
    }

    /// The scope behind `reference`.
    pub(crate) fn scope(&mut self, reference: u32, offset: u64) -> Arc<Scope> {
        match self.entry(reference, offset) {
            Some(Entry::Scope(scope)) => scope,
            other => {
                let name = self.misfit(other.as_ref(), reference, offset, EntryKind::Scope);
                Arc::new(Scope { name, ..Scope::default() })
            }
        }
    }

    /// The metric stream behind `reference`; if it is missing, one with the aggregation `otherwise`.
    pub(crate) fn metric_stream(
        &mut self,
        reference: u32,
        offset: u64,
        otherwise: Aggregation,
    ) -> Arc<MetricStream> {
        match self.entry(reference, offset) {
            Some(Entry::MetricStream(stream)) => stream,
            other => {
                let name = self.misfit(other.as_ref(), reference, offset, EntryKind::MetricStream);
                let (scope, none) = (Arc::default(), Text::default());
                let (description, unit) = (none.clone(), none);
                Arc::new(MetricStream { scope, name, description, unit, aggregation: otherwise })
            }
        }
    }

    /// The attribute set behind `reference`; 0 is the empty one.
    pub(crate) fn attribute_set(&mut self, reference: u32, offset: u64) -> Arc<Vec<KeyValue>> {
        if reference == 0 {
            return Arc::default();
        }
        match self.entry(reference, offset) {
            Some(Entry::AttributeSet(attributes)) => attributes,
            other => {
                self.misfit(other.as_ref(), reference, offset, EntryKind::AttributeSet);
                Arc::default()
            }
        }
    }

    /// A placeholder for what is behind `reference`. An unusable entry was reported as such; one that is
    /// whole but of another kind is the fault of the reference.
    fn misfit(&mut self, found: Option<&Entry>, reference: u32, offset: u64, expected: EntryKind) -> Text {
        if found.is_some_and(|entry| !matches!(entry, Entry::Unusable)) {
            self.report.fault(offset, Rule::Reference, || {
                format!("dictionary entry {reference} is no {}", expected.name())
            });
        }
        format!("<bad reference {reference}>").into()
    }

    /// The entry behind `reference`, or `None` if there is none; that has been reported then.
    fn entry(&mut self, reference: u32, offset: u64) -> Option<Entry> {
        if let Some(cached) = self.dictionary.cache.get(&reference) {
            let cached = cached.clone();
            self.repeat_faults(&cached.faults);
            return Some(cached.value);
        }
        let at = u64::from(reference) * 8;
        let limit = self.dictionary.section.length;
        if at >= limit {
            self.report
                .fault(offset, Rule::Reference, || format!("reference {reference}: {at} is beyond {limit}"));
            return None;
        }
        let cached = self.load(reference, at);
        self.repeat_faults(&cached.faults);
        self.dictionary.cache.insert(reference, cached.clone());
        Some(cached.value)
    }

    /// Decodes the entry at `at` with a report of its own, so that its faults can be told again.
    fn load(&mut self, reference: u32, at: u64) -> Cached {
        let mut report = Report::default();
        let offset = self.dictionary.section.offset + at;
        let value = match self.dictionary.accept(at, self.source) {
            Ok(raw) => {
                let mut inner = Resolver::new(self.source, self.dictionary, &mut report);
                inner.decode_entry(&raw)
            }
            Err(detail) => {
                report.fault(offset, Rule::DictionaryEntry, || {
                    format!("entry {reference} is damaged: {detail}")
                });
                Entry::Unusable
            }
        };
        Cached { value, faults: report.faults.into() }
    }

    fn repeat_faults(&mut self, faults: &[Fault]) {
        for fault in faults {
            if self.reported.insert((fault.offset, fault.rule)) {
                self.report.fault(fault.offset, fault.rule, || fault.detail.clone());
            }
        }
    }

    fn decode_entry(&mut self, raw: &RawEntry) -> Entry {
        let payload = raw.payload.as_slice();
        let origin = raw.offset + size(EntryHeader::SIZE);
        match EntryKind::from_code(raw.kind) {
            Some(EntryKind::String) if payload.len() > MAX_REFERENCED_TEXT => {
                self.report.fault(raw.offset, Rule::DictionaryEntry, || {
                    format!("a string of {} bytes, expected at most {MAX_REFERENCED_TEXT}", payload.len())
                });
                Entry::Unusable
            }
            Some(EntryKind::String) => Entry::Text(self.utf8(payload, raw.offset)),
            Some(EntryKind::Resource) => Entry::Resource(Arc::new(self.decode_resource(payload, origin))),
            Some(EntryKind::Scope) => self.decode_scope(payload, origin),
            Some(EntryKind::MetricStream) => self.decode_metric_stream(payload, origin),
            Some(EntryKind::AttributeSet) => {
                Entry::AttributeSet(Arc::new(self.decode_attributes(payload, origin)))
            }
            None => Entry::Unusable,
        }
    }

    /// Every entry of the dictionary up to `end` bytes from its start, checked and decoded; gives the number of
    /// those that are whole. `whole`: nothing but entries lies before `end`.
    pub(crate) fn verify_dictionary(&mut self, end: u64, whole: bool) -> u64 {
        let (mut at, mut count, mut lost) = (size(DictionaryHeader::SIZE), 0, false);
        while at < end {
            match self.dictionary.raw_entry(at, self.source) {
                Ok(raw) => {
                    lost = false;
                    count += 1;
                    self.entry(u32::try_from(at / 8).unwrap_or(0), raw.offset);
                    at += raw.length.next_multiple_of(8);
                }
                // Behind a damaged entry an entry may stand at every multiple of 8.
                Err(detail) => {
                    if whole && !std::mem::replace(&mut lost, true) {
                        let offset = self.dictionary.section.offset + at;
                        self.report
                            .fault(offset, Rule::DictionaryEntry, || format!("no whole entry: {detail}"));
                    }
                    at += 8;
                }
            }
        }
        count
    }
}

/// Bytes of the dictionary that are published, at most the section's length.
pub(crate) fn published(section: &Section, source: &Source, report: &mut Report) -> Result<u64, Error> {
    let committed = source.read::<U64>(section.offset, "the dictionary")?.get();
    if committed > section.length || !committed.is_multiple_of(8) {
        let expected = section.length;
        report.fault(section.offset, Rule::Committed, || {
            format!("the dictionary has {expected} bytes and claims to use {committed}")
        });
    }
    Ok(committed.min(section.length))
}
