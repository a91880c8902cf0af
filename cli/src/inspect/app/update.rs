//! `update`: an event changes the state, and says what is to be done.

use std::sync::Arc;

use super::super::model::Snapshot;
use super::super::query::{Query, View};
use super::help;
use super::key::{Action, Code, Event, Key, Mouse};
use super::keys::{self, Command, KeyPlace};
use super::sort;
use super::state::{App, ChartMode, Help, Paused, Purpose, RowsOf};

/// Rows that a turn of the wheel moves.
const WHEEL_ROWS: usize = 3;

/// Columns that wide rows are moved by.
const SHIFT_COLUMNS: usize = 8;

/// Most columns that rows are moved by.
const MAX_SHIFT: usize = 4096;

/// Longest search in the help, in characters.
const MAX_SEARCH: usize = 100;

/// Takes an event.
pub(crate) fn update(app: &mut App, event: Event) -> Action {
    let action = match event {
        Event::Key(key) => key_pressed(app, key),
        Event::Paste(text) => pasted(app, &text),
        Event::Mouse(mouse) => mouse_used(app, mouse),
        Event::Resize(columns, rows) => {
            app.size = (columns, rows);
            Action::Redraw
        }
        Event::Snapshot(snapshot) => snapshot_came(app, snapshot),
        Event::Failure(why) => {
            app.failure = Some(why);
            Action::Redraw
        }
    };
    if action != Action::None {
        settle(app);
    }
    action
}

fn key_pressed(app: &mut App, key: Key) -> Action {
    app.message = None;
    app.memory.copying = None;
    let place = help::place(app);
    let command = keys::command(place, key);
    match place {
        KeyPlace::Prompt => app.prompt_key(key, command),
        KeyPlace::Help => help_key(app, key, command),
        KeyPlace::Menu => menu_key(app, command),
        KeyPlace::View(_) => return command.map_or(Action::Redraw, |command| run(app, command)),
    }
    Action::Redraw
}

/// Runs a command of a view.
fn run(app: &mut App, command: Command) -> Action {
    match command {
        Command::Quit => return Action::Quit { keep_screen: false },
        Command::QuitAndKeep => return Action::Quit { keep_screen: true },
        Command::Redraw => return Action::Clear,
        Command::Suspend => return Action::Suspend,
        Command::ToggleMouse => {
            app.is_mouse_on = !app.is_mouse_on;
            app.say(if app.is_mouse_on { "mouse on" } else { "mouse off" });
            return Action::Mouse(app.is_mouse_on);
        }
        Command::CopyId => return app.copy_id(),
        Command::CopyJson => return app.copy_json(),
        Command::Help => app.help = Some(Help::default()),
        Command::Filter => app.open_prompt(Purpose::Filter),
        Command::Find => app.open_prompt(Purpose::Find),
        Command::Pause => toggle_pause(app),
        Command::Follow => toggle_follow(app),
        Command::SortMenu => app.sort_menu = sort::present(&app.query).map(|(index, _)| index),
        Command::Invert => sort::invert(&mut app.query),
        command => {
            if !go(app, command) && !look(app, command) {
                run_in_pane_or_list(app, command);
            }
        }
    }
    Action::Redraw
}

/// Commands that go elsewhere; `false`: it is none of them.
fn go(app: &mut App, command: Command) -> bool {
    match command {
        Command::Back => app.back(),
        Command::Traces => app.go_to(View::Traces),
        Command::Metrics => app.go_to(View::Metrics),
        Command::Events => app.go_to(View::Events),
        Command::File => app.go_to(View::File),
        Command::Operations => app.go_to(View::Operations),
        Command::NextView => app.next_tab(true),
        Command::PreviousView => app.next_tab(false),
        Command::Open => app.open(),
        Command::ToTrace => app.go_to_trace(),
        Command::ToEvents => app.go_to_events(),
        Command::NextHit => app.next_hit(true),
        Command::PreviousHit => app.next_hit(false),
        Command::NextError => app.next_error(true),
        Command::PreviousError => app.next_error(false),
        Command::Bookmark => app.toggle_bookmark(),
        Command::NextBookmark => app.next_bookmark(),
        Command::Clear => app.clear(),
        Command::StepBack => app.move_cursor(1, false),
        Command::StepForward => app.move_cursor(1, true),
        Command::JumpBack => app.move_cursor(10, false),
        Command::JumpForward => app.move_cursor(10, true),
        Command::CursorHere => app.cursor_here(),
        Command::Now => app.query.until = None,
        _ => return false,
    }
    true
}

