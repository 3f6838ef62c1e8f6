//! That AutoGit's own token ends soon: a notice at every look, and a line of the log once a day.

use jiff::{SignedDuration, Timestamp};

use crate::gitlab::Server;
use crate::plan::brief;

/// GitLab's own mails begin 60 to 7 days before the end, and go to the token's user, who may be a
/// bot without a mailbox. Two weeks are enough to make a new one, holidays included.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Nobody reads a log that says the same every ten seconds.
const PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// When that was last said.
#[derive(Debug, Default)]
pub(super) struct TokenEnd {
    said_at: Option<Timestamp>,
}

impl TokenEnd {
    /// Says it, unless that was done within the last day. A token with another end is news.
    pub(super) fn say(&mut self, server: Option<&Server>, now: Timestamp) {
        let Some(notice) = server.and_then(|server| notice(server, now)) else {
            self.said_at = None;
            return;
        };
        if self.said_at.is_none_or(|at| now.duration_since(at).abs() >= PAUSE) {
            tracing::warn!("{notice}");
            self.said_at = Some(now);
        }
    }
}

/// `None`: the token does not end, or not soon.
pub(super) fn notice(server: &Server, now: Timestamp) -> Option<String> {
    let at = server.token_expires_at?;
    let left = at.duration_since(now);
    let day = at.strftime("%Y-%m-%d");
    let ends = if left.is_positive() {
        format!("ends in {}, on {day}", brief(left))
    } else {
        format!("has ended, on {day}")
    };
    (left <= SOON).then(|| {
        format!(
            "GitLab's token of `{}` {ends}: then no runner starts any more\n\
             hint: `autogit token rotate` replaces it",
            server.user
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ends: &str) -> Server {
        Server {
            version: "18.6.0".to_owned(),
            administrator: true,
            scopes: vec!["api".to_owned()],
            token_expires_at: Some(ends.parse().unwrap()),
            user: "autogit".to_owned(),
        }
    }

    #[test]
    fn a_token_is_spoken_of_in_its_last_fourteen_days() {
        let at = |now: &str| notice(&server("2026-03-31T00:00:00Z"), now.parse().unwrap());
        assert_eq!(at("2026-03-16T23:00:00Z"), None);
        let told = at("2026-03-17T00:00:00Z").unwrap();
        assert!(told.starts_with("GitLab's token of `autogit` ends in 14d00h, on 2026-03-31"));
        assert!(told.ends_with("hint: `autogit token rotate` replaces it"), "{told}");
        assert!(at("2026-04-01T00:00:00Z").unwrap().contains("has ended, on 2026-03-31"));
        let endless = Server { token_expires_at: None, ..server("2026-03-31T00:00:00Z") };
        assert_eq!(notice(&endless, "2026-03-31T00:00:00Z".parse().unwrap()), None);
    }
}
