//! A recording in lines: lints, faults, fill, losses, dictionary, header.

use otlp_mmap_reader::{Counter, EntryCount, Liveness, SignalLosses, Usage};

use super::super::app::App;
use super::super::cells::{count, file_state, lint_name, parts, safe, share};
use super::super::model::{FileRow, Lint};
use super::lists::writer_role;
use super::pen::Line;
use super::table::bar;
use super::theme::{Role, Theme};
use crate::escape::Printable;
use crate::record::hex;
use crate::source::joined;
use crate::time::format_time;

/// Columns of a fill bar.
const BAR: usize = 20;

/// The lines of the pane: the selected recording, and what could not be read.
pub(super) fn lines(app: &App, theme: &Theme) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(file) = app.selected_file() {
        lines.extend(summary(file));
        lines.extend(lints(app));
        lines.extend(faults(file));
        lines.extend(fill(file, theme));
        lines.extend(losses(file));
        lines.extend(dictionary(file));
        lines.extend(header(file));
    }
    if !app.snapshot.problems.is_empty() {
        lines.push(Line::title("Cannot be read"));
    }
    let problem = |text: &String| Line::new(1, vec![(Printable(text).to_string(), Role::Error)]);
    lines.extend(app.snapshot.problems.iter().map(problem));
    lines
}

fn summary(file: &FileRow) -> Vec<Line> {
    let mut lines =
        vec![Line::new(0, vec![("Recording ".into(), Role::Head), (safe(&file.name), Role::Strong)])];
    let state = match file.liveness {
        Liveness::Closed { realtime_nanos } => format!("closed at {}", format_time(realtime_nanos)),
        Liveness::Alive | Liveness::Dead => file_state(file).to_owned(),
    };
    let gone = if file.vanished { ", gone from its directory" } else { "" };
    lines.push(Line::pair(1, "writer", format!("pid {}, {state}{gone}", file.pid), writer_role(file)));
    lines.push(Line::pair(1, "spans in flight", count(file.in_flight as u64), Role::Text));
    lines.push(Line::pair(1, "path", safe(&file.path.to_string_lossy()), Role::Text));
    lines
}

/// What will not change: last, since there is much of it.
fn header(file: &FileRow) -> Vec<Line> {
    let facts =
        file.header.iter().map(|(name, value)| Line::pair(1, name, Printable(value).to_string(), Role::Text));
    std::iter::once(Line::title("Header")).chain(facts).collect()
}

/// Bars by part of the file; the dictionary is one of them.
fn fill(file: &FileRow, theme: &Theme) -> Vec<Line> {
    let mut lines = vec![Line::title("Fill")];
    let Some(usages) = &file.fill else {
        lines.push(Line::new(1, vec![("cannot be read".into(), Role::Warning)]));
        return lines;
    };
    for (name, usage) in parts(usages) {
        let percent = share(usage);
        let full = usize::try_from(percent).unwrap_or(100) * BAR / 100;
        let full = full.max(usize::from(usage.used > 0));
        let filled = bar(super::table::as_f64(full) / super::table::as_f64(BAR), BAR, theme.symbols);
        let filled = filled.replace(' ', theme.symbols.empty);
        lines.push(Line::new(
            1,
            vec![
                (format!("{name:<13}"), Role::Name),
                (filled, Role::Bar),
                (format!(" {percent:>3}%"), Role::Strong),
                (format!(" {}", amount(name, usage)), Role::Dim),
            ],
        ));
    }
    let segments = usages.pools.iter().map(|pool| {
        let Usage { used, total } = pool.segments;
        format!("{} {used}/{total}", joined(pool.signal.name(), ' '))
    });
    lines.push(Line::pair(1, "segments", segments.collect::<Vec<_>>().join(", "), Role::Dim));
    lines.push(Line::pair(1, "on disk", bytes(usages.backed_bytes), Role::Dim));
    lines
}

fn amount(name: &str, usage: Usage) -> String {
    if name == "active spans" {
        return format!("{} of {} blocks", usage.used, usage.total);
    }
    format!("{} of {}", bytes(usage.used), bytes(usage.total))
}

/// Bytes in the largest unit that fits.
fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| number >= *unit);
    unit.map_or_else(
        || format!("{number} bytes"),
        |(name, unit)| format!("{}.{} {name}", number / unit, (number % unit).saturating_mul(10) / unit),
    )
}

