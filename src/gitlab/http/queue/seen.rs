//! What is known of each project's queue from the looks so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::probe::older;
use super::super::wire::Page;
use super::projects::{LIST_AGE_MAX, Listed, Listing, no_project};
use super::rotation::{Candidate, allowance, rotation};
use super::{Pending, Read, first_line, numbered};
use crate::gitlab::{GitlabError, Server, TransportError};
use crate::world::{FullPath, JobId, ProjectId};

/// How long a list that cannot be read again is good enough.
const LIST_RETRY: Duration = Duration::from_mins(1);
/// How long the jobs of a project that cannot be read count as they were seen last: beyond that
/// most are taken or cancelled.
const SET_ASIDE_MAX: Duration = Duration::from_mins(10);
/// Projects that are named where they cannot be read.
const NAMED_MAX: usize = 10;
/// Jobs on a page; a hundred with long commit messages may be longer than any answer that is read.
const PER_PAGE: usize = 100;
const PER_PAGE_SMALL: usize = 10;

/// The projects whose queues are read.
#[derive(Default)]
pub(in super::super) struct Projects {
    pub(super) listed_at: Option<Timestamp>,
    /// There are more than the list's bound.
    more: bool,
    /// What of the list could not be read.
    odd: Vec<Arc<str>>,
    looked_at: Option<Timestamp>,
    pub(super) known: BTreeMap<ProjectId, Seen>,
}

#[derive(Default)]
pub(super) struct Seen {
    path: Option<FullPath>,
    active_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    /// Its jobs may be read; known after the first time.
    readable: bool,
    jobs: BTreeMap<JobId, Pending>,
    /// Since when and why it cannot be read.
    set_aside: Option<(Timestamp, Arc<str>)>,
    /// Jobs on its last pages that cannot be read.
    odd: usize,
    /// Its answers are long, so that few jobs are asked for at once.
    long: bool,
    /// The query of the page with which reading goes on: it has more jobs than were read.
    rest: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Row {
    id: u64,
    name: Option<String>,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    tag: Option<bool>,
    tag_list: Vec<String>,
    created_at: Option<Timestamp>,
    queued_duration: Option<f64>,
}

impl Projects {
    /// Takes a new list; what is known of projects that are still on it stays.
    pub(super) fn list(&mut self, now: Timestamp, listing: Listing) {
        let mut before = std::mem::take(&mut self.known);
        for Listed { id, path_with_namespace, last_activity_at } in listing.items {
            let mut seen = before.remove(&ProjectId(id)).unwrap_or_default();
            seen.path = Some(path_with_namespace.into());
            seen.active_at = seen.active_at.max(last_activity_at);
            self.known.insert(ProjectId(id), seen);
        }
        self.listed_at = Some(now);
        self.more = listing.more;
        self.odd = listing.odd;
    }

    /// The list could not be read again; the one before is good enough for a while.
    pub(super) fn list_again(&mut self, now: Timestamp, odd: Arc<str>) {
        let age = LIST_AGE_MAX.saturating_sub(LIST_RETRY);
        self.listed_at = now.checked_sub(age).ok();
        self.odd = vec![odd];
    }

    pub(super) fn rest(&self, project: ProjectId) -> Option<String> {
        self.known.get(&project)?.rest.clone()
    }

    pub(super) fn per_page(&self, project: ProjectId) -> usize {
        let long = self.known.get(&project).is_some_and(|seen| seen.long);
        if long { PER_PAGE_SMALL } else { PER_PAGE }
    }

    /// A project could not be read: it waits for its next turn, among those that nothing is known
    /// of.
    pub(super) fn set_aside(&mut self, project: ProjectId, now: Timestamp, error: &GitlabError) {
        let Some(seen) = self.known.get_mut(&project) else { return };
        seen.read_at = Some(now);
        seen.rest = None;
        match error {
            // The token's user has no right there: it is none of the projects that are read.
            GitlabError::Forbidden { .. } => {
                (seen.readable, seen.set_aside) = (false, None);
                seen.jobs.clear();
            }
            GitlabError::Unreachable { source: TransportError::TooLong(_), .. } if !seen.long => {
                // It has its turn again at once, with fewer jobs.
                (seen.long, seen.read_at) = (true, None);
            }
            GitlabError::Unreachable { .. }
            | GitlabError::Unauthorized { .. }
            | GitlabError::NotFound { .. }
            | GitlabError::Rejected { .. }
            | GitlabError::Limited { .. }
            | GitlabError::ServerFailed { .. }
            | GitlabError::NotGitlab { .. } => {
                let since = seen.set_aside.take().map_or(now, |(since, _)| since);
                let why = format!("project `{}`: {}", seen.path(), first_line(error));
                seen.set_aside = Some((since, why.into()));
            }
        }
    }

