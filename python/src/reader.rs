//! `Reader`: the reader crate's answers as Python objects.
//!
//! Every call reads the file, or every file of the directory, as it is then. Files that cannot be read hide no
//! others: they are listed by `faults`. The interpreter is released while files are read.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use crate::argument;
use crate::error::{Class, from_os};
use crate::model::Model;
use otlp_mmap_reader::{Error, Header, Liveness, Losses, Recording, Snapshot, recording_paths};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Reads a recording, or a directory of recordings: live, or after the process died.
///
/// Args:
///     path: a file, or a directory of `*.otlpmm` files.
///
/// Raises:
///     OSError: the path cannot be opened.
///     DamagedFileError: the file is no recording, or its header is damaged.
#[pyclass(frozen, module = "otlp_mmap")]
pub(crate) struct Reader {
    path: PathBuf,
    source: Source,
}

enum Source {
    File(Box<Recording>),
    /// Its files are opened one by one: there may be more than a process can have open.
    Directory,
}

#[pymethods]
impl Reader {
    #[new]
    fn new(py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        let path = argument::path(path)?;
        let source = py.detach(|| {
            if path.is_dir() {
                recording_paths(&path).map(|_| Source::Directory)
            } else {
                Recording::open(&path).map(|recording| Source::File(Box::new(recording)))
            }
        });
        let source = source.map_err(|error| raised(py, &path, &error))?;
        Ok(Self { path, source })
    }

    /// The path the reader was opened with.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The ended spans that are still held, sorted by end time.
    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut spans = self.collect(py, |snapshot| snapshot.spans)?;
        spans.sort_by_key(|span| span.end_time_unix_nano);
        list(py, &spans, Model::span)
    }

    /// The spans that have started and not ended, sorted by start time; of a dead process, those it died in.
    fn spans_in_flight<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut spans = self.collect(py, |snapshot| snapshot.spans_in_flight)?;
        spans.sort_by_key(|span| span.start_time_unix_nano);
        list(py, &spans, Model::span)
    }

    /// The events (log records) that are still held, sorted by time.
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut events = self.collect(py, |snapshot| snapshot.events)?;
        events.sort_by_key(|event| event.time_unix_nano);
        list(py, &events, Model::event)
    }

    /// The metric series with their cumulative values, each file's own.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let series = self.collect(py, |snapshot| snapshot.series)?;
        list(py, &series, Model::metric)
    }

    /// Counts by signal ("spans", "events", "measurements") and then by what happened, over all files.
    ///
    /// "recorded" counts the records ever published, "overwritten" those of them that gave way to newer ones.
    /// The others count what was not recorded, and why ("discarded", "block_timeout", "no_space", "busy",
    /// "cells_full", "invalid", "closed", "definition_lost", "exemplar_lost"), or was recorded less well than it
    /// was given ("truncated", "dictionary_full", "spilled", "cardinality_overflow").
    fn losses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts(py, &self.each(py, Recording::losses)?)
    }

    /// Header and state of every file, by name.
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let state = |recording: &Recording| Ok(State::of(recording));
        let class = py.import("otlp_mmap.model")?.getattr("FileInfo")?;
        let files = PyList::empty(py);
        for state in self.each(py, state)? {
            files.append(file_info(&class, &state)?)?;
        }
        Ok(files)
    }

    /// The damage in the files, found by checking every structure; a file that cannot be read is one fault.
    fn faults<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| self.found_faults()).map_err(|error| raised(py, &self.path, &error))?;
        let class = py.import("otlp_mmap.model")?.getattr("Fault")?;
        let faults = PyList::empty(py);
        for (path, offset, rule, detail) in found {
            faults.append(class.call1((path, offset, rule, detail))?)?;
        }
        Ok(faults)
    }

    fn __repr__(&self) -> String {
        format!("Reader('{}')", self.path.display())
    }
}

impl Reader {
    /// Hands every recording to `visit`, one at a time. Of a directory, a file that cannot be opened goes to
    /// `unreadable`.
    fn visit(
        &self,
        mut visit: impl FnMut(&Recording) -> Result<(), Error>,
        mut unreadable: impl FnMut(PathBuf, &Error),
    ) -> Result<(), Error> {
        if let Source::File(recording) = &self.source {
            return visit(recording);
        }
        for path in recording_paths(&self.path)? {
            match Recording::open(&path) {
                Ok(recording) => visit(&recording)?,
                // Removed since it was listed.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error) => unreadable(path, &error),
            }
        }
        Ok(())
    }

