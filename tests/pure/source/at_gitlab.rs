//! A spec in a project at GitLab: the real adapter over the simulated server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::gitlab::http::HttpRepository;
use autogit::sandbox::gitlab::{AccessLevel, Down, Limit, SimulatedGitlab};
use autogit::source::{
    Access, Environment, LoadError, Loaded, Origin, Reloaded, Remote, SpecSource, load,
};
use autogit::world::ProjectId;
use secrecy::{ExposeSecret, SecretString};

use crate::source::folder::Folder;
use crate::support::now::outcome_of;
use crate::support::world::NOW;

const URL: &str = "http://gitlab.internal";

/// A spec as it may be pushed.
const PUSHED: &str = "\
gitlab: { url: '${GITLAB_URL}', token: '${GITLAB_TOKEN}' }
pools:
  linux: { tags: [docker] }
";

/// A project with a spec, and who reads it.
pub(crate) struct Shelf {
    pub(crate) gitlab: SimulatedGitlab,
    pub(crate) project: ProjectId,
    pub(crate) token: SecretString,
    clock: Clock,
}

impl Shelf {
    pub(crate) fn new(clock: Clock) -> Self {
        let gitlab = SimulatedGitlab::new(clock.clone(), 7);
        gitlab.set_external_url(URL);
        let project = gitlab.add_project("infra/sub/runners");
        let user = gitlab.add_user("reader");
        gitlab.add_member(user, "infra/sub/runners", AccessLevel::Reporter);
        let token = gitlab.new_token(user, &["read_api"], None);
        Self { gitlab, project, token, clock }
    }

    fn with_spec(text: &str) -> Self {
        let shelf = Self::new(Clock::simulated(NOW, 1.0));
        shelf.push(text);
        shelf
    }

    pub(crate) fn push(&self, text: &str) -> String {
        self.gitlab.push(self.project, "main", "Ada Lovelace", &[("autogit.yaml", Some(text))])
    }

    pub(crate) fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let own = [("GITLAB_URL", URL), ("GITLAB_TOKEN", self.token.expose_secret())];
        let all = own.into_iter().chain(more.iter().copied());
        let all: BTreeMap<_, _> = all.map(|(name, value)| (name.into(), value.into())).collect();
        Environment::new(all, Vec::new())
    }

    pub(crate) fn origin(&self, address: &str, environment: Environment) -> Origin {
        let (gitlab, clock) = (self.gitlab.clone(), self.clock.clone());
        let connect = move |access: &Access| {
            let transport = Arc::new(gitlab.transport());
            let (url, token) = (&access.url, access.token.clone());
            let repository = HttpRepository::new(url, token, transport, clock.clone());
            Ok(Arc::new(repository) as Arc<dyn autogit::gitlab::Repository>)
        };
        let remote = |address| Remote::new(address, environment, Arc::new(connect));
        Origin::named(Path::new(address), remote).unwrap()
    }

    fn open(&self, address: &str) -> SpecSource {
        let environment = self.environment(&[]);
        let origin = self.origin(address, environment.clone());
        outcome_of(SpecSource::open(origin, environment, self.clock.clone())).unwrap()
    }

    fn load(&self, address: &str, more: &[(&str, &str)]) -> Result<Loaded, LoadError> {
        let environment = self.environment(more);
        outcome_of(load(&self.origin(address, environment.clone()), &environment, NOW))
    }

    fn asked(&self, route: &str) -> u64 {
        self.gitlab
            .requests()
            .get(&format!("GET /api/v4/projects/{{id}}/{route}"))
            .copied()
            .unwrap_or(0)
    }
}

const MAIN: &str = "gitlab://infra/sub/runners@main/autogit.yaml";

fn reload(source: &mut SpecSource) -> Reloaded {
    let read = outcome_of(source.origin().read());
    source.reload(read, |_| Ok(()))
}

#[track_caller]
fn refused(source: &mut SpecSource) -> String {
    let reloaded = reload(source);
    let Reloaded::Refused { fault, .. } = reloaded else { panic!("not refused: {reloaded:?}") };
    fault.text
}

