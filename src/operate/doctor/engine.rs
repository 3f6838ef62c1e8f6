//! A declared host and its engine, judged by what they told.

use std::path::PathBuf;
use std::sync::Arc;

use super::check::Check;
use super::finding::Finding;
use super::{clock, images, networks};
use crate::engine::inspection::{Disk, Inspected, Inspection};
use crate::engine::{Engine, EngineError};
use crate::spec::{Arch, Gpu, GpuBudget, HostName, Pool, Spec, Vendor};
use crate::world::{NetworkState, pools_on};

/// The oldest API that AutoGit speaks: Engine 20.10.
const OLDEST_API: (u32, u32) = (1, 41);
/// With less free, images cannot be pulled and jobs fail in the middle.
const DISK_MIN: u64 = 1 << 30;
/// With less free, one large image or cache may fill the disk.
const DISK_SMALL: u64 = 10 << 30;

/// All that a host told, for judging.
#[derive(Debug)]
pub struct HostFacts {
    /// What the engine and its machine are.
    pub inspected: Result<Inspected, EngineError>,
    /// The engine's socket as that host sees it.
    pub socket: Result<PathBuf, EngineError>,
    /// The runners' network.
    pub network: Result<Option<NetworkState>, EngineError>,
}

impl HostFacts {
    /// Asks both sides of the port. Changes nothing.
    pub(super) async fn ask(
        engine: &Arc<dyn Engine>,
        inspection: &Arc<dyn Inspection>,
        spec: &Spec,
    ) -> Self {
        let images = spec.pools.iter().map(|pool| pool.runner_image.clone()).collect();
        match inspection.inspect(&images).await {
            Err(error) => Self::silent(error),
            Ok(inspected) => Self {
                inspected: Ok(inspected),
                socket: engine.socket().await,
                network: engine.network(&spec.network, &spec.instance).await,
            },
        }
    }

    /// Of a host that does not answer.
    pub fn silent(error: EngineError) -> Self {
        let (socket, network) = (Err(error.clone()), Err(error.clone()));
        Self { inspected: Err(error), socket, network }
    }

    /// What is to be said of it.
    pub fn judge(&self, host: &HostName, spec: &Spec) -> Vec<Finding> {
        let seen = match &self.inspected {
            Ok(seen) => seen,
            Err(error) => return not_there(host, error),
        };
        let mut findings = vec![
            Finding::ok(Check::Engine, answers(seen)),
            version(seen),
            user(seen),
            limits(seen, host, spec),
            self.socket(),
            clock_of(seen),
            warnings(seen),
            disk(seen),
        ];
        findings.extend(images::judge(host, spec, seen));
        findings.push(gpus(seen, host, spec));
        findings.push(networks::of_runners(host, spec, self.network.as_ref()));
        findings.push(networks::address_pools(host, spec, seen));
        findings.into_iter().map(|finding| about_host(finding, host)).collect()
    }

    fn socket(&self) -> Finding {
        match &self.socket {
            Ok(path) => Finding::ok(Check::Socket, format!("runners mount `{}`", path.display())),
            Err(error) => Finding::failed(Check::Socket, error.to_string())
                .remedy("set `socket` of this host to the path of the engine's socket there"),
        }
    }
}

/// `rack`, or `rack gitlab/gitlab-runner:…` where it is about an image there.
fn about_host(finding: Finding, host: &HostName) -> Finding {
    let about = match &finding.about {
        Some(object) => format!("{host} {object}"),
        None => host.to_string(),
    };
    finding.about(&about)
}

