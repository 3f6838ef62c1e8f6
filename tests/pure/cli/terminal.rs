//! What is asked and drawn at a terminal: what `autogit init` never shows, Ctrl-C at each question, and
//! that the terminal is as it was after `autogit top`.
//!
//! The terminal is that of `script` (util-linux): it hands on what is written and read.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use crate::cli::binary::Folder;
use crate::cli::daemon::{Daemon, TOKEN};
use crate::cli::served::Served;
use crate::support::skipped::note_skipped;

const LEAST: &[&str] = &["read_api", "create_runner", "manage_runner", "self_rotate"];
const INTERRUPT: &str = "\u{3}";

/// A terminal in which `autogit init` runs, and a shell that outlives Ctrl-C and says how it ended and whether it shows what
/// is written.
struct Typed {
    child: Child,
    shown: String,
}

impl Typed {
    /// `None`: there is no `script` here.
    fn start(folder: &Folder, url: &str) -> Option<Self> {
        Self::command(folder, &format!("init --url {url} --wait 0s"), "")
    }

    fn command(folder: &Folder, words: &str, variables: &str) -> Option<Self> {
        let binary = env!("CARGO_BIN_EXE_autogit");
        let script = format!(
            "trap : INT; {variables} {binary} {words}; echo \"ended $?\"; stty -a | grep -o -- '-*echo ' | head -1"
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--command", &script, "/dev/null"]).current_dir(folder.path());
        command.env_remove("GITLAB_TOKEN").env_remove("GITLAB_URL");
        command.env("DOCKER_HOST", "tcp://127.0.0.1:1").env("HOME", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            note_skipped("`script` is not here");
            return None;
        };
        Some(Self { child, shown: String::new() })
    }

    /// Waits until that is shown, and then types.
    fn at(&mut self, shown: &str, typed: &str) {
        self.read_until(shown);
        self.child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    }

    fn read_until(&mut self, part: &str) {
        let from = self.shown.len();
        let mut byte = [0_u8];
        while !self.shown[from..].contains(part) {
            let read = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "`{part}` never came: {}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
    }

    /// Everything that was shown until it ended.
    fn end(mut self) -> String {
        let mut rest = Vec::new();
        self.child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        self.child.wait().unwrap();
        self.shown + &String::from_utf8_lossy(&rest)
    }
}

#[test]
fn questions_are_answered_and_the_token_is_not_shown() {
    let served = Served::new();
    let token = served.token(LEAST);
    let folder = Folder::new("terminal-answers");
    let Some(mut typed) = Typed::start(&folder, &served.url) else { return };
    typed.at("not shown: ", "glpat-wrong\n");
    typed.at("not shown: ", &format!("{token}\n"));
    typed.at("where do containers reach GitLab: ", "http://gitlab.lan:3000\n");
    typed.at("[no webhook]: ", "\n");
    let shown = typed.end();
    assert!(shown.contains("ended 0") && !shown.contains("-echo"), "{shown}");
    assert!(shown.contains("GitLab refuses it") && shown.contains("personal_access_tokens?name"));
    assert!(!shown.contains(&token) && !shown.contains("glpat-wrong"), "{shown}");
    let spec = std::fs::read_to_string(folder.path().join("autogit.yaml")).unwrap();
    assert!(spec.contains("runner_url: http://gitlab.lan:3000\n"), "{spec}");
}

#[test]
fn ctrl_c_at_each_question_leaves_nothing_behind_and_the_terminal_as_it_was() {
    let served = Served::new();
    let token = served.token(LEAST);
    let token = format!("{token}\n");
    let steps = [
        ("not shown: ", token.as_str()),
        ("reach GitLab: ", "http://gitlab.lan\n"),
        ("[no webhook]: ", "\n"),
    ];
    for last in 0..steps.len() {
        let folder = Folder::new(&format!("terminal-stop-{last}"));
        let Some(mut typed) = Typed::start(&folder, &served.url) else { return };
        for (question, answer) in &steps[..last] {
            typed.at(question, answer);
        }
        typed.at(steps[last].0, INTERRUPT);
        let shown = typed.end();
        assert!(shown.contains("ended 1") && shown.contains("hint: run `autogit init` again"));
        assert!(shown.contains("echo ") && !shown.contains("-echo"), "{shown}");
        assert!(!shown.contains(token.trim_end()), "{shown}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "{shown}");
    }
}

#[test]
fn a_command_that_finds_no_project_asks_for_one() {
    let served = Served::new();
    let token = served.token(&["api"]);
    served.gitlab.add_project("team/app");
    let folder = Folder::new("terminal-project");
    let variables = format!("GITLAB_URL={} GITLAB_TOKEN={token}", served.url);
    let Some(mut typed) = Typed::command(&folder, "pipelines", &variables) else { return };
    typed.at("or GROUP/NAME: ", "7\n");
    typed.at("7 is not in the list", "team/none\n");
    typed.at("GitLab knows no project `team/none`", "team/app\n");
    let shown = typed.end();
    assert!(shown.contains("ended 0"), "{shown}");
}

#[test]
fn a_live_view_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::start("live");
    let size = "stty rows 24 cols 100";
    let (temporary, (name, value)) = (daemon.folder.path().display(), TOKEN);
    for leave in ["q", INTERRUPT] {
        let variables = format!("{size}; TERM=xterm TMPDIR={temporary} {name}={value}");
        let Some(mut typed) = Typed::command(&daemon.folder, "top", &variables) else { return };
        typed.at("STATE", leave);
        let shown = typed.end();
        let (drawn, after) = shown.rsplit_once("\u{1b}[?1049l").unwrap();
        assert!(drawn.contains("POOL") && drawn.contains("RUNNER"), "{shown}");
        assert!(after.contains("ended 0") && !after.contains("-echo"), "{shown}");
    }
}

#[test]
fn a_live_view_without_a_terminal_says_what_to_use_instead() {
    let told = Folder::new("no-terminal").autogit(&["top"], &[]);
    let words = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(2), "{words}");
    assert!(words.contains("here is none") && words.contains("hint: `autogit status`"), "{words}");
}
