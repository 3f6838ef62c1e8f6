//! Two schemas from one set of types: the published one, for editors, takes a variable wherever a
//! value may stand; the strict one is applied once variables are replaced.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

use super::section::RawSpec;

/// What a key's row says beside its form: what a change of it does, and whether a spec that is pushed
/// to GitLab may set it.
const OWN: [&str; 2] = ["x-change", "x-pushed"];

/// The schema to publish, as JSON text.
pub fn schema_json() -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(VariablesToo);
    let schema = settings.into_generator().into_root_schema_for::<RawSpec>();
    // The alternate form is indented, and cannot fail.
    format!("{:#}\n", schema.as_value())
}

/// The schema of a file whose variables are replaced: inlined, so that a value's type is found by
/// walking it.
pub(super) fn strict() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(NoNull);
    settings.into_generator().into_root_schema_for::<RawSpec>().to_value()
}

/// Lets everything but free text also be a string with a variable, and puts the patterns of our
/// own formats in place of formats that no editor knows.
#[derive(Debug, Clone)]
struct VariablesToo;

impl Transform for VariablesToo {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let format = schema.remove("format");
        match format.as_ref().and_then(Value::as_str) {
            Some("time-span") => {
                schema.insert("pattern".into(), json!(r"^\s*(\d+\s*[a-zA-Z]+\s*)+$"));
            }
            Some("byte-size") => {
                schema.insert("pattern".into(), json!(r"^\d+(\.\d+)?\s*([kKMGT]i?)?B$"));
            }
            _ => {}
        }
        for own in OWN {
            if schema.get(own).is_some_and(Value::is_null) {
                schema.remove(own);
            }
        }
        if takes_variables_already(schema) {
            return;
        }
        let annotations = ["title", "description", "default"].into_iter().chain(OWN);
        let mut strict = std::mem::take(schema.ensure_object());
        let mut outer = serde_json::Map::new();
        for annotation in annotations {
            if let Some(value) = strict.shift_remove(annotation) {
                outer.insert(annotation.to_owned(), value);
            }
        }
        let variable = json!({ "type": "string", "pattern": r"\$\{" });
        outer.insert("anyOf".to_owned(), json!([strict, variable]));
        *schema.ensure_object() = outer;
    }
}

/// Mappings and lists take no variable; free text takes any.
fn takes_variables_already(schema: &Schema) -> bool {
    let Some(types) = schema.get("type") else { return true };
    let has = |name: &str| {
        let several = types.as_array();
        types == name || several.is_some_and(|several| several.iter().any(|one| one == name))
    };
    let limits = ["enum", "const", "pattern", "minLength"];
    let free_text = has("string") && !limits.iter().any(|limit| schema.get(*limit).is_some());
    has("object") || has("array") || free_text || types == "null"
}

/// A `null` is gone before the strict schema is applied: it means that the key is not given.
#[derive(Debug, Clone)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|one| one != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(words)) = object.get_mut("enum") {
            words.retain(|word| !word.is_null());
        }
        if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
            branches.retain(|branch| branch.get("type") != Some(&json!("null")));
            if let [Value::Object(only)] = branches.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
    }
}
