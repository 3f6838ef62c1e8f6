//! The runners' images on a host, and the architectures that pools ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::engine::HostFacts;
use super::finding::{Finding, Fix};
use crate::engine::inspection::{ImageSeen, Inspected};
use crate::spec::{Arch, HostName, Pool, PullPolicy, RUNNER_VERSION_MIN, Spec, runner_version};
use crate::world::pools_on;

/// Each image that a runner on that host would be made from.
pub(super) fn judge(host: &HostName, spec: &Spec, seen: &Inspected) -> Vec<Finding> {
    let Some(arch) = seen.arch else {
        let unknown = |check| {
            Finding::unknown(check, "it tells no architecture that AutoGit knows")
                .remedy("`docker info` on that host shows it; see the README for those that work")
        };
        return vec![unknown(Check::Image), unknown(Check::RunnerVersion)];
    };
    let mut policies: BTreeMap<&str, BTreeSet<PullPolicy>> = BTreeMap::new();
    for pool in pools_on(spec, host, arch) {
        policies.entry(&pool.runner_image).or_default().insert(pool.pull_policy);
    }
    if policies.is_empty() {
        let none = |check| Finding::ok(check, "no pool has runners there");
        return vec![none(Check::Image), none(Check::RunnerVersion)];
    }
    let judged = policies.into_iter().flat_map(|(image, policies)| {
        let told = seen.images.get(image);
        let presence = match told {
            Some(Ok(shown)) => present(host, image, arch, shown.as_ref(), &policies),
            Some(Err(error)) => Finding::unknown(Check::Image, error.to_string()),
            None => Finding::unknown(Check::Image, "the engine was not asked"),
        };
        let shown = told.and_then(|told| told.as_ref().ok()).and_then(Option::as_ref);
        let version = version(image, shown);
        [presence.about(&format!("`{image}`")), version.about(&format!("`{image}`"))]
    });
    judged.collect()
}

fn present(
    host: &HostName,
    image: &str,
    arch: Arch,
    shown: Option<&ImageSeen>,
    policies: &BTreeSet<PullPolicy>,
) -> Finding {
    let check = Check::Image;
    let other = match shown {
        Some(ImageSeen { arch: Some(other), .. }) if *other != arch => Some(*other),
        Some(_) => return Finding::ok(check, "is there"),
        None => None,
    };
    let found = match other {
        Some(other) => format!("is there for {other}, and the host is {arch}"),
        None => "is not there".to_owned(),
    };
    if policies.contains(&PullPolicy::Never) {
        return Finding::failed(check, format!("{found}, and `pull_policy: never` forbids to pull it"))
            .remedy(format!(
                "`docker pull --platform {} {image}` on that host, or set `pull_policy: if-not-present`",
                arch.platform()
            ));
    }
    let fix = Fix::PullImage { host: host.clone(), image: image.to_owned(), arch };
    Finding::warning(check, format!("{found}: the first runner waits until it is pulled"))
        .remedy("`autogit doctor --fix` pulls it now")
        .fix(fix)
}

/// By the tag of an official image, else by the label that its builder may have set.
fn version(image: &str, shown: Option<&ImageSeen>) -> Finding {
    let check = Check::RunnerVersion;
    let labelled = || {
        let label = shown?.version.as_deref()?.trim_start_matches('v');
        let mut numbers = label.split('.').map(str::parse::<u32>);
        match (numbers.next()?, numbers.next()?) {
            (Ok(major), Ok(minor)) => Some((major, minor)),
            _ => None,
        }
    };
    let (least_major, least_minor) = RUNNER_VERSION_MIN;
    match runner_version(image).or_else(labelled) {
        Some((major, minor)) if (major, minor) >= RUNNER_VERSION_MIN => {
            Finding::ok(check, format!("holds gitlab-runner {major}.{minor}"))
        }
        Some((major, minor)) => {
            let found = format!(
                "holds gitlab-runner {major}.{minor}, and {least_major}.{least_minor} is the oldest that works"
            );
            Finding::failed(check, found)
                .remedy("set `runner_image` to a newer one, as in `gitlab/gitlab-runner:alpine-v19.3.0`")
        }
        None => Finding::unknown(check, "neither its tag nor its labels tell its version").remedy(format!(
            "`docker run --rm --entrypoint gitlab-runner {image} --version` on that host tells it; \
             {least_major}.{least_minor} is the oldest that works"
        )),
    }
}

