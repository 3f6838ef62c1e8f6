//! What decides whether a job's project lets a runner have it and that no API tells of the job:
//! which refs are protected, and which kinds of runners the project takes.
//!
//! Kept by project for some minutes and read within a budget, oldest waiting job first. What is
//! not known stays `None`, which counts as "may fit".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::HttpGitlab;
use super::call::Call;
use super::probe::older;
use super::queue::Pending;
use super::wire::Pages;
use crate::gitlab::GitlabError;
use crate::world::{Job, ProjectId};

/// How long facts are good: people change them rarely.
const AGE_MAX: Duration = Duration::from_mins(10);
/// How old facts are at least that are asked again because a job is left alone.
const DOUBTED_AGE_MIN: Duration = Duration::from_mins(1);
/// Requests for facts that one look may make.
const REQUESTS_MAX: usize = 12;
/// Requests that one look may make in all, for jobs and for facts.
const LOOK_REQUESTS_MAX: usize = 32;
/// Requests for facts that a look may make even where the jobs took many.
const REQUESTS_MIN: usize = 2;
/// Projects whose facts are kept.
const PROJECTS_MAX: usize = 1000;
/// Pages of protected branches or tags that are read: 300 rules.
const RULE_PAGES_MAX: usize = 3;

/// What is known of projects with pending jobs.
#[derive(Default)]
pub(super) struct Facts(BTreeMap<ProjectId, Fact>);

#[derive(Clone)]
struct Fact {
    at: Timestamp,
    instance_runners: Option<bool>,
    group_runners: Option<bool>,
    /// Names or patterns; `None`: may not be read.
    branches: Option<Vec<String>>,
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Switches {
    shared_runners_enabled: Option<bool>,
    group_runners_enabled: Option<bool>,
    builds_access_level: Option<String>,
}

#[derive(Deserialize)]
struct Rule {
    name: String,
}

impl HttpGitlab {
    /// Reads what is missing or too old for these jobs. A failure leaves it unknown.
    /// `used`: how many requests the look made before.
    pub(super) async fn refresh_refs(&self, jobs: &[Pending], used: usize) {
        let mut asked = BTreeSet::new();
        let mut left = LOOK_REQUESTS_MAX.saturating_sub(used).clamp(REQUESTS_MIN, REQUESTS_MAX);
        let now = self.wire.now();
        for job in jobs.iter().filter(|job| asked.insert(job.project)) {
            if left == 0 || !self.refs.with(|facts| facts.lacks(job.project, now)) {
                continue;
            }
            let before = self.wire.requests();
            match self.read_fact(job.project).await {
                Ok(fact) => self.refs.with(|facts| facts.keep(job.project, fact)),
                Err(error) => {
                    tracing::debug!(project = %job.project, %error, "project not read");
                    return;
                }
            }
            let used = self.wire.requests().saturating_sub(before);
            left = left.saturating_sub(usize::try_from(used).unwrap_or(usize::MAX));
        }
    }

    async fn read_fact(&self, project: ProjectId) -> Result<Fact, GitlabError> {
        let call = Call::get("GET /projects/:id", format!("/projects/{project}"));
        let switches = told(self.wire.json::<Switches>(&call).await)?;
        let (branches, tags) = if self.settings.needs_protection {
            let branches = format!("/projects/{project}/protected_branches");
            let tags = format!("/projects/{project}/protected_tags");
            (
                self.rules("GET /projects/:id/protected_branches", branches).await?,
                self.rules("GET /projects/:id/protected_tags", tags).await?,
            )
        } else {
            (None, None)
        };
        let closed = switches.as_ref().and_then(|told| told.builds_access_level.as_deref())
            == Some("disabled");
        let taken = |switch: Option<bool>| if closed { Some(false) } else { switch };
        Ok(Fact {
            at: self.wire.now(),
            instance_runners: switches.as_ref().and_then(|told| taken(told.shared_runners_enabled)),
            group_runners: switches.as_ref().and_then(|told| taken(told.group_runners_enabled)),
            branches,
            tags,
        })
    }

    async fn rules(
        &self,
        endpoint: &'static str,
        path: String,
    ) -> Result<Option<Vec<String>>, GitlabError> {
        let call = Call::get(endpoint, path).query("per_page=100");
        let pages: Option<Pages<Rule>> = told(self.wire.pages(call, RULE_PAGES_MAX).await)?;
        // A list that was cut off proves nothing of the names that are not on it.
        let pages = pages.filter(|pages| !pages.more);
        Ok(pages.map(|pages| pages.items.into_iter().map(|rule| rule.name).collect()))
    }
}

/// `None` for what this token may not read, or the server fails on for this project.
fn told<T>(read: Result<T, GitlabError>) -> Result<Option<T>, GitlabError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(
            GitlabError::Forbidden { .. }
            | GitlabError::NotFound { .. }
            | GitlabError::NotGitlab { .. }
            | GitlabError::ServerFailed { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Facts {
    fn lacks(&self, project: ProjectId, now: Timestamp) -> bool {
        self.0.get(&project).is_none_or(|fact| older(now, fact.at, AGE_MAX))
    }

    /// Has what is known of these projects asked again, unless it was just read.
    pub(super) fn doubt(&mut self, projects: &BTreeSet<ProjectId>, now: Timestamp) {
        let doubted = self.0.iter_mut().filter(|(project, _)| projects.contains(project));
        for (_, fact) in doubted.filter(|(_, fact)| older(now, fact.at, DOUBTED_AGE_MIN)) {
            fact.at = Timestamp::MIN;
        }
    }

    fn keep(&mut self, project: ProjectId, fact: Fact) {
        self.0.insert(project, fact);
        if self.0.len() > PROJECTS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, fact)| fact.at).map(|(&project, _)| project);
            oldest.map(|project| self.0.remove(&project));
        }
    }

    /// The job, with what is known of its project and ref.
    pub(super) fn judge(&self, job: Pending) -> Job {
        let fact = self.0.get(&job.project);
        let protected = fact.and_then(|fact| fact.protects(&job));
        let instance_runners = fact.and_then(|fact| fact.instance_runners);
        let group_runners = fact.and_then(|fact| fact.group_runners);
        job.judged(protected, instance_runners, group_runners)
    }
}

impl Fact {
    fn protects(&self, job: &Pending) -> Option<bool> {
        // A merge request's own ref: newer servers protect it by rules of two branches.
        if job.ref_name.starts_with("refs/") {
            return None;
        }
        let rules = if job.of_tag { &self.tags } else { &self.branches };
        rules.as_ref().map(|rules| rules.iter().any(|rule| matches(rule, &job.ref_name)))
    }
}

/// Whether a protection rule holds `name`; `*` stands for any text, slashes too.
fn matches(rule: &str, name: &str) -> bool {
    let mut parts = rule.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (rule, name) in [
            ("main", "main"),
            ("*", "any/thing"),
            ("release/*", "release/1.0"),
            ("*-stable", "v1/x-stable"),
            ("a*b*c", "a1b2c"),
        ] {
            assert!(matches(rule, name), "{rule} {name}");
        }
        for (rule, name) in
            [("main", "main2"), ("release/*", "releases"), ("a*b*c", "a1c"), ("ab*b", "ab")]
        {
            assert!(!matches(rule, name), "{rule} {name}");
        }
    }
}
