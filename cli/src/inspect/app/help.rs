//! Help and hints, from the table of keys.

use super::keys::{BINDINGS, Binding, Group, KeyPlace};
use super::state::App;

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HelpLine {
    /// The title of a group.
    Title(&'static str),
    /// Keys and what they do.
    Keys(String, &'static str),
    /// A mark on the screen and what it says.
    Mark(Mark, &'static str),
}

/// What stands on the screen without words; its symbol is the theme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    CriticalBar,
    Bar,
    Event,
    Error,
    InFlight,
    Died,
    Orphan,
    Found,
    Bookmark,
    Mean,
}

const MARKS: [(Mark, &str); 10] = [
    (Mark::CriticalBar, "on the critical path: the trace waited for it"),
    (Mark::Bar, "bar of another span"),
    (Mark::Event, "event on a bar"),
    (Mark::Error, "span with an error"),
    (Mark::InFlight, "span in flight: it has not ended"),
    (Mark::Died, "span that was in flight when its process died"),
    (Mark::Orphan, "span whose parent is not in the recordings"),
    (Mark::Found, "row with the text that is looked for"),
    (Mark::Bookmark, "bookmarked row"),
    (Mark::Mean, "mean of a histogram: sum by count"),
];

/// The lines of the help that have `search` in them, below the titles of their groups. What holds in the present view
/// comes first, then the rest.
pub(crate) fn lines(app: &App, search: &str) -> Vec<HelpLine> {
    let search = search.to_lowercase();
    let here = KeyPlace::View(app.query.view);
    let mut lines = Vec::new();
    for group in GROUPS {
        let of_group = BINDINGS.iter().filter(|binding| binding.group == group);
        let (present, absent): (Vec<&Binding>, Vec<&Binding>) =
            of_group.filter(|binding| matches(binding, &search)).partition(|binding| here.takes(binding));
        let entries = present.into_iter().chain(absent);
        let mut entries =
            entries.map(|binding| HelpLine::Keys(binding.key_names(), binding.words)).peekable();
        if entries.peek().is_some() {
            lines.push(HelpLine::Title(group.title()));
        }
        lines.extend(entries);
        if group == Group::Waterfall {
            lines.extend(marks(&search));
        }
    }
    lines
}

fn marks(search: &str) -> Vec<HelpLine> {
    let found = |words: &str| "marks".contains(search) || words.to_lowercase().contains(search);
    let marks = MARKS.into_iter().filter(|(_, words)| found(words));
    let mut lines: Vec<_> = marks.map(|(mark, words)| HelpLine::Mark(mark, words)).collect();
    if !lines.is_empty() {
        lines.insert(0, HelpLine::Title("Marks"));
    }
    lines
}

const GROUPS: [Group; 11] = [
    Group::General,
    Group::Move,
    Group::Open,
    Group::Waterfall,
    Group::Search,
    Group::Time,
    Group::Order,
    Group::Copy,
    Group::Typing,
    Group::HelpWindow,
    Group::Menu,
];

/// Keys are found by their whole name, words by a part, in any case.
fn matches(binding: &Binding, search: &str) -> bool {
    binding.words.to_lowercase().contains(search)
        || binding.group.title().to_lowercase().contains(search)
        || binding.keys.iter().any(|key| key.to_string().to_lowercase() == search)
}

/// Where keys go now.
pub(crate) fn place(app: &App) -> KeyPlace {
    if app.prompt.is_some() {
        KeyPlace::Prompt
    } else if app.help.is_some() {
        KeyPlace::Help
    } else if app.sort_menu.is_some() {
        KeyPlace::Menu
    } else {
        KeyPlace::View(app.query.view)
    }
}

/// The foot of the screen: a key and a word for each hint, the most useful first.
pub(crate) fn hints(app: &App) -> impl Iterator<Item = (String, &'static str)> {
    let place = place(app);
    let bindings = BINDINGS.iter().filter(move |binding| place.takes(binding) && !binding.hint.is_empty());
    bindings.filter_map(|binding| binding.keys.first().map(|key| (key.to_string(), binding.hint)))
}

#[cfg(test)]
mod tests {
    use super::super::state::Options;
    use super::*;

    fn app() -> App {
        App::new((80, 24), Options::default())
    }

    #[test]
    fn every_binding_is_in_the_help() {
        let count = lines(&app(), "").iter().filter(|line| matches!(line, HelpLine::Keys(..))).count();
        assert_eq!(count, BINDINGS.len());
    }

    #[test]
    fn the_search_looks_at_words_titles_and_keys() {
        let found = |search: &str| lines(&app(), search);
        assert_eq!(
            found("Clipboard is no word"),
            [],
            "nothing, not even a title, is left when nothing is found"
        );
        assert!(found("INVERT").contains(&HelpLine::Keys("i".into(), "invert the order")));
        assert!(found("F2").iter().any(|line| matches!(line, HelpLine::Keys(keys, _) if keys == "F2")));
        assert!(found("moving").len() > 8);
        let marks = found("marks").iter().filter(|line| matches!(line, HelpLine::Mark(..))).count();
        assert_eq!(marks, MARKS.len());
        let critical = found("critical path");
        assert!(matches!(critical[..], [HelpLine::Title("Marks"), HelpLine::Mark(Mark::CriticalBar, _)]));
    }

    #[test]
    fn the_hints_are_those_of_the_place() {
        let mut app = app();
        assert!(hints(&app).any(|hint| hint == ("q".into(), "quit")));
        assert!(hints(&app).any(|hint| hint == ("Enter".into(), "open")));
        app.sort_menu = Some(0);
        assert!(hints(&app).all(|hint| hint.1 != "quit") && hints(&app).any(|hint| hint.1 == "choose"));
    }
}
