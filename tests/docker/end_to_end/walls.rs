//! What a runner and a job may do, read from inside, and that the token shows nowhere.

use secrecy::ExposeSecret as _;
use tokio::process::Command;

use crate::end_to_end::engine::Found;
use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::operator::Operator;
use crate::end_to_end::program::Program;

/// What `docker` prints.
async fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().await.unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    let [said, complained] = [output.stdout, output.stderr].map(String::from_utf8);
    said.unwrap() + &complained.unwrap()
}

/// What a script says that runs beside a container's first process and sees what that one sees: a
/// runner's image has nothing to run it with.
async fn within(harness: &Harness, container: &str, script: &str) -> String {
    let [pid, network] = ["pid", "network"].map(|what| format!("--{what}=container:{container}"));
    docker(&["run", "--rm", &pid, &network, &harness.images.job, "sh", "-c", script]).await
}

/// The word after `name`, on the line that begins so.
fn after<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.next().and_then(|rest| rest.split_whitespace().next()).unwrap_or_default()
}

/// The token in the runner's `config.toml`.
async fn token_of(runner: &str) -> String {
    let tar = docker(&["cp", &format!("{runner}:/etc/gitlab-runner/config.toml"), "-"]).await;
    let line = after(&tar, "token = ");
    let token = line.trim_matches('"').to_owned();
    assert!(token.starts_with("glrt-"), "{token}");
    token
}

#[tokio::test]
async fn a_runner_has_three_capabilities_a_read_only_root_and_one_network() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let job = harness.queue_gated(&["docker"], "busy");
        let _operator = Operator::start(&harness);
        harness.until_begun(job).await;
        let found = harness.engine.found().await;
        let (runner, network) = (&found.runners[0], format!("{}-network", harness.instance));
        let inside =
            within(&harness, runner, "cat /proc/1/status /proc/1/mountinfo; ip addr").await;
        assert_eq!(after(&inside, "CapEff:"), "00000000000000c1", "CHOWN, SETGID, SETUID");
        assert_eq!(after(&inside, "CapBnd:"), "00000000000000c1");
        assert_eq!(after(&inside, "NoNewPrivs:"), "1");
        let root = inside.lines().find(|line| line.contains(" / / ")).unwrap();
        assert!(root.contains(" / / ro,"), "{root}");
        let interfaces = inside.lines().filter(|line| line.contains(" mtu ")).count();
        assert_eq!(interfaces, 2, "the loopback and one network: {inside}");
        let address =
            ["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"];
        let address = docker(&[&address[..], &[runner]].concat()).await;
        assert!(inside.contains(&format!("inet {}/", address.trim())), "{address} {inside}");
        let names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
        assert_eq!(docker(&["inspect", "--format", names, runner]).await.trim(), network);
        let on_its_own = docker(&["inspect", "--format", names, &found.jobs[0]]).await;
        assert_ne!(on_its_own.trim(), network, "a job is not on the runners' network");
        harness.gates.open("busy");
        harness.until_succeeded(job).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_has_the_capabilities_of_the_spec_and_gains_no_others() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}\nsmall: {tags: [small], job: {capabilities: {drop: [ALL], add: [KILL]}}}");
        let tell = ["cat /proc/self/status"];
        let (usual, small) = (harness.queue(&["docker"], &tell), harness.queue(&["small"], &tell));
        let _operator = Operator::start(&harness);
        let usual = harness.until_succeeded(usual).await.trace;
        let small = harness.until_succeeded(small).await.trace;
        assert_eq!(after(&usual, "CapEff:"), "00000000000005fb");
        assert_eq!(after(&small, "CapEff:"), "0000000000000020");
        assert_eq!([after(&usual, "NoNewPrivs:"), after(&small, "NoNewPrivs:")], ["1", "1"]);
    })
    .await;
}

#[tokio::test]
async fn a_runners_token_is_in_its_config_and_nowhere_else() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let job = harness.queue_gated(&["docker"], "busy");
        let _program = Program::start_logging(&harness, "trace");
        harness.until_begun(job).await;
        let found = harness.engine.found().await;
        let (runner, job_container) = (&found.runners[0], &found.jobs[0]);
        let token = token_of(runner).await;
        let mut shown = within(&harness, runner, "cat /proc/1/environ /proc/1/cmdline").await;
        let Found { runners, jobs, volumes, networks } = &found;
        for name in [runners, jobs, volumes, networks].into_iter().flatten() {
            shown += &docker(&["inspect", name]).await;
        }
        shown += &docker(&["logs", runner]).await;
        shown += &docker(&["logs", job_container]).await;
        harness.gates.open("busy");
        shown += &harness.until_succeeded(job).await.trace;
        harness.until_nothing_is_left().await;
        // What was done is told after it was done.
        let told =
            async || Some(harness.logs().concat()).filter(|logs| logs.contains("reap-exited"));
        shown += &until("the reap is told", told).await;
        let looked_at = [runner.as_str(), "Job succeeded", "reap-exited", "TRACE"];
        for word in looked_at {
            assert!(shown.contains(word), "nothing of `{word}` was looked at");
        }
        for secret in [token.as_str(), harness.token.expose_secret()] {
            let line = shown.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{line:?}");
        }
    })
    .await;
}