#[test]
fn a_push_comes_into_force_with_its_author() {
    let shelf = Shelf::with_spec(PUSHED);
    let mut source = shelf.open(MAIN);
    assert_eq!(reload(&mut source), Reloaded::Unchanged);
    let id = shelf.push(&PUSHED.replace("docker", "podman"));
    let Reloaded::Changed { diff, .. } = reload(&mut source) else { panic!("not changed") };
    assert_eq!(diff, ["pool linux: tags [docker] → [podman]"]);
    let commit = source.loaded().commit.as_ref().unwrap();
    assert_eq!((commit.id.as_str(), commit.author.as_str()), (id.as_str(), "Ada Lovelace"));
    assert!(commit.at.is_some());
}

#[test]
fn asking_again_is_one_request_while_nothing_was_pushed() {
    let shelf = Shelf::with_spec(PUSHED);
    let mut source = shelf.open(MAIN);
    for _ in 0..3 {
        assert_eq!(reload(&mut source), Reloaded::Unchanged);
    }
    assert_eq!(shelf.asked("repository/branches/{branch}"), 4);
    assert_eq!(shelf.asked("repository/files/{path}/raw"), 1);
}

#[test]
fn a_commit_that_leaves_the_file_alone_is_the_one_in_force_and_changes_nothing() {
    let shelf = Shelf::with_spec(PUSHED);
    let mut source = shelf.open(MAIN);
    let before = Arc::clone(&source.loaded().spec);
    let id = shelf.gitlab.push(shelf.project, "main", "Bob", &[("README.md", Some("text"))]);
    assert_eq!(reload(&mut source), Reloaded::OtherCommit);
    assert!(Arc::ptr_eq(&before, &source.loaded().spec));
    assert_eq!(source.loaded().commit.as_ref().unwrap().id, id);
    assert_eq!(reload(&mut source), Reloaded::Unchanged);
}

#[test]
fn a_broken_commit_leaves_the_last_good_one_and_a_force_push_brings_it_back() {
    let shelf = Shelf::with_spec(PUSHED);
    let mut source = shelf.open(MAIN);
    let good = source.loaded().commit.clone().unwrap();
    shelf.push("pools: {");
    assert!(refused(&mut source).contains("gitlab://infra/sub/runners@main/autogit.yaml:1"));
    assert_eq!(source.loaded().commit.as_ref(), Some(&good));
    shelf.gitlab.reset_branch(shelf.project, "main", &good.id);
    assert_eq!(reload(&mut source), Reloaded::Recovered);
    assert_eq!(source.fault(), None);
}

#[test]
fn what_keeps_the_spec_from_being_read_is_told_once_and_the_last_good_one_stays() {
    let shelf = Shelf::with_spec(PUSHED);
    let mut source = shelf.open(MAIN);
    let good = source.loaded().commit.clone().unwrap();
    let gone: &dyn Fn() = &|| {
        shelf.gitlab.push(shelf.project, "main", "Bob", &[("autogit.yaml", None)]);
    };
    let limit = Limit { after: 0, retry_after: None, headers: true };
    for (what, words) in [
        (&|| shelf.gitlab.set_down(Down::Unreachable) as _, "cannot be reached"),
        (&|| shelf.gitlab.set_down(Down::Status(502)), "GitLab failed with 502"),
        (&|| shelf.gitlab.set_down(Down::Html), "is not GitLab's: it is a web page"),
        (&|| shelf.gitlab.limit_requests(Some(limit)), "GitLab limits our requests"),
        (&|| shelf.gitlab.revoke_token(&shelf.token), "GitLab refused the token (401"),
        (&|| shelf.gitlab.delete_branch(shelf.project, "main"), "knows no branch `main`"),
        (gone, "knows no file `autogit.yaml` in commit"),
    ] as [(&dyn Fn(), &str); 7]
    {
        what();
        let told = refused(&mut source);
        assert!(told.contains(words), "{told}");
        assert!(!told.contains(shelf.token.expose_secret()), "{told}");
        let Reloaded::Refused { repeated: true, .. } = reload(&mut source) else {
            panic!("told again: {words}");
        };
        assert_eq!(source.loaded().commit.as_ref(), Some(&good));
        shelf.gitlab.set_down(Down::None);
        shelf.gitlab.limit_requests(None);
        shelf.gitlab.restore_token(&shelf.token);
        shelf.gitlab.reset_branch(shelf.project, "main", &good.id);
        // A limit holds for a minute.
        source = shelf.open(MAIN);
    }
}