/// Commands that change how something is shown; `false`: it is none of them.
fn look(app: &mut App, command: Command) -> bool {
    match command {
        Command::TogglePane => app.toggle_pane(),
        Command::ExpandPane => app.expand_pane(),
        Command::PaneDown => scroll_pane(app, 1, true),
        Command::PaneUp => scroll_pane(app, 1, false),
        Command::NextLink => app.move_link(true),
        Command::PreviousLink => app.move_link(false),
        Command::ToggleRate => {
            app.chart = match app.chart {
                ChartMode::Value => ChartMode::Rate,
                ChartMode::Rate => ChartMode::Value,
            };
        }
        Command::Fold => app.fold(),
        Command::Unfold => app.unfold(),
        Command::FoldAll => app.fold_all(),
        Command::ZoomIn => app.zoom_in(),
        Command::ZoomOut => app.zoom_out(),
        Command::ZoomReset => app.zoom_reset(),
        Command::PanLeft => app.pan(false),
        Command::PanRight => app.pan(true),
        Command::ShiftLeft => shift(app, false),
        Command::ShiftRight => shift(app, true),
        _ => return false,
    }
    true
}

/// Moves in the list, or in the pane if it has the whole screen.
fn run_in_pane_or_list(app: &mut App, command: Command) {
    let page = app.page.max(1);
    let (count, down) = match command {
        Command::Up => (1, false),
        Command::Down => (1, true),
        Command::PageUp => (page, false),
        Command::PageDown => (page, true),
        Command::HalfUp => (page.div_ceil(2), false),
        Command::HalfDown => (page.div_ceil(2), true),
        Command::First => (usize::MAX, false),
        Command::Last => (usize::MAX, true),
        _ => return,
    };
    if app.is_detail_open && app.is_detail_expanded {
        scroll_pane(app, count, down);
    } else {
        app.move_by(count, down);
    }
}

fn scroll_pane(app: &mut App, lines: usize, down: bool) {
    let scroll = app.detail_scroll;
    let scroll = if down { scroll.saturating_add(lines) } else { scroll.saturating_sub(lines) };
    app.detail_scroll = scroll.min(app.detail_end);
}

fn shift(app: &mut App, right: bool) {
    let list = app.list_mut();
    let shift = if right {
        list.shift.saturating_add(SHIFT_COLUMNS)
    } else {
        list.shift.saturating_sub(SHIFT_COLUMNS)
    };
    list.shift = shift.min(MAX_SHIFT);
}

fn toggle_pause(app: &mut App) {
    app.is_paused = !app.is_paused;
    if app.is_paused {
        app.paused = Paused { until: app.snapshot.until, seen: app.snapshot.totals.seen };
    } else {
        app.memory.must_ask = true;
        if let Some(newest) = app.newest.take() {
            show(app, newest);
        }
    }
}

fn toggle_follow(app: &mut App) {
    if !app.can_follow() {
        app.say("rows in this order cannot be followed: sort by time");
        return;
    }
    app.follow = !app.follow;
    app.restore_selection();
    app.say(if app.follow { "the newest row is followed" } else { "not followed" });
}

fn help_key(app: &mut App, key: Key, command: Option<Command>) {
    let page = usize::from(app.size.1).saturating_sub(4).max(1);
    let Some(help) = &mut app.help else { return };
    match command {
        Some(Command::HelpClose) => app.help = None,
        Some(Command::HelpDown) => help.scroll = help.scroll.saturating_add(1),
        Some(Command::HelpUp) => help.scroll = help.scroll.saturating_sub(1),
        Some(Command::HelpPageDown) => help.scroll = help.scroll.saturating_add(page),
        Some(Command::HelpPageUp) => help.scroll = help.scroll.saturating_sub(page),
        Some(Command::HelpDeleteLeft) => {
            help.search.pop();
            help.scroll = 0;
        }
        Some(Command::HelpDeleteAll) => *help = Help::default(),
        _ => {
            if let Some(c) = key.text().filter(|_| help.search.chars().count() < MAX_SEARCH) {
                help.search.push(c);
                help.scroll = 0;
            }
        }
    }
}

fn menu_key(app: &mut App, command: Option<Command>) {
    let last = sort::names(app.query.view).len().saturating_sub(1);
    let Some(line) = &mut app.sort_menu else { return };
    match command {
        Some(Command::MenuDown) => *line = line.saturating_add(1).min(last),
        Some(Command::MenuUp) => *line = line.saturating_sub(1),
        Some(Command::MenuFirst) => *line = 0,
        Some(Command::MenuLast) => *line = last,
        Some(Command::MenuChoose) => {
            sort::choose(&mut app.query, *line);
            app.sort_menu = None;
        }
        Some(Command::MenuClose) => app.sort_menu = None,
        _ => {}
    }
}

