//! What changed between two specs, in the operator's terms: for the log at a reload, and for
//! `autogit diff`. How a field is compared follows from its type.

mod shown;

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{
    ApiSpec, Capabilities, Credential, GitlabSpec, HostName, HostSpec, JobSpec, Pool, PoolName,
    Proxies, Proxy, ProxyUrl, Spec,
};
pub(super) use shown::Shown;
use shown::listed;

/// One line for each thing that `new` says otherwise than `old`; secrets are shown as `***`.
pub fn diff(old: &Spec, new: &Spec) -> Vec<String> {
    let mut changes = Changes::default();
    old.compare_rows(new, "", &mut changes);
    changes.lines
}

/// The same without what a comparison of secrets tells, which is no more than that they are equal:
/// whoever may ask as often as they like could guess.
pub fn diff_without_secrets(old: &Spec, new: &Spec) -> Vec<String> {
    let mut changes = Changes { leaves_secrets_out: true, ..Changes::default() };
    old.compare_rows(new, "", &mut changes);
    changes.lines
}

/// Whether the two say the same.
pub(super) fn is_same(old: &Pool, new: &Pool) -> bool {
    let mut changes = Changes::default();
    old.compare_rows(new, "", &mut changes);
    changes.lines.is_empty()
}

/// The lines so far.
#[derive(Default)]
pub(super) struct Changes {
    /// What the next lines are about.
    subject: String,
    lines: Vec<String>,
    leaves_secrets_out: bool,
}

impl Changes {
    /// What `tell` adds is about `subject`.
    fn about(&mut self, subject: String, tell: impl FnOnce(&mut Self)) {
        self.subject = subject;
        tell(self);
        self.subject = String::new();
    }

    fn whole(&mut self, what: &str) {
        self.lines.push(format!("{}: {what}", self.subject));
    }

    fn line(&mut self, field: &str, old: &str, new: &str) {
        let subject = if self.subject.is_empty() { "" } else { &format!("{}: ", self.subject) };
        self.lines.push(format!("{subject}{field} {old} → {new}"));
    }
}

/// How the fields of a type are compared.
pub(super) trait Compare {
    /// Adds what `new` says otherwise.
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes);
}

impl<T: PartialEq + Shown> Compare for T {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        if self != new {
            changes.line(field, &self.shown(), &new.shown());
        }
    }
}

impl Compare for Credential {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        secrets(Some(self), Some(new), field, changes);
    }
}

impl Compare for Option<Credential> {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        secrets(self.as_ref(), new.as_ref(), field, changes);
    }
}

fn secrets(old: Option<&Credential>, new: Option<&Credential>, field: &str, changes: &mut Changes) {
    let same = match (old, new) {
        _ if changes.leaves_secrets_out => true,
        (None, None) => true,
        (Some(Credential::Value(old)), Some(Credential::Value(new))) => {
            old.expose_secret() == new.expose_secret()
        }
        (Some(Credential::File(old)), Some(Credential::File(new))) => old == new,
        _ => false,
    };
    let show = |credential: Option<&Credential>| match credential {
        None => "none".to_owned(),
        Some(Credential::Value(_)) => "***".to_owned(),
        Some(Credential::File(file)) => format!("from {}", file.display()),
    };
    if !same {
        changes.line(field, &show(old), &show(new));
    }
}

/// Values that may be secrets: only names are shown.
impl Compare for BTreeMap<String, String> {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        let names = self.keys().chain(new.keys().filter(|name| !self.contains_key(*name)));
        named(names, |name| (self.get(name), new.get(name)), field, changes);
    }
}

impl Compare for Map<String, Value> {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        let mut names: Vec<&String> = self.keys().collect();
        names.sort();
        let mut added: Vec<&String> = new.keys().filter(|name| !self.contains_key(*name)).collect();
        added.sort();
        let names = names.into_iter().chain(added);
        named(names, |name| (self.get(name), new.get(name)), field, changes);
    }
}

