//! Observers of a file whose bytes change between polls and, by another thread, during a poll: entries of the segment
//! tables, noise and old pages in the segments, cuts and growth, a writer that dies or closes.
//!
//! Whatever changes, nothing is found that was never recorded, and what counts as missed stays within what the entries
//! ever claimed. Of a file that only goes on as it did when it was written, every record is found once or counted as
//! missed.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arbitrary::Arbitrary;
use otlp_mmap_format::{
    Acknowledged, Committed, FileState, PAGE_SIZE, STATE_OFFSET, SectionKind, SegmentEntry, U64, seal, unseal,
};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Batch, Observer, Recording, Rule};
use otlp_mmap_torture::damage::compare::{Identity, is_what_is_left, signal, without_position};

use crate::image::{self, Section, get};
use crate::memory::MemoryFile;
use crate::output::render;
use crate::sample::sample;

/// Most steps that are made.
const MAX_STEPS: usize = 24;
/// Most polls while another thread changes the file.
const MAX_POLLS: usize = 12;

/// A file that is followed.
#[derive(Arbitrary, Clone, Debug)]
pub struct Chase {
    same_boot: bool,
    unacknowledged: bool,
    /// Which of the sample's images it begins as.
    first: u8,
    /// The file only goes on, so that everything can be accounted for.
    honest: bool,
    steps: Vec<Step>,
}

/// What happens next. Numbers are taken modulo what is possible.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// An observer polls.
    Poll,
    /// Everything else that reads a file reads it.
    Look,
    /// The file becomes what it is at another time of its life; an honest file the next one.
    Image(u8),
    /// A page becomes what it is at another time.
    Page {
        page: u8,
        image: u8,
    },
    /// A word of a segment's entry, with a check that fits.
    Word {
        slot: u8,
        word: u8,
        generation: u8,
        low: u16,
    },
    Noise {
        at: u32,
        length: u8,
        seed: u8,
    },
    Erase {
        at: u32,
        length: u16,
    },
    Cut {
        at: u32,
    },
    Grow {
        pages: u8,
    },
    Close,
    /// The writer dies.
    Die,
    /// The next steps but polls and deaths are made by another thread, while this one polls.
    During {
        steps: u8,
    },
}

/// Follows the file and checks what is found.
pub fn run(chase: &Chase) {
    let mut file = Changing::new(chase);
    let Ok(recording) = file.file.recording() else { panic!("a whole header is refused") };
    let mut lock = Some(file.file.lock());
    let mut follower = Follower::new(&recording, chase);
    let mut steps = chase.steps.iter().take(MAX_STEPS);
    while let Some(step) = steps.next() {
        match *step {
            Step::Poll => follower.poll(&file),
            Step::Look => follower.look_at_everything(),
            Step::Die if !chase.honest => drop(lock.take()),
            Step::During { steps: count } if !chase.honest => {
                let batch: Vec<Step> = steps.by_ref().take(usize::from(count % 16)).copied().collect();
                follower.poll_during(&mut file, &batch);
            }
            step => file.apply(step, chase.honest),
        }
    }
    follower.poll(&file);
    drop(lock);
    follower.poll(&file);
    follower.look_at_everything();
    if chase.honest {
        follower.check_accounts(&file, usize::from(chase.first) % images().len());
    }
}

/// The sample at several times of its life, the latest last.
fn images() -> &'static [Vec<u8>] {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| sample().earlier.iter().chain([&sample().image]).cloned().collect())
}

/// Every record that was ever in the sample.
fn history() -> &'static HashMap<Identity, Record> {
    static HISTORY: OnceLock<HashMap<Identity, Record>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let records = sample().history.iter();
        records.map(|record| (Identity::of(record), without_position(record.clone()))).collect()
    })
}

/// Records present and ever published in an image, by signal.
fn accounts(number: usize) -> &'static [(u64, u64); 3] {
    static ACCOUNTS: OnceLock<Vec<[(u64, u64); 3]>> = OnceLock::new();
    let all = ACCOUNTS.get_or_init(|| {
        let of = |image: &Vec<u8>| {
            let file = MemoryFile::new();
            file.put(image);
            let snapshot = file.recording().and_then(|recording| recording.snapshot()).expect("a recording");
            let present = [snapshot.spans.len(), snapshot.events.len(), snapshot.measurements.len()];
            let mut present = present.iter().map(|count| *count as u64);
            snapshot.losses.signals.each_ref().map(|signal| (present.next().unwrap_or(0), signal.recorded))
        };
        images().iter().map(of).collect()
    });
    &all[number]
}

