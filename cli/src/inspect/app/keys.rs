//! The one table of keys: dispatch, the hints at the foot of the screen and the help come from it.

use super::super::query::View;
use super::key::{Code, Key};

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In these views, while nothing lies over them.
    Views(&'static [View]),
    /// While a line is typed.
    Prompt,
    /// While the help is open.
    Help,
    /// While the menu of orders is open.
    Menu,
}

/// What a part of the help is about, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    General,
    Move,
    Open,
    Waterfall,
    Search,
    Time,
    Order,
    Copy,
    Typing,
    HelpWindow,
    Menu,
}

impl Group {
    /// Its title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Move => "Moving",
            Self::Open => "Opening",
            Self::Waterfall => "Waterfall",
            Self::Search => "Filter and search",
            Self::Time => "Time",
            Self::Order => "Order",
            Self::Copy => "Copy and bookmarks",
            Self::Typing => "While typing",
            Self::HelpWindow => "In the help",
            Self::Menu => "In the menu of orders",
        }
    }
}

/// Keys that do the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) place: Place,
    pub(crate) group: Group,
    pub(crate) keys: &'static [Key],
    pub(crate) command: Command,
    /// For the help.
    pub(crate) words: &'static str,
    /// For the foot of the screen; empty: it is not there.
    pub(crate) hint: &'static str,
}

impl Binding {
    /// Whether it holds in a view; of other places: no.
    pub(crate) fn holds_in(&self, view: View) -> bool {
        matches!(self.place, Place::Views(views) if views.contains(&view))
    }

    /// Its keys for people: `j Down`.
    pub(crate) fn key_names(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(Key::to_string).collect();
        names.join(" ")
    }
}

macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        /// What a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Command { $($name),* }

        impl Command {
            /// Every command.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

commands! {
    Quit, QuitAndKeep, Back, Help, Redraw, Suspend, ToggleMouse,
    Traces, Metrics, Events, File, Operations, NextView, PreviousView,
    Up, Down, PageUp, PageDown, HalfUp, HalfDown, First, Last, ShiftLeft, ShiftRight,
    Open, TogglePane, ExpandPane, PaneUp, PaneDown, NextLink, PreviousLink, ToTrace, ToEvents, ToggleRate,
    Fold, Unfold, FoldAll, ZoomIn, ZoomOut, ZoomReset, PanLeft, PanRight,
    Filter, Find, Clear, NextHit, PreviousHit, NextError, PreviousError,
    Pause, Follow, StepBack, StepForward, JumpBack, JumpForward, CursorHere, Now,
    SortMenu, Invert,
    CopyId, CopyJson, Bookmark, NextBookmark,
    PromptSubmit, PromptCancel, PromptLeft, PromptRight, PromptStart, PromptEnd, PromptDeleteLeft, PromptDeleteRight,
    PromptDeleteWord, PromptDeleteToStart, PromptDeleteToEnd, PromptOlder, PromptNewer,
    HelpClose, HelpUp, HelpDown, HelpPageUp, HelpPageDown, HelpDeleteLeft, HelpDeleteAll,
    MenuClose, MenuUp, MenuDown, MenuFirst, MenuLast, MenuChoose,
}

/// What a key does; `None`: nothing.
pub(crate) fn command(place: KeyPlace, key: Key) -> Option<Command> {
    let binding = BINDINGS.iter().find(|binding| place.takes(binding) && binding.keys.contains(&key));
    binding.map(|binding| binding.command)
}

/// Where a key was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    View(View),
    Prompt,
    Help,
    Menu,
}

impl KeyPlace {
    /// Whether a binding holds there.
    pub(crate) fn takes(self, binding: &Binding) -> bool {
        match self {
            Self::View(view) => binding.holds_in(view),
            Self::Prompt => binding.place == Place::Prompt,
            Self::Help => binding.place == Place::Help,
            Self::Menu => binding.place == Place::Menu,
        }
    }
}

use self::Command as C;
use self::Group as G;
use Code::{
    BackTab, Backspace, Delete, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right, Tab, Up,
};

