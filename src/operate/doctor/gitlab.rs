//! GitLab and the token, judged by what they told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::check::Check;
use super::clock;
use super::finding::Finding;
use crate::gitlab::inspection::{Inspected, Inspection, Reach, TokenSeen, UserSeen};
use crate::gitlab::{Gitlab, GitlabError, OLDEST_SERVER, Server, is_at_least};
use crate::plan::brief;
use crate::spec::{LostJobs, QueueSource, Scope, Spec};
use crate::world::Place;

/// The token is warned of when it ends sooner.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// GitLab's numbers of roles.
const MAINTAINER: u8 = 40;
const OWNER: u8 = 50;

/// All that GitLab told, for judging.
#[derive(Debug)]
pub struct GitlabFacts {
    /// The server and the token, fact by fact.
    pub inspected: Inspected,
    /// Whether AutoGit would work with them.
    pub probe: Result<Server, GitlabError>,
    /// The groups and projects of pools.
    pub places: BTreeMap<Scope, Result<Place, GitlabError>>,
    /// The role of the token's user in them.
    pub roles: BTreeMap<Scope, Result<Option<u8>, GitlabError>>,
}

impl GitlabFacts {
    /// Asks both sides of the port. Changes nothing.
    pub(super) async fn ask(
        gitlab: &Arc<dyn Gitlab>,
        inspection: &Arc<dyn Inspection>,
        spec: &Spec,
    ) -> Self {
        let inspected = inspection.inspect().await;
        let probe = match &inspected.user {
            Ok(_) => gitlab.probe().await,
            Err(error) => Err(error.clone()),
        };
        let scopes: BTreeSet<Scope> =
            scopes_to_make(spec).filter(|scope| **scope != Scope::Instance).cloned().collect();
        let (mut places, mut roles) = (BTreeMap::new(), BTreeMap::new());
        if let Ok(user) = &inspected.user {
            places = gitlab.places(&scopes).await;
            for scope in scopes {
                let role = inspection.role(&scope, user.id).await;
                roles.insert(scope, role);
            }
        }
        Self { inspected, probe, places, roles }
    }

    /// What is to be said of them.
    pub fn judge(&self, spec: &Spec, now: Timestamp) -> Vec<Finding> {
        let mut findings =
            vec![self.answers(), self.version(), self.clock(), self.token(), self.token_end(now)];
        findings.extend([self.scopes(spec), self.queue(spec)]);
        findings.extend(self.rights(spec));
        findings
    }

    fn answers(&self) -> Finding {
        let Inspected { url, version, reach, .. } = &self.inspected;
        let error = match version {
            Err(error) if reach.is_some() || error.is_odd() => error,
            Ok(_) | Err(_) => return Finding::ok(Check::Gitlab, format!("{url} answers")),
        };
        match (reach, error) {
            (Some(Reach::Unresolved { name, problem }), _) => {
                let found = format!("{url}: the name `{name}` has no address here ({problem})");
                Finding::failed(Check::Gitlab, found).remedy(
                    "correct `gitlab.url`, or let this machine resolve that name; the name of a \
                     container is known only to containers on its network",
                )
            }
            (Some(Reach::Closed { addresses, problem }), _) => {
                let at = addresses.join(", ");
                Finding::failed(Check::Gitlab, format!("{url}: nothing answers at {at}: {problem}"))
                    .remedy("start GitLab, or correct host and port of `gitlab.url`; a firewall may be in between")
            }
            (_, GitlabError::ServerFailed { status: status @ (502..=504), .. }) => {
                Finding::failed(Check::Gitlab, format!("{url}: GitLab is not ready, it answers {status}"))
                    .remedy("GitLab takes some minutes to start: try again then; if it stays so, look at `gitlab-ctl status` and its logs")
            }
            (Some(Reach::Open { fingerprint: Some(print) }), error) => untrusted(url, error, print),
            (Some(Reach::Open { .. } | Reach::Proxied { .. }) | None, error) => {
                Finding::failed(Check::Gitlab, error.to_string())
                    .remedy("open that address in a browser, and set `gitlab.url` to what works there")
            }
        }
    }

