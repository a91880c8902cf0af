//! Samplers: the built-in ones decide here, without Python code; any other object with `should_sample` is called.
//!
//! A built-in sampler is known by its class's `should_sample` being ours, so a subclass that overrides it is
//! called like a foreign one.

use super::identity::{Identity, SAMPLED, TraceState};
use super::setup::Links;
use crate::sdk::import::{self, Import};
use crate::sdk::log::Once;
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a sampler decides about a span.
#[derive(Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) is_recording: bool,
    pub(crate) is_sampled: bool,
}

impl Decision {
    /// The value of Python's `Decision`.
    pub(crate) fn value(self) -> u8 {
        u8::from(self.is_recording) + u8::from(self.is_sampled)
    }
}

const DROP: Decision = Decision { is_recording: false, is_sampled: false };
const RECORD_ONLY: Decision = Decision { is_recording: true, is_sampled: false };
const RECORD_AND_SAMPLE: Decision = Decision { is_recording: true, is_sampled: true };

/// What is known of a span before it starts.
pub(crate) struct Question<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) context: Option<&'a Bound<'py, PyAny>>,
    pub(crate) parent: Option<&'a Identity>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) name: &'a Bound<'py, PyAny>,
    pub(crate) kind: Option<&'a Bound<'py, PyAny>>,
    pub(crate) attributes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) links: Links<'a, 'py>,
}

/// A sampler's answer.
pub(crate) struct Answer {
    pub(crate) decision: Decision,
    /// The span's attributes instead of those it was started with.
    pub(crate) attributes: Option<Py<PyAny>>,
    pub(crate) trace_state: Option<Arc<TraceState>>,
}

/// A sampler.
pub(crate) enum Sampler {
    Static(Decision),
    /// Samples trace ids whose last 8 bytes are a number below the bound, up to 2^64.
    Ratio(u128),
    ParentBased(Box<ParentBased>),
    AlwaysRecord(Box<Sampler>),
    Foreign(Py<PyAny>),
}

/// Asks another sampler, by the parent.
pub(crate) struct ParentBased {
    root: Sampler,
    remote_sampled: Sampler,
    remote_not_sampled: Sampler,
    local_sampled: Sampler,
    local_not_sampled: Sampler,
}

static STATIC: Import = python("StaticSampler");
static RATIO: Import = python("TraceIdRatioBased");
static PARENT_BASED: Import = python("ParentBased");
static ALWAYS_RECORD: Import = python("AlwaysRecordSampler");

const fn python(class: &'static str) -> Import {
    Import::new("otlp_mmap.sdk.trace.sampling", class)
}

/// Looks up our samplers.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    import::load(py, &[&STATIC, &RATIO, &PARENT_BASED, &ALWAYS_RECORD])
}

impl Sampler {
    pub(crate) const ALWAYS_ON: Self = Self::Static(RECORD_AND_SAMPLE);

    /// Of a sampler object.
    pub(crate) fn of(sampler: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = sampler.py();
        let method = intern!(py, "should_sample");
        let own = sampler.get_type().getattr_opt(method)?;
        let is = |class: &Import| -> PyResult<bool> {
            let ours = class.get(py)?.getattr(method)?;
            Ok(own.as_ref().is_some_and(|own| own.is(&ours)))
        };
        let part = |name: &str| -> PyResult<Self> { Self::of(&sampler.getattr(name)?) };
        Ok(if is(&STATIC)? {
            match sampler.getattr("_decision")?.getattr("value")?.extract::<u8>()? {
                0 => Self::Static(DROP),
                1 => Self::Static(RECORD_ONLY),
                _ => Self::Static(RECORD_AND_SAMPLE),
            }
        } else if is(&RATIO)? {
            Self::Ratio(sampler.getattr("bound")?.extract()?)
        } else if is(&PARENT_BASED)? {
            Self::ParentBased(Box::new(ParentBased {
                root: part("_root")?,
                remote_sampled: part("_remote_parent_sampled")?,
                remote_not_sampled: part("_remote_parent_not_sampled")?,
                local_sampled: part("_local_parent_sampled")?,
                local_not_sampled: part("_local_parent_not_sampled")?,
            }))
        } else if is(&ALWAYS_RECORD)? {
            Self::AlwaysRecord(Box::new(part("_root")?))
        } else {
            Self::Foreign(sampler.clone().unbind())
        })
    }

    /// Decides about a span. A foreign sampler that fails lets the span be recorded and sampled.
    pub(crate) fn answer(&self, question: &Question<'_, '_>) -> Answer {
        let decision = match self {
            Self::Static(decision) => *decision,
            Self::Ratio(bound) => {
                let number = u128::from_be_bytes(question.trace_id) & u128::from(u64::MAX);
                if number < *bound { RECORD_AND_SAMPLE } else { DROP }
            }
            Self::ParentBased(samplers) => return samplers.of_parent(question.parent).answer(question),
            Self::AlwaysRecord(root) => {
                let mut answer = root.answer(question);
                answer.decision.is_recording = true;
                return answer;
            }
            Self::Foreign(sampler) => {
                return foreign(sampler, question).unwrap_or_else(|error| {
                    static SAID: Once = Once::new();
                    let message =
                        format_args!("a sampler failed, so its spans are sampled (said once): {error}");
                    SAID.said(question.py, super::LOGGER, message);
                    Answer::of(RECORD_AND_SAMPLE, question)
                });
            }
        };
        Answer::of(decision, question)
    }
}

impl ParentBased {
    fn of_parent(&self, parent: Option<&Identity>) -> &Sampler {
        let Some(parent) = parent else { return &self.root };
        match (parent.is_remote, parent.flags & SAMPLED != 0) {
            (true, true) => &self.remote_sampled,
            (true, false) => &self.remote_not_sampled,
            (false, true) => &self.local_sampled,
            (false, false) => &self.local_not_sampled,
        }
    }
}

impl Answer {
    /// With the attributes given and the parent's trace state.
    fn of(decision: Decision, question: &Question<'_, '_>) -> Self {
        let trace_state = question.parent.and_then(|parent| parent.trace_state.clone());
        Self { decision, attributes: None, trace_state }
    }
}

fn foreign(sampler: &Py<PyAny>, question: &Question<'_, '_>) -> PyResult<Answer> {
    let py = question.py;
    let trace_id = u128::from_be_bytes(question.trace_id);
    let kind = match question.kind {
        Some(kind) => kind.clone().unbind(),
        None => super::api::Kind::of(py, None)?.member(py)?,
    };
    let links = question.links.or_empty(py);
    let arguments = (question.context, trace_id, question.name, kind, question.attributes, links);
    let result = sampler.bind(py).call_method1(intern!(py, "should_sample"), arguments)?;
    let decision = result.getattr(intern!(py, "decision"))?;
    let says = |method| -> PyResult<bool> { decision.call_method0(method)?.is_truthy() };
    let decision = Decision {
        is_recording: says(intern!(py, "is_recording"))?,
        is_sampled: says(intern!(py, "is_sampled"))?,
    };
    Ok(Answer {
        decision,
        attributes: Some(result.getattr(intern!(py, "attributes"))?.unbind()),
        trace_state: TraceState::of(&result.getattr(intern!(py, "trace_state"))?)?,
    })
}
