//! Enumerations and classes of the API that spans show: `SpanKind`, `StatusCode`, `Status`.

use crate::sdk::import::Import;
use otlp_mmap_writer::{SpanKind, StatusCode};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// A span's kind: the index of a member of the API's `SpanKind`.
#[derive(Clone, Copy)]
pub(crate) struct Kind(u8);

const KINDS: [(&str, SpanKind); 5] = [
    ("INTERNAL", SpanKind::Internal),
    ("SERVER", SpanKind::Server),
    ("CLIENT", SpanKind::Client),
    ("PRODUCER", SpanKind::Producer),
    ("CONSUMER", SpanKind::Consumer),
];

fn kinds(py: Python<'_>) -> PyResult<&[Py<PyAny>; 5]> {
    static MEMBERS: PyOnceLock<[Py<PyAny>; 5]> = PyOnceLock::new();
    members(py, &MEMBERS, "SpanKind", KINDS.map(|(name, _)| name))
}

fn members<'py, const N: usize>(
    py: Python<'py>,
    cache: &'py PyOnceLock<[Py<PyAny>; N]>,
    class: &str,
    names: [&str; N],
) -> PyResult<&'py [Py<PyAny>; N]> {
    cache.get_or_try_init(py, || {
        let class = py.import("opentelemetry.trace")?.getattr(class)?;
        let found: Vec<_> =
            names.iter().map(|name| class.getattr(*name).map(Bound::unbind)).collect::<PyResult<_>>()?;
        found.try_into().map_err(|_| pyo3::exceptions::PyTypeError::new_err("another number of members"))
    })
}

impl Kind {
    /// Of an argument; `None` and what is no kind are INTERNAL.
    pub(crate) fn of(py: Python<'_>, kind: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(kind) = kind else { return Ok(Self(0)) };
        let found = kinds(py)?.iter().position(|member| kind.is(member));
        Ok(Self(found.and_then(|found| u8::try_from(found).ok()).unwrap_or(0)))
    }

    /// The API's member.
    pub(crate) fn member(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(kinds(py)?[usize::from(self.0)].clone_ref(py))
    }

    pub(crate) fn recorded(self) -> SpanKind {
        KINDS[usize::from(self.0)].1
    }
}

/// Status codes, by the index of the API's member.
pub(crate) const UNSET: u8 = 0;
pub(crate) const OK: u8 = 1;
pub(crate) const ERROR: u8 = 2;

/// A span's status.
pub(crate) struct Status {
    /// `UNSET`, `OK` or `ERROR`.
    pub(crate) code: u8,
    pub(crate) description: Option<Py<PyString>>,
    /// The API's object, if the application gave one.
    object: Option<Py<PyAny>>,
}

fn codes(py: Python<'_>) -> PyResult<&[Py<PyAny>; 3]> {
    static MEMBERS: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
    members(py, &MEMBERS, "StatusCode", ["UNSET", "OK", "ERROR"])
}

/// The index of a member of `StatusCode`.
pub(crate) fn status_code(code: &Bound<'_, PyAny>) -> PyResult<Option<u8>> {
    let found = codes(code.py())?.iter().position(|member| code.is(member));
    Ok(found.and_then(|found| u8::try_from(found).ok()))
}

/// The API's class `Status`.
static STATUS: Import = Import::new("opentelemetry.trace", "Status");

/// Looks up the classes and their members.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    kinds(py)?;
    codes(py)?;
    STATUS.get(py).map(drop)
}

impl Status {
    pub(crate) const UNSET: Self = Self { code: UNSET, description: None, object: None };

    /// An error.
    pub(crate) fn error(description: Bound<'_, PyString>) -> Self {
        Self { code: ERROR, description: Some(description.unbind()), object: None }
    }

    /// Of a `Status` of the API; `None` if it is something else.
    pub(crate) fn of(status: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = status.py();
        if !status.is_instance(STATUS.get(py)?)? {
            return Ok(None);
        }
        let code = status_code(&status.getattr(intern!(py, "status_code"))?)?.unwrap_or(UNSET);
        let description = status.getattr(intern!(py, "description"))?;
        let description = description.cast_into::<PyString>().ok().map(Bound::unbind);
        Ok(Some(Self { code, description, object: Some(status.clone().unbind()) }))
    }

    /// Of a member of `StatusCode`; the API says what is wrong with a description.
    pub(crate) fn of_code(code: u8, description: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(description) = description.filter(|description| !description.is_none()) else {
            return Ok(Self { code, description: None, object: None });
        };
        let py = description.py();
        match description.cast::<PyString>() {
            Ok(text) if code == ERROR => Ok(Self::error(text.clone())),
            _ => {
                let member = &codes(py)?[usize::from(code)];
                let made = STATUS.get(py)?.call1((member, description))?;
                Ok(Self::of(&made)?.unwrap_or(Self::UNSET))
            }
        }
    }

    /// As the API's `Status`.
    pub(crate) fn to_api(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(object) = &self.object {
            return Ok(object.clone_ref(py));
        }
        let member = &codes(py)?[usize::from(self.code)];
        STATUS.get(py)?.call1((member, &self.description)).map(Bound::unbind)
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            code: self.code,
            description: self.description.as_ref().map(|description| description.clone_ref(py)),
            object: self.object.as_ref().map(|object| object.clone_ref(py)),
        }
    }

    pub(crate) fn recorded(&self) -> StatusCode {
        [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][usize::from(self.code)]
    }
}
