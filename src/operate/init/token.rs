//! Which token is taken: the given one, the one that is there, one that an earlier set-up left, or one
//! that is made now.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::ask::Question;
use super::files::{self, Written};
use super::reach::Reached;
use super::rights::{Rights, rights};
use super::{Place, Setting};
use crate::gitlab::GitlabError;
use crate::gitlab::setup::{Identity, Places, SCOPES, token_page};
use crate::operate::Failure;
use crate::operate::env_lines::with_variable;
use crate::operate::private_file::PRIVATE;
use crate::source::TokenPlace;

/// How often a token is asked for before something else is wrong.
const TRIES_MAX: u32 = 5;

/// A token that works.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) token: SecretString,
    pub(super) identity: Identity,
    pub(super) rights: Rights,
    pub(super) places: Places,
    /// It is not the one that was there.
    pub(super) is_new: bool,
}

impl Setting<'_> {
    /// A token that does the work; `held` is the one that is there, `container` GitLab's own.
    pub(super) async fn token(
        &self,
        at: &Reached,
        held: Option<SecretString>,
        container: Option<&str>,
    ) -> Result<Proved, Failure> {
        if let Some(given) = &self.wishes.token {
            let same = held.is_some_and(|held| held.expose_secret() == given.expose_secret());
            let tried = self.prove(at, given.clone(), !same).await?;
            match tried {
                Ok(proved) => return Ok(proved),
                Err(why) if !self.ask.is_somebody() => return Err(refused(&why, at)),
                Err(why) => self.ask.tell(&format!("The token that was given: {why}")),
            }
        } else {
            if let Some(held) = held {
                match self.prove(at, held, false).await? {
                    Ok(proved) => return Ok(proved),
                    Err(why) => self.ask.tell(&format!("The token that is there: {why}")),
                }
            }
            if let Some((file, left)) = &self.wishes.left_token {
                match self.prove(at, left.clone(), true).await? {
                    Ok(proved) => {
                        self.ask
                            .tell(&format!("The token in {} works, and is taken", file.display()));
                        return Ok(proved);
                    }
                    Err(why) => self.ask.tell(&format!("The token in {}: {why}", file.display())),
                }
            }
        }
        self.ask_for_token(at, container).await
    }

    async fn ask_for_token(
        &self,
        at: &Reached,
        container: Option<&str>,
    ) -> Result<Proved, Failure> {
        if self.ask.is_somebody() {
            self.ask.tell(&how_to_make_one(&at.url, container));
        }
        let question = Question {
            text: "The token, which is not shown",
            default: None,
            flag: "`GITLAB_TOKEN`, or `--token-file FILE` (`-` is stdin)",
        };
        for _ in 0..TRIES_MAX {
            let token = self.ask.secret(question.clone()).await?;
            match self.prove(at, token, true).await? {
                Ok(proved) => return Ok(proved),
                Err(why) => self.ask.tell(&why),
            }
        }
        Err(Failure::Failed(format!(
            "none of {TRIES_MAX} tokens works\nhint: make one at {}; nothing was written",
            token_page(&at.url)
        )))
    }

    /// What the token is good for, or in words why it is not.
    async fn prove(
        &self,
        at: &Reached,
        token: SecretString,
        is_new: bool,
    ) -> Result<Result<Proved, String>, Failure> {
        let gitlab = self.gitlab(at, Some(token.clone()))?;
        let identity = match gitlab.identity().await {
            Ok(identity) => identity,
            Err(GitlabError::Unauthorized { said, .. }) => {
                return Ok(Err(format!("GitLab refuses it ({said})")));
            }
            Err(error @ (GitlabError::Forbidden { .. } | GitlabError::Rejected { .. })) => {
                return Ok(Err(error.to_string()));
            }
            // A token with a line break in it, or a GitLab that went away.
            Err(error) => return Err(Failure::Failed(error.to_string())),
        };
        if !identity.is_at_least(16, 3) {
            return Err(Failure::Failed(format!(
                "GitLab at {} is version {}, and 16.3 is the oldest that does\nhint: update GitLab",
                at.url, identity.version
            )));
        }
        let places = if identity.administrator {
            Places::default()
        } else {
            match gitlab.places().await {
                Ok(places) => places,
                Err(error) => return Ok(Err(error.to_string())),
            }
        };
        let rights = rights(&identity, &places);
        if rights.lacking.is_empty() {
            return Ok(Ok(Proved { token, identity, rights, places, is_new }));
        }
        Ok(Err(format!(
            "it belongs to `{}`, and AutoGit does not work without what it lacks:\n  {}",
            identity.user,
            rights.lacking.join("\n  ")
        )))
    }

    /// Whose jobs are served.
    pub(super) async fn place(&self, proved: &Proved) -> Result<Place, Failure> {
        let possible = &proved.rights.places;
        if let Some(wished) = &self.wishes.place {
            let everywhere = possible.contains(&Place::Instance);
            if everywhere || possible.contains(wished) || within(wished, &proved.places) {
                return Ok(wished.clone());
            }
            let user = &proved.identity.user;
            return Err(Failure::Failed(match wished {
                Place::Instance => format!("`{user}` is no administrator"),
                Place::Group(path) => format!("`{user}` is no Owner of group `{path}`"),
                Place::Project(path) => format!("`{user}` is no Maintainer of project `{path}`"),
            }));
        }
        match possible.as_slice() {
            [place] => Ok(place.clone()),
            several => {
                let names: Vec<String> = several.iter().map(Place::in_words).collect();
                self.ask.tell(&format!(
                    "This token can serve the jobs of one of these:\n  {}",
                    names.join("\n  ")
                ));
                let first = several.first().map(Place::path).filter(|_| self.ask.is_somebody());
                let question = Question {
                    text: "The group or project whose jobs AutoGit serves",
                    default: first,
                    flag: "`--group PATH` or `--project PATH`",
                };
                let answer = self.ask.line(question).await?;
                let answer = answer.trim_matches('/');
                let chosen = several.iter().find(|place| place.path().eq_ignore_ascii_case(answer));
                chosen.cloned().ok_or_else(|| {
                    Failure::Failed(format!("`{answer}` is none of these\nhint: run this again"))
                })
            }
        }
    }
}

