//! What must hold in every simulated history, checked against the world as it really is, not as
//! AutoGit sees it. Each promise is one small function with the sentence it stands for.
//!
//! - [`SAFETY`] holds at every snapshot, whatever fails;
//! - [`PLANS`] holds of every look and the plan that it led to;
//! - [`REST`] is reached once nothing fails any more, and then it holds.

mod bounds;
mod injected;
mod jobs;
mod looks;
mod objects;
mod plans;
mod records;
mod rest;
mod secrets;
mod slots;
mod snapshot;

pub(crate) use injected::{Injected, Others};
pub(crate) use looks::{FailedReads, Look};
pub(crate) use objects::{container_goes_last, kept_cache_stays};
pub(crate) use secrets::no_secret_in;
pub(crate) use snapshot::{Fixture, Snapshot, Watch};

/// One promise; `F` is the function that checks it.
#[derive(Debug)]
pub(crate) struct Promise<F> {
    /// Its name, by which a failing history is recognised while it is shortened.
    pub(crate) name: &'static str,
    /// What it promises.
    pub(crate) sentence: &'static str,
    /// `Err` says how it is broken.
    pub(crate) check: F,
}

/// A check of a snapshot.
pub(crate) type OfFixture = fn(&Fixture<'_>) -> Result<(), String>;

/// A check of a look and its plan.
pub(crate) type OfLook = fn(&Look<'_>) -> Result<(), String>;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Its name.
    pub(crate) promise: &'static str,
    /// What it says.
    pub(crate) sentence: &'static str,
    /// How it was broken.
    pub(crate) how: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.promise, self.how, self.sentence)
    }
}

/// The first of `promises` that does not hold.
pub(crate) fn first_broken<F: Copy>(
    promises: &[Promise<F>],
    holds: impl Fn(F) -> Result<(), String>,
) -> Option<Broken> {
    promises.iter().find_map(|promise| {
        let how = holds(promise.check).err()?;
        Some(Broken { promise: promise.name, sentence: promise.sentence, how })
    })
}

macro_rules! promises {
    ($($module:ident::$name:ident: $sentence:literal,)*) => {
        &[$(Promise { name: stringify!($name), sentence: $sentence, check: $module::$name },)*]
    };
}

/// What holds at every snapshot.
pub(crate) const SAFETY: &[Promise<OfFixture>] = promises![
    jobs::no_running_job_loses_its_runner: "a running job keeps its runner until it ends",
    jobs::no_job_ends_otherwise_than_scripted: "a job ends as its script says and never by us",
    objects::nothing_of_others_is_touched: "containers, volumes, networks and records of others stay as they are",
    bounds::no_pool_starts_beyond_its_max: "a runner is started only while its pool has less than `max`, those aside that had their last job",
    bounds::no_host_starts_beyond_its_budget: "a runner is started only while its host has room for it",
    bounds::no_host_starts_beyond_its_cpus: "a runner that costs cpus is started only while its host has them, by what all containers there were made with",
    bounds::no_storm_of_starts: "no more runners are made in a minute than `starts_per_minute`",
    records::no_variant_gets_records_without_end: "one variant never gets more records within an hour than the brake lets pass",
    slots::no_slot_has_two_living_containers: "no two running containers share a system id",
    slots::no_runner_is_killed: "a runner that ends and was not killed by the simulation ends by itself",
    slots::no_living_runner_loses_its_record: "a record that a container uses is never deleted by us",
    secrets::no_secret_is_shown: "no token is in a label, name, network, description or note",
];

/// What holds of every look and its plan.
pub(crate) const PLANS: &[Promise<OfLook>] = promises![
    plans::every_job_is_served_or_held: "each pending job that was seen is served or held with a reason",
    plans::every_runner_is_decided_or_held: "each runner that was seen has a decision or is held with a reason",
    plans::unknown_never_removes: "what could not be read is neither removed nor taken for empty",
    plans::sweeps_need_two_looks: "only what two looks that could tell found left over is swept",
    plans::a_start_takes_a_free_slot: "no runner is planned into a slot that a container has",
    plans::no_more_starts_than_jobs: "runners are started for jobs that wait and for `warm`, and no more",
    plans::a_runner_that_makes_no_contact_goes: "a runner that GitLab never heard of in its time is asked to leave",
    plans::no_busy_runner_is_drained_without_cause: "a runner that has a job is asked to leave only if the spec does not ask for it any more",
    plans::nothing_starts_in_maintenance: "no runner is planned onto a host that is in maintenance",
    records::no_record_turns_foreign: "a record that this instance made is never taken for another installation's",
    plans::no_living_runners_row_is_swept: "the row of a runner that lives is not deleted",
    plans::surplus_waits_out_its_cooldown: "an idle runner stays until its cooldown is over",
];

/// What is reached once nothing fails any more.
pub(crate) const REST: &[Promise<OfFixture>] = promises![
    rest::every_takeable_job_ran: "each job that a pool may take ended as its script says",
    rest::the_runners_are_those_of_the_spec: "each enabled pool has its warm runners and no other",
    rest::the_records_are_those_of_the_spec: "each declared variant has one record with the spec's settings, and there is no other of ours",
    rest::each_row_has_its_runner: "each manager's row of ours has a living runner",
    rest::nothing_of_a_job_is_left: "no job container or job network of ours is left, nor a volume that no slot may use again",
    rest::no_volume_or_network_is_left: "no anonymous volume is without its container, and our network is gone with the last runner",
];