    /// One answer from every file that can be opened.
    fn each<T: Send>(&self, py: Python<'_>, ask: fn(&Recording) -> Result<T, Error>) -> PyResult<Vec<T>> {
        let answers = py.detach(|| {
            let mut answers = Vec::new();
            self.visit(|recording| ask(recording).map(|answer| answers.push(answer)), |_, _| {})?;
            Ok(answers)
        });
        answers.map_err(|error| raised(py, &self.path, &error))
    }

    /// One part of a snapshot of every file. Within a directory a file that fails is passed over.
    fn collect<T: Send>(&self, py: Python<'_>, part: fn(Snapshot) -> Vec<T>) -> PyResult<Vec<T>> {
        let collected = py.detach(|| {
            let mut items = Vec::new();
            let visit = |recording: &Recording| {
                match recording.snapshot() {
                    Ok(snapshot) => items.append(&mut part(snapshot)),
                    Err(error) if matches!(self.source, Source::File(_)) => return Err(error),
                    Err(_) => {}
                }
                Ok(())
            };
            self.visit(visit, |_, _| {})?;
            Ok(items)
        });
        collected.map_err(|error| raised(py, &self.path, &error))
    }

    fn found_faults(&self) -> Result<Vec<Found>, Error> {
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        let whole = |path, error: &Error| (path, 0, "file", error.to_string());
        let visit = |recording: &Recording| {
            let path = recording.path().to_owned();
            match recording.verify() {
                Ok(report) => found.extend(
                    report.faults.into_iter().map(|f| (path.clone(), f.offset, f.rule.name(), f.detail)),
                ),
                Err(error) => found.push(whole(path, &error)),
            }
            Ok(())
        };
        self.visit(visit, |path, error| unreadable.push(whole(path, error)))?;
        found.append(&mut unreadable);
        Ok(found)
    }
}

/// A fault: file, offset, rule, detail.
type Found = (PathBuf, u64, &'static str, String);

/// The counts of the recording in `file`; `path` serves for messages.
pub(crate) fn losses_of<'py>(py: Python<'py>, file: File, path: &Path) -> PyResult<Bound<'py, PyDict>> {
    let losses = py.detach(|| Recording::from_file(file, path)?.losses());
    counts(py, &[losses.map_err(|error| raised(py, path, &error))?])
}

/// Sums of the counts of several files, by signal and then by reason.
fn counts<'py>(py: Python<'py>, files: &[Losses]) -> PyResult<Bound<'py, PyDict>> {
    let mut sums: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for signal in files.iter().flat_map(|losses| &losses.signals) {
        let counts = sums.entry(snake_case(signal.signal.name())).or_default();
        let mut add = |name: &str, value: u64| *counts.entry(snake_case(name)).or_default() += value;
        add("Recorded", signal.recorded);
        add("Overwritten", signal.overwritten);
        for (counter, value) in &signal.counters {
            add(counter.name(), *value);
        }
    }
    sums.into_pyobject(py)
}

/// A name of the specification as Python writes it: `BlockTimeout` is `block_timeout`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn list<'py, T>(
    py: Python<'py>,
    items: &[T],
    convert: impl Fn(&mut Model<'py>, &T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut model = Model::new(py)?;
    let list = PyList::empty(py);
    for item in items {
        list.append(convert(&mut model, item)?)?;
    }
    Ok(list)
}

/// What is told of a file that is closed by then.
struct State {
    path: PathBuf,
    header: Header,
    liveness: Liveness,
}

impl State {
    fn of(recording: &Recording) -> Self {
        Self {
            path: recording.path().to_owned(),
            header: recording.header().clone(),
            liveness: recording.liveness(),
        }
    }
}

fn file_info<'py>(class: &Bound<'py, PyAny>, state: &State) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let State { path, header, liveness } = state;
    let fields = PyDict::new(py);
    fields.set_item("path", path)?;
    fields.set_item("version", format!("{}.{}", header.version.0, header.version.1))?;
    fields.set_item("file_id", PyBytes::new(py, &header.file_id))?;
    fields.set_item("parent_file_id", header.parent_file_id.map(|id| PyBytes::new(py, &id)))?;
    fields.set_item("pid", header.pid)?;
    fields.set_item("created_unix_nano", header.created_realtime_nanos)?;
    let state = match liveness {
        Liveness::Alive => "alive",
        Liveness::Closed { .. } => "closed",
        Liveness::Dead => "dead",
    };
    fields.set_item("state", state)?;
    class.call((), Some(&fields))
}

fn raised(py: Python<'_>, path: &Path, error: &Error) -> PyErr {
    match error {
        // What the operating system did not refuse is about the file.
        Error::Io { what, path, source } if source.raw_os_error().is_some() => from_os(what, path, source),
        // The others of this kind name the file themselves.
        Error::Io { .. } => Class::DamagedFile.error(py, error),
        _ => Class::DamagedFile.error(py, format_args!("{}: {error}", path.display())),
    }
}
