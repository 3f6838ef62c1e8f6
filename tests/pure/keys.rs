//! The keys of `autogit.yaml` as the published schema has them.

use serde_json::Value;

/// A key, in the schema's order; `defaults`, whose keys are a pool's, has none below it here.
#[derive(Debug)]
pub(crate) struct Key {
    /// The keys above it and itself, as in `pools`, `NAME`, `max`.
    pub(crate) path: Vec<String>,
    pub(crate) is_required: bool,
    /// The description without the default, in one line.
    pub(crate) meaning: String,
    /// As the description says it.
    pub(crate) default: Option<String>,
    /// What a change of it does; `None`: it has keys of its own that say so.
    pub(crate) change: Option<String>,
    /// Whether a spec that is pushed to GitLab may set it; `None`: its keys say so.
    pub(crate) pushed: Option<String>,
    /// That is said above, for all below.
    pub(crate) is_part: bool,
    /// The forms that a value may have, without those that stand for a variable and for nothing.
    pub(crate) forms: Vec<Value>,
    /// The same in words.
    pub(crate) value: String,
}

impl Key {
    /// Whether that YAML is of one of its forms, as far as their types say.
    pub(crate) fn may_be(&self, yaml: &str) -> bool {
        let value: Value = serde_yaml::from_str(yaml).unwrap();
        let name = match &value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.forms.iter().any(|form| {
            let types =
                [&form["type"]].into_iter().chain(form["type"].as_array().into_iter().flatten());
            let is_word = form["enum"].as_array().is_none_or(|words| words.contains(&value));
            types.into_iter().any(|one| one == name) && is_word
        })
    }

    /// Whether the default is a value, and no words for what follows from something else.
    pub(crate) fn default_is_value(&self) -> bool {
        let default = self.default.as_deref().unwrap_or("none");
        !default.contains([' ', '`']) && !["all", "found", "none"].contains(&default)
    }

    pub(crate) fn name(&self) -> String {
        self.path.join(".")
    }
}

/// All keys.
pub(crate) fn keys() -> Vec<Key> {
    let schema: Value = serde_json::from_str(&autogit::spec::schema_json()).unwrap();
    let mut keys = Vec::new();
    below(&schema, &schema, &[], (None, None), &mut keys);
    keys
}

/// What was said above, for all below: what a change does, and whether a pushed spec may set it.
type Said<'s> = (Option<&'s str>, Option<&'s str>);

fn below(root: &Value, form: &Value, above: &[String], said: Said<'_>, keys: &mut Vec<Key>) {
    let Some(properties) = form["properties"].as_object() else { return };
    for (name, schema) in properties {
        let path = [above, std::slice::from_ref(name)].concat();
        let forms = forms(root, schema);
        let (meaning, default) = meaning(schema["description"].as_str().unwrap_or_default());
        let (change, pushed) = said;
        let its = schema["x-change"].as_str().or(change);
        let may = schema["x-pushed"].as_str().or(pushed);
        let required = form["required"].as_array().into_iter().flatten();
        keys.push(Key {
            path: path.clone(),
            is_required: required.into_iter().any(|one| one == name.as_str()),
            meaning,
            default,
            change: its.map(str::to_owned),
            pushed: may.map(str::to_owned),
            is_part: change.is_some(),
            value: in_words(root, &forms),
            forms: forms.clone(),
        });
        if name == "defaults" {
            continue;
        }
        for form in &forms {
            below(root, form, &path, (its, may), keys);
            let named = [&path[..], &["NAME".to_owned()]].concat();
            for form in self::forms(root, &form["additionalProperties"]) {
                below(root, &form, &named, (its, may), keys);
            }
        }
    }
}

/// The forms of a value, without those that stand for a variable and for nothing.
fn forms(root: &Value, schema: &Value) -> Vec<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return forms(root, root.pointer(&reference[1..]).unwrap());
    }
    if let Some(several) = schema["anyOf"].as_array() {
        return several.iter().flat_map(|one| forms(root, one)).collect();
    }
    let nothing = schema["type"] == "null" || schema["pattern"] == "\\$\\{";
    if nothing { Vec::new() } else { vec![schema.clone()] }
}

fn in_words(root: &Value, forms: &[Value]) -> String {
    let words = forms.iter().map(|form| {
        if let Some(words) = form["enum"].as_array() {
            let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
            return words.collect::<Vec<_>>().join(", ");
        }
        let has = |name: &str| {
            form["type"] == name
                || form["type"].as_array().is_some_and(|all| all.contains(&name.into()))
        };
        let pattern = form["pattern"].as_str().unwrap_or_default();
        let limits = match (form["minimum"].as_i64(), form["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!(", {least} to {most}"),
            _ => String::new(),
        };
        match () {
            () if has("boolean") => "`true`, `false`".to_owned(),
            () if has("integer") => format!("whole number{limits}"),
            () if has("number") => "number".to_owned(),
            () if has("array") => {
                format!("list of {}", in_words(root, &self::forms(root, &form["items"])))
            }
            () if form["additionalProperties"] == false => "mapping".to_owned(),
            () if has("object") => "mapping by name".to_owned(),
            () if pattern.contains("[a-zA-Z]+\\s*)+") => "duration".to_owned(),
            () if pattern.contains("i?)?B") => "size".to_owned(),
            () => "text".to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(", or ")
}

fn meaning(description: &str) -> (String, Option<String>) {
    let text = description.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.split_once("Default: ") {
        Some((meaning, default)) => {
            (meaning.trim().to_owned(), Some(default.trim_end_matches('.').to_owned()))
        }
        None => (text, None),
    }
}
