//! What `runner_config` may not say: one table for `check` and for whoever writes `config.toml`.
//!
//! What has a field of its own in the spec is refused: said twice, the planner would count with one
//! value and the job would run with the other. gitlab-runner reads keys without regard to case, so
//! they are compared that way.

use serde_json::{Map, Value};

/// Keys that are AutoGit's, in lower case and dotted form, and the field that says them; empty:
/// none does.
const RESERVED: &[(&str, &str)] = &[
    ("id", ""),
    ("name", ""),
    ("url", "gitlab.runner_url"),
    ("token", "runner_token"),
    ("token_obtained_at", ""),
    ("token_expires_at", ""),
    ("system_id", ""),
    ("executor", ""),
    ("limit", "max"),
    ("clone_url", "gitlab.clone_url"),
    ("tls-ca-file", "gitlab.ca_file"),
    ("environment", "job.environment"),
    ("feature_flags.ff_network_per_build", "job.network"),
    ("docker.host", "hosts.<host>.socket"),
    ("docker.image", "job.image"),
    ("docker.privileged", "job.privileged"),
    ("docker.cap_drop", "job.capabilities"),
    ("docker.cap_add", "job.capabilities"),
    ("docker.security_opt", ""),
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
    ("docker.gpus", "gpu"),
    ("docker.service_gpus", "gpu"),
];

/// Where labels of jobs' containers are said.
const LABELS: &str = "docker.container_labels.";

/// What labels begin with by which AutoGit knows its own containers and those of its runners' jobs,
/// and who writes them. gitlab-runner would let an operator's replace its own.
const OWNED_LABELS: [(&str, &str); 2] =
    [("io.autogit.", "AutoGit"), ("com.gitlab.gitlab-runner.", "gitlab-runner")];

/// Who alone may write the label of that name.
pub(super) fn reserved_label(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let owner = OWNED_LABELS.iter().find(|(prefix, _)| name.starts_with(prefix));
    owner.map(|(_, owner)| *owner)
}

/// Tables that AutoGit writes into, so that only one spelling of each is one table.
const SHARED: &[&str] = &["docker", "docker.container_labels", "feature_flags"];

/// Something in `runner_config` that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The keys that lead to it.
    pub keys: Vec<String>,
    /// What is wrong with it, read on from the key's name.
    pub what: &'static str,
    /// What to do about it.
    pub hint: String,
}

/// All that cannot be written of `config`.
pub fn config_faults(config: &Map<String, Value>) -> Vec<ConfigFault> {
    let mut faults = Vec::new();
    table(config, &mut Vec::new(), &mut faults);
    faults
}

fn table(given: &Map<String, Value>, above: &mut Vec<String>, faults: &mut Vec<ConfigFault>) {
    for (name, value) in given {
        above.push(name.clone());
        match refusal(&above.join("."), value) {
            Some((what, hint)) => faults.push(ConfigFault { keys: above.clone(), what, hint }),
            None => below(value, above, faults),
        }
        above.pop();
    }
}

fn below(value: &Value, above: &mut Vec<String>, faults: &mut Vec<ConfigFault>) {
    match value {
        Value::Object(inner) => table(inner, above, faults),
        Value::Array(items) => {
            for item in items {
                match refusal_of_value(item) {
                    Some((what, hint)) => {
                        faults.push(ConfigFault { keys: above.clone(), what, hint: hint.into() });
                    }
                    None => below(item, above, faults),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn refusal(key: &str, value: &Value) -> Option<(&'static str, String)> {
    const OURS: &str = "is written by AutoGit";
    let lower = key.to_lowercase();
    if let Some((_, field)) = RESERVED.iter().find(|(reserved, _)| *reserved == lower) {
        let hint = if field.is_empty() { "remove it".into() } else { format!("use `{field}`") };
        return Some((OURS, hint));
    }
    match lower.strip_prefix(LABELS).and_then(reserved_label) {
        Some("gitlab-runner") => {
            return Some(("is written by gitlab-runner", "remove it".to_owned()));
        }
        Some(_) => return Some((OURS, "remove it".to_owned())),
        None => {}
    }
    if SHARED.contains(&lower.as_str()) {
        if lower != key {
            let name = lower.rsplit('.').next().unwrap_or_default();
            return Some((OURS, format!("write it `{name}`")));
        }
        if !value.is_object() {
            return Some(("is no map", "give it keys of its own".to_owned()));
        }
    }
    refusal_of_value(value).map(|(what, hint)| (what, hint.to_owned()))
}

/// What TOML has no place for.
fn refusal_of_value(value: &Value) -> Option<(&'static str, &'static str)> {
    match value {
        Value::Null => Some(("is empty", "remove it, or give it a value")),
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Some(("is too large a number", "use a number below 9223372036854775808"))
        }
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}
