//! Values that may not change by accident: each that does replaces every fleet at its upgrade.

use super::*;
use crate::spec::{Missing, PoolName};

fn parsed(text: &str) -> Spec {
    let text = format!("gitlab: {{url: 'http://git:3000', token: x, ca_file: ca.pem}}\n{text}");
    Spec::parse("a.yaml", &text, &|_| None, Missing::Fault).unwrap().spec
}

/// A pool that says much.
fn full() -> Spec {
    parsed(
        "network: runners
pools:
  linux:
    tags: [docker]
    runner_image: gitlab/gitlab-runner:alpine-v18.6.0
    jobs_per_runner: 3
    cache: discard
    resources: {cpus: 1.5, memory: 2GiB, services: {max: 2, cpus: 1}}
    job:
      image: debian:13
      network: per-job
      capabilities: {add: [SYS_PTRACE]}
      pull_policy: [never]
      volumes: [/data]
      environment: {PIN: '4712'}
    runner_config: {output_limit: 8192, docker: {shm_size: 1}}
",
    )
}

fn hashed(spec: &Spec, engine: &str) -> String {
    let host = HostName::new("local").unwrap();
    spec_hash(spec, &spec.pools[0], &host, &EngineId::from_observed(engine)).to_string()
}

/// If this fails, every runner is replaced at the upgrade. Where that is meant, write the new value
/// here; where it is not, what was changed shows in `config.toml`.
#[test]
fn the_hash_stays_as_it_is_from_version_to_version() {
    assert_eq!(hashed(&full(), "engine"), "fkdjyjgbaupdntapfnte");
}

#[test]
fn the_first_form_is_as_the_first_versions_wrote_it() {
    let mut spec = full();
    assert_eq!(first_form::hash(&spec, &spec.pools[0]).as_str(), "jubcuk7dgt7n");
    spec.pools[0].name = PoolName::new("other").unwrap();
    assert_eq!(first_form::hash(&spec, &spec.pools[0]).as_str(), "jubcuk7dgt7n");
}

#[test]
fn the_hash_is_the_engines_own_and_of_all_that_the_container_gets() {
    let spec = full();
    let before = hashed(&spec, "engine");
    assert_ne!(hashed(&spec, "other"), before);
    let mut authority = spec.clone();
    authority.gitlab.ca = Some("one".to_owned());
    let with_authority = hashed(&authority, "engine");
    assert_ne!(with_authority, before);
    // A new authority under the path that it had.
    authority.gitlab.ca = Some("two".to_owned());
    assert_ne!(hashed(&authority, "engine"), with_authority);
    let mut socket = spec.clone();
    let host = socket.hosts.values_mut().next().unwrap();
    host.socket = Some("/run/user/1000/docker.sock".into());
    assert_ne!(hashed(&socket, "engine"), before);
    // The path of a file is no part of what it holds.
    let mut moved = spec.clone();
    moved.gitlab.ca_file = Some("elsewhere.pem".into());
    assert_eq!(hashed(&moved, "engine"), before);
}

#[test]
fn another_label_is_another_container_of_whatever_form() {
    let (spec, mut labelled) = (full(), full());
    labelled.pools[0].labels.insert("com.example.team".to_owned(), "a".to_owned());
    assert_ne!(hashed(&labelled, "engine"), hashed(&spec, "engine"));
    // Of a job's container the one and of a runner's the other.
    let said = |text: &str| serde_json::json!({"container_labels": {"com.example.team": text}});
    labelled.pools[0].runner_config.insert("docker".to_owned(), said("b"));
    let before = hashed(&labelled, "engine");
    labelled.pools[0].labels.insert("com.example.team".to_owned(), "c".to_owned());
    assert_ne!(hashed(&labelled, "engine"), before);
}

#[test]
fn another_proxy_is_another_container() {
    let with = |url: &str, own: bool| {
        let mut spec = full();
        let proxy = Proxy { http: crate::spec::ProxyUrl::read(url), ..Proxy::default() };
        spec.proxies.environment = Some(proxy);
        // Jobs have their own, and what is left is the runner's container.
        if own {
            let environment = &mut spec.pools[0].job.environment;
            environment
                .extend([("http_proxy", ""), ("no_proxy", "")].map(|(k, v)| (k.into(), v.into())));
        }
        hashed(&spec, "engine")
    };
    assert_ne!(with("http://one:1", false), hashed(&full(), "engine"));
    assert_ne!(with("http://one:1", false), with("http://two:1", false));
    assert_ne!(with("http://one:1", true), with("http://two:1", true));
    // Of one with credentials a runner has nothing.
    assert_eq!(with("http://a:b@one:1", true), with("http://a:b@two:1", true));
}
