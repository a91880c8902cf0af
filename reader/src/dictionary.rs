//! The dictionary: looked up as it is needed, cached by reference (SPEC "Dictionary").
//!
//! An entry counts only if it lies within the published part of the section, its CRC fits, and it overlaps no
//! entry that was accepted before. So all accepted entries together are no larger than the section, and hold no more
//! zeros than a file may (`zeros`). A reference
//! that leads nowhere is a fault, told once in each report, and stands for nothing: an empty text, scope or set.
//! Only an entry of the expected kind is decoded, so that definitions lead to definitions no further than from a
//! metric stream to its scope, its resource and their keys, whatever a file holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use otlp_mmap_format::{DictionaryHeader, EntryHeader, EntryKind, U64, unseal};

use crate::bytes::{len, size, view};
use crate::model::{KeyValue, MetricStream, Resource, Scope, Text};
use crate::pool::damaged_word;
use crate::source::Source;
use crate::window::Window;
use crate::zeros::Zeros;
use crate::{Error, Fault, Header, Report, Rule, Section};

/// Largest entry that is read, in bytes: what the largest item could hold.
const MAX_ENTRY_SIZE: u64 = 1 << 24;
/// Bytes that are read at once when one entry after another is looked at: more would cost too much in a file of holes.
pub(crate) const WINDOW: usize = 4096;
/// Bytes that are read at once for one entry: most have fewer, so that one read is enough.
const ONE_ENTRY: usize = 128;
/// Bytes of refused entries that are read before further ones are refused unread, in sizes of the section: a bound
/// for the time that a hostile file costs.
const REFUSED_FACTOR: u64 = 4;
/// The same in bytes, since a section may be larger than what the file takes on its disk.
const MAX_REFUSED: u64 = 1 << 30;

/// Most bytes of text that the references of one record, span in flight or definition stand for, each counted as
/// often as it stands there. So a record that is written out anew, with its texts in place of their references, is
/// no larger than what it holds and this much more.
pub(crate) const MAX_EXPANSION: u64 = 1 << 24;

/// What has been read of a dictionary. Every value is immutable once published, so it never grows stale.
#[derive(Debug)]
pub(crate) struct Dictionary {
    section: Section,
    file_id: [u8; 16],
    cache: HashMap<u32, Cached>,
    /// Start and end of accepted entries, from the start of the section.
    accepted: BTreeMap<u64, u64>,
    /// Bytes of entries that were read and are damaged, overlap another one or hold too many zeros.
    pub(crate) refused_bytes: u64,
    /// Those in entries that are kept.
    zeros: Zeros,
    /// Bytes known to be published.
    published: u64,
    /// References that lead behind what is published are faults, though whole entries may stand there.
    trusted: bool,
}

#[derive(Clone, Debug)]
struct Cached {
    value: Entry,
    faults: Arc<Faults>,
}

/// What was wrong with an entry, and with those it refers to. Shared, since many entries may refer to a bad one.
#[derive(Debug, Default)]
struct Faults {
    own: Vec<Fault>,
    others: Vec<Arc<Faults>>,
}

/// A decoded entry.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Text(Text),
    Resource(Arc<Resource>),
    Scope(Arc<Scope>),
    MetricStream(Arc<MetricStream>),
    AttributeSet(Arc<Vec<KeyValue>>),
    /// Whole, but so far not asked for as what it is.
    Undecoded(Arc<RawEntry>),
    /// Whole, but a later version's: what it defines is left out without a fault.
    Foreign,
    /// Damaged, or of a kind this version does not know; and why.
    Unusable(Arc<str>),
}

impl Entry {
    /// The kind it was decoded as.
    fn kind(&self) -> Option<EntryKind> {
        match self {
            Self::Text(_) => Some(EntryKind::String),
            Self::Resource(_) => Some(EntryKind::Resource),
            Self::Scope(_) => Some(EntryKind::Scope),
            Self::MetricStream(_) => Some(EntryKind::MetricStream),
            Self::AttributeSet(_) => Some(EntryKind::AttributeSet),
            _ => None,
        }
    }
}

