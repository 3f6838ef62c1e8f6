//! What a person's commands make at GitLab and remove again.

use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::GitlabError;
use autogit::gitlab::http::HttpUserGitlab;
use autogit::gitlab::scratch::{Deleted, ScratchGitlab as _};
use autogit::gitlab::setup::Way;
use autogit::gitlab::user::{JobsOf, UserGitlab as _};
use autogit::sandbox::gitlab::{AccessLevel, SimulatedGitlab};

const FILE: &str = ".gitlab-ci.yml";
const JOBS: &str = r#"{"one": {"tags": ["docker"], "script": ["echo hey"]}}"#;

/// A person with these scopes, who is a Developer of `team`.
fn person(scopes: &[&str]) -> (HttpUserGitlab, SimulatedGitlab) {
    let server = SimulatedGitlab::new(Clock::system(), 1);
    server.add_group("team");
    let user = server.add_user("ada");
    server.add_member(user, "team", AccessLevel::Developer);
    let token = server.new_token(user, scopes, None);
    let url = "http://gitlab.test".to_owned();
    let way = Way { url, token: Some(token), ca: None };
    (HttpUserGitlab::new(&way, Arc::new(server.transport()), Clock::system()), server)
}

#[tokio::test]
async fn a_project_is_made_with_a_pipeline_and_goes_again() {
    for version in ["17.11.0", "18.6.0"] {
        let (gitlab, server) = person(&["api"]);
        server.set_version(version);
        let project = gitlab.create_project(None, "trial").await.unwrap();
        assert_eq!((project.path.as_str(), project.default_branch), ("ada/trial", None));
        gitlab.commit_file(project.id, ("main", None), FILE, JOBS).await.unwrap();
        let pipeline = gitlab.create_pipeline(project.id, "main", &[]).await.unwrap();
        let jobs = gitlab.jobs(project.id, JobsOf::Pipeline(pipeline.id), 9).await.unwrap();
        let names: Vec<_> = jobs.iter().map(|job| (job.name.as_str(), &job.tags[..])).collect();
        assert_eq!(names, [("one", &["docker".to_owned()][..])]);
        let project = gitlab.project("ada/trial").await.unwrap();
        assert_eq!(gitlab.delete_project(&project).await.unwrap(), Deleted::Now, "{version}");
        assert_eq!(gitlab.delete_project(&project).await.unwrap(), Deleted::Now, "{version}");
        assert!(gitlab.projects(None, true, 9).await.unwrap().is_empty());
        assert!(server.jobs().is_empty());
    }
}

#[tokio::test]
async fn a_branch_of_a_project_that_is_there_takes_the_file_in_place_of_its_own() {
    let (gitlab, server) = person(&["api"]);
    let id = server.add_project("team/app");
    server.push(id, "main", "Ada", &[(FILE, Some("their: own")), ("README.md", Some("hey"))]);
    gitlab.commit_file(id, ("trial", Some("main")), FILE, JOBS).await.unwrap();
    let pipeline = gitlab.create_pipeline(id, "trial", &[]).await.unwrap();
    let refused = gitlab.delete_pipeline(id, pipeline.id).await.unwrap_err();
    assert!(matches!(refused, GitlabError::Forbidden { .. }), "for Owners: {refused}");
    gitlab.delete_branch(id, "trial").await.unwrap();
    gitlab.delete_branch(id, "trial").await.unwrap();
    let main = gitlab.create_pipeline(id, "main", &[]).await;
    assert!(main.is_err(), "its own file is as it was");
}

#[tokio::test]
async fn who_may_not_make_a_project_is_told_what_it_takes() {
    let (gitlab, server) = person(&["read_api"]);
    let refused = gitlab.create_project(None, "trial").await.unwrap_err().to_string();
    assert!(refused.contains("create a project") && refused.contains("api"), "{refused}");
    let (gitlab, _server) = person(&["api"]);
    let absent = gitlab.create_project(Some("nowhere"), "trial").await.unwrap_err();
    assert!(matches!(absent, GitlabError::NotFound { .. }), "{absent}");
    drop(server);
}
