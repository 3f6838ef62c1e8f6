//! `POST /api/graphql`: parsed, validated against a small schema, then resolved.
//!
//! The subset is what queries of the queue, of runners and of projects use: operations, variables
//! with defaults, aliases, nested selections, arguments, batches. Fragments, directives and
//! mutations are refused with an `errors` answer, as GitLab refuses what it does not know.

mod connection;
mod execute;
mod lexer;
mod parser;
mod resolve;
mod schema;
mod validate;
mod value;

use std::future::ready;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use serde_json::{Value, json};

use super::SimulatedGitlab;
use super::access::READ;
use super::answer::{Answer, Outcome};
use super::call::Call;
use super::state::State;
use execute::Execution;

/// GitLab's limit on a query's text.
const QUERY_CHARACTERS_MAX: usize = 10_000;

/// Adds the GraphQL endpoint.
pub(crate) fn routes(
    router: Router<SimulatedGitlab>,
    gitlab: &SimulatedGitlab,
) -> Router<SimulatedGitlab> {
    let gitlab = gitlab.clone();
    let act = move |call: Call| {
        gitlab.counted("POST /api/graphql");
        let (Ok(answer) | Err(answer)) = gitlab.with(|state| post(&call, state));
        ready(answer.into_response())
    };
    router.route("/api/graphql", on(MethodFilter::POST, act))
}

/// Answers one query, or a batch of them in a JSON array.
fn post(call: &Call, state: &mut State) -> Outcome {
    let caller = call.token().map(|token| state.caller(Some(&token), READ)).transpose();
    let caller = caller.map_err(|_| failed(401, "Invalid token"))?;
    let mut execution = Execution { state, caller, base: call.base(state) };
    // Token requests bypass Admin Mode here: only REST asks for the scope.
    if let Some(caller) = &mut execution.caller {
        let user = execution.state.users.get(&caller.user);
        caller.administrator = user.is_some_and(|user| user.administrator);
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
    if let Some(batch) = body.as_array() {
        let answers = batch.iter().map(|one| {
            let text = one.get("query").and_then(Value::as_str).unwrap_or_default();
            let name = one.get("operationName").and_then(Value::as_str);
            answer(&execution, text, name, one.get("variables"))
        });
        return Ok(Answer::ok(answers.collect()));
    }
    let text = call.params.text("query").unwrap_or_default();
    let name = call.params.text("operationName");
    let given = call.params.value("variables");
    // Form bodies carry the variables as JSON text.
    let read = given.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    Ok(Answer::ok(answer(&execution, &text, name.as_deref(), read.as_ref().or(given))))
}

fn answer(
    execution: &Execution<'_>,
    text: &str,
    name: Option<&str>,
    given: Option<&Value>,
) -> Value {
    if text.chars().count() > QUERY_CHARACTERS_MAX {
        return json!({ "errors": [{ "message": "Query too large" }] });
    }
    let empty = json!({});
    let given = given.filter(|given| given.is_object()).unwrap_or(&empty);
    let parsed = parser::document(text).and_then(|document| document.operation(name));
    let operation = match parsed {
        Ok(operation) => operation,
        Err(error) => return json!({ "errors": [error.shown()] }),
    };
    let errors = validate::check(&operation, given);
    if !errors.is_empty() {
        let errors: Vec<Value> = errors.iter().map(value::Error::shown).collect();
        return json!({ "errors": errors });
    }
    match execution.run(&operation, given) {
        Ok(data) => json!({ "data": data }),
        Err(error) => json!({ "errors": [error.shown()] }),
    }
}

fn failed(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({ "errors": [{ "message": message }] }))
}
