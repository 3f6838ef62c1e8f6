//! `runner_config`: what else gitlab-runner knows, merged in last.
//!
//! What has a field of its own in the spec is refused here: said twice, the planner would count
//! with one value and the job would run with the other. gitlab-runner reads keys without regard
//! to case, so they are compared that way.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::RunnerConfigError;

/// Keys that are ours, and the field of the spec that says them; empty: none does.
const RESERVED: &[(&str, &str)] = &[
    ("name", ""),
    ("url", "gitlab.runner_url"),
    ("token", "runner_token"),
    ("executor", ""),
    ("clone_url", "gitlab.clone_url"),
    ("tls-ca-file", "gitlab.ca_file"),
    ("environment", "job.environment"),
    ("feature_flags.ff_network_per_build", "job.network"),
    ("docker.host", "hosts.<host>.socket"),
    ("docker.image", "job.image"),
    ("docker.privileged", "job.privileged"),
    ("docker.cap_drop", "job.capabilities"),
    ("docker.cap_add", "job.capabilities"),
    ("docker.cpus", "resources.cpus"),
    ("docker.memory", "resources.memory"),
    ("docker.service_cpus", "resources.services.cpus"),
    ("docker.service_memory", "resources.services.memory"),
    ("docker.services_limit", "resources.services.max"),
    ("docker.network_mode", "job.network"),
    ("docker.volumes", "job.volumes"),
    ("docker.disable_cache", "cache"),
    ("docker.pull_policy", "job.pull_policy"),
    ("docker.allowed_images", "job.allowed_images"),
    ("docker.allowed_services", "job.allowed_services"),
];

/// Labels by which AutoGit knows its own.
const OUR_LABELS: &str = "docker.container_labels.io.autogit.";

/// Merges `extra` into `ours`: tables deeply, all else replaces.
pub(super) fn merge(
    ours: &mut Table,
    extra: &serde_json::Map<String, Json>,
) -> Result<(), RunnerConfigError> {
    merge_at("", ours, extra)
}

fn merge_at(
    path: &str,
    ours: &mut Table,
    extra: &serde_json::Map<String, Json>,
) -> Result<(), RunnerConfigError> {
    for (name, value) in extra {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        refuse_reserved(&key)?;
        refuse_other_spelling(&key, name, ours)?;
        match (ours.get_mut(name), value) {
            (Some(Value::Table(table)), Json::Object(extra)) => merge_at(&key, table, extra)?,
            (Some(Value::Table(_)), _) => {
                let hint = "give it keys of its own";
                return Err(RunnerConfigError::Misfit { key, what: "no map", hint });
            }
            (_, value) => {
                let value = converted(&key, value)?;
                ours.insert(name.clone(), value);
            }
        }
    }
    Ok(())
}

fn refuse_reserved(key: &str) -> Result<(), RunnerConfigError> {
    let lower = key.to_lowercase();
    let field = RESERVED.iter().find(|(reserved, _)| *reserved == lower).map(|(_, field)| *field);
    let field = field.or_else(|| lower.starts_with(OUR_LABELS).then_some(""));
    let hint = match field {
        None => return Ok(()),
        Some("") => "remove it".to_owned(),
        Some(field) => format!("use `{field}`"),
    };
    Err(RunnerConfigError::Reserved { key: key.to_owned(), hint })
}

/// Two spellings of one key would leave it to gitlab-runner which of them counts.
fn refuse_other_spelling(key: &str, name: &str, ours: &Table) -> Result<(), RunnerConfigError> {
    let same = |known: &&String| known.as_str() != name && known.eq_ignore_ascii_case(name);
    match ours.keys().find(same) {
        None => Ok(()),
        Some(known) => {
            let hint = format!("write it `{known}`");
            Err(RunnerConfigError::Reserved { key: key.to_owned(), hint })
        }
    }
}

fn converted(key: &str, value: &Json) -> Result<Value, RunnerConfigError> {
    Ok(match value {
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::String(text) => Value::String(text.clone()),
        Json::Number(number) => converted_number(key, number)?,
        Json::Array(items) => {
            let items = items.iter().map(|item| converted(key, item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Json::Object(extra) => {
            let mut table = Table::new();
            merge_at(key, &mut table, extra)?;
            Value::Table(table)
        }
        Json::Null => {
            let hint = "remove it, or give it a value";
            return Err(RunnerConfigError::Misfit { key: key.to_owned(), what: "empty", hint });
        }
    })
}

fn converted_number(key: &str, number: &serde_json::Number) -> Result<Value, RunnerConfigError> {
    if let Some(whole) = number.as_i64() {
        return Ok(Value::Integer(whole));
    }
    number.as_f64().filter(|_| !number.is_u64()).map(Value::Float).ok_or_else(|| {
        let hint = "use a number below 9223372036854775808";
        RunnerConfigError::Misfit { key: key.to_owned(), what: "too large a number", hint }
    })
}
