//! The loop: messages in, screens out. Generic over the terminal, so that tests drive the real one.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::crossterm::event::Event as Raw;
use ratatui::layout::{Position, Rect};

use super::super::app::{Action, App, Event, update};
use super::super::once::learn_size;
use super::super::query::Query;
use super::super::source::Delivery;
use super::super::view::{self, Theme};
use super::input;

/// Time between two screens: 30 a second at most.
const FRAME: Duration = Duration::from_millis(33);

/// How long keys wait for the rows of a view that was gone to: those typed ahead are meant for them.
const PATIENCE: Duration = Duration::from_millis(250);

/// What the loop waits for.
#[derive(Debug)]
pub(super) enum Message {
    /// From the terminal.
    Input(Raw),
    /// From the source.
    Source(Delivery),
    /// The process is asked to end or to stop, or goes on after it was stopped.
    Signal(Signal),
    /// The terminal is gone.
    InputGone(io::Error),
    /// A thread panicked. The terminal is given back already.
    Panicked,
}

/// What the loop acts on.
pub(super) trait Outside {
    /// Asks the source; never blocks.
    fn ask(&mut self, query: Query);

    /// Puts a text into the clipboard of the terminal.
    fn copy(&mut self, text: &str) -> io::Result<()>;

    /// Has the terminal tell what the mouse does, or no longer.
    fn listen_to_mouse(&mut self, on: bool) -> io::Result<()>;

    /// Stops the process until the shell continues it.
    fn suspend(&mut self, mouse: bool) -> io::Result<()>;

    /// Takes the terminal over anew: whoever stopped the process may have used it.
    fn go_on(&mut self, mouse: bool) -> io::Result<()>;
}

/// How the viewer ended.
#[derive(Debug)]
pub(super) enum Ending {
    Quit,
    /// The last screen, to be left in the terminal.
    Kept(String),
    Signal(Signal),
    Panicked,
}

/// The loop's state.
pub(super) struct Drive<'a, B: Backend> {
    pub(super) app: &'a mut App,
    pub(super) theme: &'a Theme,
    pub(super) screen: &'a mut Terminal<B>,
    pub(super) outside: &'a mut dyn Outside,
    /// A test has the viewer panic after so many screens.
    pub(super) panic_after_draws: Option<u64>,
    pub(super) ahead: Ahead,
}

/// What was typed before the rows were there that it is meant for.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Oldest first.
    held: VecDeque<Message>,
    /// When it is taken even without rows; `None`: they are there.
    until: Option<Instant>,
}

impl Ahead {
    /// Whether a message takes part: keys and what comes after them, but no clicks, which are meant for what is seen.
    fn holds(message: &Message) -> bool {
        matches!(message, Message::Input(Raw::Key(_) | Raw::Paste(_)) | Message::InputGone(_))
    }
}

