//! The table of figures that a run ends with.

use std::fmt;

/// One line: what was run, how often, and what was found.
#[derive(Clone, Debug)]
pub struct Line {
    /// The test and its variant.
    pub what: String,
    /// What was counted, with its unit: "12,345 instructions".
    pub count: String,
    /// Violations of the oracle; none is the only good number.
    pub violations: u64,
    /// Anything else worth knowing.
    pub notes: String,
}

/// Lines, printed as a Markdown table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Violations over all lines.
    pub fn violations(&self) -> u64 {
        self.lines.iter().map(|line| line.violations).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | count | violations | notes |\n|---|---|---|---|")?;
        for Line { what, count, violations, notes } in &self.lines {
            writeln!(f, "| {what} | {count} | {violations} | {notes} |")?;
        }
        Ok(())
    }
}

/// A number with separators between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
