//! `keep-network`: hosts on which runners may start have the runners' network, before the first job
//! waits for it.

use super::draft::Draft;
use super::{Action, Facts, Rule};

pub(super) fn create_networks(draft: &mut Draft<'_>) {
    let world = draft.world();
    for host in world.hosts.keys() {
        let waits = world.network_waits(host).is_some();
        if world.lacks_network(host) && world.needs_network(host) && !waits {
            let action = Action::CreateNetwork { host: host.clone() };
            let network = world.spec.network.clone();
            draft.decide(action, Rule::KeepNetwork, Facts::NetworkMissing { network });
        }
    }
}
