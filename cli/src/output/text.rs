//! Records as text: one line each, words apart by one space, and an indented line for each event and link of a span.
//! A time that is unknown is the word `unknown`, as wide as a time; a duration that is unknown is `-`.
//!
//! Every text that comes from a recording is escaped: a line stays a line, and no terminal obeys it.

use std::fmt::{self, Display, Formatter};

use otlp_mmap_reader::model::{
    Aggregation, Buckets, Event, KeyValue, Measurement, Number, Point, Series, Span, Value,
};

use crate::escape::Quoted;
use crate::paint::{Paint, Style};
use crate::record::{RecordView, SPAN_KINDS, STATUS_CODES, enum_name, hex, severity_name};
use crate::time::{format_duration, format_time, known};

/// Bytes of an RFC 3339 time with nine digits of the second, until the year 9999.
const TIME_WIDTH: usize = 30;

/// Displays a record, without the last line end.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The record.
    pub record: RecordView<'a>,
    /// Its colours.
    pub paint: Paint,
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (tag, style) = match self.record {
            RecordView::Span(_) => ("SPAN", Style::Cyan),
            RecordView::Event(_) => ("EVENT", Style::Blue),
            RecordView::Metric(_) => ("METRIC", Style::Magenta),
            RecordView::Measurement(_) => ("MEASUREMENT", Style::Magenta),
        };
        let time = format!("{:TIME_WIDTH$}", format_time(self.record.time_unix_nano()));
        let service = Quoted(self.record.service().unwrap_or("-"));
        write!(f, "{} {} {service}", self.paint.style(Style::Dim, time), self.paint.style(style, tag))?;
        match self.record {
            RecordView::Span(span) => self.span(f, span),
            RecordView::Event(event) => self.event(f, event),
            RecordView::Metric(series) => self.metric(f, series),
            RecordView::Measurement(measurement) => self.measurement(f, measurement),
        }
    }
}

impl Text<'_> {
    fn name(&self, f: &mut Formatter<'_>, name: &str) -> fmt::Result {
        write!(f, " {}", self.paint.style(Style::Bold, Quoted(name)))
    }

    fn span(&self, f: &mut Formatter<'_>, span: &Span) -> fmt::Result {
        self.name(f, &span.name)?;
        match enum_name(&SPAN_KINDS, span.kind) {
            Some(kind) => write!(f, " {kind}")?,
            None => write!(f, " kind={}", span.kind)?,
        }
        match (span.end_time_unix_nano, self.record.duration_nano()) {
            (None, _) => write!(f, " {}", self.paint.style(Style::Yellow, "in-flight"))?,
            (_, Some(nanos)) => write!(f, " {}", format_duration(nanos))?,
            (_, None) => f.write_str(" -")?,
        }
        self.status(f, span)?;
        write!(f, " trace={} span={}", hex(&span.trace_id), hex(&span.span_id))?;
        if span.parent_span_id != [0; 8] {
            write!(f, " parent={}", hex(&span.parent_span_id))?;
        }
        attributes(f, &span.attributes)?;
        dropped(f, "attributes", span.dropped_attributes_count)?;
        dropped(f, "events", span.dropped_events_count)?;
        dropped(f, "links", span.dropped_links_count)?;
        self.mark(f, span.truncated, "truncated")?;
        self.mark(f, span.spilled, "incomplete")?;
        span_details(f, span)
    }

    fn status(&self, f: &mut Formatter<'_>, span: &Span) -> fmt::Result {
        match span.status_code {
            0 => {}
            1 => write!(f, " {}", self.paint.style(Style::Green, "ok"))?,
            2 => write!(f, " {}", self.paint.style(Style::Red, "error"))?,
            code => write!(f, " status={}", enum_name(&STATUS_CODES, code).unwrap_or("?"))?,
        }
        if span.status_message.is_empty() {
            return Ok(());
        }
        write!(f, " {}", Quoted(&span.status_message))
    }

    fn event(&self, f: &mut Formatter<'_>, event: &Event) -> fmt::Result {
        let severity = severity_name(event.severity_number).map(str::to_uppercase);
        let style = match event.severity_number {
            17.. => Style::Red,
            13..17 => Style::Yellow,
            9..13 => Style::Green,
            _ => Style::Dim,
        };
        write!(f, " {}", self.paint.style(style, severity.as_deref().unwrap_or("-")))?;
        if !event.event_name.is_empty() {
            self.name(f, &event.event_name)?;
        }
        if let Some(body) = &event.body {
            write!(f, " {}", ValueText(body))?;
        }
        context(f, &event.trace_id, &event.span_id)?;
        attributes(f, &event.attributes)?;
        dropped(f, "attributes", event.dropped_attributes_count)?;
        self.mark(f, event.truncated, "truncated")
    }

    fn metric(&self, f: &mut Formatter<'_>, series: &Series) -> fmt::Result {
        self.name(f, &series.stream.name)?;
        write!(f, " {}", point_kind(&series.point))?;
        point(f, series)?;
        unit(f, &series.stream.unit)?;
        attributes(f, &series.attributes)?;
        if series.exemplars.is_empty() {
            return Ok(());
        }
        write!(f, " exemplars={}", series.exemplars.len())
    }

    fn measurement(&self, f: &mut Formatter<'_>, measurement: &Measurement) -> fmt::Result {
        self.name(f, &measurement.stream.name)?;
        write!(f, " {}", NumberText(measurement.value))?;
        unit(f, &measurement.stream.unit)?;
        self.mark(f, measurement.raw, "raw")?;
        context(f, &measurement.trace_id, &measurement.span_id)?;
        attributes(f, &measurement.series_attributes)?;
        attributes(f, &measurement.filtered_attributes)
    }

    fn mark(&self, f: &mut Formatter<'_>, marked: bool, word: &str) -> fmt::Result {
        if marked { write!(f, " {}", self.paint.style(Style::Yellow, word)) } else { Ok(()) }
    }
}

