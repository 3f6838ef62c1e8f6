//! The command itself: exit codes, what it does and what it does not, and that it tells no secret.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use autogit::clock::Clock;
use autogit::sandbox::gitlab::{AccessLevel, Down, SimulatedGitlab};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::cli::binary::{Folder, code, out};

/// A simulated GitLab over HTTP, and a folder with a spec of it whose engine is not there.
struct Bench {
    gitlab: SimulatedGitlab,
    folder: Folder,
    token: String,
}

impl Bench {
    async fn new(test: &str, scopes: &[&str], rest: &str) -> Self {
        let gitlab = SimulatedGitlab::new(Clock::system(), 1);
        let root = gitlab.add_administrator("root");
        let token = gitlab.new_token(root, scopes, None).expose_secret().to_owned();
        gitlab.add_project("team/app");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(gitlab.clone().serve(listener));
        let spec = format!(
            "instance: doctor-{}-{test}\n\
             gitlab: {{url: '{url}', runner_url: 'http://gitlab.lan', token_file: token, {rest}}}\n\
             hosts: {{rack: {{docker: 'unix:///nowhere/docker.sock'}}}}\n\
             api: {{listen: '127.0.0.1:0', external_url: 'http://ci.lan'}}\n\
             pools: {{linux: {{tags: [docker]}}}}\n",
            std::process::id()
        );
        let folder = Folder::new(&format!("doctor-{test}")).write("autogit.yaml", &spec);
        let folder = folder.write("token", &token);
        let bench = Self { gitlab, folder, token };
        bench.set_mode(0o600);
        bench
    }

    fn set_mode(&self, mode: u32) {
        let path = self.folder.path().join("token");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(&self) -> u32 {
        let path = self.folder.path().join("token");
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    async fn ask(&self, words: &[&str]) -> Output {
        let words = [&["doctor"], words].concat();
        let told = Command::from(self.folder.command(&words, &[])).output().await.unwrap();
        assert!(!format!("{told:?}").contains(&self.token), "it tells the token");
        told
    }

    async fn json(&self, words: &[&str]) -> Value {
        let told = self.ask(&[&["--format", "json"], words].concat()).await;
        serde_json::from_str(&out(&told)).unwrap_or_else(|_| panic!("{told:?}"))
    }

    async fn verdicts(&self) -> Vec<(String, String)> {
        let json = self.json(&[]).await;
        let findings = json["findings"].as_array().unwrap().iter();
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        findings.map(|finding| (word(finding, "check"), word(finding, "verdict"))).collect()
    }
}

fn of<'v>(verdicts: &'v [(String, String)], check: &str) -> Vec<&'v str> {
    let of_it = verdicts.iter().filter(|(name, _)| name == check);
    of_it.map(|(_, verdict)| verdict.as_str()).collect()
}

#[tokio::test]
async fn with_gitlab_there_and_the_engine_dead_only_the_engine_fails() {
    let bench = Bench::new("engine", &["api"], "").await;
    assert_eq!(code(&bench.ask(&[]).await), 1);
    let verdicts = bench.verdicts().await;
    let failed: Vec<&str> = verdicts
        .iter()
        .filter(|(_, verdict)| verdict == "failed")
        .map(|(check, _)| check.as_str())
        .collect();
    assert_eq!(failed, ["engine"], "{verdicts:?}");
    for check in ["gitlab", "gitlab-version", "token", "token-scopes", "queue", "runner-rights"] {
        assert_eq!(of(&verdicts, check), ["ok"], "{check} of {verdicts:?}");
    }
    let text = out(&bench.ask(&[]).await);
    assert!(
        text.contains("there is no socket") && text.contains("systemctl start docker"),
        "{text}"
    );
}

#[tokio::test]
async fn a_wrong_token_is_one_failure_and_what_needs_it_is_not_known() {
    let bench = Bench::new("token", &["api"], "").await;
    let bench = Bench { folder: bench.folder.write("token", "glpat-wrong"), ..bench };
    bench.set_mode(0o600);
    let verdicts = bench.verdicts().await;
    assert_eq!(of(&verdicts, "gitlab"), ["ok"]);
    assert_eq!(of(&verdicts, "token"), ["failed"]);
    for check in ["gitlab-version", "token-scopes", "queue", "runner-rights", "notices"] {
        assert_eq!(of(&verdicts, check), ["not known"], "{check} of {verdicts:?}");
    }
}

