//! Untrusted text made safe to print.
//!
//! Names, bodies, attributes and paths come from recordings and may hold anything. What reaches a terminal holds no
//! control character (an escape sequence could rewrite the screen), no bidirectional control and no other
//! invisible character that makes text look like something it is not. Two ways out: [`Printable`] and [`Quoted`]
//! for people, [`json_safe`] for JSON, where the escape is part of the format and means the same text.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write};

/// Displays text with each dangerous character as an escape such as `\n` or `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

/// Displays text as one word: as it is where that is unambiguous, else in double quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// Whether a character may change how a terminal shows what stands around it.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// JSON text in which dangerous characters stand as `\uXXXX`: the same document, safe to print.
///
/// The input must be JSON: outside of strings it has no such character, so that every one found may be escaped.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    // One line of JSON has no line break; serde_json and the OTLP encoder escape all of C0.
    if json.is_ascii() && !json.contains('\u{7f}') || !json.contains(is_dangerous) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_dangerous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, is_dangerous)
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let needs_quotes =
            |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '[' | ']' | '{' | '}' | ',');
        if !self.0.is_empty() && !self.0.contains(needs_quotes) {
            return Printable(self.0).fmt(f);
        }
        f.write_char('"')?;
        write_escaped(f, self.0, |c| is_dangerous(c) || matches!(c, '"' | '\\'))?;
        f.write_char('"')
    }
}

fn write_escaped(f: &mut Formatter<'_>, text: &str, escape: impl Fn(char) -> bool) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(&escape) {
        f.write_str(&rest[..at])?;
        let mut chars = rest[at..].chars();
        if let Some(c) = chars.next() {
            write_escape(f, c)?;
        }
        rest = chars.as_str();
    }
    f.write_str(rest)
}

fn write_escape(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '"' | '\\' => write!(f, "\\{c}"),
        _ => write!(f, "\\u{{{:x}}}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_stays() {
        assert_eq!(Printable("GET /users/:id é 日本 👩‍👩‍👧").to_string(), "GET /users/:id é 日本 👩‍👩‍👧");
        assert_eq!(Quoted("/users").to_string(), "/users");
    }

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        let text = "a\u{1b}[31mred\nb\u{9b}2J\u{202e}cod\u{7f}";
        assert_eq!(Printable(text).to_string(), "a\\u{1b}[31mred\\nb\\u{9b}2J\\u{202e}cod\\u{7f}");
    }

    #[test]
    fn quotes_when_a_word_would_be_ambiguous() {
        assert_eq!(Quoted("two words").to_string(), "\"two words\"");
        assert_eq!(Quoted("say \"x\" \\").to_string(), r#""say \"x\" \\""#);
        assert_eq!(Quoted("").to_string(), "\"\"");
        assert_eq!(Quoted("a=b").to_string(), "\"a=b\"");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = "x\u{202e}y\u{9b}\u{7f}\u{e0041}é";
        let json = serde_json::to_string(text).unwrap();
        let safe = json_safe(&json);
        assert_eq!(safe, "\"x\\u202ey\\u009b\\u007f\\udb40\\udc41é\"");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>()) {
            prop_assert!(!Printable(&text).to_string().contains(is_dangerous));
            prop_assert!(!Quoted(&text).to_string().contains(is_dangerous));
            let json = serde_json::to_string(&text).unwrap();
            let safe = json_safe(&json);
            prop_assert!(!safe.contains(is_dangerous));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
