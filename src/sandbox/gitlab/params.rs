//! A request's parameters, wherever they stand: query string, form body or JSON body.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::forms;

/// A request's parameters by name.
#[derive(Debug, Default)]
pub(crate) struct Params(Map<String, Value>);

impl Params {
    /// Reads them; the body's win over the query's.
    pub(crate) fn read(
        query: Option<&str>,
        content_type: &str,
        body: &[u8],
    ) -> Result<Self, Answer> {
        let mut params = Self::default();
        for (name, value) in forms::pairs(query.unwrap_or_default()) {
            params.insert(&name, value);
        }
        if content_type.contains("json") && !body.is_empty() {
            let body: Value = serde_json::from_slice(body)
                .map_err(|_| Answer::bad_parameter("Problems parsing JSON"))?;
            if let Value::Object(fields) = body {
                params.0.extend(fields);
            }
        } else if content_type.contains("form-urlencoded") {
            for (name, value) in forms::pairs(&String::from_utf8_lossy(body)) {
                params.insert(&name, value);
            }
        }
        Ok(params)
    }

    /// `name[]` makes a list and `name[key]` an object; of a plain name the last value counts.
    fn insert(&mut self, name: &str, value: String) {
        let Some((outer, inner)) = name.strip_suffix(']').and_then(|name| name.split_once('['))
        else {
            self.0.insert(name.to_owned(), Value::String(value));
            return;
        };
        if inner.is_empty() {
            let list = self.0.entry(outer).or_insert_with(|| json!([]));
            if let Value::Array(items) = list {
                items.push(Value::String(value));
            }
        } else {
            let object = self.0.entry(outer).or_insert_with(|| json!({}));
            if let Value::Object(fields) = object {
                fields.insert(inner.to_owned(), Value::String(value));
            }
        }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The name was given, even if as null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(word)
    }

    pub(crate) fn required(&self, name: &str) -> Result<String, Answer> {
        let missing = || Answer::bad_parameter(&format!("{name} is missing"));
        self.text(name).ok_or_else(missing)
    }

    /// A number; absent or empty: `None`.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Answer> {
        let text = self.text(name).filter(|text| !text.is_empty());
        let number = text.map(|text| text.trim().parse()).transpose();
        number.map_err(|_| Answer::bad_parameter(&format!("{name} is invalid")))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Answer> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_lowercase().as_str() {
            "true" | "1" | "t" | "on" => Ok(Some(true)),
            "false" | "0" | "f" | "off" => Ok(Some(false)),
            "" => Ok(None),
            _ => Err(Answer::bad_parameter(&format!("{name} is invalid"))),
        }
    }

    /// A list, or one text with commas.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let value = self.value(name)?;
        let words: Vec<String> = if let Some(items) = value.as_array() {
            items.iter().filter_map(word).collect()
        } else if let Some(fields) = value.as_object() {
            fields.values().filter_map(word).collect()
        } else {
            word(value).iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
        };
        let trimmed = words.iter().map(|word| word.trim().to_owned());
        Some(trimmed.filter(|word| !word.is_empty()).collect())
    }
}

/// A scalar as text.
fn word(value: &Value) -> Option<String> {
    let scalar = value.is_number() || value.is_boolean();
    let text = value.as_str().map(str::to_owned);
    text.or_else(|| scalar.then(|| value.to_string()))
}
