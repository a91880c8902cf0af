//! What the filter takes, means and refuses.

use otlp_mmap_reader::model::{Number, Point, Value};
use proptest::prelude::*;

use super::{Filter, FilterError, MAX_DEPTH};
use crate::record::RecordView;
use crate::samples;

fn passes(filter: &str, record: RecordView<'_>) -> bool {
    Filter::parse(filter).unwrap_or_else(|error| panic!("{}", error.render(filter))).matches(&record)
}

#[track_caller]
fn spans(cases: &[(&str, bool)]) {
    let span = samples::span();
    for (filter, expected) in cases {
        assert_eq!(passes(filter, RecordView::Span(&span)), *expected, "{filter}");
    }
}

fn refused(filter: &str) -> FilterError {
    Filter::parse(filter).expect_err(filter)
}

#[test]
fn fields_of_a_span() {
    spans(&[
        ("name = 'GET /users/:id'", true),
        ("name=~^GET", true),
        ("name !~ ^GET", false),
        ("service = checkout", true),
        ("scope = shop.http", true),
        ("trace_id = 4BF92F3577B34DA6A3CE929D0E0E4736", true),
        ("trace_id =~ ^4bf9", true),
        ("span_id = 00f067aa0ba902b7", true),
        ("has(parent_span_id)", false),
        ("kind = server", true),
        ("kind != SERVER", false),
        ("status = error", true),
        ("status_message = boom", true),
        ("in_flight = false", true),
        ("time >= 2026-01-31T12:00:00Z", true),
        ("time > 2026-01-31T13:00:00+01:00", false),
        ("has(severity) or has(body) or has(metric) or has(value) or has(event_name)", false),
    ]);
}

#[test]
fn an_unknown_time_is_a_key_that_lacks() {
    let mut span = samples::span();
    span.start_time_unix_nano = 0;
    for filter in ["has(time)", "time < 2026-01-31T12:00:00Z", "has(duration)", "duration > 1h"] {
        assert!(!Filter::parse(filter).unwrap().matches(&RecordView::Span(&span)), "{filter}");
    }
}

#[test]
fn durations_compare_in_any_unit() {
    spans(&[
        ("duration > 50ms", true),
        ("duration>50ms and status=error", true),
        ("duration = 75000us", true),
        ("duration = 75000µs", true),
        ("duration <= 0.075s", true),
        ("duration < 75000000ns", false),
        ("duration >= 1m", false),
        ("duration >= 1h", false),
    ]);
}

#[test]
fn a_span_in_flight_has_no_duration() {
    let span = samples::span_in_flight();
    let record = RecordView::Span(&span);
    assert!(passes("in_flight = true", record));
    assert!(!passes("duration > 0ns or duration <= 0ns", record));
    assert!(passes("parent_span_id = 00f067aa0ba902b7", record));
}

#[test]
fn attributes() {
    spans(&[
        ("http.route = /users/:id", true),
        ("http.response.status_code >= 500", true),
        ("http.response.status_code = \"500\"", true),
        ("http.response.status_code < 5e2", false),
        ("http.response.status_code =~ ^5", true),
        ("retry = true", true),
        ("ratio <= .25", true),
        ("attr(\"key with space\") = \"x y\"", true),
        ("has(attr('key with space'))", true),
        ("attr(http.route) != x", true),
        ("resource.host.name = web-1", true),
        ("resource(\"process.pid\") > 4000", true),
        ("host.name = web-1", true),
        ("resource.http.route = /users/:id", false),
        ("scope.team = cart", true),
        ("team = cart", true),
        ("has(scope(team))", true),
        ("has(resource.team)", false),
    ]);
}

#[test]
fn what_is_lacking_passes_no_comparison() {
    spans(&[
        ("nothing.here = 1", false),
        ("nothing.here != 1", false),
        ("nothing.here !~ x", false),
        ("not (nothing.here = 1)", true),
        ("not has(nothing.here)", true),
    ]);
}

#[test]
fn an_array_passes_by_its_elements() {
    spans(&[
        ("tags = a", true),
        ("tags = c", false),
        ("tags != a", false),
        ("tags != c", true),
        ("tags > 6", true),
        ("tags =~ ^b$", true),
        ("tags !~ ^b$", false),
    ]);
}

