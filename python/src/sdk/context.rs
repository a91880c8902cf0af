//! The current context and the current span, without a call of Python code where the standard runtime is in use.
//!
//! `opentelemetry.context` keeps the current context (a dictionary) in a context variable. The variable is read and
//! set by its C interface; with another runtime (`OTEL_PYTHON_CONTEXT`) its methods are called.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

/// What is needed of `opentelemetry-api`; looked up once.
struct Api {
    /// The namespace of `opentelemetry.context`, whose `_RUNTIME_CONTEXT` is the runtime in use.
    namespace: Py<PyDict>,
    /// The standard runtime and its context variable, if that is the one in use.
    standard: Option<(Py<PyAny>, Py<PyAny>)>,
    /// The class of contexts.
    context: Py<PyAny>,
    /// The key of the current span in a context.
    span_key: Py<PyAny>,
    /// The class `SpanContext`.
    span_context: Py<PyAny>,
    /// The class `TraceFlags`.
    trace_flags: Py<PyAny>,
}

fn api(py: Python<'_>) -> PyResult<&Api> {
    static API: PyOnceLock<Api> = PyOnceLock::new();
    API.get_or_try_init(py, || {
        let module = py.import("opentelemetry.context")?;
        let trace = py.import("opentelemetry.trace")?;
        let runtime = module.getattr("_RUNTIME_CONTEXT")?;
        let standard =
            py.import("opentelemetry.context.contextvars_context")?.getattr("ContextVarsRuntimeContext")?;
        let variable =
            runtime.get_type().is(&standard).then(|| runtime.getattr("_current_context")).transpose()?;
        Ok(Api {
            namespace: module.dict().unbind(),
            standard: variable.map(|variable| (runtime.unbind(), variable.unbind())),
            context: module.getattr("Context")?.unbind(),
            span_key: py.import("opentelemetry.trace.propagation")?.getattr("_SPAN_KEY")?.unbind(),
            span_context: trace.getattr("SpanContext")?.unbind(),
            trace_flags: trace.getattr("TraceFlags")?.unbind(),
        })
    })
}

/// Looks up what is needed of `opentelemetry-api`.
pub(super) fn load(py: Python<'_>) -> PyResult<()> {
    api(py).map(drop)
}

impl Api {
    fn runtime<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let runtime = self.namespace.bind(py).get_item(intern!(py, "_RUNTIME_CONTEXT"))?;
        runtime.ok_or_else(|| PyTypeError::new_err("opentelemetry.context has no runtime"))
    }

    /// The context variable, if the standard runtime is in use.
    fn variable(&self, runtime: &Bound<'_, PyAny>) -> Option<&Py<PyAny>> {
        self.standard.as_ref().filter(|(standard, _)| runtime.is(standard)).map(|(_, variable)| variable)
    }
}

/// The current context.
pub(crate) fn current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let api = api(py)?;
    let runtime = api.runtime(py)?;
    let Some(variable) = api.variable(&runtime) else {
        return runtime.call_method0(intern!(py, "get_current"));
    };
    let mut value = std::ptr::null_mut();
    // SAFETY: `variable` is a context variable; `value` takes a new reference.
    let status = unsafe { ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) };
    if status < 0 {
        return Err(PyErr::fetch(py));
    }
    // SAFETY: a new reference, or null if the variable has neither a value nor a default.
    let value = unsafe { Bound::from_owned_ptr_or_opt(py, value) };
    value.ok_or_else(|| PyTypeError::new_err("there is no current context"))
}

/// The object that a context (by default the current one) has as its span. Nothing says yet that it is one.
pub(crate) fn span_in<'py>(
    py: Python<'py>,
    context: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let api = api(py)?;
    let own;
    let context = match context {
        Some(context) if !context.is_none() => context,
        _ => {
            own = current(py)?;
            &own
        }
    };
    let found = match context.cast::<PyDict>() {
        Ok(entries) => entries.get_item(&api.span_key)?,
        Err(_) => Some(context.call_method1(intern!(py, "get"), (&api.span_key,))?),
    };
    Ok(found.filter(|span| !span.is_none()))
}

/// A context like `context` (by default the current one) whose span is `span`.
pub(crate) fn with_span<'py>(
    span: &Bound<'py, PyAny>,
    context: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = span.py();
    let api = api(py)?;
    let base = match context {
        Some(context) if !context.is_none() => context.clone(),
        _ => current(py)?,
    };
    let made = api.context.bind(py).call1((base,))?;
    // The class forbids changes by its methods; this one is not shared yet.
    let entries = made.cast::<PyDict>()?;
    // SAFETY: a dictionary, a key and a value; the dictionary takes its own references.
    let status = unsafe { ffi::PyDict_SetItem(entries.as_ptr(), api.span_key.as_ptr(), span.as_ptr()) };
    if status < 0 { Err(PyErr::fetch(py)) } else { Ok(made) }
}

/// Makes a context the current one. The token undoes it.
pub(crate) fn attach<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = context.py();
    let api = api(py)?;
    let runtime = api.runtime(py)?;
    let Some(variable) = api.variable(&runtime) else {
        return runtime.call_method1(intern!(py, "attach"), (context,));
    };
    // SAFETY: `variable` is a context variable; the result is a new reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_Set(variable.as_ptr(), context.as_ptr())) }
}

/// Undoes `attach`. In another context than that of `attach` it cannot, which is logged as the API does.
pub(crate) fn detach(token: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = token.py();
    let api = api(py)?;
    let runtime = api.runtime(py)?;
    let is_undone = api.variable(&runtime).is_some_and(|variable| {
        // SAFETY: `variable` is a context variable, and a token of it or of another one is checked by the call.
        unsafe { ffi::PyContextVar_Reset(variable.as_ptr(), token.as_ptr()) == 0 }
    });
    if is_undone {
        return Ok(());
    }
    // The exception, if the call above left one, comes again from the API, which logs it.
    drop(PyErr::take(py));
    let detach = api.namespace.bind(py).get_item(intern!(py, "detach"))?;
    detach.map_or(Ok(()), |detach| detach.call1((token,)).map(drop))
}

/// What a `SpanContext` of the API says.
pub(crate) struct SpanContext {
    /// Trace id, not zero.
    pub(crate) trace_id: [u8; 16],
    /// Span id, not zero.
    pub(crate) span_id: [u8; 8],
    /// W3C trace flags: bit 0 sampled, bit 1 random trace id.
    pub(crate) flags: u8,
    /// Whether it came from another process.
    pub(crate) is_remote: bool,
    /// The API's `TraceState`.
    pub(crate) trace_state: Py<PyAny>,
}

impl SpanContext {
    /// Of an API object; `None` if it is not valid.
    pub(crate) fn of(context: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let fields = context.cast::<PyTuple>()?;
        if fields.len() < 6 || !fields.get_item(5)?.is_truthy()? {
            return Ok(None);
        }
        Ok(Some(Self {
            trace_id: fields.get_item(0)?.extract::<u128>()?.to_be_bytes(),
            span_id: fields.get_item(1)?.extract::<u64>()?.to_be_bytes(),
            is_remote: fields.get_item(2)?.is_truthy()?,
            flags: fields.get_item(3)?.extract::<u8>()?,
            trace_state: fields.get_item(4)?.unbind(),
        }))
    }

    /// As an API object.
    pub(crate) fn to_api<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let api = api(py)?;
        let flags = api.trace_flags.bind(py).call1((self.flags,))?;
        let (trace_id, span_id) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        api.span_context.bind(py).call1((trace_id, span_id, self.is_remote, flags, &self.trace_state))
    }
}
