//! Series as OTLP metrics.

use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as BucketsMessage;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    self as message, AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, exemplar, number_data_point,
};

use serde::{Serialize, Serializer};

use super::common::{attributes, id, resource, scope};
use super::content::Contents;
use super::{group, group_equal};
use crate::model::{Aggregation, Buckets, Measurement, MetricStream, Number, Point, Scope, Series};

/// Series as an OTLP message. Temporality is always cumulative, as the cells are: delta is made of two readings.
pub fn metrics(series: &[Series]) -> MetricsData {
    let groups = group(series, |series| &series.stream.scope);
    let resource_metrics = groups.into_iter().map(|(of, scopes)| ResourceMetrics {
        resource: Some(resource(of)),
        scope_metrics: scopes.into_iter().map(|(of, series)| scope_metrics(of, &series)).collect(),
        schema_url: of.schema_url.to_string(),
    });
    MetricsData { resource_metrics: resource_metrics.collect() }
}

fn scope_metrics(of: &Scope, series: &[&Series]) -> ScopeMetrics {
    let by_stream = streams(series);
    let metrics = by_stream.iter().map(|(stream, series)| metric(stream, series));
    ScopeMetrics { scope: Some(scope(of)), metrics: metrics.collect(), schema_url: of.schema_url.to_string() }
}

/// Series of one scope by their metric stream.
pub(super) fn streams<'a>(series: &[&'a Series]) -> Vec<(&'a Arc<MetricStream>, Vec<&'a Series>)> {
    let mut contents = Contents::default();
    group_equal(series.iter().copied(), |series| &series.stream, |stream| contents.metric_stream(stream))
}

/// A metric without its points.
pub(super) fn empty_metric(stream: &MetricStream) -> Metric {
    metric(stream, &[])
}

/// A point as it stands in its metric.
pub(super) enum PointMessage {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
}

impl Serialize for PointMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(point) => point.serialize(serializer),
            Self::Histogram(point) => point.serialize(serializer),
            Self::Exponential(point) => point.serialize(serializer),
        }
    }
}

/// The point of a series, if it has the right kind; the reader gives no others.
pub(super) fn point(stream: &MetricStream, series: &Series) -> Option<PointMessage> {
    match &stream.aggregation {
        Aggregation::Gauge | Aggregation::Sum { .. } => number_point(series).map(PointMessage::Number),
        Aggregation::Histogram { boundaries, .. } => {
            histogram_point(series, boundaries).map(PointMessage::Histogram)
        }
        Aggregation::ExponentialHistogram { .. } => exponential_point(series).map(PointMessage::Exponential),
    }
}

fn metric(stream: &MetricStream, series: &[&Series]) -> Metric {
    Metric {
        name: stream.name.to_string(),
        description: stream.description.to_string(),
        unit: stream.unit.to_string(),
        metadata: Vec::new(),
        data: Some(data(stream, series)),
    }
}

fn data(stream: &MetricStream, series: &[&Series]) -> Data {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match &stream.aggregation {
        Aggregation::Gauge => Data::Gauge(message::Gauge { data_points: points(series, number_point) }),
        Aggregation::Sum { is_monotonic, .. } => Data::Sum(message::Sum {
            data_points: points(series, number_point),
            aggregation_temporality,
            is_monotonic: *is_monotonic,
        }),
        Aggregation::Histogram { boundaries, .. } => Data::Histogram(message::Histogram {
            data_points: points(series, |series| histogram_point(series, boundaries)),
            aggregation_temporality,
        }),
        Aggregation::ExponentialHistogram { .. } => {
            let data_points = points(series, exponential_point);
            Data::ExponentialHistogram(message::ExponentialHistogram { data_points, aggregation_temporality })
        }
    }
}

/// The points of those series that have the right kind; the reader gives no others.
fn points<P>(series: &[&Series], point: impl Fn(&Series) -> Option<P>) -> Vec<P> {
    series.iter().filter_map(|series| point(series)).collect()
}

fn number_point(series: &Series) -> Option<NumberDataPoint> {
    let (Point::Gauge(value) | Point::Sum(value)) = &series.point else { return None };
    Some(NumberDataPoint {
        attributes: attributes(&series.attributes),
        start_time_unix_nano: series.start_time_unix_nano,
        time_unix_nano: series.time_unix_nano,
        exemplars: exemplars(series),
        flags: 0,
        value: Some(match value {
            Number::Int(value) => number_data_point::Value::AsInt(*value),
            Number::Double(value) => number_data_point::Value::AsDouble(*value),
        }),
    })
}

fn histogram_point(series: &Series, boundaries: &[f64]) -> Option<HistogramDataPoint> {
    let Point::Histogram { count, sum, min, max, bucket_counts } = &series.point else { return None };
    // Without its metric stream the boundaries are unknown, and then there are no buckets to tell of.
    let whole = boundaries.len() + 1 == bucket_counts.len();
    Some(HistogramDataPoint {
        attributes: attributes(&series.attributes),
        start_time_unix_nano: series.start_time_unix_nano,
        time_unix_nano: series.time_unix_nano,
        count: *count,
        sum: Some(*sum),
        bucket_counts: if whole { bucket_counts.clone() } else { Vec::new() },
        explicit_bounds: if whole { boundaries.to_vec() } else { Vec::new() },
        exemplars: exemplars(series),
        flags: 0,
        min: *min,
        max: *max,
    })
}

fn exponential_point(series: &Series) -> Option<ExponentialHistogramDataPoint> {
    let Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative } =
        &series.point
    else {
        return None;
    };
    Some(ExponentialHistogramDataPoint {
        attributes: attributes(&series.attributes),
        start_time_unix_nano: series.start_time_unix_nano,
        time_unix_nano: series.time_unix_nano,
        count: *count,
        sum: Some(*sum),
        scale: *scale,
        zero_count: *zero_count,
        positive: Some(buckets(positive)),
        negative: Some(buckets(negative)),
        flags: 0,
        exemplars: exemplars(series),
        min: *min,
        max: *max,
        zero_threshold: 0.0,
    })
}

fn buckets(buckets: &Buckets) -> BucketsMessage {
    BucketsMessage { offset: buckets.offset, bucket_counts: buckets.counts.clone() }
}

fn exemplars(series: &Series) -> Vec<message::Exemplar> {
    series.exemplars.iter().map(exemplar_message).collect()
}

fn exemplar_message(measurement: &Measurement) -> message::Exemplar {
    message::Exemplar {
        filtered_attributes: attributes(&measurement.filtered_attributes),
        time_unix_nano: measurement.time_unix_nano,
        span_id: id(&measurement.span_id),
        trace_id: id(&measurement.trace_id),
        value: Some(match measurement.value {
            Number::Int(value) => exemplar::Value::AsInt(value),
            Number::Double(value) => exemplar::Value::AsDouble(value),
        }),
    }
}
