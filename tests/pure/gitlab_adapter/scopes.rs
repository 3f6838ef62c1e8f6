//! What the spec names by a path or an id, as GitLab knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Gitlab, GitlabError};
use autogit::sandbox::gitlab::{Down, NewJob, SimulatedGitlab};
use autogit::spec::{QueueSource, Scope};
use autogit::world::{GroupId, Owner, Place, ProjectId};
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::gitlab_adapter::fake::{NOW, claims, settings};
use crate::gitlab_adapter::writes::wanted;

struct Server {
    gitlab: SimulatedGitlab,
    clock: Clock,
    token: SecretString,
    group: GroupId,
    project: ProjectId,
}

fn server() -> Server {
    let clock = Clock::simulated(NOW, 1e-9);
    let gitlab = SimulatedGitlab::new(clock.clone(), 1);
    let root = gitlab.add_administrator("root");
    let token = gitlab.new_token(root, &["api"], None);
    let project = gitlab.add_project("infra/os/image");
    gitlab.add_project("team/app");
    let group = GroupId(gitlab.add_group("infra/os").0);
    Server { gitlab, clock, token, group, project }
}

impl Server {
    /// A process of AutoGit's whose queue is limited to these.
    fn limited(&self, limits: &[Scope], queue_source: QueueSource) -> HttpGitlab {
        let token = self.token.clone();
        let limits = limits.iter().cloned().collect();
        let settings = GitlabSettings { token, limits, queue_source, ..settings() };
        HttpGitlab::new(settings, Arc::new(self.gitlab.transport()), self.clock.clone())
    }

    fn process(&self) -> HttpGitlab {
        self.limited(&[], QueueSource::Auto)
    }

    fn later(&self) {
        self.clock.jump(SignedDuration::from_secs(61));
    }
}

fn group(name: &str) -> Scope {
    Scope::Group(name.to_owned())
}

fn project(name: &str) -> Scope {
    Scope::Project(name.to_owned())
}

async fn place(process: &HttpGitlab, scope: &Scope) -> Result<Place, GitlabError> {
    process.places(&BTreeSet::from([scope.clone()])).await.remove(scope).unwrap()
}

#[tokio::test(start_paused = true)]
async fn letter_case_and_ids_name_the_same_place() {
    let server = server();
    let process = server.process();
    let os = Place::Group { id: server.group, path: "infra/os".into() };
    for name in ["infra/os", "Infra/OS", &server.group.to_string()] {
        assert_eq!(place(&process, &group(name)).await.unwrap(), os, "{name}");
    }
    let image = Place::Project { id: server.project, path: "infra/os/image".into() };
    for name in ["infra/os/image", "INFRA/os/Image", &server.project.to_string()] {
        assert_eq!(place(&process, &project(name)).await.unwrap(), image, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_moved_project_is_found_by_its_old_path_and_told_by_its_new_one() {
    let server = server();
    let old = project("infra/os/image");
    server.gitlab.move_project(server.project, "team/image");
    let found = place(&server.process(), &old).await.unwrap();
    assert_eq!(found, Place::Project { id: server.project, path: "team/image".into() });
    assert_eq!(found.moved_from(&old).unwrap().as_str(), "team/image");
    assert_eq!(found.moved_from(&project("Team/IMAGE")), None);
}

/// GitLab itself does not know the old path of a group any more.
#[tokio::test(start_paused = true)]
async fn a_renamed_group_is_followed_by_whoever_saw_it_before() {
    let server = server();
    let process = server.process();
    place(&process, &group("infra/os")).await.unwrap();
    server.gitlab.move_group(autogit::sandbox::gitlab::GroupId(server.group.0), "infra/systems");
    server.later();
    let now = place(&process, &group("infra/os")).await.unwrap();
    assert_eq!(now, Place::Group { id: server.group, path: "infra/systems".into() });
    let fresh = place(&server.process(), &group("infra/os")).await.unwrap_err();
    assert!(fresh.to_string().contains("GitLab knows no group `infra/os`"), "{fresh}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_changes_nothing_of_what_was_told() {
    let server = server();
    let process = server.process();
    let before = place(&process, &group("infra/os")).await.unwrap();
    for down in [Down::Unreachable, Down::Status(502), Down::Html, Down::EmptyBody] {
        server.gitlab.set_down(down);
        server.later();
        assert_eq!(place(&process, &group("infra/os")).await.unwrap(), before, "{down:?}");
    }
    assert!(place(&server.process(), &group("infra/os")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_was_told_is_asked_for_again_after_a_minute_and_not_before() {
    let server = server();
    let process = server.process();
    place(&process, &group("infra/os")).await.unwrap();
    let asked = process.requests();
    place(&process, &group("infra/os")).await.unwrap();
    assert_eq!(process.requests(), asked);
    server.later();
    place(&process, &group("infra/os")).await.unwrap();
    assert_eq!(process.requests(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_person_lent_to_another_project_has_both_as_owners() {
    let server = server();
    let process = server.process();
    let image = place(&process, &project("infra/os/image")).await.unwrap();
    let id = process.create_record(&wanted(image.clone())).await.unwrap().id;
    let lent = server.gitlab.add_project("abc/first");
    server.gitlab.lend_record(id, lent);
    server.later();
    let records = process.records(&claims()).await.unwrap();
    assert_eq!(records[0].owner, Owner::Projects([server.project, lent].into()));
    assert!(image.is_of(&records[0].owner));
}

#[tokio::test(start_paused = true)]
async fn groups_and_projects_limit_the_queue_however_they_are_written() {
    let server = server();
    server.gitlab.add_job(NewJob::new(server.project));
    let elsewhere = server.gitlab.add_project("team/app");
    server.gitlab.add_job(NewJob::new(elsewhere));
    let id = server.group.to_string();
    for (limits, jobs) in [
        (vec![group("Infra")], 1),
        (vec![group(&id)], 1),
        (vec![group("infra/os"), project("TEAM/App")], 2),
        (vec![project("team/app")], 1),
        (vec![group("team/app2"), group("team")], 1),
    ] {
        for source in [QueueSource::Instance, QueueSource::Projects] {
            let queue = server.limited(&limits, source).queue().await.unwrap();
            assert_eq!(queue.jobs.len(), jobs, "{limits:?} {source:?}");
            assert_eq!(queue.more, limits.contains(&group("team/app2")), "{limits:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_knows_is_no_empty_queue() {
    let server = server();
    for source in [QueueSource::Instance, QueueSource::Projects] {
        let error = server.limited(&[group("gone")], source).queue().await.unwrap_err();
        assert!(error.to_string().contains("knows no group `gone`"), "{error}");
    }
}
