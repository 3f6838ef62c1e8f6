//! `examples/gitops`: a project that holds a spec, tried with the real script, shell, curl and jq.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use autogit::spec::{Limits, Missing, Spec};
use axum::extract::{Path as Captured, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::cli::binary::{Folder, code, out};
use crate::support::skipped::note_skipped;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitops").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

#[test]
fn the_spec_may_be_pushed() {
    let text = read("autogit.yaml");
    let limits = Limits::new("https://git.example", Some("/credentials".into()), "", "");
    let lookup = |_: &str, name: &str| match name {
        "GITLAB_URL" => Some("https://git.example".to_owned()),
        "GITLAB_TOKEN" => Some("glpat-of-a-test-000000".to_owned()),
        _ => None,
    };
    Spec::parse_by_place("autogit.yaml", &text, &lookup, Missing::Fault, Some(&limits))
        .unwrap_or_else(|faults| panic!("{}", faults.render(false)));
}

#[test]
fn the_pipeline_and_the_hook_check_it_as_it_is() {
    let pipeline: Value = serde_yaml::from_str(&read(".gitlab-ci.yml")).unwrap();
    let hooks: Value = serde_yaml::from_str(&read(".pre-commit-config.yaml")).unwrap();
    let check = pipeline["check"]["script"][0].as_str().unwrap();
    let hook = hooks["repos"][0]["hooks"][0]["entry"].as_str().unwrap();
    assert_eq!(check, format!("{hook} autogit.yaml"));
    assert_eq!(pipeline["plan"]["script"][0], "sh plan-note.sh");
    let folder = Folder::new("gitops-check").write("autogit.yaml", &read("autogit.yaml"));
    let arguments: Vec<&str> = check.split(' ').skip(1).collect();
    let checked = folder.autogit(&arguments, &[]);
    assert_eq!((code(&checked), out(&checked).as_str()), (0, "autogit.yaml is fine\n"));
}

/// The notes of a merge request, and who wrote what.
type Notes = Arc<Mutex<Vec<Value>>>;

/// As GitLab's notes API: pages, and `x-next-page` empty at the last one (doc/api/notes.md,
/// doc/api/rest/_index.md).
fn server(notes: Notes) -> Router {
    const OURS: u64 = 7;
    fn signed(headers: &HeaderMap) -> bool {
        headers.get("private-token").is_some_and(|token| token == "note-token")
    }
    let list = |State(notes): State<Notes>, headers: HeaderMap| async move {
        if !signed(&headers) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(([("x-next-page", "")], Json(notes.lock().unwrap().clone())))
    };
    let write = |State(notes): State<Notes>, Json(body): Json<Value>| async move {
        let mut notes = notes.lock().unwrap();
        let id = notes.len() + 1;
        notes.push(json!({ "id": id, "author": { "id": OURS }, "body": body["body"] }));
        StatusCode::CREATED
    };
    let rewrite = |State(notes): State<Notes>,
                   Captured(id): Captured<usize>,
                   Json(body): Json<Value>| async move {
        notes.lock().unwrap()[id - 1]["body"] = body["body"].clone();
    };
    Router::new()
        .route("/api/v4/user", get(|| async { Json(json!({ "id": OURS })) }))
        .route("/api/v4/projects/1/merge_requests/2/notes", get(list).post(write))
        .route("/api/v4/projects/1/merge_requests/2/notes/{id}", put(rewrite))
        .with_state(notes)
}

/// Serves the notes from a thread of its own; ends with the test's process.
fn served(notes: &Notes) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (address, router) = (listener.local_addr().unwrap(), server(Arc::clone(notes)));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    format!("http://{address}")
}

/// Runs the script with that folder's programs before others.
fn script(folder: &Folder, programs: &Path, url: &str) -> Output {
    Command::new("sh")
        .args(["-c", "PATH=$PROGRAMS:$PATH exec sh \"$0\""])
        .arg(example("plan-note.sh"))
        .current_dir(folder.path())
        .env("PROGRAMS", programs)
        .env("CI_API_V4_URL", format!("{url}/api/v4"))
        .envs([("CI_PROJECT_ID", "1"), ("CI_MERGE_REQUEST_IID", "2")])
        .envs([("AUTOGIT_PLAN_TOKEN", "plan-token"), ("AUTOGIT_NOTE_TOKEN", "note-token")])
        .env("AUTOGIT_SERVER", "http://127.0.0.1:1")
        .output()
        .unwrap()
}

fn lacks(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_err()
}

#[test]
fn a_merge_request_has_one_comment_that_is_written_anew() {
    if lacks("curl") || lacks("jq") {
        note_skipped("the script of examples/gitops needs curl and jq");
        return;
    }
    let mark = "<!-- autogit plan -->";
    let forged = json!({ "id": 1, "author": { "id": 8 }, "body": format!("{mark} of another") });
    let notes: Notes = Arc::new(Mutex::new(vec![forged.clone()]));
    let url = served(&notes);
    let folder = Folder::new("gitops-note").write("autogit.yaml", &read("autogit.yaml"));
    let real = Path::new(env!("CARGO_BIN_EXE_autogit")).parent().unwrap();

    // No AutoGit answers: the job fails, and says so in the merge request.
    let failed = script(&folder, real, &url);
    assert_eq!(code(&failed), 1, "{failed:?}");
    let body = notes.lock().unwrap()[1]["body"].as_str().unwrap().to_owned();
    let words =
        "### AutoGit plan: none\n\n```text\nerror: no AutoGit answers at http://127.0.0.1:1";
    assert!(body.starts_with(&format!("{mark}\n{words}")), "{body}");

    // One that answers, in whose place a program prints a plan.
    let folder = folder.write("autogit", "#!/bin/sh\necho '### AutoGit plan: \"nothing\" to do'\n");
    let made = Command::new("chmod").arg("+x").arg(folder.path().join("autogit")).status();
    assert!(made.unwrap().success());
    let planned = script(&folder, folder.path(), &url);
    assert_eq!(code(&planned), 0, "{planned:?}");
    let notes = notes.lock().unwrap().clone();
    let body = format!("{mark}\n### AutoGit plan: \"nothing\" to do\n");
    assert_eq!(notes, [forged, json!({ "id": 2, "author": { "id": 7 }, "body": body })]);
    let said = [failed, planned].map(|one| format!("{one:?}")).concat();
    assert!(!said.contains("note-token") && !said.contains("plan-token"), "{said}");
}