fn losses(file: &FileRow) -> Vec<Line> {
    let mut lines = vec![Line::title("Losses")];
    match &file.losses {
        Some(losses) => lines.extend(losses.signals.iter().map(signal_losses)),
        None => lines.push(Line::new(1, vec![("cannot be read".into(), Role::Warning)])),
    }
    for (name, missed) in ["spans", "events", "measurements"].into_iter().zip(file.missed) {
        if missed > 0 {
            let text = format!("{missed} {name} were overwritten before the viewer saw them");
            lines.push(Line::new(1, vec![(text, Role::Warning)]));
        }
    }
    lines
}

/// What stands in the dictionary, by kind of entry.
fn dictionary(file: &FileRow) -> Vec<Line> {
    let names = ["strings", "resources", "scopes", "streams", "attributes"];
    let line = |(name, entries): (&str, &EntryCount)| {
        let texts =
            [(format!("{name:<13}"), Role::Name), (format!("{:>6}", count(entries.count)), Role::Strong)];
        let bytes = (format!(" {}", bytes(entries.bytes)), Role::Dim);
        Line::new(1, texts.into_iter().chain([bytes]).collect())
    };
    let lines = names.into_iter().zip(&file.entries).map(line);
    std::iter::once(Line::title("Dictionary")).chain(lines).collect()
}

fn signal_losses(losses: &SignalLosses) -> Line {
    let lost = losses.lost();
    let role = if lost > 0 { Role::Warning } else { Role::Good };
    let mut parts = vec![
        (format!("{:<13}", joined(losses.signal.name(), ' ')), Role::Name),
        (format!("{} recorded, ", losses.recorded), Role::Text),
        (format!("{lost} lost"), role),
    ];
    let reason = |name: &str, count: u64, role| (format!(", {} {count}", joined(name, ' ')), role);
    if losses.overwritten > 0 {
        parts.push(reason("Overwritten", losses.overwritten, Role::Warning));
    }
    for (counter, count) in losses.counters.iter().filter(|(_, count)| *count > 0) {
        parts.push(reason(
            &counter_name(*counter),
            *count,
            if counter.is_loss() { Role::Warning } else { Role::Dim },
        ));
    }
    parts.extend(
        losses.unknown.iter().map(|(code, count)| (format!(", unknown counter {code}: {count}"), Role::Dim)),
    );
    Line::new(1, parts)
}

/// What is counted; of what is kept in another form it says so.
fn counter_name(counter: Counter) -> String {
    if counter.is_loss() {
        counter.name().to_owned()
    } else {
        format!("kept but {}", joined(counter.name(), ' '))
    }
}

fn faults(file: &FileRow) -> Vec<Line> {
    if file.fault_count == 0 {
        return vec![Line::new(0, vec![("Faults ".into(), Role::Head), ("none".into(), Role::Good)])];
    }
    let mut lines = vec![Line::new(
        0,
        vec![
            ("Faults ".into(), Role::Head),
            (format!("{}: damage, torn records", file.fault_count), Role::Error),
        ],
    )];
    lines.extend(file.faults.iter().map(|fault| {
        let place = format!("offset {} {} ", fault.offset, fault.rule);
        Line::new(1, vec![(place, Role::Error), (Printable(&fault.detail).to_string(), Role::Text)])
    }));
    let more = file.fault_count.saturating_sub(file.faults.len() as u64);
    if more > 0 {
        let text = format!("and {more} more: otlp-mmap verify tells the offset and rule of each");
        lines.push(Line::new(1, vec![(text, Role::Dim)]));
    }
    lines
}

/// Lints; the one that leads to its trace is marked.
fn lints(app: &App) -> Vec<Line> {
    let shown: Vec<&Lint> = app.shown_lints().collect();
    if shown.is_empty() {
        return vec![Line::new(0, vec![("Lints ".into(), Role::Head), ("none".into(), Role::Good)])];
    }
    let linked = app.link.min(shown.len() - 1);
    let line = |(index, lint): (usize, &&Lint)| {
        let mark = if index == linked { ">" } else { " " };
        let trace = lint.trace.map(|trace| format!(" trace {}", hex(&trace))).unwrap_or_default();
        Line::new(
            0,
            vec![
                (format!("{mark} {}: ", lint_name(lint.rule)), Role::Warning),
                (format!("{} ({})", safe(&lint.detail), count(lint.count as u64)), Role::Text),
                (trace, Role::Dim),
            ],
        )
    };
    let title = Line::title(format!("Lints ({})", shown.len()));
    std::iter::once(title).chain(shown.iter().enumerate().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(16 << 20), "16.0 MiB");
        assert!(bytes(u64::MAX).ends_with(" TiB"));
    }
}
