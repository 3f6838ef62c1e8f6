//! `runner_config` may add anything that gitlab-runner knows, except what AutoGit writes itself.

use crate::spec::Pool;
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::runner_config::config_faults;

pub(super) fn check(pool: &Pool, path: &Path, subject: &str, context: &mut Context<'_>) {
    let path = path.join("runner_config");
    for fault in config_faults(&pool.runner_config) {
        let at = fault.keys.iter().fold(path.clone(), |path, key| path.join(key));
        let keys: Vec<&str> = fault.keys.iter().map(|key| named(key)).collect();
        let message = format!("`runner_config.{}` {}", keys.join("."), fault.what);
        let finding = Finding::error(Code::Conflict, message).hint(fault.hint);
        context.add_at_key(&at, finding.about(subject));
    }
    if let Some(at) = devices_beside_gpus(pool) {
        let finding = Finding::error(
            Code::Conflict,
            "`runner_config.docker.devices` is written by AutoGit where a pool has GPUs",
        )
        .hint("remove it: a pool without `gpu` may have it");
        let path = at.iter().fold(path, |path, key| path.join(key));
        context.add_at_key(&path, finding.about(subject));
    }
}

/// They would replace the nodes of its GPUs, or add those of others'. gitlab-runner's keys are read in
/// any letter case.
fn devices_beside_gpus(pool: &Pool) -> Option<[String; 2]> {
    pool.gpu?;
    let docker = pool.runner_config.get("docker")?.as_object()?;
    let key = docker.keys().find(|key| key.eq_ignore_ascii_case("devices"))?;
    Some(["docker".to_owned(), key.clone()])
}