    fn version(&self) -> Finding {
        let (major, minor) = OLDEST_SERVER;
        match &self.inspected.version {
            Ok(version) if is_at_least(version, OLDEST_SERVER) => {
                Finding::ok(Check::GitlabVersion, format!("GitLab {}", short(version)))
            }
            Ok(version) => {
                let found = format!(
                    "GitLab {}, and {major}.{minor} is the oldest that works",
                    short(version)
                );
                Finding::failed(Check::GitlabVersion, found).remedy("update GitLab")
            }
            Err(_) => self.not_told(Check::GitlabVersion),
        }
    }

    fn clock(&self) -> Finding {
        match self.inspected.clock_ahead {
            Some(ahead) => clock::judge(Check::GitlabClock, "GitLab's clock", ahead),
            None => self.not_told(Check::GitlabClock),
        }
    }

    fn token(&self) -> Finding {
        let user = match &self.inspected.user {
            Ok(user) => user,
            Err(error) => return self.refused(error),
        };
        let whose = whose(user);
        match &self.inspected.token {
            Ok(Some(row)) if is_fine_grained(row) => {
                Finding::warning(Check::Token, format!("a fine-grained token of {whose}")).remedy(
                    "AutoGit reads with it project by project and cannot know its permissions \
                     beforehand; a personal access token with scopes shows both",
                )
            }
            Ok(Some(row)) => {
                let name = row.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                Finding::ok(Check::Token, format!("the access token{name} of {whose}"))
            }
            Ok(None) => {
                let found = format!("a token of {whose}, of a kind that does not tell its scopes");
                Finding::ok(Check::Token, found)
            }
            Err(error) => self.refused(error),
        }
    }

    /// The token is no good, or nobody answered.
    fn refused(&self, error: &GitlabError) -> Finding {
        match error {
            GitlabError::Unauthorized { .. } | GitlabError::Forbidden { .. } => {
                Finding::failed(Check::Token, error.to_string()).remedy(
                    "make a token with the scopes `read_api`, `create_runner` and `manage_runner`",
                )
            }
            GitlabError::Unreachable { .. }
            | GitlabError::NotFound { .. }
            | GitlabError::Rejected { .. }
            | GitlabError::Limited { .. }
            | GitlabError::ServerFailed { .. }
            | GitlabError::NotGitlab { .. } => self.not_told(Check::Token),
        }
    }

    fn token_end(&self, now: Timestamp) -> Finding {
        let check = Check::TokenEnd;
        let remedy = "`autogit token rotate` replaces it, or put a new one where it is; AutoGit takes it up without a restart";
        match &self.inspected.token {
            Ok(Some(TokenSeen { ends_at: None, .. })) => Finding::ok(check, "it has no end"),
            Ok(Some(TokenSeen { ends_at: Some(end), .. })) => {
                let (left, day) = (end.duration_since(now), end.strftime("%Y-%m-%d"));
                if left <= SignedDuration::ZERO {
                    Finding::failed(check, format!("it ended on {day}")).remedy(remedy)
                } else if left < ENDS_SOON {
                    let found = format!("it ends on {day}, in {}", brief(left));
                    Finding::warning(check, found).remedy(remedy)
                } else {
                    Finding::ok(check, format!("it ends on {day}"))
                }
            }
            Ok(None) => Finding::unknown(check, "GitLab does not tell it of this kind of token")
                .remedy("see where the token was made when it ends"),
            Err(_) => self.not_told(check),
        }
    }

    fn scopes(&self, spec: &Spec) -> Finding {
        let check = Check::TokenScopes;
        let row = match &self.inspected.token {
            Ok(Some(row)) if is_fine_grained(row) => {
                return Finding::unknown(
                    check,
                    "a fine-grained token has permissions, which GitLab tells only when it refuses",
                )
                .remedy("see `queue` and `runner-rights`, and what `autogit run` logs");
            }
            Ok(Some(row)) => row,
            Ok(None) => {
                return Finding::unknown(check, "GitLab does not tell them of this kind of token")
                    .remedy("see `queue` and `runner-rights`, and what `autogit run` logs");
            }
            Err(_) => return self.not_told(check),
        };
        let has = |name: &str| row.scopes.iter().any(|scope| scope == name);
        let list = format!("`{}`", row.scopes.join("`, `"));
        if !has("api") && !has("read_api") {
            let found = format!("its scopes are {list}: it may not even read");
            return Finding::failed(check, found).remedy(
                "make one with the scope `read_api`, and `create_runner` and `manage_runner` unless \
                 every pool has a `runner_token`",
            );
        }
        if let Some(lacks) = self.server().and_then(|server| server.shortcoming(spec)) {
            return Finding::failed(check, lacks);
        }
        let retries = spec.pools.iter().any(|pool| pool.lost_jobs == LostJobs::Retry);
        if retries && !has("api") {
            let found = format!("its scopes are {list}: it may not retry jobs that are lost");
            return Finding::warning(check, found)
                .remedy("make one with the scope `api`, or set `lost_jobs: report`");
        }
        Finding::ok(check, list)
    }

