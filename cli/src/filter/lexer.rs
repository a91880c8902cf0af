//! The filter's text as tokens with their byte positions.

use super::FilterError;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    MatchesNot,
}

/// Operators as written, each before those that begin it.
const OPERATORS: [(&str, Operator); 9] = [
    ("==", Operator::Equal),
    ("=~", Operator::Matches),
    ("!=", Operator::NotEqual),
    ("!~", Operator::MatchesNot),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    Operator(Operator),
    /// A bare word.
    Word(String),
    /// Quoted text, without its quotes and escapes.
    Quoted(String),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// First byte, and the one after the last.
    pub(super) span: (usize, usize),
}

/// All tokens; the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text[at..].trim_start();
        at = text.len() - rest.len();
        let (kind, length) = next(rest, at)?;
        let done = kind == Kind::End;
        tokens.push(Token { kind, span: (at, at + length) });
        if done {
            return Ok(tokens);
        }
        at += length;
    }
}

/// The token at the start of `rest`, and its length in bytes. `at`: where `rest` begins, for errors.
fn next(rest: &str, at: usize) -> Result<(Kind, usize), FilterError> {
    match rest.chars().next() {
        None => Ok((Kind::End, 0)),
        Some('(') => Ok((Kind::Open, 1)),
        Some(')') => Ok((Kind::Close, 1)),
        Some(quote @ ('"' | '\'')) => quoted(rest, quote).ok_or_else(|| {
            FilterError::new((at, at + rest.len()), format!("this quoted text has no closing {quote}"))
        }),
        Some(_) => {
            if let Some((sign, operator)) = operator_at(rest) {
                return Ok((Kind::Operator(*operator), sign.len()));
            }
            let length = word_length(rest);
            Ok((Kind::Word(rest[..length].to_owned()), length))
        }
    }
}

fn operator_at(rest: &str) -> Option<&'static (&'static str, Operator)> {
    OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign))
}

/// Bytes up to what ends a word; at least one character, as the first began no other token.
fn word_length(rest: &str) -> usize {
    rest.char_indices()
        .skip(1)
        .find(|&(i, c)| {
            c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'') || operator_at(&rest[i..]).is_some()
        })
        .map_or(rest.len(), |(i, _)| i)
}

fn quoted(rest: &str, quote: char) -> Option<(Kind, usize)> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c == quote {
            return Some((Kind::Quoted(content), i + 1));
        }
        match chars.peek() {
            Some(&(_, escaped)) if c == '\\' && (escaped == quote || escaped == '\\') => {
                content.push(escaped);
                chars.next();
            }
            _ => content.push(c),
        }
    }
    None
}