#[test]
fn precedence_and_case_of_keywords() {
    spans(&[
        ("kind = server or kind = client and status = ok", true),
        ("(kind = server or kind = client) and status = ok", false),
        ("NOT kind = server OR status = error", true),
        ("not (not (kind = server))", true),
        ("not not kind = server", true),
        ("not kind = server and status = error", false),
        ("kind == server AND has(name)", true),
        ("name = and or name =~ .", true),
    ]);
}

#[test]
fn severities_are_ordered() {
    let event = samples::event();
    for (filter, expected) in [
        ("severity = warn", true),
        ("severity >= warn", true),
        ("severity > warn", false),
        ("severity >= info", true),
        ("severity < ERROR", true),
        ("severity = warn2", false),
        ("severity < warn2", true),
        ("severity = 13", true),
        ("severity != warn", false),
        ("severity =~ ^w", true),
        ("body =~ cart", true),
        ("body = \"cart took\nlong\"", true),
        ("event_name = cart.slow and name = cart.slow", true),
        ("cart.items >= 12", true),
    ] {
        assert_eq!(passes(filter, RecordView::Event(&event)), expected, "{filter}");
    }
}

#[test]
fn metrics_and_measurements() {
    let (sum, histogram, measurement) = (samples::sum(), samples::histogram(), samples::measurement());
    assert!(passes("value = 42 and metric = shop.metric and http.route = /cart", RecordView::Metric(&sum)));
    assert!(!passes("has(value)", RecordView::Metric(&histogram)));
    assert!(passes(
        "value > 12.4 and user.id = 9 and http.route = /cart",
        RecordView::Measurement(&measurement)
    ));
    assert!(passes("name = metric or name =~ latency", RecordView::Measurement(&measurement)));
}

#[test]
fn numbers_are_exact_and_nan_equals_nothing() {
    let mut series = samples::gauge(f64::NAN);
    assert!(!passes("value = NaN or value < 1 or value >= 1", RecordView::Metric(&series)));
    assert!(passes("value != 1", RecordView::Metric(&series)));
    series.point = Point::Gauge(Number::Int(9_007_199_254_740_993));
    assert!(passes("value = 9007199254740993", RecordView::Metric(&series)));
    assert!(!passes("value = 9007199254740992", RecordView::Metric(&series)));
    series.point = Point::Gauge(Number::Int(i64::MAX));
    assert!(passes("value = 9223372036854775807", RecordView::Metric(&series)));
    assert!(!passes("value >= 9223372036854775808", RecordView::Metric(&series)));
    assert!(passes("value < 9223372036854775808", RecordView::Metric(&series)));
    series.point = Point::Gauge(Number::Double(9_223_372_036_854_775_808.0));
    assert!(passes("value = 9223372036854775808", RecordView::Metric(&series)));
}

#[test]
fn text_compares_as_numbers_only_if_both_are_and_nothing_is_quoted() {
    let mut span = samples::span();
    for (text, filter, expected) in [
        ("10", "x > 9", true),
        ("10", "x > '9'", false),
        ("1.0", "x = 1", true),
        ("1.0", "x = '1'", false),
        ("abc", "x > 9", true),
        ("nan", "x = nan", true),
    ] {
        span.attributes = vec![samples::pair("x", Value::String(text.to_owned()))];
        assert_eq!(passes(filter, RecordView::Span(&span)), expected, "{text} {filter}");
    }
}