/// An entry whose header and CRC were checked.
#[derive(Debug)]
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
    pub(crate) fn new(header: &Header, trusted: bool) -> Self {
        let (cache, accepted) = (HashMap::new(), BTreeMap::new());
        let (section, file_id) = (header.dictionary, header.file_id);
        let zeros = Zeros::default();
        Self { section, file_id, cache, accepted, refused_bytes: 0, zeros, published: 0, trusted }
    }

    /// The identity of the file.
    pub(crate) fn file_id(&self) -> [u8; 16] {
        self.file_id
    }

    /// Reads and checks the entry at `at` bytes from the start of the section.
    pub(crate) fn raw_entry(&mut self, at: u64, window: &mut Window<'_>) -> Result<RawEntry, String> {
        let (offset, limit) = (self.section.offset + at, self.section.length);
        let what = "the dictionary";
        if at < size(DictionaryHeader::SIZE) || at.saturating_add(size(EntryHeader::SIZE)) > limit {
            return Err(format!("it does not lie within the section's {limit} bytes"));
        }
        let header: EntryHeader =
            view(window.bytes(offset, EntryHeader::SIZE, what).map_err(|e| e.to_string())?, 0)
                .ok_or("no entry header")?;
        let length = u64::from(header.length.get());
        let room = (limit - at).min(MAX_ENTRY_SIZE);
        if length < size(EntryHeader::SIZE) || length > room {
            return Err(format!("length {length}, expected {} to {room}", EntryHeader::SIZE));
        }
        if self.refused_bytes > limit.saturating_mul(REFUSED_FACTOR).min(MAX_REFUSED) {
            return Err("not read, since too many entries are damaged".to_owned());
        }
        let bytes = window.bytes(offset, len(length), what).map_err(|e| e.to_string())?;
        let payload = bytes.get(EntryHeader::SIZE..).unwrap_or_default();
        let crc = crc32c::crc32c_append(crc32c::crc32c(bytes.get(..8).unwrap_or_default()), payload);
        if crc != header.crc.get() {
            self.refused_bytes = self.refused_bytes.saturating_add(length);
            return Err(format!("CRC32C {:#010x}, expected {crc:#010x}", header.crc.get()));
        }
        Ok(RawEntry { offset, length, kind: header.kind.get(), payload: payload.to_vec() })
    }

    /// As [`Self::raw_entry`], for an entry that is kept; accepts it.
    fn accept(&mut self, at: u64, source: &Source) -> Result<RawEntry, String> {
        // An entry may have been published since an earlier look.
        let entry = self.raw_entry(at, &mut Window::new(source, ONE_ENTRY))?;
        if let Err(detail) = self.may_keep(at, &entry, source) {
            self.refused_bytes = self.refused_bytes.saturating_add(entry.length);
            return Err(detail);
        }
        self.accepted.insert(at, at + entry.length);
        Ok(entry)
    }

    /// Only an entry that overlaps no accepted one is kept, and not too many zeros.
    fn may_keep(&mut self, at: u64, entry: &RawEntry, source: &Source) -> Result<(), String> {
        let before = self.accepted.range(..at + entry.length).next_back();
        if before.is_some_and(|(_, other_end)| *other_end > at) {
            return Err("the entry overlaps another one".to_owned());
        }
        self.zeros.keep(&entry.payload, source)
    }
}