const fn c(c: char) -> Key {
    Key::char(c)
}

const fn ctrl(c: char) -> Key {
    Key::ctrl(c)
}

const fn k(code: Code) -> Key {
    Key::plain(code)
}

const ALL: Place =
    Place::Views(&[View::Traces, View::Metrics, View::Events, View::File, View::Operations, View::Waterfall]);
const LISTS: Place = Place::Views(&[View::Traces, View::Metrics, View::Events, View::File, View::Operations]);
const TRACES: Place = Place::Views(&[View::Traces]);
const OPERATIONS: Place = Place::Views(&[View::Operations]);
const METRICS: Place = Place::Views(&[View::Metrics]);
const EVENTS: Place = Place::Views(&[View::Events]);
const FILE: Place = Place::Views(&[View::File]);
const WATERFALL: Place = Place::Views(&[View::Waterfall]);
const LINKED: Place = Place::Views(&[View::Metrics, View::File]);
const FOLLOWED: Place = Place::Views(&[View::Traces, View::Events]);

const fn bind(
    place: Place,
    group: Group,
    keys: &'static [Key],
    command: Command,
    words: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { place, group, keys, command, words, hint }
}

/// Every key. Those of one place are in the order in which the foot of the screen shows them.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    bind(ALL, G::General, &[c('q'), ctrl('c')], C::Quit, "quit", "quit"),
    bind(ALL, G::General, &[c('?'), k(F(1))], C::Help, "this help; type to search it", "help"),
    bind(ALL, G::General, &[k(Esc)], C::Back, "back: smaller pane, no pane, the view before", ""),
    bind(ALL, G::General, &[c('Q')], C::QuitAndKeep, "quit, and leave the screen in the terminal", ""),
    bind(ALL, G::General, &[c('1')], C::Traces, "traces", ""),
    bind(ALL, G::General, &[c('2')], C::Metrics, "metrics", ""),
    bind(ALL, G::General, &[c('3')], C::Events, "events", ""),
    bind(ALL, G::General, &[c('4')], C::File, "recordings: header, fill, losses, dictionary, lints", ""),
    bind(ALL, G::General, &[c('5')], C::Operations, "operations: rate, errors, durations", ""),
    bind(ALL, G::General, &[k(Tab)], C::NextView, "next view", ""),
    bind(ALL, G::General, &[k(BackTab)], C::PreviousView, "previous view", ""),
    bind(ALL, G::General, &[k(F(2))], C::ToggleMouse, "mouse on or off; off, the terminal selects text", ""),
    bind(ALL, G::General, &[ctrl('l')], C::Redraw, "draw the screen again", ""),
    bind(ALL, G::General, &[ctrl('z')], C::Suspend, "stop; `fg` comes back", ""),

    bind(ALL, G::Move, &[c('j'), k(Down)], C::Down, "one row down; in an expanded pane one line", ""),
    bind(ALL, G::Move, &[c('k'), k(Up)], C::Up, "one row up; in an expanded pane one line", ""),
    bind(ALL, G::Move, &[k(PageDown)], C::PageDown, "a page down", ""),
    bind(ALL, G::Move, &[k(PageUp)], C::PageUp, "a page up", ""),
    bind(ALL, G::Move, &[ctrl('d')], C::HalfDown, "half a page down", ""),
    bind(ALL, G::Move, &[ctrl('u')], C::HalfUp, "half a page up", ""),
    bind(ALL, G::Move, &[c('g'), k(Home)], C::First, "first row", ""),
    bind(ALL, G::Move, &[c('G'), k(End)], C::Last, "last row", ""),
    bind(LISTS, G::Move, &[c('h'), k(Left)], C::ShiftLeft, "wide rows to the right", ""),
    bind(LISTS, G::Move, &[c('l'), k(Right)], C::ShiftRight, "wide rows to the left", ""),

    bind(TRACES, G::Open, &[k(Enter)], C::Open, "waterfall of the trace", "open"),
    bind(OPERATIONS, G::Open, &[k(Enter)], C::Open, "traces of the operation", "traces"),
    bind(METRICS, G::Open, &[k(Enter)], C::Open, "chart of the series, or away with it", "chart"),
    bind(EVENTS, G::Open, &[k(Enter)], C::Open, "details of the event, or away with them", "details"),
    bind(FILE, G::Open, &[k(Enter)], C::Open, "only what is in this recording; again: all", "only this"),
    bind(WATERFALL, G::Open, &[k(Enter)], C::Open, "fold or open; of a span without children the details", "fold"),
    bind(ALL, G::Open, &[c('d')], C::TogglePane, "pane with the details, or away with it", ""),
    bind(ALL, G::Open, &[c('o')], C::ExpandPane, "expand the pane to the whole screen, or shrink it", "pane"),
    bind(ALL, G::Open, &[c('J')], C::PaneDown, "scroll the pane down", ""),
    bind(ALL, G::Open, &[c('K')], C::PaneUp, "scroll the pane up", ""),
    bind(TRACES, G::Open, &[c('r')], C::Operations, "operations: rate, errors, durations", "RED"),
    bind(OPERATIONS, G::Open, &[c('r')], C::Traces, "all traces", "all traces"),
    bind(METRICS, G::Open, &[c('r')], C::ToggleRate, "chart the growth a second, or the value", "rate"),
    bind(METRICS, G::Open, &[c('t')], C::ToTrace, "trace of the selected exemplar", "trace"),
    bind(EVENTS, G::Open, &[c('t')], C::ToTrace, "span of the event, in its trace", "trace"),
    bind(FILE, G::Open, &[c('t')], C::ToTrace, "trace of the selected lint", ""),
    bind(LINKED, G::Open, &[c('x')], C::NextLink, "next exemplar or lint", ""),
    bind(LINKED, G::Open, &[c('X')], C::PreviousLink, "previous exemplar or lint", ""),
    bind(TRACES, G::Open, &[c('v')], C::ToEvents, "events of the trace", "events"),
    bind(WATERFALL, G::Open, &[c('v')], C::ToEvents, "events of the trace, from those of the span on", "events"),

    bind(WATERFALL, G::Waterfall, &[c('h'), k(Left)], C::Fold, "fold, or go to the parent", ""),
    bind(WATERFALL, G::Waterfall, &[c('l'), k(Right)], C::Unfold, "open, or go to the first child", ""),
    bind(WATERFALL, G::Waterfall, &[c('z')], C::FoldAll, "fold everything below the roots, or open all", ""),
    bind(WATERFALL, G::Waterfall, &[c('='), c('+')], C::ZoomIn, "zoom the time axis in, at the selected span", "zoom"),
    bind(WATERFALL, G::Waterfall, &[c('-')], C::ZoomOut, "zoom out", ""),
    bind(WATERFALL, G::Waterfall, &[c('0')], C::ZoomReset, "the whole trace", ""),
    bind(WATERFALL, G::Waterfall, &[c('<')], C::PanLeft, "earlier part of a zoomed axis", ""),
    bind(WATERFALL, G::Waterfall, &[c('>')], C::PanRight, "later part of a zoomed axis", ""),

    bind(ALL, G::Search, &[c('/')], C::Filter, "filter everything: duration > 50ms and status = error", "filter"),
    bind(ALL, G::Search, &[c('f')], C::Find, "find text in the rows", ""),
    bind(ALL, G::Search, &[k(Backspace)], C::Clear, "no filter, nothing to find, all recordings", ""),
    bind(ALL, G::Search, &[c('n')], C::NextHit, "next row with the text, else that passes the filter", ""),
    bind(ALL, G::Search, &[c('N')], C::PreviousHit, "previous such row", ""),
    bind(ALL, G::Search, &[c('e')], C::NextError, "next error", "error"),
    bind(ALL, G::Search, &[c('E')], C::PreviousError, "previous error", ""),

    bind(ALL, G::Time, &[c(' ')], C::Pause, "pause, and go on", "pause"),
    bind(FOLLOWED, G::Time, &[c('F')], C::Follow, "follow: the newest row stays selected", "follow"),
    bind(ALL, G::Time, &[c('[')], C::StepBack, "rewind by 1 % of the recording; in a waterfall, of the trace", "rewind"),
    bind(ALL, G::Time, &[c(']')], C::StepForward, "forward by 1 %", ""),
    bind(ALL, G::Time, &[c('{')], C::JumpBack, "rewind by 10 %", ""),
    bind(ALL, G::Time, &[c('}')], C::JumpForward, "forward by 10 %", ""),
    bind(ALL, G::Time, &[c('c')], C::CursorHere, "rewind to the time of the selected row", ""),
    bind(ALL, G::Time, &[c('.')], C::Now, "back to now", ""),

    bind(LISTS, G::Order, &[c('s')], C::SortMenu, "menu of orders", "sort"),
    bind(LISTS, G::Order, &[c('i')], C::Invert, "invert the order", ""),

    bind(ALL, G::Copy, &[c('y')], C::CopyId, "copy the id: of a trace, span; the name of others", ""),
    bind(ALL, G::Copy, &[c('Y')], C::CopyJson, "copy the record as JSON; of a trace its root span", ""),
    bind(ALL, G::Copy, &[c('m')], C::Bookmark, "bookmark this place, or take the bookmark away", ""),
    bind(ALL, G::Copy, &[c('\'')], C::NextBookmark, "next bookmark", ""),

    bind(Place::Prompt, G::Typing, &[k(Enter)], C::PromptSubmit, "done", "done"),
    bind(Place::Prompt, G::Typing, &[k(Esc), ctrl('c')], C::PromptCancel, "as it was before", "cancel"),
    bind(Place::Prompt, G::Typing, &[k(Up), ctrl('p')], C::PromptOlder, "line typed before", "history"),
    bind(Place::Prompt, G::Typing, &[k(Down), ctrl('n')], C::PromptNewer, "line typed later", ""),
    bind(Place::Prompt, G::Typing, &[k(Left), ctrl('b')], C::PromptLeft, "one character to the left", ""),
    bind(Place::Prompt, G::Typing, &[k(Right), ctrl('f')], C::PromptRight, "one character to the right", ""),
    bind(Place::Prompt, G::Typing, &[k(Home), ctrl('a')], C::PromptStart, "start of the line", ""),
    bind(Place::Prompt, G::Typing, &[k(End), ctrl('e')], C::PromptEnd, "end of the line", ""),
    bind(Place::Prompt, G::Typing, &[k(Backspace), ctrl('h')], C::PromptDeleteLeft, "delete to the left", ""),
    bind(Place::Prompt, G::Typing, &[k(Delete), ctrl('d')], C::PromptDeleteRight, "delete to the right", ""),
    bind(Place::Prompt, G::Typing, &[ctrl('w')], C::PromptDeleteWord, "delete the word to the left", ""),
    bind(Place::Prompt, G::Typing, &[ctrl('u')], C::PromptDeleteToStart, "delete to the start", ""),
    bind(Place::Prompt, G::Typing, &[ctrl('k')], C::PromptDeleteToEnd, "delete to the end", ""),

    bind(Place::Help, G::HelpWindow, &[k(Esc), k(Enter), c('?'), k(F(1)), ctrl('c')], C::HelpClose, "close", "close"),
    bind(Place::Help, G::HelpWindow, &[k(Down), ctrl('n')], C::HelpDown, "a line down", ""),
    bind(Place::Help, G::HelpWindow, &[k(Up), ctrl('p')], C::HelpUp, "a line up", ""),
    bind(Place::Help, G::HelpWindow, &[k(PageDown), ctrl('d')], C::HelpPageDown, "a page down", "more"),
    bind(Place::Help, G::HelpWindow, &[k(PageUp)], C::HelpPageUp, "a page up", ""),
    bind(Place::Help, G::HelpWindow, &[k(Backspace), ctrl('h')], C::HelpDeleteLeft, "delete a character of the search", ""),
    bind(Place::Help, G::HelpWindow, &[ctrl('u')], C::HelpDeleteAll, "delete the search", ""),

    bind(Place::Menu, G::Menu, &[k(Enter), c(' '), c('s')], C::MenuChoose, "take this order; the present one: invert it", "choose"),
    bind(Place::Menu, G::Menu, &[k(Esc), c('q'), ctrl('c')], C::MenuClose, "close", "close"),
    bind(Place::Menu, G::Menu, &[c('j'), k(Down)], C::MenuDown, "a line down", ""),
    bind(Place::Menu, G::Menu, &[c('k'), k(Up)], C::MenuUp, "a line up", ""),
    bind(Place::Menu, G::Menu, &[c('g'), k(Home)], C::MenuFirst, "first line", ""),
    bind(Place::Menu, G::Menu, &[c('G'), k(End)], C::MenuLast, "last line", ""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PLACES: [KeyPlace; 9] = [
        KeyPlace::View(View::Traces),
        KeyPlace::View(View::Metrics),
        KeyPlace::View(View::Events),
        KeyPlace::View(View::File),
        KeyPlace::View(View::Operations),
        KeyPlace::View(View::Waterfall),
        KeyPlace::Prompt,
        KeyPlace::Help,
        KeyPlace::Menu,
    ];

    #[test]
    fn a_key_does_one_thing_in_a_place() {
        for place in PLACES {
            let mut seen = HashSet::new();
            for binding in BINDINGS.iter().filter(|binding| place.takes(binding)) {
                for key in binding.keys {
                    assert!(seen.insert(*key), "{key} is bound twice in {place:?}");
                }
            }
        }
    }

    #[test]
    fn every_command_has_a_key_and_words() {
        for command in Command::ALL {
            let bindings: Vec<&Binding> =
                BINDINGS.iter().filter(|binding| binding.command == *command).collect();
            assert!(!bindings.is_empty(), "{command:?} has no key");
            assert!(bindings.iter().all(|binding| !binding.keys.is_empty() && !binding.words.is_empty()));
        }
    }

    #[test]
    fn every_place_can_be_left() {
        for place in PLACES {
            assert!(command(place, k(Esc)).is_some() && command(place, ctrl('c')).is_some(), "{place:?}");
        }
    }

    /// The keys that people know from other viewers.
    #[test]
    fn keys_of_the_majority() {
        let in_traces = |key| command(KeyPlace::View(View::Traces), key);
        for (key, expected) in [
            (c('q'), C::Quit),
            (c('Q'), C::QuitAndKeep),
            (k(Esc), C::Back),
            (c('?'), C::Help),
            (c('/'), C::Filter),
            (c('n'), C::NextHit),
            (c('N'), C::PreviousHit),
            (c('e'), C::NextError),
            (c('E'), C::PreviousError),
            (c('j'), C::Down),
            (c('k'), C::Up),
            (c('g'), C::First),
            (c('G'), C::Last),
            (k(PageUp), C::PageUp),
            (k(PageDown), C::PageDown),
            (ctrl('d'), C::HalfDown),
            (ctrl('u'), C::HalfUp),
            (k(Enter), C::Open),
            (c(' '), C::Pause),
            (c('F'), C::Follow),
            (c('s'), C::SortMenu),
            (c('i'), C::Invert),
            (c('y'), C::CopyId),
            (c('Y'), C::CopyJson),
            (c('o'), C::ExpandPane),
            (c('m'), C::Bookmark),
            (c('['), C::StepBack),
            (c(']'), C::StepForward),
            (c('{'), C::JumpBack),
            (c('}'), C::JumpForward),
            (k(Tab), C::NextView),
            (k(F(2)), C::ToggleMouse),
        ] {
            assert_eq!(in_traces(key), Some(expected), "{key}");
        }
        let in_waterfall = |key| command(KeyPlace::View(View::Waterfall), key);
        assert_eq!((in_waterfall(c('=')), in_waterfall(c('-'))), (Some(C::ZoomIn), Some(C::ZoomOut)));
    }
}
