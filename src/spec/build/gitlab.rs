//! The `gitlab` section.

use std::time::Duration;

use secrecy::SecretString;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::RawGitlab;
use crate::spec::values;
use crate::spec::words::value;
use crate::spec::{Credential, GitlabSpec, QueueSource, Unmatched};

/// More often would hurt GitLab, more seldom the jobs.
const POLL_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

pub(super) fn build(raw: RawGitlab, context: &mut Context<'_>) -> GitlabSpec {
    let section = Path::of("gitlab");
    // Stands in only where the URL is a fault, or a variable that nobody gave a value.
    let unknown = || "http://gitlab.invalid".to_owned();
    let url = context.read(&section.join("url"), raw.url, values::base_url);
    let url = url.unwrap_or_else(unknown);
    let runner_url = context.read(&section.join("runner_url"), raw.runner_url, values::base_url);
    let clone_url = context.read(&section.join("clone_url"), raw.clone_url, values::base_url);
    GitlabSpec {
        token: token(raw.token, raw.token_file, &section, context),
        registration_token: context.credential(
            &section,
            "registration_token",
            raw.registration_token,
            raw.registration_token_file,
        ),
        token_cache: raw.token_cache.map(Into::into),
        poll_interval: poll_interval(raw.poll_interval, &section, context),
        queue_source: raw.queue_source.unwrap_or(QueueSource::Auto),
        unmatched: raw.unmatched.unwrap_or(Unmatched::Warn),
        groups: full_paths(raw.groups, &section.join("groups"), context),
        projects: full_paths(raw.projects, &section.join("projects"), context),
        runner_url: runner_url.unwrap_or_else(|| url.clone()),
        clone_url,
        ca_file: raw.ca_file.map(Into::into),
        ca: None,
        webhook_secret: context.credential(
            &section,
            "webhook_secret",
            raw.webhook_secret,
            raw.webhook_secret_file,
        ),
        url,
    }
}

fn token(
    value: Option<String>,
    file: Option<String>,
    section: &Path,
    context: &mut Context<'_>,
) -> Credential {
    if let Some(token) = context.credential(section, "token", value, file) {
        return token;
    }
    let path = section.join("token");
    let sound = context.sound(&path) && context.sound(&section.join("token_file"));
    if sound {
        let finding = Finding::error(Code::MissingKey, "`gitlab` needs `token` or `token_file`")
            .hint("a token with `read_api`, `create_runner` and `manage_runner`, as in `token: ${GITLAB_TOKEN}`");
        context.add(&path, finding);
    }
    Credential::Value(SecretString::default())
}

fn poll_interval(word: Option<String>, section: &Path, context: &mut Context<'_>) -> Duration {
    let path = section.join("poll_interval");
    let interval = context.duration(&path, word).unwrap_or(Duration::from_secs(10));
    let (shortest, longest) = POLL_INTERVAL;
    if interval < shortest || interval > longest {
        let message = format!(
            "`poll_interval` is {}, but has to be from 1s to 5m",
            value(humantime::format_duration(interval))
        );
        context.add(&path, Finding::error(Code::BadValue, message));
    }
    interval
}

/// Full paths as GitLab writes them.
fn full_paths(words: Option<Vec<String>>, list: &Path, context: &mut Context<'_>) -> Vec<String> {
    let words = words.unwrap_or_default();
    for (index, word) in words.iter().enumerate() {
        full_path(word, &list.join(&index.to_string()), context);
    }
    words
}

/// Checks a full path, as in `group/project`.
pub(super) fn full_path(word: &str, path: &Path, context: &mut Context<'_>) {
    let fits = !word.is_empty()
        && !word.contains("://")
        && !word.contains(char::is_whitespace)
        && word.split('/').all(|step| !step.is_empty());
    if !fits {
        let message = format!("{} is no full path", context.shown(path));
        let finding = Finding::error(Code::BadValue, message)
            .hint("write it as after the host in GitLab's address, as in `team/app`");
        context.add(path, finding);
    }
}
