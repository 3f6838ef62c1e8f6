//! Networks: the runners' own, room for those of jobs, and whether runners reach GitLab from theirs.

use std::collections::BTreeMap;

use super::check::Check;
use super::finding::{Finding, Fix};
use crate::engine::EngineError;
use crate::engine::inspection::{AddressPool, Inspected, NetworkSeen};
use crate::spec::{HostName, Pool, Spec};
use crate::view::View;
use crate::world::runner_config::{ResolvedNetwork, host_of, job_network};
use crate::world::{NetworkState, Phase, RunnerView, Trouble, pools_on};

/// The runners' network on a host.
pub(super) fn of_runners(
    host: &HostName,
    spec: &Spec,
    network: Result<&Option<NetworkState>, &EngineError>,
) -> Finding {
    let (check, name) = (Check::Network, &spec.network);
    match network {
        Ok(Some(NetworkState { ours: true, .. })) => {
            Finding::ok(check, format!("`{name}` is there; AutoGit made it"))
        }
        Ok(Some(NetworkState { ours: false, .. })) => Finding::ok(
            check,
            format!(
                "`{name}` is there; somebody else made it, so AutoGit uses it and never removes it"
            ),
        ),
        Ok(None) => Finding::ok(check, format!("`{name}` is not there; the first runner makes it"))
            .fix(Fix::MakeNetwork { host: host.clone() }),
        Err(error) => Finding::unknown(check, error.to_string()),
    }
}

/// Whether there is an address range left for the network of each job that may run at once.
pub(super) fn address_pools(host: &HostName, spec: &Spec, seen: &Inspected) -> Finding {
    let check = Check::AddressPools;
    if seen.podman {
        return Finding::unknown(check, "Podman does not tell how many networks it has room for")
            .remedy("see `default_subnet_pools` in its `containers.conf`");
    }
    let standard = seen.address_pools.is_empty();
    let pools: &[AddressPool] = if standard { &AddressPool::STANDARD } else { &seen.address_pools };
    let total: u64 = pools.iter().map(AddressPool::networks).sum();
    let taken: u64 = seen.networks.iter().map(|network| taken_by(network, pools)).sum();
    let free = total.saturating_sub(taken);
    let wanted = networks_at_once(host, spec, seen);
    let own = u64::from(!seen.networks.iter().any(|network| network.name == spec.network));
    let whose = if standard { "Docker's own pools" } else { "`default-address-pools`" };
    let found = format!("room for {free} more networks ({whose}: {total}, {taken} in use)");
    if wanted == 0 && own <= free {
        return Finding::ok(check, format!("{found}; no pool has a network per job"));
    }
    if wanted + own <= free {
        return Finding::ok(check, format!("{found}; at most {wanted} jobs at once have one each"));
    }
    Finding::warning(check, format!("{found}, and up to {wanted} jobs at once want one each"))
        .remedy(
            "give the engine smaller parts in its `daemon.json`, as in `\"default-address-pools\": \
         [{\"base\": \"10.200.0.0/16\", \"size\": 24}]` (256 networks), and restart it; or set \
         `job.network: shared`, or lower `max` or `budget.runners`; `docker network prune` removes \
         networks that nothing uses",
        )
}

/// The room that a network takes: one part, or as many as its subnet covers.
fn taken_by(network: &NetworkSeen, pools: &[AddressPool]) -> u64 {
    let parts = network.subnets.iter().filter_map(|&subnet| {
        let pool = pools.iter().find(|pool| pool.meets(subnet))?;
        let covered = 1 << u32::from(pool.size.saturating_sub(subnet.1)).min(32);
        Some(u64::min(covered, pool.networks()))
    });
    parts.sum()
}

/// Jobs that may run there at once with a network of their own.
fn networks_at_once(host: &HostName, spec: &Spec, seen: &Inspected) -> u64 {
    let Some(arch) = seen.arch else { return 0 };
    let clone_from = spec.gitlab.clone_url.as_ref().unwrap_or(&spec.gitlab.runner_url);
    let clone_host = host_of(clone_from).unwrap_or_default();
    let per_job = |pool: &&Pool| job_network(pool, &clone_host) == ResolvedNetwork::PerJob;
    let runners: u64 =
        pools_on(spec, host, arch).filter(per_job).map(|pool| u64::from(pool.max)).sum();
    let declared = spec.hosts.get(host).and_then(|host| host.budget.runners);
    // As `hosts.*.budget.runners` is where nobody sets it.
    let budget = declared.or_else(|| seen.cpus.map(|cpus| cpus.saturating_mul(2)));
    budget.map_or(runners, |budget| runners.min(u64::from(budget)))
}

/// Whether runners reach GitLab, by the runners that are there: their contact proves it, and their
/// own logs tell why there is none.
pub fn gitlab_from_runners(spec: &Spec, view: Result<&View, Check>) -> Vec<Finding> {
    let runners = match view {
        Ok(view) => view.world.runners(),
        Err(first) => {
            let found = "whether runners are in contact is not known";
            return vec![Finding::behind(Check::GitlabFromRunners, first, found)];
        }
    };
    let mut by_host: BTreeMap<&HostName, Vec<&RunnerView<'_>>> = BTreeMap::new();
    for runner in &runners {
        by_host.entry(runner.host).or_default().push(runner);
    }
    let judged = spec.hosts.keys().map(|host| {
        let runners = by_host.get(host).map(Vec::as_slice).unwrap_or_default();
        judge_reach(spec, runners).about(host)
    });
    judged.collect()
}

fn judge_reach(spec: &Spec, runners: &[&RunnerView<'_>]) -> Finding {
    let (check, url) = (Check::GitlabFromRunners, &spec.gitlab.runner_url);
    let in_contact = runners.iter().find(|view| match view.phase {
        Phase::Idle { .. } | Phase::Busy { .. } => view.seen,
        Phase::Created
        | Phase::Starting { .. }
        | Phase::Draining { .. }
        | Phase::Failed { .. }
        | Phase::Exited { .. } => false,
    });
    if let Some(view) = in_contact {
        return Finding::ok(check, format!("`{}` is in contact with GitLab", view.runner.name));
    }
    let trouble = runners.iter().find_map(|view| {
        Some((view.runner.name.to_string(), Trouble::of(view.runner, &view.phase)?))
    });
    if let Some((name, trouble)) = trouble {
        let words = trouble.to_string();
        let (what, hint) = words.split_once("; hint: ").unwrap_or((&words, ""));
        return Finding::failed(check, format!("`{name}`: {what}")).remedy(hint);
    }
    let image = spec.pools.first().map_or("IMAGE", |pool| pool.runner_image.as_str());
    let address = url.trim_end_matches('/');
    Finding::unknown(check, format!("no runner is there that shows whether it reaches {url}"))
        .remedy(format!(
            "try it on that host: `docker run --rm --network {} --entrypoint wget {image} -S -O \
             /dev/null {address}/users/sign_in`; or let one job run, and ask again",
            spec.network
        ))
}
