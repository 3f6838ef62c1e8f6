//! Finds the GitLab that is meant, waits while it starts, and settles by which certificate it is known.

use std::sync::Arc;
use std::time::Duration;

use super::Setting;
use super::ask::Question;
use crate::gitlab::TransportError;
use crate::gitlab::setup::{Answer, Certificate, SetupGitlab, Way};
use crate::operate::Failure;

/// Between two tries while it starts.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries after which progress is told.
const TRIES_A_LINE: u32 = 15;
/// How often another address is taken up before something is wrong.
const MOVES_MAX: u32 = 8;

/// A GitLab that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) url: String,
    /// Its certificate in PEM, where it is trusted as itself.
    pub(super) ca: Option<String>,
}

impl Setting<'_> {
    /// GitLab at `url`, which the operator or the engine named; `ca` is what was pinned before.
    pub(super) async fn reach(&self, url: &str, ca: Option<String>) -> Result<Reached, Failure> {
        let mut at = Reached { url: cleaned(url)?, ca };
        let mut waited = Duration::ZERO;
        let mut tries = 0_u32;
        let mut moves = 0_u32;
        loop {
            let gitlab = self.gitlab(&at, None)?;
            let problem = match gitlab.answer().await {
                Answer::Gitlab => return Ok(at),
                Answer::Elsewhere { url } => {
                    moves += 1;
                    at.url = self.elsewhere(&at.url, &url, moves).await?;
                    continue;
                }
                Answer::Starting { status } => format!("it answers {status}"),
                Answer::Nothing(error) if is_refused(&error) => "nothing listens there".to_owned(),
                Answer::Nothing(error) => {
                    match self.certificate(&at, &*gitlab, &error).await? {
                        Some(pem) => at.ca = Some(pem),
                        None => at = self.another(&at.url, &error.to_string(), &mut moves).await?,
                    }
                    continue;
                }
                Answer::Other { problem } => {
                    let problem = format!("{problem}, and that is not GitLab's API");
                    at = self.another(&at.url, &problem, &mut moves).await?;
                    continue;
                }
            };
            if waited >= self.wishes.wait {
                return Err(Failure::Failed(format!(
                    "GitLab at {} does not answer: {problem}, for {}\n\
                     hint: if it still starts, run this again; nothing was written",
                    at.url,
                    humantime::format_duration(waited)
                )));
            }
            if tries.is_multiple_of(TRIES_A_LINE) {
                self.ask.tell(&format!(
                    "GitLab at {} does not answer yet ({problem}); a start takes minutes. Waited {} of {}",
                    at.url,
                    humantime::format_duration(waited),
                    humantime::format_duration(self.wishes.wait)
                ));
            }
            tries += 1;
            self.process.clock().sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    /// The address that `to` is, if the operator wants it.
    async fn elsewhere(&self, from: &str, to: &str, moves: u32) -> Result<String, Failure> {
        let secured = from.strip_prefix("http://").zip(to.strip_prefix("https://"));
        // The same host by TLS is what it was meant to be, whoever asks.
        let same = secured.is_some_and(|(from, to)| host(from) == host(to));
        let question = format!("GitLab sends everybody from {from} to {to}. Use that address");
        if moves <= MOVES_MAX && self.ask.agrees(&question, same).await? {
            if !self.ask.is_somebody() {
                self.ask.tell(&format!("{from} leads to {to}, which is used instead"));
            }
            return cleaned(to);
        }
        Err(Failure::Failed(format!(
            "GitLab at {from} sends everybody to {to}\nhint: set `--url {to}`"
        )))
    }

    /// Another address, of somebody who can be asked.
    async fn another(&self, url: &str, problem: &str, moves: &mut u32) -> Result<Reached, Failure> {
        *moves += 1;
        let failed = format!("{url} cannot be used: {problem}");
        if !self.ask.is_somebody() || *moves > MOVES_MAX {
            return Err(Failure::Failed(failed));
        }
        self.ask.tell(&failed);
        let question = Question { text: "GitLab's address", default: Some(url), flag: "`--url`" };
        Ok(Reached { url: cleaned(&self.ask.line(question).await?)?, ca: None })
    }

    /// The certificate that the server shows and the operator wants to trust as itself; `None`: that
    /// is not what is wrong.
    async fn certificate(
        &self,
        at: &Reached,
        gitlab: &dyn SetupGitlab,
        error: &TransportError,
    ) -> Result<Option<String>, Failure> {
        if at.ca.is_some() {
            return Ok(None);
        }
        let Some(Certificate { pem, fingerprint }) = gitlab.certificate().await else {
            return Ok(None);
        };
        self.ask.tell(&format!(
            "{}: {error}\nThe certificate that it shows has this SHA-256 fingerprint:\n  {fingerprint}\n\
             On GitLab's machine: openssl x509 -noout -sha256 -fingerprint -in CERTIFICATE",
            at.url
        ));
        let agreed = match &self.wishes.fingerprint {
            Some(known) => same_fingerprint(known, &fingerprint),
            None => self.ask.agrees("Is it the same there, and shall it be trusted", false).await?,
        };
        if !agreed {
            return Err(Failure::Failed(format!(
                "the certificate of {} is not trusted\n\
                 hint: `--fingerprint SHA256` says which one is; a certificate that an authority signed \
                 needs neither",
                at.url
            )));
        }
        let pinned = Reached { ca: Some(pem.clone()), ..at.clone() };
        match self.gitlab(&pinned, None)?.answer().await {
            // Out of date, or for another name: trusting it does not help.
            Answer::Nothing(error) if !is_refused(&error) => {
                Err(Failure::Failed(format!("{}: {error}", at.url)))
            }
            Answer::Gitlab
            | Answer::Elsewhere { .. }
            | Answer::Starting { .. }
            | Answer::Other { .. }
            | Answer::Nothing(_) => Ok(Some(pem)),
        }
    }

    /// The port to that GitLab.
    pub(super) fn gitlab(
        &self,
        at: &Reached,
        token: Option<secrecy::SecretString>,
    ) -> Result<Arc<dyn SetupGitlab>, Failure> {
        let ca = at.ca.as_ref().map(|pem| pem.clone().into_bytes());
        let way = Way { url: at.url.clone(), token, ca };
        (self.adapters.setup_gitlab)(&way, self.process).map_err(Failure::Failed)
    }
}

/// An address as a person writes it, without what does not belong into it. One with a password is not
/// even repeated.
pub(super) fn cleaned(word: &str) -> Result<String, Failure> {
    let word = word.trim();
    let url = if word.contains("://") { word.to_owned() } else { format!("https://{word}") };
    let authority = url.split_once("://").map_or("", |(_, rest)| host(rest));
    let wrong = |what: &str| {
        Failure::Usage(format!(
            "error: GitLab's address {what}\nhint: write it as in `https://gitlab.example.com`"
        ))
    };
    if authority.contains('@') {
        return Err(wrong("has credentials, which it does not need"));
    }
    let known = url.starts_with("http://") || url.starts_with("https://");
    if !known || authority.is_empty() || url.contains(['?', '#', ' ']) {
        return Err(wrong(&format!("is not `{word}`")));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// The host and port of an address without its scheme.
fn host(rest: &str) -> &str {
    rest.split('/').next().unwrap_or_default()
}

/// Nothing listens: what listens there may still start.
fn is_refused(error: &TransportError) -> bool {
    match error {
        TransportError::Unreachable(problem) => problem.contains("refused"),
        TransportError::TimedOut(_) | TransportError::TooLong(_) => false,
    }
}

fn same_fingerprint(known: &str, shown: &str) -> bool {
    let digits = |text: &str| -> String {
        let text = text.trim().trim_start_matches("sha256:").trim_start_matches("SHA256:");
        text.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_uppercase()).collect()
    };
    digits(known) == digits(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it_and_never_with_a_password() {
        let url = |word: &str| cleaned(word).map_err(|error| error.to_string());
        assert_eq!(url(" http://git.lan:3000/ ").unwrap(), "http://git.lan:3000");
        assert_eq!(url("gitlab.example.com").unwrap(), "https://gitlab.example.com");
        let refused = url("https://root:hunter2@git.lan").unwrap_err();
        assert!(!refused.contains("hunter2") && refused.contains("hint: "), "{refused}");
        for word in ["", "ftp://git.lan", "https://", "git.lan?x=1"] {
            assert!(url(word).is_err(), "{word}");
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_however_it_is_written() {
        assert!(same_fingerprint("sha256:ab:CD", "AB:CD"));
        assert!(same_fingerprint("abcd", "AB:CD"));
        assert!(!same_fingerprint("", "AB:CD"));
    }
}
