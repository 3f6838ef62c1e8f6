//! `/openapi.json` describes what is served, and what is served is as described.

use std::process::Command;

use autogit::api::openapi_document;
use axum::body::Body;
use axum::http::Request;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::api::harness::{Harness, TOKEN};

/// Every path with its methods, and addresses that stand for it.
fn operations() -> Vec<(String, String, Value)> {
    let document = openapi_document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    operations
}

fn address(path: &str) -> String {
    path.replace("{name}", "autogit-runner-linux-amd64-0").replace("{id}", "41")
}

/// A validator for one schema of the document, which may refer to the others.
fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = openapi_document()["components"].clone();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[track_caller]
fn conforms(what: &str, schema: &Value, value: &Value) {
    let faults: Vec<String> =
        validator(schema).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}");
}

#[tokio::test]
async fn each_answer_is_as_described() {
    let harness = Harness::small();
    for (path, method, operation) in operations() {
        let media = &operation["responses"]["200"]["content"]["application/json"];
        if method == "get" && media.is_object() {
            let request = Request::get(address(&path));
            let request = request.header("authorization", format!("Bearer {TOKEN}"));
            let answer = harness.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 200, "{path}");
            conforms(&path, &media["schema"], &answer.json());
        }
        let media = &operation["responses"]["202"]["content"]["application/json"];
        if method == "post" && media.is_object() {
            let answer = harness.post(&address(&path), Some(TOKEN), "").await;
            assert_eq!(answer.status, 202, "{path}");
            conforms(&path, &media["schema"], &answer.json());
        }
    }
}

#[tokio::test]
async fn each_described_address_is_served_and_no_other_method_of_it() {
    let harness = Harness::small();
    let described = operations();
    for method in ["get", "post", "put", "delete", "patch"] {
        for (path, _, _) in &described {
            let request = Request::builder().method(&*method.to_uppercase());
            let request = request.uri(address(path)).body(Body::empty()).unwrap();
            let known = described.iter().any(|(of, known, _)| of == path && known == method);
            if path == "/events" && method == "get" {
                continue;
            }
            let refused = harness.send(request).await.status == 405;
            assert_eq!(refused, !known, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn each_problem_is_as_described() {
    let harness = Harness::small();
    for path in ["/nothing", "/runners/nobody", "/explain/jobs/x"] {
        let problem = harness.get(path).await.json();
        conforms(path, &json!({ "$ref": "#/components/schemas/Problem" }), &problem);
    }
}

#[test]
fn each_schema_is_one_and_each_reference_leads_somewhere() {
    let document = openapi_document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        validator(schema);
    }
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn each_operation_has_a_name_of_its_own_and_says_what_it_is() {
    let mut names: Vec<String> = Vec::new();
    for (path, _, operation) in operations() {
        names.push(operation["operationId"].as_str().unwrap().to_owned());
        assert!(operation["summary"].as_str().is_some_and(|words| words.len() > 5), "{path}");
        let in_path = path.matches('{').count();
        let parameters = operation["parameters"].as_array().unwrap().iter();
        let described = parameters.filter(|parameter| parameter["in"] == "path");
        assert_eq!(described.count(), in_path, "{path}");
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_description_passes_the_validator_of_openapi() {
    let file = std::env::temp_dir().join(format!("autogit-openapi-{}.json", std::process::id()));
    std::fs::write(&file, openapi_document().to_string()).unwrap();
    let checked = Command::new("openapi-spec-validator").arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    match checked {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            crate::support::skipped::note_skipped("openapi-spec-validator is not installed");
        }
        checked => {
            let output = checked.unwrap();
            let words = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{words}");
        }
    }
}
