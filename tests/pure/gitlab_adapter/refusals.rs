use autogit::error_policy::ErrorKind;
use autogit::gitlab::http::GitlabSettings;
use autogit::gitlab::{Gitlab, GitlabError, Server};
use autogit::spec::{Missing, Spec};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{REGISTRATION_TOKEN, TOKEN, over, server, settings};

/// The error of a probe whose first answer is this one.
async fn refused(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> GitlabError {
    let router = Router::new().fallback(move || {
        let answer = answer();
        async move { answer }
    });
    over(router, settings()).gitlab.probe().await.unwrap_err()
}

/// The error of a probe of a server of that version, for a token with those scopes.
async fn probed(version: &'static str, scopes: Value) -> Result<(), GitlabError> {
    probed_for(version, scopes, settings()).await
}

async fn probed_for(
    version: &'static str,
    scopes: Value,
    settings: GitlabSettings,
) -> Result<(), GitlabError> {
    let router = Router::new()
        .route(
            "/api/v4/personal_access_tokens/self",
            get(move || async move { Json(json!({ "scopes": scopes })) }),
        )
        .route(
            "/api/v4/user",
            get(|| async { Json(json!({ "username": "ann", "is_admin": true })) }),
        )
        .route("/api/v4/metadata", get(move || async move { Json(json!({ "version": version })) }));
    over(router, settings).gitlab.probe().await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_gitlabs_is_told_apart() {
    let page = "<!DOCTYPE html><title>Sign in</title>";
    for (problem, error) in [
        ("web page", refused(move || Html(page).into_response()).await),
        ("web page", refused(move || (StatusCode::NOT_FOUND, Html(page)).into_response()).await),
        ("web page", refused(move || (StatusCode::UNAUTHORIZED, page).into_response()).await),
        ("is empty", refused(|| "".into_response()).await),
        ("no JSON", refused(|| "fine".into_response()).await),
        ("another shape", refused(|| Json(json!({ "ok": true })).into_response()).await),
        (
            "set `gitlab.url`",
            refused(|| Redirect::permanent("https://gitlab.test/api").into_response()).await,
        ),
    ] {
        assert!(matches!(error, GitlabError::NotGitlab { .. }), "{problem}: {error:?}");
        assert!(error.to_string().contains(problem), "{problem}: {error}");
        assert_eq!(error.kind(), ErrorKind::Yours);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_and_a_failing_server_are_told_apart() {
    let error = refused(|| (StatusCode::UNAUTHORIZED, Json(json!({}))).into_response()).await;
    assert!(matches!(error, GitlabError::Unauthorized { .. }), "{error:?}");
    let error = refused(|| (StatusCode::BAD_GATEWAY, "<html>").into_response()).await;
    assert!(matches!(error, GitlabError::ServerFailed { status: 502, .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn old_servers_and_weak_tokens_are_refused_with_a_remedy() {
    probed("16.3.0", json!(["read_api"])).await.unwrap();
    for version in ["15.11.13-ee", "16.2.9", "nonsense"] {
        let error = probed(version, json!(["api"])).await.unwrap_err().to_string();
        assert!(error.contains(version) && error.contains("16.3 is the oldest"), "{error}");
        assert!(error.contains("`api` before 17.1") && error.contains("hint: update"), "{error}");
    }
    let makes = GitlabSettings { makes_records: true, ..settings() };
    let scopes = json!(["read_api", "create_runner", "manage_runner"]);
    probed_for("17.1.0", scopes.clone(), makes.clone()).await.unwrap();
    probed_for("17.0.9", json!(["api"]), makes.clone()).await.unwrap();
    let error = probed_for("17.0.9", scopes, makes).await.unwrap_err().to_string();
    assert!(error.contains("no scope `manage_runner`") && error.contains("`api`"), "{error}");
    let error = probed("18.6.0", json!(["read_user"])).await.unwrap_err().to_string();
    assert!(error.contains("`read_user`") && error.contains("`read_api`"), "{error}");
}

/// OAuth tokens and the like have no row of their own: GitLab answers 400.
#[tokio::test(start_paused = true)]
async fn a_token_without_a_row_is_asked_for_nothing_more() {
    let refuse =
        || async { (StatusCode::BAD_REQUEST, Json(json!({ "message": "400 Bad request" }))) };
    let router = Router::new()
        .route("/api/v4/personal_access_tokens/self", get(refuse))
        .route(
            "/api/v4/user",
            get(|| async { Json(json!({ "username": "ann", "is_admin": true })) }),
        )
        .route("/api/v4/metadata", get(|| async { Json(json!({ "version": "18.6.0" })) }));
    let server = over(router, settings()).gitlab.probe().await.unwrap();
    assert!(server.scopes.is_empty() && server.administrator);
}

#[tokio::test(start_paused = true)]
async fn a_fine_grained_token_reads_no_queue_by_graphql() {
    let instance =
        GitlabSettings { queue_source: autogit::spec::QueueSource::Instance, ..settings() };
    let error = probed_for("18.10.0", json!(["granular"]), instance).await.unwrap_err();
    assert!(error.to_string().contains("fine-grained"), "{error}");
    // It goes project by project, of which this server has no list.
    let error = probed("18.10.0", json!(["granular"])).await.unwrap_err().to_string();
    assert!(error.contains("GET /projects"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_told_in_gitlabs_words() {
    for words in ["Token is expired.", "Token was revoked."] {
        let said = json!({ "error": "invalid_token", "error_description": words });
        let error = refused(move || (StatusCode::UNAUTHORIZED, Json(said.clone())).into_response());
        let error = error.await.to_string();
        assert!(error.contains(&format!("401: {words}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_tells_what_server_and_token_these_are() {
    let server = over(server(true), settings()).gitlab.probe().await.unwrap();
    assert!(server.administrator);
    assert_eq!((server.version.as_str(), server.user.as_str()), ("18.6.0-ee", "ann"));
    assert_eq!(server.scopes, ["api"]);
    assert_eq!(server.token_expires_at.unwrap().to_string(), "2024-01-31T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_debug_or_errors() {
    let mut settings = settings();
    settings.registration_token = Some(SecretString::from(REGISTRATION_TOKEN));
    let echo = || async {
        let message = format!("bad {TOKEN} and {REGISTRATION_TOKEN}");
        (StatusCode::BAD_REQUEST, Json(json!({ "message": { "base": [message] } })))
    };
    let fixture = over(Router::new().fallback(echo), settings);
    let error = fixture.gitlab.probe().await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", fixture.gitlab)] {
        assert!(!text.contains("very-secret"), "{text}");
    }
    assert!(error.to_string().contains("bad *** and ***"), "{error}");
}

#[test]
fn scopes_that_do_not_do_for_the_spec_are_named_with_the_remedy() {
    let spec = |pool: &str| {
        let text = format!(
            "gitlab: {{url: 'https://gitlab.example.com', token: glpat-1}}\n\
             pools: {{linux: {{tags: [docker]{pool}}}}}\n"
        );
        Spec::parse("autogit.yaml", &text, &|_| None, Missing::Accept).unwrap().spec
    };
    let lacks = |scopes: &[&str], pool: &str| {
        let server = Server {
            version: "18.6.0".to_owned(),
            administrator: true,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            token_expires_at: None,
            user: "ann".to_owned(),
        };
        server.shortcoming(&spec(pool))
    };
    assert_eq!(
        lacks(&["read_api"], "").unwrap(),
        "the token may not make records, nor change and delete records: its scopes are \
         `read_api`\nhint: make one with the scope `create_runner` and `manage_runner`, too, or give \
         every pool a `runner_token`"
    );
    let half = lacks(&["read_api", "create_runner"], "").unwrap();
    assert!(half.starts_with("the token may not change and delete records: "), "{half}");
    for fine in [&["api"][..], &["read_api", "create_runner", "manage_runner"], &["granular"], &[]]
    {
        assert_eq!(lacks(fine, ""), None, "{fine:?}");
    }
    assert_eq!(lacks(&["read_api"], ", runner_token: glrt-1"), None);
}
