//! Records as flat JSON: one object a line, the same keys for every record of a type.
//!
//! `schema_version` grows when a key changes its meaning or goes; new keys may come at any time. Times are given
//! twice, RFC 3339 and unix nanoseconds, both null if it is unknown; ids are hexadecimal; bytes are base64; a number that JSON lacks is one of the
//! strings `NaN`, `Infinity`, `-Infinity`; what a record lacks is null. Integers are JSON numbers: nanoseconds and
//! 64-bit attributes need a parser that keeps 64 bits.

use otlp_mmap_reader::model::{
    Aggregation, Buckets, Event, KeyValue, Measurement, Number, Point, Scope, Series, Span, SpanEvent,
    SpanLink, Value,
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::text::point_kind;
use crate::escape::json_safe;
use crate::record::{RecordView, SPAN_KINDS, STATUS_CODES, enum_name, hex, severity_name};
use crate::time::{format_time, known};

/// Version of the keys and their meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// One record as one line of JSON, without the line end. `file`: the name of its recording.
pub fn line(record: RecordView<'_>, file: &str) -> String {
    // Every key is a string and no value fails, so that there is nothing to fail on.
    let json = serde_json::to_string(&Line { record, file }).unwrap_or_default();
    json_safe(&json).into_owned()
}

struct Line<'a> {
    record: RecordView<'a>,
    file: &'a str,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        let kind = match self.record {
            RecordView::Span(_) => "span",
            RecordView::Event(_) => "event",
            RecordView::Metric(_) => "metric",
            RecordView::Measurement(_) => "measurement",
        };
        map.serialize_entry("type", kind)?;
        time(&mut map, "time", "time_unix_nano", Some(self.record.time_unix_nano()))?;
        map.serialize_entry("service", &self.record.service())?;
        match self.record {
            RecordView::Span(record) => span(&mut map, record)?,
            RecordView::Event(record) => event(&mut map, record)?,
            RecordView::Metric(record) => metric(&mut map, record)?,
            RecordView::Measurement(record) => measurement(&mut map, record)?,
        }
        let scope = self.record.scope();
        map.serialize_entry("resource", &Attributes(&scope.resource.attributes))?;
        map.serialize_entry("scope", &ScopeJson(scope))?;
        map.serialize_entry("file", self.file)?;
        map.end()
    }
}

fn span<M: SerializeMap>(map: &mut M, span: &Span) -> Result<(), M::Error> {
    let view = RecordView::Span(span);
    time(map, "end_time", "end_time_unix_nano", span.end_time_unix_nano)?;
    map.serialize_entry("duration_nano", &view.duration_nano())?;
    map.serialize_entry("in_flight", &span.end_time_unix_nano.is_none())?;
    context(map, view)?;
    map.serialize_entry("parent_span_id", &id(&span.parent_span_id))?;
    map.serialize_entry("trace_state", &text(&span.trace_state))?;
    map.serialize_entry("flags", &span.flags)?;
    map.serialize_entry("name", &*span.name)?;
    map.serialize_entry("kind", &EnumJson(&SPAN_KINDS, span.kind))?;
    map.serialize_entry("status", &EnumJson(&STATUS_CODES, span.status_code))?;
    map.serialize_entry("status_message", &text(&span.status_message))?;
    map.serialize_entry("attributes", &Attributes(&span.attributes))?;
    map.serialize_entry("dropped_attributes_count", &span.dropped_attributes_count)?;
    map.serialize_entry("events", &Each(&span.events, SpanEventJson))?;
    map.serialize_entry("dropped_events_count", &span.dropped_events_count)?;
    map.serialize_entry("links", &Each(&span.links, SpanLinkJson))?;
    map.serialize_entry("dropped_links_count", &span.dropped_links_count)?;
    map.serialize_entry("truncated", &span.truncated)?;
    map.serialize_entry("incomplete", &span.spilled)
}

fn event<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
    time(map, "observed_time", "observed_time_unix_nano", Some(event.observed_time_unix_nano))?;
    context(map, RecordView::Event(event))?;
    map.serialize_entry("flags", &event.flags)?;
    map.serialize_entry("event_name", &text(&event.event_name))?;
    map.serialize_entry("severity", &severity_name(event.severity_number))?;
    map.serialize_entry("severity_number", &event.severity_number)?;
    map.serialize_entry("severity_text", &text(&event.severity_text))?;
    map.serialize_entry("body", &event.body.as_ref().map(ValueJson))?;
    map.serialize_entry("attributes", &Attributes(&event.attributes))?;
    map.serialize_entry("dropped_attributes_count", &event.dropped_attributes_count)?;
    map.serialize_entry("truncated", &event.truncated)
}

