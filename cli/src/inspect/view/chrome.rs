//! What is around the body: the views on top, the status, and the foot with hints or what is typed.

use std::fmt::Write;

use otlp_mmap_reader::Liveness;
use ratatui::layout::Rect;

use super::super::app::{App, Prompt, Purpose, help};
use super::super::cells::{clock, count, file_state, safe, worst_fill};
use super::super::query::View;
use super::pen::{Pen, Piece, start, width};
use super::theme::Role;
use crate::escape::Printable;
use crate::record::hex;

/// Views with the keys that lead to them.
const TABS: [(View, &str, &str); 5] = [
    (View::Traces, "1", "Traces"),
    (View::Metrics, "2", "Metrics"),
    (View::Events, "3", "Events"),
    (View::File, "4", "File"),
    (View::Operations, "5", "Operations"),
];

/// Columns below which only the present view has its name.
const NAMES: u16 = 70;

/// The views as they stand on the line: what to draw, and which view it is.
fn tabs(app: &App, columns: u16) -> Vec<(String, View, bool)> {
    let present = if app.query.view == View::Waterfall { View::Traces } else { app.query.view };
    TABS.iter()
        .map(|(view, key, name)| {
            let is_present = *view == present;
            let name =
                if columns >= NAMES || is_present { format!(" {key} {name} ") } else { format!(" {key} ") };
            (name, *view, is_present)
        })
        .collect()
}

/// The view whose name stands at a column of the line.
pub(super) fn tab_at(app: &App, columns: u16, x: u16) -> Option<View> {
    let mut end = 0;
    tabs(app, columns).into_iter().find_map(|(name, view, _)| {
        end += width(&name);
        (usize::from(x) < end).then_some(view)
    })
}

/// Draws the views, where the present one is inside of another, and what the rows are limited to.
pub(super) fn draw_tabs(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let mut pieces: Vec<Piece> = tabs(app, area.width)
        .into_iter()
        .map(|(name, _, is_present)| (name, pen.style(if is_present { Role::Tab } else { Role::Dim })))
        .collect();
    if let Some(trace) = app.query.trace.filter(|_| app.query.view == View::Waterfall) {
        let id: String = hex(&trace).chars().take(8).collect();
        pieces.push((format!(" {} Waterfall {id}", pen.theme.symbols.within), pen.style(Role::Strong)));
    }
    let used = pen.row(area, 0, &pieces);
    let limits = limits(app).join("  ");
    let room = usize::from(area.width).saturating_sub(used + 1);
    if room >= 4 && !limits.is_empty() {
        let x = used + 1 + room.saturating_sub(width(&limits));
        pen.put(area, x, 0, &limits, pen.style(Role::Warning));
    }
}

/// What the rows are limited to, and which of them is selected.
fn limits(app: &App) -> Vec<String> {
    let query = &app.query;
    let file = query.file.map(|id| {
        let file = app.snapshot.files.iter().find(|file| file.id == id);
        format!("file: {}", file.map_or_else(|| "gone".to_owned(), |file| Printable(&file.name).to_string()))
    });
    let operation = query.operation.as_ref().filter(|_| query.view == View::Traces);
    let operation = operation.map(|operation| format!("operation: {}", Printable(&operation.name)));
    let events_of = query.events_of.filter(|_| query.view == View::Events).map(|trace| {
        let id: String = hex(&trace).chars().take(8).collect();
        format!("of trace {id}")
    });
    let filter = query.filter.as_ref().map(|filter| format!("where {}", Printable(&filter.text)));
    let find = (!app.find.is_empty()).then(|| format!("find {}", Printable(&app.find)));
    let position = app.selected_row().map(|row| format!("{}/{}", row + 1, app.row_count()));
    [file, operation, events_of, filter, find, position].into_iter().flatten().collect()
}

/// A part of the status: in full, shorter, short, shortest.
struct Part {
    texts: [String; 4],
    role: Role,
    /// It goes before anything is made shorter.
    is_optional: bool,
}

impl Part {
    fn new(role: Role, texts: [String; 4]) -> Self {
        Self { texts, role, is_optional: false }
    }

    /// The same at any length.
    fn same(role: Role, text: String) -> Self {
        Self::new(role, [text.clone(), text.clone(), text.clone(), text])
    }

    fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    fn text(&self, level: usize) -> &str {
        self.texts.get(level).map_or("", String::as_str)
    }
}

/// Draws the status: as long as there is room for.
pub(super) fn draw_status(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let parts = status(app);
    let line = format!(" {} ", pen.theme.symbols.vertical);
    let separators = [&*line, &*line, " ", " "];
    let mut chosen = Vec::new();
    for (level, separator) in separators.into_iter().enumerate() {
        for with_optional in [true, false] {
            chosen = status_pieces(pen, &parts, level, separator, with_optional);
            if chosen.iter().map(|(text, _)| width(text)).sum::<usize>() <= usize::from(area.width) {
                pen.row(area, 0, &chosen);
                return;
            }
        }
    }
    pen.row(area, 0, &chosen);
}

