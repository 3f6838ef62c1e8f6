//! Jobs: the reason for all of it.

use super::{Fixture, Snapshot};
use autogit::sandbox::gitlab::{JobView, Status};
use autogit::spec::{Pool, Scope, Spec};
use autogit::world::JobId;

pub(super) fn no_running_job_loses_its_runner(fixture: &Fixture<'_>) -> Result<(), String> {
    let held = |job: JobId| {
        let mut running = fixture.snapshot.hosts.values().flat_map(|host| &host.running);
        running.any(|running| running.job == job)
    };
    let lost = fixture.snapshot.jobs.iter().find(|job| {
        job.status.is_with_a_runner() && !fixture.injected.doomed.contains(&job.id) && !held(job.id)
    });
    lost.map_or(Ok(()), |job| Err(format!("job {} runs at GitLab, and no runner has it", job.id)))
}

pub(super) fn no_job_ends_otherwise_than_scripted(fixture: &Fixture<'_>) -> Result<(), String> {
    let spoiled = fixture.snapshot.jobs.iter().find(|job| {
        !job.status.is_open() && !fixture.injected.doomed.contains(&job.id) && !fits(job)
    });
    spoiled.map_or(Ok(()), |job| {
        let reason = job.failure_reason.as_deref().unwrap_or("no reason told");
        Err(format!("job {} ended as {}: {reason}", job.id, job.status.as_str()))
    })
}

/// It ended as its script says, or GitLab dropped it before any runner had it.
fn fits(job: &JobView) -> bool {
    let reason = job.failure_reason.as_deref();
    let never_ran = job.started_at.is_none();
    match job.status {
        Status::Success => !job.fails,
        Status::Failed => never_ran || job.fails && reason == Some("script_failure"),
        Status::Canceled => never_ran,
        Status::Manual | Status::Pending | Status::Running | Status::Canceling => true,
    }
}

/// Whether an enabled pool of `spec` may take `job`. Of the simulated histories: all projects take
/// runners of each kind.
pub(crate) fn is_takeable(spec: &Spec, job: &JobView) -> bool {
    !job.withheld && spec.pools.iter().any(|pool| pool.enabled && may_be_served(pool, job))
}

/// Whether `pool` may take `job`.
pub(crate) fn may_be_served(pool: &Pool, job: &JobView) -> bool {
    let offered = |tag: &String| pool.tags.contains(tag) || tag == "amd64";
    let held = match &pool.scope {
        Scope::Instance => true,
        Scope::Group(name) => job.holders.contains(&Scope::Group(name.to_lowercase())),
        Scope::Project(name) => job.holders.contains(&Scope::Project(name.to_lowercase())),
    };
    held && job.tags.iter().all(offered) && (pool.run_untagged || !job.tags.is_empty())
}

/// Jobs that a pool may take and that have not ended.
pub(super) fn unfinished(snapshot: &Snapshot) -> impl Iterator<Item = &JobView> {
    let waits = |job: &&JobView| match job.status {
        Status::Pending => is_takeable(&snapshot.spec, job),
        Status::Running | Status::Canceling => true,
        Status::Manual | Status::Success | Status::Failed | Status::Canceled => false,
    };
    snapshot.jobs.iter().filter(waits)
}
