//! The tree as JSON, each scalar coerced by its field's type: token `0123` stays text where a
//! string belongs, and `${WARM:-0}` becomes a number where one belongs.

use serde_json::{Map, Value};

use super::context::Context;
use super::fault::Code;
use super::node::{Kind, Node, Scalar};
use super::path::Path;
use super::report::Finding;
use super::scalar::{self, Plain};

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
        Kind::Scalar(scalar) => Some(match scalar_value(scalar, schemas) {
            Ok(value) => value,
            Err(hint) => {
                let message =
                    format!("`{}`: {} is read in two ways", path.field(), context.shown(path));
                context.add(path, Finding::error(Code::WrongType, message).hint(hint));
                scalar.text.as_str().into()
            }
        }),
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

/// The error: what to write instead of what nobody can be sure of.
fn scalar_value(scalar: &Scalar, schemas: &[&Value]) -> Result<Value, &'static str> {
    let text = scalar.text.as_str();
    if scalar.is_null() {
        return Ok(Value::Null);
    }
    let from_variable = !scalar.variables.is_empty();
    if !scalar.plain && !from_variable {
        return Ok(text.into());
    }
    let takes = |name: &str| schemas.iter().any(|schema| takes(schema, name));
    let anything = schemas.is_empty() || schemas.iter().all(|schema| is_anything(schema));
    // Where any type fits, what is written without quotes means what YAML says it means.
    let anything = anything && scalar.plain;
    Ok(match scalar::plain(text) {
        Plain::Number(number) if takes("integer") => Value::Number(scalar::whole(number)),
        Plain::Number(number) if anything || takes("number") => Value::Number(number),
        Plain::Bool(flag) if anything || takes("boolean") => flag.into(),
        Plain::Ambiguous(hint) if anything => return Err(hint),
        Plain::Number(_) | Plain::Bool(_) | Plain::Ambiguous(_) | Plain::Text => text.into(),
    })
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