impl<B: Backend> Drive<'_, B>
where
    B::Error: Send + Sync + 'static,
{
    /// Runs until the viewer is quit.
    pub(super) fn run(&mut self, messages: &Receiver<Message>) -> anyhow::Result<Ending> {
        let mut asked = 0;
        let mut draws = 0_u64;
        let mut is_stale = true;
        let mut due = Instant::now();
        loop {
            if self.app.query.number != asked {
                asked = self.app.query.number;
                self.outside.ask(self.app.asking());
            }
            if is_stale && due <= Instant::now() {
                self.draw()?;
                (is_stale, due) = (false, Instant::now() + FRAME);
                draws += 1;
                assert!(
                    self.panic_after_draws != Some(draws),
                    "the test asked for a panic after {draws} screens"
                );
                continue;
            }
            let message = match self.next(messages, is_stale.then_some(due)) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(Ending::Quit),
            };
            match self.take(message)? {
                Step::Nothing => {}
                Step::Draw => is_stale = true,
                Step::End(ending) => return Ok(ending),
            }
        }
    }

    /// The next message, until the next screen is due. Keys wait for the rows of the view that is shown, but not long:
    /// the source may be busy.
    fn next(
        &mut self,
        messages: &Receiver<Message>,
        due: Option<Instant>,
    ) -> Result<Message, RecvTimeoutError> {
        let ahead = &mut self.ahead;
        if !self.app.are_rows_awaited() {
            ahead.until = None;
            return ahead.held.pop_front().map_or_else(|| receive(messages, due), Ok);
        }
        let until = *ahead.until.get_or_insert_with(|| Instant::now() + PATIENCE);
        let wake = if ahead.held.is_empty() { due } else { Some(due.map_or(until, |due| due.min(until))) };
        match receive(messages, wake) {
            Ok(message) if Ahead::holds(&message) => ahead.held.push_back(message),
            Err(RecvTimeoutError::Timeout) if until <= Instant::now() => {
                return ahead.held.pop_front().ok_or(RecvTimeoutError::Timeout);
            }
            received => return received,
        }
        Err(RecvTimeoutError::Timeout)
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (app, theme) = (&*self.app, self.theme);
        self.screen.draw(|frame| view::draw(app, theme, frame))?;
        Ok(())
    }

    /// Has the next screen drawn whole. `Terminal::clear` would ask the terminal where its cursor is, and the answer would
    /// go to the thread that reads keys.
    fn clear(&mut self) -> anyhow::Result<()> {
        let area = Rect::from((Position::ORIGIN, self.screen.size()?));
        Ok(self.screen.resize(area)?)
    }

    fn take(&mut self, message: Message) -> anyhow::Result<Step> {
        let event = match message {
            Message::Input(raw) => input::event(self.app, raw),
            Message::Source(Ok(snapshot)) => Some(Event::Snapshot(snapshot)),
            Message::Source(Err(why)) => Some(Event::Failure(why)),
            Message::Signal(Signal::SIGTSTP) => return self.act(Action::Suspend),
            Message::Signal(Signal::SIGCONT) => {
                self.outside.go_on(self.app.is_mouse_on)?;
                return self.draw_anew();
            }
            Message::Signal(signal) => return Ok(Step::End(Ending::Signal(signal))),
            Message::InputGone(error) => return Err(anyhow::Error::new(error).context("terminal")),
            Message::Panicked => return Ok(Step::End(Ending::Panicked)),
        };
        let Some(event) = event else { return Ok(Step::Nothing) };
        // What fits on the screen depends on the state before the key.
        learn_size(self.app);
        let action = update(self.app, event);
        self.act(action)
    }

    fn act(&mut self, action: Action) -> anyhow::Result<Step> {
        match action {
            Action::None => return Ok(Step::Nothing),
            Action::Redraw => {}
            Action::Clear => self.clear()?,
            Action::Quit { keep_screen: false } => return Ok(Step::End(Ending::Quit)),
            Action::Quit { keep_screen: true } => {
                let (app, theme) = (&*self.app, self.theme);
                let drawn = self.screen.draw(|frame| view::draw(app, theme, frame))?;
                return Ok(Step::End(Ending::Kept(view::text(drawn.buffer))));
            }
            Action::Copy(text) => self.outside.copy(&text)?,
            Action::Mouse(on) => self.outside.listen_to_mouse(on)?,
            Action::Suspend => {
                self.outside.suspend(self.app.is_mouse_on)?;
                return self.draw_anew();
            }
        }
        Ok(Step::Draw)
    }

    /// Draws on a terminal that somebody else had. It may have another size now, which nobody told a process that was
    /// stopped.
    fn draw_anew(&mut self) -> anyhow::Result<Step> {
        self.clear()?;
        let size = self.screen.size()?;
        update(self.app, Event::Resize(size.width, size.height));
        Ok(Step::Draw)
    }
}

/// The next message of a channel; `until` a time, if one is given.
fn receive(messages: &Receiver<Message>, until: Option<Instant>) -> Result<Message, RecvTimeoutError> {
    match until {
        Some(until) => messages.recv_timeout(until.saturating_duration_since(Instant::now())),
        None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

enum Step {
    Nothing,
    Draw,
    End(Ending),
}
