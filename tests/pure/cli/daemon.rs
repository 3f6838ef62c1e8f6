//! Commands beside an AutoGit that runs: they find it, whatever the file says, and show its view.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::cli::binary::{Folder, code, out, talk};

/// Nothing that this names is there; the API takes any port, and shows itself to few.
pub(crate) fn spec(instance: &str) -> String {
    format!(
        "\
instance: {instance}
gitlab: {{url: 'http://127.0.0.1:1', runner_url: 'http://gitlab.lan', token: '${{GITLAB_TOKEN}}'}}
hosts: {{local: {{docker: 'tcp://127.0.0.1:1'}}}}
api:
  listen: '127.0.0.1:0'
  read_token: read-0123456789-abcdef-0123456789
  token: operator-0123456789-abcdef-012345
pools: {{linux: {{tags: [docker]}}}}
"
    )
}

pub(crate) const TOKEN: (&str, &str) = ("GITLAB_TOKEN", "glpat-hidden");

/// A running AutoGit of its own instance.
pub(crate) struct Daemon {
    pub(crate) folder: Folder,
    child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    pub(crate) fn start(test: &str) -> Self {
        let folder = Folder::new(test).write("autogit.yaml", &spec(&instance(test)));
        let mut command = folder.command(&["run"], &[TOKEN]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let daemon = Self { folder, child };
        for _ in 0..600 {
            if out(&daemon.ask(&["status"])).contains("its view is") {
                return daemon;
            }
        }
        panic!("never found: {:?}", daemon.ask(&["status"]));
    }

    /// A command in its folder, with its variables.
    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        self.folder.autogit(words, &[TOKEN])
    }

    /// Where its API is, as the first line of each command says.
    pub(crate) fn url(&self) -> String {
        let first = out(&self.ask(&["status"])).lines().next().unwrap().to_owned();
        let url = first.split(", ").find(|word| word.starts_with("http://")).unwrap();
        url.trim_end_matches(')').to_owned()
    }
}

pub(crate) fn instance(test: &str) -> String {
    format!("t{}-{test}", std::process::id())
}

/// What all but the first line says, without what grows older.
fn body(output: &Output) -> String {
    let text = out(output);
    let lines = text.lines().skip(1).filter(|line| !line.contains("UNKNOWN"));
    lines.filter(|line| !line.contains('·')).collect::<Vec<_>>().join("\n")
}

#[test]
fn all_commands_say_first_that_an_autogit_runs_and_how_old_its_view_is() {
    let daemon = Daemon::start("first");
    for words in [&["status"][..], &["runners"], &["queue"], &["plan"], &["explain", "linux"]] {
        let told = daemon.ask(words);
        let first = out(&told).lines().next().unwrap().to_owned();
        let mut parts = [", instance t", "; its view is ", " old"].into_iter();
        assert!(
            first.starts_with("AutoGit ") && first.contains(" runs (pid "),
            "{words:?}: {first}"
        );
        assert!(parts.all(|part| first.contains(part)), "{words:?}: {first}");
        // `status` names its sources itself.
        assert_eq!(
            talk(&told).contains("UNKNOWN"),
            !matches!(words, ["status" | "plan" | "explain", ..])
        );
        // Its sources are away.
        assert_eq!(code(&told), 1, "{words:?}: {told:?}");
        let json = daemon.ask(&[words, &["--format", "json"]].concat());
        let _: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
        assert!(talk(&json).starts_with("AutoGit "), "{words:?}: {json:?}");
    }
}

#[test]
fn a_faulty_file_or_a_missing_variable_hides_no_autogit_that_runs() {
    let daemon = Daemon::start("faulty");
    // The shell lacks the variable that the daemon has.
    for words in [&["status"][..], &["runners"], &["queue"], &["plan"], &["explain", "linux"]] {
        let told = daemon.folder.autogit(words, &[]);
        let text = out(&told);
        assert!(text.contains("its view is") && text.contains("this shell cannot read"), "{text}");
    }
    let faulty = spec(&instance("faulty")).replace("tags:", "tag:");
    std::fs::write(daemon.folder.path().join("autogit.yaml"), faulty).unwrap();
    for words in [&["status"][..], &["runners"], &["queue"], &["explain", "linux"]] {
        let text = (0..600).map(|_| out(&daemon.ask(words))).find(|text| text.contains("refused"));
        assert!(text.is_some_and(|text| text.starts_with("AutoGit ")), "{words:?}");
    }
    let planned = daemon.ask(&["plan"]);
    assert_eq!(code(&planned), 2, "{planned:?}");
    assert!(talk(&planned).contains("hint: did you mean `tags`?"), "{planned:?}");
}

