//! A short name for what a file says.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::hidden::is_secret_name;

/// Twelve hex digits of `value` without its secrets.
pub(super) fn of(value: &Value) -> String {
    let digest = Sha256::digest(without_secrets(value).to_string().as_bytes());
    digest.iter().take(6).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().map(|(key, value)| {
                let value = match value {
                    Value::String(_) if is_secret_name(key) => "***".into(),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => without_secrets(value),
                };
                (key.clone(), value)
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