/// Decodes with a dictionary at hand: looks references up, and reports what it meets.
pub(crate) struct Resolver<'a> {
    pub(crate) source: &'a Source,
    pub(crate) dictionary: &'a mut Dictionary,
    pub(crate) report: &'a mut Report,
    /// Faults inside of entries that this report has already.
    told: HashSet<(u64, Rule)>,
    /// Addresses of the faults of entries that this report has already.
    told_entries: HashSet<usize>,
    /// Decoding an entry: the faults of those it refers to, which are told with its own.
    met: Option<Vec<Arc<Faults>>>,
    /// Bad references that this report has already.
    bad: HashSet<u32>,
    /// Bytes of text that the references of this record or definition stand for so far.
    expanded: u64,
    /// Those in the records of this reading.
    pub(crate) record_zeros: Zeros,
    /// Those in the series of this reading.
    pub(crate) series_zeros: Zeros,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(source: &'a Source, dictionary: &'a mut Dictionary, report: &'a mut Report) -> Self {
        let (told, told_entries, bad) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (record_zeros, series_zeros) = (Zeros::default(), Zeros::default());
        Self {
            source,
            dictionary,
            report,
            told,
            told_entries,
            met: None,
            bad,
            expanded: 0,
            record_zeros,
            series_zeros,
        }
    }

    /// Another record begins, for which [`MAX_EXPANSION`] counts anew.
    pub(crate) fn begin_record(&mut self) {
        self.expanded = 0;
    }

    /// The key behind `reference`; `offset` is where the reference stands.
    pub(crate) fn key(&mut self, reference: u32, offset: u64) -> Option<Text> {
        match self.entry(reference, offset, EntryKind::String) {
            Ok(Entry::Text(text)) => self.expand(text, reference, offset),
            other => self.misfit(other, reference, offset, EntryKind::String),
        }
    }

    /// A text as long as its record or definition has not too much of them; told once for each of those.
    fn expand(&mut self, text: Text, reference: u32, offset: u64) -> Option<Text> {
        let before = self.expanded;
        self.expanded = before.saturating_add(size(text.len()));
        if self.expanded <= MAX_EXPANSION {
            return Some(text);
        }
        if before <= MAX_EXPANSION {
            self.report.fault(offset, Rule::Reference, || {
                format!("with reference {reference}, shared texts make more than {MAX_EXPANSION} bytes")
            });
        }
        None
    }

    /// The text behind `reference`; empty if there is none.
    pub(crate) fn text(&mut self, reference: u32, offset: u64) -> Text {
        self.key(reference, offset).unwrap_or_default()
    }

    /// The resource behind `reference`; an empty one if there is none.
    pub(crate) fn resource(&mut self, reference: u32, offset: u64) -> Arc<Resource> {
        match self.entry(reference, offset, EntryKind::Resource) {
            Ok(Entry::Resource(resource)) => resource,
            other => self.misfit(other, reference, offset, EntryKind::Resource).unwrap_or_default(),
        }
    }

    /// The scope behind `reference`; an empty one if there is none.
    pub(crate) fn scope(&mut self, reference: u32, offset: u64) -> Arc<Scope> {
        match self.entry(reference, offset, EntryKind::Scope) {
            Ok(Entry::Scope(scope)) => scope,
            other => self.misfit(other, reference, offset, EntryKind::Scope).unwrap_or_default(),
        }
    }

    /// The metric stream behind `reference`, without which a number has no meaning.
    pub(crate) fn metric_stream(&mut self, reference: u32, offset: u64) -> Option<Arc<MetricStream>> {
        match self.entry(reference, offset, EntryKind::MetricStream) {
            Ok(Entry::MetricStream(stream)) => Some(stream),
            Ok(Entry::Foreign) => None,
            other => self.misfit(other, reference, offset, EntryKind::MetricStream),
        }
    }

    /// The attribute set behind `reference`; 0 is the empty one, and so is one that is not there.
    pub(crate) fn attribute_set(&mut self, reference: u32, offset: u64) -> Arc<Vec<KeyValue>> {
        if reference == 0 {
            return Arc::default();
        }
        match self.entry(reference, offset, EntryKind::AttributeSet) {
            Ok(Entry::AttributeSet(attributes)) => attributes,
            other => self.misfit(other, reference, offset, EntryKind::AttributeSet).unwrap_or_default(),
        }
    }

    /// Tells that `reference` does not lead to what is expected.
    fn misfit<T>(
        &mut self,
        found: Result<Entry, String>,
        reference: u32,
        offset: u64,
        expected: EntryKind,
    ) -> Option<T> {
        let detail = match found {
            Err(detail) => detail,
            Ok(Entry::Unusable(detail)) => detail.to_string(),
            Ok(_) => "the entry is of another kind".to_owned(),
        };
        if self.bad.insert(reference) {
            self.report.fault(offset, Rule::Reference, || {
                format!("reference {reference} to a {}: {detail}", expected.name())
            });
        }
        None
    }

    /// The entry behind `reference`, decoded if it is of the expected kind; or why there is none.
    fn entry(&mut self, reference: u32, offset: u64, expected: EntryKind) -> Result<Entry, String> {
        if let Some(cached) = self.dictionary.cache.get(&reference) {
            let mut cached = cached.clone();
            if let Entry::Undecoded(raw) = &cached.value
                && raw.kind == expected.code()
            {
                cached = self.decode_apart(raw);
                self.dictionary.cache.insert(reference, cached.clone());
            }
            self.tell(&cached, expected);
            return Ok(cached.value);
        }
        let at = u64::from(reference) * 8;
        let limit = self.dictionary.section.length;
        if at >= limit {
            return Err(format!("{at} is beyond the {limit} bytes of the dictionary"));
        }
        let cached = self.load(at, expected);
        self.tell(&cached, expected);
        if !matches!(cached.value, Entry::Unusable(_)) {
            self.check_published(reference, at, offset);
        }
        self.dictionary.cache.insert(reference, cached.clone());
        Ok(cached.value)
    }

    /// A record refers to published entries only. One that is whole is used all the same: it proves itself, and
    /// it is the published length that is damaged.
    fn check_published(&mut self, reference: u32, at: u64, offset: u64) {
        if !self.dictionary.trusted || at < self.dictionary.published {
            return;
        }
        let published = published(&self.dictionary.section, self.source, &mut Report::default());
        self.dictionary.published = published.map_or(0, |known| known.unwrap_or(u64::MAX));
        if at >= self.dictionary.published && self.bad.insert(reference) {
            self.report.fault(offset, Rule::Reference, || {
                format!("reference {reference} leads behind the published entries")
            });
        }
    }

    /// Reads the entry at `at`, and decodes it if it is of the expected kind.
    fn load(&mut self, at: u64, expected: EntryKind) -> Cached {
        let value = match self.dictionary.accept(at, self.source) {
            Ok(raw) if raw.kind == expected.code() => return self.decode_apart(&raw),
            Ok(raw) if EntryKind::from_code(raw.kind).is_some() => Entry::Undecoded(Arc::new(raw)),
            Ok(raw) => Entry::Unusable(format!("unknown kind of entry {}", raw.kind).into()),
            Err(detail) => Entry::Unusable(detail.into()),
        };
        Cached { value, faults: Arc::default() }
    }

    /// Decodes an entry with a report of its own, so that its faults can be told again.
    fn decode_apart(&mut self, raw: &RawEntry) -> Cached {
        let mut report = Report::default();
        let mut apart = Resolver::new(self.source, self.dictionary, &mut report);
        apart.met = Some(Vec::new());
        let value = apart.decode_entry(raw);
        let others = apart.met.unwrap_or_default();
        Cached { value, faults: Arc::new(Faults { own: report.faults, others }) }
    }

    /// Tells what is wrong with an entry, once. One of another kind is not used: that alone is its fault.
    fn tell(&mut self, cached: &Cached, expected: EntryKind) {
        let Faults { own, others } = &*cached.faults;
        let is_other = cached.value.kind().is_some_and(|kind| kind != expected);
        if is_other || (own.is_empty() && others.is_empty()) {
            return;
        }
        match &mut self.met {
            None => self.tell_all(&cached.faults),
            Some(met) => {
                let is_new = self.told_entries.insert(Arc::as_ptr(&cached.faults).addr());
                met.extend(Some(Arc::clone(&cached.faults)).filter(|_| is_new));
            }
        }
    }

    /// As deep as definitions refer to definitions.
    fn tell_all(&mut self, faults: &Arc<Faults>) {
        if !self.told_entries.insert(Arc::as_ptr(faults).addr()) {
            return;
        }
        faults.others.iter().for_each(|other| self.tell_all(other));
        for fault in &faults.own {
            if self.told.insert((fault.offset, fault.rule)) {
                self.report.fault(fault.offset, fault.rule, || fault.detail.clone());
            }
        }
    }

    fn decode_entry(&mut self, raw: &RawEntry) -> Entry {
        let payload = raw.payload.as_slice();
        let origin = raw.offset + size(EntryHeader::SIZE);
        match EntryKind::from_code(raw.kind) {
            Some(EntryKind::String) => Entry::Text(self.utf8(payload, raw.offset)),
            Some(EntryKind::Resource) => Entry::Resource(Arc::new(self.decode_resource(payload, origin))),
            Some(EntryKind::Scope) => self.decode_scope(payload, origin),
            Some(EntryKind::MetricStream) => self.decode_metric_stream(payload, origin),
            Some(EntryKind::AttributeSet) => {
                Entry::AttributeSet(Arc::new(self.decode_attributes(payload, origin)))
            }
            None => Entry::Unusable(format!("unknown kind of entry {}", raw.kind).into()),
        }
    }

    /// Every entry of the dictionary up to `end` bytes from its start, checked and decoded; gives the number of
    /// those that are whole. Nothing but entries lies before `published`.
    pub(crate) fn verify_dictionary(&mut self, end: u64, published: u64) -> u64 {
        let (mut at, mut count, mut lost) = (size(DictionaryHeader::SIZE), 0, false);
        let start = self.dictionary.section.offset;
        let mut window = Window::new(self.source, WINDOW);
        while at < end {
            match self.dictionary.raw_entry(at, &mut window) {
                Ok(raw) => {
                    lost = false;
                    count += 1;
                    self.verify_entry(at, &raw);
                    at += raw.length.next_multiple_of(8);
                }
                // Behind a damaged entry an entry may stand at every multiple of 8.
                Err(detail) => {
                    if at < published && !std::mem::replace(&mut lost, true) {
                        let detail = || format!("no whole entry: {detail}");
                        self.report.fault(start + at, Rule::DictionaryEntry, detail);
                    }
                    let next = window.next_content(start + at + 8, start + end);
                    at = next.map_or(end, |next| (next - start) / 8 * 8);
                }
            }
        }
        count
    }

    /// Decodes an entry for the faults in it; one that cannot be decoded is a fault of its own.
    fn verify_entry(&mut self, at: u64, raw: &RawEntry) {
        let Ok(reference) = u32::try_from(at / 8) else { return };
        let kind = EntryKind::from_code(raw.kind);
        let found = self.entry(reference, raw.offset, kind.unwrap_or(EntryKind::String));
        if let (Ok(Entry::Unusable(detail)), Some(_)) = (found, kind) {
            self.report.fault(raw.offset, Rule::DictionaryEntry, || detail.to_string());
        }
    }
}

/// Bytes of the dictionary that are published, at most the section's length; `None` if the word that says so is
/// damaged.
pub(crate) fn published(
    section: &Section,
    source: &Source,
    report: &mut Report,
) -> Result<Option<u64>, Error> {
    let word = source.read::<U64>(section.offset, "the dictionary")?;
    let Some(committed) = unseal(word.get()) else {
        damaged_word("the dictionary's committed", word, section.offset, Rule::Committed, report);
        return Ok(None);
    };
    let least = size(DictionaryHeader::SIZE);
    if committed < least || committed > section.length || !committed.is_multiple_of(8) {
        let expected = section.length;
        report.fault(section.offset, Rule::Committed, || {
            format!("the dictionary has {expected} bytes and claims to use {committed}")
        });
    }
    Ok(Some(committed.min(section.length)))
}