#[test]
fn a_token_that_may_not_read_code_is_told_which_right_it_lacks() {
    let shelf = Shelf::with_spec(PUSHED);
    let user = shelf.gitlab.add_user("guest");
    shelf.gitlab.add_member(user, "infra", AccessLevel::Guest);
    let token = shelf.gitlab.new_token(user, &["read_api"], None);
    let error = shelf.load(MAIN, &[("GITLAB_TOKEN", token.expose_secret())]).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("403 Forbidden"), "{told}");
    assert!(
        told.contains("hint: give the token the scope `read_api`, and its user the role Reporter")
    );
}

#[test]
fn a_tag_with_the_name_of_the_branch_is_not_read_for_it() {
    let shelf = Shelf::with_spec(PUSHED);
    let evil = PUSHED.replace("docker", "evil");
    let other = [("autogit.yaml", Some(evil.as_str()))];
    let id = shelf.gitlab.push(shelf.project, "other", "Mallory", &other);
    shelf.gitlab.tag_commit(shelf.project, "main", &id);
    assert_eq!(shelf.load(MAIN, &[]).unwrap().spec.pools[0].tags, ["docker"]);
    let tag = "gitlab://infra/sub/runners@refs/tags/main:autogit.yaml";
    assert_eq!(shelf.load(tag, &[]).unwrap().spec.pools[0].tags, ["evil"]);
    let commit = format!("gitlab://infra/sub/runners@{id}");
    assert_eq!(shelf.load(&commit, &[]).unwrap().spec.pools[0].tags, ["evil"]);
}

#[test]
fn the_default_branch_is_read_where_none_is_named() {
    let shelf = Shelf::with_spec(PUSHED);
    let file = [("conf/a.yaml", Some(PUSHED))];
    shelf.gitlab.push(shelf.project, "trunk/x", "Ada", &file);
    shelf.gitlab.set_project(shelf.project, |settings| settings.default_branch = "trunk/x".into());
    let loaded = shelf.load("gitlab://infra/sub/runners@:conf/a.yaml", &[]).unwrap();
    let warned: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warned[0].contains("is not protected in GitLab"), "{warned:?}");
    let named = shelf.load("gitlab://infra/sub/runners@trunk/x:conf/a.yaml", &[]).unwrap();
    assert_eq!(named.commit, loaded.commit);
    assert!(shelf.load(MAIN, &[]).unwrap().warnings.is_empty());
}

#[test]
fn the_token_may_come_from_a_file_that_is_read_anew() {
    let shelf = Shelf::with_spec(PUSHED);
    let folder = Folder::new();
    let file = folder.write("token", shelf.token.expose_secret());
    let more = [("GITLAB_TOKEN", ""), ("GITLAB_TOKEN_FILE", file.to_str().unwrap())];
    let environment = shelf.environment(&more);
    let origin = shelf.origin(MAIN, environment.clone());
    let clock = Clock::simulated(NOW, 1.0);
    let mut source = outcome_of(SpecSource::open(origin, environment, clock)).unwrap();
    assert!(source.files().contains(&file));
    let given = source.loaded().spec.gitlab.token.value().unwrap();
    assert_eq!(given.expose_secret(), shelf.token.expose_secret());
    folder.write("token", "glpat-wrong");
    assert!(refused(&mut source).contains("refused the token"));
    folder.write("token", shelf.token.expose_secret());
    assert_eq!(reload(&mut source), Reloaded::Recovered);
}

#[test]
fn without_the_operators_variables_it_is_said_which_to_set() {
    let shelf = Shelf::with_spec(PUSHED);
    for missing in ["GITLAB_URL", "GITLAB_TOKEN"] {
        let told = shelf.load(MAIN, &[(missing, "")]).unwrap_err().to_string();
        assert!(
            told.contains(&format!("`{missing}` is not set\nhint: set `GITLAB_URL`")),
            "{told}"
        );
    }
}
