//! The real loop on a terminal in memory.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use nix::sys::signal::Signal;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    Event as Raw, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent, MouseEventKind,
};

use super::drive::{Ahead, Drive, Ending, Message, Outside};
use crate::inspect::app::{App, Options};
use crate::inspect::model::Snapshot;
use crate::inspect::query::{Query, View};
use crate::inspect::samples;
use crate::inspect::view::{Palette, Theme};

/// What the loop did, and a source that answers through the loop's own channel.
struct Outer {
    sender: Sender<Message>,
    /// Else it is busy for ever.
    answers: bool,
    asked: Vec<Query>,
    copied: Vec<String>,
    mouse: Vec<bool>,
    suspended: Vec<bool>,
    continued: Vec<bool>,
}

impl Outside for Outer {
    fn ask(&mut self, query: Query) {
        let snapshot = match query.view {
            View::Events => samples::events(),
            View::File => samples::file(),
            _ => samples::traces(),
        };
        let snapshot = Snapshot { query: query.number, ..snapshot };
        self.asked.push(query);
        if self.answers {
            self.sender.send(Message::Source(Ok(Arc::new(snapshot)))).unwrap();
        }
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.copied.push(text.to_owned());
        Ok(())
    }

    fn listen_to_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse.push(on);
        Ok(())
    }

    fn suspend(&mut self, mouse: bool) -> io::Result<()> {
        self.suspended.push(mouse);
        Ok(())
    }

    fn go_on(&mut self, mouse: bool) -> io::Result<()> {
        self.continued.push(mouse);
        Ok(())
    }
}

/// Runs the loop over messages, then the terminal is gone: a loop that none of them ended gives an error. Gives how it
/// ended, the screen, and what was done outside.
fn run(messages: impl IntoIterator<Item = Message>) -> (anyhow::Result<Ending>, String, Outer) {
    run_with(true, messages)
}

fn run_with(
    answers: bool,
    messages: impl IntoIterator<Item = Message>,
) -> (anyhow::Result<Ending>, String, Outer) {
    let (sender, receiver) = channel();
    let mut outer = Outer {
        sender: sender.clone(),
        answers,
        asked: vec![],
        copied: vec![],
        mouse: vec![],
        suspended: vec![],
        continued: vec![],
    };
    let mut app = App::new((80, 24), Options::default());
    let mut screen = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let theme = Theme::new(Palette::Mono, false);
    for message in messages {
        sender.send(message).unwrap();
    }
    sender.send(Message::InputGone(io::ErrorKind::UnexpectedEof.into())).unwrap();
    let mut drive = Drive {
        app: &mut app,
        theme: &theme,
        screen: &mut screen,
        outside: &mut outer,
        panic_after_draws: None,
        ahead: Ahead::default(),
    };
    let ending = drive.run(&receiver);
    (ending, screen.backend().to_string(), outer)
}

fn key(code: KeyCode) -> Message {
    Message::Input(Raw::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn keys(text: &str) -> Vec<Message> {
    text.chars().map(|c| key(KeyCode::Char(c))).collect()
}

#[test]
fn q_ends_it() {
    let (ending, _, outer) = run(keys("q"));
    assert!(matches!(ending, Ok(Ending::Quit)));
    assert_eq!(outer.asked.len(), 1, "the first query");
}

#[test]
fn the_last_screen_is_kept() {
    let (ending, ..) = run(keys("4Q"));
    let Ok(Ending::Kept(text)) = ending else { panic!() };
    assert_eq!(text.lines().count(), 24);
}

#[test]
fn keys_typed_ahead_wait_for_the_rows_that_they_are_meant_for() {
    // All keys are there before the source answers anything.
    let (ending, _, outer) = run(keys("21").into_iter().chain([key(KeyCode::Enter)]).chain(keys("q")));
    assert!(matches!(ending, Ok(Ending::Quit)));
    let opened = outer.asked.last().unwrap();
    assert_eq!((opened.view, opened.trace), (View::Waterfall, Some(samples::traces().traces[0].trace_id)));
}

#[test]
fn keys_do_not_wait_for_ever_for_a_source_that_is_busy() {
    let (ending, _, outer) = run_with(false, keys("3q"));
    assert!(matches!(ending, Ok(Ending::Quit)));
    assert_eq!(outer.asked.last().unwrap().view, View::Events);
}

#[test]
fn what_is_asked_goes_to_the_source() {
    let (ending, _, outer) =
        run(keys("3/name = a").into_iter().chain([key(KeyCode::Enter)]).chain(keys("q")));
    assert!(matches!(ending, Ok(Ending::Quit)));
    assert_eq!(outer.asked.last().unwrap().filter.as_ref().unwrap().text, "name = a");
    assert!(outer.asked.windows(2).all(|pair| pair[0].number < pair[1].number));
}

#[test]
fn a_signal_and_a_terminal_that_is_gone_end_it() {
    let (ending, ..) = run([Message::Signal(Signal::SIGTERM)]);
    assert!(matches!(ending, Ok(Ending::Signal(Signal::SIGTERM))));
    let (ending, ..) = run([]);
    assert!(ending.is_err());
    let (ending, ..) = run([Message::Panicked]);
    assert!(matches!(ending, Ok(Ending::Panicked)));
}

#[test]
fn the_mouse_and_the_shell() {
    let mut messages = vec![key(KeyCode::F(2))];
    messages.push(Message::Input(Raw::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL))));
    messages.extend(keys("q"));
    let (ending, _, outer) = run(messages);
    assert!(matches!(ending, Ok(Ending::Quit)));
    assert_eq!((outer.mouse, outer.suspended), (vec![true], vec![true]));
}

#[test]
fn whoever_stops_the_process_gets_the_terminal_and_it_is_taken_again_afterwards() {
    let mut messages = vec![Message::Signal(Signal::SIGTSTP), Message::Signal(Signal::SIGCONT)];
    messages.extend(keys("q"));
    let (ending, _, outer) = run(messages);
    assert!(matches!(ending, Ok(Ending::Quit)));
    assert_eq!((outer.suspended, outer.continued), (vec![false], vec![false]));
}

#[test]
fn a_mouse_that_is_off_does_nothing_and_a_released_key_neither() {
    let wheel =
        MouseEvent { kind: MouseEventKind::ScrollDown, column: 1, row: 5, modifiers: KeyModifiers::NONE };
    let released =
        KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE) };
    let mut messages = vec![Message::Input(Raw::Mouse(wheel)), Message::Input(Raw::Key(released))];
    messages.extend(keys("4Q"));
    assert!(matches!(run(messages).0, Ok(Ending::Kept(_))));
}

#[test]
fn a_failure_of_the_source_does_not_end_it() {
    let mut messages = vec![Message::Source(Err("the disk is gone".into()))];
    messages.extend(keys("Q"));
    assert!(matches!(run(messages).0, Ok(Ending::Kept(_))));
}