#[test]
fn quotes_and_escapes() {
    let mut span = samples::span();
    span.name = r#"say "hi" \d it's"#.into();
    let record = RecordView::Span(&span);
    assert!(passes(r#"name = "say \"hi\" \d it's""#, record));
    assert!(passes(r#"name = 'say "hi" \\d it\'s'"#, record));
    assert!(passes(r#"name =~ "\\\\d""#, record));
    assert!(passes(r"name =~ '\bit'", record));
}

#[test]
fn errors_point_at_what_is_wrong() {
    for (filter, position, length, part) in [
        ("", 0, 0, "expected a test"),
        ("  ", 2, 0, "expected a test"),
        ("status", 6, 0, "expected one of ="),
        ("http.route", 10, 0, "has(http.route)"),
        ("status = ", 9, 0, "expected a value"),
        ("status = bad", 9, 3, "unset, ok, error"),
        ("status < ok", 9, 2, "no order"),
        ("duration > 50", 11, 2, "unit"),
        ("é = 1 and duration > 50", 22, 2, "unit"),
        ("duration =~ 5", 12, 1, "no text"),
        ("time > today", 7, 5, "RFC 3339"),
        ("severity >= loud", 12, 4, "warn"),
        ("severity = 25", 11, 2, "1 to 24"),
        ("trace_id = 4bf9", 11, 4, "32 hexadecimal"),
        ("name =~ '('", 8, 3, "unclosed group"),
        ("name = 'x", 7, 2, "no closing '"),
        ("(name = x", 0, 1, "not closed"),
        ("name = x)", 8, 1, "not opened"),
        ("name = x kind = server", 9, 4, "expected `and`"),
        ("nope(x)", 0, 4, "has(…)"),
        ("has(nope(x))", 4, 4, "attr(…)"),
        ("has()", 4, 1, "expected a key"),
        ("attr() = 1", 5, 1, "attribute's key"),
        ("attr(a b) = 1", 7, 1, "expected `)`"),
        ("!has(x)", 0, 4, "before a parenthesis"),
        ("!name = x", 0, 5, "use `not`"),
        ("= x", 0, 1, "expected a test"),
    ] {
        let error = refused(filter);
        assert!(error.message.contains(part), "{filter}: {error}");
        assert_eq!((error.position, error.length), (position, length), "{filter}: {error}");
    }
}

#[test]
fn a_rendered_error_has_carets_under_the_fault() {
    let filter = "name = x and duration > 50";
    let message = "a duration is a number with a unit (ns, us, ms, s, m, h), such as 50ms or 1h30m";
    assert_eq!(
        refused(filter).render(filter),
        format!("filter, byte 24: {message}\n  {filter}\n                          ^^")
    );
    let hostile = "\u{1b}[2J = 1 and";
    let rendered = refused(hostile).render(hostile);
    assert!(!rendered.contains('\u{1b}'));
    assert!(rendered.ends_with(&format!("\n  \\u{{1b}}[2J = 1 and\n  {}^", " ".repeat(17))), "{rendered}");
}

#[test]
fn nesting_is_limited() {
    let nested = |depth| format!("{}has(x){}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert!(refused(&nested(MAX_DEPTH)).message.contains("nested"));
    assert!(refused(&"(".repeat(1_000_000)).message.contains("nested"));
    assert!(refused(&"not ".repeat(1_000_000)).message.contains("nested"));
    assert!(Filter::parse(&format!("has(x){}", " or has(x)".repeat(10_000))).is_ok());
}

#[test]
fn a_regular_expression_has_a_size_limit() {
    assert!(refused("name =~ '((\\w{100}){100}){100}'").message.contains("size limit"));
}

fn any_filter_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "name", "duration", "severity", "time", "trace_id", "kind", "status", "x.y", "50ms", "5", "warn",
        "ok", "and", "or", "not", "has", "attr", "resource", "scope", "(", ")", "=", "!=", "<", "<=", ">",
        ">=", "=~", "!~", "'", "\"", "\\", "!", "é", "\u{1b}", " ", "a(", "'a b'",
    ]);
    prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

/// Filters that parse, built from tests that do.
fn valid_filter() -> impl Strategy<Value = String> {
    let test = prop::sample::select(vec![
        "name = x",
        "kind = server",
        "status != error",
        "duration > 50ms",
        "severity >= warn",
        "has(body)",
        "retry = true",
        "tags = a",
        "value < 100",
        "resource.host.name =~ web",
    ]);
    test.prop_map(str::to_owned).prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|filter| format!("not ({filter})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) and ({right})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("({left}) or ({right})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in prop_oneof![any::<String>(), any_filter_text()]) {
        let span = samples::span();
        match Filter::parse(&text) {
            Ok(filter) => {
                filter.matches(&RecordView::Span(&span));
            }
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.position));
                prop_assert!(text.is_char_boundary(error.position + error.length));
                prop_assert!(error.render(&text).lines().count() >= 3);
            }
        }
    }

    #[test]
    fn logic_is_that_of_booleans(left in valid_filter(), right in valid_filter()) {
        let (span, event, series) = (samples::span(), samples::event(), samples::sum());
        for record in [RecordView::Span(&span), RecordView::Event(&event), RecordView::Metric(&series)] {
            let (a, b) = (passes(&left, record), passes(&right, record));
            prop_assert_eq!(passes(&format!("not ({left})"), record), !a);
            prop_assert_eq!(passes(&format!("({left}) and ({right})"), record), a && b);
            prop_assert_eq!(passes(&format!("({left}) or ({right})"), record), a || b);
        }
    }
}
