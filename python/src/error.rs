//! Exceptions: the classes of `otlp_mmap.errors`, and what the errors of the Rust crates become.

use otlp_mmap_writer::Error;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::fmt::Display;
use std::io;
use std::path::Path;

/// An exception class of `otlp_mmap.errors`.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    InvalidValue,
    InvalidType,
    UnknownReference,
    UnknownSpan,
    DuplicateSpan,
    Closed,
    Capacity,
    DamagedFile,
    Other,
}

impl Class {
    const ALL: [Self; 9] = [
        Self::InvalidValue,
        Self::InvalidType,
        Self::UnknownReference,
        Self::UnknownSpan,
        Self::DuplicateSpan,
        Self::Closed,
        Self::Capacity,
        Self::DamagedFile,
        Self::Other,
    ];
    const COUNT: usize = Self::ALL.len();

    const fn name(self) -> &'static str {
        match self {
            Self::InvalidValue => "InvalidValueError",
            Self::InvalidType => "InvalidTypeError",
            Self::UnknownReference => "UnknownReferenceError",
            Self::UnknownSpan => "UnknownSpanError",
            Self::DuplicateSpan => "DuplicateSpanError",
            Self::Closed => "ClosedError",
            Self::Capacity => "CapacityError",
            Self::DamagedFile => "DamagedFileError",
            Self::Other => "OtlpMmapError",
        }
    }

    /// An exception of this class.
    pub(crate) fn error(self, py: Python<'_>, message: impl Display) -> PyErr {
        match self.class(py) {
            Ok(class) => PyErr::from_type(class.clone(), message.to_string()),
            Err(error) => error,
        }
    }

    fn class(self, py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
        static CLASSES: [PyOnceLock<Py<PyType>>; Class::COUNT] = [const { PyOnceLock::new() }; Class::COUNT];
        CLASSES[self as usize].import(py, "otlp_mmap.errors", self.name())
    }
}

/// Looks all classes up.
pub(crate) fn load(py: Python<'_>) -> PyResult<()> {
    Class::ALL.into_iter().try_for_each(|class| class.class(py).map(drop))
}

/// `InvalidTypeError` for an argument that is not what was expected.
pub(crate) fn wrong_type(argument: impl Display, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let found = value.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    Class::InvalidType.error(value.py(), format_args!("{argument}: expected {expected}, got {found}"))
}

/// `InvalidValueError` for an argument.
pub(crate) fn wrong_value(py: Python<'_>, argument: impl Display, reason: impl Display) -> PyErr {
    Class::InvalidValue.error(py, format_args!("{argument}: {reason}"))
}

/// What the writer's error becomes.
pub(crate) fn from_writer(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error {
        Error::Io { what, path, source } => return from_os(what, path, source),
        Error::Invalid { .. } => Class::InvalidValue,
        Error::UnknownReference { .. } => Class::UnknownReference,
        Error::UnknownSpan { .. } => Class::UnknownSpan,
        Error::DuplicateSpan { .. } => Class::DuplicateSpan,
        Error::Closed => Class::Closed,
        Error::DictionaryFull | Error::NoSpace | Error::Busy | Error::CellsFull => Class::Capacity,
        _ => Class::Other,
    };
    class.error(py, error)
}

/// Whether an error says that a record was lost for want of room. The file counts it; nothing is raised.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(error, Error::Discarded | Error::BlockTimeout | Error::NoSpace | Error::Busy | Error::CellsFull)
}

/// `OSError` with `errno`, a message and `filename`; Python picks the subclass by `errno`.
pub(crate) fn from_os(what: &str, path: &Path, source: &io::Error) -> PyErr {
    match source.raw_os_error() {
        Some(errno) => {
            let reason = source.to_string().replace(&format!(" (os error {errno})"), "");
            PyOSError::new_err((
                errno,
                format!("{reason} (cannot {})", what.trim_start_matches("cannot ")),
                path.as_os_str().to_owned(),
            ))
        }
        None => PyOSError::new_err(format!("{what}: {}: {source}", path.display())),
    }
}
