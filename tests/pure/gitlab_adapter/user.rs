//! What a person's commands ask, through the real adapter.

use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::GitlabError;
use autogit::gitlab::http::HttpUserGitlab;
use autogit::gitlab::setup::Way;
use autogit::gitlab::user::{Change, JobsOf, UserGitlab, Variable};
use autogit::sandbox::gitlab::{AccessLevel, NewJob, SimulatedGitlab};
use secrecy::SecretString;

use crate::gitlab_adapter::fake::NOW;

struct Person {
    server: SimulatedGitlab,
    gitlab: HttpUserGitlab,
}

/// A user of `team/app` at that level, and one project that is none of the user's.
fn person(level: AccessLevel) -> Person {
    let clock = Clock::simulated(NOW, 1.0);
    let server = SimulatedGitlab::new(clock.clone(), 7);
    server.add_group("team");
    server.add_group("other");
    server.add_project("team/app");
    server.add_project("other/thing");
    let user = server.add_user("mei");
    server.add_member(user, "team/app", level);
    let token = server.new_token(user, &["api"], None);
    let way = Way { url: "http://gitlab.test".to_owned(), token: Some(token), ca: None };
    let transport = Arc::new(server.transport());
    Person { gitlab: HttpUserGitlab::new(&way, transport, clock), server }
}

#[tokio::test]
async fn a_user_sees_its_projects_and_finds_them_by_path() {
    let Person { gitlab, .. } = person(AccessLevel::Developer);
    let mine = gitlab.projects(None, false, 10).await.unwrap();
    assert_eq!(mine.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["team/app"]);
    let found = gitlab.project("team/app").await.unwrap();
    assert_eq!(found, mine[0]);
    let hidden = gitlab.project("other/thing").await.unwrap_err().to_string();
    assert_eq!(hidden, "GitLab knows no project `other/thing` that this token may see");
}

#[tokio::test]
async fn a_pipeline_is_begun_stopped_and_begun_once_more() {
    let Person { server, gitlab } = person(AccessLevel::Developer);
    let project = gitlab.project("team/app").await.unwrap();
    let jobs = ["build", "test"].map(|name| {
        let mut job = NewJob::new(project.id);
        name.clone_into(&mut job.name);
        job
    });
    server.set_pipeline_jobs(project.id, jobs.to_vec());
    let secret = SecretString::from("hunter2".to_owned());
    let variables = [Variable { key: "DEPLOY".to_owned(), value: secret }];
    let begun = gitlab.create_pipeline(project.id, "main", &variables).await.unwrap();
    assert_eq!((begun.status.0.as_str(), begun.source.as_str()), ("pending", "api"));
    assert_eq!(server.variables_of(begun.id.0), [("DEPLOY".to_owned(), "hunter2".to_owned())]);

    let of = JobsOf::Pipeline(begun.id);
    let jobs = gitlab.jobs(project.id, of, 10).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let ended = gitlab.change_pipeline(project.id, begun.id, Change::Cancel).await.unwrap();
    assert!(ended.status.is_over() && !ended.status.is_success());
    let again = gitlab.change_pipeline(project.id, begun.id, Change::Retry).await.unwrap();
    assert_eq!(again.status.0, "pending");
    let jobs_again = gitlab.jobs(project.id, of, 10).await.unwrap();
    assert_eq!(jobs_again.len(), 2, "those that were tried again are not told");
    assert!(jobs_again.iter().all(|job| jobs.iter().all(|old| old.id != job.id)));

    let job = gitlab.change_job(project.id, jobs_again[0].id, Change::Cancel).await.unwrap();
    assert_eq!(job.status.0, "canceled");
    let retried = gitlab.change_job(project.id, job.id, Change::Retry).await.unwrap();
    assert_ne!(retried.id, job.id);
}

#[tokio::test]
async fn whoever_may_not_begin_a_pipeline_is_told_so() {
    let Person { gitlab, .. } = person(AccessLevel::Reporter);
    let project = gitlab.project("team/app").await.unwrap();
    let refused = gitlab.create_pipeline(project.id, "main", &[]).await.unwrap_err();
    let words = refused.to_string();
    assert!(matches!(refused, GitlabError::Rejected { .. }), "{words}");
    assert!(words.starts_with("GitLab refused to begin a pipeline on `main`: "), "{words}");
    assert!(words.contains("Insufficient permissions"), "{words}");
}
