//! Records in a private copy of a segment (SPEC "Segments", "Records").
//!
//! [`Walk`] goes from record to record. A record whose check does not fit ends nothing: the walk goes on at the
//! next multiple of 8 bytes where a later record of the same generation stands. Work is linear in the copy; zeros are
//! passed by the page.

use otlp_mmap_format::{RecordHeader, record_check};

use crate::bytes::{len, size, view};
use crate::{Header, Report, Rule, zeros};

/// What the records of a file are checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRules {
    key: u64,
    crc: bool,
}

/// A whole record in a copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Start of the record in the copy.
    pub(crate) at: usize,
    /// Its checked header.
    pub(crate) header: RecordHeader,
}

impl RecordRules {
    pub(crate) fn of(header: &Header) -> Self {
        Self { key: header.record_key(), crc: header.record_crc }
    }

    /// The header at `at` if its length lies within `copy` and its check fits.
    pub(crate) fn frame(&self, copy: &[u8], at: usize) -> Option<Frame> {
        let header: RecordHeader = view(copy, at)?;
        let length = header.length.get();
        let end = at.checked_add(len(u64::from(length)))?;
        if len(u64::from(length)) < RecordHeader::SIZE || !length.is_multiple_of(8) || end > copy.len() {
            return None;
        }
        let (record_type, flags) = (header.record_type.get(), header.flags.get());
        let (generation, index) = (header.generation.get(), header.index.get());
        let check = record_check(self.key, length, record_type, flags, generation, index);
        (check == header.check.get()).then_some(Frame { at, header })
    }

    /// Whether the CRC of a record fits, or there is none.
    pub(crate) fn crc_fits(&self, copy: &[u8], frame: &Frame) -> bool {
        if !self.crc {
            return true;
        }
        let record = frame.bytes(copy);
        let head = crc32c::crc32c(record.get(..16).unwrap_or_default());
        crc32c::crc32c_append(head, record.get(24..).unwrap_or_default()) == frame.header.crc.get()
    }

    /// The newest generation of which `copy` holds a whole record; if there is none, the newest of any record. For
    /// files whose committed words may be older than what they speak of.
    pub(crate) fn newest_generation(&self, copy: &[u8]) -> Option<u32> {
        let (mut newest_whole, mut newest): (Option<u32>, Option<u32>) = (None, None);
        let mut at = 0;
        while at < copy.len() {
            let Some(frame) = self.frame(copy, at) else {
                at = next_place(copy, at);
                continue;
            };
            let generation = frame.header.generation.get();
            let is_newest = |newest: Option<u32>| newest.is_none_or(|newest| is_newer(generation, newest));
            if is_newest(newest) {
                newest = Some(generation);
            }
            if is_newest(newest_whole) && self.crc_fits(copy, &frame) {
                newest_whole = Some(generation);
            }
            at += frame.length();
        }
        newest_whole.or(newest)
    }
}

/// The next multiple of 8 behind `at` where a record may stand: none begins with 8 zeros.
fn next_place(copy: &[u8], at: usize) -> usize {
    let next = at.saturating_add(8);
    let zeros = zeros::leading(copy.get(next..).unwrap_or_default());
    next.saturating_add(zeros / 8 * 8)
}

/// Whether `one` comes after `other`; generations start again behind the largest. 0 comes before all.
pub(crate) fn is_newer(one: u32, other: u32) -> bool {
    if one == 0 || other == 0 { one > other } else { one.wrapping_sub(other).cast_signed() > 0 }
}

impl Frame {
    /// Length of the record in bytes, at least that of its header.
    pub(crate) fn length(&self) -> usize {
        len(u64::from(self.header.length.get()))
    }

    /// Number of the record within its generation.
    fn index(&self) -> u64 {
        self.header.index.get().into()
    }

    /// The record's bytes in the copy it was found in.
    pub(crate) fn bytes<'a>(&self, copy: &'a [u8]) -> &'a [u8] {
        copy.get(self.at..self.at.saturating_add(self.length())).unwrap_or_default()
    }
}

