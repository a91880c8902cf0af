//! The second reader: one Python process, asked again and again through a pipe.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;

use crate::image::this_boot;

/// A process of the second reader.
#[derive(Debug)]
pub struct SecondReader {
    _process: Child,
    requests: ChildStdin,
    answers: ChildStdout,
}

impl SecondReader {
    /// What the second reader finds in `image` on this machine's boot; `None`: it refuses it.
    pub fn ask(image: &[u8]) -> Option<Value> {
        static PROCESS: LazyLock<Mutex<SecondReader>> = LazyLock::new(|| Mutex::new(SecondReader::start()));
        let answer = PROCESS.lock().unwrap_or_else(PoisonError::into_inner).request(image);
        answer.get("refused").is_none().then_some(answer)
    }

    /// Starts a process. The variable `PYTHON` names another interpreter than `python3`.
    fn start() -> Self {
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let mut process = Command::new(python)
            .args(["-m", "second_reader", "--server"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../format-spec"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, which runs the second reader");
        let requests = process.stdin.take().expect("a pipe");
        let answers = process.stdout.take().expect("a pipe");
        Self { _process: process, requests, answers }
    }

    fn request(&mut self, image: &[u8]) -> Value {
        let length = u32::try_from(image.len()).expect("a small image");
        let request = [&length.to_le_bytes(), &this_boot()[..], image].concat();
        self.requests.write_all(&request).expect("the second reader lives");
        let mut length = [0; 4];
        self.answers.read_exact(&mut length).expect("an answer of the second reader");
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        self.answers.read_exact(&mut answer).expect("an answer of the second reader");
        serde_json::from_slice(&answer).expect("JSON of the second reader")
    }
}