#[test]
fn another_file_than_the_one_in_force_is_planned_anew_and_that_is_said_first() {
    let daemon = Daemon::start("other");
    let other = spec(&instance("other")).replace("linux:", "lnx:");
    std::fs::write(daemon.folder.path().join("other.yaml"), other).unwrap();
    for words in [&["plan", "other.yaml"][..], &["explain", "pool", "lnx", "other.yaml"]] {
        let text = out(&daemon.ask(words));
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("other.yaml@"), "{text}");
        let ending = "by a look from here with the memory of the AutoGit that runs";
        assert!(first.ends_with(ending), "{text}");
    }
    // What is there does not depend on a file.
    let told = out(&daemon.ask(&["status", "-c", "other.yaml"]));
    assert!(!told.contains("planned again") && told.contains("its view is"), "{told}");
}

#[test]
fn a_server_that_is_named_plans_the_file_itself_for_who_has_its_token() {
    let daemon = Daemon::start("candidate");
    let url = daemon.url();
    let other = spec(&instance("candidate")).replace("linux:", "lnx:");
    let elsewhere = Folder::new("candidate-elsewhere").write("autogit.yaml", &other);
    let planned = |words: &[&str], variables: &[(&str, &str)]| {
        elsewhere.autogit(&[&["plan", "autogit.yaml", "--server", &url], words].concat(), variables)
    };
    let told = planned(&[], &[TOKEN]);
    let text = out(&told);
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("AutoGit ") && first.ends_with("it planned autogit.yaml on that view")
    );
    assert!(text.contains("changes  pool lnx: added"), "{text}");
    // Its sources are away.
    assert_eq!(code(&told), 1, "{told:?}");
    let json: serde_json::Value =
        serde_json::from_str(&out(&planned(&["--format", "json"], &[TOKEN]))).unwrap();
    assert_eq!(json["spec"]["source"], "candidate");

    // A file whose variables have no value here is planned with those that the server has.
    let told = planned(&[], &[]);
    assert_eq!(code(&told), 2, "{told:?}");
    let elsewhere = elsewhere.write("token", "operator-0123456789-abcdef-012345\n");
    let asked = ["plan", "autogit.yaml", "--server", &url, "--token-file", "token"];
    let told = elsewhere.autogit(&asked, &[]);
    assert!(out(&told).contains("it planned autogit.yaml on that view"), "{told:?}");

    let told = elsewhere.autogit(&[&asked[..5], &["gone"]].concat(), &[]);
    assert!(talk(&told).contains("the token cannot be read: `gone` does not exist"), "{told:?}");

    let elsewhere = elsewhere.write("token", "a-token-of-somebody-else-0123456789");
    let told = elsewhere.autogit(&asked, &[TOKEN]);
    assert!(talk(&told).contains("that AutoGit plans no file for us"), "{told:?}");
    let elsewhere = elsewhere.write("token", "operator-0123456789-abcdef-012345");
    let elsewhere = elsewhere.write("autogit.yaml", &other.replace("tags:", "tag:"));
    let told = elsewhere.autogit(&asked, &[]);
    assert_eq!((code(&told), talk(&told).contains("`tag`")), (2, true), "{told:?}");
}