fn status_pieces(
    pen: &Pen<'_>,
    parts: &[Part],
    level: usize,
    separator: &str,
    with_optional: bool,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in parts.iter().filter(|part| with_optional || !part.is_optional) {
        if part.text(level).is_empty() {
            continue;
        }
        if !pieces.is_empty() {
            pieces.push((separator.to_owned(), pen.style(Role::Dim)));
        }
        pieces.push((part.text(level).to_owned(), pen.style(part.role)));
    }
    pieces
}

fn status(app: &App) -> Vec<Part> {
    let mut parts = vec![mode(app)];
    if app.is_paused {
        let new = count(app.new_records());
        let texts = [
            format!("PAUSED +{new} new"),
            format!("PAUSED +{new}"),
            format!("+{new} new"),
            format!("+{new}"),
        ];
        parts.push(Part::new(Role::Warning, texts));
    }
    parts.extend(fill(app));
    parts.push(lost(app));
    parts.push(faults(app));
    parts.push(writers(app));
    parts.extend(hits(app));
    parts.extend(missed(app));
    parts.extend(problems(app));
    parts.extend(totals(app));
    parts
}

/// Live, rewound, or at an end.
fn mode(app: &App) -> Part {
    let until = app.query.until.unwrap_or(app.snapshot.until);
    let time = clock(until);
    let (seconds, _) = start(&time, 8);
    let part = |role, word: &str| {
        Part::new(role, [format!("{word} {seconds}"), word.to_owned(), word.to_owned(), word.to_owned()])
    };
    if app.failure.is_some() {
        return part(Role::Error, "STOPPED");
    }
    if app.query.until.is_some() {
        let short = format!("REWIND {seconds}");
        return Part::new(Role::Rewind, [format!("REWIND {time}"), short.clone(), short.clone(), short]);
    }
    match app.snapshot.files.iter().any(|file| file.liveness == Liveness::Alive && !file.vanished) {
        true => part(Role::Good, "LIVE"),
        false if app.snapshot.files.is_empty() => part(Role::Dim, "EMPTY"),
        false => part(Role::Dim, "ENDED"),
    }
}

/// The fullest pool of all recordings.
fn fill(app: &App) -> Option<Part> {
    let fills = app.snapshot.files.iter().filter_map(|file| Some((worst_fill(file.fill.as_ref()?), file)));
    let ((pool, percent), file) = fills.max_by_key(|((_, percent), _)| *percent)?;
    let of =
        if app.snapshot.files.len() > 1 { format!(" of {}", safe(&file.service)) } else { String::new() };
    let short = format!("fill {percent}%");
    let full = format!("fill {percent}% {pool}{of}");
    Some(Part::new(Role::Text, [full, short.clone(), short, format!("{percent}%")]))
}

fn lost(app: &App) -> Part {
    let lost = app.snapshot.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.lost()));
    let role = if lost > 0 { Role::Warning } else { Role::Text };
    let text = format!("lost {}", count(lost));
    Part::new(role, [text.clone(), text.clone(), text, format!("L{}", count(lost))])
}

/// Damage and torn records.
fn faults(app: &App) -> Part {
    let faults = app.snapshot.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.fault_count));
    let role = if faults > 0 { Role::Error } else { Role::Text };
    let text = format!("torn {}", count(faults));
    Part::new(role, [text.clone(), text.clone(), text, format!("T{}", count(faults))])
}

fn writers(app: &App) -> Part {
    let files = &app.snapshot.files;
    let of = |state: &str| files.iter().filter(|file| file_state(file) == state).count();
    let (alive, dead) = (of("alive"), of("dead"));
    let others = [("closed", of("closed")), ("vanished", of("vanished"))];
    let mut full = format!("writers {alive} alive, {dead} dead");
    for (name, number) in others.into_iter().filter(|(_, number)| *number > 0) {
        // Writing to a `String` cannot fail.
        let _ = write!(full, ", {number} {name}");
    }
    let role = if dead > 0 { Role::Died } else { Role::Text };
    let shortest = if dead > 0 { format!("dead {dead}/{}", files.len()) } else { format!("alive {alive}") };
    Part::new(role, [full, format!("{alive} alive {dead} dead"), shortest.clone(), shortest])
}

/// How many records pass the filter.
fn hits(app: &App) -> Option<Part> {
    app.query.filter.as_ref()?;
    Some(Part::same(Role::Warning, hit_count(app)))
}

/// Hits of the filter; those of the one before are not taken for them.
fn hit_count(app: &App) -> String {
    if app.is_filter_awaited() {
        return "counting".to_owned();
    }
    format!("{} hits", count(app.snapshot.totals.hits as u64))
}

/// Records that the viewer was too slow to see.
fn missed(app: &App) -> Option<Part> {
    let missed = app.snapshot.files.iter().flat_map(|file| file.missed).fold(0_u64, u64::saturating_add);
    (missed > 0).then(|| Part::same(Role::Warning, format!("{} not seen", count(missed))).optional())
}

