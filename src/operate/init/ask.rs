//! What a set-up asks the operator. Who answers may be a person at a terminal, or nobody: then the
//! default counts, or the flag that would have said it is named.

use std::fmt::Debug;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::operate::Failure;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    /// What is asked, without a question mark.
    pub(crate) text: &'a str,
    /// What Enter means.
    pub(crate) default: Option<&'a str>,
    /// What says it without being asked: a flag, a variable.
    pub(crate) flag: &'static str,
}

/// Who answers.
#[async_trait]
pub(crate) trait Ask: Debug + Send + Sync {
    /// Says something.
    fn tell(&self, text: &str);

    /// A line of text, trimmed and not empty.
    async fn line(&self, question: Question<'_>) -> Result<String, Failure>;

    /// A secret, not shown as it is written.
    async fn secret(&self, question: Question<'_>) -> Result<SecretString, Failure>;

    /// Yes or no; `default` where nobody is asked.
    async fn agrees(&self, text: &str, default: bool) -> Result<bool, Failure>;

    /// Somebody can be asked again.
    fn is_somebody(&self) -> bool;
}

/// Nobody is asked.
#[derive(Debug)]
pub(crate) struct Nobody {
    /// Where what is said goes.
    pub(crate) tell: fn(&str),
}

#[async_trait]
impl Ask for Nobody {
    fn tell(&self, text: &str) {
        (self.tell)(text);
    }

    async fn line(&self, question: Question<'_>) -> Result<String, Failure> {
        question.default.map(str::to_owned).ok_or_else(|| unanswered(&question))
    }

    async fn secret(&self, question: Question<'_>) -> Result<SecretString, Failure> {
        Err(unanswered(&question))
    }

    async fn agrees(&self, _text: &str, default: bool) -> Result<bool, Failure> {
        Ok(default)
    }

    fn is_somebody(&self) -> bool {
        false
    }
}

fn unanswered(question: &Question<'_>) -> Failure {
    Failure::Usage(format!(
        "error: nobody is asked, and this is not given: {}\nhint: set {}",
        question.text, question.flag
    ))
}