/// An engine that does not answer, and what is not known for that.
fn not_there(host: &HostName, error: &EngineError) -> Vec<Finding> {
    let dead = Finding::failed(Check::Engine, error.to_string())
        .remedy("start the engine there, or correct `docker` of this host");
    let unknown = [
        Check::EngineVersion,
        Check::EngineUser,
        Check::Limits,
        Check::Socket,
        Check::EngineClock,
        Check::EngineWarnings,
        Check::Disk,
        Check::Image,
        Check::RunnerVersion,
        Check::Gpus,
        Check::Network,
        Check::AddressPools,
    ];
    let unknown = unknown
        .into_iter()
        .map(|check| Finding::behind(check, Check::Engine, "the engine could not be asked"));
    std::iter::once(dead).chain(unknown).map(|finding| finding.about(host)).collect()
}

fn answers(seen: &Inspected) -> String {
    let name = if seen.podman { "Podman" } else { "Docker" };
    format!("{name} {} answers at {}", seen.version, seen.endpoint)
}

fn version(seen: &Inspected) -> Finding {
    let check = Check::EngineVersion;
    let Some(told) = &seen.api_version else {
        return Finding::unknown(check, "it does not tell which API it speaks")
            .remedy("`docker version` on that host shows it; 1.41 is the oldest that works");
    };
    let mut numbers = told.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_API => {
            Finding::ok(check, format!("{}, API {told}", seen.version))
        }
        (Some(Ok(_)), Some(Ok(_))) => {
            let found = format!(
                "{}, API {told}, and 1.41 (Docker 20.10) is the oldest that works",
                seen.version
            );
            Finding::failed(check, found).remedy("update Docker on that host")
        }
        _ => Finding::unknown(check, format!("its API's version `{told}` is none"))
            .remedy("`docker version` on that host shows it; 1.41 is the oldest that works"),
    }
}

fn user(seen: &Inspected) -> Finding {
    let check = Check::EngineUser;
    if seen.rootless {
        return Finding::ok(check, "it runs without root: a job that breaks out is that user");
    }
    if seen.user_namespaces {
        return Finding::ok(check, "it runs as root, and maps the users of containers to others");
    }
    Finding::ok(
        check,
        "it runs as root: who reaches its socket, as each runner does, is root there",
    )
}

fn limits(seen: &Inspected, host: &HostName, spec: &Spec) -> Finding {
    let check = Check::Limits;
    let cgroups = &seen.cgroups;
    let driver = cgroups.driver.as_deref();
    let version = cgroups.version.as_deref().unwrap_or("of a version that is not told");
    let words = format!("cgroup {version}, driver {}", driver.unwrap_or("not told"));
    let mut lacks = Vec::new();
    for (what, told) in [("memory", cgroups.memory), ("cpus", cgroups.cpus)] {
        if told == Some(false) || driver == Some("none") {
            lacks.push(what);
        }
    }
    let known = cgroups.memory.is_some() && cgroups.cpus.is_some();
    if lacks.is_empty() && known {
        return Finding::ok(check, format!("memory and cpus can be limited ({words})"));
    }
    let served = |arch: Arch| {
        let mut pools = pools_on(spec, host, arch);
        pools.any(|pool| pool.resources.is_some())
    };
    let wanted = seen.arch.is_none_or(served);
    if lacks.is_empty() {
        let found = format!("it does not tell whether it limits memory and cpus ({words})");
        return Finding::unknown(check, found).remedy("`docker info` on that host shows it");
    }
    let found = format!("it limits no {} ({words})", lacks.join(" and no "));
    let remedy = if seen.rootless {
        "without root that takes cgroup v2 and systemd, which delegates `cpu` and `memory` to the \
         user (see Docker's page on rootless mode)"
    } else {
        "switch these controllers on in the host's kernel (`cgroup_enable=memory` in its command line)"
    };
    if wanted {
        Finding::failed(check, format!("{found}, and a pool's `resources` ask for it"))
            .remedy(format!("{remedy}, or leave out `resources`"))
    } else {
        Finding::warning(check, format!("{found}: one job may take all there is")).remedy(remedy)
    }
}