fn problems(app: &App) -> Option<Part> {
    let count = app.snapshot.problems.len();
    let word = if count == 1 { "problem" } else { "problems" };
    (count > 0).then(|| Part::same(Role::Error, format!("{count} {word}")).optional())
}

fn totals(app: &App) -> [Part; 2] {
    let totals = &app.snapshot.totals;
    let amount = |number: usize, name: &str| format!("{} {name}", count(number as u64));
    let role = if totals.in_flight > 0 { Role::Flight } else { Role::Dim };
    let all =
        [amount(totals.spans, "spans"), amount(totals.events, "events"), amount(totals.series, "series")];
    let none = String::new;
    [
        Part::same(role, amount(totals.in_flight, "in flight")).optional(),
        Part::new(Role::Dim, [all.join(" "), none(), none(), none()]).optional(),
    ]
}

/// Draws what is typed, a message, or the hints. Returns where the cursor is.
pub(super) fn draw_foot(pen: &mut Pen<'_>, area: Rect, app: &App) -> Option<(u16, u16)> {
    if let Some(prompt) = &app.prompt {
        return draw_prompt(pen, area, app, prompt);
    }
    let failure =
        app.failure.as_ref().map(|text| (format!("the reader stopped: {}", Printable(text)), Role::Error));
    let message = app.message.as_ref().map(|text| (Printable(text).to_string(), Role::Warning));
    match message.or(failure) {
        Some((text, role)) => {
            pen.text(area, 0, &text, role);
        }
        None => draw_hints(pen, area, app),
    }
    None
}

fn draw_hints(pen: &mut Pen<'_>, area: Rect, app: &App) {
    let mut x = 0;
    for (key, word) in help::hints(app) {
        let columns = width(&key) + width(word) + 1;
        if x + columns > usize::from(area.width) {
            break;
        }
        x += pen.put(area, x, 0, &key, pen.style(Role::Key));
        x += 1;
        x += pen.put(area, x, 0, word, pen.style(Role::Dim)) + 2;
    }
}

/// Draws the line that is typed, with carets under what is wrong and the words for it below. The text is moved so that
/// the cursor is in sight.
fn draw_prompt(pen: &mut Pen<'_>, area: Rect, app: &App, prompt: &Prompt) -> Option<(u16, u16)> {
    let label = match prompt.purpose {
        Purpose::Filter => "where ",
        Purpose::Find => "find ",
    };
    let x = pen.text(area, 0, label, Role::Key);
    let shown = |text: &str| Printable(text).to_string();
    let (before, rest) = prompt.text.split_at_checked(prompt.cursor).unwrap_or((&prompt.text, ""));
    let (before, rest) = (shown(before), shown(rest));
    let count = prompt_note(app, prompt);
    // The live count stays in sight; what is wrong has lines of its own.
    let kept =
        if prompt.error.is_none() && area.width >= 30 && !count.is_empty() { width(&count) + 1 } else { 0 };
    let room = usize::from(area.width).saturating_sub(x + 1 + kept);
    let cursor = width(&before);
    // Room at the left that the cursor leaves when it would be out of sight.
    let moved = cursor.saturating_sub(room.saturating_sub(1));
    let mut line = vec![(format!("{before}{rest}"), pen.style(Role::Typed))];
    super::pen::shift(&mut line, moved);
    let text = line.first().map(|(text, _)| start(text, room).0.to_owned()).unwrap_or_default();
    let used = x + pen.put(area, x, 0, &text, pen.style(Role::Typed));
    if used + width(&count) < usize::from(area.width) {
        let right = usize::from(area.width) - width(&count);
        pen.put(area, right, 0, &count, pen.style(Role::Dim));
    }
    if let Some((offset, length, words)) = &prompt.error {
        draw_error(pen, area, x, moved, &prompt.text, (*offset, *length), words);
    }
    let column = area.x.checked_add(u16::try_from(x + cursor - moved).ok()?)?;
    (area.height > 0 && column < area.right()).then_some((column, area.y))
}

/// What stands right of the text: the live count, or that it cannot be counted.
fn prompt_note(app: &App, prompt: &Prompt) -> String {
    match (prompt.purpose, &prompt.error) {
        (Purpose::Filter, Some((_, _, words))) => Printable(words).to_string(),
        (Purpose::Filter, None) if prompt.text.trim().is_empty() => "everything".to_owned(),
        (Purpose::Filter, None) => hit_count(app),
        (Purpose::Find, _) => String::new(),
    }
}

fn draw_error(
    pen: &mut Pen<'_>,
    area: Rect,
    x: usize,
    moved: usize,
    text: &str,
    (offset, length): (usize, usize),
    words: &str,
) {
    let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
    let wrong = rest.get(..length).unwrap_or(rest);
    let columns = |text: &str| width(&Printable(text).to_string());
    let at = (x + columns(before)).saturating_sub(moved);
    let carets = "^".repeat(columns(wrong).clamp(1, 400));
    pen.put(area, at, 1, &carets, pen.style(Role::Error));
    pen.text(area, 2, &Printable(words).to_string(), Role::Error);
}