/// Each architecture that a pool asks for has a host that serves it.
pub fn architectures(spec: &Spec, hosts: &BTreeMap<HostName, HostFacts>) -> Vec<Finding> {
    let check = Check::Architectures;
    let unseen: Vec<&str> = hosts
        .iter()
        .filter(|(_, facts)| !facts.inspected.as_ref().is_ok_and(|seen| seen.arch.is_some()))
        .map(|(host, _)| host.as_str())
        .collect();
    let enabled = spec.pools.iter().filter(|pool| pool.enabled);
    let mut findings = Vec::new();
    for pool in enabled {
        for arch in &pool.architectures {
            let emulated = || pool.emulate && emulates(pool, *arch, spec, hosts);
            if !has_host(pool, *arch, spec, hosts) && !emulated() {
                let finding = if unseen.is_empty() {
                    without_host(*arch, hosts)
                } else {
                    let found = format!(
                        "no host that answers is {arch}; {} did not answer",
                        unseen.join(", ")
                    );
                    Finding::behind(check, Check::Engine, found)
                };
                findings.push(finding.about(&format!("pool {}", pool.name)));
            }
        }
    }
    if findings.is_empty() {
        let seen: BTreeSet<Arch> = hosts.values().filter_map(arch_of).collect();
        let seen: Vec<&str> = seen.into_iter().map(Arch::as_str).collect();
        let finding = if unseen.is_empty() {
            Finding::ok(check, format!("each pool has a host; the hosts are {}", seen.join(", ")))
        } else {
            let found = format!("{} did not answer", unseen.join(", "));
            Finding::behind(check, Check::Engine, found)
        };
        findings.push(finding);
    }
    findings
}

fn has_host(pool: &Pool, arch: Arch, spec: &Spec, hosts: &BTreeMap<HostName, HostFacts>) -> bool {
    let native = hosts.iter().filter(|(_, facts)| arch_of(facts) == Some(arch));
    let mut serving = native.flat_map(|(host, _)| pools_on(spec, host, arch));
    serving.any(|served| served.name == pool.name)
}

/// A host that serves the pool runs that architecture through QEMU.
fn emulates(pool: &Pool, arch: Arch, spec: &Spec, hosts: &BTreeMap<HostName, HostFacts>) -> bool {
    hosts.iter().any(|(name, facts)| {
        let Some(declared) = spec.hosts.get(name) else { return false };
        let seen = facts.inspected.as_ref().ok().and_then(|seen| seen.emulates.as_ref());
        let does = declared.emulates.contains(&arch) || seen.is_some_and(|all| all.contains(&arch));
        does && declared.pools.has(&pool.name)
    })
}

fn without_host(arch: Arch, hosts: &BTreeMap<HostName, HostFacts>) -> Finding {
    let may = |facts: &HostFacts| {
        let seen = facts.inspected.as_ref().ok()?;
        Some(seen.emulates.as_ref()?.contains(&arch))
    };
    let by_qemu: Vec<&str> = hosts
        .iter()
        .filter(|(_, facts)| may(facts) == Some(true))
        .map(|(host, _)| host.as_str())
        .collect();
    let through_qemu = if by_qemu.is_empty() {
        String::new()
    } else {
        format!(
            " ({} runs it through QEMU, which takes `emulate: true` of the pool)",
            by_qemu.join(", ")
        )
    };
    let found = format!("it asks for {arch}, and no host that serves it is {arch}{through_qemu}");
    Finding::failed(Check::Architectures, found)
        .remedy(format!("declare a host of {arch}, or take it out of the pool's `architectures`"))
}

fn arch_of(facts: &HostFacts) -> Option<Arch> {
    facts.inspected.as_ref().ok()?.arch
}
