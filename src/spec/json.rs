//! The tree as JSON, each scalar coerced by its field's type: token `0123` stays text where a
//! string belongs, and `${WARM:-0}` becomes a number where one belongs.

use serde_json::{Map, Number, Value};

use super::context::Context;
use super::node::{Kind, Node, Scalar};
use super::path::Path;

/// The whole tree by the strict schema. Unknown values are noted in the context.
pub(super) fn coerced(context: &mut Context<'_>, schema: &Value) -> Value {
    let tree = context.tree.clone();
    let branches = branches(schema);
    value(&tree, &branches, &Path::default(), context).unwrap_or(Value::Null)
}

/// The alternatives that a schema offers.
pub(super) fn branches(schema: &Value) -> Vec<&Value> {
    let unions = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(key)?.as_array());
    let inner: Vec<&Value> = unions.flatten().flat_map(branches).collect();
    if inner.is_empty() { vec![schema] } else { inner }
}

pub(super) fn below<'s>(
    schemas: &[&'s Value],
    step: impl Fn(&'s Value) -> Option<&'s Value>,
) -> Vec<&'s Value> {
    schemas.iter().filter_map(|schema| step(schema)).flat_map(branches).collect()
}

fn value(node: &Node, schemas: &[&Value], path: &Path, context: &mut Context<'_>) -> Option<Value> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar_value(scalar, schemas)),
        Kind::Unknown => {
            context.set_unknown(path.clone());
            None
        }
        Kind::List(items) => {
            let schemas = below(schemas, |schema| schema.get("items"));
            let mut values = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let value = value(item, &schemas, &path.join(&index.to_string()), context);
                // A place-holder of its own, so that the others keep their positions.
                values.push(value.unwrap_or_else(|| format!("unknown-{index}").into()));
            }
            Some(Value::Array(values))
        }
        Kind::Map(entries) => {
            let mut object = Map::new();
            for entry in entries {
                let schemas = below(schemas, |schema| {
                    let known = schema.get("properties").and_then(|known| known.get(&entry.key));
                    known.or_else(|| schema.get("additionalProperties"))
                });
                let path = path.join(&entry.key);
                match value(&entry.value, &schemas, &path, context) {
                    // `null` says that the key is not given, as against what `defaults` say.
                    None | Some(Value::Null) => {}
                    Some(value) => {
                        object.insert(entry.key.clone(), value);
                    }
                }
            }
            Some(Value::Object(object))
        }
    }
}

fn scalar_value(scalar: &Scalar, schemas: &[&Value]) -> Value {
    let text = scalar.text.as_str();
    if scalar.is_null() {
        return Value::Null;
    }
    let from_variable = !scalar.variables.is_empty();
    if !scalar.plain && !from_variable {
        return text.into();
    }
    let takes = |name: &str| schemas.iter().any(|schema| takes(schema, name));
    let anything = schemas.is_empty() || schemas.iter().all(|schema| is_anything(schema));
    // Where any type fits, what is written without quotes means what YAML says it means.
    let anything = anything && scalar.plain;
    if let Some(number) = number(text).filter(|_| anything || takes("number") || takes("integer")) {
        return Value::Number(number);
    }
    match text {
        "true" if anything || takes("boolean") => true.into(),
        "false" if anything || takes("boolean") => false.into(),
        _ => text.into(),
    }
}

fn takes(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    }
}

fn is_anything(schema: &Value) -> bool {
    schema.as_bool() == Some(true) || (schema.get("type").is_none() && schema.get("enum").is_none())
}

/// A decimal number as YAML and JSON both write it. Leading zeros make it text: an octal number
/// to some readers, and a token to others.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if zeros || !decimal {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
