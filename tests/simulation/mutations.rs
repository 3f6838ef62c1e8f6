//! Deliberate bugs, to see that they are noticed: a checker that finds nothing is a defect.
//!
//! Each lies in what AutoGit decides, in what an engine is told or tells, or on the way to GitLab,
//! and is switched on from outside: nothing of them is in the program.

mod engine;
mod gitlab;
mod planning;

use std::sync::Arc;

use autogit::engine::Engine;
use autogit::reconcile::Planner;
use autogit::sandbox::engine::SimulatedEngine;
use bytes::Bytes;
use http::{Request, Response};

use crate::history::happen_within;
use crate::knobs::Knobs;
use engine::{EngineBug, MutantEngine};

/// Seeds within which each is noticed; the same ones pass without it.
pub(crate) const WITHIN: u64 = 64;

/// Seconds within which a mutant rests: it is not waited for as long as for the real one.
const REST_WITHIN: u64 = 10 * 60;

/// A deliberate bug.
#[derive(Debug, Default)]
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    /// The seed that noticed it when this was written, to be tried first.
    seed: u64,
    planner: Option<Planner>,
    engine: Option<EngineBug>,
    gitlab: Option<GitlabBug>,
}

/// Answers a request in GitLab's place.
pub(crate) type GitlabBug = fn(&Request<Bytes>) -> Option<Response<Bytes>>;

impl Mutation {
    pub(crate) fn planner(&self) -> Option<Planner> {
        self.planner
    }

    pub(crate) fn engine(&self, side: Arc<dyn Engine>, engine: SimulatedEngine) -> Arc<dyn Engine> {
        match self.engine {
            Some(bug) => Arc::new(MutantEngine::new(bug, side, engine)),
            None => side,
        }
    }

    pub(crate) fn answers(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        self.gitlab.and_then(|bug| bug(request))
    }
}

const fn planned(name: &'static str, seed: u64, planner: Planner) -> Mutation {
    Mutation { name, seed, planner: Some(planner), engine: None, gitlab: None }
}

const fn on_engine(name: &'static str, seed: u64, bug: EngineBug) -> Mutation {
    Mutation { name, seed, planner: None, engine: Some(bug), gitlab: None }
}

/// What is taken for something else.
const SEEING: &[Mutation] = &[
    planned("a busy runner counts as idle", 2, planning::busy_is_idle),
    planned("a queue that could not be read is empty", 46, planning::unknown_queue_is_empty),
    planned("what lies behind a flood of jobs waits for its end", 5, planning::flood_is_waited_out),
    planned("a host that could not be read is empty", 0, planning::unknown_host_is_empty),
    planned("records that could not be read are none", 1, planning::unknown_records_are_none),
    planned("a record that was not read is overlooked", 3, planning::unread_record_is_none),
    planned("managers that could not be read are none", 2, planning::unknown_managers_are_none),
    planned("a draining runner counts as gone", 0, planning::draining_is_gone),
    planned("a starting runner is overlooked", 0, planning::starting_is_gone),
    planned("a failed runner counts as supply", 71, planning::failed_is_supply),
    planned("a foreign record is ours", 2, planning::foreign_is_ours),
    on_engine("runners are read before the jobs", 0, EngineBug::RunnersBeforeJobs),
    on_engine("clocks are not corrected", 5, EngineBug::NoClockCorrection),
    on_engine("the runners of other instances are ours", 0, EngineBug::EveryInstance),
];

/// What is started, or not.
const STARTING: &[Mutation] = &[
    on_engine("the token is put into a label", 0, EngineBug::TokenInLabel),
    planned("one runner more than max", 0, planning::max_plus_one),
    planned("the host's budget is overlooked", 7, planning::no_budget),
    planned("a runner that is there costs no cpus", 0, planning::runners_cost_nothing),
    planned("maintenance is overlooked", 0, planning::no_maintenance),
    planned("the limit of starts is overlooked", 2, planning::no_start_rate),
    planned("warm is overlooked", 0, planning::no_warm),
    planned("no idle runner makes room for a job", 181, planning::no_room_is_made),
    planned("a record is made anew at each look", 0, planning::tokens_are_lost),
    planned("the brake on records is overlooked", 0, planning::no_brake),
    planned("a record's settings are never set right", 14, planning::nothing_is_corrected),
    planned("a slot is filled twice", 0, planning::slot_zero),
    planned("a job that nobody takes is served for ever", 4, planning::nothing_is_unclaimed),
    planned("a pending job is not mentioned", 0, planning::job_is_not_mentioned),
    planned("a runner is not mentioned", 0, planning::runner_is_not_mentioned),
];

