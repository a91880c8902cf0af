//! The typed line: editing, filter, history.

use super::*;
use crate::inspect::app::Purpose;
use crate::inspect::app::keys::Command;
use crate::inspect::app::state::Prompt;

/// A line with its cursor at `|`.
fn line(text: &str) -> Prompt {
    let at = text.find('|').unwrap();
    let mut prompt = Prompt::new(Purpose::Find, text.replace('|', ""));
    prompt.cursor = at;
    prompt
}

fn shown(prompt: &Prompt) -> String {
    let mut text = prompt.text.clone();
    text.insert(prompt.cursor, '|');
    text
}

#[track_caller]
fn assert_edit(command: Command, before: &str, after: &str) {
    let mut prompt = line(before);
    assert!(prompt.edit(command));
    assert_eq!(shown(&prompt), after);
}

#[test]
fn the_cursor_steps_over_characters_as_people_see_them() {
    assert_edit(Command::PromptLeft, "日本|", "日|本");
    assert_edit(Command::PromptLeft, "e\u{301}|x", "|e\u{301}x");
    assert_edit(Command::PromptRight, "|👩‍👩‍👧x", "👩‍👩‍👧|x");
    assert_edit(Command::PromptLeft, "|a", "|a");
    assert_edit(Command::PromptRight, "a|", "a|");
    assert_edit(Command::PromptStart, "ab|c", "|abc");
    assert_edit(Command::PromptEnd, "a|bc", "abc|");
}

#[test]
fn deleting() {
    assert_edit(Command::PromptDeleteLeft, "x👩‍👩‍👧|y", "x|y");
    assert_edit(Command::PromptDeleteLeft, "|y", "|y");
    assert_edit(Command::PromptDeleteRight, "|e\u{301}y", "|y");
    assert_edit(Command::PromptDeleteRight, "y|", "y|");
    assert_edit(Command::PromptDeleteWord, "status = error |and", "status = |and");
    assert_edit(Command::PromptDeleteWord, "größe   |", "|");
    assert_edit(Command::PromptDeleteWord, "|x", "|x");
    assert_edit(Command::PromptDeleteToStart, "abc|d", "|d");
    assert_edit(Command::PromptDeleteToEnd, "a|bcd", "a|");
}

#[test]
fn what_is_typed_together_becomes_one_character() {
    let mut prompt = line("|\u{301}x");
    prompt.insert("e");
    assert_eq!(shown(&prompt), "e\u{301}|x");
    let mut prompt = line("a|c");
    prompt.insert("é\nb\u{1b}");
    assert_eq!(shown(&prompt), "aé b |c");
    prompt.insert(&"x".repeat(10_000));
    assert_eq!(prompt.text.len(), 4096);
}

#[test]
fn a_filter_is_asked_for_with_each_key_that_completes_it() {
    let mut viewer = Viewer::new();
    viewer.press("/status = error");
    let filter = viewer.app.query.filter.as_ref().unwrap();
    assert_eq!(filter.text, "status = error");
    assert_eq!(viewer.asked.last().unwrap().filter.as_ref().unwrap().text, "status = error");
    assert!(viewer.app.prompt.is_some());
    viewer.press("<Enter>");
    assert!(viewer.app.prompt.is_none());
    viewer.press("/<C-u><Enter>");
    assert!(viewer.app.query.filter.is_none(), "an empty line is no filter");
}

#[test]
fn hits_of_the_filter_before_are_not_taken_for_those_of_this_one() {
    let mut viewer = Viewer::new();
    assert!(!viewer.app.is_filter_awaited());
    update(&mut viewer.app, Event::Key(Key::char('/')));
    update(&mut viewer.app, Event::Paste("name = a".into()));
    assert!(viewer.app.is_filter_awaited());
    viewer.settle();
    assert!(!viewer.app.is_filter_awaited());
    // Another row has other details, and the same hits.
    viewer.press("<Enter>dj");
    update(&mut viewer.app, Event::Key(Key::char('j')));
    assert!(!viewer.app.is_filter_awaited());
    update(&mut viewer.app, Event::Key(Key::plain(Code::Backspace)));
    assert!(viewer.app.is_filter_awaited(), "without a filter there are others, too");
}

#[test]
fn a_filter_that_cannot_be_read_shows_why_and_leaves_the_last_good_one() {
    let mut viewer = Viewer::new();
    viewer.press("/name = a");
    let asked = viewer.asked.len();
    viewer.press(" and duration >");
    let prompt = viewer.app.prompt.as_ref().unwrap();
    let (position, _, words) = prompt.error.clone().unwrap();
    assert!(position <= prompt.text.len() && !words.is_empty());
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = a");
    assert_eq!(viewer.asked.len(), asked);
    viewer.press("<Enter>");
    assert!(viewer.app.prompt.is_some(), "it is not taken");
    viewer.press(" 1s");
    assert!(viewer.app.prompt.as_ref().unwrap().error.is_none());
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = a and duration > 1s");
}

#[test]
fn esc_brings_the_filter_of_before_back() {
    let mut viewer = Viewer::new();
    viewer.press("/name = a<Enter>");
    viewer.press("/<C-u>name = b");
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = b");
    viewer.press("<Esc>");
    assert_eq!(viewer.asked.last().unwrap().filter.as_ref().unwrap().text, "name = a");
    viewer.press("/<C-u><C-c>");
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = a");
}

#[test]
fn the_history_is_gone_through() {
    let mut viewer = Viewer::new();
    for text in ["name = a", "name = b", "name = a", "name = c"] {
        viewer.press(&format!("/<C-u>{text}<Enter>"));
    }
    let text = |viewer: &Viewer| viewer.app.prompt.as_ref().unwrap().text.clone();
    viewer.press("/<C-u>dra");
    for (key, expected) in [
        ("<Up>", "name = c"),
        ("<C-p>", "name = a"),
        ("<Up>", "name = b"),
        ("<Up>", "name = b"),
        ("<Down>", "name = a"),
        ("<C-n>", "name = c"),
        ("<Down>", "dra"),
        ("<Down>", "dra"),
    ] {
        viewer.press(key);
        assert_eq!(text(&viewer), expected, "{key}");
    }
    viewer.press("<Up><Enter>");
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = c");
    assert_eq!(viewer.app.history[0], ["name = b", "name = a", "name = c"]);
}

#[test]
fn text_to_find_has_a_history_of_its_own() {
    let mut viewer = Viewer::new();
    viewer.press("/name = a<Enter>fcart<Enter>f<C-u><Up>");
    assert_eq!(viewer.app.prompt.as_ref().unwrap().text, "cart");
    viewer.press("<Esc>");
    assert_eq!(viewer.app.find, "cart");
    viewer.press("<Backspace>");
    assert!(viewer.app.find.is_empty() && viewer.app.query.filter.is_none());
}

#[test]
fn keys_of_the_view_type_letters() {
    let mut viewer = Viewer::new();
    viewer.press("fqQ?/ 1");
    assert_eq!(viewer.app.prompt.as_ref().unwrap().text, "qQ?/ 1");
}

#[test]
fn pasted_text_is_typed_and_nothing_else() {
    let mut viewer = Viewer::new();
    assert_eq!(update(&mut viewer.app, Event::Paste("q".into())), Action::None);
    viewer.press("/");
    update(&mut viewer.app, Event::Paste("name = a\nor name = b".into()));
    viewer.settle();
    assert_eq!(viewer.app.query.filter.as_ref().unwrap().text, "name = a or name = b");
}
