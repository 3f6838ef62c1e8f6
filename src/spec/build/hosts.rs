//! The `hosts` section.

use std::collections::BTreeMap;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::{RawBudget, RawHost, RawTls};
use crate::spec::values;
use crate::spec::{BudgetSpec, HostName, HostSpec, PoolName, ServedPools, TlsSpec};

pub(super) fn build(
    raw: Option<BTreeMap<String, RawHost>>,
    context: &mut Context<'_>,
) -> BTreeMap<HostName, HostSpec> {
    let section = Path::of("hosts");
    let mut hosts = BTreeMap::new();
    let Some(raw) = raw else {
        hosts.extend(HostName::new("local").ok().map(|name| (name, HostSpec::default())));
        return hosts;
    };
    for (word, raw) in raw {
        let path = section.join(&word);
        match HostName::new(&word) {
            Ok(name) => {
                hosts.insert(name, host(raw, &path, context));
            }
            Err(error) => {
                host(raw, &path, context);
                let message = format!("`{}` is {error}", named(&word));
                context.add_at_key(&path, Finding::error(Code::BadValue, message));
            }
        }
    }
    hosts
}

fn host(raw: RawHost, path: &Path, context: &mut Context<'_>) -> HostSpec {
    let not_yet = [
        ("swarm", raw.swarm == Some(true)),
        ("nodes", raw.nodes.is_some_and(|nodes| !nodes.is_empty())),
    ];
    for (key, asked) in not_yet {
        if asked {
            let message = format!("`{key}` is not supported yet");
            let finding = Finding::error(Code::NotSupportedYet, message).hint("remove it");
            context.add_at_key(&path.join(key), finding);
        }
    }
    let docker = context.read(&path.join("docker"), raw.docker, values::endpoint);
    let tls = raw.tls.map(tls);
    transport(docker.as_deref(), tls.is_some(), path, context);
    let free_of = raw.budget.as_ref().and_then(|budget| budget.disk_free.as_ref());
    if free_of.is_some() {
        unseen_disk(docker.as_deref(), &path.join("budget").join("disk_free"), context);
    }
    HostSpec {
        docker,
        tls,
        socket: raw.socket.map(Into::into),
        budget: budget(raw.budget.unwrap_or_default(), &path.join("budget"), context),
        maintenance: raw.maintenance.unwrap_or(false),
        emulates: raw.emulates.unwrap_or_default().into_iter().map(super::pool::arch).collect(),
        pools: raw.pools.map_or(ServedPools::All, |words| {
            ServedPools::These(pools(&words, &path.join("pools"), context))
        }),
    }
}

/// Certificates belong to tcp, and tcp needs them.
fn transport(docker: Option<&str>, tls: bool, path: &Path, context: &mut Context<'_>) {
    let Some(docker) = docker else { return };
    let tcp = docker.starts_with("tcp://");
    if tls && !tcp {
        let finding = Finding::error(Code::Conflict, "`tls` is for `tcp://` endpoints only")
            .hint("remove it");
        context.add_at_key(&path.join("tls"), finding);
    }
    let host = values::host_of(docker);
    if tcp && !tls && !host.is_some_and(|host| values::is_local(&host)) {
        let message = "`tcp://` without `tls` gives the host to everyone on its network";
        let finding = Finding::warning(Code::Unsafe, message)
            .hint("set `tls: {ca, cert, key}`, or use `ssh://`");
        context.add(&path.join("docker"), finding);
    }
}

/// What is free is seen on AutoGit's own machine alone.
fn unseen_disk(docker: Option<&str>, path: &Path, context: &mut Context<'_>) {
    if docker.is_some_and(|docker| !docker.starts_with("unix://")) {
        let message = "`disk_free` has no effect here: AutoGit sees what is free only on the machine \
                       that it runs on";
        let finding = Finding::warning(Code::Doubtful, message).hint("limit `disk` instead");
        context.add(path, finding);
    }
}

fn tls(raw: RawTls) -> TlsSpec {
    TlsSpec {
        ca: raw.ca.unwrap_or_default().into(),
        cert: raw.cert.unwrap_or_default().into(),
        key: raw.key.unwrap_or_default().into(),
    }
}

fn budget(raw: RawBudget, path: &Path, context: &mut Context<'_>) -> BudgetSpec {
    BudgetSpec {
        runners: raw.runners,
        cpus: raw.cpus,
        memory: context.read(&path.join("memory"), raw.memory, values::size),
        disk: context.read(&path.join("disk"), raw.disk, values::size),
        disk_free: context.read(&path.join("disk_free"), raw.disk_free, values::size),
        gpus: super::gpus::build(raw.gpus, &path.join("gpus"), context),
    }
}

/// Names of pools that the file has.
fn pools(words: &[String], path: &Path, context: &mut Context<'_>) -> Vec<PoolName> {
    let declared = context.tree.at(&Path::of("pools"));
    let declared: Vec<String> = declared
        .into_iter()
        .flat_map(crate::spec::node::Node::entries)
        .map(|entry| entry.key.clone())
        .collect();
    let mut names = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if declared.contains(word) {
            names.extend(PoolName::new(word));
            continue;
        }
        let path = path.join(&index.to_string());
        let near = crate::spec::nearest::nearest(word, declared.iter().map(String::as_str));
        let near = near.filter(|near| named(near) == *near);
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("no pool is named {}", context.shown(&path));
        context.add(&path, Finding::error(Code::Conflict, message).maybe_hint(hint));
    }
    names
}
