use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::*;
use crate::spec::{Cache, JobNetwork, Missing, ServiceResources, Vendor};

fn pool() -> Pool {
    let text = "gitlab: {url: 'http://git:3000', token: x}\npools: {linux: {tags: [docker]}}";
    Spec::parse("a.yaml", text, &|_| None, Missing::Fault).unwrap().spec.pools.remove(0)
}

fn name() -> RunnerName {
    RunnerName::from_observed("autogit-runner-linux-amd64-0")
}

fn rendered(pool: &Pool, job_network: ResolvedNetwork) -> Result<String, RunnerConfigError> {
    let config = render(&RunnerConfig {
        pool,
        name: &name(),
        runner_url: "https://gitlab.example.com",
        clone_url: None,
        token: &SecretString::from("glrt-secret"),
        network: "autogit-network",
        job_network,
        socket: Path::new("/var/run/docker.sock"),
        proxy: None,
        gpus: &[],
        private_ca: false,
        guarded: None,
    })?;
    Ok(config.expose_secret().to_owned())
}

fn with_runner_config(extra: serde_json::Value) -> Pool {
    let serde_json::Value::Object(runner_config) = extra else { panic!("not a map: {extra}") };
    Pool { runner_config, ..pool() }
}

#[test]
fn a_plain_pool_runs_each_job_on_its_own_network_without_new_privileges() {
    assert_snapshot!(rendered(&pool(), ResolvedNetwork::PerJob).unwrap(), @r#"
    [[runners]]
    executor = "docker"
    name = "autogit-runner-linux-amd64-0"
    token = "glrt-secret"
    url = "https://gitlab.example.com"

    [runners.docker]
    cap_add = []
    cap_drop = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"]
    disable_cache = false
    image = "alpine:3"
    privileged = false
    pull_policy = ["always", "if-not-present"]
    security_opt = ["no-new-privileges"]
    volumes = ["/cache"]

    [runners.docker.container_labels]
    "io.autogit.runner" = "autogit-runner-linux-amd64-0"

    [runners.feature_flags]
    FF_NETWORK_PER_BUILD = true
    "#);
}

#[test]
fn a_pool_that_sets_everything_is_written_in_full() {
    let mut pool = with_runner_config(json!({
        "output_limit": 8192,
        "pre_build_script": "set -e",
        "docker": {"shm_size": 67_108_864, "container_labels": {"team": "a"}},
        "feature_flags": {"FF_USE_FASTZIP": true},
        "cache": {"Type": "s3", "s3": {"BucketName": "b"}},
    }));
    pool.cache = Cache::Discard;
    pool.resources = Some(Resources {
        cpus: Some(1.5),
        memory: Some(4 << 30),
        services: Some(ServiceResources { max: 2, cpus: Some(1.0), memory: Some(1 << 30) }),
    });
    pool.job.privileged = true;
    pool.job.docker_socket = true;
    pool.job.capabilities.add = vec!["SYS_PTRACE".to_owned()];
    pool.job.volumes = vec!["/srv/models:/models:ro".to_owned()];
    pool.job.allowed_images = vec!["registry.example.com/*".to_owned()];
    pool.job.allowed_services = vec!["postgres:*".to_owned()];
    pool.job.environment = [("B", "2"), ("A", "1 = one")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let config = render(&RunnerConfig {
        pool: &pool,
        name: &name(),
        runner_url: "http://gitlab:3000/$base",
        clone_url: Some("http://gitlab:3000"),
        token: &SecretString::from("glrt-secret"),
        network: "autogit-network",
        job_network: ResolvedNetwork::Shared,
        socket: Path::new("/run/user/1000/docker.sock"),
        proxy: None,
        gpus: &[],
        private_ca: true,
        guarded: None,
    })
    .unwrap();
    assert_snapshot!(config.expose_secret(), @r#"
    [[runners]]
    clone_url = "http://gitlab:3000"
    environment = ["A=1 = one", "B=2"]
    executor = "docker"
    name = "autogit-runner-linux-amd64-0"
    output_limit = 8192
    pre_build_script = "set -e"
    tls-ca-file = "/etc/gitlab-runner/ca.crt"
    token = "glrt-secret"
    url = "http://gitlab:3000/%24base"

    [runners.cache]
    Type = "s3"

    [runners.cache.s3]
    BucketName = "b"

    [runners.docker]
    allowed_images = ["registry.example.com/*"]
    allowed_services = ["postgres:*"]
    cap_add = ["SYS_PTRACE"]
    cap_drop = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"]
    cpus = "1.5"
    disable_cache = true
    image = "alpine:3"
    memory = "4294967296"
    network_mode = "autogit-network"
    privileged = true
    pull_policy = ["always", "if-not-present"]
    service_cpus = "1"
    service_memory = "1073741824"
    services_limit = 2
    shm_size = 67108864
    volumes = ["/cache", "/run/user/1000/docker.sock:/var/run/docker.sock", "/srv/models:/models:ro"]

    [runners.docker.container_labels]
    "io.autogit.runner" = "autogit-runner-linux-amd64-0"
    team = "a"

    [runners.feature_flags]
    FF_NETWORK_PER_BUILD = false
    FF_USE_FASTZIP = true
    "#);
}

#[test]
fn an_operators_labels_are_on_jobs_to_the_letter_and_none_of_ours() {
    let labels = [("com.example.price", "5$ or ${MORE}"), ("io.autogit.runner", "another's")];
    let labels = labels.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let text = rendered(&Pool { labels, ..pool() }, ResolvedNetwork::PerJob).unwrap();
    let file: Table = text.parse().unwrap();
    let labels = file["runners"][0]["docker"]["container_labels"].as_table().unwrap();
    assert_eq!(labels["com.example.price"].as_str(), Some("5$$ or $${MORE}"));
    assert_eq!(labels[RUNNER_LABEL].as_str(), Some("autogit-runner-linux-amd64-0"));
}

#[test]
fn jobs_get_their_proxy_and_a_variable_of_the_pool_wins_in_any_spelling() {
    let url = crate::spec::ProxyUrl::read;
    let proxy = Proxy {
        http: url("http://me:pa$$@proxy:1"),
        https: url("http://proxy:2"),
        no_proxy: Some(".lan".to_owned()),
    };
    let mut pool = pool();
    pool.job.environment.insert("Https_Proxy".to_owned(), String::new());
    let config = render(&RunnerConfig {
        pool: &pool,
        name: &name(),
        runner_url: "https://gitlab.example.com",
        clone_url: None,
        token: &SecretString::from("glrt-secret"),
        network: "autogit-network",
        job_network: ResolvedNetwork::PerJob,
        socket: Path::new("/var/run/docker.sock"),
        proxy: Some(&proxy),
        gpus: &[],
        private_ca: false,
        guarded: None,
    });
    let file: Table = config.unwrap().expose_secret().parse().unwrap();
    let lines: Vec<&str> = file["runners"][0]["environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let expected = [
        "HTTP_PROXY=http://me:pa%24%24@proxy:1",
        "Https_Proxy=",
        "NO_PROXY=.lan",
        "http_proxy=http://me:pa%24%24@proxy:1",
        "no_proxy=.lan",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn jobs_on_the_hosts_network_get_no_network_of_their_own() {
    let text = rendered(&pool(), ResolvedNetwork::Host).unwrap();
    let file: Table = text.parse().unwrap();
    let runner = &file["runners"][0];
    assert_eq!(runner["docker"]["network_mode"].as_str(), Some("host"));
    assert_eq!(runner["feature_flags"]["FF_NETWORK_PER_BUILD"].as_bool(), Some(false));
}

#[test]
fn auto_is_per_job_unless_only_our_network_resolves_the_clone_host() {
    let network = |host: &str| job_network(&pool(), host);
    assert_eq!(network("gitlab.example.com"), ResolvedNetwork::PerJob);
    assert_eq!(network("10.0.0.7"), ResolvedNetwork::PerJob);
    assert_eq!(network("[fd00::7]"), ResolvedNetwork::PerJob);
    assert_eq!(network("autogit-git-server"), ResolvedNetwork::Shared);
    let mut pool = pool();
    pool.job.network = JobNetwork::PerJob;
    assert_eq!(job_network(&pool, "autogit-git-server"), ResolvedNetwork::PerJob);
    assert_eq!(host_of("http://autogit-git-server:3000/x").as_deref(), Some("autogit-git-server"));
    assert_eq!(host_of("https://[fd00::7]/").as_deref(), Some("[fd00::7]"));
}

#[test]
fn what_the_spec_says_elsewhere_is_refused_in_runner_config() {
    let fault = |extra| {
        let pool = with_runner_config(extra);
        rendered(&pool, ResolvedNetwork::PerJob).unwrap_err().to_string()
    };
    assert_snapshot!(fault(json!({"token": "glrt-other"})), @r#"
    `runner_config.token` is written by AutoGit
    hint: use `runner_token`
    "#);
    assert_snapshot!(fault(json!({"docker": {"privileged": true}})), @r#"
    `runner_config.docker.privileged` is written by AutoGit
    hint: use `job.privileged`
    "#);
    assert_snapshot!(fault(json!({"Executor": "shell"})), @r#"
    `runner_config.Executor` is written by AutoGit
    hint: remove it
    "#);
    assert_snapshot!(fault(json!({"Docker": {"shm_size": 1}})), @r#"
    `runner_config.Docker` is written by AutoGit
    hint: write it `docker`
    "#);
    assert_snapshot!(fault(json!({"docker": {"container_labels": {"io.autogit.instance": "x"}}})), @r#"
    `runner_config.docker.container_labels.io.autogit.instance` is written by AutoGit
    hint: remove it
    "#);
    assert_snapshot!(fault(json!({"docker": "none"})), @r#"
    `runner_config.docker` is no map
    hint: give it keys of its own
    "#);
    assert_snapshot!(fault(json!({"cache": {"Type": null}})), @r#"
    `runner_config.cache.Type` is empty
    hint: remove it, or give it a value
    "#);
    assert_snapshot!(fault(json!({"output_limit": u64::MAX})), @r#"
    `runner_config.output_limit` is too large a number
    hint: use a number below 9223372036854775808
    "#);
}

#[test]
fn the_token_is_read_back_from_what_was_written() {
    let text = rendered(&pool(), ResolvedNetwork::PerJob).unwrap();
    let token = token_of(&text.into()).unwrap();
    assert_eq!(token.expose_secret(), "glrt-secret");
    for unreadable in ["", "[[runners]]\n", "runners = 3", "[[runners]]\ntoken = \"\"", "\0["] {
        assert!(token_of(&unreadable.into()).is_none(), "{unreadable:?}");
    }
}

#[test]
fn a_token_that_would_be_expanded_is_refused() {
    let pool = pool();
    let error = render(&RunnerConfig {
        pool: &pool,
        name: &name(),
        runner_url: "https://gitlab.example.com",
        clone_url: None,
        token: &SecretString::from("glrt-$HOME"),
        network: "autogit-network",
        job_network: ResolvedNetwork::PerJob,
        socket: Path::new("/var/run/docker.sock"),
        proxy: None,
        gpus: &[],
        private_ca: false,
        guarded: None,
    })
    .unwrap_err();
    assert_eq!(error, RunnerConfigError::DollarInToken);
}

proptest! {
    #[test]
    fn no_word_of_a_pool_can_add_structure(word in r#"["'\[\]\n\r\t#=\\a-z\u{0}-\u{ff}]{0,24}"#) {
        let mut pool = pool();
        pool.job.image.clone_from(&word);
        pool.job.volumes = vec![word.clone()];
        pool.job.environment.insert("WORD".to_owned(), word.clone());
        let text = rendered(&pool, ResolvedNetwork::PerJob).unwrap();
        let file: Table = text.parse().unwrap();
        let runners = file["runners"].as_array().unwrap();
        prop_assert_eq!((file.len(), runners.len()), (1, 1));
        let runner = runners[0].as_table().unwrap();
        let keys: Vec<&str> = runner.keys().map(String::as_str).collect();
        prop_assert_eq!(
            keys,
            ["docker", "environment", "executor", "feature_flags", "name", "token", "url"]
        );
        prop_assert_eq!(runner["environment"][0].as_str(), Some(&*format!("WORD={word}")));
        prop_assert_eq!(runner["docker"]["image"].as_str(), Some(&*word));
        prop_assert_eq!(runner["docker"]["volumes"][1].as_str(), Some(&*word));
        prop_assert_eq!(runner["token"].as_str(), Some("glrt-secret"));
    }
}

#[test]
fn gpus_are_told_to_gitlab_runner_by_id_or_by_device() {
    let pool = pool();
    let name = name();
    let gpu = |vendor, id: &str| Gpu { vendor, id: id.to_owned(), devices: Vec::new() };
    let nodes = |nodes: &[&str]| {
        Gpu::of_devices(Vendor::Amd, nodes.iter().map(ToString::to_string).collect()).unwrap()
    };
    let gpus = [
        gpu(Vendor::Nvidia, "0"),
        gpu(Vendor::Nvidia, "1"),
        nodes(&["/dev/kfd", "/dev/dri/renderD128"]),
        nodes(&["/dev/kfd", "/dev/dri/renderD129"]),
    ];
    let spec = Spec::parse(
        "a.yaml",
        "gitlab: {url: 'http://git:3000', token: x}\npools: {linux: {tags: [docker]}}",
        &|_| None,
        Missing::Fault,
    );
    let (spec, token) = (spec.unwrap().spec, SecretString::from("glrt-secret"));
    let config = RunnerConfig::of(&spec, &pool, &name, &token, Path::new("/s"), None);
    let text = render(&RunnerConfig { gpus: &gpus, ..config }).unwrap();
    let file: Table = text.expose_secret().parse().unwrap();
    let docker = &file["runners"][0]["docker"];
    assert_eq!(docker["gpus"].as_str(), Some("\"device=0,1\""));
    let devices = ["/dev/dri/renderD128", "/dev/dri/renderD129", "/dev/kfd"].map(Value::from);
    assert_eq!(docker["devices"], Value::Array(devices.to_vec()));
    assert!(docker.get("service_gpus").is_none() && docker.get("services_devices").is_none());
}
