//! What `autogit.yaml` and the files beside it say. Pure: the same answers give the same bytes, so that
//! a second run finds nothing to change.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::Place;
use super::pools::{Proposal, Resources};
use crate::operate::env_lines::with_variable;

/// Names of the files beside the spec.
pub(crate) const ENV_FILE: &str = ".env.gitlab";
pub(crate) const CA_FILE: &str = "gitlab-ca.pem";
pub(crate) const SCHEMA_FILE: &str = "autogit.schema.json";
/// What a repository may never take up, in the names that AutoGit's users have used so far.
pub(crate) const IGNORED: [&str; 3] = [ENV_FILE, ".env.runner", ".autogit_login_info"];

/// All that the files follow from.
#[derive(Debug)]
pub(crate) struct Answers {
    /// GitLab's base URL.
    pub(crate) url: String,
    /// GitLab's token.
    pub(crate) token: SecretString,
    /// Where runners reach GitLab, if elsewhere.
    pub(crate) runner_url: Option<String>,
    /// The network that runners share with GitLab.
    pub(crate) network: Option<String>,
    /// GitLab's certificate in PEM, where it is trusted as itself.
    pub(crate) ca: Option<String>,
    /// Where GitLab reaches AutoGit's API, and the secret it shows there.
    pub(crate) webhook: Option<Webhook>,
    /// The pool.
    pub(crate) pool: Proposal,
    /// What was seen of the machine and does not follow from the file, for its reader.
    pub(crate) remarks: Vec<String>,
}

/// Where GitLab reports to.
#[derive(Debug)]
pub(crate) struct Webhook {
    /// Where GitLab reaches AutoGit's API.
    pub(crate) external_url: String,
    /// What it shows there.
    pub(crate) secret: SecretString,
}

/// The spec.
pub(crate) fn spec(answers: &Answers) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema=./{SCHEMA_FILE}\n\
         #\n\
         # Written by `autogit init`. `autogit check` finds faults, `autogit plan` shows what would be\n\
         # done, and `autogit run` does it, and takes up each change of this file as it is saved.\n\
         gitlab:\n  \
           # These two are in {ENV_FILE} beside this file, which AutoGit reads by itself.\n  \
           url: ${{GITLAB_URL}}\n  \
           token: ${{GITLAB_TOKEN}}\n"
    );
    gitlab(answers, &mut text);
    if let Some(network) = &answers.network {
        let _ = write!(
            text,
            "\n# The network that GitLab's container is in, so that runners find it by name.\n\
             network: {}\n",
            scalar(network)
        );
    }
    pool(answers, &mut text);
    if let Some(webhook) = &answers.webhook {
        let _ = write!(
            text,
            "\napi:\n  # Where GitLab reaches this AutoGit.\n  external_url: {}\n",
            scalar(&webhook.external_url)
        );
    }
    text
}

fn gitlab(answers: &Answers, text: &mut String) {
    // Writing to a string cannot fail.
    if let Some(url) = &answers.runner_url {
        let _ = write!(text, "  # Where containers reach it.\n  runner_url: {}\n", scalar(url));
    }
    if answers.ca.is_some() {
        let _ = write!(
            text,
            "  # The certificate that GitLab showed when this was written; nothing else is trusted in \
             its place.\n  ca_file: {CA_FILE}\n"
        );
    }
    if answers.webhook.is_some() {
        text.push_str("  webhook_secret: ${GITLAB_WEBHOOK_SECRET}\n");
    }
    match &answers.pool.place {
        Place::Instance => {}
        Place::Group(path) => {
            let _ = write!(text, "  queue_source: projects\n  groups: [{}]\n", scalar(path));
        }
        Place::Project(path) => {
            let _ = write!(text, "  queue_source: projects\n  projects: [{}]\n", scalar(path));
        }
    }
}

fn pool(answers: &Answers, text: &mut String) {
    let Proposal { max, resources, place } = &answers.pool;
    text.push('\n');
    for remark in &answers.remarks {
        let _ = writeln!(text, "# {remark}");
    }
    text.push_str(
        "pools:\n  linux:\n    \
           # Jobs with this tag, each architecture's own (such as amd64), or both.\n    \
           tags: [docker]\n    \
           # Jobs that ask for no tag, too.\n    \
           run_untagged: true\n",
    );
    match place {
        Place::Instance => {}
        Place::Group(path) => {
            let _ = writeln!(text, "    scope: {{group: {}}}", scalar(path));
        }
        Place::Project(path) => {
            let _ = writeln!(text, "    scope: {{project: {}}}", scalar(path));
        }
    }
    let _ = write!(
        text,
        "    # Live runners at most; at rest there is none. `warm: 1` would keep one ready.\n    \
         max: {max}\n"
    );
    if let Some(Resources { cpus, memory }) = resources {
        let _ = write!(
            text,
            "    # What one job may use.\n    \
             resources: {{cpus: {cpus}, memory: {}GiB}}\n",
            memory >> 30
        );
    }
}

/// Text as a scalar of YAML: quoted unless it plainly needs none.
fn scalar(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    let first = word.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let plain = first && word.chars().all(plain) && !word.ends_with(':');
    let number_like = ["true", "false", "null", "yes", "no", "on", "off"].contains(&word);
    if plain && !number_like {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "''").replace("${", "$${"))
}

/// The credentials, in the text that was there before.
pub(crate) fn env_file(
    url: &str,
    token: &SecretString,
    webhook: Option<&Webhook>,
    before: &str,
) -> SecretString {
    let before = if before.is_empty() {
        "# GitLab's address and AutoGit's credentials. For nobody else's eyes.\n"
    } else {
        before
    };
    let mut text = with_variable(before, "GITLAB_URL", url);
    text = with_variable(&text, "GITLAB_TOKEN", token.expose_secret());
    if let Some(webhook) = webhook {
        text = with_variable(&text, "GITLAB_WEBHOOK_SECRET", webhook.secret.expose_secret());
    }
    text.into()
}

/// A `.gitignore` with what lacks in it; `None`: nothing does.
pub(crate) fn ignoring(before: &str) -> Option<String> {
    let has = |name: &&str| before.lines().any(|line| line.trim().trim_start_matches('/') == *name);
    let lacking: Vec<&str> = IGNORED.into_iter().filter(|name| !has(name)).collect();
    if lacking.is_empty() {
        return None;
    }
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Some(format!("{before}{end}{}\n", lacking.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_quoted_where_yaml_would_read_something_else() {
        assert_eq!(scalar("http://git.lan:3000"), "http://git.lan:3000");
        assert_eq!(scalar("team/app"), "team/app");
        for word in ["1team", "on", "a b", "", "{x}", "#a", "a:"] {
            assert!(scalar(word).starts_with('\''), "{word}");
        }
        assert_eq!(scalar("it's ${X}"), "'it''s $${X}'");
    }

    #[test]
    fn a_repository_ignores_each_credential_once() {
        let text = ignoring("target\n/.env.runner").unwrap();
        assert_eq!(text, "target\n/.env.runner\n.env.gitlab\n.autogit_login_info\n");
        assert_eq!(ignoring(&text), None);
    }
}
