//! Definitions and measurements: strings, resources, scopes and metric streams into the dictionary,
//! measurements into the metric cells.

use crate::attribute_set;
use crate::clock;
use crate::dictionary::MAX_INTERNED;
use crate::error::Error;
use crate::fit::encode_or_refuse;
use crate::metrics::Found;
use crate::record::{check_ids, heading};
use crate::recorder::Recorder;
use crate::scratch::with_scratch;
use crate::telemetry::{
    Aggregation, Attributes, MetricRef, MetricStream, Number, ResourceRef, ScopeRef, SeriesRef, SpanContext,
    StringRef,
};
use otlp_mmap_format::{
    Aggregation as Kind, Counter, EntryKind, ItemHeader, ItemTag, MAX_VALUE_DEPTH, MEASUREMENT_FLAG_DOUBLE,
    MEASUREMENT_FLAG_RAW, MeasurementBody, MetricStreamBody, RecordHeader, RecordType, ScopeBody, Signal,
    align8,
};
use zerocopy::{FromZeros, IntoBytes};

/// Most bytes a definition or an attribute set takes.
const DEFINITION_ROOM: usize = 32 << 10;
/// Bit 0 of W3C trace flags.
const SAMPLED: u32 = 1;

impl Recorder {
    /// Interns a string.
    pub(crate) fn record_string(&self, string: &str) -> Result<StringRef, Error> {
        self.check_open()?;
        if string.len() > MAX_INTERNED {
            let reason =
                format!("{} bytes are more than the {MAX_INTERNED} of an interned string", string.len());
            return Err(Error::invalid("string", reason));
        }
        self.dictionary.intern(string).map(StringRef).ok_or(Error::DictionaryFull)
    }

    /// Defines a resource.
    pub(crate) fn create_resource(
        &self,
        attributes: &dyn Attributes,
        schema_url: Option<&str>,
    ) -> Result<ResourceRef, Error> {
        self.check_open()?;
        with_scratch(|scratch| {
            let fit = encode_or_refuse(scratch, DEFINITION_ROOM, &self.dictionary, &mut |encoder| {
                if let Some(url) = schema_url.filter(|url| !url.is_empty()) {
                    encoder.text(ItemTag::SchemaUrl, url);
                }
                attributes.encode(encoder)
            })?;
            self.count_fit(Signal::Events, fit);
            self.dictionary.define(EntryKind::Resource, scratch).map(ResourceRef)
        })
    }

    /// Defines an instrumentation scope.
    pub(crate) fn create_instrumentation_scope(
        &self,
        resource: ResourceRef,
        name: &str,
        version: Option<&str>,
        schema_url: Option<&str>,
        attributes: &dyn Attributes,
    ) -> Result<ScopeRef, Error> {
        self.check_open()?;
        self.dictionary.check("resource_ref", resource.0, EntryKind::Resource)?;
        with_scratch(|scratch| {
            let mut body = ScopeBody::new_zeroed();
            body.resource_ref.set(resource.0);
            scratch.extend_from_slice(body.as_bytes());
            let fit = encode_or_refuse(scratch, DEFINITION_ROOM, &self.dictionary, &mut |encoder| {
                encoder.text(ItemTag::Name, name);
                for (tag, text) in [(ItemTag::Version, version), (ItemTag::SchemaUrl, schema_url)] {
                    if let Some(text) = text.filter(|text| !text.is_empty()) {
                        encoder.text(tag, text);
                    }
                }
                attributes.encode(encoder)
            })?;
            self.count_fit(Signal::Events, fit);
            self.dictionary.define(EntryKind::Scope, scratch).map(ScopeRef)
        })
    }

