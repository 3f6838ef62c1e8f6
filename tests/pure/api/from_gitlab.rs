//! A loop whose spec is in a project at GitLab, in simulated time.

use std::sync::Arc;
use std::time::Duration;

use autogit::api::Api;
use autogit::clock::Clock;
use autogit::reconcile::{Daemon, Ending, LoopHandle, Wake};
use autogit::sandbox::demo::Demo;
use autogit::sandbox::gitlab::{Down, SimulatedGitlab};
use autogit::source::{Pace, SpecSource, Watch};
use autogit::view::{SpecStatusOutput, View};
use axum::Router;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use super::live::{connect, push_with};
use crate::source::at_gitlab::Shelf;
use crate::support::now::outcome_of;
use crate::support::world::NOW;

const ADDRESS: &str = "gitlab://infra/sub/runners@main/autogit.yaml";

fn spec(tag: &str) -> String {
    format!(
        "gitlab: {{ url: '${{GITLAB_URL}}', token: '${{DEMO}}', poll_interval: 5m, \
         webhook_secret: '${{HOOK}}' }}\npools: {{ linux: {{ tags: [{tag}] }} }}\n"
    )
}

struct Live {
    shelf: Shelf,
    daemon: Daemon,
    handle: LoopHandle,
    wakes: mpsc::Receiver<Wake>,
    router: Router,
    clock: Clock,
}

impl Live {
    fn new() -> Self {
        let clock = Clock::simulated(NOW, 1.0);
        let shelf = Shelf::new(clock.clone());
        let demo = Demo::new(shelf.gitlab.clone());
        shelf.push(&spec("docker"));
        let environment = shelf.environment(&[
            ("DEMO", demo.token.expose_secret()),
            ("HOOK", "hook-hook-hook-hook"),
            ("AUTOGIT_SPEC_VARIABLES", "DEMO@gitlab.token HOOK@gitlab.webhook_secret"),
        ]);
        let origin = shelf.origin(ADDRESS, environment.clone());
        let watch = Watch::start(&origin, clock.clone(), Pace::default());
        let source = outcome_of(SpecSource::open(origin, environment, clock.clone())).unwrap();
        let connect = connect(shelf.gitlab.clone(), clock.clone());
        let daemon = Daemon::new(source, watch, connect, clock.clone()).unwrap();
        let (send, wakes) = mpsc::channel(16);
        let handle = daemon.controller().handle();
        let router = Api::new(handle.clone(), send, clock.clone()).router();
        Self { shelf, daemon, handle, wakes, router, clock }
    }

    /// Lets the loop run while `script` is played; when it was over.
    async fn play(&mut self, script: impl Future<Output = ()>) -> Timestamp {
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            _ = self.daemon.run(&mut self.wakes, Ending::Never) => panic!("the loop ended"),
            () = script => clock.now(),
            () = clock.sleep(Duration::from_mins(10)) => panic!("nothing came of it"),
        }
    }
}

async fn until(handle: &mut LoopHandle, wanted: impl Fn(&View) -> bool) -> Arc<View> {
    let found = handle.views.wait_for(|view| view.as_ref().is_some_and(|view| wanted(view))).await;
    found.unwrap().clone().unwrap()
}

fn has_tag(view: &View, tag: &str) -> bool {
    view.spec.spec.pools[0].tags == [tag]
}

fn status(view: &View) -> SpecStatusOutput {
    view.as_seen().status_output().spec
}

#[tokio::test(start_paused = true)]
async fn a_push_is_in_force_as_soon_as_its_webhook_came() {
    let mut live = Live::new();
    let (mut handle, router, clock) =
        (live.handle.clone(), live.router.clone(), live.clock.clone());
    let gitlab: SimulatedGitlab = live.shelf.gitlab.clone();
    let project = live.shelf.project;
    live.play(async {
        until(&mut handle, |view| has_tag(view, "docker")).await;
        clock.sleep(Duration::from_secs(5)).await;
        let began = clock.now();
        let id = gitlab.push(project, "main", "Bob", &[("autogit.yaml", Some(&spec("podman")))]);
        push_with(&router, "hook-hook-hook-hook").await;
        let view = until(&mut handle, |view| has_tag(view, "podman")).await;
        assert!(clock.now().duration_since(began).as_secs() < 3);
        let commit = status(&view).commit.unwrap();
        assert_eq!((commit.id, commit.author), (id, "Bob".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_webhook_a_push_is_in_force_within_a_minute() {
    let mut live = Live::new();
    let (mut handle, clock) = (live.handle.clone(), live.clock.clone());
    let (gitlab, project) = (live.shelf.gitlab.clone(), live.shelf.project);
    live.play(async {
        until(&mut handle, |view| has_tag(view, "docker")).await;
        gitlab.push(project, "main", "Bob", &[("autogit.yaml", Some(&spec("podman")))]);
        until(&mut handle, |view| has_tag(view, "podman")).await;
        assert!(clock.now().duration_since(NOW).as_secs() <= 62);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_gitlab_is_away_the_last_good_commit_is_shown_with_the_reason() {
    let mut live = Live::new();
    let mut handle = live.handle.clone();
    let gitlab = live.shelf.gitlab.clone();
    live.play(async {
        until(&mut handle, |view| has_tag(view, "docker")).await;
        gitlab.set_down(Down::Status(502));
        let view = until(&mut handle, |view| view.spec.pending_fault.is_some()).await;
        let shown = status(&view);
        assert_eq!(shown.commit.unwrap().author, "Ada Lovelace");
        let why = shown.pending_fault.unwrap();
        assert!(why.contains("GitLab failed with 502"), "{why}");
        gitlab.set_down(Down::None);
        until(&mut handle, |view| view.spec.pending_fault.is_none()).await;
    })
    .await;
}
