//! Ages are those of the moment of the answer, however old the view is that it shows.

use std::time::Duration;

use autogit::cli::{
    RenderOptions, render_explain, render_plan, render_queue, render_runners, render_status,
};
use autogit::spec::{Arch, PoolName};
use autogit::world::{Backoff, Cause, Variant};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;

use crate::api::harness::Harness;
use crate::support::world::{Doing, Fixture, NOW, ago};

/// Runners of each kind, and a job whose pool failed lately.
fn fixture() -> Fixture {
    let cuda = Variant::new(&PoolName::new("cuda").unwrap(), Arch::Amd64);
    let failed = Backoff {
        failures: 1,
        until: ago(-60),
        error: "no such image".into(),
        cause: Cause::Start,
    };
    let mut fixture = Fixture::new()
        .pool("linux", "docker", |_| {})
        .pool("cuda", "cuda", |_| {})
        .runner("linux", 0, "local", Doing::Busy(40, 75))
        .runner("linux", 1, "local", Doing::Idle(30))
        .runner("linux", 2, "local", Doing::Starting(10))
        .runner("linux", 3, "local", Doing::Draining(7))
        .job(41, "team/app", &["cuda"], 133);
    fixture.memory.backoffs.insert(cuda, failed);
    fixture
}

impl Harness {
    /// An answer as the command line reads it.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        serde_json::from_slice(&self.get(path).await.body).unwrap()
    }

    /// What the commands print of it.
    async fn printed(&self) -> [String; 6] {
        let options = RenderOptions { verbose: true, ..RenderOptions::bare() };
        let explain = async |word: &str| {
            render_explain(&self.read(&format!("/explain/{word}")).await, &[], &[], &options)
        };
        [
            render_status(&self.read("/status").await, &options),
            render_runners(&self.read::<Vec<_>>("/runners").await, &options),
            render_queue(&self.read("/queue").await, &options),
            render_plan(&self.read("/plan").await, &options),
            explain("41").await,
            explain("linux").await,
        ]
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_view_is_told_with_the_ages_of_now() {
    let harness = Harness::of(fixture());
    let told = [
        ["known 0.4s", "tried again in 1m:", "2m13s"],
        ["1m15s", "idle 30s of 5m", "started 10s ago"],
        ["2m13s", "cuda", "backing-off"],
        ["idle 30s of 5m", "asked to exit 7s ago", "2m13s"],
        ["pending 2m13s", "tried again in 1m:", "checked again in 1m"],
        ["idle 30s of 5m", "asked to exit 7s ago", "started 10s ago"],
    ];
    are_told(&harness, &told, 0).await;
    harness.clock.sleep(Duration::from_secs(20)).await;
    let told_later = [
        ["known 20s", "tried again in 40s:", "2m33s"],
        ["1m35s", "idle 50s of 5m", "started 30s ago"],
        ["2m33s", "cuda", "backing-off"],
        ["idle 50s of 5m", "asked to exit 27s ago", "2m33s"],
        ["pending 2m33s", "tried again in 40s:", "checked again in 40s"],
        ["idle 50s of 5m", "asked to exit 27s ago", "started 30s ago"],
    ];
    are_told(&harness, &told_later, 20).await;
}

async fn are_told(harness: &Harness, told: &[[&str; 3]; 6], view_age: i64) {
    for (text, ages) in harness.printed().await.iter().zip(told) {
        for age in ages {
            assert!(text.contains(age), "{age}\n{text}");
        }
    }
    assert_eq!(harness.get("/health").await.json()["last_look_secs"], view_age);
    for page in ["/status", "/queue", "/plan"] {
        let page = harness.get(page).await.json();
        let [at, as_of] = ["at", "as_of"].map(|name| page[name].as_str().unwrap().parse().unwrap());
        assert_eq!((at, as_of), (NOW, ago(-view_age)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_rendered_once_a_second() {
    let harness = Harness::of(fixture());
    let read = async || harness.get("/runners").await.header("etag").to_owned();
    let first = read().await;
    harness.clock.sleep(Duration::from_millis(900)).await;
    assert_eq!(read().await, first);
    harness.clock.sleep(Duration::from_millis(200)).await;
    assert_ne!(read().await, first);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_makes_nothing_younger() {
    let harness = Harness::of(fixture());
    harness.clock.jump(SignedDuration::from_secs(-60));
    let runners = harness.get("/runners").await.json();
    assert_eq!(runners[0]["lasting"], "1m15s");
}
