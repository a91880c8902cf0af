//! The filter: one grammar for `--where` of every command and for the viewer.
//!
//! ```text
//! filter   = all { "or" all }
//! all      = unary { "and" unary }
//! unary    = "not" unary | "(" filter ")" | test
//! test     = key operator literal | "has" "(" key ")"
//! key      = word | ( "attr" | "resource" | "scope" ) "(" text ")"
//! operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~"
//! literal  = text
//! text     = word | 'quoted' | "quoted"
//! ```
//!
//! A word is anything up to white space, a quote, a parenthesis or a comparison sign. In quotes, `\` stands before
//! the quote or before another `\`, and is itself before anything else, so that a regular expression needs no
//! second escaping. `and`, `or` and `not` may be upper case; `==` is `=`.
//!
//! Keys: the names of [`FIELDS`]; `resource.KEY` and `scope.KEY`; any other word is an attribute of the record,
//! else of its scope, else of its resource. `attr(KEY)` is the same for keys that are no word or are taken,
//! `resource(KEY)` and `scope(KEY)` likewise.
//!
//! What a comparison means:
//! - A record that lacks the key passes no comparison, `!=` and `!~` included; `not (a = b)` it passes.
//! - Numbers compare as numbers, integers exactly. Text compares by code point, unless both sides are numbers and
//!   the literal is not quoted. Booleans and bytes (as hexadecimal) compare as text.
//! - An array passes if one of its elements does; `!=` and `!~` if none is equal or matches.
//! - A severity's name stands for its band: `severity = warn` is 13 to 16, `severity > warn` is 17 and up; `warn2`
//!   and `14` are one number.
//! - Durations need a unit, times are RFC 3339. A span in flight has no duration.
//!
//! Nothing here panics on any input, nesting is limited to [`MAX_DEPTH`], and regular expressions take linear time.

mod compare;
mod field;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};

pub use self::field::FIELDS;
pub use self::parser::MAX_DEPTH;
use self::parser::Node;
use crate::escape::Printable;
use crate::record::RecordView;

/// A parsed filter.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterError {
    /// Byte offset in the filter's text, at a character; its length if the end came too soon.
    pub position: usize,
    /// Bytes from `position` that are wrong; 0 at the end.
    pub length: usize,
    /// What is wrong there.
    pub message: String,
}

impl Filter {
    /// Reads a filter. A blank text is an error: it would be unclear whether it means everything or nothing.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text).map(|root| Self { root })
    }

    /// Whether a record passes.
    pub fn matches(&self, record: &RecordView<'_>) -> bool {
        self.root.matches(*record)
    }
}

impl FilterError {
    fn new(span: (usize, usize), message: impl Into<String>) -> Self {
        Self { position: span.0, length: span.1 - span.0, message: message.into() }
    }

    /// Three lines for people: the message, the filter, and carets under what is wrong.
    pub fn render(&self, text: &str) -> String {
        let (before, rest) = text.split_at_checked(self.position).unwrap_or((text, ""));
        let wrong = rest.get(..self.length).unwrap_or(rest);
        let width = |part: &str| Printable(part).to_string().chars().count();
        let indent = " ".repeat(width(before));
        let carets = "^".repeat(width(wrong).max(1));
        format!("{self}\n  {}\n  {indent}{carets}", Printable(text))
    }
}

impl Display for FilterError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "filter, byte {}: {}", self.position, Printable(&self.message))
    }
}

impl std::error::Error for FilterError {}