    fn queue(&self, spec: &Spec) -> Finding {
        let check = Check::Queue;
        let server = match &self.probe {
            Ok(server) => server,
            Err(_) if self.inspected.user.is_err() => return self.not_told(check),
            Err(error) => return Finding::failed(check, error.to_string()).remedy("see `token`"),
        };
        let by_projects = spec.gitlab.queue_source == QueueSource::Projects
            || !server.administrator
            || server.is_fine_grained();
        if !by_projects {
            return Finding::ok(check, "the whole instance's, in one request a look");
        }
        let found =
            format!("that of the projects `{}` belongs to, a request for each", server.user);
        if spec.gitlab.groups.is_empty() && spec.gitlab.projects.is_empty() {
            Finding::ok(check, format!("{found}; other projects' jobs are not seen"))
        } else {
            Finding::ok(
                check,
                format!("{found}, as far as `gitlab.groups` and `projects` name them"),
            )
        }
    }

    /// Whether runners can be made for each pool that has none of the operator's own.
    fn rights(&self, spec: &Spec) -> Vec<Finding> {
        let check = Check::RunnerRights;
        let scopes: BTreeSet<&Scope> = scopes_to_make(spec).collect();
        if scopes.is_empty() || spec.gitlab.registration_token.is_some() {
            return vec![Finding::ok(check, "none are needed: the spec has tokens of its own")];
        }
        let Ok(user) = &self.inspected.user else { return vec![self.not_told(check)] };
        let judged = scopes.into_iter().map(|scope| match scope {
            Scope::Instance => self.instance_rights(user),
            Scope::Group(_) | Scope::Project(_) => self.place_rights(scope, user),
        });
        judged.collect()
    }

    fn instance_rights(&self, user: &UserSeen) -> Finding {
        let check = Check::RunnerRights;
        if !user.administrator {
            let found =
                format!("`{}` is no administrator, so it makes no instance runners", user.name);
            return Finding::failed(check, found).about(&Scope::Instance).remedy(
                "use an administrator's token, or give the pools `scope: {group: …}` (Owner) or \
                 `scope: {project: …}`, or a `runner_token`",
            );
        }
        match &self.inspected.all_runners {
            Ok(()) => Finding::ok(check, format!("`{}` is an administrator", user.name))
                .about(&Scope::Instance),
            Err(GitlabError::Forbidden { .. }) => {
                let found = "GitLab refuses the list of all runners: Admin Mode is on, most likely";
                Finding::failed(check, found)
                    .about(&Scope::Instance)
                    .remedy("make a token with the scope `admin_mode`, too")
            }
            Err(error) => Finding::unknown(check, error.to_string()).about(&Scope::Instance),
        }
    }

    fn place_rights(&self, scope: &Scope, user: &UserSeen) -> Finding {
        let check = Check::RunnerRights;
        let finding = match (self.places.get(scope), self.roles.get(scope)) {
            (
                Some(Err(error @ (GitlabError::NotFound { .. } | GitlabError::Forbidden { .. }))),
                _,
            ) => Finding::failed(check, error.to_string())
                .remedy("correct the pool's `scope`, or make the token's user a member there"),
            (Some(Err(error)), _) => Finding::unknown(check, error.to_string()),
            _ if user.administrator => {
                Finding::ok(check, format!("`{}` is an administrator", user.name))
            }
            (_, Some(Ok(Some(OWNER..)))) => {
                Finding::ok(check, format!("`{}` is an Owner", user.name))
            }
            (_, Some(Ok(Some(MAINTAINER..)))) if matches!(scope, Scope::Project(_)) => {
                Finding::ok(check, format!("`{}` is a Maintainer", user.name))
            }
            (_, Some(Ok(role))) => {
                let role = role.map_or("has no role", role_in_words);
                let found = format!("`{}` {role} there, so it makes no runners", user.name);
                Finding::failed(check, found).remedy(
                    "make it an Owner of that group, or a Maintainer of that project, or give the \
                         pool a `runner_token`",
                )
            }
            (_, Some(Err(error))) => Finding::unknown(check, error.to_string()),
            (_, None) => self.not_told(check),
        };
        finding.about(scope)
    }

