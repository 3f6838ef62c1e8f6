//! The webhook by which GitLab wakes AutoGit: made where the token may, else told how to make it.

use ::http::{Request, StatusCode};
use bytes::Bytes;

use super::reach::Reached;
use super::text::{ENV_FILE, Webhook};
use super::token::Proved;
use super::{Place, Setting};
use crate::gitlab::GitlabError;
use crate::gitlab::setup::{HookPlace, SetupGitlab};

/// Where AutoGit takes it.
const PATH: &str = "/webhook/gitlab";
/// Projects that get one each, where a group cannot have one.
const PROJECTS_MAX: usize = 100;

/// What became of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hooked {
    /// None is wanted.
    NotWished,
    /// It is there.
    There {
        /// For whom, and how many, in words.
        places: String,
        /// It was made now.
        made: bool,
        /// What came of a test; `None`: no AutoGit answers there yet, so nothing was tested.
        arrives: Option<Result<(), String>>,
    },
    /// A person has to make it.
    ByHand {
        /// Why.
        why: String,
        /// What to do.
        how: String,
    },
}

impl Setting<'_> {
    /// Makes the webhook, unless it is there, and sees that it arrives if an AutoGit answers.
    pub(super) async fn hook(
        &self,
        at: &Reached,
        proved: &Proved,
        place: &Place,
        webhook: Option<&Webhook>,
    ) -> Hooked {
        let Some(webhook) = webhook else { return Hooked::NotWished };
        let url = format!("{}{PATH}", webhook.external_url.trim_end_matches('/'));
        let by_hand = |why: String| Hooked::ByHand { why, how: how(&url, place) };
        let scopes = proved.identity.token.as_ref().map(|token| token.scopes.as_slice());
        if scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope == "api")) {
            return by_hand("that takes a token with the scope `api`".to_owned());
        }
        let gitlab = match self.gitlab(at, Some(proved.token.clone())) {
            Ok(gitlab) => gitlab,
            Err(error) => return by_hand(error.to_string()),
        };
        let mut last = String::new();
        for wanted in places(place, proved) {
            let mut made = false;
            let mut first = None;
            for place in &wanted {
                match ensure(&*gitlab, place, &url, webhook).await {
                    Ok((id, new)) => {
                        made |= new;
                        first = first.or(Some((place, id)));
                    }
                    Err(error) => {
                        last = error.to_string();
                        first = None;
                        break;
                    }
                }
            }
            if let Some((place, id)) = first {
                let places = match wanted.as_slice() {
                    [one] => one.to_string(),
                    several => format!("{} projects", several.len()),
                };
                let arrives = self.arrives(&*gitlab, place, id, webhook).await;
                return Hooked::There { places, made, arrives };
            }
        }
        by_hand(last)
    }

    /// What came of a test; `None`: no AutoGit answers there.
    async fn arrives(
        &self,
        gitlab: &dyn SetupGitlab,
        place: &HookPlace,
        id: u64,
        webhook: &Webhook,
    ) -> Option<Result<(), String>> {
        let way = (self.adapters.api)(&webhook.external_url).ok()?;
        let health = format!("{}/health", webhook.external_url.trim_end_matches('/'));
        let request = Request::get(health).body(Bytes::new()).ok()?;
        let answer = way.send(request).await.ok()?;
        if answer.status() != StatusCode::OK {
            return None;
        }
        Some(gitlab.test_hook(place, id).await.map_err(|error| error.to_string()))
    }
}

/// Where webhooks may go, the best first: one list is one way to have them all.
fn places(place: &Place, proved: &Proved) -> Vec<Vec<HookPlace>> {
    match place {
        Place::Instance => vec![vec![HookPlace::System]],
        Place::Project(path) => vec![vec![HookPlace::Project(path.clone())]],
        Place::Group(path) => {
            let below = |project: &&String| {
                project.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            let projects = proved.places.projects.iter().filter(below).take(PROJECTS_MAX);
            let each: Vec<_> = projects.cloned().map(HookPlace::Project).collect();
            let group = vec![HookPlace::Group(path.clone())];
            if each.is_empty() { vec![group] } else { vec![group, each] }
        }
    }
}

/// The webhook's number there, and whether it was made now.
async fn ensure(
    gitlab: &dyn SetupGitlab,
    place: &HookPlace,
    url: &str,
    webhook: &Webhook,
) -> Result<(u64, bool), GitlabError> {
    let hooks = gitlab.hooks(place).await?;
    if let Some(known) = hooks.iter().find(|hook| hook.url == url) {
        return Ok((known.id, false));
    }
    let made = gitlab.create_hook(place, url, &webhook.secret).await?;
    Ok((made.id, true))
}

fn how(url: &str, place: &Place) -> String {
    let where_to = match place {
        Place::Instance => {
            "each project, or once under Admin > System hooks (for pushes alone)".to_owned()
        }
        Place::Group(path) => {
            format!("each project of {path} (with GitLab Premium once, in the group)")
        }
        Place::Project(path) => format!("project {path}"),
    };
    format!(
        "in {where_to}: Settings > Webhooks, URL {url}, secret token from GITLAB_WEBHOOK_SECRET in \
         {ENV_FILE}, triggers \"Push events\" and \"Job events\". For a private address an administrator \
         allows it first: Admin > Settings > Network > Outbound requests"
    )
}
