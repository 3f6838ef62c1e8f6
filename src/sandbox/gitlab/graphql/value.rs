//! A parsed query, its values, and errors about them.

use serde_json::{Map, Value, json};

/// Where in a query's text something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// What is wrong with a query.
#[derive(Debug, Clone)]
pub(super) struct Error {
    message: String,
    place: Option<Place>,
    extensions: Option<Value>,
}

impl Error {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, extensions: None }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(super) fn with(mut self, extensions: Value) -> Self {
        self.extensions = Some(extensions);
        self
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("message".to_owned(), json!(self.message));
        if let Some(place) = self.place {
            let place = json!([{ "line": place.line, "column": place.column }]);
            shown.insert("locations".to_owned(), place);
        }
        if let Some(extensions) = &self.extensions {
            shown.insert("extensions".to_owned(), extensions.clone());
        }
        Value::Object(shown)
    }
}

/// A value as a query writes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    Plain(Value),
    Enum(String),
    List(Vec<Input>),
    Object(Vec<(String, Input)>),
    Variable(String, Place),
}

impl Input {
    /// The value with variables put in; enums are text.
    pub(super) fn resolved(&self, variables: &Map<String, Value>) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Enum(name) => json!(name),
            Self::List(items) => items.iter().map(|item| item.resolved(variables)).collect(),
            Self::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (name.clone(), value.resolved(variables)));
                Value::Object(fields.collect())
            }
            Self::Variable(name, _) => variables.get(name).cloned().unwrap_or(Value::Null),
        }
    }

    /// The variables in it.
    pub(super) fn variables(&self) -> Vec<(&str, Place)> {
        match self {
            Self::Plain(_) | Self::Enum(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::variables).collect(),
            Self::Object(fields) => {
                fields.iter().flat_map(|(_, value)| value.variables()).collect()
            }
            Self::Variable(name, place) => vec![(name, *place)],
        }
    }
}

/// A field that a query asks for.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) alias: Option<String>,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Input)>,
    pub(super) selections: Vec<Selection>,
    pub(super) place: Place,
}

impl Selection {
    /// The name under which it is answered.
    pub(super) fn key(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.name)
    }
}

/// A variable that an operation declares.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    /// Its type ends in `!`.
    pub(super) required: bool,
    pub(super) type_name: String,
    pub(super) default: Option<Input>,
    pub(super) place: Place,
}

/// A query.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: Option<String>,
    pub(super) declared: Vec<Declared>,
    pub(super) selections: Vec<Selection>,
}

/// All operations of one text.
#[derive(Debug, Clone)]
pub(super) struct Document(pub(super) Vec<Operation>);

impl Document {
    /// The operation of that name, or the only one.
    pub(super) fn operation(self, name: Option<&str>) -> Result<Operation, Error> {
        let name = name.filter(|name| !name.is_empty());
        if let Some(name) = name {
            let found = self.0.into_iter().find(|one| one.name.as_deref() == Some(name));
            return found.ok_or_else(|| Error::new(format!("No operation named \"{name}\"")));
        }
        match <[Operation; 1]>::try_from(self.0) {
            Ok([operation]) => Ok(operation),
            Err(_) => Err(Error::new("An operation name is required")),
        }
    }
}