/// Where a walk stands; what it needs to go on in a later copy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Generation whose records count.
    pub(crate) generation: u32,
    /// Index the next record must have. None has one behind the last that fits into a record's header.
    pub(crate) next_index: u64,
    /// The bytes before were damaged, so that a later index is no new fault.
    pub(crate) damaged: bool,
}

/// What stands in a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Records up to this length, and perhaps more that follow without a gap.
    Published(usize),
    /// Records among bytes of no meaning; but up to this length bytes that are no record were one.
    Remnants(usize),
}

/// Goes through the records of one generation in a copy.
pub(crate) struct Walk<'a> {
    rules: RecordRules,
    copy: &'a [u8],
    /// Offset of the copy in the file.
    origin: u64,
    at: usize,
    place: Place,
    /// Start of damage that is not reported yet.
    damage: Option<usize>,
    expect: Expect,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(rules: RecordRules, copy: &'a [u8], origin: u64, place: Place, expect: Expect) -> Self {
        Self { rules, copy, origin, at: 0, place, damage: None, expect }
    }

    /// Where the walk stands.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The next record that is whole.
    pub(crate) fn next(&mut self, report: &mut Report) -> Option<Frame> {
        while self.at < self.copy.len() {
            let expected = self.expected_frame();
            if self.is_behind_published() && expected.is_none_or(|frame| self.is_gap(&frame)) {
                break;
            }
            let Some(frame) = expected else {
                self.damage.get_or_insert(self.at);
                self.at = self.next_place();
                continue;
            };
            self.report_damage(self.at, report);
            self.report_gap(&frame, report);
            self.at += frame.length();
            self.place.next_index = frame.index() + 1;
            self.place.damaged = false;
            if self.rules.crc_fits(self.copy, &frame) {
                return Some(frame);
            }
            let offset = self.origin + size(frame.at);
            report.fault(offset, Rule::RecordCrc, || describe(&frame));
        }
        match self.expect {
            Expect::Published(_) => self.report_damage(self.at, report),
            Expect::Remnants(published) if self.damage.is_some_and(|start| start < published) => {
                self.report_damage(published, report);
            }
            Expect::Remnants(_) => {}
        }
        None
    }

    /// Where a record may stand behind what is none. It is looked for where what is published ends, too, though
    /// zeros stand there.
    fn next_place(&self) -> usize {
        let next = next_place(self.copy, self.at);
        match self.expect {
            Expect::Published(length) => next.min(length.max(self.at.saturating_add(8))),
            Expect::Remnants(_) => next,
        }
    }

    fn expected_frame(&self) -> Option<Frame> {
        let frame = self.rules.frame(self.copy, self.at)?;
        let same = frame.header.generation.get() == self.place.generation;
        (same && frame.index() >= self.place.next_index).then_some(frame)
    }

    fn is_behind_published(&self) -> bool {
        matches!(self.expect, Expect::Published(length) if self.at >= length)
    }

    fn is_gap(&self, frame: &Frame) -> bool {
        frame.index() != self.place.next_index
    }

    /// Reports the damage before `end`.
    fn report_damage(&mut self, end: usize, report: &mut Report) {
        let Some(start) = self.damage.take() else { return };
        let already = std::mem::replace(&mut self.place.damaged, true);
        if already && start == 0 {
            return;
        }
        let Place { generation, next_index, .. } = self.place;
        let bytes = end.min(self.copy.len()).saturating_sub(start);
        report.fault(self.origin + size(start), Rule::RecordCheck, || {
            format!("no record of generation {generation} and index {next_index} in {bytes} bytes")
        });
    }

    fn report_gap(&self, frame: &Frame, report: &mut Report) {
        let (expected, found) = (self.place.next_index, frame.index());
        if self.is_gap(frame) && !self.place.damaged {
            let offset = self.origin + size(frame.at);
            report.fault(offset, Rule::RecordIndex, || format!("expected record {expected}, found {found}"));
        }
    }
}

fn describe(frame: &Frame) -> String {
    let header = frame.header;
    let (index, generation, crc) = (header.index.get(), header.generation.get(), header.crc.get());
    format!("record {index} of generation {generation} does not have the CRC32C {crc:#010x}")
}