    /// Defines a metric stream.
    pub(crate) fn create_metric_stream(
        &self,
        scope: ScopeRef,
        stream: &MetricStream<'_>,
        cardinality_limit: Option<u32>,
    ) -> Result<MetricRef, Error> {
        self.check_open()?;
        self.dictionary.check("instrumentation_scope_ref", scope.0, EntryKind::Scope)?;
        if stream.name.is_empty() {
            return Err(Error::invalid("name", "a metric stream needs a name"));
        }
        if let Some(limit) = cardinality_limit.filter(|limit| *limit < 2) {
            return Err(Error::invalid("cardinality_limit", format!("{limit}, less than 2")));
        }
        crate::metrics::check_aggregation(&stream.aggregation)?;
        with_scratch(|scratch| {
            scratch.extend_from_slice(stream_body(scope, &stream.aggregation).as_bytes());
            let fit = encode_or_refuse(scratch, DEFINITION_ROOM, &self.dictionary, &mut |encoder| {
                encoder.text(ItemTag::Name, stream.name);
                for (tag, text) in [(ItemTag::Description, stream.description), (ItemTag::Unit, stream.unit)]
                {
                    if !text.is_empty() {
                        encoder.text(tag, text);
                    }
                }
                Ok(())
            })?;
            self.count_fit(Signal::Measurements, fit);
            if let Aggregation::Histogram { boundaries, .. } = stream.aggregation {
                // Not through the encoder, which would cut them: without all its boundaries a stream is wrong.
                append_boundaries(scratch, boundaries);
            }
            if let Some(limit) = cardinality_limit {
                append_item(scratch, ItemTag::CardinalityLimit, &limit.to_le_bytes());
            }
            let metric = MetricRef(self.dictionary.define(EntryKind::MetricStream, scratch)?);
            self.metrics.define(metric, &stream.aggregation, cardinality_limit, clock::realtime_nanos())?;
            Ok(metric)
        })
    }

    /// Finds or creates a series.
    pub(crate) fn bind(&self, metric: MetricRef, attributes: &dyn Attributes) -> Result<SeriesRef, Error> {
        self.check_open()?;
        self.find_series(metric, attributes, 0, None).map(|found| found.series)
    }

    fn find_series(
        &self,
        metric: MetricRef,
        attributes: &dyn Attributes,
        time_unix_nano: u64,
        value: Option<Number>,
    ) -> Result<Found, Error> {
        self.dictionary.check("metric_ref", metric.0, EntryKind::MetricStream)?;
        with_scratch(|scratch| {
            let fit = encode_or_refuse(scratch, DEFINITION_ROOM, &self.dictionary, &mut |encoder| {
                attributes.encode(encoder)
            })?;
            if fit.truncated {
                // Cut, it could be taken for another set.
                let reason = format!("more than {DEFINITION_ROOM} bytes or {MAX_VALUE_DEPTH} levels");
                return Err(Error::invalid("attributes", reason));
            }
            self.count_inlined(Signal::Measurements, fit);
            self.metrics.series(&self.dictionary, metric, scratch, time_unix_nano, value)
        })
    }

    /// Records a measurement of a metric stream.
    pub(crate) fn record_measurement(
        &self,
        metric: MetricRef,
        attributes: &dyn Attributes,
        time_unix_nano: u64,
        value: Number,
        context: Option<&SpanContext>,
    ) -> Result<(), Error> {
        self.check_open()?;
        if let Some(context) = context {
            check_ids("span_context", &context.trace_id, "span_context", context.span_id)?;
        }
        let found = self.find_series(metric, attributes, time_unix_nano, Some(value))?;
        let measurement = Measurement { time_unix_nano, value, context, is_exemplar: is_sampled(context) };
        if found.overflow {
            // The overflow series does not have these attributes: its exemplars keep them.
            self.record_in(found.series, measurement, attributes)?;
            self.count(Signal::Measurements, Counter::CardinalityOverflow, 1);
            return Ok(());
        }
        self.record_in(found.series, measurement, &())
    }

    /// Records a measurement of a series, with the attributes that the series does not have.
    #[inline]
    pub(crate) fn record_in(
        &self,
        series: SeriesRef,
        measurement: Measurement<'_>,
        filtered: &dyn Attributes,
    ) -> Result<(), Error> {
        self.metrics.record(series, measurement.time_unix_nano, measurement.value)?;
        if (measurement.is_exemplar || self.config.stream_measurements)
            && self.append_measurement(series, measurement, filtered).is_err()
        {
            self.count(Signal::Measurements, Counter::ExemplarLost, 1);
        }
        Ok(())
    }

    /// Records the total that was observed for a series of a sum.
    pub(crate) fn record_total(
        &self,
        series: SeriesRef,
        time_unix_nano: u64,
        total: Number,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.metrics.store_total(series, time_unix_nano, total)
    }

