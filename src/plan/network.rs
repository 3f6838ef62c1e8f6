//! `keep-network`: hosts on which runners start have the runners' network.

use super::draft::Draft;
use super::{Action, Facts, Rule};

pub(super) fn create_networks(draft: &mut Draft<'_>) {
    for host in draft.started_hosts() {
        if draft.world.lacks_network(&host) {
            let network = draft.world.spec.network.clone();
            let action = Action::CreateNetwork { host };
            draft.decide(action, Rule::KeepNetwork, Facts::NetworkMissing { network });
        }
    }
}
