//! Questions at a terminal. A secret is not shown as it is written, and the terminal shows what is
//! written again however the question ends.

use std::io::{IsTerminal as _, Write as _};

use async_trait::async_trait;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::shell::talk;
use crate::operate::Failure;
use crate::operate::init::{Ask, Question};

/// The terminal on stdin and stderr: stdout is for data.
#[derive(Debug)]
pub(super) struct Terminal;

impl Terminal {
    /// The terminal; `None`: nobody is there to be asked.
    pub(super) fn open() -> Option<Self> {
        (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then_some(Self)
    }

    async fn answer(&self, prompt: &str) -> Result<String, Failure> {
        // Where it cannot be shown, the answer does not come either.
        let _ = write!(std::io::stderr(), "{prompt}: ");
        let (send, answered) = oneshot::channel();
        // A thread of its own: the runtime waits at its end for those that it lends, and this one may
        // wait for ever.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            let _ = send.send(read.map(|bytes| (bytes > 0).then_some(line)));
        });
        let closed = || {
            Failure::Failed(
                "the answer cannot be read: stdin is closed\n\
                 hint: nothing was written; `--help` lists the options that say it without a question"
                    .to_owned(),
            )
        };
        match answered.await {
            Ok(Ok(Some(line))) => Ok(line.trim().to_owned()),
            Ok(Ok(None) | Err(_)) | Err(_) => Err(closed()),
        }
    }
}

#[async_trait]
impl Ask for Terminal {
    fn tell(&self, text: &str) {
        talk(text);
    }

    async fn line(&self, question: Question<'_>) -> Result<String, Failure> {
        loop {
            let default = question.default.map(|default| format!(" [{default}]"));
            let prompt = format!("{}{}", question.text, default.unwrap_or_default());
            let answer = self.answer(&prompt).await?;
            match (answer.is_empty(), question.default) {
                (false, _) => return Ok(answer),
                (true, Some(default)) => return Ok(default.to_owned()),
                (true, None) => {}
            }
        }
    }

    async fn secret(&self, question: Question<'_>) -> Result<SecretString, Failure> {
        loop {
            let _unseen = Unseen::begin();
            let answer = self.answer(question.text).await?;
            if !answer.is_empty() {
                return Ok(answer.into());
            }
        }
    }

    async fn agrees(&self, text: &str, default: bool) -> Result<bool, Failure> {
        let keys = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            match self.answer(&format!("{text}? {keys}")).await?.to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => talk("Answer `y` or `n`"),
            }
        }
    }

    fn is_somebody(&self) -> bool {
        true
    }
}

/// The terminal shows nothing of what is written but line ends, as long as this lives.
struct Unseen(Option<Termios>);

impl Unseen {
    fn begin() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        let begun = tcsetattr(&stdin, OptionalActions::Flush, &unseen);
        Self(begun.is_ok().then_some(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone shows nothing anyway.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
