//! Writes JSON text: objects field by field, into one growing string.

use std::fmt::{Display, Write};

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

/// An object of its own.
pub(super) fn object(fields: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    nested(&mut out, fields);
    out
}

fn nested(out: &mut String, fields: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fields(&mut Object { out, is_empty: true });
    out.push('}');
}

impl Object<'_> {
    /// A message, if it is set.
    pub(super) fn some<T>(&mut self, key: &str, value: Option<&T>, fields: impl FnOnce(&mut Object<'_>, &T)) {
        if let Some(value) = value {
            self.key(key);
            nested(self.out, |json| fields(json, value));
        }
    }

    /// A list of messages, if there are any.
    pub(super) fn list<T>(&mut self, key: &str, values: &[T], fields: impl Fn(&mut Object<'_>, &T)) {
        if !values.is_empty() {
            self.all(key, values, fields);
        }
    }

    /// A list of messages, empty or not.
    pub(super) fn all<T>(&mut self, key: &str, values: &[T], fields: impl Fn(&mut Object<'_>, &T)) {
        self.array(key, values, |out, value| nested(out, |json| fields(json, value)));
    }

    /// Text, unless it is empty.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.always_text(key, value);
        }
    }

    /// Text.
    pub(super) fn always_text(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(self.out, value);
    }

    /// A number of at most 32 bits, unless it is 0.
    pub(super) fn number<N: Display + Default + PartialEq>(&mut self, key: &str, value: N) {
        if value != N::default() {
            self.always(key, value);
        }
    }

    /// A boolean, unless it is false.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.always(key, value);
        }
    }

    /// A number or boolean.
    pub(super) fn always(&mut self, key: &str, value: impl Display) {
        self.key(key);
        display(self.out, value);
    }

    /// A 64-bit integer, unless it is 0.
    pub(super) fn quoted(&mut self, key: &str, value: u64) {
        if value != 0 {
            self.always_quoted(key, value);
        }
    }

    /// A 64-bit integer.
    pub(super) fn always_quoted(&mut self, key: &str, value: impl Display) {
        self.key(key);
        quoted(self.out, value);
    }

    /// A double.
    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.key(key);
        double(self.out, value);
    }

    /// A double, if it is set.
    pub(super) fn optional_double(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.double(key, value);
        }
    }

    /// A list of 64-bit integers, if there are any.
    pub(super) fn counts(&mut self, key: &str, values: &[u64]) {
        if !values.is_empty() {
            self.array(key, values, |out, value| quoted(out, value));
        }
    }

    /// A list of doubles, if there are any.
    pub(super) fn doubles(&mut self, key: &str, values: &[f64]) {
        if !values.is_empty() {
            self.array(key, values, |out, value| double(out, *value));
        }
    }

    /// A trace or span id, unless it is empty.
    pub(super) fn hex(&mut self, key: &str, id: &[u8]) {
        if id.is_empty() {
            return;
        }
        self.key(key);
        self.out.push('"');
        for byte in id {
            display(self.out, format_args!("{byte:02x}"));
        }
        self.out.push('"');
    }

    /// Bytes in base64, padded.
    pub(super) fn base64(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.out.push('"');
        for chunk in bytes.chunks(3) {
            base64_group(self.out, chunk);
        }
        self.out.push('"');
    }

    fn array<T>(&mut self, key: &str, values: &[T], element: impl Fn(&mut String, &T)) {
        self.key(key);
        self.out.push('[');
        for (index, value) in values.iter().enumerate() {
            if index != 0 {
                self.out.push(',');
            }
            element(self.out, value);
        }
        self.out.push(']');
    }

    /// Keys are names of OTLP fields: nothing in them is to be escaped.
    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(',');
        }
        display(self.out, format_args!("\"{key}\":"));
    }
}

fn display(out: &mut String, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn quoted(out: &mut String, value: impl Display) {
    display(out, format_args!("\"{value}\""));
}

fn double(out: &mut String, value: f64) {
    if value.is_finite() {
        // The shortest text that reads back the same, with an exponent where that is shorter.
        display(out, format_args!("{value:?}"));
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_ascii_control() => {
                display(out, format_args!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Four characters for up to three bytes.
fn base64_group(out: &mut String, bytes: &[u8]) {
    let byte = |index: usize| u32::from(bytes.get(index).copied().unwrap_or(0));
    let word = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
        let digit = word >> shift & 63;
        out.push(if index <= bytes.len() { base64_digit(digit) } else { '=' });
    }
}

fn base64_digit(digit: u32) -> char {
    let (first, offset) = match digit {
        0..=25 => ('A', digit),
        26..=51 => ('a', digit - 26),
        52..=61 => ('0', digit - 52),
        62 => ('+', 0),
        _ => ('/', 0),
    };
    char::from_u32(u32::from(first) + offset).unwrap_or('=')
}
