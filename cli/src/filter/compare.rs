//! The right side of a comparison: read once for the kind of its field, then held against records.

use std::cmp::Ordering;

use otlp_mmap_reader::model::{Number, Value};
use regex::{Regex, RegexBuilder};

use super::field::{Actual, Field};
use super::lexer::Operator;
use crate::record::{SEVERITIES, SPAN_KINDS, STATUS_CODES};
use crate::time::{parse_duration, parse_timestamp};

/// Largest compiled regular expression in bytes.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

/// A comparison that any value of the field can be held against.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Clone, Debug)]
enum Operand {
    Regex(Regex),
    Nanos(u64),
    /// First and last number meant.
    Severity(u32, u32),
    Literal {
        text: String,
        /// The text as a number, if it is one.
        number: Option<Numeral>,
        quoted: bool,
    },
}

/// A number on either side. Whole numbers that no value can have are kept as they are, not rounded to one it can.
#[derive(Clone, Copy, Debug)]
enum Numeral {
    Int(i128),
    Double(f64),
}

impl From<Number> for Numeral {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => Self::Int(number.into()),
            Number::Double(number) => Self::Double(number),
        }
    }
}

impl Comparison {
    /// Checks that the field takes the operator and the literal. The error says what is wrong with the literal.
    pub(super) fn new(
        field: &Field,
        operator: Operator,
        literal: &str,
        quoted: bool,
    ) -> Result<Self, String> {
        let operand = if matches!(operator, Operator::Matches | Operator::MatchesNot) {
            pattern(field, literal)?
        } else {
            operand(field, operator, literal, quoted)?
        };
        Ok(Self { operator, operand })
    }

    /// Whether a value passes.
    pub(super) fn accepts(&self, actual: &Actual<'_>) -> bool {
        match (actual, self.operator) {
            // An array by its elements; negations must hold for each.
            (Actual::Value(Value::Array(elements)), Operator::NotEqual | Operator::MatchesNot) => {
                elements.iter().all(|element| self.accepts_one(&Actual::Value(element)))
            }
            (Actual::Value(Value::Array(elements)), _) => {
                elements.iter().any(|element| self.accepts_one(&Actual::Value(element)))
            }
            _ => self.accepts_one(actual),
        }
    }

    fn accepts_one(&self, actual: &Actual<'_>) -> bool {
        if let Operand::Regex(regex) = &self.operand {
            let found = actual.text().is_some_and(|text| regex.is_match(&text));
            return found == (self.operator == Operator::Matches);
        }
        let ordering = self.operand.ordering_of(actual);
        match self.operator {
            Operator::Equal => ordering == Some(Ordering::Equal),
            Operator::NotEqual => ordering != Some(Ordering::Equal),
            Operator::Less => ordering == Some(Ordering::Less),
            Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Operator::Greater => ordering == Some(Ordering::Greater),
            Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
            Operator::Matches | Operator::MatchesNot => false,
        }
    }
}

impl Operand {
    /// How the actual value stands to this one; `None`: they do not compare.
    fn ordering_of(&self, actual: &Actual<'_>) -> Option<Ordering> {
        match (self, actual) {
            (Self::Nanos(wanted), Actual::Nanos(nanos)) => Some(nanos.cmp(wanted)),
            (Self::Severity(first, last), Actual::Severity(number)) => Some(if number < first {
                Ordering::Less
            } else if number > last {
                Ordering::Greater
            } else {
                Ordering::Equal
            }),
            (Self::Literal { text, number, quoted }, _) => literal_ordering(actual, text, *number, *quoted),
            _ => None,
        }
    }
}

fn literal_ordering(
    actual: &Actual<'_>,
    text: &str,
    number: Option<Numeral>,
    quoted: bool,
) -> Option<Ordering> {
    let is_text = match actual {
        Actual::Number(actual) => return number_ordering((*actual).into(), number?),
        Actual::Value(Value::Int(actual)) => return number_ordering(Numeral::Int((*actual).into()), number?),
        Actual::Value(Value::Double(actual)) => return number_ordering(Numeral::Double(*actual), number?),
        Actual::Value(Value::String(_)) => true,
        _ => false,
    };
    let actual = actual.text()?;
    if actual == text {
        return Some(Ordering::Equal);
    }
    match (number, parse_number(&actual)) {
        (Some(wanted), Some(actual)) if is_text && !quoted => number_ordering(actual, wanted),
        _ => Some((*actual).cmp(text)),
    }
}