#[tokio::test]
async fn a_gitlab_that_starts_or_is_somebody_else_is_told_apart() {
    let bench = Bench::new("down", &["api"], "").await;
    for (down, words) in [
        (Down::Status(502), "not ready, it answers 502"),
        (Down::Html, "web page"),
        (Down::EmptyBody, "empty"),
    ] {
        bench.gitlab.set_down(down);
        let told = bench.ask(&[]).await;
        assert_eq!(code(&told), 1);
        assert!(out(&told).contains(words), "{words}: {}", out(&told));
    }
}

#[tokio::test]
async fn scopes_that_lack_are_named_before_anything_runs() {
    let bench = Bench::new("scopes", &["read_api"], "").await;
    let verdicts = bench.verdicts().await;
    assert_eq!(of(&verdicts, "token-scopes"), ["failed"]);
    assert!(out(&bench.ask(&[]).await).contains("`create_runner` and `manage_runner`"));
}

#[tokio::test]
async fn a_role_that_makes_no_runners_is_told_before_gitlab_refuses() {
    let bench = Bench::new("role", &["api"], "").await;
    let path = bench.folder.path().join("autogit.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[docker]", "[docker], scope: {group: team}");
    std::fs::write(path, text).unwrap();
    let ann = bench.gitlab.add_user("ann");
    let token = bench.gitlab.new_token(ann, &["api"], None);
    std::fs::write(bench.folder.path().join("token"), token.expose_secret()).unwrap();
    for (level, verdict) in [(AccessLevel::Developer, "failed"), (AccessLevel::Owner, "ok")] {
        bench.gitlab.add_member(ann, "team", level);
        assert_eq!(of(&bench.verdicts().await, "runner-rights"), [verdict], "{level:?}");
    }
}

#[tokio::test]
async fn fix_closes_a_file_and_makes_a_webhook_and_says_so_and_nothing_happens_without_it() {
    let secret = "webhook_secret: 0123456789-abcdef-0123456789, projects: [team/app]";
    let bench = Bench::new("fix", &["api"], secret).await;
    bench.set_mode(0o644);
    let made = || bench.gitlab.requests().get("POST /api/v4/projects/{id}/hooks").copied();
    let text = out(&bench.ask(&[]).await);
    assert!(
        text.contains("`autogit doctor --fix` would set the mode of `token` to 0600"),
        "{text}"
    );
    assert_eq!((bench.mode(), made()), (0o644, None));
    let text = out(&bench.ask(&["--fix"]).await);
    assert!(text.contains("fixed: set the mode of `token` to 0600"), "{text}");
    assert!(text.contains("fixed: make the webhook of `team/app`"), "{text}");
    assert_eq!((bench.mode(), made()), (0o600, Some(1)));
    let verdicts = bench.verdicts().await;
    assert_eq!(of(&verdicts, "file-modes"), ["ok"]);
    assert_eq!(of(&verdicts, "webhook"), ["not known"], "it was never delivered");
    bench.ask(&["--fix"]).await;
    assert_eq!(made(), Some(1), "it is there already");
}

#[tokio::test]
async fn a_faulty_spec_is_the_only_finding_and_ends_with_2() {
    let bench = Bench::new("spec", &["api"], "").await;
    let folder = bench.folder.write("autogit.yaml", "gitlab: {}\n");
    let bench = Bench { folder, ..bench };
    let told = bench.ask(&[]).await;
    assert_eq!(code(&told), 2, "{told:?}");
    assert!(out(&told).contains("autogit check"), "{}", out(&told));
    let json = bench.json(&[]).await;
    assert_eq!(json["counts"]["failed"], 1);
    assert_eq!(json["findings"][0]["check"], "spec");
    let told = bench.ask(&["nowhere.yaml"]).await;
    assert_eq!(code(&told), 2);
    assert!(out(&told).contains("`nowhere.yaml` does not exist"), "{}", out(&told));
}
