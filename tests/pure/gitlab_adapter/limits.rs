use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autogit::gitlab::{Gitlab, GitlabError};
use axum::Router;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;

use crate::gitlab_adapter::fake::{Fixture, over, server, settings};

/// A server that answers `status` with these headers while `limited`.
fn limiting(
    status: StatusCode,
    headers: &'static [(&'static str, &'static str)],
) -> (Fixture, Arc<AtomicBool>) {
    let limited = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&limited);
    let limit = move |request, next: Next| {
        let limited = now.load(Ordering::SeqCst);
        async move {
            if !limited {
                return next.run(request).await;
            }
            let pairs = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            (status, pairs.collect::<HeaderMap>(), "Retry later").into_response()
        }
    };
    let router: Router = server(true).layer(from_fn(limit));
    (over(router, settings()), limited)
}

fn wait_of(error: &GitlabError) -> Duration {
    let GitlabError::Limited { retry_after } = error else { panic!("{error:?}") };
    *retry_after
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_a_limit_has_passed() {
    for (headers, seconds) in [
        (&[("retry-after", "30")][..], 30),
        (&[("ratelimit-reset", "1700000030")][..], 30),
        (&[][..], 60),
    ] {
        let (fixture, limited) = limiting(StatusCode::TOO_MANY_REQUESTS, headers);
        let error = fixture.gitlab.probe().await.unwrap_err();
        assert_eq!(wait_of(&error), Duration::from_secs(seconds));
        assert_eq!(fixture.asked().len(), 1);
        limited.store(false, Ordering::SeqCst);
        fixture.pass(i64::try_from(seconds).unwrap() - 1);
        let left = wait_of(&fixture.gitlab.probe().await.unwrap_err());
        assert!(left <= Duration::from_secs(1), "{left:?}");
        assert!(fixture.asked().is_empty());
        fixture.pass(1);
        fixture.gitlab.probe().await.unwrap();
        assert_eq!(fixture.gitlab.requests(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_under_maintenance_is_left_alone_for_the_time_it_asks() {
    let (fixture, _) = limiting(StatusCode::SERVICE_UNAVAILABLE, &[("retry-after", "120")]);
    let error = fixture.gitlab.probe().await.unwrap_err();
    assert!(matches!(error, GitlabError::ServerFailed { status: 503, .. }), "{error:?}");
    let error = fixture.gitlab.probe().await.unwrap_err();
    assert_eq!(wait_of(&error), Duration::from_mins(2));
    assert_eq!(fixture.gitlab.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_endpoint_and_status() {
    let (fixture, limited) = limiting(StatusCode::TOO_MANY_REQUESTS, &[]);
    fixture.gitlab.probe().await.unwrap_err();
    limited.store(false, Ordering::SeqCst);
    fixture.pass(60);
    fixture.gitlab.probe().await.unwrap();
    let counts = fixture.gitlab.requests_by();
    assert_eq!(counts[&("GET /personal_access_tokens/self", 429)], 1);
    assert_eq!(counts[&("GET /personal_access_tokens/self", 200)], 1);
    assert_eq!(counts[&("GET /user", 200)], 1);
}
