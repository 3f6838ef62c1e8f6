//! What a test or a demo can set on the simulated GitLab as a whole.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::SimulatedGitlab;
use super::state::State;
use crate::spec::Scope;

/// How GitLab is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Down {
    /// It is up.
    #[default]
    None,
    /// Nothing answers. In process: no answer at all; over HTTP: a proxy's 502.
    Unreachable,
    /// A login page answers everything with 200.
    Html,
    /// Everything is answered with 200 and nothing.
    EmptyBody,
    /// Everything is answered with this status.
    Status(u16),
}

/// How requests of the operator's side are limited; runners are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests that are answered before the first 429.
    pub after: u32,
    /// How long requests are refused then; `None`: a minute, and the answer does not say so.
    pub retry_after: Option<Duration>,
    /// With the request throttle's headers and text; without: an application limit's JSON.
    pub headers: bool,
}

/// What becomes of legacy registration tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// They make records.
    Allowed,
    /// They are switched off: 403.
    #[default]
    Refused,
    /// The route exists no more: 410.
    Gone,
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throttle {
    pub(crate) limit: Limit,
    pub(crate) used: u32,
    pub(crate) refuses_until: Option<Timestamp>,
}

/// All that can be set.
pub(crate) struct Switches {
    pub(crate) down: Down,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) registration: Registration,
    pub(crate) admin_mode: bool,
    pub(crate) folds_tags: bool,
    pub(crate) skew: SignedDuration,
    pub(crate) external_url: Option<String>,
    pub(crate) version: String,
    pub(crate) poll_held_for: Duration,
    pub(crate) runner_token_lifetime: Option<SignedDuration>,
}

/// How long a poll is held when there is no news (GitLab's front, `apiCiLongPollingDuration`).
const POLL_HELD_FOR: Duration = Duration::from_secs(50);

impl Default for Switches {
    fn default() -> Self {
        Self {
            down: Down::None,
            throttle: None,
            registration: Registration::Refused,
            admin_mode: false,
            folds_tags: false,
            skew: SignedDuration::ZERO,
            external_url: None,
            version: "18.6.0".to_owned(),
            poll_held_for: POLL_HELD_FOR,
            runner_token_lifetime: None,
        }
    }
}

impl Switches {
    /// Whether the simulated version is at least this one.
    pub(crate) fn version_is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
    }
}

impl SimulatedGitlab {
    /// Holds polls of runners for that long when there is no news.
    pub fn hold_polls_for(&self, duration: Duration) {
        self.switch(|state| state.switches.poll_held_for = duration);
    }

    /// How long the tokens of records that are made from now on are valid (the setting
    /// `runner_token_expiration_interval`); `None`: for ever.
    pub fn set_runner_token_lifetime(&self, lifetime: Option<SignedDuration>) {
        self.switch(|state| state.switches.runner_token_lifetime = lifetime);
    }

    /// Keeps tags in lower case, however they are sent: no GitLab does so by itself, but what is sent
    /// is not always what is kept (a number that is rounded, a plugin that renames).
    pub fn fold_tags(&self, folds: bool) {
        self.switch(|state| state.switches.folds_tags = folds);
    }

    /// Takes GitLab down, in that way, or up again.
    pub fn set_down(&self, down: Down) {
        self.switch(|state| state.switches.down = down);
    }

    /// How GitLab is down.
    pub fn down(&self) -> Down {
        self.with(|state| state.switches.down)
    }

    /// Limits the requests of the operator's side; counts from zero at each call.
    pub fn limit_requests(&self, limit: Option<Limit>) {
        let throttle = limit.map(|limit| Throttle { limit, used: 0, refuses_until: None });
        self.switch(|state| state.switches.throttle = throttle);
    }

    /// Sets GitLab's clock ahead of ours (or behind), in all that it shows.
    pub fn set_clock_skew(&self, skew: SignedDuration) {
        self.switch(|state| state.switches.skew = skew);
    }

    /// Sets the address that GitLab believes to be reached at. Without it, links repeat the
    /// address that the request came to.
    pub fn set_external_url(&self, url: &str) {
        let url = url.trim_end_matches('/').to_owned();
        self.switch(|state| state.switches.external_url = Some(url));
    }

    /// Sets what becomes of legacy registration tokens.
    pub fn set_registration(&self, registration: Registration) {
        self.switch(|state| state.switches.registration = registration);
    }

    /// Whether administrators need the scope `admin_mode` for what only they may do over REST.
    pub fn set_admin_mode(&self, on: bool) {
        self.switch(|state| state.switches.admin_mode = on);
    }

    /// Sets the version it says it is.
    pub fn set_version(&self, version: &str) {
        self.switch(|state| version.clone_into(&mut state.switches.version));
    }

    /// The legacy registration token of the instance, a group or a project.
    pub fn registration_token(&self, scope: &Scope) -> SecretString {
        self.with(|state| state.registration_token(scope)).into()
    }

    /// Requests so far, by route, such as `GET /api/v4/runners/{id}`.
    pub fn requests(&self) -> std::collections::BTreeMap<String, u64> {
        self.with(|state| state.requests.clone())
    }

    fn switch(&self, set: impl FnOnce(&mut State)) {
        self.with(|state| {
            set(state);
            state.touch();
        });
    }
}

impl State {
    /// The registration token of that place, as it stands from the beginning.
    pub(crate) fn registration_token(&self, scope: &Scope) -> String {
        match scope {
            Scope::Instance => self.word("registration"),
            Scope::Group(path) => format!("GR1348941{}", self.word(&format!("group/{path}"))),
            Scope::Project(path) => format!("GR1348941{}", self.word(&format!("project/{path}"))),
        }
    }
}
