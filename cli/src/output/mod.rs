//! Where records go: a format, and a file or three to write it to.

pub mod jsonl;
mod otlp;
#[cfg(test)]
mod properties;
pub mod text;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use otlp_mmap_format::MAGIC;
use otlp_mmap_reader::model::Record;

use self::otlp::Batch;
use self::text::Text;
use crate::args::Format;
use crate::paint::Paint;
use crate::record::{OwnedRecord, Signal};

/// A record and the name of the recording it came from.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) file: Arc<str>,
    pub(crate) record: OwnedRecord,
}

impl Item {
    pub(crate) fn new(file: &Arc<str>, record: Record) -> Self {
        Self { file: Arc::clone(file), record: OwnedRecord::Record(record) }
    }

    /// What records of all files are ordered by.
    pub(crate) fn time(&self) -> u64 {
        self.record.view().time_unix_nano()
    }
}

/// Writes records in a format.
pub(crate) struct Output<'a> {
    format: Format,
    paint: Paint,
    sinks: Sinks<'a>,
    /// OTLP JSON documents are written once, at the end.
    documents: Batch,
    /// OTLP JSON lines that hold one record and are too long all the same.
    too_long: u64,
}

/// Where the bytes go.
pub(crate) enum Sinks<'a> {
    /// To one stream.
    One(Box<dyn Write + 'a>),
    /// To one file for traces, one for metrics and one for logs; `None`: the signal is not wanted, and what it had
    /// would go nowhere.
    Each([Option<BufWriter<File>>; 3], io::Sink),
}

/// OTLP's signals: what has a message, and a file, of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtlpSignal {
    Traces,
    Metrics,
    Logs,
}

impl OtlpSignal {
    const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    fn of(signal: Signal) -> Self {
        match signal {
            Signal::Spans => Self::Traces,
            Signal::Events => Self::Logs,
            Signal::Metrics | Signal::Measurements => Self::Metrics,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Traces => 0,
            Self::Metrics => 1,
            Self::Logs => 2,
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Traces => "traces.jsonl",
            Self::Metrics => "metrics.jsonl",
            Self::Logs => "logs.jsonl",
        }
    }
}

impl<'a> Output<'a> {
    pub(crate) fn new(format: Format, paint: Paint, sinks: Sinks<'a>) -> Self {
        Self { format, paint, sinks, documents: Batch::default(), too_long: 0 }
    }

    /// Writes records in their order, OTLP JSON documents excepted: those are written by [`Output::finish`].
    pub(crate) fn write(&mut self, items: Vec<Item>) -> io::Result<()> {
        match self.format {
            Format::Text => items.iter().try_for_each(|item| {
                let record = item.record.view();
                let sink = self.sinks.of(OtlpSignal::of(record.signal()));
                writeln!(sink, "{}", Text { record, paint: self.paint })
            }),
            Format::Jsonl => items.iter().try_for_each(|item| {
                let record = item.record.view();
                let sink = self.sinks.of(OtlpSignal::of(record.signal()));
                writeln!(sink, "{}", jsonl::line(record, &item.file))
            }),
            Format::OtlpJsonl => {
                self.too_long += items.into_iter().collect::<Batch>().write_lines(&mut self.sinks)?;
                Ok(())
            }
            Format::OtlpJson => {
                self.documents.extend(items);
                Ok(())
            }
        }
    }

    /// Lines written since the last call that a receiver may refuse for their length.
    pub(crate) fn take_too_long(&mut self) -> u64 {
        std::mem::take(&mut self.too_long)
    }

    /// Hands on what is buffered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.sinks {
            Sinks::One(sink) => sink.flush(),
            Sinks::Each(files, _) => files.iter_mut().flatten().try_for_each(Write::flush),
        }
    }

    /// Writes what is written once. `wanted`: signals whose document is written even if it is empty.
    pub(crate) fn finish(mut self, wanted: &[OtlpSignal]) -> io::Result<()> {
        if self.format == Format::OtlpJson {
            self.documents.write_documents(wanted, &mut self.sinks)?;
        }
        self.flush()
    }
}

impl Sinks<'_> {
    /// One file, which is replaced.
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        Ok(Self::One(Box::new(create(path)?)))
    }

    /// The files of the wanted signals in a directory, which is made if need be.
    pub(crate) fn directory(path: &Path, wanted: &[OtlpSignal]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut files = [None, None, None];
        for signal in OtlpSignal::ALL {
            if wanted.contains(&signal) {
                files[signal.index()] = Some(create(&path.join(signal.file_name()))?);
            }
        }
        Ok(Self::Each(files, io::sink()))
    }

    /// Where a signal goes.
    fn of(&mut self, signal: OtlpSignal) -> &mut dyn Write {
        match self {
            Self::One(sink) => sink,
            Self::Each(files, nowhere) => match &mut files[signal.index()] {
                Some(file) => file,
                None => nowhere,
            },
        }
    }
}

/// The OTLP signals that these signals make, each once.
pub(crate) fn otlp_signals(signals: &[Signal]) -> Vec<OtlpSignal> {
    let wanted = |otlp: &OtlpSignal| signals.iter().any(|signal| OtlpSignal::of(*signal) == *otlp);
    OtlpSignal::ALL.into_iter().filter(wanted).collect()
}

/// A file to write to, which is replaced. A recording never is, whatever it is called.
fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    if path.extension().is_some_and(|extension| extension == "otlpmm") {
        bail!("{} has the name of a recording and is not replaced", path.display());
    }
    let file = replace(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Opens a file for writing, and empties it after a look at what it holds.
fn replace(path: &Path) -> io::Result<File> {
    let open = |read| OpenOptions::new().read(read).write(true).create(true).truncate(false).open(path);
    // A pipe that is opened for reading too has a reader for ever; a file may be there for writing alone.
    let special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    let file = match open(!special) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => open(false)?,
        opened => opened?,
    };
    if file.metadata()?.is_file() {
        let mut magic = [0; MAGIC.len()];
        if file.read_exact_at(&mut magic, 0).is_ok() && magic == MAGIC {
            return Err(io::Error::other("it is a recording and is not replaced"));
        }
        file.set_len(0)?;
    }
    Ok(file)
}

/// Refuses to write over what is read: `output` being one of `inputs` under any name.
pub(crate) fn refuse_input(output: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let same = |input: &PathBuf| match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(output)) => input == output,
        _ => false,
    };
    if inputs.iter().any(same) {
        bail!("{} is to be read and is not replaced", output.display());
    }
    Ok(())
}
