//! `keep-network`: hosts on which runners start have the runners' network.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::spec::HostName;

pub(super) fn create_networks(draft: &mut Draft<'_>) {
    let hosts: BTreeSet<HostName> = draft.starts().map(|(host, _)| host.clone()).collect();
    for host in hosts {
        if draft.world().lacks_network(&host) {
            let network = draft.world().spec.network.clone();
            let action = Action::CreateNetwork { host };
            draft.decide(action, Rule::KeepNetwork, Facts::NetworkMissing { network });
        }
    }
}
