//! What a reader may find in a damaged recording, by what it found in the whole one.
//!
//! A thing that is read (a record, a span in flight, a series, a number) may be gone only if the damage hit its own
//! bytes, and with a fault that says so; another only in what the bytes that were hit feed, where no check guards
//! them ([`super::unchecked`]). It may have lost names only if the damage hit a dictionary entry that it refers to, and its
//! number in the segment only if the damage hit the segment's entry. Nothing else may change, and nothing may come
//! that was not there.

use super::disk::Disk;
use super::facts::{OF_NAMES, differing};
use super::found::{Change, Found, Value, change as change_of, differences, found};
use super::image::{Reading, Section, get, index};
use super::map::{Key, Map, Region, Thing};
use super::unchecked::{Effect, PRESENCE};
use otlp_mmap_format::{HEADER_SIZE, PAGE_SIZE, STATE_OFFSET, SectionKind, Signal, U64};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Error, Fault, Report, Rule, Snapshot};
use std::collections::HashMap;
use std::ops::Range;

/// A whole recording, read in one way.
pub(super) struct Whole {
    pub(super) name: String,
    pub(super) reading: Reading,
    /// Whether the reading leaves the state of the file as the vector has it.
    pub(super) is_own_state: bool,
    pub(super) image: Vec<u8>,
    pub(super) map: Map,
    snapshot: Snapshot,
    verified: Report,
    pub(super) found: Found,
    /// Spans in flight that are left out for their SPAN records.
    hidden: Found,
    /// Where each thing stands in the map.
    things: HashMap<Key, usize>,
}

/// What a reader found.
pub(super) struct Look {
    snapshot: Snapshot,
    verified: Report,
}

impl Look {
    /// What was read.
    pub(super) fn found(&self) -> Found {
        found(self.snapshot.clone())
    }

    /// What `verify` found.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.verified.faults
    }
}

/// Reads everything.
pub(super) fn look(disk: &Disk) -> Result<Look, Error> {
    let recording = disk.recording()?;
    let snapshot = recording.snapshot()?;
    let verified = recording.verify()?;
    // Numbers that are only shown: neither a panic nor a hang either.
    let _ = (recording.fill(), recording.liveness());
    Ok(Look { snapshot, verified })
}

impl Whole {
    /// Reads the whole image.
    pub(super) fn new(name: &str, reading: Reading, mut image: Vec<u8>) -> Self {
        let state = get::<U64>(&image, STATE_OFFSET);
        reading.prepare(&mut image);
        let is_own_state = get::<U64>(&image, STATE_OFFSET) == state;
        let Look { snapshot, verified } = look(&Disk::new(&image)).expect("a recording");
        let map = Map::of(&image);
        let things = map.things.iter().enumerate().map(|(at, thing)| (thing.key, at)).collect();
        let found = found(snapshot.clone());
        let hidden = hidden(&image);
        Self {
            name: name.to_owned(),
            reading,
            is_own_state,
            image,
            map,
            snapshot,
            verified,
            found,
            hidden,
            things,
        }
    }

    /// Judges what is read after a bit of a region flipped.
    pub(super) fn judge_flip(
        &self,
        region: &Region,
        at: usize,
        look: Result<Look, Error>,
    ) -> Result<(), String> {
        let look = match look {
            Err(error) => return self.judge_refusal(&(at..at + 1), &error),
            Ok(_) if at < STATE_OFFSET => return Err("a damaged header was read".to_owned()),
            Ok(look) => look,
        };
        match region.unchecked.map(|row| row.effect) {
            Some(Effect::Nothing) => self.judge_nothing(&look),
            Some(Effect::Own(_)) => {
                self.judge_faults(at, &look.verified)?;
                self.judge_look(&(at..at + 1), look)
            }
            None => {
                self.judge_place(&region.structure, &look.verified)?;
                self.judge_look(&(at..at + 1), look)
            }
        }
    }

    /// A file may only be refused for its header, and then the error names the place.
    pub(super) fn judge_refusal(&self, touched: &Range<usize>, error: &Error) -> Result<(), String> {
        let text = error.to_string();
        let cut = touched.end == self.image.len() && touched.start < HEADER_SIZE;
        let is_clear = text.contains("offset") || (cut && matches!(error, Error::TooShort { .. }));
        let is_header = touched.start < STATE_OFFSET || cut;
        if is_clear && is_header { Ok(()) } else { Err(format!("refused: {text}")) }
    }

