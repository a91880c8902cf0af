//! What the integration tests share: a program that records, and plain values to compare with what is read.
#![allow(dead_code, reason = "each test file uses its own part")]

use otlp_mmap_reader::{Recording, Snapshot, model};
use otlp_mmap_writer::{
    Aggregation, Attributes, Config, Encoder, Error, Event, Key, KeyValue, MetricRef, MetricStream,
    ResourceRef, ScopeRef, SpanKind, SpanStart, Temporality, Text, Value, Writer,
};
use std::sync::Arc;

/// Attributes as the reader's model has them, encoded by the writer: one value serves as input and expectation.
pub(crate) struct Given<'a>(pub(crate) &'a [model::KeyValue]);

impl Attributes for Given<'_> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.0.iter().try_for_each(|attribute| encode(encoder, Key::Str(&attribute.key), &attribute.value))
    }
}

/// Encodes a value of the model.
pub(crate) fn encode(encoder: &mut Encoder<'_>, key: Key<'_>, value: &model::Value) -> Result<(), Error> {
    match value {
        model::Value::Empty => encoder.empty(key),
        model::Value::String(text) => encoder.string(key, text),
        model::Value::Bool(flag) => encoder.bool(key, *flag),
        model::Value::Int(number) => encoder.int(key, *number),
        model::Value::Double(number) => encoder.double(key, *number),
        model::Value::Bytes(bytes) => encoder.bytes(key, bytes),
        model::Value::Array(elements) => encoder.array(key, |encoder| {
            elements.iter().try_for_each(|element| encode(encoder, Key::None, element))
        }),
        model::Value::Map(entries) => encoder.map(key, |encoder| Given(entries).encode(encoder)),
    }
}

/// A body as the reader's model has it.
pub(crate) struct GivenBody<'a>(pub(crate) &'a model::Value);

impl otlp_mmap_writer::AnyValue for GivenBody<'_> {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        encode(encoder, key, self.0)
    }
}

pub(crate) fn attribute(key: &str, value: model::Value) -> model::KeyValue {
    model::KeyValue { key: Arc::from(key), value, truncated: false }
}

pub(crate) fn text(text: &str) -> model::Value {
    model::Value::String(text.into())
}

/// A writer with a resource and a scope, in a directory of its own.
pub(crate) struct Program {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) writer: Writer,
    pub(crate) resource: ResourceRef,
    pub(crate) scope: ScopeRef,
}

impl Program {
    pub(crate) fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path());
        config.service_name = Some("test".to_owned());
        configure(&mut config);
        let writer = Writer::create(config).unwrap();
        let name = [KeyValue { key: "service.name", value: Value::String("test") }];
        let resource = writer.create_resource(&name, None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "scope", None, None, &()).unwrap();
        Self { directory, writer, resource, scope }
    }

    pub(crate) fn sum(&self, name: &str) -> MetricRef {
        let aggregation = Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
        self.stream(name, aggregation)
    }

    pub(crate) fn stream(&self, name: &str, aggregation: Aggregation<'_>) -> MetricRef {
        let stream = MetricStream { name, description: "", unit: "1", aggregation };
        self.writer.create_metric_stream(self.scope, &stream).unwrap()
    }

    /// A root span's start with this number as its id.
    pub(crate) fn start<'a>(&self, number: u64, attributes: &'a dyn Attributes) -> SpanStart<'a> {
        SpanStart {
            scope: self.scope,
            trace_id: (u128::from(number) << 64 | 1).to_be_bytes(),
            span_id: number.to_be_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano: number,
            attributes,
        }
    }

    pub(crate) fn event<'a>(&self, time_unix_nano: u64, attributes: &'a dyn Attributes) -> Event<'a> {
        Event {
            scope: self.scope,
            context: None,
            name: Some(Text::Str("event")),
            time_unix_nano,
            observed_time_unix_nano: 0,
            severity_number: 9,
            severity_text: "",
            body: None,
            attributes,
            dropped_attributes_count: 0,
        }
    }

    pub(crate) fn recording(&self) -> Recording {
        Recording::open(self.writer.path().unwrap()).unwrap()
    }

    /// What is in the file now, which must be free of faults.
    pub(crate) fn snapshot(&self) -> Snapshot {
        clean(&self.recording())
    }
}

/// A recording's content; any fault in it fails the test.
pub(crate) fn clean(recording: &Recording) -> Snapshot {
    let snapshot = recording.snapshot().unwrap();
    assert_eq!(snapshot.report.faults, [], "{}", recording.path().display());
    let verified = recording.verify().unwrap();
    assert_eq!(verified.faults, [], "{}", recording.path().display());
    snapshot
}

/// Has the kernel answer these system calls of this thread by `action` and all others by `otherwise`, until the thread
/// ends. A filter, unlike seccomp's strict mode, can be set where one is in force already: in a container.
pub(crate) fn filter_system_calls(numbers: &[libc::c_long], action: u32, otherwise: u32) {
    let instruction = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code.try_into().unwrap(),
        jt: jt.try_into().unwrap(),
        jf: 0,
        k,
    };
    let number_of_call = std::mem::offset_of!(libc::seccomp_data, nr).try_into().unwrap();
    let mut program = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, number_of_call)];
    for (index, &number) in numbers.iter().enumerate() {
        let to_the_last = numbers.len() - index;
        let number = number.try_into().unwrap();
        program.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_the_last, number));
    }
    program.push(instruction(libc::BPF_RET | libc::BPF_K, 0, otherwise));
    program.push(instruction(libc::BPF_RET | libc::BPF_K, 0, action));
    let filter = libc::sock_fprog { len: program.len().try_into().unwrap(), filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; the kernel copies the program, which lives through the call.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    assert!(set, "{}", std::io::Error::last_os_error());
    // Nothing is freed here: the filter may forbid it.
    std::mem::forget(program);
}
