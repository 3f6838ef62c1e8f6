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
}