    /// Everything is as before.
    pub(super) fn judge_nothing(&self, look: &Look) -> Result<(), String> {
        if look.verified != self.verified {
            return Err(format!("verify found {:?}", look.verified));
        }
        if look.snapshot.report != self.snapshot.report {
            return Err(format!("faults {:?}", look.snapshot.report.faults));
        }
        if look.snapshot == self.snapshot {
            return Ok(());
        }
        let differences = differences(&self.found, &found(look.snapshot.clone()));
        if differences.is_empty() { Ok(()) } else { Err(format!("changed: {differences:?}")) }
    }

    /// `verify` names the place, unless the damage was there before and this mends it.
    fn judge_place(&self, structure: &Range<usize>, verified: &Report) -> Result<(), String> {
        let named =
            |report: &Report| report.faults.iter().any(|fault| structure.contains(&index(fault.offset)));
        if named(verified) || named(&self.verified) {
            return Ok(());
        }
        Err(format!("verify names no place in {structure:?}: {:?}", verified.faults))
    }

    /// As [`Self::judge_place`], for a page and the structures that lie in it.
    pub(super) fn judge_page(&self, page: &Range<usize>, look: &Look) -> Result<(), String> {
        let structures = self.guarded(page);
        let judge = |place: &Range<usize>| self.judge_place(place, &look.verified);
        if structures.is_empty() || judge(page).is_ok() {
            return Ok(());
        }
        let judged = structures.iter().map(judge);
        judged.reduce(Result::or).unwrap_or(Ok(()))
    }

    /// Bytes that no check guards are a fault at most in what they belong to.
    fn judge_faults(&self, at: usize, verified: &Report) -> Result<(), String> {
        let new = verified.faults.iter().filter(|fault| !self.verified.faults.contains(fault));
        let things = || self.map.things.iter().filter(|thing| thing.holds(at));
        for fault in new {
            let place = index(fault.offset);
            if !things().any(|thing| thing.holds(place)) {
                return Err(format!("a fault elsewhere: {fault}"));
            }
        }
        Ok(())
    }

    /// `verify` tells that bytes are missing, and nothing changed that they have nothing to do with.
    pub(super) fn judge_cut(&self, missing: &Range<usize>, look: Look) -> Result<(), String> {
        if !look.verified.faults.iter().any(|fault| fault.rule == Rule::Unreadable) {
            return Err(format!("not said to be cut: {:?}", look.verified.faults));
        }
        self.judge_things(&Damage { bytes: missing.clone(), is_cut: true }, look)
    }

    /// No thing changed that has nothing to do with the damage.
    pub(super) fn judge_look(&self, touched: &Range<usize>, look: Look) -> Result<(), String> {
        self.judge_things(&Damage { bytes: touched.clone(), is_cut: false }, look)
    }

    fn judge_things(&self, damage: &Damage, look: Look) -> Result<(), String> {
        let Look { snapshot, verified } = look;
        if snapshot.series == self.snapshot.series
            && snapshot.spans == self.snapshot.spans
            && snapshot.events == self.snapshot.events
            && snapshot.measurements == self.snapshot.measurements
            && snapshot.spans_in_flight == self.snapshot.spans_in_flight
            && snapshot.losses == self.snapshot.losses
        {
            return Ok(());
        }
        let after = found(snapshot);
        for (key, change) in differences(&self.found, &after) {
            if !self.is_allowed(key, change, damage, &after, &verified.faults) {
                let (before, after, faults) = (self.found.get(&key), after.get(&key), &verified.faults);
                return Err(format!(
                    "{key:?} is {change:?}: faults {faults:?}, was {before:?}, is {after:?}"
                ));
            }
        }
        Ok(())
    }

    fn is_allowed(&self, key: Key, change: Change, damage: &Damage, after: &Found, faults: &[Fault]) -> bool {
        let touched = &damage.bytes;
        let is_hit = |range: &Range<usize>| overlap(touched, range);
        let Some(thing) = self.things.get(&key).map(|at| &self.map.things[*at]) else { return false };
        let hit = self.hit(thing, damage);
        if matches!(key, Key::Recorded(_) | Key::Overwritten(_)) {
            return hit.is_checked;
        }
        let names = || self.map.names(&thing.words).any(|entry| is_hit(&entry.bytes));
        match change {
            Change::Lost => {
                let tells =
                    |fault: &Fault| thing.holds(index(fault.offset)) || fault.rule == Rule::Unreadable;
                let is_told = || faults.iter().any(tells);
                let is_fed = hit.is_weak() && (hit.feeds(PRESENCE) || is_told());
                hit.is_checked || is_fed || (needs_stream(self.found.get(&key)) && names())
            }
            Change::Moved => thing.slot.as_ref().is_some_and(is_hit),
            Change::Less if names() => true,
            Change::Less | Change::Other => {
                let differing = differing(&self.found[&key], &after[&key]);
                let is_name = |fact: &str| OF_NAMES.contains(&fact) && names();
                !differing.is_empty() && differing.into_iter().all(|fact| hit.feeds(fact) || is_name(fact))
            }
            Change::Added => {
                let mended = hit.is_checked && matches!(key, Key::Record(..));
                let hidden = self.hidden.get(&key).map(|hidden| differing(hidden, &after[&key]));
                let is_as_hidden = hidden.unwrap_or_default().into_iter().all(|fact| hit.feeds(fact));
                let shown = hit.feeds(PRESENCE) && is_as_hidden;
                mended || shown || self.is_uncovered(key, after, touched, names)
            }
        }
    }