fn clock_of(seen: &Inspected) -> Finding {
    match seen.clock_ahead {
        Some(ahead) => clock::judge(Check::EngineClock, "its clock", ahead),
        None => Finding::unknown(Check::EngineClock, "it does not tell its time")
            .remedy("compare `date` on both machines"),
    }
}

fn warnings(seen: &Inspected) -> Finding {
    if seen.warnings.is_empty() {
        return Finding::ok(Check::EngineWarnings, "it warns of nothing");
    }
    let words: Vec<&str> =
        seen.warnings.iter().map(|line| line.trim_start_matches("WARNING: ").trim()).collect();
    Finding::warning(Check::EngineWarnings, format!("it warns: {}", words.join("; ")))
        .remedy("`docker info` on that host shows the same at its end; Docker's docs name each")
}

fn disk(seen: &Inspected) -> Finding {
    let check = Check::Disk;
    let root = seen.root_dir.as_ref().map(|path| path.display().to_string());
    let Some(Disk { free, size }) = seen.disk else {
        let path = root.as_deref().unwrap_or("/var/lib/docker");
        return Finding::unknown(check, "its disk is not visible from here")
            .remedy(format!("`df -h {path}` on that host shows it; 10 GiB free are a good start"));
    };
    let path = root.unwrap_or_default();
    let found = format!("{} of {} free under `{path}`", gib(free), gib(size));
    let remedy = "free some: `docker system df` shows what takes it, `docker image prune` removes \
                  images without a name; `cache: discard` of a pool keeps less";
    if free < DISK_MIN {
        Finding::failed(check, found).remedy(remedy)
    } else if free < DISK_SMALL {
        Finding::warning(check, found).remedy(remedy)
    } else {
        Finding::ok(check, found)
    }
}

fn gib(bytes: u64) -> String {
    let tenths = bytes / ((1 << 30) / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// What pools ask for that the host serves, and whether it has that.
fn gpus(seen: &Inspected, host: &HostName, spec: &Spec) -> Finding {
    let check = Check::Gpus;
    let budget = spec.hosts.get(host);
    let gpus: &[Gpu] = match budget.map(|host| &host.budget.gpus) {
        Some(GpuBudget::These(gpus)) => gpus,
        None | Some(GpuBudget::Auto | GpuBudget::AtMost(_)) => &seen.gpus.gpus,
    };
    let of = |vendor: Vendor| gpus.iter().filter(|gpu| gpu.vendor == vendor).count();
    let vendors = [Vendor::Nvidia, Vendor::Amd, Vendor::Intel];
    let there = vendors.into_iter().filter(|vendor| of(*vendor) > 0);
    let there = there.map(|vendor| format!("{} {}", of(vendor), vendor.as_str()));
    let there = there.collect::<Vec<_>>().join(", ");
    let serves = |pool: &&Pool| budget.is_none_or(|host| host.pools.has(&pool.name));
    let mut asking = spec.pools.iter().filter(|pool| pool.enabled).filter(serves);
    let asks = asking.clone().any(|pool| pool.gpu.is_some());
    let lacking = asking.find_map(|pool| {
        let gpu =
            pool.gpu.filter(|gpu| of(gpu.vendor) < usize::try_from(gpu.count).unwrap_or(0))?;
        Some((pool, gpu))
    });
    if let Some((pool, gpu)) = lacking {
        let why = seen.gpus.missing.get(&gpu.vendor);
        let (why, hint) = why.and_then(|why| why.split_once("; hint: ")).unwrap_or((
            "it is not seen to have them",
            "declare them by `budget.gpus`, or let another host serve the pool",
        ));
        let text = format!("pool `{}` needs {gpu} for each job: {why}", pool.name);
        return Finding::warning(check, text).remedy(hint);
    }
    match (there.is_empty(), asks) {
        (true, _) => Finding::ok(check, "none that jobs could get, and no pool asks for any"),
        (false, true) => Finding::ok(check, there),
        (false, false) => Finding::ok(check, format!("{there}; no pool asks for any")),
    }
}