fn pasted(app: &mut App, text: &str) -> Action {
    if app.prompt.is_none() {
        return Action::None;
    }
    app.edit_prompt(|prompt| prompt.insert(text));
    Action::Redraw
}

fn mouse_used(app: &mut App, mouse: Mouse) -> Action {
    let key = |code| Key::plain(code);
    match (mouse, help::place(app)) {
        (Mouse::WheelUp | Mouse::WheelDown, KeyPlace::View(_)) if app.is_detail_expanded => {
            scroll_pane(app, WHEEL_ROWS, mouse == Mouse::WheelDown);
        }
        (Mouse::WheelUp | Mouse::WheelDown, KeyPlace::View(_)) => {
            app.move_by(WHEEL_ROWS, mouse == Mouse::WheelDown);
        }
        (Mouse::WheelUp, _) => return key_pressed(app, key(Code::Up)),
        (Mouse::WheelDown, _) => return key_pressed(app, key(Code::Down)),
        (Mouse::Row(row), KeyPlace::View(_)) => {
            if app.selected_row() == Some(row) {
                app.open();
            } else {
                app.select(row);
            }
        }
        (Mouse::View(view), KeyPlace::View(_)) => app.go_to(view),
        _ => return Action::None,
    }
    Action::Redraw
}

/// A snapshot that answers an older query has other rows than those that are to be shown. While the viewer is paused
/// only the answer to a new query is shown.
fn snapshot_came(app: &mut App, snapshot: Arc<Snapshot>) -> Action {
    if snapshot.query < app.memory.rows_since {
        return Action::None;
    }
    if app.is_paused && snapshot.query <= app.snapshot.query {
        app.newest = Some(snapshot);
        return Action::Redraw;
    }
    app.newest = None;
    show(app, snapshot);
    app.copy_what_came()
}

fn show(app: &mut App, snapshot: Arc<Snapshot>) {
    app.snapshot = snapshot;
    app.memory.rows_of = Some(RowsOf::new(&app.query));
    app.remember_trace_range();
    app.lay_out_tree();
    app.restore_selection();
}

/// Makes everything fit that depends on what has changed.
fn settle(app: &mut App) {
    if let Some(help) = &app.help {
        let last = help::lines(app, &help.search).len().saturating_sub(1);
        if let Some(help) = &mut app.help {
            help.scroll = help.scroll.min(last);
        }
    }
    app.remember_selection();
    app.keep_in_sight();
    app.detail_scroll = app.detail_scroll.min(app.detail_end);
    want(app);
    ask(app);
}

/// The details that belong to the selected row.
fn want(app: &mut App) {
    let record = app.selected_record();
    let in_pane = app.is_detail_open && app.query.view != View::Metrics;
    let detail = app.memory.copying.or(record.filter(|_| in_pane));
    let series = app.selected_series().map(|row| row.id).filter(|_| app.is_detail_open);
    if app.memory.copying.is_none() && detail != app.query.detail || series != app.query.series {
        (app.detail_scroll, app.link) = (0, 0);
    }
    // Else rows that are on their way tell what is wanted.
    if app.memory.rows_of == Some(RowsOf::new(&app.query)) {
        (app.query.detail, app.query.series) = (detail, series);
    }
}

/// Gives the query a new number if it has changed.
fn ask(app: &mut App) {
    let query = &app.query;
    let asked = &app.memory.asked;
    let same_rows = has_same_rows(query, asked) && !app.memory.must_ask;
    if same_rows && query.detail == asked.detail && query.series == asked.series {
        return;
    }
    app.query.number = app.query.number.saturating_add(1);
    if !same_rows {
        app.memory.rows_since = app.query.number;
    }
    if filter_text(&app.query) != filter_text(&app.memory.asked) {
        app.memory.filter_since = app.query.number;
    }
    app.memory.must_ask = false;
    app.memory.asked = app.query.clone();
}

/// Whether two queries ask for the same rows.
fn has_same_rows(a: &Query, b: &Query) -> bool {
    let place =
        |query: &Query| (query.view, query.until, query.order, query.file, query.trace, query.events_of);
    filter_text(a) == filter_text(b) && place(a) == place(b) && a.operation == b.operation
}

fn filter_text(query: &Query) -> Option<&str> {
    query.filter.as_ref().map(|filter| filter.text.as_str())
}