fn number_ordering(left: Numeral, right: Numeral) -> Option<Ordering> {
    match (left, right) {
        (Numeral::Int(left), Numeral::Int(right)) => Some(left.cmp(&right)),
        _ => double(left).partial_cmp(&double(right)),
    }
}

/// Only used where the other side is a double: a double is not exact there either.
#[allow(clippy::cast_precision_loss)]
fn double(number: Numeral) -> f64 {
    match number {
        Numeral::Int(number) => number as f64,
        Numeral::Double(number) => number,
    }
}

fn parse_number(text: &str) -> Option<Numeral> {
    text.parse().map(Numeral::Int).or_else(|_| text.parse().map(Numeral::Double)).ok()
}

fn pattern(field: &Field, literal: &str) -> Result<Operand, String> {
    if matches!(field, Field::Duration | Field::Time) {
        return Err("a time or duration has no text to match; compare it with < or >".to_owned());
    }
    RegexBuilder::new(literal)
        .size_limit(REGEX_SIZE_LIMIT)
        .build()
        .map(Operand::Regex)
        .map_err(|error| regex_message(&error))
}

/// The last line of a regex error names the fault; those before draw the pattern again.
fn regex_message(error: &regex::Error) -> String {
    let text = error.to_string();
    let fault = text.lines().last().unwrap_or_default();
    format!("not a regular expression: {}", fault.trim_start_matches("error: "))
}

fn operand(field: &Field, operator: Operator, literal: &str, quoted: bool) -> Result<Operand, String> {
    let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
    let text = match field {
        Field::Duration => return parse_duration(literal).map(Operand::Nanos),
        Field::Time => return parse_timestamp(literal).map(Operand::Nanos),
        Field::Severity => return severity(literal),
        Field::Kind
        | Field::Status
        | Field::InFlight
        | Field::TraceId
        | Field::SpanId
        | Field::ParentSpanId
            if ordered =>
        {
            return Err("this field has no order; use = or !=".to_owned());
        }
        Field::Kind => one_of(&SPAN_KINDS, literal)?,
        Field::Status => one_of(&STATUS_CODES, literal)?,
        Field::InFlight => one_of(&["true", "false"], literal)?,
        Field::TraceId => id(literal, 32)?,
        Field::SpanId | Field::ParentSpanId => id(literal, 16)?,
        _ => literal.to_owned(),
    };
    Ok(Operand::Literal { number: parse_number(&text), text, quoted })
}

fn one_of(names: &[&str], literal: &str) -> Result<String, String> {
    let name = literal.to_ascii_lowercase();
    if names.contains(&name.as_str()) { Ok(name) } else { Err(format!("one of {}", names.join(", "))) }
}

fn id(literal: &str, digits: usize) -> Result<String, String> {
    if literal.len() == digits && literal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(literal.to_ascii_lowercase())
    } else {
        Err(format!("{digits} hexadecimal digits; use =~ for a part"))
    }
}

fn severity(literal: &str) -> Result<Operand, String> {
    let wrong = || format!("a severity is 1 to 24 or one of {}", SEVERITIES.join(", "));
    if let Ok(number) = literal.parse::<u32>() {
        return if (1..=24).contains(&number) { Ok(Operand::Severity(number, number)) } else { Err(wrong()) };
    }
    let name = literal.to_ascii_lowercase();
    let (band, first) = SEVERITIES
        .iter()
        .zip((1..).step_by(4))
        .find(|(band, _)| name.starts_with(**band))
        .ok_or_else(wrong)?;
    match &name[band.len()..] {
        "" => Ok(Operand::Severity(first, first + 3)),
        "2" => Ok(Operand::Severity(first + 1, first + 1)),
        "3" => Ok(Operand::Severity(first + 2, first + 2)),
        "4" => Ok(Operand::Severity(first + 3, first + 3)),
        _ => Err(wrong()),
    }
}
