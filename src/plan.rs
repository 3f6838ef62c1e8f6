//! The pure centre: [`plan`] turns a [`World`] into a [`Plan`].
//!
//! Equal worlds give byte-equal plans, and applying a plan to a model of the world reaches an empty
//! plan within a few rounds. What was not observed is held, never removed.

mod asked;
mod changed;
mod class;
mod decision;
mod demand;
mod draft;
mod dropped;
mod facts;
mod failed;
mod free_disk;
mod gpus;
mod held_job;
mod held_runner;
mod hold;
mod host_choice;
mod images;
mod kept_images;
mod later;
mod ledger;
mod make_room;
mod marks;
mod network;
mod orphan;
mod placement;
mod reap;
mod records;
mod rule;
mod slots;
mod surplus;
mod sweep;
mod vanished;
mod verify;
mod wanted;
mod warm;

pub use decision::{Action, Decision, LostJob, RecordReason};
pub use facts::Facts;
pub use gpus::{GpuBusy, GpuHolder, NoGpu};
pub use held_job::{HeldJob, JobHold, Lack, UnmetWarm};
pub use held_runner::{HeldRunner, RunnerHold};
pub use host_choice::{HostChoice, HostReason};
pub use kept_images::KeptImageReason;
pub use rule::Rule;
pub use wanted::is_changed;

pub(crate) use dropped::DROPPED_UNMATCHED;
pub(crate) use facts::{brief, size};
pub(crate) use images::images_never_pulled;
pub(crate) use ledger::HostRoom;
pub(crate) use placement::host_rooms;

use crate::world::World;
use draft::Draft;

/// What shall be done now, and why everything else is left as it is.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What is done, in the order of the passes.
    pub decisions: Vec<Decision>,
    /// Every pending job that does not get a runner now, in the order of serving.
    pub held_jobs: Vec<HeldJob>,
    /// The variants that lack warm runners and get none now, in file order.
    pub unmet_warm: Vec<UnmetWarm>,
    /// Every runner that stays as it is, by host and name.
    pub held_runners: Vec<HeldRunner>,
    /// Pending jobs that an idle runner may take, or that this plan starts a runner for.
    pub served_jobs: usize,
}

impl Plan {
    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }
}

/// One concern of the planner: reads the draft, and adds to it by its edits. What a pass before it
/// decided, it may take back only as far as it sees to what followed.
type Pass = fn(&mut Draft<'_>);

/// The policy, in order of priority.
///
/// Records and images first, because nothing starts without them. What ended or must go comes before
/// demand, so that nobody counts on it; jobs come before warm runners, for they wait; surplus comes
/// after both, for only then is it known what is not needed, and what of it a job could use the room
/// of. A changed pool's idle runners come last: replacing them must not look like a lack of supply.
/// Sweeps touch nothing that a pass before them could use, nor do caches go whose slot one filled, and notes of records that nobody changes
/// or deletes name the hosts.
const PASSES: &[Pass] = &[
    verify::verify_tokens,
    records::keep_records,
    images::pull_images,
    reap::reap_exited,
    vanished::reap_vanished,
    asked::drain_asked,
    orphan::drain_orphans,
    failed::drain_failed,
    demand::serve_demand,
    warm::keep_warm,
    surplus::drain_surplus,
    make_room::make_room,
    changed::drain_changed,
    network::create_networks,
    sweep::sweep_leftovers,
    free_disk::free_disk,
    kept_images::keep_images,
    marks::mark_records,
    hold::hold_runners,
];

/// What shall be done about `world`, and why everything else is left as it is.
pub fn plan(world: &World) -> Plan {
    let mut draft = Draft::new(world);
    for pass in PASSES {
        pass(&mut draft);
    }
    draft.into_plan()
}
