//! The machines behind the hosts' names: those that the spec does not have any more, and those that
//! are not the same as before.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::engine::Engine;
use crate::spec::HostName;
use crate::world::{EngineId, Observed, OursThere, World};

/// For how long a host that the spec does not have any more is tried, and nothing is removed at
/// GitLab for it.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The engine of each host, as it was last seen, and the hosts that are another one than before.
#[derive(Debug, Default)]
pub(super) struct Machines {
    of: BTreeMap<HostName, EngineId>,
    /// The engines that they were at first.
    former: BTreeMap<HostName, EngineId>,
}

impl Machines {
    /// Takes up which engine each host is.
    pub(super) fn note(&mut self, world: &World) {
        for (name, host) in &world.hosts {
            let Some(state) = host.state.known() else { continue };
            let id = &state.engine.id;
            let before = self.of.insert(name.clone(), id.clone());
            if let Some(before) = before.filter(|before| before != id) {
                tracing::warn!(host = %name, engine = %id, %before, "the host is another engine than before");
                self.former.entry(name.clone()).or_insert(before);
            }
            self.former.retain(|of, former| of != name || former != id);
        }
        self.former.retain(|name, _| world.hosts.contains_key(name));
    }

    /// What there is to say of them.
    pub(super) fn notices(&self, world: &World) -> Vec<String> {
        let replaced = self.former.keys().map(|name| {
            format!(
                "host `{name}` is another Docker Engine than before: it was reinstalled, or its \
                 `docker` leads to another machine; runners of the former one are not seen any more, \
                 and their jobs go on if it still runs\n\
                 hint: nothing is to be done if that was meant; else correct `docker`, and they are \
                 known again"
            )
        });
        replaced.chain(world.leaving_hosts().map(|name| leaving(world, name))).collect()
    }
}

/// What is left on a host that the spec does not have any more.
fn leaving(world: &World, name: &HostName) -> String {
    let OursThere { runners, objects } = world.ours_on(name);
    let known = world.hosts.get(name).is_some_and(|host| host.state.known().is_some());
    let what = format!(
        "host `{name}` is not in the spec any more; left there: {runners} runners, {objects} other \
         things of ours"
    );
    if known {
        format!("{what}; runners exit after their jobs, and then all of it is removed")
    } else {
        let minutes = GIVEN_UP_AFTER.as_mins();
        format!("{what} as last seen; it cannot be read, and is given up after {minutes} minutes")
    }
}

/// Forgets the hosts that the spec does not have any more once nothing of ours is left there, or
/// they could not be read for long.
pub(super) fn forget_left(engines: &mut BTreeMap<HostName, Arc<dyn Engine>>, world: &World) {
    engines.retain(|name, _| world.spec.hosts.contains_key(name) || !is_left(world, name));
}

fn is_left(world: &World, name: &HostName) -> bool {
    // With all others seen, it is one of them by another name, or was never seen.
    let Some(host) = world.hosts.get(name) else { return world.all_hosts_known() };
    match &host.state {
        Observed::Known { .. } => {
            let empty = world.ours_on(name) == OursThere::default();
            let left = empty && !world.may_get_a_runner(name);
            if left {
                tracing::info!(host = %name, "nothing of ours is left on a host that the spec does not have any more");
            }
            left
        }
        Observed::Unknown { since, error, .. } => {
            let left = world.now.duration_since(*since) >= GIVEN_UP_AFTER;
            if left {
                tracing::warn!(host = %name, %error, "a host that the spec does not have any more cannot be read: what is left there stays");
            }
            left
        }
    }
}
