//! What records will take as messages, without making them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Event, KeyValue, Measurement, Scope, Series, Span, Text, Value};

/// Bytes of the texts and values that messages of records hold: always less than the messages take. What the records of
/// one document share there, their scopes and resources, counts once.
#[derive(Debug, Default)]
pub struct Weights {
    scopes: HashMap<usize, usize>,
}

/// A record with a message of its own.
pub trait Weighed {
    /// Bytes of its texts and values.
    fn weight(&self) -> usize;
    /// Its instrumentation scope.
    fn scope(&self) -> &Arc<Scope>;
}

impl Weights {
    /// The weight of one document with these records; `limit` or more stands for anything above.
    pub fn of<T: Weighed>(&mut self, records: &[T], limit: usize) -> usize {
        let mut total = 0_usize;
        let mut met = HashSet::new();
        for record in records {
            total = total.saturating_add(record.weight());
            let scope = record.scope();
            let address = Arc::as_ptr(scope).addr();
            if met.insert(address) {
                let weight = *self.scopes.entry(address).or_insert_with(|| scope_weight(scope));
                total = total.saturating_add(weight);
            }
            if total >= limit {
                break;
            }
        }
        total
    }
}

impl Weighed for Span {
    fn weight(&self) -> usize {
        let texts = self.name.len() + self.trace_state.len() + self.status_message.len();
        let events = self.events.iter().map(|event| event.name.len() + attributes(&event.attributes));
        let links = self.links.iter().map(|link| link.trace_state.len() + attributes(&link.attributes));
        texts + attributes(&self.attributes) + events.sum::<usize>() + links.sum::<usize>()
    }

    fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }
}

impl Weighed for Event {
    fn weight(&self) -> usize {
        let body = self.body.as_ref().map_or(0, value);
        self.event_name.len() + self.severity_text.len() + body + attributes(&self.attributes)
    }

    fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }
}

impl Weighed for Series {
    fn weight(&self) -> usize {
        let exemplar = |exemplar: &Measurement| attributes(&exemplar.filtered_attributes);
        attributes(&self.attributes) + self.exemplars.iter().map(exemplar).sum::<usize>()
    }

    fn scope(&self) -> &Arc<Scope> {
        &self.stream.scope
    }
}

fn scope_weight(scope: &Scope) -> usize {
    let texts = |texts: &[&Text]| texts.iter().map(|text| text.len()).sum::<usize>();
    texts(&[&scope.name, &scope.version, &scope.schema_url, &scope.resource.schema_url])
        + attributes(&scope.attributes)
        + attributes(&scope.resource.attributes)
}

fn attributes(attributes: &[KeyValue]) -> usize {
    attributes.iter().map(|attribute| attribute.key.len() + value(&attribute.value)).sum()
}

fn value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(values) => values.iter().map(self::value).sum(),
        Value::Map(entries) => attributes(entries),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}
