//! `autogit selftest` against a sandbox: what it follows, and that nothing of it stays.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::cli::binary::{Folder, code, out, talk};

const POOLS: &str = "
gitlab: {url: '${SANDBOX_URL}', runner_url: '${SANDBOX_RUNNER_URL}', token: '${SANDBOX_TOKEN}', poll_interval: 1s}
proxy: {}
api: {listen: '127.0.0.1:0', token: '${SANDBOX_TOKEN}'}
defaults: {cooldown: 1s, job: {image: 'alpine:3'}}
pools:
  one: {tags: [one]}
  kept: {tags: [kept], warm: 1}
  off: {tags: [off], enabled: false}
  safe: {tags: [safe], protected: true}
";

/// A sandbox, and what it says of itself.
struct Sandbox {
    folder: Folder,
    child: Child,
    gitlab: String,
    api: String,
    token: String,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sandbox {
    fn start(test: &str) -> Self {
        let name = format!("s{}-{test}", std::process::id());
        let spec = format!("instance: {name}{POOLS}");
        let folder = Folder::new(&format!("selftest-{test}")).write("own.yaml", &spec);
        let mut command = folder.command(&["sandbox", "own.yaml"], &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = |begin: &str| {
            let line = lines.find_map(|line| {
                let line = line.unwrap();
                line.strip_prefix(begin).map(str::to_owned)
            });
            line.unwrap().trim().split(' ').next().unwrap().to_owned()
        };
        let (gitlab, api, token) = (told("GitLab "), told("AutoGit "), told("token "));
        // Somebody has to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let sandbox = Self { folder, child, gitlab, api, token };
        let looked = || {
            code(&sandbox.folder.autogit(&["health", "--strict", "--server", &sandbox.api], &[]))
        };
        assert!((0..600).any(|_| looked() == 0), "it never looks");
        sandbox
    }

    fn selftest(&self, words: &[&str]) -> std::process::Output {
        let all = [&["selftest", "--server", &self.api], words].concat();
        let variables = [("GITLAB_URL", &*self.gitlab), ("GITLAB_TOKEN", &*self.token)];
        self.folder.autogit(&all, &variables)
    }

    fn projects(&self) -> String {
        let variables = [("GITLAB_URL", &*self.gitlab), ("GITLAB_TOKEN", &*self.token)];
        out(&self.folder.autogit(&["projects", "--all"], &variables))
    }
}

#[test]
fn each_pool_gets_a_job_that_is_followed_until_nothing_of_it_is_left() {
    let sandbox = Sandbox::start("follows");
    let tested = sandbox.selftest(&["--format", "json"]);
    assert_eq!(code(&tested), 0, "{tested:?}");
    let json: Value = serde_json::from_str(&out(&tested)).unwrap();
    assert_eq!((&json["pass"], &json["left"]), (&true.into(), &Value::Array(vec![])));
    assert_eq!(json["skipped"]["off"], "is disabled");
    let jobs = json["runs"][0]["jobs"].as_array().unwrap();
    let stages = |pool: &str| -> Vec<&str> {
        let job = jobs.iter().find(|job| job["pool"] == pool).unwrap();
        job["stages"].as_array().unwrap().iter().map(|one| one["stage"].as_str().unwrap()).collect()
    };
    for pool in ["one", "safe"] {
        let stages = stages(pool);
        for stage in ["pending", "started", "online", "picked-up", "first-line", "finished", "gone"]
        {
            assert!(stages.contains(&stage), "{pool}: {stages:?} lacks {stage}");
        }
    }
    assert!(!stages("kept").contains(&"gone"));
    let kept = jobs.iter().find(|job| job["pool"] == "kept").unwrap();
    assert!(kept["note"].as_str().unwrap().contains("`warm` keeps it"), "{kept}");
    assert!(!sandbox.projects().contains("autogit-selftest"), "{}", sandbox.projects());

    let tested = sandbox.selftest(&["--project", "team/app"]);
    assert_eq!(code(&tested), 0, "{tested:?}");
    let text = out(&tested);
    assert!(text.contains("not tried: safe, which takes jobs on protected refs only"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("pass: 2 pools"), "{text}");
}

#[test]
fn a_selftest_whose_time_is_up_explains_what_is_pending_and_cleans_up() {
    let sandbox = Sandbox::start("late");
    let tested = sandbox.selftest(&["--timeout", "0s"]);
    assert_eq!(code(&tested), 1, "{tested:?}");
    assert!(out(&tested).contains("fail: one, kept, safe"), "{tested:?}");
    assert!(!sandbox.projects().contains("autogit-selftest"), "{}", sandbox.projects());
}

#[test]
fn a_selftest_without_a_running_autogit_says_so() {
    let folder = Folder::new("selftest-alone");
    let spec = "gitlab: {url: 'http://127.0.0.1:1', runner_url: 'http://gitlab.lan', token: glpat-x}\n\
        hosts: {local: {docker: 'tcp://127.0.0.1:1'}}\npools: {linux: {tags: [docker]}}\n";
    let instance = format!("instance: t{}-selftest\n", std::process::id());
    let folder = folder.write("autogit.yaml", &(instance + spec));
    let told = folder.autogit(&["selftest"], &[]);
    assert_eq!((code(&told), out(&told).as_str()), (1, ""));
    assert!(talk(&told).contains("hint: start it by `autogit run`"), "{told:?}");
}