    /// The projects that are read now, and how many requests may be made.
    pub(super) fn rotation(&mut self, now: Timestamp) -> (Vec<ProjectId>, usize) {
        let since_last = self.looked_at.map(|at| {
            let passed = now.duration_since(at).max(SignedDuration::ZERO);
            passed.unsigned_abs()
        });
        self.looked_at = Some(now);
        let requests = allowance(since_last);
        let all = self.known.iter().map(|(&project, seen)| Candidate {
            project,
            pending: !seen.jobs.is_empty() && seen.set_aside.is_none(),
            active_at: seen.active_at.filter(|_| seen.set_aside.is_none()),
            read_at: seen.read_at,
        });
        (rotation(all.collect(), now, requests), requests)
    }

    /// All that is known to wait. Projects that were never read may have more.
    pub(super) fn told(&self, server: &Server, now: Timestamp) -> Result<Read, GitlabError> {
        let set_aside = self.set_aside_words();
        if set_aside.is_empty() && !self.known.values().any(|seen| seen.readable) {
            return Err(no_project(server));
        }
        let unread = |seen: &Seen| seen.read_at.is_none() || seen.rest.is_some();
        let more = self.more || self.known.values().any(unread);
        let current = |seen: &&Seen| {
            let aside = seen.set_aside.as_ref();
            aside.is_none_or(|(since, _)| !older(now, *since, SET_ASIDE_MAX))
        };
        let jobs = self.known.values().filter(current).flat_map(|seen| seen.jobs.clone());
        Ok(Read { jobs: jobs.collect(), more, set_aside, round: None })
    }

    /// What could not be read, by name as far as these are few.
    fn set_aside_words(&self) -> Vec<Arc<str>> {
        let projects = self.known.values();
        let aside =
            projects.clone().filter_map(|seen| Some(Arc::clone(&seen.set_aside.as_ref()?.1)));
        let odd = projects.filter(|seen| seen.odd > 0).map(|seen| {
            let path = seen.path();
            format!("project `{path}`: {} cannot be read", numbered(seen.odd, "pending job")).into()
        });
        let all: Vec<Arc<str>> = self.odd.iter().cloned().chain(aside).chain(odd).collect();
        let unnamed = all.len().saturating_sub(NAMED_MAX);
        let others = (unnamed > 0).then(|| format!("and {unnamed} more").into());
        all.into_iter().take(NAMED_MAX).chain(others).collect()
    }
}

impl Seen {
    fn path(&self) -> FullPath {
        self.path.clone().unwrap_or_else(|| "".into())
    }

    fn pending(
        &self,
        project: ProjectId,
        row: Row,
        now: Timestamp,
        ours: impl Fn(Timestamp) -> Timestamp,
    ) -> Pending {
        let id = JobId(row.id);
        // The queue's order must not change from look to look by what rounding does.
        let before = self.jobs.get(&id).map(|job| job.queued_at);
        Pending {
            id,
            project,
            project_path: self.path(),
            queued_at: before.unwrap_or_else(|| queued_at(&row, now, ours)),
            name: row.name.unwrap_or_default(),
            tags: row.tag_list,
            ref_name: row.ref_name.unwrap_or_default(),
            of_tag: row.tag.unwrap_or(false),
        }
    }

    /// Takes a page of its jobs, newest first. What is not told any more in its place is pending
    /// no more; what lies beyond stays as it was seen.
    pub(super) fn take(
        &mut self,
        project: ProjectId,
        page: Page<Row>,
        newest: bool,
        now: Timestamp,
        ours: impl Fn(Timestamp) -> Timestamp,
    ) {
        let jobs: BTreeMap<JobId, Pending> = page
            .items
            .into_iter()
            .map(|row| self.pending(project, row, now, &ours))
            .map(|job| (job.id, job))
            .collect();
        let (first, last) = (jobs.first_key_value(), jobs.last_key_value());
        let from = first.map_or(JobId(u64::MAX), |(id, _)| *id);
        let to = last.map_or(JobId(0), |(id, _)| *id);
        let passed = |id: JobId| (id >= from || page.next.is_none()) && (id <= to || newest);
        self.jobs.retain(|id, _| !passed(*id));
        if !jobs.is_empty() {
            self.active_at = Some(now);
        }
        self.jobs.extend(jobs);
        // After the newest page reading goes on where it was; at its end it begins anew.
        if !(newest && page.next.is_some() && self.rest.is_some()) {
            self.rest = page.next;
        }
        (self.readable, self.read_at, self.set_aside) = (true, Some(now), None);
        self.odd = if newest { page.odd } else { self.odd.max(page.odd) };
    }
}

/// Since when a job waits. REST tells no `queued_at`, but for how long.
fn queued_at(row: &Row, now: Timestamp, ours: impl Fn(Timestamp) -> Timestamp) -> Timestamp {
    let waited = row.queued_duration.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    let since = waited.and_then(|waited| now.checked_sub(waited).ok());
    since.or_else(|| row.created_at.map(ours)).unwrap_or(now)
}