    /// Whether a span in flight was left out for its SPAN record, which may be gone.
    fn is_uncovered(
        &self,
        key: Key,
        after: &Found,
        touched: &Range<usize>,
        names: impl Fn() -> bool,
    ) -> bool {
        let hidden = self.hidden.get(&key).zip(after.get(&key));
        let is_hidden = hidden.is_some_and(|(hidden, now)| match change_of(hidden, now) {
            None => true,
            Some(change) => change == Change::Less && names(),
        });
        is_hidden && self.spans_touched(touched)
    }

    /// What damage hit of a thing's own bytes.
    fn hit(&self, thing: &Thing, damage: &Damage) -> Hit {
        let (touched, mut hit) = (&damage.bytes, Hit::default());
        for bytes in thing.bytes.iter().filter(|bytes| overlap(touched, bytes)) {
            let damaged = bytes.start.max(touched.start)..bytes.end.min(touched.end);
            for region in self.map.hit(&damaged) {
                // That bytes are not there needs no check to be noticed.
                hit.is_checked |= damage.is_cut || region.unchecked.is_none();
                if let Some(Effect::Own(facts)) = region.unchecked.map(|row| row.effect) {
                    hit.rows.push(facts);
                }
            }
        }
        hit
    }

    /// Whether a thing may be gone if a page is another one.
    pub(super) fn may_be_lost(&self, key: Key, page: &Range<usize>) -> bool {
        let Some(thing) = self.things.get(&key).map(|at| &self.map.things[*at]) else { return false };
        let touches = |range: &Range<usize>| overlap(range, page);
        let names = || self.map.names(&thing.words).any(|entry| touches(&entry.bytes));
        thing.bytes.iter().any(touches) || (needs_stream(self.found.get(&key)) && names())
    }

    /// A thing as it is, or a span in flight that is left out for its SPAN record.
    pub(super) fn ever(&self, key: Key) -> Option<&Value> {
        self.hidden.get(&key).or_else(|| self.found.get(&key))
    }

    /// Whether a SPAN record may be gone.
    fn spans_touched(&self, touched: &Range<usize>) -> bool {
        let recorded = self.things[&Key::Recorded(Signal::Spans.code())];
        let bytes = &self.map.things[recorded].bytes;
        bytes.iter().any(|range| overlap(touched, range))
    }
}

/// Bytes that are others, or gone.
struct Damage {
    bytes: Range<usize>,
    /// The file ends before them.
    is_cut: bool,
}

/// What damage hit of a thing.
#[derive(Debug, Default)]
struct Hit {
    /// Bytes that a check guards.
    is_checked: bool,
    /// What the others feed.
    rows: Vec<&'static [&'static str]>,
}

impl Hit {
    /// Bytes that feed something, and that no check guards.
    fn is_weak(&self) -> bool {
        !self.rows.is_empty()
    }

    fn feeds(&self, fact: &str) -> bool {
        self.rows.iter().any(|facts| facts.contains(&fact))
    }
}

/// Without its stream a number has no meaning.
fn needs_stream(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Series(_) | Value::Record(Record::Measurement(_))))
}

pub(super) fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The spans in flight of an image without SPAN records.
fn hidden(image: &[u8]) -> Found {
    let mut image = image.to_vec();
    for kind in [SectionKind::SegmentTable, SectionKind::Segments] {
        let bytes = Section::find(&image, kind, Some(Signal::Spans)).bytes;
        image[bytes].fill(0);
    }
    let snapshot = look(&Disk::new(&image)).expect("a recording").snapshot;
    found(snapshot).into_iter().filter(|(key, _)| matches!(key, Key::InFlight(_))).collect()
}

/// Pages of an image.
pub(super) fn pages(image: &[u8]) -> impl Iterator<Item = Range<usize>> + use<> {
    let length = image.len();
    (0..length.div_ceil(PAGE_SIZE)).map(move |page| page * PAGE_SIZE..((page + 1) * PAGE_SIZE).min(length))
}