    /// Records an exemplar of a series, with those of its attributes that the series does not have.
    pub(crate) fn record_exemplar(
        &self,
        series: SeriesRef,
        time_unix_nano: u64,
        value: Number,
        context: Option<&SpanContext>,
        attributes: &dyn Attributes,
    ) -> Result<(), Error> {
        self.check_open()?;
        if let Some(context) = context {
            check_ids("span_context", &context.trace_id, "span_context", context.span_id)?;
        }
        let measurement = Measurement { time_unix_nano, value, context, is_exemplar: true };
        self.append_measurement(series, measurement, attributes)
    }

    /// Publishes a measurement as a record: an exemplar or a raw point.
    fn append_measurement(
        &self,
        series: SeriesRef,
        measurement: Measurement<'_>,
        filtered: &dyn Attributes,
    ) -> Result<(), Error> {
        const FIXED: usize = RecordHeader::SIZE + MeasurementBody::SIZE;
        let (stream_ref, attributes_ref) = self.metrics.references(series)?;
        let mut body = measurement.body();
        body.stream_ref.set(stream_ref);
        body.attributes_ref.set(attributes_ref);
        with_scratch(|scratch| {
            scratch.extend_from_slice(&[0; RecordHeader::SIZE]);
            scratch.extend_from_slice(body.as_bytes());
            let room = self.measurements.room() - FIXED;
            let fit =
                encode_or_refuse(scratch, room, &self.dictionary, &mut |encoder| filtered.encode(encoder))?;
            if scratch.len() > FIXED {
                attribute_set::remove_those_of(self.metrics.attributes(series)?, scratch, FIXED);
            }
            self.count_fit(Signal::Measurements, fit);
            let heading = heading(RecordType::Measurement, fit, measurement.time_unix_nano);
            self.publish(&self.measurements, heading, scratch)
        })
    }
}

/// One measurement.
#[derive(Clone, Copy)]
pub(crate) struct Measurement<'a> {
    pub(crate) time_unix_nano: u64,
    pub(crate) value: Number,
    pub(crate) context: Option<&'a SpanContext>,
    pub(crate) is_exemplar: bool,
}

/// Whether a measurement is an exemplar unless its caller says otherwise.
fn is_sampled(context: Option<&SpanContext>) -> bool {
    context.is_some_and(|context| context.flags & SAMPLED != 0)
}

impl Measurement<'_> {
    /// The body of its record, without references.
    fn body(&self) -> MeasurementBody {
        let mut body = MeasurementBody::new_zeroed();
        if let Some(context) = self.context {
            body.trace_id = context.trace_id;
            body.span_id = context.span_id;
        }
        let (bits, double) = match self.value {
            Number::Int(number) => (number.cast_unsigned(), 0),
            Number::Double(number) => (number.to_bits(), MEASUREMENT_FLAG_DOUBLE),
        };
        body.value_bits.set(bits);
        body.flags.set(double | if self.is_exemplar { 0 } else { MEASUREMENT_FLAG_RAW });
        body
    }
}

fn stream_body(scope: ScopeRef, aggregation: &Aggregation<'_>) -> MetricStreamBody {
    let mut body = MetricStreamBody::new_zeroed();
    body.scope_ref.set(scope.0);
    let (kind, temporality) = match *aggregation {
        Aggregation::Gauge => (Kind::Gauge, 0),
        Aggregation::Sum { temporality, is_monotonic } => {
            body.is_monotonic.set(is_monotonic.into());
            (Kind::Sum, temporality as u32)
        }
        Aggregation::Histogram { temporality, .. } => (Kind::Histogram, temporality as u32),
        Aggregation::ExponentialHistogram { temporality, max_buckets, max_scale } => {
            body.max_buckets.set(max_buckets);
            body.max_scale.set(max_scale);
            (Kind::ExponentialHistogram, temporality as u32)
        }
    };
    body.aggregation.set(kind.code());
    body.temporality.set(temporality);
    body
}

/// Appends the `Boundaries` item: at most 16,384 doubles.
fn append_boundaries(bytes: &mut Vec<u8>, boundaries: &[f64]) {
    let payload: Vec<u8> = boundaries.iter().flat_map(|boundary| boundary.to_le_bytes()).collect();
    append_item(bytes, ItemTag::Boundaries, &payload);
}

/// Appends an item whose length fits its 24 bits.
fn append_item(bytes: &mut Vec<u8>, tag: ItemTag, payload: &[u8]) {
    let length = ItemHeader::SIZE + payload.len();
    let header = ItemHeader::new(tag.code(), u32::try_from(length).unwrap_or(0), 0);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(align8(bytes.len()), 0);
}