fn metric<M: SerializeMap>(map: &mut M, series: &Series) -> Result<(), M::Error> {
    time(map, "start_time", "start_time_unix_nano", Some(series.start_time_unix_nano))?;
    map.serialize_entry("name", &*series.stream.name)?;
    map.serialize_entry("description", &text(&series.stream.description))?;
    map.serialize_entry("unit", &text(&series.stream.unit))?;
    map.serialize_entry("kind", point_kind(&series.point))?;
    if let Aggregation::Sum { is_monotonic, .. } = series.stream.aggregation {
        map.serialize_entry("monotonic", &is_monotonic)?;
    }
    point(map, series)?;
    map.serialize_entry("attributes", &Attributes(&series.attributes))?;
    map.serialize_entry("overflow", &series.overflow)?;
    map.serialize_entry("exemplars", &Each(&series.exemplars, ExemplarJson))
}

fn point<M: SerializeMap>(map: &mut M, series: &Series) -> Result<(), M::Error> {
    match &series.point {
        Point::Gauge(number) | Point::Sum(number) => map.serialize_entry("value", &NumberJson(*number)),
        Point::Histogram { count, sum, min, max, bucket_counts } => {
            totals(map, *count, *sum, *min, *max)?;
            if let Aggregation::Histogram { boundaries, .. } = &series.stream.aggregation {
                map.serialize_entry("boundaries", &Each(boundaries, |&bound| DoubleJson(bound)))?;
            }
            map.serialize_entry("bucket_counts", bucket_counts)
        }
        Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative } => {
            totals(map, *count, *sum, *min, *max)?;
            map.serialize_entry("scale", scale)?;
            map.serialize_entry("zero_count", zero_count)?;
            map.serialize_entry("positive", &BucketsJson(positive))?;
            map.serialize_entry("negative", &BucketsJson(negative))
        }
    }
}

fn totals<M: SerializeMap>(
    map: &mut M,
    count: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
) -> Result<(), M::Error> {
    map.serialize_entry("count", &count)?;
    map.serialize_entry("sum", &DoubleJson(sum))?;
    map.serialize_entry("min", &min.map(DoubleJson))?;
    map.serialize_entry("max", &max.map(DoubleJson))
}

fn measurement<M: SerializeMap>(map: &mut M, measurement: &Measurement) -> Result<(), M::Error> {
    context(map, RecordView::Measurement(measurement))?;
    map.serialize_entry("name", &*measurement.stream.name)?;
    map.serialize_entry("unit", &text(&measurement.stream.unit))?;
    map.serialize_entry("value", &NumberJson(measurement.value))?;
    map.serialize_entry("raw", &measurement.raw)?;
    map.serialize_entry("attributes", &Attributes(&measurement.series_attributes))?;
    map.serialize_entry("filtered_attributes", &Attributes(&measurement.filtered_attributes))
}

fn context<M: SerializeMap>(map: &mut M, record: RecordView<'_>) -> Result<(), M::Error> {
    map.serialize_entry("trace_id", &record.trace_id().map(|id| hex(id)))?;
    map.serialize_entry("span_id", &record.span_id().map(|id| hex(id)))
}

fn time<M: SerializeMap>(
    map: &mut M,
    key: &'static str,
    nano_key: &'static str,
    nanos: Option<u64>,
) -> Result<(), M::Error> {
    let nanos = nanos.and_then(known);
    map.serialize_entry(key, &nanos.map(format_time))?;
    map.serialize_entry(nano_key, &nanos)
}

/// A zero id is none.
fn id(id: &[u8]) -> Option<String> {
    id.iter().any(|byte| *byte > 0).then(|| hex(id))
}

/// An empty text is none.
fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A slice, each element in the wrapper that serializes it.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, J: Serialize, F: Fn(&'a T) -> J> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for element in self.0 {
            seq.serialize_element(&(self.1)(element))?;
        }
        seq.end()
    }
}

/// The name of an OTLP enum number, or the number if it has none.
struct EnumJson(&'static [&'static str], u32);

impl Serialize for EnumJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match enum_name(self.0, self.1) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_u32(self.1),
        }
    }
}

struct DoubleJson(f64);

impl Serialize for DoubleJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number => serializer.serialize_f64(number),
        }
    }
}

struct NumberJson(Number);

impl Serialize for NumberJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::Int(number) => serializer.serialize_i64(number),
            Number::Double(number) => DoubleJson(number).serialize(serializer),
        }
    }
}

struct ValueJson<'a>(&'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_unit(),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Double(number) => DoubleJson(*number).serialize(serializer),
            Value::Bytes(bytes) => serializer.serialize_str(&base64(bytes)),
            Value::Array(values) => Each(values, ValueJson).serialize(serializer),
            Value::Map(pairs) => Attributes(pairs).serialize(serializer),
        }
    }
}

struct Attributes<'a>(&'a [KeyValue]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|pair| (&*pair.key, ValueJson(&pair.value))))
    }
}

