//! `runner_config` may add anything that gitlab-runner knows, except what AutoGit writes itself.

use serde_json::{Map, Value};

use crate::spec::Pool;
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;

/// Keys under `[[runners]]` that are AutoGit's, and the field that sets each, if one does.
const OURS: &[(&str, Option<&str>)] = &[
    ("id", None),
    ("name", None),
    ("url", Some("gitlab.runner_url")),
    ("token", Some("runner_token")),
    ("token_obtained_at", None),
    ("token_expires_at", None),
    ("system_id", None),
    ("executor", None),
    ("limit", Some("max")),
    ("clone_url", Some("gitlab.clone_url")),
    ("environment", Some("job.environment")),
    ("tls-ca-file", Some("gitlab.ca_file")),
];

/// The same under `[runners.docker]`.
const OURS_OF_DOCKER: &[(&str, Option<&str>)] = &[
    ("host", Some("hosts")),
    ("image", Some("job.image")),
    ("privileged", Some("job.privileged")),
    ("cap_add", Some("job.capabilities")),
    ("cap_drop", Some("job.capabilities")),
    ("pull_policy", Some("job.pull_policy")),
    ("volumes", Some("job.volumes")),
    ("allowed_images", Some("job.allowed_images")),
    ("allowed_services", Some("job.allowed_services")),
    ("network_mode", Some("job.network")),
    ("cpus", Some("resources")),
    ("memory", Some("resources")),
    ("service_cpus", Some("resources.services")),
    ("service_memory", Some("resources.services")),
    ("services_limit", Some("resources.services")),
    ("disable_cache", Some("cache")),
    ("gpus", Some("gpu")),
    ("service_gpus", Some("gpu")),
    ("security_opt", None),
    ("container_labels", None),
];

pub(super) fn check(pool: &Pool, context: &mut Context<'_>) {
    let path = Path::of("pools").join(pool.name.as_str()).join("runner_config");
    refuse(&pool.runner_config, OURS, &path, pool, context);
    if let Some(Value::Object(docker)) = pool.runner_config.get("docker") {
        refuse(docker, OURS_OF_DOCKER, &path.join("docker"), pool, context);
    }
    for (key, value) in &pool.runner_config {
        let is_table = matches!(value, Value::Object(_));
        if matches!(key.as_str(), "docker" | "feature_flags") && !is_table {
            let message =
                format!("`{key}` takes a mapping, not {}", context.shown(&path.join(key)));
            context.add(&path.join(key), Finding::error(Code::WrongType, message));
        }
    }
}

fn refuse(
    given: &Map<String, Value>,
    ours: &[(&str, Option<&str>)],
    path: &Path,
    pool: &Pool,
    context: &mut Context<'_>,
) {
    for (key, field) in ours {
        if !given.contains_key(*key) {
            continue;
        }
        let hint = match field {
            Some(field) => format!("set `{field}` instead"),
            None => "remove it".to_owned(),
        };
        let message = format!("`runner_config` cannot set `{key}`, which is AutoGit's own");
        let finding = Finding::error(Code::Conflict, message).hint(hint);
        context.add_at_key(&path.join(key), finding.about(format!("pool `{}`", pool.name)));
    }
}