    fn server(&self) -> Option<Server> {
        let (token, user) =
            (self.inspected.token.as_ref().ok()?, self.inspected.user.as_ref().ok());
        Some(Server {
            version: self.inspected.version.clone().unwrap_or_default(),
            administrator: user.is_some_and(|user| user.administrator),
            scopes: token.as_ref()?.scopes.clone(),
            token_expires_at: token.as_ref()?.ends_at,
            user: user.map(|user| user.name.clone()).unwrap_or_default(),
        })
    }

    /// The check that says why GitLab tells nothing; `None`: it does.
    pub fn first_failure(&self) -> Option<Check> {
        match &self.inspected.user {
            Ok(_) => None,
            Err(GitlabError::Unauthorized { .. } | GitlabError::Forbidden { .. }) => {
                Some(Check::Token)
            }
            Err(
                GitlabError::Unreachable { .. }
                | GitlabError::NotFound { .. }
                | GitlabError::Rejected { .. }
                | GitlabError::Limited { .. }
                | GitlabError::ServerFailed { .. }
                | GitlabError::NotGitlab { .. },
            ) => Some(Check::Gitlab),
        }
    }

    /// Something before it went wrong, which is said there.
    fn not_told(&self, check: Check) -> Finding {
        let cause = self.first_failure().unwrap_or(Check::Gitlab);
        let error = self.inspected.version.as_ref().err().or(self.inspected.user.as_ref().err());
        match error {
            Some(GitlabError::Limited { .. }) | None => {
                Finding::unknown(check, "GitLab did not tell").remedy("try again in a minute")
            }
            Some(_) => Finding::behind(check, cause, "GitLab could not be asked"),
        }
    }
}

/// Scopes for which AutoGit makes runners.
fn scopes_to_make(spec: &Spec) -> impl Iterator<Item = &Scope> {
    spec.pools.iter().filter(|pool| pool.runner_token.is_none()).map(|pool| &pool.scope)
}

/// Its certificate is not accepted.
fn untrusted(url: &str, error: &GitlabError, fingerprint: &str) -> Finding {
    let words = error.to_string();
    let said = words.split("\nhint: ").next().unwrap_or_default();
    let found = format!("{said}; the SHA-256 of that certificate is {fingerprint}");
    let unknown = ["not signed by an authority", "is not accepted"];
    if !unknown.iter().any(|unknown| words.contains(unknown)) {
        let remedy = words.split_once("\nhint: ").map(|(_, hint)| hint.to_owned());
        let finding = Finding::failed(Check::Gitlab, found);
        return match remedy {
            Some(remedy) => finding.remedy(remedy),
            None => finding,
        };
    }
    let address = url.trim_start_matches("https://").split('/').next().unwrap_or_default();
    let port =
        if address.rsplit(']').next().unwrap_or_default().contains(':') { "" } else { ":443" };
    Finding::failed(Check::Gitlab, found).remedy(format!(
        "set `gitlab.ca_file` to the authority that signed it; if it is GitLab's own certificate \
         (compare the SHA-256 on its machine: `openssl x509 -noout -fingerprint -sha256 -in FILE`), \
         trust that one: `openssl s_client -connect {address}{port} </dev/null | openssl x509 > \
         gitlab.crt`, and `ca_file: gitlab.crt`"
    ))
}

fn is_fine_grained(token: &TokenSeen) -> bool {
    token.scopes.iter().any(|scope| scope == "granular")
}

fn whose(user: &UserSeen) -> String {
    match (user.bot, user.administrator) {
        (true, true) => format!("the bot `{}`, an administrator", user.name),
        (true, false) => format!("the bot `{}` of a project, a group or a service", user.name),
        (false, true) => format!("`{}`, an administrator", user.name),
        (false, false) => format!("`{}`, no administrator", user.name),
    }
}

fn role_in_words(role: u8) -> &'static str {
    match role {
        MAINTAINER => "is a Maintainer",
        30..MAINTAINER => "is a Developer",
        20..30 => "is a Reporter",
        10..20 => "is a Guest",
        _ => "has no role",
    }
}

/// A version as it may be shown.
fn short(version: &str) -> String {
    version.chars().take(40).collect()
}