struct ScopeJson<'a>(&'a Scope);

impl Serialize for ScopeJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.0.name)?;
        map.serialize_entry("version", &text(&self.0.version))?;
        map.serialize_entry("schema_url", &text(&self.0.schema_url))?;
        map.serialize_entry("attributes", &Attributes(&self.0.attributes))?;
        map.end()
    }
}

struct SpanEventJson<'a>(&'a SpanEvent);

impl Serialize for SpanEventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        time(&mut map, "time", "time_unix_nano", Some(self.0.time_unix_nano))?;
        map.serialize_entry("name", &*self.0.name)?;
        map.serialize_entry("attributes", &Attributes(&self.0.attributes))?;
        map.serialize_entry("dropped_attributes_count", &self.0.dropped_attributes_count)?;
        map.end()
    }
}

struct SpanLinkJson<'a>(&'a SpanLink);

impl Serialize for SpanLinkJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &id(&self.0.trace_id))?;
        map.serialize_entry("span_id", &id(&self.0.span_id))?;
        map.serialize_entry("trace_state", &text(&self.0.trace_state))?;
        map.serialize_entry("flags", &self.0.flags)?;
        map.serialize_entry("attributes", &Attributes(&self.0.attributes))?;
        map.serialize_entry("dropped_attributes_count", &self.0.dropped_attributes_count)?;
        map.end()
    }
}

struct ExemplarJson<'a>(&'a Measurement);

impl Serialize for ExemplarJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        time(&mut map, "time", "time_unix_nano", Some(self.0.time_unix_nano))?;
        map.serialize_entry("value", &NumberJson(self.0.value))?;
        context(&mut map, RecordView::Measurement(self.0))?;
        map.serialize_entry("filtered_attributes", &Attributes(&self.0.filtered_attributes))?;
        map.end()
    }
}

struct BucketsJson<'a>(&'a Buckets);

impl Serialize for BucketsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("offset", &self.0.offset)?;
        map.serialize_entry("bucket_counts", &self.0.counts)?;
        map.end()
    }
}

