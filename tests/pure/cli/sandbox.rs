//! The sandbox as a process: what it plays, what it refuses, and how other commands see it.

use std::process::{Child, Stdio};

use autogit::sandbox::demo::SPEC;

use crate::cli::binary::{Folder, code, out, talk};
use crate::support::skipped::note_skipped;

/// The built-in spec under an instance of the test's own: two sandboxes of one instance do not run
/// beside each other.
fn own_spec(test: &str) -> String {
    SPEC.replace("instance: sandbox", &format!("instance: s{}-{test}", std::process::id()))
}

/// A running sandbox.
struct Played {
    folder: Folder,
    child: Child,
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Played {
    fn start(test: &str) -> Self {
        let folder = Folder::new(&format!("sandbox-{test}")).write("own.yaml", &own_spec(test));
        let mut command = folder.command(&["sandbox", "own.yaml", "--speed", "20"], &[]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { folder, child }
    }

    /// What `words` answers as soon as it holds `part`.
    fn until(&self, words: &[&str], part: &str) -> String {
        let answers = (0..600).map(|_| out(&self.folder.autogit(words, &[])));
        let mut last = String::new();
        for answer in answers {
            if answer.contains(part) {
                return answer;
            }
            last = answer;
        }
        panic!("{words:?} never says `{part}`: {last}");
    }
}

#[test]
fn a_sandbox_goes_from_zero_to_zero() {
    for seed in ["1", "2"] {
        let name = format!("zero{seed}");
        let folder = Folder::new(&name).write("own.yaml", &own_spec(&name));
        let words = ["sandbox", "-c", "own.yaml", "--until-idle", "--seed", seed, "--speed", "100"];
        let played = folder.autogit(&words, &[]);
        let text = out(&played);
        assert_eq!(code(&played), 0, "{text}{}", talk(&played));
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("14 jobs: ") && last.ends_with("; no runner is left"), "{text}");
        let left = std::fs::read_dir(folder.path()).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(left.filter(|name| name.starts_with("autogit-sandbox")).count(), 0);
    }
}

#[test]
fn a_sandbox_whose_time_is_up_before_all_is_done_ends_with_1() {
    let folder = Folder::new("time").write("own.yaml", &own_spec("time"));
    let played = folder.autogit(&["sandbox", "own.yaml", "--until-idle", "--for", "1s"], &[]);
    assert_eq!(code(&played), 1);
    assert!(out(&played).ends_with("its time was up before everything was done\n"));
}

#[test]
fn jobs_go_on_to_arrive_after_the_first_wave() {
    let folder = Folder::new("steady").write("own.yaml", &own_spec("steady"));
    let played = folder.autogit(&["sandbox", "own.yaml", "--for", "2s", "--speed", "100"], &[]);
    assert_eq!(code(&played), 0, "{played:?}");
    let text = out(&played);
    let last = text.lines().last().unwrap();
    let jobs: usize = last.split(' ').next().unwrap().parse().unwrap();
    assert!(jobs > 14 && last.ends_with("; its time is up"), "{last}");
}

#[test]
fn a_sandbox_refuses_a_spec_of_a_real_gitlab() {
    let urls = [
        ("url: ${SANDBOX_URL}", "url: https://gitlab.com"),
        ("runner_url: ${SANDBOX_RUNNER_URL}", "runner_url: https://gitlab.com"),
        ("token: ${SANDBOX_TOKEN}\n  poll", "token: x\n  clone_url: https://gitlab.com\n  poll"),
    ];
    for (own, real) in urls {
        let text = own_spec("real").replacen(own, real, 1);
        let folder = Folder::new("real").write("own.yaml", &text);
        let refused = folder.autogit(&["sandbox", "-c", "own.yaml", "--for", "1s"], &[]);
        assert_eq!(code(&refused), 2, "{real}: {refused:?}");
        let words = talk(&refused);
        assert!(
            words.contains("is that of another GitLab, and a sandbox uses only its own"),
            "{words}"
        );
        assert!(words.contains("hint: ") && words.contains("${SANDBOX_RUNNER_URL}"), "{words}");
    }
    let kept = own_spec("kept").replacen("  poll", "  token_cache: tokens\n  poll", 1);
    let folder = Folder::new("kept").write("own.yaml", &kept);
    let refused = folder.autogit(&["sandbox", "-c", "own.yaml", "--for", "1s"], &[]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(talk(&refused).contains("may keep the tokens of real runners"), "{refused:?}");
    let help = out(&Folder::new("help").autogit(&["sandbox", "--help"], &[]));
    assert!(help.contains("${SANDBOX_URL}") && help.contains("${SANDBOX_RUNNER_URL}"), "{help}");
}

#[test]
fn the_other_commands_see_a_sandbox_and_its_instance_is_taken() {
    let played = Played::start("seen");
    let status = played.until(&["status", "-c", "own.yaml"], "its view is");
    let first = status.lines().next().unwrap();
    let url = first.split(", ").find(|word| word.starts_with("http://")).unwrap();
    let url = url.trim_end_matches(')');
    played.until(&["explain", "pool", "linux", "--server", url], "pool linux: docker");
    played.until(&["plan", "--server", url], "Plan: ");
    let second = played.folder.autogit(&["sandbox", "own.yaml", "--for", "1s"], &[]);
    assert_eq!(code(&second), 1, "{second:?}");
    assert!(talk(&second).contains("another autogit with instance"), "{second:?}");

    let real = own_spec("seen").replacen("${SANDBOX_URL}", "https://gitlab.com", 1);
    std::fs::write(played.folder.path().join("own.yaml"), real).unwrap();
    let status = played.until(&["status", "--server", url], "is refused");
    assert!(status.contains("a sandbox uses only its own"), "{status}");
}

#[test]
fn the_log_tells_each_job_that_is_taken_ends_or_waits_for_long() {
    let text = own_spec("log").replace("  docs:\n    tags: [docs]\n    max: 1\n", "");
    let folder = Folder::new("log").write("own.yaml", &text);
    let words = ["sandbox", "own.yaml", "--for", "3s", "--speed", "50"];
    let played = folder.autogit(&words, &[("AUTOGIT_LOG", "info")]);
    let log = talk(&played);
    let count = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    let (taken, ended) = (count("job taken"), count("job ended"));
    assert!(taken > 0 && ended > 0 && ended <= taken, "{log}");
    let once = |word: &str| {
        let lines = log.lines().filter(|line| line.contains(word));
        // As a field for people, or as one of JSON.
        let id = |line: &str| {
            let after = line.split(" job=").nth(1).or_else(|| line.split("\"job\":\"").nth(1))?;
            Some(after.chars().take_while(char::is_ascii_digit).collect::<String>())
        };
        let ids: Vec<String> = lines.filter_map(id).collect();
        let different: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert!(!ids.is_empty() && ids.len() == different.len(), "{word}: {log}");
    };
    once("job taken");
    once("job ended");
    assert!(log.lines().any(|line| line.contains("job taken") && line.contains("waited")), "{log}");
    assert!(count("for longer than a minute: no pool has tag `docs`") > 0, "{log}");
}

#[test]
fn real_containers_without_their_images_are_no_show() {
    let folder = Folder::new("images").write("own.yaml", &own_spec("images"));
    let words = ["sandbox", "own.yaml", "--docker", "--runner-image", "autogit-none:1"];
    let refused = folder.autogit(&words, &[]);
    assert_eq!(code(&refused), 1, "{refused:?}");
    if talk(&refused).contains("cannot be reached") {
        return note_skipped("no Docker answers");
    }
    let words = "error: image `autogit-none:1` is not on this machine for ";
    assert!(talk(&refused).contains(words), "{refused:?}");
    assert!(talk(&refused).contains("hint: `tests/runner/build-image`"), "{refused:?}");
}