fn named<'n, T: PartialEq + 'n>(
    names: impl Iterator<Item = &'n String>,
    values: impl Fn(&str) -> (Option<&'n T>, Option<&'n T>),
    field: &str,
    changes: &mut Changes,
) {
    let show = |value: Option<&T>| if value.is_some() { "***" } else { "none" };
    for name in names {
        let (old, new) = values(name);
        if old != new {
            changes.line(&format!("{field}.{name}"), show(old), show(new));
        }
    }
}

impl Compare for GitlabSpec {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        changes.about(field.to_owned(), |changes| {
            self.compare_rows(new, "", changes);
            if self.ca_file == new.ca_file && self.ca != new.ca {
                changes.whole("ca_file holds something new");
            }
        });
    }
}

impl Compare for ApiSpec {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        changes.about(field.to_owned(), |changes| self.compare_rows(new, "", changes));
    }
}

impl Compare for BTreeMap<HostName, HostSpec> {
    fn compare(&self, new: &Self, _: &str, changes: &mut Changes) {
        let names = self.keys().chain(new.keys().filter(|name| !self.contains_key(*name)));
        for name in names {
            changes.about(format!("host {name}"), |changes| {
                match (self.get(name), new.get(name)) {
                    (Some(old), Some(new)) => old.compare_rows(new, "", changes),
                    (None, _) => changes.whole("added"),
                    (_, None) => changes.whole("removed"),
                }
            });
        }
    }
}

impl Compare for Proxies {
    fn compare(&self, new: &Self, _: &str, changes: &mut Changes) {
        let Self { declared, environment, docker } = self;
        declared.compare(&new.declared, "proxy", changes);
        environment.compare(&new.environment, "proxy of the environment", changes);
        for host in docker.keys().chain(new.docker.keys().filter(|it| !docker.contains_key(*it))) {
            let field = format!("proxy of Docker's `config.json` for {host}");
            docker.get(host).cloned().compare(&new.docker.get(host).cloned(), &field, changes);
        }
    }
}

impl Compare for Option<Proxy> {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        let told = |proxy: &Self| match proxy {
            Some(proxy) if changes.leaves_secrets_out => Some(proxy.clone().without_credentials()),
            proxy => proxy.clone(),
        };
        let (old, new) = (told(self), told(new));
        if old.as_ref().map(Proxy::is_none) != new.as_ref().map(Proxy::is_none) {
            let show = |proxy: &Self| match proxy {
                None => "not said",
                Some(proxy) if proxy.is_none() => "none",
                Some(_) => "given",
            };
            changes.line(field, show(&old), show(&new));
        }
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        old.compare_rows(&new, &format!("{field}."), changes);
    }
}

/// URLs without their credentials; where these alone are new, that is said.
impl Compare for Option<ProxyUrl> {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        let show = |url: &Self| url.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let (old_shown, new_shown) = (show(self), show(new));
        if self != new && old_shown == new_shown {
            changes.line(field, "***", "***");
        } else if self != new {
            changes.line(field, &old_shown, &new_shown);
        }
    }
}

impl Compare for Vec<Pool> {
    fn compare(&self, new: &Self, _: &str, changes: &mut Changes) {
        let find = |pools: &Self, name: &PoolName| pools.iter().position(|pool| pool.name == *name);
        for before in self {
            let after = find(new, &before.name).and_then(|at| new.get(at));
            changes.about(format!("pool {}", before.name), |changes| match after {
                Some(after) => before.compare_rows(after, "", changes),
                None => changes.whole("removed"),
            });
        }
        for added in new.iter().filter(|pool| find(self, &pool.name).is_none()) {
            changes.about(format!("pool {}", added.name), |changes| changes.whole("added"));
        }
        let kept = |pools: &Self, others: &Self| {
            let kept = pools.iter().filter(|pool| find(others, &pool.name).is_some());
            listed(kept.map(|pool| pool.name.to_string()))
        };
        // Order decides between pools that fit a job equally well.
        kept(self, new).compare(&kept(new, self), "order of pools", changes);
    }
}

impl Compare for JobSpec {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        self.compare_rows(new, &format!("{field}."), changes);
    }
}

impl Compare for Capabilities {
    fn compare(&self, new: &Self, field: &str, changes: &mut Changes) {
        self.compare_rows(new, &format!("{field}."), changes);
    }
}
