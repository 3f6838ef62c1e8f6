//! `autogit health`: what a container's health check asks.

use crate::cli::binary::{Folder, code, out, talk};
use crate::cli::daemon::{Daemon, instance, spec};

#[test]
fn an_outage_of_all_sources_fails_only_the_strict_check() {
    let daemon = Daemon::start("health");
    // As in a container: without the spec's variables.
    let told = daemon.folder.autogit(&["health"], &[]);
    assert_eq!(code(&told), 0, "{told:?}");
    let text = out(&told);
    let (head, health) = text.split_once('\n').unwrap();
    assert!(head.starts_with("AutoGit ") && head.contains(" runs (pid "), "{text}");
    assert_eq!(health, "degraded: gitlab cannot be read, local cannot be read\n");

    let told = daemon.ask(&["health", "--strict", "--format", "json"]);
    assert_eq!(code(&told), 1, "{told:?}");
    let json: serde_json::Value = serde_json::from_str(&out(&told)).unwrap();
    assert_eq!((&json["status"], &json["spec_valid"]), (&"degraded".into(), &true.into()));

    let elsewhere = Folder::new("health-elsewhere");
    let told = elsewhere.autogit(&["health", "--server", &daemon.url()], &[]);
    assert_eq!((code(&told), out(&told).lines().last()), (0, text.lines().last()), "{told:?}");
}

#[test]
fn a_refused_file_is_told_and_fails_no_check() {
    let daemon = Daemon::start("health-refused");
    let faulty = spec(&instance("health-refused")).replace("tags:", "tag:");
    std::fs::write(daemon.folder.path().join("autogit.yaml"), faulty).unwrap();
    let told = (0..600).map(|_| daemon.ask(&["health"]));
    let told = { told }.find(|told| out(told).contains("the spec as it is now is refused"));
    assert_eq!(code(&told.unwrap()), 0);
}

#[test]
fn where_no_autogit_runs_none_is_well() {
    let folder = Folder::new("health-none").write("autogit.yaml", &spec(&instance("health-none")));
    let told = folder.autogit(&["health"], &[]);
    assert_eq!((code(&told), out(&told).as_str()), (1, ""), "{told:?}");
    let said = talk(&told);
    assert!(said.starts_with("error: no AutoGit answers on this machine\nhint: "), "{said}");
    let told = folder.autogit(&["health", "--server", "127.0.0.1:1"], &[]);
    assert_eq!(code(&told), 1);
    assert_eq!(talk(&told), "error: no AutoGit answers at http://127.0.0.1:1\n");
}
