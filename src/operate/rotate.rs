//! `autogit token rotate`: GitLab's own rotation, once, into the file that the token came from.
//!
//! GitLab makes the new token and revokes the old one in one call, shows the new one in its answer
//! alone, and takes a second such call with the old one for theft: it revokes the new one, too
//! (`doc/api/personal_access_tokens.md`, 16.6 and newer). So everything that can fail is tried before
//! that call, and the call is never repeated. Two rotations at once would be two such calls: the file
//! beside the token's keeps the second one away, which then looks whether the token is still the one
//! that it read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::adapters::Adapters;
use super::env_lines::with_variable;
use super::private_file::{Beside, left_beside, taken};
use super::process::Process;
use super::{Failure, SpecPlace};
use crate::gitlab::GitlabError;
use crate::gitlab::setup::{Identity, NewToken, SetupGitlab, Way, token_page};
use crate::source::{Loaded, TokenPlace, is_mounted_alone, load};

/// Bytes that a new token may have more than the old one.
const ROOM: usize = 4096;

/// What came of a rotation.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The file that holds the new token.
    pub(crate) file: PathBuf,
    /// The last day of the new token.
    pub(crate) ends_on: Option<Date>,
    /// The day that was asked for.
    pub(crate) asked: Date,
    /// GitLab did not take the new token, in its words.
    pub(crate) refused: Option<GitlabError>,
}

/// Replaces the token of the spec at `place` by one that lasts for `lifetime`.
pub(crate) async fn rotate(
    place: &SpecPlace,
    lifetime: Duration,
    process: &Process,
    adapters: Adapters,
) -> Result<Rotated, Failure> {
    let now = process.clock().now();
    let environment = process.environment(&place.env_files);
    let origin = place.origin(process, adapters)?;
    let loaded = load(&origin, &environment, now).await.map_err(|error| Failure::spec(&error))?;
    let asked = end(now, lifetime)?;
    let kept = loaded.token_place(&environment);
    let file = writable(&kept)?.to_owned();
    if let Some(copy) = loaded.token_copy(&environment, &kept) {
        return Err(two_copies(&kept, &copy));
    }
    let token = token_of(&loaded);
    let url = loaded.spec.gitlab.url.clone();
    let with = |token: SecretString| {
        let way = Way { url: url.clone(), token: Some(token), ca: loaded.ca.clone() };
        (adapters.setup_gitlab)(&way, process).map_err(Failure::Failed)
    };
    let gitlab = with(token)?;
    let identity = gitlab.identity().await.map_err(|error| Failure::Failed(error.to_string()))?;
    let id = may_rotate(&identity, &url, &file)?;
    let (beside, text) = prove(&file).map_err(|error| unwritable(&file, &error))?;
    let again = load(&origin, &environment, now).await.map_err(|error| Failure::spec(&error))?;
    if token_of(&again).expose_secret() != token_of(&loaded).expose_secret() {
        return Err(Failure::Failed(format!(
            "the token in `{}` was replaced meanwhile, so it was not replaced again\n\
             hint: nothing was changed by this command; ask again if you want another one",
            file.display()
        )));
    }
    // From here on a signal waits until the new token lies where it belongs.
    let _held = Held::signals().map_err(|error| Failure::Failed(error.to_string()))?;
    let new = match gitlab.rotate(id, asked).await {
        Ok(new) => new,
        Err(error) => return Err(not_rotated(&error, gitlab, &url, &file).await),
    };
    keep(&kept, beside, &text, &new, &url)?;
    // The old token of the same user saw nothing wrong with the rest.
    let refused = with(new.token)?.identity().await.err();
    Ok(Rotated { file, ends_on: new.ends_on, asked, refused })
}

fn token_of(loaded: &Loaded) -> SecretString {
    loaded.spec.gitlab.token.value().cloned().unwrap_or_default()
}

/// Signals that would end the process do nothing from now on.
struct Held {
    _signals: [Signal; 3],
}

impl Held {
    fn signals() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self { _signals: [interrupt?, terminate?, hangup?] })
    }
}

/// The last day of a token that is made now.
fn end(now: Timestamp, lifetime: Duration) -> Result<Date, Failure> {
    let days = i64::try_from(lifetime.as_secs() / 86_400).unwrap_or(i64::MAX);
    let today = TimeZone::UTC.to_datetime(now).date();
    let end = Span::new().try_days(days).and_then(|span| today.checked_add(span));
    match end {
        Ok(end) if days > 0 => Ok(end),
        Ok(_) | Err(_) => Err(Failure::Usage(
            "error: a token lasts for whole days\nhint: for example `--expires-in 90d`".to_owned(),
        )),
    }
}

/// The file that the token can be replaced in.
fn writable(kept: &TokenPlace) -> Result<&Path, Failure> {
    match kept {
        TokenPlace::File(file) | TokenPlace::Line { file, .. } => {
            if is_mounted_alone(file) {
                return Err(Failure::Failed(format!(
                    "`{}` is mounted by itself, so nothing can take its place\n\
                     hint: mount its folder, or rotate where the file lies",
                    file.display()
                )));
            }
            if let Some(left) = left_beside(file) {
                return Err(taken(&left, file));
            }
            Ok(file)
        }
        TokenPlace::Process { variable } => Err(Failure::Failed(format!(
            "the token comes from the variable `{variable}` of this process, which no command can \
             change\nhint: unset it and read it by `--env-file`, or keep the token in \
             `gitlab.token_file`"
        ))),
        TokenPlace::Spec => Err(Failure::Failed(
            "the token stands in the spec itself\n\
             hint: keep it in `gitlab.token_file`, or in an env file as `${GITLAB_TOKEN}`"
                .to_owned(),
        )),
    }
}