/// Base64 of RFC 4648 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| usize::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            text.push(if digit > group.len() {
                '='
            } else {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const RESOURCE: &str = r#""resource":{"service.name":"checkout","host.name":"web-1","process.pid":4711},"scope":{"name":"shop.http","version":"1.2.0","schema_url":null,"attributes":{"team":"cart"}},"file":"a.otlpmm"}"#;

    #[track_caller]
    fn assert_line(record: RecordView<'_>, expected: &str) {
        assert_eq!(line(record, "a.otlpmm"), format!("{expected}{RESOURCE}"));
    }

    #[test]
    fn an_ended_span() {
        assert_line(
            RecordView::Span(&samples::span()),
            r#"{"schema_version":1,"type":"span","time":"2026-01-31T12:00:00.000000000Z","time_unix_nano":1769860800000000000,"service":"checkout","end_time":"2026-01-31T12:00:00.075000000Z","end_time_unix_nano":1769860800075000000,"duration_nano":75000000,"in_flight":false,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","parent_span_id":null,"trace_state":null,"flags":1,"name":"GET /users/:id","kind":"server","status":"error","status_message":"boom","attributes":{"http.route":"/users/:id","http.response.status_code":500,"retry":true,"ratio":0.25,"key with space":"x y","tags":["a","b",7]},"dropped_attributes_count":0,"events":[{"time":"2026-01-31T12:00:00.001500000Z","time_unix_nano":1769860800001500000,"name":"exception","attributes":{"exception.message":"no such user"},"dropped_attributes_count":0}],"dropped_events_count":0,"links":[{"trace_id":"11111111111111111111111111111111","span_id":"2222222222222222","trace_state":null,"flags":0,"attributes":{"why":"retry"},"dropped_attributes_count":0}],"dropped_links_count":0,"truncated":false,"incomplete":false,"#,
        );
    }

    #[test]
    fn a_span_in_flight_has_no_end() {
        let json = line(RecordView::Span(&samples::span_in_flight()), "a");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["in_flight"], true);
        assert!(json["end_time"].is_null() && json["end_time_unix_nano"].is_null());
        assert!(json["duration_nano"].is_null());
        assert_eq!(json["parent_span_id"], "00f067aa0ba902b7");
    }

    #[test]
    fn an_event() {
        assert_line(
            RecordView::Event(&samples::event()),
            r#"{"schema_version":1,"type":"event","time":"2026-01-31T12:00:01.000000000Z","time_unix_nano":1769860801000000000,"service":"checkout","observed_time":"2026-01-31T12:00:01.000000001Z","observed_time_unix_nano":1769860801000000001,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","flags":1,"event_name":"cart.slow","severity":"warn","severity_number":13,"severity_text":"WARNING","body":"cart took\nlong","attributes":{"cart.items":12},"dropped_attributes_count":0,"truncated":false,"#,
        );
    }

    #[test]
    fn unknown_times_are_null() {
        let (mut event, mut span) = (samples::event(), samples::span());
        (event.time_unix_nano, event.observed_time_unix_nano) = (0, 0);
        (span.start_time_unix_nano, span.events[0].time_unix_nano) = (0, 0);
        let event: serde_json::Value = serde_json::from_str(&line(RecordView::Event(&event), "a")).unwrap();
        for key in ["time", "time_unix_nano", "observed_time", "observed_time_unix_nano"] {
            assert!(event[key].is_null(), "{key}");
        }
        let span: serde_json::Value = serde_json::from_str(&line(RecordView::Span(&span), "a")).unwrap();
        for value in [&span["time"], &span["duration_nano"], &span["events"][0]["time_unix_nano"]] {
            assert!(value.is_null(), "{span}");
        }
        assert_eq!(span["in_flight"], false);
    }

    #[test]
    fn a_metric() {
        let start = r#"{"schema_version":1,"type":"metric","time":"2026-01-31T12:00:02.000000000Z","time_unix_nano":1769860802000000000,"service":"checkout","start_time":"2026-01-31T12:00:00.000000000Z","start_time_unix_nano":1769860800000000000,"name":"shop.metric","description":"what it is","unit":"By","#;
        let end = r#""attributes":{"http.route":"/cart"},"overflow":false,"exemplars":[],"#;
        for (series, expected) in [
            (samples::gauge(f64::NEG_INFINITY), r#""kind":"gauge","value":"-Infinity","#),
            (samples::sum(), r#""kind":"sum","monotonic":true,"value":42,"#),
            (
                samples::histogram(),
                r#""kind":"histogram","count":3,"sum":7.5,"min":0.25,"max":7.0,"boundaries":[0.5,5.0],"bucket_counts":[2,0,1],"#,
            ),
            (
                samples::exponential_histogram(),
                r#""kind":"exponential_histogram","count":4,"sum":9.0,"min":0.0,"max":4.0,"scale":0,"zero_count":1,"positive":{"offset":0,"bucket_counts":[1,2]},"negative":{"offset":0,"bucket_counts":[]},"#,
            ),
        ] {
            assert_line(RecordView::Metric(&series), &format!("{start}{expected}{end}"));
        }
    }

    #[test]
    fn an_exemplar_stands_in_its_metric_and_alone() {
        let mut series = samples::histogram();
        series.exemplars.push(samples::measurement());
        let json = line(RecordView::Metric(&series), "a");
        assert!(json.contains(
            r#""exemplars":[{"time":"2026-01-31T12:00:03.000000000Z","time_unix_nano":1769860803000000000,"value":12.5,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","filtered_attributes":{"user.id":9}}]"#
        ));
        assert_line(
            RecordView::Measurement(&samples::measurement()),
            r#"{"schema_version":1,"type":"measurement","time":"2026-01-31T12:00:03.000000000Z","time_unix_nano":1769860803000000000,"service":"checkout","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","name":"shop.latency","unit":"ms","value":12.5,"raw":false,"attributes":{"http.route":"/cart"},"filtered_attributes":{"user.id":9},"#,
        );
    }

    #[test]
    fn values_of_every_type() {
        let mut event = samples::event();
        event.body = Some(Value::Map(vec![
            samples::pair("empty", Value::Empty),
            samples::pair("nan", Value::Double(f64::NAN)),
            samples::pair("inf", Value::Double(f64::INFINITY)),
            samples::pair("least", Value::Int(i64::MIN)),
            samples::pair("bytes", Value::Bytes(vec![0xff, 0, 1, 2])),
            samples::pair("list", Value::Array(vec![Value::Bool(false), Value::Array(vec![])])),
        ]));
        let json = line(RecordView::Event(&event), "a");
        assert!(json.contains(
            r#""body":{"empty":null,"nan":"NaN","inf":"Infinity","least":-9223372036854775808,"bytes":"/wABAg==","list":[false,[]]}"#
        ));
    }

    #[test]
    fn unknown_enum_numbers_stay_numbers() {
        let mut span = samples::span();
        (span.kind, span.status_code) = (99, 7);
        assert!(line(RecordView::Span(&span), "a").contains(r#""kind":99,"status":7"#));
    }

    #[test]
    fn a_line_is_a_line_and_safe_to_print() {
        let mut span = samples::span();
        span.name = "a\nb\u{1b}\u{9b}\u{2028}\u{202e}".into();
        let json = line(RecordView::Span(&span), "a");
        assert!(!json.contains(crate::escape::is_dangerous));
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["name"], "a\nb\u{1b}\u{9b}\u{2028}\u{202e}");
    }

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foo"), "Zm9v");
        assert_eq!(base64(b"foob"), "Zm9vYg==");
    }
}
