//! `GET /openapi.json`: what the API offers, generated from the types that it answers with.

mod operations;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Api;
use super::pages::Rendered;
use super::problem::{MEDIA_TYPE, Problem};
use operations::{Content, OPERATIONS, Operation, Parameter};

pub(super) async fn openapi(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let rendered = api.openapi.get_or_try_init(|| async { Rendered::json(&document()) }).await?;
    Ok(rendered.answer(&headers))
}

/// The description of the API, as `OpenAPI` 3.1 wants it.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let described = operation.describe(&mut generator);
        let methods = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = methods {
            methods.insert(operation.method.to_owned(), described);
        }
    }
    // Events are text on the wire, so nothing above names what their data are.
    generator.subschema_for::<super::EventMessage<'_>>();
    generator.subschema_for::<super::LookMessage>();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AutoGit",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What runs, what waits and why, and what is done next.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The one in `api.token` or `api.token_file`; the one in \
                                    `api.plan_token_file` where only a plan is asked for",
                },
            },
        },
    })
}

impl Operation {
    fn describe(&self, generator: &mut SchemaGenerator) -> Value {
        let mut responses = Map::new();
        for answer in self.answers {
            let mut response = json!({ "description": answer.what });
            if let Value::Object(response) = &mut response {
                if answer.content.is_some() {
                    response.insert("content".to_owned(), content(answer.content, generator));
                }
                let tagged = self.parameters.iter().any(|given| given.name == "If-None-Match");
                if tagged && matches!(answer.status, 200 | 304) {
                    response.insert("headers".to_owned(), headers(&[ETAG]));
                }
            }
            responses.insert(answer.status.to_string(), response);
        }
        let problem = content(Some((MEDIA_TYPE, of::<Problem>)), generator);
        let why = json!({
            "description": "Why it was not served",
            "headers": headers(&[RETRY_AFTER, CHALLENGE]),
            "content": problem,
        });
        responses.insert("default".to_owned(), why);
        let parameters: Vec<Value> = self.parameters.iter().map(Parameter::describe).collect();
        let security = if self.needs_token { vec![json!({ "token": [] })] } else { Vec::new() };
        let mut described = Map::new();
        described.insert("operationId".to_owned(), self.id.into());
        described.insert("summary".to_owned(), self.summary.into());
        described.insert("parameters".to_owned(), parameters.into());
        described.insert("responses".to_owned(), responses.into());
        described.insert("security".to_owned(), security.into());
        if self.body.is_some() {
            let content = content(self.body, generator);
            let body = json!({ "required": true, "content": content });
            described.insert("requestBody".to_owned(), body);
        }
        described.into()
    }
}

fn content(content: Option<Content>, generator: &mut SchemaGenerator) -> Value {
    match content {
        Some((media, schema)) => json!({ media: { "schema": schema(generator) } }),
        None => json!({}),
    }
}

/// A header of an answer and what it says.
type AnswerHeader = (&'static str, &'static str);

const ETAG: AnswerHeader = ("ETag", "What to send as `If-None-Match` the next time");
const RETRY_AFTER: AnswerHeader =
    ("Retry-After", "With 429 and 503: seconds until another try is worth it");
const CHALLENGE: AnswerHeader = ("WWW-Authenticate", "With 401: `Bearer`");

fn headers(all: &[AnswerHeader]) -> Value {
    let described = all.iter().map(|(name, what)| {
        let header = json!({ "description": what, "schema": { "type": "string" } });
        ((*name).to_owned(), header)
    });
    described.collect::<Map<String, Value>>().into()
}

impl Parameter {
    fn describe(&self) -> Value {
        let schema = match self.range {
            Some((minimum, maximum)) => {
                json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
            }
            None => json!({ "type": "string" }),
        };
        json!({
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.what,
            "schema": schema,
        })
    }
}

/// The schema of a type, among the components.
fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Text that no schema describes further.
fn text(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string" })
}
