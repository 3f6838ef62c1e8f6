//! What the end-to-end tests count on in the images that they run.

use std::process::{Command, Output};

use crate::support::image;

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

/// Runs an image; nothing here needs a network, and not every engine has a bridge of its own.
fn run(options: &[&str], command: &[&str]) -> Output {
    docker(&[&["run", "--rm", "--network=none"], options, command].concat())
}

#[test]
fn a_runner_is_drained_by_its_stop_signal_and_keeps_its_files_in_volumes() {
    let Some(images) = image::ensure() else { return };
    let format = "{{.Config.StopSignal}} {{json .Config.Volumes}}";
    let config = docker(&["image", "inspect", "--format", format, &images.runner]);
    assert_eq!(
        String::from_utf8_lossy(&config.stdout).trim(),
        r#"SIGQUIT {"/etc/gitlab-runner":{},"/home/gitlab-runner":{}}"#
    );
}

#[test]
fn a_runner_without_a_configuration_says_so_and_exits_with_1() {
    let Some(images) = image::ensure() else { return };
    let run = run(&["--read-only"], &[&images.runner, "run-single", "--runner", "a"]);
    let said = String::from_utf8(run.stderr).unwrap();
    let last = said.lines().last().unwrap();
    let log: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(log["level"], "error");
    assert!(log["msg"].as_str().unwrap().starts_with("reading config file"), "{log}");
}

#[test]
fn a_runner_says_first_which_version_it_is() {
    let Some(images) = image::ensure() else { return };
    for (image, version) in [(&images.runner, "19.4.0"), (&images.oldest, "18.4.0")] {
        let run = run(&["--read-only"], &[image, "run-single", "--runner", "a"]);
        let said = String::from_utf8(run.stderr).unwrap();
        let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["msg"], &first["version"]),
            (&"Runtime platform".into(), &version.into())
        );
    }
}

#[test]
fn a_job_has_a_shell_and_its_tools() {
    let Some(images) = image::ensure() else { return };
    let run = run(&[], &[&images.job, "sh", "-c", "echo one two | cut -d' ' -f2"]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), "two\n", "{run:?}");
}