/// Noticed only where two of AutoGit begin at once.
pub(crate) static LOWER_IS_NOT_AWAITED: Mutation =
    planned("the lower of two records is not awaited", 0, planning::nothing_is_awaited);

/// Noticed only where hosts come and go.
pub(crate) static NOTES_STAY: Mutation =
    planned("notes keep the marks that they were made with", 0, planning::notes_stay);

/// What is drained, or not.
const DRAINING: &[Mutation] = &[
    planned("the cooldown is overlooked", 0, planning::no_cooldown),
    planned("surplus is never drained", 0, planning::surplus_stays),
    planned("orphans are never drained", 17, planning::orphans_stay),
    planned("who was asked to leave is forgotten", 0, planning::drains_are_forgotten),
    planned("changed runners are never replaced", 77, planning::changed_stay),
    on_engine("SIGTERM instead of SIGQUIT", 0, EngineBug::Terminates),
];

/// What is removed, or not.
const REMOVING: &[Mutation] = &[
    planned("what ended is never reaped", 0, planning::nothing_is_reaped),
    planned("one look is enough for a sweep", 2, planning::one_look_sweeps),
    planned("nothing is ever swept", 3, planning::nothing_is_swept),
    planned("what others' jobs made is swept", 0, planning::others_are_swept),
    planned("caches that are kept are discarded", 2, planning::caches_go),
    planned("lost jobs are queued again unasked", 0, planning::lost_jobs_are_retried),
    planned("old records are kept", 4, planning::records_stay),
    planned("another AutoGit's young record is left over", 2, planning::young_records_go),
    Mutation {
        name: "a record is deleted under a living runner",
        seed: 0,
        planner: Some(planning::current_record_goes),
        engine: Some(EngineBug::NoRunnersOnSecondLook),
        gitlab: None,
    },
    on_engine("a list is the truth about each runner", 496, EngineBug::ListIsAll),
    on_engine("a volume without a label is a job's alone", 0, EngineBug::LabelsAlone),
    planned("a runner that is gone at two looks is gone", 0, planning::gone_is_gone_at_once),
    on_engine("volumes are forgotten", 0, EngineBug::ForgetsVolumes),
    on_engine("networks of jobs are forgotten", 0, EngineBug::ForgetsNetworks),
    on_engine("containers of jobs are forgotten", 0, EngineBug::ForgetsJobContainers),
    on_engine("containers of runners are forgotten", 0, EngineBug::ForgetsContainers),
    on_engine("the container goes before its row", 0, EngineBug::ContainerFirst),
    Mutation {
        name: "rows of managers are forgotten",
        seed: 0,
        planner: None,
        engine: None,
        gitlab: Some(gitlab::rows_stay),
    },
];

fn each_is_noticed(mutations: &'static [Mutation]) {
    let mut unnoticed = Vec::new();
    for mutation in mutations {
        if !is_noticed(mutation) {
            unnoticed.push(mutation.name);
        }
    }
    assert!(unnoticed.is_empty(), "not noticed within {WITHIN} seeds: {unnoticed:?}");
}

fn is_noticed(mutation: &'static Mutation) -> bool {
    [mutation.seed].into_iter().chain(0..WITHIN).any(|seed| {
        let knobs = Knobs::of(seed);
        let broken = happen_within(&knobs, Some(mutation), REST_WITHIN).broken;
        // A seed that takes as long to rest without the bug shows nothing.
        let broken = broken.filter(|_| happen_within(&knobs, None, REST_WITHIN).broken.is_none());
        if let Some(broken) = &broken {
            crate::told(&format!("{}: seed {seed}: {}", mutation.name, broken.promise));
        }
        broken.is_some()
    })
}

#[test]
fn what_is_taken_for_something_else_is_noticed() {
    each_is_noticed(SEEING);
}

#[test]
fn what_is_started_in_excess_or_not_at_all_is_noticed() {
    each_is_noticed(STARTING);
}

#[test]
fn what_is_drained_too_hard_or_not_at_all_is_noticed() {
    each_is_noticed(DRAINING);
}

#[test]
fn what_is_removed_too_soon_or_not_at_all_is_noticed() {
    each_is_noticed(REMOVING);
}
