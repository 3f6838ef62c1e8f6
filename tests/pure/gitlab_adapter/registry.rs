//! A server's runners: made, listed, shown, changed and deleted, with ids that are given once.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Stored>>);

#[derive(Debug, Default)]
struct Stored {
    made: u64,
    /// Nothing is shown, as by a copy of the database that lags behind.
    lags: bool,
    rows: Vec<Runner>,
}

#[derive(Debug, Clone)]
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) body: Value,
    pub(crate) managers: Vec<Value>,
}

impl Registry {
    pub(crate) fn runners(&self) -> Vec<Runner> {
        self.0.lock().unwrap().rows.clone()
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.runners().iter().map(|runner| runner.id).collect()
    }

    /// From now on no runner is shown, or each is.
    pub(crate) fn lag(&self, lags: bool) {
        self.0.lock().unwrap().lags = lags;
    }

    /// A person changes a field of a runner.
    pub(crate) fn set(&self, id: u64, field: &str, value: &str) {
        let mut rows = self.0.lock().unwrap();
        let runner = rows.rows.iter_mut().find(|runner| runner.id == id).unwrap();
        runner.body[field] = json!(value);
    }

    fn shown(&self) -> Vec<Runner> {
        if self.0.lock().unwrap().lags { Vec::new() } else { self.runners() }
    }

    /// A runner of that record made contact.
    pub(crate) fn contact(&self, id: u64, system_id: &str) {
        let manager = json!({ "systemId": system_id, "jobExecutionStatus": "IDLE" });
        let mut rows = self.0.lock().unwrap();
        rows.rows.iter_mut().find(|runner| runner.id == id).unwrap().managers.push(manager);
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/api/v4/user/runners", post(make))
            .route("/api/v4/runners/all", get(list))
            .route("/api/v4/runners/{id}", get(show).put(change).delete(remove))
            .route("/api/graphql", post(managers))
            .with_state(self.clone())
    }
}

async fn make(
    State(registry): State<Registry>,
    Json(mut body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut rows = registry.0.lock().unwrap();
    rows.made += 1;
    let id = rows.made;
    body["id"] = json!(id);
    rows.rows.push(Runner { id, body, managers: Vec::new() });
    let token = format!("glrt-{id}-very-secret");
    (StatusCode::CREATED, Json(json!({ "id": id, "token": token })))
}

async fn list(State(registry): State<Registry>) -> Json<Vec<Value>> {
    Json(registry.shown().into_iter().map(|runner| runner.body).collect())
}

async fn show(
    State(registry): State<Registry>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let found = registry.shown().into_iter().find(|runner| runner.id == id);
    let unknown = || (StatusCode::NOT_FOUND, Json(json!({ "message": "404 Not found" })));
    found.map(|runner| Json(runner.body)).ok_or_else(unknown)
}

async fn change(
    State(registry): State<Registry>,
    Path(id): Path<u64>,
    Json(body): Json<Map<String, Value>>,
) -> Json<Value> {
    let mut rows = registry.0.lock().unwrap();
    let runner = rows.rows.iter_mut().find(|runner| runner.id == id).unwrap();
    runner.body.as_object_mut().unwrap().extend(body);
    Json(runner.body.clone())
}

async fn remove(State(registry): State<Registry>, Path(id): Path<u64>) -> Response {
    let mut rows = registry.0.lock().unwrap();
    let before = rows.rows.len();
    rows.rows.retain(|runner| runner.id != id);
    if rows.rows.len() == before {
        let gone = Json(json!({ "message": "404 Not found" }));
        return (StatusCode::NOT_FOUND, gone).into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn managers(State(registry): State<Registry>) -> Json<Value> {
    let info = json!({ "hasNextPage": false, "endCursor": null });
    let data = registry.runners().into_iter().map(|runner| {
        let managers = json!({ "managers": { "pageInfo": info, "nodes": runner.managers } });
        (format!("r{}", runner.id), managers)
    });
    Json(json!({ "data": data.collect::<Map<_, _>>() }))
}
