//! Definitions, each made on the writer and noted in the model.

use std::sync::Arc;

use otlp_mmap_format::{EntryHeader, ItemHeader, MetricStreamBody, ScopeBody, align8};
use otlp_mmap_reader::{Recording, model};
use otlp_mmap_writer::{Aggregation, Counter, Error, MetricStream, ResourceRef, Signal};

use super::Machine;
use crate::model::dictionary::{DEFINITIONS, DICTIONARY, MAX_INTERNED};
use crate::model::file::path_of;
use crate::model::given::{Given, attribute};
use crate::model::input::SeriesAttributes;
use crate::model::metrics::{KINDS, aggregation};
use crate::model::values::{GeneratedText, fold, series_attributes, size_of_item};

const MAX_SCOPES: usize = 5;
const MAX_STREAMS: usize = 16;

impl Machine {
    pub(super) fn intern(&mut self, text: &GeneratedText) {
        let string = text.text();
        let known = self.strings.iter().any(|(_, known)| *known == string);
        let has_room = known || self.has_room_for(&string);
        let result = self.writer.record_string(&string);
        if !self.closed && string.len() <= MAX_INTERNED && !has_room {
            // No loss: the caller still has it.
            assert!(matches!(result, Err(Error::DictionaryFull)), "{result:?} of {} bytes", string.len());
            return;
        }
        let refusal = (string.len() > MAX_INTERNED).then_some(Counter::Invalid);
        if let Some(reference) = self.settle(Signal::Events, result, refusal, None)
            && !known
        {
            self.strings.push((reference, string));
        }
    }

    fn has_room_for(&self, string: &str) -> bool {
        let recording = Recording::open(path_of(&self.file)).expect("a whole header");
        let used = recording.fill().expect("everything can be read").dictionary.used;
        let size = align8(EntryHeader::SIZE + string.len()) as u64;
        used + size <= u64::from(DICTIONARY - DEFINITIONS)
    }

    /// A scope with a resource of its own.
    pub(super) fn define_scope(&mut self, given: &SeriesAttributes) {
        let number = self.scopes.len();
        if number >= MAX_SCOPES {
            return;
        }
        let attributes = series_attributes(given);
        let Some((resource_ref, resource)) = self.define_resource(number, &attributes) else { return };
        let (name, version) = (format!("scope {number}"), number.to_string());
        // Every other one has everything.
        let (version, url) = if number % 2 == 1 { (&*version, "https://scope") } else { ("", "") };
        let payload = ScopeBody::SIZE
            + size_of_item(name.len())
            + optional(version)
            + optional(url)
            + self.dictionary.size_of_all(&attributes);
        let refusal = self.define(format!("scope {number} {attributes:?}"), payload);
        let (version, url) = (some(version), some(url));
        let result =
            self.writer.create_instrumentation_scope(resource_ref, &name, version, url, &Given(&attributes));
        if let Some(scope) = self.settle(Signal::Events, result, refusal, None) {
            let model = model::Scope {
                resource: Arc::new(resource),
                name: name.into(),
                version: version.unwrap_or_default().into(),
                schema_url: url.unwrap_or_default().into(),
                attributes: fold(&attributes),
            };
            self.scopes.push((scope, Arc::new(model)));
        }
    }

    fn define_resource(
        &mut self,
        number: usize,
        given: &[model::KeyValue],
    ) -> Option<(ResourceRef, model::Resource)> {
        let mut attributes = given.to_vec();
        attributes.push(attribute("key 0", model::Value::Int(i64::try_from(number).expect("small"))));
        let url = if number.is_multiple_of(2) { "https://resource" } else { "" };
        let payload = optional(url) + self.dictionary.size_of_all(&attributes);
        let refusal = self.define(format!("resource {attributes:?}"), payload);
        let result = self.writer.create_resource(&Given(&attributes), some(url));
        let resource = self.settle(Signal::Events, result, refusal, None)?;
        let mut attributes = fold(&attributes);
        attributes.push(self.instance_id());
        Some((resource, model::Resource { attributes, schema_url: url.into() }))
    }

    /// What a reader adds to a resource.
    fn instance_id(&self) -> model::KeyValue {
        let recording = Recording::open(path_of(&self.file)).expect("a whole header");
        let mut text = format!("{:032x}", u128::from_be_bytes(recording.header().file_id));
        for at in [20, 16, 12, 8] {
            text.insert(at, '-');
        }
        attribute("service.instance.id", model::Value::String(text))
    }

    pub(super) fn define_stream(&mut self, scope: u8, kind: usize) {
        if self.metrics.streams.len() >= MAX_STREAMS {
            return;
        }
        let number = usize::from(scope) % self.scopes.len();
        let (scope, _, mut refusal) = self.scope(scope);
        let known = self.metrics.streams.iter().any(|stream| (stream.scope, stream.kind) == (number, kind));
        if kind == KINDS - 1 {
            refusal = Some(Counter::Invalid);
        }
        let (name, aggregation) = (format!("metric {kind}"), aggregation(kind));
        let boundaries = match aggregation {
            Aggregation::Histogram { boundaries, .. } => ItemHeader::SIZE + size_of_val(boundaries),
            _ => 0,
        };
        let payload = MetricStreamBody::SIZE + size_of_item(name.len()) + size_of_item(1) + boundaries;
        if refusal.is_none() && !known {
            refusal = self.define(format!("stream {number} {kind}"), payload);
            let no_room = !self.metrics.has_room(kind);
            refusal = refusal.or(no_room.then_some(Counter::CellsFull));
        }
        let stream = MetricStream { name: &name, description: "", unit: "1", aggregation };
        let result = self.writer.create_metric_stream(scope, &stream);
        let metric = self.settle(Signal::Measurements, result, refusal, None);
        if let Some(metric) = metric
            && !known
        {
            self.metrics.define(metric, number, kind);
        }
    }

    /// Why a definition is refused that has everything else it needs.
    fn define(&mut self, definition: String, payload: usize) -> Option<Counter> {
        let refused = !self.closed && !self.dictionary.takes(definition, payload);
        refused.then_some(Counter::DefinitionLost)
    }
}

/// Bytes of the item of a text that is left out if it is empty.
fn optional(text: &str) -> usize {
    if text.is_empty() { 0 } else { size_of_item(text.len()) }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
