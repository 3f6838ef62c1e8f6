use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{DeadJob, Gitlab, Transport, TransportError};
use autogit::sandbox::gitlab::{
    AccessLevel, NewJob, NewRecord, RouterTransport, SimulatedGitlab, Status,
};
use autogit::spec::Scope;
use autogit::world::JobId;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::gitlab_adapter::fake::{NOW, settings};

/// A GitLab with one job that a runner has taken.
struct Taken {
    server: SimulatedGitlab,
    gitlab: HttpGitlab,
    line: Arc<Line>,
    job: JobId,
}

/// The way there, on which a request gets lost, or its answer.
#[derive(Debug)]
struct Line {
    to: RouterTransport,
    loses: Mutex<Option<Lost>>,
}

/// The next request to this end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Request(&'static str),
    Answer(&'static str),
}

#[async_trait]
impl Transport for Line {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        let lost = self.loses.lock().unwrap().take_if(|lost| match lost {
            Lost::Request(end) | Lost::Answer(end) => path.ends_with(*end),
        });
        let no_answer = Err(TransportError::TimedOut(Duration::from_secs(30)));
        match lost {
            Some(Lost::Request(_)) => no_answer,
            Some(Lost::Answer(_)) => self.to.send(request).await.and(no_answer),
            None => self.to.send(request).await,
        }
    }
}

/// `graceful`: the runner can end a cancelled job itself, as gitlab-runner can since 17.0.
async fn taken(graceful: bool) -> Taken {
    let root = |server: &SimulatedGitlab| {
        let root = server.add_administrator("root");
        server.new_token(root, &["api"], None)
    };
    taken_by(graceful, root).await
}

async fn taken_by(graceful: bool, token: impl Fn(&SimulatedGitlab) -> SecretString) -> Taken {
    let clock = Clock::simulated(NOW, 1.0);
    let server = SimulatedGitlab::new(clock.clone(), 1);
    let project = server.add_project("team/app");
    let token = token(&server);
    let record = NewRecord {
        scope: Scope::Instance,
        description: "by hand".to_owned(),
        tags: Vec::new(),
        run_untagged: true,
        protected: false,
    };
    let (_, runner_token) = server.add_record_by_hand(record);
    let job = server.add_job(NewJob::new(project));
    let settings = GitlabSettings { token, ..settings() };
    let line = Arc::new(Line { to: server.transport(), loses: Mutex::new(None) });
    let gitlab = HttpGitlab::new(settings, Arc::clone(&line) as _, clock);
    // Who is no administrator finds a job only where it was seen in the queue.
    assert_eq!(gitlab.queue().await.unwrap().jobs.len(), 1);
    take(&server, &runner_token, graceful).await;
    assert_eq!(server.job(job).unwrap().status, Status::Running);
    Taken { server, gitlab, line, job }
}