/// Displays a value; arrays as `[a,b]`, maps as `{k=v}`, bytes in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct ValueText<'a>(pub &'a Value);

impl Display for ValueText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Empty => f.write_str("null"),
            Value::String(text) => Quoted(text).fmt(f),
            Value::Bool(flag) => flag.fmt(f),
            Value::Int(number) => number.fmt(f),
            Value::Double(number) => write!(f, "{number:?}"),
            Value::Bytes(bytes) => write!(f, "0x{}", hex(bytes)),
            Value::Array(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { "," } else { "" }, Self(value))?;
                }
                f.write_str("]")
            }
            Value::Map(pairs) => {
                f.write_str("{")?;
                for (i, pair) in pairs.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(f, "{comma}{}={}", Quoted(&pair.key), Self(&pair.value))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// The name of a metric's kind.
pub(super) fn point_kind(point: &Point) -> &'static str {
    match point {
        Point::Gauge(_) => "gauge",
        Point::Sum(_) => "sum",
        Point::Histogram { .. } => "histogram",
        Point::ExponentialHistogram { .. } => "exponential_histogram",
    }
}

struct NumberText(Number);

impl Display for NumberText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Number::Int(number) => number.fmt(f),
            Number::Double(number) => write!(f, "{number:?}"),
        }
    }
}

fn span_details(f: &mut Formatter<'_>, span: &Span) -> fmt::Result {
    for event in &span.events {
        match known(span.start_time_unix_nano).zip(known(event.time_unix_nano)) {
            Some((start, time)) => write!(f, "\n    +{}", format_duration(time.saturating_sub(start)))?,
            None => f.write_str("\n    -")?,
        }
        write!(f, " {}", Quoted(&event.name))?;
        attributes(f, &event.attributes)?;
        dropped(f, "attributes", event.dropped_attributes_count)?;
    }
    for link in &span.links {
        write!(f, "\n    link trace={} span={}", hex(&link.trace_id), hex(&link.span_id))?;
        attributes(f, &link.attributes)?;
        dropped(f, "attributes", link.dropped_attributes_count)?;
    }
    Ok(())
}