impl Place {
    fn path(&self) -> &str {
        match self {
            Self::Instance => "",
            Self::Group(path) | Self::Project(path) => path,
        }
    }

    /// `group team`.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Instance => "all of GitLab".to_owned(),
            Self::Group(path) => format!("group {path}"),
            Self::Project(path) => format!("project {path}"),
        }
    }
}

/// A project that is maintained is possible, too, where its group is owned.
fn within(wished: &Place, places: &Places) -> bool {
    match wished {
        Place::Instance => false,
        Place::Group(path) => places.groups.contains(path),
        Place::Project(path) => places.projects.contains(path),
    }
}

fn refused(why: &str, at: &Reached) -> Failure {
    Failure::Failed(format!(
        "the token that was given cannot be used: {why}\nhint: make one at {}; nothing was written",
        token_page(&at.url)
    ))
}

/// How a person comes to a token. AutoGit itself runs nothing in GitLab's container: what can do that
/// can read all of GitLab, and no part of AutoGit shall be able to.
fn how_to_make_one(url: &str, container: Option<&str>) -> String {
    let page = format!(
        "AutoGit asks GitLab by a personal access token. Make one here; name and scopes are filled in, \
         set an end within a year:\n  {}\n\
         An administrator's serves all projects, a group Owner's that group, a Maintainer's a project.\n\
         GitLab before 17.1: tick `api` there. Before 16.8 the page is {url}/-/profile/personal_access_tokens",
        token_page(url)
    );
    let Some(container) = container else { return page };
    format!(
        "{page}\nOr let GitLab's console make one for `root`, which takes a minute, and paste what it \
             prints (GitLab before 17.9 has no `self_rotate`: leave it out):\n  {}",
        console(container)
    )
}

/// As in `doc/user/profile/personal_access_tokens.md`, "Create a personal access token
/// programmatically".
fn console(container: &str) -> String {
    let scopes = SCOPES.map(|scope| format!("\"{scope}\"")).join(", ");
    format!(
        "docker exec {container} gitlab-rails runner 's = \"glpat-\" + SecureRandom.alphanumeric(20); \
         t = User.find_by_username(\"root\").personal_access_tokens.build(name: \"autogit\", scopes: \
         [{scopes}], expires_at: 364.days.from_now); t.set_token(s); t.save!; puts s'"
    )
}

/// Puts a token where the spec that stays reads it.
pub(super) fn put(
    place: &TokenPlace,
    file: &Path,
    token: &SecretString,
) -> Result<Written, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("`{}` cannot be written: {error}", file.display()))
    };
    let token = token.expose_secret();
    let text = match place {
        TokenPlace::Line { variable, .. } => {
            with_variable(&std::fs::read_to_string(file).map_err(failed)?, variable, token)
        }
        TokenPlace::File(_) | TokenPlace::Process { .. } | TokenPlace::Spec => format!("{token}\n"),
    };
    files::put(file, PRIVATE, &text)
}