/// GitLab would revoke the copy that stays.
fn two_copies(kept: &TokenPlace, copy: &TokenPlace) -> Failure {
    let next = match copy {
        TokenPlace::Process { variable } => format!("unset `{variable}` here"),
        TokenPlace::File(_) | TokenPlace::Line { .. } | TokenPlace::Spec => {
            "let both name one file; a link to the other will do".to_owned()
        }
    };
    Failure::Failed(format!(
        "the token is in {kept} and in {copy}, AutoGit reads both, and one alone would get the new \
         one\nhint: {next}; nothing was changed"
    ))
}

/// Sees that the token is one that may replace itself; its id where the server needs that.
fn may_rotate(identity: &Identity, url: &str, file: &Path) -> Result<Option<u64>, Failure> {
    let by_hand =
        format!("hint: make a new one at {} and put it into `{}`", token_page(url), file.display());
    let Some(token) = &identity.token else {
        return Err(Failure::Failed(format!(
            "the token is no personal access token, and only such a one replaces itself\n{by_hand}"
        )));
    };
    let has = |name: &str| token.scopes.iter().any(|scope| scope == name);
    if has("api") || has("self_rotate") || has("granular") {
        return Ok((!identity.is_at_least(16, 10)).then_some(token.id));
    }
    Err(Failure::Failed(format!(
        "the token may not replace itself: that takes the scope `self_rotate` (GitLab 17.9 and \
         newer) or `api`, and its scopes are `{}`\n{by_hand}",
        token.scopes.join("`, `")
    )))
}

/// Replaces the file by a copy of itself, which is all that will happen to it later, and then takes
/// the room for the new text. The answer has the file's text.
fn prove(file: &Path) -> io::Result<(Beside, String)> {
    let text = std::fs::read_to_string(file)?;
    Beside::open_alone(file)?.replace(&text).map_err(|failed| failed.error)?;
    let mut beside = Beside::open_alone(file)?;
    beside.reserve(text.len() + ROOM)?;
    Ok((beside, text))
}

fn unwritable(file: &Path, error: &io::Error) -> Failure {
    let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
    if let Some(left) = left_beside(file).filter(|_| is_taken) {
        return taken(&left, file);
    }
    Failure::Failed(format!(
        "`{}` cannot be replaced, so the token was not: {error}\n\
         hint: run this as a user who may write into its folder; nothing was changed",
        file.display()
    ))
}

/// Puts the new token where the old one was; `text` is what the file held.
fn keep(
    kept: &TokenPlace,
    beside: Beside,
    text: &str,
    new: &NewToken,
    url: &str,
) -> Result<(), Failure> {
    let token = new.token.expose_secret();
    let (file, text) = match kept {
        TokenPlace::Line { file, variable } => {
            // As it is now: somebody may have changed another line meanwhile. Other secrets are in
            // it, so one that cannot be read now is what it was.
            let text = std::fs::read_to_string(file).unwrap_or_else(|_| text.to_owned());
            (file, with_variable(&text, variable, token))
        }
        TokenPlace::File(file) => (file, format!("{token}\n")),
        TokenPlace::Process { .. } | TokenPlace::Spec => return Ok(()),
    };
    let Err(failed) = beside.replace_or_keep(&text.into()) else { return Ok(()) };
    let next = match failed.kept_in {
        Some(left) => {
            format!("the new one is in `{}`; put it in the place of that file", left.display())
        }
        None => format!("make a new one at {} and put it into that file", token_page(url)),
    };
    Err(Failure::Failed(format!(
        "GitLab replaced the token, and `{}` still holds the old one: {}\nhint: {next}",
        file.display(),
        failed.error
    )))
}

/// What is known after a rotation without a new token. The old one may be asked about itself: only
/// a second rotation with it would do harm.
async fn not_rotated(
    error: &GitlabError,
    gitlab: Arc<dyn SetupGitlab>,
    url: &str,
    file: &Path,
) -> Failure {
    let nothing = "nothing was changed";
    if is_refusal(error) {
        return Failure::Failed(format!("{error}\nhint: {nothing}"));
    }
    let page = token_page(url);
    Failure::Failed(match gitlab.identity().await {
        Ok(_) => {
            format!("{error}\nhint: the old token still works, and {nothing}; try again later")
        }
        Err(GitlabError::Unauthorized { .. }) => format!(
            "GitLab replaced the token, and its answer with the new one was lost: {error}\n\
             hint: make a new one at {page} and put it into `{}`; do not rotate again with the old \
             one, for GitLab takes that for theft",
            file.display()
        ),
        Err(_) => format!(
            "whether GitLab replaced the token is not known: {error}\n\
             hint: once GitLab answers, run `autogit status`: if the token is refused, its successor is \
             lost, so make a new one at {page} and put it into `{}`",
            file.display()
        ),
    })
}

/// GitLab, or the way to it, said no before anything was done.
fn is_refusal(error: &GitlabError) -> bool {
    match error {
        GitlabError::Unauthorized { .. }
        | GitlabError::Forbidden { .. }
        | GitlabError::NotFound { .. }
        | GitlabError::Rejected { .. }
        | GitlabError::Limited { .. } => true,
        GitlabError::Unreachable { .. }
        | GitlabError::ServerFailed { .. }
        | GitlabError::NotGitlab { .. } => false,
    }
}