async fn take(server: &SimulatedGitlab, token: &SecretString, graceful: bool) {
    let info = json!({ "features": { "cancel_gracefully": graceful } });
    let body =
        json!({ "token": token.expose_secret(), "system_id": "r_abcdefghijkl", "info": info });
    let request = http::Request::post("http://gitlab.test/api/v4/jobs/request")
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let answer = server.transport().send(request).await.unwrap();
    assert_eq!(answer.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn a_lost_job_is_cancelled_and_queued_once() {
    for graceful in [false, true] {
        let Taken { server, gitlab, job, .. } = taken(graceful).await;
        let again = gitlab.retry_lost_job(job.into()).await.unwrap().unwrap();
        assert_eq!(server.job(job).unwrap().status, Status::Canceled);
        assert_eq!(server.pending(), [again]);
        assert_eq!(gitlab.retry_lost_job(job.into()).await.unwrap(), None);
        assert_eq!(server.pending(), [again]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_was_left_half_done_is_done_to_its_end() {
    let lost = [Lost::Answer("/cancel"), Lost::Request("/cancel"), Lost::Request("/retry")];
    for graceful in [false, true] {
        for lost in lost {
            let Taken { server, gitlab, line, job } = taken(graceful).await;
            *line.loses.lock().unwrap() = Some(lost);
            gitlab.retry_lost_job(job.into()).await.unwrap_err();
            assert!(server.pending().is_empty(), "{lost:?}");
            let again = gitlab.retry_lost_job(job.into()).await.unwrap().unwrap();
            assert_eq!(server.pending(), [again], "{lost:?}");
            assert_eq!(server.job(job).unwrap().status, Status::Canceled, "{lost:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_new_try_was_not_told_is_not_tried_twice() {
    let Taken { server, gitlab, line, job } = taken(true).await;
    *line.loses.lock().unwrap() = Some(Lost::Answer("/retry"));
    gitlab.retry_lost_job(job.into()).await.unwrap_err();
    assert_eq!(server.pending().len(), 1);
    let error = gitlab.retry_lost_job(job.into()).await.unwrap_err();
    assert!(error.to_string().contains("retried already"), "{error}");
    assert_eq!(server.pending().len(), 1);
}

/// The token of a member with that role, on a server of that version.
fn member(
    level: AccessLevel,
    scope: &'static str,
    version: &'static str,
) -> impl Fn(&SimulatedGitlab) -> SecretString {
    move |server| {
        server.set_version(version);
        let ann = server.add_user("ann");
        server.add_member(ann, "team/app", level);
        server.new_token(ann, &[scope], None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_cancelled_by_who_cannot_retry_it() {
    for (level, scope, version, why) in [
        (AccessLevel::Developer, "api", "18.6.0", "Maintainer"),
        (AccessLevel::Maintainer, "read_api", "18.6.0", "scope `api`"),
        (AccessLevel::Maintainer, "api", "17.0.0", "17.0.0"),
        (AccessLevel::Maintainer, "api", "17.10.8", "17.10.8"),
    ] {
        let Taken { server, gitlab, job, .. } = taken_by(true, member(level, scope, version)).await;
        let error = gitlab.retry_lost_job(job.into()).await.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(server.job(job).unwrap().status, Status::Running, "{why}");
        assert!(server.pending().is_empty(), "{why}");
    }
    for (level, version) in
        [(AccessLevel::Developer, "16.11.0"), (AccessLevel::Maintainer, "17.11.0")]
    {
        let Taken { server, gitlab, job, .. } = taken_by(true, member(level, "api", version)).await;
        let again = gitlab.retry_lost_job(job.into()).await.unwrap().unwrap();
        assert_eq!(server.pending(), [again], "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_person_cancelled_is_not_queued_again() {
    let Taken { server, gitlab, job, .. } = taken(true).await;
    gitlab.job(job, None).await.unwrap();
    server.cancel_job(job);
    assert_eq!(server.job(job).unwrap().status, Status::Canceling);
    assert_eq!(gitlab.retry_lost_job(job.into()).await.unwrap(), None);
    assert!(server.pending().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_process_before_cancelled_is_queued_again_by_the_next_one() {
    let Taken { server, gitlab, line, job } = taken(false).await;
    let lost_at = Some(NOW);
    server.clock().sleep(Duration::from_mins(1)).await;
    *line.loses.lock().unwrap() = Some(Lost::Request("/retry"));
    gitlab.retry_lost_job(job.into()).await.unwrap_err();
    assert_eq!(server.job(job).unwrap().status, Status::Canceled);
    // It may look for no job, and knows none; a container of the job names the project.
    let ann = server.add_user("ann");
    server.add_member(ann, "team/app", AccessLevel::Maintainer);
    let settings = GitlabSettings { token: server.new_token(ann, &["api"], None), ..settings() };
    let clock = server.clock().clone();
    let next = HttpGitlab::new(settings, Arc::clone(&line) as _, clock);
    let project = Some(server.job(job).unwrap().project);
    let again = next.retry_lost_job(DeadJob { id: job, project, lost_at }).await.unwrap();
    assert_eq!(server.pending(), [again.unwrap()]);
    let twice = next.retry_lost_job(DeadJob { id: job, project, lost_at }).await.unwrap();
    assert_eq!(twice, None);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_to_be_cancelled_since_a_process_before_is_queued_again() {
    let root = |server: &SimulatedGitlab| {
        let root = server.add_administrator("root");
        server.new_token(root, &["api"], None)
    };
    for (died_after, is_of_before) in [(0, true), (600, false)] {
        let Taken { server, gitlab, line, job } = taken(true).await;
        *line.loses.lock().unwrap() = Some(Lost::Answer("/cancel"));
        gitlab.retry_lost_job(job.into()).await.unwrap_err();
        assert_eq!(server.job(job).unwrap().status, Status::Canceling);
        server.clock().sleep(Duration::from_mins(2)).await;
        let settings = GitlabSettings { token: root(&server), ..settings() };
        let next = HttpGitlab::new(settings, Arc::clone(&line) as _, server.clock().clone());
        let project = Some(server.job(job).unwrap().project);
        let lost_at = Some(NOW + jiff::SignedDuration::from_secs(died_after));
        let again = next.retry_lost_job(DeadJob { id: job, project, lost_at }).await.unwrap();
        assert_eq!(again.is_some(), is_of_before, "{died_after}");
        let status = if is_of_before { Status::Canceled } else { Status::Canceling };
        assert_eq!(server.job(job).unwrap().status, status, "{died_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_cancelled_before_its_runner_died_is_not_queued_again() {
    let Taken { server, gitlab, job, .. } = taken(false).await;
    server.cancel_job(job);
    let lost_at = Some(NOW + jiff::SignedDuration::from_secs(60));
    let project = Some(server.job(job).unwrap().project);
    let dead = DeadJob { id: job, project, lost_at };
    assert_eq!(gitlab.retry_lost_job(dead).await.unwrap(), None);
    assert!(server.pending().is_empty());
}