/// A file that changes.
struct Changing {
    file: MemoryFile,
    /// Which image it was last.
    image: usize,
    same_boot: bool,
    /// The largest base word that ever stood in an entry.
    most: u64,
}

impl Changing {
    fn new(chase: &Chase) -> Self {
        let first = usize::from(chase.first) % images().len();
        let mut changing =
            Self { file: MemoryFile::new(), image: first, same_boot: chase.same_boot, most: 0 };
        changing.become_image(first);
        changing
    }

    fn become_image(&mut self, number: usize) {
        self.image = number;
        let mut image = images()[number].clone();
        if self.same_boot {
            image::change_header(&mut image, |header| header.boot_id = image::this_boot());
        }
        // Segments before the words that publish what is in them, as a writer does.
        self.file.resize(image.len());
        let head = image::find(&image, SectionKind::Dictionary, None).map_or(0, |section| section.offset);
        self.file.write(head, &image[head..]);
        self.file.write(0, &image[..head]);
    }

    /// Makes a step; an honest file takes no other than that to its next image.
    fn apply(&mut self, step: Step, honest: bool) {
        let latest = images().len() - 1;
        match step {
            Step::Image(_) if honest => self.become_image((self.image + 1).min(latest)),
            Step::Image(number) => self.become_image(usize::from(number) % images().len()),
            _ if honest => {}
            Step::Close => self.file.write(STATE_OFFSET, &FileState::Closed.code().to_le_bytes()),
            Step::Page { page, image } => {
                let image = &images()[usize::from(image) % images().len()];
                let start = usize::from(page) % (image.len() / PAGE_SIZE) * PAGE_SIZE;
                self.file.write(start, &image[start..start + PAGE_SIZE]);
            }
            Step::Word { slot, word, generation, low } => self.put_word(slot, word, generation, low),
            Step::Noise { at, length, seed } => self.put_noise(at, length, seed),
            Step::Erase { at, length } => {
                self.file.write(segments_offset(at), &vec![0; usize::from(length % 8192)]);
            }
            Step::Cut { at } => self.file.resize(number(at) % images()[latest].len()),
            Step::Grow { pages } => self.file.resize(images()[latest].len() + usize::from(pages) * PAGE_SIZE),
            Step::Poll | Step::Look | Step::Die | Step::During { .. } => {}
        }
        self.most = self.most.max(self.largest_base());
    }

    fn put_word(&self, slot: u8, word: u8, generation: u8, low: u16) {
        let entries: Vec<usize> = tables().iter().flat_map(Section::entries).collect();
        let entry = entries[usize::from(slot) % entries.len()];
        let (generation, low) = (u32::from(generation), u32::from(low));
        let word = word % 6;
        let value = match word {
            0 => Committed { generation, bytes: low / 8 * 8 }.pack(),
            1 => Acknowledged { generation, closed: low % 2 == 1, records: low / 2 }.pack(),
            _ => seal(u64::from(low) << (generation % 24)),
        };
        self.file.write(entry + 8 * usize::from(word), &value.to_le_bytes());
    }

    /// Noise from a generator, so that the fuzzer cannot forge a CRC: that is no finding.
    fn put_noise(&self, at: u32, length: u8, seed: u8) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(seed) + 1);
        let noise = (0..=length).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[7]
        });
        self.file.write(segments_offset(at), &noise.collect::<Vec<u8>>());
    }

    fn largest_base(&self) -> u64 {
        let entries = tables().iter().flat_map(|table| {
            let bytes = self.file.read(table.offset, table.length);
            table
                .entries()
                .filter_map(|at| get::<SegmentEntry>(&bytes, at - table.offset))
                .collect::<Vec<_>>()
        });
        let bases = entries.flat_map(|entry| entry.base_records).filter_map(|word: U64| unseal(word.get()));
        bases.max().unwrap_or(0)
    }
}

fn tables() -> &'static [Section] {
    static TABLES: OnceLock<Vec<Section>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let sections = image::sections(&sample().image).into_iter();
        sections.filter(|section| section.kind == SectionKind::SegmentTable.code()).collect()
    })
}

/// An offset in the segments: elsewhere noise could be taken for content, since not everything has a CRC.
fn segments_offset(at: u32) -> usize {
    let sections = image::sections(&sample().image);
    let segments = sections.iter().filter(|section| section.kind == SectionKind::Segments.code());
    let first = segments.map(|section| section.offset).min().unwrap_or(0);
    first + number(at) % (sample().image.len() - first)
}