fn attributes(f: &mut Formatter<'_>, attributes: &[KeyValue]) -> fmt::Result {
    for attribute in attributes {
        write!(f, " {}={}", Quoted(&attribute.key), ValueText(&attribute.value))?;
        if attribute.truncated {
            f.write_str("…")?;
        }
    }
    Ok(())
}

fn dropped(f: &mut Formatter<'_>, what: &str, count: u32) -> fmt::Result {
    if count > 0 { write!(f, " dropped_{what}={count}") } else { Ok(()) }
}

fn context(f: &mut Formatter<'_>, trace_id: &[u8], span_id: &[u8]) -> fmt::Result {
    if trace_id.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    write!(f, " trace={} span={}", hex(trace_id), hex(span_id))
}

fn unit(f: &mut Formatter<'_>, unit: &str) -> fmt::Result {
    if unit.is_empty() { Ok(()) } else { write!(f, " {}", Quoted(unit)) }
}

fn point(f: &mut Formatter<'_>, series: &Series) -> fmt::Result {
    match &series.point {
        Point::Gauge(number) | Point::Sum(number) => write!(f, " {}", NumberText(*number)),
        Point::Histogram { count, sum, min, max, bucket_counts } => {
            totals(f, *count, *sum, *min, *max)?;
            let bounds: &[f64] = match &series.stream.aggregation {
                Aggregation::Histogram { boundaries, .. } => boundaries,
                _ => &[],
            };
            explicit_buckets(f, bounds, bucket_counts)
        }
        Point::ExponentialHistogram { count, sum, min, max, scale, zero_count, positive, negative } => {
            totals(f, *count, *sum, *min, *max)?;
            write!(f, " scale={scale} zero={zero_count}")?;
            exponential_buckets(f, "negative", *scale, negative)?;
            exponential_buckets(f, "positive", *scale, positive)
        }
    }
}

fn totals(f: &mut Formatter<'_>, count: u64, sum: f64, min: Option<f64>, max: Option<f64>) -> fmt::Result {
    write!(f, " count={count} sum={sum:?}")?;
    if let Some(min) = min {
        write!(f, " min={min:?}")?;
    }
    if let Some(max) = max {
        write!(f, " max={max:?}")?;
    }
    Ok(())
}

/// Buckets that are not empty, as `(lower,upper]:count`.
fn explicit_buckets(f: &mut Formatter<'_>, bounds: &[f64], counts: &[u64]) -> fmt::Result {
    let mut word = " buckets=";
    for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let lower = i.checked_sub(1).and_then(|i| bounds.get(i)).copied().unwrap_or(f64::NEG_INFINITY);
        let upper = bounds.get(i).copied().unwrap_or(f64::INFINITY);
        write!(f, "{word}({lower:?},{upper:?}]:{count}")?;
        word = ",";
    }
    Ok(())
}

