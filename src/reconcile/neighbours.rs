//! What is told of other instances on our engines: one may be this AutoGit's own former name.

use crate::gitlab::OtherInstance;
use crate::spec::InstanceName;
use crate::world::{Look, Prefixes};

/// What there is of it, and what to do if it is nobody's; `None`: it runs, so it is somebody's.
pub(super) fn notice(look: &Look, other: &OtherInstance) -> Option<String> {
    let OtherInstance { instance, records, is_online } = other;
    let ids: Vec<String> = records.iter().map(ToString::to_string).collect();
    let (volumes, runs) = made_by_its_jobs(look, instance);
    let caches = match volumes {
        0 => String::new(),
        1 => ", and 1 volume of its jobs is here".to_owned(),
        count => format!(", and {count} volumes of its jobs are here"),
    };
    (!is_online && !runs).then(|| {
        format!(
            "instance `{instance}` has records {} of our hosts{caches}; none of its runners is online\n\
             hint: if this AutoGit was called so before, set `instance` back to `{instance}`, with \
             `pools: {{}}` to remove what is left; do not if another AutoGit has that name",
            ids.join(", ")
        )
    })
}

/// How many volumes its jobs left on our hosts, as last seen, and whether one of its jobs runs there.
fn made_by_its_jobs(look: &Look, instance: &str) -> (usize, bool) {
    let Ok(instance) = InstanceName::new(instance) else { return (0, false) };
    let prefixes = Prefixes::new(&instance, &look.marks());
    let states = look.hosts.values().filter_map(|host| host.state.last());
    states.fold((0, false), |(volumes, runs), state| {
        let of_it = state.jobs.volumes.iter().filter(|volume| prefixes.has(&volume.system_id));
        let mut containers = state.jobs.containers.iter();
        let busy = containers.any(|it| it.running && prefixes.has(&it.system_id));
        (volumes + of_it.count(), runs || busy)
    })
}
