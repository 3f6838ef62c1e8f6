//! Jobs that GitLab is about to drop: it does so with a pending job that waited an hour while no
//! matching runner was online, which means in contact within two hours
//! (`Ci::StuckBuilds::DropPendingService`; GitLab 18.6). One runner keeps all jobs of its variant.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::draft::{Draft, SupplyId};
use crate::world::{Job, Phase, Record, Variant, World};

/// How long a job may wait without a matching runner.
pub(crate) const DROPPED_UNMATCHED: SignedDuration = SignedDuration::from_hours(1);
/// How long a runner counts as online after its last contact.
const ONLINE_FOR: SignedDuration = SignedDuration::from_hours(2);
/// What is left of the hour when a job goes before those of a higher priority: time for a runner
/// that ends its job to make room, and for an image to be pulled.
const HURRY: SignedDuration = SignedDuration::from_mins(15);

/// The variants of which GitLab takes a runner for online; where that is not known, it may.
pub(super) fn online(draft: &Draft<'_>) -> BTreeSet<SupplyId> {
    let mut online: BTreeSet<&Variant> = BTreeSet::new();
    let in_contact = draft.runners().iter().filter(|view| {
        matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. } | Phase::Draining { .. })
    });
    online.extend(in_contact.map(|view| &view.runner.variant));
    let records = draft.world().records.known();
    let of_records = records.into_iter().flatten();
    online.extend(
        of_records.filter(|record| may_be_online(draft.world(), record)).map(|one| &one.variant),
    );
    let is_online = |variant| records.is_none() || online.contains(variant);
    let supplies = draft.supplies().filter(|(_, supply)| is_online(&supply.offer().variant));
    supplies.map(|(id, _)| id).collect()
}

fn may_be_online(world: &World, record: &Record) -> bool {
    let Some(rows) = record.managers.known() else { return true };
    rows.iter()
        .any(|row| row.contacted_at.is_none_or(|at| world.now.duration_since(at) < ONLINE_FOR))
}

/// How long GitLab keeps a job for which no runner is online.
pub(super) fn time_left(world: &World, job: &Job) -> SignedDuration {
    (DROPPED_UNMATCHED - world.now.duration_since(job.queued_at)).max(SignedDuration::ZERO)
}

/// Whether a job for which no runner is online has to go first.
pub(super) fn is_urgent(world: &World, job: &Job) -> bool {
    time_left(world, job) < HURRY
}
