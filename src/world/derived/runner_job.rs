//! The job that a runner has: by GitLab, by its job's containers, by its own log.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::world::{FullPath, JobContainer, JobId, Look, Phase, RunnerView};

/// The job of a runner that has one, as far as something tells.
#[derive(Debug, Clone, Copy)]
pub struct RunnerJob<'a> {
    /// GitLab's id.
    pub id: Option<JobId>,
    /// A container of it that runs, the youngest job's where there are several.
    pub container: Option<&'a JobContainer>,
}

/// What GitLab tells of a job that a runner has, beyond what its containers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFacts {
    /// Its name in the pipeline.
    pub name: Arc<str>,
    /// Its project's full path, where it is known.
    pub project: Option<FullPath>,
    /// Its tags.
    pub tags: Arc<BTreeSet<String>>,
    /// Its branch or tag.
    pub ref_name: Arc<str>,
    /// Since when it runs, by our clock, where GitLab was asked.
    pub started_at: Option<Timestamp>,
}

/// The runner's job; `None`: it has none.
pub fn job_of<'a>(look: &'a Look, view: &RunnerView<'_>) -> Option<RunnerJob<'a>> {
    let told = match view.phase {
        Phase::Busy { job } => job,
        Phase::Draining { busy: true, .. } => None,
        Phase::Created
        | Phase::Starting { .. }
        | Phase::Idle { .. }
        | Phase::Draining { busy: false, .. }
        | Phase::Exited { .. }
        | Phase::Failed { .. } => return None,
    };
    let runner = view.runner;
    let state = look.hosts.get(view.host).and_then(|host| host.state.last());
    let containers = state.into_iter().flat_map(|state| &state.jobs.containers);
    let its = containers.filter(|container| {
        container.running
            && container.system_id == runner.system_id
            && container.job.is_some()
            && (told.is_none() || container.job == told)
    });
    let container = its.max_by_key(|container| container.job);
    let by_log = || Some(runner.log.as_ref()?.unfinished()?.0);
    let id = told.or_else(|| container.and_then(|container| container.job)).or_else(by_log);
    Some(RunnerJob { id, container })
}
