//! Definitions in dictionary entries: resources, scopes, metric streams, attribute sets (SPEC "Dictionary").

use std::sync::Arc;

use otlp_mmap_format::{self as format, ItemTag, MetricStreamBody, ScopeBody};

use crate::Rule;
use crate::attributes::AttributeList;
use crate::bytes::{size, view};
use crate::dictionary::{Entry, Resolver};
use crate::items::{Item, Items};
use crate::model::{Aggregation, KeyValue, MetricStream, Resource, Scope, Text, Value};

/// Items of a scope that are no attributes.
const SCOPE_ITEMS: &[ItemTag] = &[ItemTag::Name, ItemTag::Version, ItemTag::SchemaUrl];
/// Items of a metric stream; it has no attributes.
const STREAM_ITEMS: &[ItemTag] =
    &[ItemTag::Name, ItemTag::Description, ItemTag::Unit, ItemTag::Boundaries, ItemTag::CardinalityLimit];

/// The key that a resource always has: telemetry of two processes, such as a parent and its forked child, is never
/// taken for that of one.
const INSTANCE_ID: &str = "service.instance.id";

/// The items of a definition that are not attributes.
#[derive(Default)]
struct Texts {
    name: Text,
    version: Text,
    schema_url: Text,
    description: Text,
    unit: Text,
    boundaries: Vec<f64>,
}

impl Resolver<'_> {
    pub(crate) fn decode_attributes(&mut self, payload: &[u8], origin: u64) -> Vec<KeyValue> {
        self.attributes(Items::new(payload, origin), 1).into_vec()
    }

    pub(crate) fn decode_resource(&mut self, payload: &[u8], origin: u64) -> Resource {
        let (mut attributes, texts) = self.definition(payload, origin, &[ItemTag::SchemaUrl]);
        if !attributes.iter().any(|attribute| &*attribute.key == INSTANCE_ID) {
            let value = Value::String(uuid(self.dictionary.file_id()));
            attributes.push(KeyValue { key: INSTANCE_ID.into(), value, truncated: false });
        }
        Resource { attributes, schema_url: texts.schema_url }
    }

    pub(crate) fn decode_scope(&mut self, payload: &[u8], origin: u64) -> Entry {
        let Some(body) = view::<ScopeBody>(payload, 0) else {
            return no_body("Scope");
        };
        let resource = self.resource(body.resource_ref.get(), origin);
        let (attributes, texts) = self.definition_behind(payload, ScopeBody::SIZE, origin, SCOPE_ITEMS);
        let Texts { name, version, schema_url, .. } = texts;
        Entry::Scope(Arc::new(Scope { resource, name, version, schema_url, attributes }))
    }

    pub(crate) fn decode_metric_stream(&mut self, payload: &[u8], origin: u64) -> Entry {
        let Some(body) = view::<MetricStreamBody>(payload, 0) else {
            return no_body("MetricStream");
        };
        let scope = self.scope(body.scope_ref.get(), origin);
        let (_, texts) = self.definition_behind(payload, MetricStreamBody::SIZE, origin, STREAM_ITEMS);
        let Texts { name, description, unit, boundaries, .. } = texts;
        let Some(aggregation) = aggregation(&body, boundaries) else {
            return Entry::Foreign;
        };
        Entry::MetricStream(Arc::new(MetricStream { scope, name, description, unit, aggregation }))
    }

    fn definition_behind(
        &mut self,
        payload: &[u8],
        body: usize,
        origin: u64,
        belongs: &[ItemTag],
    ) -> (Vec<KeyValue>, Texts) {
        self.definition(payload.get(body..).unwrap_or_default(), origin + size(body), belongs)
    }

    fn definition(&mut self, bytes: &[u8], origin: u64, belongs: &[ItemTag]) -> (Vec<KeyValue>, Texts) {
        let mut items = Items::new(bytes, origin);
        let mut attributes = AttributeList::default();
        let mut texts = Texts::default();
        while let Some(item) = items.next(self.report) {
            match ItemTag::from_code(item.tag).filter(|tag| belongs.contains(tag)) {
                Some(tag) => self.definition_item(tag, &item, &mut texts),
                None => self.add_attribute(&item, &mut attributes, 1),
            }
        }
        (attributes.into_vec(), texts)
    }

    fn definition_item(&mut self, tag: ItemTag, item: &Item<'_>, texts: &mut Texts) {
        match tag {
            ItemTag::Name => texts.name = self.item_text(item),
            ItemTag::Version => texts.version = self.item_text(item),
            ItemTag::SchemaUrl => texts.schema_url = self.item_text(item),
            ItemTag::Description => texts.description = self.item_text(item),
            ItemTag::Unit => texts.unit = self.item_text(item),
            ItemTag::Boundaries => texts.boundaries = self.boundaries(item),
            _ => {}
        }
    }

    fn boundaries(&mut self, item: &Item<'_>) -> Vec<f64> {
        let (doubles, rest) = item.payload.as_chunks::<8>();
        let boundaries: Vec<f64> = doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        let increasing = boundaries.is_sorted_by(|one, next| one < next);
        if !rest.is_empty() || !increasing || !boundaries.iter().all(|boundary| boundary.is_finite()) {
            let found = item.payload.len();
            let detail = || format!("{found} bytes are no list of finite, increasing doubles");
            item.fault(self.report, Rule::ItemPayload, detail);
            return Vec::new();
        }
        boundaries
    }
}

/// An id as the text of a UUID.
fn uuid(id: [u8; 16]) -> String {
    let mut text = format!("{:032x}", u128::from_be_bytes(id));
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

fn no_body(kind: &str) -> Entry {
    Entry::Unusable(format!("a {kind} too short for its body").into())
}

/// The aggregation that a stream's numbers name; `None` if it is unknown.
fn aggregation(body: &MetricStreamBody, boundaries: Vec<f64>) -> Option<Aggregation> {
    let temporality = body.temporality.get();
    Some(match format::Aggregation::from_code(body.aggregation.get())? {
        format::Aggregation::Gauge => Aggregation::Gauge,
        format::Aggregation::Sum => {
            Aggregation::Sum { temporality, is_monotonic: body.is_monotonic.get() != 0 }
        }
        format::Aggregation::Histogram => Aggregation::Histogram { temporality, boundaries },
        format::Aggregation::ExponentialHistogram => Aggregation::ExponentialHistogram {
            temporality,
            max_buckets: body.max_buckets.get(),
            max_scale: body.max_scale.get(),
        },
    })
}
