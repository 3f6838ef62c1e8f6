//! Runs a valid query over the state.

use serde_json::{Map, Value, json};

use super::resolve::{Node, Out};
use super::schema::{Found, QUERY, TypeRef};
use super::value::{Error, Operation, Selection};
use crate::sandbox::gitlab::access::Caller;
use crate::sandbox::gitlab::state::State;

/// What a query runs over, and for whom.
pub(super) struct Execution<'a> {
    pub(super) state: &'a State,
    pub(super) caller: Option<Caller>,
    pub(super) base: String,
}

impl Execution<'_> {
    /// The answer to an operation.
    pub(super) fn run(&self, operation: &Operation, given: &Value) -> Result<Value, Error> {
        let mut variables = Map::new();
        for one in &operation.declared {
            let default = || one.default.as_ref().map(|value| value.resolved(&Map::new()));
            if let Some(value) = given.get(&one.name).cloned().or_else(default) {
                variables.insert(one.name.clone(), value);
            }
        }
        self.object(QUERY, &Node::Query, &operation.selections, &variables)
    }

    fn object(
        &self,
        of: TypeRef,
        node: &Node,
        selections: &[Selection],
        variables: &Map<String, Value>,
    ) -> Result<Value, Error> {
        let mut shown = Map::new();
        for selection in selections {
            let value = self.field(of, node, selection, variables)?;
            shown.insert(selection.key().to_owned(), value);
        }
        Ok(Value::Object(shown))
    }

    fn field(
        &self,
        of: TypeRef,
        node: &Node,
        selection: &Selection,
        variables: &Map<String, Value>,
    ) -> Result<Value, Error> {
        if selection.name == "__typename" {
            return Ok(json!(of.name()));
        }
        let mut arguments = Map::new();
        for (name, value) in &selection.arguments {
            arguments.insert(name.clone(), value.resolved(variables));
        }
        let inner = match of.field(&selection.name) {
            Some(Found::Of(inner, _)) => inner,
            Some(Found::Leaf) | None => return Ok(self.leaf(node, &selection.name)),
        };
        let resolved = self.resolve(node, &selection.name, &arguments);
        match resolved.map_err(|error| error.at(selection.place))? {
            Out::Nothing => Ok(Value::Null),
            Out::Node(node) => self.object(inner, &node, &selection.selections, variables),
            Out::Nodes(nodes) => {
                let each = nodes.iter();
                each.map(|node| self.object(inner, node, &selection.selections, variables))
                    .collect()
            }
        }
    }
}
