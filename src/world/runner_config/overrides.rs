//! `runner_config`: what else gitlab-runner knows, merged in last. What may not be said there is
//! decided by the spec, whose check is made again here: nothing else keeps our own keys ours.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::RunnerConfigError;
use crate::spec::config_faults;

/// Merges `extra` into `ours`: tables deeply, all else replaces.
pub(super) fn merge(
    ours: &mut Table,
    extra: &serde_json::Map<String, Json>,
) -> Result<(), RunnerConfigError> {
    if let Some(fault) = config_faults(extra).into_iter().next() {
        let (key, what, hint) = (fault.keys.join("."), fault.what, fault.hint);
        return Err(RunnerConfigError::Refused { key, what, hint });
    }
    merge_tables(ours, extra);
    Ok(())
}

fn merge_tables(ours: &mut Table, extra: &serde_json::Map<String, Json>) {
    for (name, value) in extra {
        match (ours.get_mut(name), value) {
            (Some(Value::Table(table)), Json::Object(extra)) => merge_tables(table, extra),
            (_, value) => {
                ours.extend(converted(value).map(|value| (name.clone(), value)));
            }
        }
    }
}

/// `None`: TOML has no place for it, and it is refused before.
fn converted(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::String(text) => Value::String(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64()?),
        },
        Json::Array(items) => Value::Array(items.iter().filter_map(converted).collect()),
        Json::Object(extra) => {
            let mut table = Table::new();
            merge_tables(&mut table, extra);
            Value::Table(table)
        }
        Json::Null => return None,
    })
}
