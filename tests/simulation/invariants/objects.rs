//! What others have, and in which order what is ours goes.

use super::rest::kept_slots;
use super::{Fixture, Injected, Snapshot};
use autogit::sandbox::engine::{ContainerView, ObjectView};
use autogit::sandbox::gitlab::RecordView;
use autogit::spec::{Cache, HostName};
use autogit::world::{ContainerState, VolumeKind, WorkloadId};

pub(super) fn nothing_of_others_is_touched(fixture: &Fixture<'_>) -> Result<(), String> {
    let others = &fixture.injected.others;
    for (name, host) in &fixture.snapshot.hosts {
        let planted = others.containers.get(name).into_iter().flatten();
        for container in planted {
            let now = host.containers.iter().find(|it| it.id == container.id);
            if !now.is_some_and(|now| same_container(now, container)) {
                return Err(format!("container {} is not as it was", container.name));
            }
        }
        same_objects("volume", others.volumes.get(name), &host.volumes)?;
        same_objects("network", others.networks.get(name), &host.networks)?;
    }
    for record in &others.records {
        let now = fixture.snapshot.records.iter().find(|it| it.id == record.id);
        if !now.is_some_and(|now| same_record(now, record)) {
            return Err(format!("record {} ({}) is not as it was", record.id, record.description));
        }
    }
    Ok(())
}

fn same_container(now: &ContainerView, then: &ContainerView) -> bool {
    let runs = |view: &ContainerView| matches!(view.state, ContainerState::Running { .. });
    now.name == then.name && now.labels == then.labels && runs(now) == runs(then)
}

fn same_objects(
    kind: &str,
    planted: Option<&Vec<ObjectView>>,
    now: &[ObjectView],
) -> Result<(), String> {
    let gone = planted.into_iter().flatten().find(|object| !now.contains(object));
    gone.map_or(Ok(()), |object| Err(format!("{kind} {} is not as it was", object.name)))
}

fn same_record(now: &RecordView, then: &RecordView) -> bool {
    let ids = |view: &RecordView| {
        view.managers.iter().map(|row| row.system_id.clone()).collect::<Vec<_>>()
    };
    now.description == then.description
        && now.maintenance_note == then.maintenance_note
        && now.tags == then.tags
        && now.paused == then.paused
        && ids(now) == ids(then)
}

/// A volume that a later job of its slot may use stays, as long as the spec keeps the cache and may
/// fill the slot; and one of which nothing tells what it is for always does. To be checked right
/// before it is removed.
pub(crate) fn kept_cache_stays(
    snapshot: &Snapshot,
    injected: &Injected,
    host: &HostName,
    volume: &str,
) -> Result<(), String> {
    let mut there = snapshot.hosts.get(host).into_iter().flat_map(|host| &host.volumes);
    let Some(it) = there.find(|it| it.name == volume) else { return Ok(()) };
    let kept = kept_slots(snapshot, host);
    let kept = it.system_id.as_ref().is_some_and(|id| kept.contains(id));
    match it.kind {
        VolumeKind::Other => Err(format!("nothing tells what {volume} holds, and it goes")),
        VolumeKind::Reusable if kept && !injected.twins => {
            Err(format!("the cache {volume} is kept, and goes"))
        }
        VolumeKind::Reusable | VolumeKind::Temporary => Ok(()),
    }
}

/// The container of a runner that ended goes after all that its jobs left and after its manager's
/// row: it says what is still to be done. To be checked right before it is removed.
pub(crate) fn container_goes_last(
    snapshot: &Snapshot,
    injected: &Injected,
    host: &HostName,
    id: &WorkloadId,
) -> Result<(), String> {
    let Some((_, runner)) = snapshot.runners().find(|(_, runner)| runner.id == *id) else {
        return Ok(());
    };
    let ended = matches!(runner.state, ContainerState::Exited { .. });
    let Some(there) = snapshot.hosts.get(host).filter(|_| ended && !injected.twins) else {
        return Ok(());
    };
    let system_id = &runner.system_id;
    // It was renamed, and another runner has its slot: all that is there is that one's.
    if snapshot.live_runners().any(|(_, other)| other.system_id == *system_id) {
        return Ok(());
    }
    let kept =
        snapshot.spec.pool(&runner.variant.pool).is_some_and(|pool| pool.cache == Cache::Keep);
    let of_it = |object: &&ObjectView| object.system_id.as_ref() == Some(system_id);
    let mut jobs = there.containers.iter().filter_map(|container| container.job.as_ref());
    if jobs.any(|job| job.system_id == *system_id) {
        return Err(format!("{} goes before a container of its job", runner.name));
    }
    if there.volumes.iter().filter(of_it).any(|volume| volume.kind.goes(kept)) {
        return Err(format!("{} goes before a volume of its job", runner.name));
    }
    if there.networks.iter().any(|network| of_it(&network)) {
        return Err(format!("{} goes before a network of its job", runner.name));
    }
    let record = snapshot.records.iter().find(|record| record.id == runner.record);
    // With a token that ended or was reset nobody can delete the row; it goes with its record.
    let record = record.filter(|it| {
        it.token_expires_at.is_none_or(|ends| ends > snapshot.at)
            && !injected.tokens_reset.contains(&it.id)
    });
    if record.is_some_and(|record| record.managers.iter().any(|row| row.system_id == *system_id)) {
        return Err(format!("{} goes before its manager's row", runner.name));
    }
    Ok(())
}
