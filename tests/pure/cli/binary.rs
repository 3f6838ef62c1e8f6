//! The binary itself: exit codes, which stream says what, and that secrets are in neither.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of one test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("binary-{test}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    /// Runs `autogit` here, with these variables and no others.
    pub(crate) fn autogit(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(arguments, variables).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autogit"));
        command.args(arguments).current_dir(&self.0).env_clear();
        command.env("TMPDIR", &self.0).envs(variables.iter().copied());
        command
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// GitLab and Docker are named, and neither is there: the ports are never listened on.
const NOWHERE: &str = "\
gitlab: {url: 'http://127.0.0.1:1', runner_url: 'http://gitlab.lan', token: glpat-hidden}
hosts: {local: {docker: 'tcp://127.0.0.1:1'}}
pools: {linux: {tags: [docker]}}
";

#[test]
fn a_fine_file_is_said_to_be_fine_and_a_faulty_one_ends_with_2() {
    let folder = Folder::new("check").write("autogit.yaml", NOWHERE);
    let checked = folder.autogit(&["check"], &[]);
    assert_eq!((code(&checked), out(&checked).as_str()), (0, "autogit.yaml is fine\n"));

    let folder = folder.write("bad.yaml", &NOWHERE.replace("tags", "tag"));
    let checked = folder.autogit(&["check", "bad.yaml"], &[]);
    assert_eq!((code(&checked), out(&checked).as_str()), (2, ""));
    assert!(talk(&checked).contains("hint: did you mean `tags`?"), "{}", talk(&checked));

    let checked = folder.autogit(&["check", "bad.yaml", "--format", "json"], &[]);
    let json: serde_json::Value = serde_json::from_str(&out(&checked)).unwrap();
    assert_eq!((code(&checked), &json["valid"]), (2, &false.into()));
    let faults = json["faults"].as_array().unwrap();
    let unknown = faults.iter().find(|fault| fault["code"] == "unknown-key").unwrap();
    assert_eq!((&unknown["line"], &unknown["column"]), (&3.into(), &17.into()));
}

#[test]
fn a_variable_without_value_is_a_fault_unless_no_environment_is_asked_for() {
    let text = NOWHERE.replace("glpat-hidden", "'${GITLAB_TOKEN}'");
    let folder = Folder::new("no-env").write("autogit.yaml", &text);
    assert_eq!(code(&folder.autogit(&["check"], &[])), 2);
    assert_eq!(code(&folder.autogit(&["check", "--no-env"], &[])), 0);
    assert_eq!(code(&folder.autogit(&["check"], &[("GITLAB_TOKEN", "glpat-x")])), 0);
    let folder = folder.write("variables.env", "GITLAB_TOKEN=glpat-y\n");
    assert_eq!(code(&folder.autogit(&["check", "--env-file", "variables.env"], &[])), 0);
}

#[test]
fn a_spec_that_is_not_there_is_named_with_the_next_step() {
    let folder = Folder::new("missing");
    // Any AutoGit that runs on this machine would do for a bare `status`.
    let commands =
        [&["run"][..], &["plan", "-c", "autogit.yaml"], &["check"], &["status", "--direct"]];
    for words in commands {
        let ended = folder.autogit(words, &[]);
        assert_eq!(code(&ended), 2, "{words:?}");
        assert!(talk(&ended).starts_with("error: the spec `autogit.yaml` does not exist\nhint: "));
    }
}

#[test]
fn a_plan_without_its_sources_is_incomplete_and_ends_with_1() {
    let folder = Folder::new("nowhere").write("autogit.yaml", NOWHERE);
    let planned = folder.autogit(&["plan"], &[]);
    assert_eq!(code(&planned), 1);
    let text = out(&planned);
    assert!(text.contains("gitlab UNKNOWN") && text.contains("local UNKNOWN"), "{text}");
    assert!(text.contains("Plan: nothing to do. Incomplete:"), "{text}");
    assert!(!format!("{planned:?}").contains("glpat-hidden"));

    let json = folder.autogit(&["plan", "--format", "json"], &[]);
    let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["sources"]["gitlab"]["state"], "unknown");
}

#[test]
fn a_runner_whose_log_is_asked_for_may_be_on_a_host_that_cannot_be_read() {
    let folder = Folder::new("logs").write("autogit.yaml", NOWHERE);
    let told = folder.autogit(&["logs", "linux-amd64-0"], &[]);
    assert_eq!((code(&told), out(&told).as_str()), (1, ""));
    let told = talk(&told);
    assert!(told.starts_with("error: no runner is called `linux-amd64-0`\n"), "{told}");
    assert!(told.contains("host `local` cannot be read: Docker at tcp://127.0.0.1:1"), "{told}");
    assert!(!told.contains("glpat-hidden"), "{told}");
}

#[test]
fn a_wrong_command_line_ends_with_2_and_help_with_0() {
    let folder = Folder::new("usage");
    assert_eq!(code(&folder.autogit(&["plan", "--frmat", "json"], &[])), 2);
    let help = folder.autogit(&["--help"], &[]);
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("Exit codes:"));
    let sandbox = folder.autogit(&["sandbox", "--docker", "--speed", "5"], &[]);
    assert_eq!(code(&sandbox), 2);
    assert!(talk(&sandbox).contains("hint: real containers take real time"));
}

#[test]
fn a_difference_is_told_in_the_operators_terms_and_without_secrets() {
    let folder = Folder::new("diff").write("old.yaml", NOWHERE);
    let new = NOWHERE.replace("[docker]", "[docker], max: 9").replace("glpat-hidden", "glpat-new");
    let folder = folder.write("new.yaml", &new);
    let told = folder.autogit(&["diff", "old.yaml", "new.yaml"], &[]);
    assert_eq!((code(&told), talk(&told).as_str()), (0, ""));
    assert!(out(&told).contains("pool linux: max 4 → 9"), "{}", out(&told));
    assert!(!out(&told).contains("glpat"), "{}", out(&told));
    let told = folder.autogit(&["diff", "old.yaml", "old.yaml"], &[]);
    assert_eq!(out(&told), "no difference\n");
}

#[test]
fn the_proxy_in_use_is_told_without_its_credentials() {
    let text = NOWHERE.to_owned() + "proxy: {https: 'http://me:hunter2@proxy.lan:1'}\n";
    let folder = Folder::new("proxy").write("autogit.yaml", NOWHERE).write("own.yaml", &text);
    let words = "proxy    http://***@proxy.lan:1 for https, jobs of all pools (by `proxy`)";
    let checked = folder.autogit(&["check", "own.yaml"], &[]);
    assert_eq!(out(&checked), format!("{words}\nown.yaml is fine\n"));
    assert!(talk(&checked).contains("`https` has credentials"), "{}", talk(&checked));
    let own = [("HTTP_PROXY", "http://proxy.lan:2"), ("no_proxy", ".lan")];
    let words = "proxy    http://proxy.lan:2 for http, runners and jobs of all pools; not for .lan \
                 (by AutoGit's environment)";
    for command in [["plan", "--direct"], ["status", "--direct"]] {
        let told = out(&folder.autogit(&command, &own));
        assert!(told.lines().any(|line| line == words), "{told}");
    }
    let json = folder.autogit(&["check", "--format", "json"], &own);
    let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["proxies"][0]["from"], "AutoGit's environment");
    for output in [checked, folder.autogit(&["diff", "autogit.yaml", "own.yaml"], &[])] {
        assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
    }
}
