//! Whether a query fits the schema, its variables and its allowance, before anything is resolved.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::schema::{Found, QUERY, TypeRef};
use super::value::{Error, Operation, Selection};

/// GitLab's limit for a signed-in user.
const COMPLEXITY_MAX: u64 = 250;
/// A connection's page when the query does not say, and at most.
const PAGE_MAX: u64 = 100;

/// All that is wrong with a query.
pub(super) fn check(operation: &Operation, given: &Value) -> Vec<Error> {
    let mut check = Check { given, errors: Vec::new(), used: BTreeSet::new() };
    let declared: BTreeSet<&str> = operation.declared.iter().map(|one| one.name.as_str()).collect();
    let complexity = check.selections(QUERY, &operation.selections, &declared);
    let name = operation.name.as_deref().unwrap_or("anonymous query");
    for one in &operation.declared {
        if !check.used.contains(&one.name) {
            let text = format!("Variable ${} is declared by {name} but not used", one.name);
            check.errors.push(Error::new(text).at(one.place));
        }
        let value = given.get(&one.name).filter(|value| !value.is_null());
        if one.required && one.default.is_none() && value.is_none() {
            let text = format!(
                "Variable ${} of type {} was provided invalid value",
                one.name, one.type_name
            );
            let problems = json!([{ "path": [], "explanation": "Expected value to not be null" }]);
            let extensions = json!({ "value": null, "problems": problems });
            check.errors.push(Error::new(text).at(one.place).with(extensions));
        }
    }
    if check.errors.is_empty() && complexity > COMPLEXITY_MAX {
        check.errors.push(Error::new(format!(
            "Query has complexity of {complexity}, which exceeds max complexity of {COMPLEXITY_MAX}"
        )));
    }
    check.errors
}

struct Check<'a> {
    given: &'a Value,
    errors: Vec<Error>,
    used: BTreeSet<String>,
}

impl Check<'_> {
    /// Checks selections on a type; gives what they cost.
    fn selections(
        &mut self,
        on: TypeRef,
        selections: &[Selection],
        declared: &BTreeSet<&str>,
    ) -> u64 {
        selections.iter().map(|selection| self.selection(on, selection, declared)).sum()
    }

    fn selection(&mut self, on: TypeRef, selection: &Selection, declared: &BTreeSet<&str>) -> u64 {
        let name = &selection.name;
        let variables = selection.arguments.iter().flat_map(|(_, value)| value.variables());
        for (variable, place) in variables {
            self.used.insert(variable.to_owned());
            if !declared.contains(variable) {
                let text = format!("Variable ${variable} is used by the query but not declared");
                self.errors.push(Error::new(text).at(place));
            }
        }
        match on.field(name) {
            None => {
                let text = format!("Field '{name}' doesn't exist on type '{}'", on.name());
                let extensions =
                    json!({ "code": "undefinedField", "typeName": on.name(), "fieldName": name });
                self.errors.push(Error::new(text).at(selection.place).with(extensions));
                0
            }
            Some(Found::Leaf) if selection.selections.is_empty() => {
                self.arguments(selection, &[]);
                1
            }
            Some(Found::Leaf) => {
                let text = format!("Selections can't be made on scalars (field '{name}')");
                self.errors.push(Error::new(text).at(selection.place));
                1
            }
            Some(Found::Of(of, arguments)) => {
                self.arguments(selection, arguments);
                if selection.selections.is_empty() {
                    let text = format!(
                        "Field must have selections (field '{name}' returns {} but has no \
                         selections. Did you mean '{name} {{ ... }}'?)",
                        of.name()
                    );
                    self.errors.push(Error::new(text).at(selection.place));
                }
                let inner = self.selections(of, &selection.selections, declared);
                inner + 1 + if of.is_connection() { self.paging(selection, inner) } else { 0 }
            }
        }
    }

    fn arguments(&mut self, selection: &Selection, known: &[&str]) {
        for (argument, _) in &selection.arguments {
            if !known.contains(&argument.as_str()) {
                let name = &selection.name;
                let text = format!("Field '{name}' doesn't accept argument '{argument}'");
                let extensions = json!({
                    "code": "argumentNotAccepted",
                    "name": name,
                    "typeName": "Field",
                    "argumentName": argument,
                });
                self.errors.push(Error::new(text).at(selection.place).with(extensions));
            }
        }
    }

    /// A connection costs a hundredth more for each row that it may give.
    fn paging(&self, selection: &Selection, inner: u64) -> u64 {
        let empty = serde_json::Map::new();
        let given = self.given.as_object().unwrap_or(&empty);
        let asked =
            selection.arguments.iter().filter(|(name, _)| name == "first" || name == "last");
        let asked = asked.filter_map(|(_, value)| value.resolved(given).as_u64()).min();
        inner.saturating_mul(asked.unwrap_or(PAGE_MAX).min(PAGE_MAX)) / 100
    }
}
