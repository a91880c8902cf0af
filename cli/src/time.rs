//! Times and durations as people write and read them.
//!
//! A time is unix nanoseconds in a `u64`, as in OTLP; 0 is an unknown one (SPEC section 2). In: RFC 3339, `now`, or a time back from now such as `-5m`.
//! Out: RFC 3339 in UTC with all nine digits of the second. A duration is nanoseconds with a unit per number:
//! `50ms`, `1.5s`, `1h30m`.

use std::fmt::Write;

use jiff::Timestamp;

/// Units of a duration, longest name first where one begins another, with their nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What a duration must look like, for messages.
const DURATION_SHAPE: &str =
    "a duration is a number with a unit (ns, us, ms, s, m, h), such as 50ms or 1h30m";

/// Reads a time: RFC 3339, `now`, or a duration back from `now` with a minus sign. The error says what is wrong.
pub fn parse_time(text: &str, now: u64) -> Result<u64, String> {
    if text == "now" {
        return Ok(now);
    }
    if let Some(back) = text.strip_prefix('-') {
        return parse_duration(back).map(|nanos| now.saturating_sub(nanos));
    }
    parse_timestamp(text).map_err(|error| format!("{error}, or go back from now, as in -5m"))
}

/// Reads an RFC 3339 time with its offset from UTC. The error says what is wrong.
pub fn parse_timestamp(text: &str) -> Result<u64, String> {
    let wrong = "a time is in RFC 3339 with an offset, such as 2026-01-31T12:00:00Z";
    let timestamp: Timestamp = text.parse().map_err(|_| wrong.to_owned())?;
    u64::try_from(timestamp.as_nanosecond())
        .map_err(|_| "a time must be between the years 1970 and 2554".to_owned())
}

/// Reads a duration such as `50ms`, `1.5s` or `1h30m`, in nanoseconds. The error says what is wrong.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, unit_nanos) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| DURATION_SHAPE.to_owned())?;
        let nanos = scale(number, *unit_nanos).ok_or_else(|| DURATION_SHAPE.to_owned())?;
        total = total.checked_add(nanos).ok_or("the duration is longer than 584 years")?;
        if tail.is_empty() {
            return Ok(total);
        }
        rest = tail;
    }
}

/// A time, if it is known.
pub fn known(unix_nano: u64) -> Option<u64> {
    (unix_nano > 0).then_some(unix_nano)
}

/// Unix nanoseconds in RFC 3339, UTC, nine digits of the second; or `unknown`.
pub fn format_time(unix_nano: u64) -> String {
    if unix_nano == 0 {
        return "unknown".to_owned();
    }
    // Every u64 is before the year 2555, well within what a timestamp holds.
    Timestamp::from_nanosecond(i128::from(unix_nano))
        .map_or_else(|_| unix_nano.to_string(), |timestamp| format!("{timestamp:.9}"))
}

/// Nanoseconds with three digits after the point in the unit that fits: `12.345ms`, `2h03m04.500s`.
pub fn format_duration(nanos: u64) -> String {
    let thousandths = |unit: u64, name: &str| {
        let whole = nanos / unit;
        let part = nanos % unit / (unit / 1_000);
        format!("{whole}.{part:03}{name}")
    };
    match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => thousandths(1_000, "us"),
        1_000_000..1_000_000_000 => thousandths(1_000_000, "ms"),
        1_000_000_000..60_000_000_000 => thousandths(1_000_000_000, "s"),
        _ => format_long(nanos),
    }
}

fn format_long(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let millis = nanos / 1_000_000 % 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = if hours > 0 { write!(text, "{hours}h{minutes:02}m") } else { write!(text, "{minutes}m") };
    let _ = write!(text, "{seconds:02}.{millis:03}s");
    text
}

/// `number * unit` exactly, `number` being decimal digits with at most one point; digits below a nanosecond are
/// cut. `None`: not a number, or too large.
fn scale(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    // 18 digits are more than any unit needs; the product stays far below 2^128.
    let fraction = &fraction[..fraction.len().min(18)];
    let places = fraction.bytes().fold(1_u128, |places, _| places * 10);
    let part = fraction.parse::<u128>().ok()? * u128::from(unit) / places;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("50ms"), Ok(50_000_000));
        assert_eq!(parse_duration("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(parse_duration("7us"), parse_duration("7µs"));
        assert_eq!(parse_duration("0.333m"), Ok(19_980_000_000));
        assert_eq!(parse_duration("0.1234567890123456789s"), Ok(123_456_789));
        for wrong in
            ["", "5", "ms", "5 ms", "5d", "-5m", "1.2.3s", ".5s", "5.s", "1h30", "99999999999999999999h"]
        {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert!(parse_duration("5000000h5000000h").unwrap_err().contains("584 years"));
    }

    #[test]
    fn times() {
        let now = 1_800_000_000_000_000_000;
        assert_eq!(parse_time("now", now), Ok(now));
        assert_eq!(parse_time("-5m", now), Ok(now - 300_000_000_000));
        assert_eq!(parse_time("-5000000h", now), Ok(0));
        assert_eq!(parse_time("1970-01-01T00:00:01Z", now), Ok(1_000_000_000));
        assert_eq!(parse_time("1970-01-01T01:00:01.5+01:00", now), Ok(1_500_000_000));
        for wrong in
            ["", "5m", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "1969-12-31T23:59:59Z", "-5"]
        {
            assert!(parse_time(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shows_times_and_durations() {
        assert_eq!(format_time(0), "unknown");
        assert_eq!(format_time(1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(format_time(u64::MAX), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(format_duration(999), "999ns");
        assert_eq!(format_duration(12_345), "12.345us");
        assert_eq!(format_duration(12_345_678), "12.345ms");
        assert_eq!(format_duration(1_000_000_000), "1.000s");
        assert_eq!(format_duration(61_500_000_000), "1m01.500s");
        assert_eq!(format_duration(7_384_500_000_000), "2h03m04.500s");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse_time(&text, 0);
            let _ = parse_duration(&text);
        }

        #[test]
        fn a_time_survives(nanos in 1..=u64::MAX) {
            prop_assert_eq!(parse_timestamp(&format_time(nanos)), Ok(nanos));
        }
    }
}