fn number(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// An observer and what it has found.
struct Follower<'a> {
    recording: &'a Recording,
    observer: Observer,
    found: HashSet<Identity>,
    counts: [u64; 3],
    missed: [u64; 3],
    /// Something of the dictionary could not be read, and stays unread.
    excused: bool,
    honest: bool,
}

impl<'a> Follower<'a> {
    fn new(recording: &'a Recording, chase: &Chase) -> Self {
        let unacknowledged = chase.unacknowledged && !chase.honest;
        let observer = if unacknowledged { recording.observe_unacknowledged() } else { recording.observe() };
        let mut follower = Self {
            recording,
            observer,
            found: HashSet::new(),
            counts: [0; 3],
            missed: [0; 3],
            excused: false,
            honest: chase.honest,
        };
        if chase.honest {
            follower.observe();
        }
        follower
    }

    /// Polls and checks; gives what was missed.
    fn observe(&mut self) -> [u64; 3] {
        let batch = self.observer.poll().expect("poll has no errors");
        self.check(&batch);
        batch.missed
    }

    fn poll(&mut self, file: &Changing) {
        let missed = self.observe();
        let slots: usize = tables().iter().map(|table| table.entry_count).sum();
        let limit = u128::from(file.most.max(file.largest_base())) * slots as u128;
        let sum: u128 = missed.iter().map(|count| u128::from(*count)).sum();
        assert!(sum <= limit, "{missed:?} were missed of at most {limit}");
    }

    /// Polls while another thread makes the steps.
    fn poll_during(&mut self, file: &mut Changing, steps: &[Step]) {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in steps {
                    file.apply(*step, false);
                }
                done.store(true, Ordering::Release);
            });
            for _ in 0..MAX_POLLS {
                self.observe();
                if done.load(Ordering::Acquire) {
                    break;
                }
            }
            self.look_at_everything();
        });
    }

    /// What others than observers read: any answer but a panic.
    fn look_at_everything(&mut self) {
        let _ = (self.recording.verify(), self.recording.losses(), self.recording.fill());
        let snapshot = self.recording.snapshot().expect("snapshot has no errors");
        render(&snapshot);
    }

    fn check(&mut self, batch: &Batch) {
        self.excused |= batch.report.omitted > 0;
        self.excused |= batch.report.faults.iter().any(|fault| fault.rule == Rule::Reference);
        for (sum, missed) in self.missed.iter_mut().zip(batch.missed) {
            *sum = sum.saturating_add(missed);
        }
        for record in &batch.records {
            let identity = Identity::of(record);
            let is_new = self.found.insert(identity);
            assert!(is_new || !self.honest, "found twice: {record:?}");
            let [spans, events, measurements] = &mut self.counts;
            *match record {
                Record::Span(_) => spans,
                Record::Event(_) => events,
                Record::Measurement(_) => measurements,
            } += 1;
            let Some(written) = history().get(&identity) else { panic!("invented: {record:?}") };
            assert_eq!(signal(record), signal(written));
            let record = without_position(record.clone());
            assert!(
                record == *written || (self.excused && is_what_is_left(&record, written)),
                "written: {written:?}\nfound: {record:?}\nfaults: {:?}",
                batch.report.faults
            );
        }
    }

    /// What was found and what was missed is what was published since.
    fn check_accounts(&self, file: &Changing, first: usize) {
        let (start, end) = (accounts(first), accounts(file.image));
        for signal in 0..3 {
            let gone = start[signal].1 - start[signal].0;
            let accounted = gone + self.counts[signal] + self.missed[signal];
            assert_eq!(accounted, end[signal].1, "signal {signal}: {:?} and {:?}", self.counts, self.missed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbitrary::Unstructured;

    use crate::random::Random;

    #[test]
    fn an_honest_file_is_accounted_for() {
        for (first, gap) in (0..).zip([1, 2, 3, 5]).take(images().len()) {
            let next = std::iter::repeat_n(Step::Image(0), gap);
            let round: Vec<Step> = next.chain([Step::Poll]).collect();
            let steps = (0..8).flat_map(|_| round.clone()).collect();
            run(&Chase { same_boot: true, unacknowledged: false, first, honest: true, steps });
        }
    }

    #[test]
    fn files_that_change_anyhow_are_followed() {
        let mut random = Random::new(1);
        for _ in 0..60 {
            let bytes: Vec<u8> = (0..300).map(|_| random.number().to_le_bytes()[4]).collect();
            run(&Chase::arbitrary(&mut Unstructured::new(&bytes)).expect("enough bytes"));
        }
    }
}
