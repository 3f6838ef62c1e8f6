//! A loop of this process alone, for a command that brings something about and ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::adapters::Adapters;
use super::down::Records;
use super::failure::Failure;
use super::process::Process;
use crate::clock::Clock;
use crate::gitlab::GitlabError;
use crate::plan::{Action, Plan, Rule, plan};
use crate::reconcile::{Controller, Ending, Planner, Tick, loaded_info};
use crate::source::{InstanceLock, Loaded, LockError};
use crate::spec::{InstanceName, Spec};
use crate::view::View;
use crate::world::{Origin, Record, RunnerName, World};

/// Between two looks where something was done.
const SOON: Duration = Duration::from_secs(1);
/// Between two looks where jobs are waited for.
const PAUSE: Duration = Duration::from_secs(5);

/// A loop of this process, which holds the instance's lock meanwhile.
pub(crate) struct Alone {
    controller: Controller,
    clock: Clock,
    _lock: InstanceLock,
}

impl Alone {
    /// Fails where an AutoGit of the instance runs here, and where GitLab refuses the token.
    pub(crate) async fn open(
        loaded: &Loaded,
        planner: Planner,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let lock = lock(&loaded.spec.instance, process).await?;
        let ports = adapters.connect(loaded, process).map_err(Failure::Failed)?;
        if let Err(error @ (GitlabError::Unauthorized { .. } | GitlabError::Forbidden { .. })) =
            ports.gitlab.probe().await
        {
            return Err(Failure::Failed(error.to_string()));
        }
        let clock = process.clock().clone();
        let controller =
            Controller::new(ports, clock.clone(), loaded_info(loaded)).with_planner(planner);
        Ok(Self { controller, clock, _lock: lock })
    }

    /// Asks for a runner to be drained.
    pub(crate) fn drain(&self, runner: &RunnerName) {
        self.controller.handle().drains.ask(runner);
    }

    /// What is seen and would be done; changes nothing.
    pub(crate) async fn look(&mut self) -> View {
        let view = self.controller.look().await;
        // What is left over is proved by two looks.
        if self.controller.saw_leftovers() { self.controller.look().await } else { view }
    }

    /// Does it, until nothing is left to do. An error is what could not be done or seen.
    pub(crate) async fn settle(&mut self) -> Result<Arc<View>, Failure> {
        self.controller.look_once();
        loop {
            let tick = self.controller.tick().await;
            match Ending::WhenSettled.reached(&tick) {
                Some(true) => return Ok(tick.view),
                Some(false) => return Err(Failure::Failed(unsettled(&tick))),
                None => self.clock.sleep(SOON).await,
            }
            self.controller.look_once();
        }
    }

    /// Does it and waits for jobs, until no runner is left, and no record of ours where those are to
    /// go: a young one stays for a while, because another AutoGit may have made it a moment ago. What
    /// fails and what cannot be seen is tried again. Fails where another AutoGit starts runners
    /// meanwhile: one in a container or on another machine has another lock, and would go on for ever.
    pub(crate) async fn empty(
        &mut self,
        records: Records,
        mut tell: impl FnMut(&View),
    ) -> Result<Arc<View>, Failure> {
        let began = self.clock.now();
        loop {
            let tick = self.controller.tick().await;
            if let Some(runner) = started_since(&tick.view.world, began) {
                return Err(Failure::Failed(format!(
                    "runner `{runner}` was started meanwhile, and not from here: another AutoGit of \
                     this instance runs\n\
                     hint: stop that one first, also in a container or on another machine; what is \
                     left exits after its job"
                )));
            }
            let gone = records == Records::Keep || own_records(&tick.view.world).next().is_none();
            if gone && Ending::WhenNothingIsLeft.reached(&tick) == Some(true) {
                return Ok(tick.view);
            }
            tell(&tick.view);
            let pause = if tick.made_progress() { SOON } else { PAUSE };
            tokio::select! {
                biased;
                () = self.controller.something_ended() => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }
}

/// A runner that is younger than that. A second more or less is what clocks are read with.
fn started_since(world: &World, began: Timestamp) -> Option<RunnerName> {
    let since = began + SignedDuration::from_secs(2);
    let runners = world.runners();
    let young = runners.iter().find(|view| view.runner.created_at > since);
    young.map(|view| view.runner.name.clone())
}

/// The records that this instance made.
pub(crate) fn own_records(world: &World) -> impl Iterator<Item = &Record> {
    let records = world.records.known().into_iter().flat_map(|records| records.iter());
    records.filter(|record| record.origin == Origin::Ours)
}

fn unsettled(tick: &Tick) -> String {
    let failed = tick.outcomes.iter().find_map(|outcome| outcome.result.as_ref().err());
    match failed {
        Some(error) => error.to_string(),
        None => "a source could not be read, so what is there is unknown and stays as it is\n\
                 hint: `autogit status` says which, and why"
            .to_owned(),
    }
}

/// The same file with another spec.
pub(crate) fn with_spec(loaded: &Loaded, change: impl FnOnce(&mut Spec)) -> Loaded {
    let mut spec = Spec::clone(&loaded.spec);
    change(&mut spec);
    let mut loaded = loaded.clone();
    loaded.spec = Arc::new(spec);
    loaded
}

/// Plans only what removes things that have no runner any more.
pub(crate) fn plan_sweep(world: &World) -> Plan {
    let swept = [Rule::ReapExited, Rule::RemoveUnstarted, Rule::SweepLeftover];
    only(plan(world), |rule, _| swept.contains(&rule))
}

/// Plans only the drains that were asked for.
pub(crate) fn plan_drains(world: &World) -> Plan {
    only(plan(world), |rule, action| {
        rule == Rule::DrainAsked && matches!(action, Action::Drain { .. })
    })
}

fn only(plan: Plan, wanted: impl Fn(Rule, &Action) -> bool) -> Plan {
    let decisions = plan.decisions.into_iter();
    let decisions = decisions.filter(|one| wanted(one.rule, &one.action)).collect();
    Plan { decisions, ..plan }
}

/// The lock of an instance. Commands hold it for a moment, so it is tried again before it counts as
/// held.
pub(crate) async fn lock(
    instance: &InstanceName,
    process: &Process,
) -> Result<InstanceLock, Failure> {
    const TRIES: u32 = 5;
    let pause = Duration::from_millis(50);
    for _ in 1..TRIES {
        match InstanceLock::acquire(instance, &process.lock_folders()) {
            Err(LockError::Held { .. }) => process.clock().sleep(pause).await,
            settled => return Ok(settled?),
        }
    }
    Ok(InstanceLock::acquire(instance, &process.lock_folders())?)
}
