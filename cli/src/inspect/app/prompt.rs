//! The line that is typed: editing, its history, and what it is for.

use std::sync::Arc;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::super::query::NamedFilter;
use super::key::Key;
use super::keys::Command;
use super::state::{App, Prompt, Purpose};
use crate::filter::Filter;

/// Longest line in bytes.
const MAX_LENGTH: usize = 4096;

/// Lines that are remembered of each purpose.
const MAX_HISTORY: usize = 100;

impl Prompt {
    /// A line with a text in it and the cursor behind it.
    pub(super) fn new(purpose: Purpose, text: String) -> Self {
        Self {
            purpose,
            cursor: text.len(),
            before: text.clone(),
            text,
            error: None,
            recalled: None,
            draft: String::new(),
        }
    }

    /// Types text at the cursor; what is no text, as a line end, becomes a space.
    pub(super) fn insert(&mut self, typed: &str) {
        for c in typed.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if self.text.len() + c.len_utf8() > MAX_LENGTH {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        self.move_to_boundary();
    }

    /// Deletes or moves; `false`: the command is none of these.
    pub(super) fn edit(&mut self, command: Command) -> bool {
        let (left, right, end) = (self.left(), self.right(), self.text.len());
        match command {
            Command::PromptLeft => self.cursor = left,
            Command::PromptRight => self.cursor = right,
            Command::PromptStart => self.cursor = 0,
            Command::PromptEnd => self.cursor = end,
            Command::PromptDeleteLeft => self.delete(left, self.cursor),
            Command::PromptDeleteRight => self.delete(self.cursor, right),
            Command::PromptDeleteWord => self.delete(self.word_start(), self.cursor),
            Command::PromptDeleteToStart => self.delete(0, self.cursor),
            Command::PromptDeleteToEnd => self.delete(self.cursor, end),
            _ => return false,
        }
        true
    }

    fn delete(&mut self, from: usize, to: usize) {
        if from < to && self.text.is_char_boundary(from) && self.text.is_char_boundary(to) {
            self.text.replace_range(from..to, "");
            self.cursor = from;
            self.move_to_boundary();
        }
    }

    /// Characters that were apart may have become one.
    fn move_to_boundary(&mut self) {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if !cursor.is_boundary(&self.text, 0).unwrap_or(true) {
            self.cursor = self.right();
        }
    }

    fn left(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn right(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    /// Start of the word to the left: letters after what is none.
    fn word_start(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let trimmed = before.trim_end();
        trimmed
            .grapheme_indices(true)
            .rfind(|(_, part)| part.trim().is_empty())
            .map_or(0, |(at, part)| at + part.len())
    }

    fn set(&mut self, text: String) {
        (self.cursor, self.text) = (text.len(), text);
    }

    /// Goes through the history, oldest first, by one line.
    fn recall(&mut self, history: &[String], older: bool) {
        let next = match (self.recalled, older) {
            (None, true) => Some(0),
            (Some(age), true) => Some(age.saturating_add(1)),
            (Some(0) | None, false) => None,
            (Some(age), false) => Some(age - 1),
        };
        let line = next.and_then(|age| history.iter().rev().nth(age));
        match (next, line) {
            (Some(_), Some(line)) => {
                if self.recalled.is_none() {
                    self.draft.clone_from(&self.text);
                }
                self.recalled = next;
                self.set(line.clone());
            }
            (None, _) if self.recalled.take().is_some() => {
                let draft = std::mem::take(&mut self.draft);
                self.set(draft);
            }
            _ => {}
        }
    }
}

impl App {
    /// `/` and `f`.
    pub(super) fn open_prompt(&mut self, purpose: Purpose) {
        let text = match purpose {
            Purpose::Filter => {
                self.query.filter.as_ref().map_or_else(String::new, |filter| filter.text.clone())
            }
            Purpose::Find => self.find.clone(),
        };
        self.prompt = Some(Prompt::new(purpose, text));
    }

    /// A key while a line is typed.
    pub(super) fn prompt_key(&mut self, key: Key, command: Option<Command>) {
        match (command, key.text()) {
            (Some(Command::PromptSubmit), _) => self.submit_prompt(),
            (Some(Command::PromptCancel), _) => self.cancel_prompt(),
            (Some(command @ (Command::PromptOlder | Command::PromptNewer)), _) => {
                self.recall(command == Command::PromptOlder);
            }
            (Some(command), _) => self.edit_prompt(|prompt| _ = prompt.edit(command)),
            (None, Some(c)) => self.edit_prompt(|prompt| prompt.insert(c.encode_utf8(&mut [0; 4]))),
            (None, None) => {}
        }
    }

    /// Changes the line, and tries it at once if its text has changed.
    pub(super) fn edit_prompt(&mut self, edit: impl FnOnce(&mut Prompt)) {
        let Some(prompt) = &mut self.prompt else { return };
        let before = prompt.text.clone();
        edit(prompt);
        if prompt.text != before {
            self.try_prompt();
        }
    }

    fn recall(&mut self, older: bool) {
        let Some(purpose) = self.prompt.as_ref().map(|prompt| prompt.purpose) else { return };
        let history = self.history_of(purpose).clone();
        self.edit_prompt(|prompt| prompt.recall(&history, older));
    }

    fn history_of(&mut self, purpose: Purpose) -> &mut Vec<String> {
        let [filters, texts] = &mut self.history;
        match purpose {
            Purpose::Filter => filters,
            Purpose::Find => texts,
        }
    }

    /// Puts the typed text in force. A filter that cannot be read leaves the last good one as it is.
    fn try_prompt(&mut self) {
        let Some(prompt) = &mut self.prompt else { return };
        match prompt.purpose {
            Purpose::Find => self.find = prompt.text.to_lowercase(),
            Purpose::Filter => match read_filter(&prompt.text) {
                Ok(filter) => {
                    prompt.error = None;
                    self.query.filter = filter;
                }
                Err(error) => prompt.error = Some(error),
            },
        }
    }

    fn submit_prompt(&mut self) {
        let Some(prompt) = self.prompt.take_if(|prompt| prompt.error.is_none()) else { return };
        let history = self.history_of(prompt.purpose);
        if !prompt.text.trim().is_empty() {
            history.retain(|line| *line != prompt.text);
            history.push(prompt.text);
            history.drain(..history.len().saturating_sub(MAX_HISTORY));
        }
        if prompt.purpose == Purpose::Find {
            self.find_from_here();
        }
    }

    fn cancel_prompt(&mut self) {
        if let Some(prompt) = &mut self.prompt {
            let before = prompt.before.clone();
            prompt.set(before);
            self.try_prompt();
        }
        self.prompt = None;
    }
}

/// Reads a filter; a blank text is none. The error: byte offset, length and words.
fn read_filter(text: &str) -> Result<Option<Arc<NamedFilter>>, (usize, usize, String)> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Filter::parse(text) {
        Ok(filter) => Ok(Some(Arc::new(NamedFilter { text: text.trim().to_owned(), filter }))),
        Err(error) => Err((error.position, error.length, error.message)),
    }
}
