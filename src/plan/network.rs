//! `keep-network`: hosts on which runners start have the runners' network.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::spec::HostName;

pub(super) fn create_networks(draft: &mut Draft<'_>) {
    let starts = draft.plan.decisions.iter().filter_map(|decision| {
        let Action::Start { host, .. } = &decision.action else { return None };
        Some(host.clone())
    });
    let hosts: BTreeSet<HostName> = starts.collect();
    for host in hosts {
        let state = draft.world.hosts.get(&host).and_then(|host| host.state.known());
        if state.is_some_and(|state| state.network.is_none()) {
            let network = draft.world.spec.network.clone();
            let action = Action::CreateNetwork { host };
            draft.decide(action, Rule::KeepNetwork, Facts::NetworkMissing { network });
        }
    }
}
