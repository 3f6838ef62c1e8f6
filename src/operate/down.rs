//! The way out: every runner of an instance exits after its job, and what is its own goes.

use jiff::SignedDuration;

use super::adapters::Adapters;
use super::alone::{Alone, own_records, with_spec};
use super::failure::Failure;
use super::process::Process;
use crate::plan::{brief, plan};
use crate::source::Loaded;
use crate::spec::InstanceName;
use crate::view::View;
use crate::world::{Origin, Phase, World};

/// After how long without contact the runners of a former instance count as gone: GitLab itself
/// forgets a manager after seven days, and no host sleeps through a whole day of work.
const SILENT: SignedDuration = SignedDuration::from_hours(24);

/// What of an instance is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    /// Its records at GitLab, too.
    Delete,
    /// They stay, so that ids and tags are the same when it comes back.
    Keep,
}

/// The instance of the file, on its way out. Fails where an AutoGit of it runs here.
pub(crate) async fn down(
    loaded: &Loaded,
    records: Records,
    process: &Process,
    adapters: Adapters,
) -> Result<Alone, Failure> {
    let loaded = with_spec(loaded, |spec| match records {
        Records::Delete => spec.pools.clear(),
        Records::Keep => spec.pools.iter_mut().for_each(|pool| pool.enabled = false),
    });
    Alone::open(&loaded, plan, process, adapters).await
}

/// A former instance, or one of another name, on its way out. Fails where it may be alive: where its
/// lock is held here, one of its runners runs, a manager of its had contact within a day, or any of
/// this is not known.
pub(crate) async fn down_former(
    loaded: &Loaded,
    instance: InstanceName,
    process: &Process,
    adapters: Adapters,
) -> Result<(Alone, View), Failure> {
    let loaded = with_spec(loaded, |spec| {
        spec.instance = instance;
        spec.pools.clear();
    });
    let mut alone = Alone::open(&loaded, plan, process, adapters).await?;
    let view = alone.look().await;
    let reasons = alive(&view.world);
    if reasons.is_empty() {
        return Ok((alone, view));
    }
    Err(Failure::Failed(format!(
        "nothing of instance `{}` is removed, because it may be alive: {}\n\
         hint: set `instance` to it and run `autogit down`, which waits for its jobs",
        loaded.spec.instance,
        reasons.join("; "),
    )))
}

/// Why that instance may be alive.
fn alive(world: &World) -> Vec<String> {
    let mut reasons = Vec::new();
    for (name, host) in &world.hosts {
        if host.state.known().is_none() {
            reasons.push(format!("host `{name}` is unknown"));
        }
    }
    if world.records.known().is_none() {
        reasons.push("its records at GitLab are unknown".to_owned());
    }
    for view in world.runners() {
        match view.phase {
            Phase::Created | Phase::Exited { .. } => {}
            Phase::Starting { .. }
            | Phase::Idle { .. }
            | Phase::Busy { .. }
            | Phase::Draining { .. }
            | Phase::Failed { .. } => {
                reasons.push(format!("its runner `{}` runs", view.runner.name));
            }
        }
    }
    for record in own_records(world) {
        let Some(managers) = record.managers.known() else {
            reasons.push(format!("the runners of record {} are unknown", record.id));
            continue;
        };
        let latest = managers.iter().filter_map(|manager| manager.contacted_at).max();
        let age = latest.map(|at| world.now.duration_since(at));
        if let Some(age) = age.filter(|age| *age < SILENT) {
            let age = brief(age.max(SignedDuration::ZERO));
            reasons.push(format!("a runner of record {} made contact {age} ago", record.id));
        }
    }
    reasons
}

/// What stays of an instance that has no runner any more, in words.
pub(crate) fn remains(world: &World) -> Vec<String> {
    let records = world.records.known().into_iter().flat_map(|records| records.iter());
    let records = records.map(|record| match record.origin {
        Origin::Ours => format!("record {} ({})", record.id, record.variant),
        Origin::Given => format!("record {}, which is behind your own `runner_token`", record.id),
        Origin::Foreign => format!("record {}, which another installation made", record.id),
        Origin::Untold => format!("record {}, of which it is not known who made it", record.id),
    });
    records.collect()
}