/// Buckets that are not empty, as `(base^i,base^(i+1)]:count` of absolute values.
fn exponential_buckets(f: &mut Formatter<'_>, sign: &str, scale: i32, buckets: &Buckets) -> fmt::Result {
    let width = f64::from(scale).mul_add(-1.0, 0.0).exp2();
    let mut start = true;
    for (index, count) in (i64::from(buckets.offset)..).zip(&buckets.counts).filter(|(_, count)| **count > 0)
    {
        let bound =
            |index: i64| i32::try_from(index).map_or(f64::INFINITY, |i| (f64::from(i) * width).exp2());
        let word = if start { format!(" {sign}=") } else { ",".to_owned() };
        write!(f, "{word}({:?},{:?}]:{count}", bound(index), bound(index + 1))?;
        start = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[track_caller]
    fn assert_text(record: RecordView<'_>, expected: &str) {
        assert_eq!(Text { record, paint: Paint::default() }.to_string(), expected);
    }

    #[test]
    fn an_ended_span() {
        assert_text(
            RecordView::Span(&samples::span()),
            "2026-01-31T12:00:00.000000000Z SPAN checkout \"GET /users/:id\" server 75.000ms error boom \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 http.route=/users/:id \
             http.response.status_code=500 retry=true ratio=0.25 \"key with space\"=\"x y\" tags=[a,b,7]\
             \n    +1.500ms exception exception.message=\"no such user\"\
             \n    link trace=11111111111111111111111111111111 span=2222222222222222 why=retry",
        );
    }

    #[test]
    fn a_span_in_flight_is_marked() {
        let mut span = samples::span_in_flight();
        span.spilled = true;
        assert_text(
            RecordView::Span(&span),
            "2026-01-31T12:00:00.000000000Z SPAN checkout SELECT client in-flight \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=3333333333333333 parent=00f067aa0ba902b7 incomplete",
        );
    }

    #[test]
    fn an_event() {
        assert_text(
            RecordView::Event(&samples::event()),
            "2026-01-31T12:00:01.000000000Z EVENT checkout WARN cart.slow \"cart took\\nlong\" \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 cart.items=12",
        );
    }

    #[test]
    fn unknown_times_are_in_no_year() {
        let (mut event, mut span) = (samples::event(), samples::span());
        event.time_unix_nano = 0;
        assert_text(
            RecordView::Event(&event),
            "2026-01-31T12:00:01.000000001Z EVENT checkout WARN cart.slow \"cart took\\nlong\" \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 cart.items=12",
        );
        event.observed_time_unix_nano = 0;
        assert_text(
            RecordView::Event(&event),
            "unknown                        EVENT checkout WARN cart.slow \"cart took\\nlong\" \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 cart.items=12",
        );
        span.start_time_unix_nano = 0;
        let text = |span: &Span| Text { record: RecordView::Span(span), paint: Paint::default() }.to_string();
        assert!(text(&span).starts_with(
            "unknown                        SPAN checkout \"GET /users/:id\" server - error boom "
        ));
        assert!(text(&span).contains("\n    - exception "));
        span.end_time_unix_nano = None;
        assert!(text(&span).contains(" server in-flight error "));
    }

    #[test]
    fn metrics_of_every_kind() {
        let start = "2026-01-31T12:00:02.000000000Z METRIC checkout shop.metric";
        for (series, expected) in [
            (samples::gauge(f64::NAN), "gauge NaN By http.route=/cart"),
            (samples::sum(), "sum 42 By http.route=/cart"),
            (
                samples::histogram(),
                "histogram count=3 sum=7.5 min=0.25 max=7.0 buckets=(-inf,0.5]:2,(5.0,inf]:1 By http.route=/cart",
            ),
            (
                samples::exponential_histogram(),
                "exponential_histogram count=4 sum=9.0 min=0.0 max=4.0 scale=0 zero=1 \
                 positive=(1.0,2.0]:1,(2.0,4.0]:2 By http.route=/cart",
            ),
        ] {
            assert_text(RecordView::Metric(&series), &format!("{start} {expected}"));
        }
    }

    #[test]
    fn a_measurement() {
        assert_text(
            RecordView::Measurement(&samples::measurement()),
            "2026-01-31T12:00:03.000000000Z MEASUREMENT checkout shop.latency 12.5 ms \
             trace=4bf92f3577b34da6a3ce929d0e0e4736 span=00f067aa0ba902b7 http.route=/cart user.id=9",
        );
    }

    #[test]
    fn hostile_text_is_escaped_everywhere() {
        let hostile = "\u{1b}[2J\n\u{202e}\u{9b}";
        let pair =
            || samples::pair(hostile, Value::Map(vec![samples::pair(hostile, samples::string(hostile))]));
        let mut span = samples::span();
        span.name = hostile.into();
        span.status_message = hostile.into();
        span.attributes = vec![pair()];
        span.events[0].name = hostile.into();
        span.events[0].attributes = vec![pair()];
        span.links[0].attributes = vec![pair()];
        let text = Text { record: RecordView::Span(&span), paint: Paint::default() }.to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.replace('\n', "").contains(crate::escape::is_dangerous), "{text}");
    }

    #[test]
    fn colours_only_when_on() {
        let event = samples::event();
        let text = Text { record: RecordView::Event(&event), paint: Paint { on: true } }.to_string();
        assert!(text.contains("\u{1b}[33mWARN\u{1b}[0m"), "{text}");
    }
}