#[test]
fn a_server_that_is_named_is_asked_and_must_be_of_the_files_instance() {
    let daemon = Daemon::start("server");
    let url = daemon.url();
    let elsewhere = Folder::new("server-elsewhere").write("autogit.yaml", &spec("somebody-else"));
    let told = elsewhere.autogit(&["status", "--server", &url], &[]);
    assert!(out(&told).contains(&format!("instance {}", instance("server"))), "{told:?}");
    let told = elsewhere.autogit(&["status", "autogit.yaml", "--server", &url], &[TOKEN]);
    assert_eq!(code(&told), 2, "{told:?}");
    assert!(talk(&told).contains("and the file's is `somebody-else`"), "{told:?}");
    let told = elsewhere.autogit(&["plan", "--server", "127.0.0.1:1"], &[]);
    assert_eq!((code(&told), talk(&told).contains("no AutoGit answers")), (1, true), "{told:?}");
}

#[test]
fn a_look_without_the_one_that_runs_says_so() {
    let daemon = Daemon::start("direct");
    let told = out(&daemon.ask(&["plan", "--direct"]));
    let first = told.lines().next().unwrap();
    assert!(first.ends_with("looked directly, without its memory, as asked"), "{first}");
    let alone = Folder::new("alone").write("autogit.yaml", &spec(&instance("alone")));
    let told = out(&alone.autogit(&["status"], &[TOKEN]));
    assert!(told.starts_with("no AutoGit of instance t"), "{told}");
}

#[test]
fn a_word_is_explained_with_its_kind_as_without() {
    let daemon = Daemon::start("kind");
    let plain = daemon.ask(&["explain", "linux"]);
    assert!(body(&plain).contains("pool linux: docker"), "{plain:?}");
    assert_eq!(body(&daemon.ask(&["explain", "pool", "linux"])), body(&plain));
    assert_eq!(body(&daemon.ask(&["explain", "pool", "linux", "autogit.yaml"])), body(&plain));
    assert_eq!(body(&daemon.ask(&["explain", "linux", "-c", "autogit.yaml"])), body(&plain));
    let unknown = daemon.ask(&["explain", "pool", "linx"]);
    assert_eq!(code(&unknown), 1);
    assert!(talk(&unknown).contains("hint: did you mean `linux`?"), "{unknown:?}");
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let folder = Folder::new("full").write("autogit.yaml", &spec(&instance("full")));
    for words in [&["check"][..], &["schema"], &["--help"], &["diff", "autogit.yaml"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command: Command = folder.command(words, &[TOKEN]);
        let ended = command.stdout(full).output().unwrap();
        assert_eq!(code(&ended), 1, "{words:?}");
        assert!(talk(&ended).contains("the output cannot be written"), "{words:?}: {ended:?}");
    }
}

#[test]
fn whoever_closes_the_output_ends_the_command_and_is_told_nothing() {
    let folder = Folder::new("closed").write("autogit.yaml", &spec(&instance("closed")));
    for words in [&["check"][..], &["schema"], &["--help"], &["diff", "autogit.yaml"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = folder.command(words, &[TOKEN]).stdout(writer).output().unwrap();
        assert_eq!((code(&ended), talk(&ended).as_str()), (141, ""), "{words:?}");
    }
}

#[test]
fn each_command_takes_the_file_both_ways() {
    let folder = Folder::new("both").write("other.yaml", &spec(&instance("both")));
    let file = PathBuf::from("other.yaml");
    let file = file.to_str().unwrap();
    for command in ["check", "plan", "status", "runners", "queue"] {
        let given = folder.autogit(&[command, file], &[TOKEN]);
        let option = folder.autogit(&[command, "-c", file], &[TOKEN]);
        let variable = folder.autogit(&[command], &[TOKEN, ("AUTOGIT_CONFIG", file)]);
        for told in [&given, &option, &variable] {
            assert!(!talk(told).contains("does not exist"), "{command}: {told:?}");
        }
        assert_eq!(code(&given), code(&option), "{command}");
        let twice = folder.autogit(&[command, file, "-c", file], &[TOKEN]);
        assert_eq!(code(&twice), 2, "{command}: {twice:?}");
    }
    for words in [&["run", "none.yaml"][..], &["run", "-c", "none.yaml"]] {
        let told = folder.autogit(words, &[TOKEN]);
        assert!(talk(&told).contains("`none.yaml` does not exist"), "{told:?}");
    }
}
