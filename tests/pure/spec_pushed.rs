//! What who may push a spec gains by it: pools.

use std::path::PathBuf;

use autogit::spec::{Limits, Missing, Spec};

fn limits(variables: &str, keys: &str) -> Limits {
    let credentials = Some(PathBuf::from("/run/credentials/autogit"));
    Limits::new("https://git.example", credentials, variables, keys)
}

const BASE: &str = "\
gitlab: { url: '${GITLAB_URL}', token: '${GITLAB_TOKEN}' }
pools: { linux: { tags: [docker] } }
";

/// All that is refused of `text`, one line each.
fn faults(text: &str, limits: &Limits) -> Vec<String> {
    let lookup = |_: &str, name: &str| {
        Some(if name == "GITLAB_URL" { "https://git.example" } else { "s3cr3t-s3cr3t" }.to_owned())
    };
    let parsed = Spec::parse_by_place("a.yaml", text, &lookup, Missing::Fault, Some(limits));
    let faults =
        parsed.err().into_iter().flat_map(|faults| faults.iter().cloned().collect::<Vec<_>>());
    let told = faults.filter(|fault| fault.code.as_str() == "not-allowed");
    let lines: Vec<_> = told
        .map(|fault| {
            assert!(
                fault.line > 0 && fault.hint_in_full().is_some(),
                "{}",
                fault.message_in_full()
            );
            fault.message_in_full()
        })
        .collect();
    assert!(!lines.concat().contains("s3cr3t"), "{lines:?}");
    lines
}

/// With that pool beside the tags.
fn pool(keys: &str) -> String {
    BASE.replace("tags: [docker]", &format!("tags: [docker], {keys}"))
}

fn gitlab(keys: &str) -> String {
    BASE.replace("token: '${GITLAB_TOKEN}'", keys)
}

#[test]
fn pools_are_made_freely() {
    let text = pool(
        "max: 9, warm: 2, scope: {group: g}, run_untagged: true, lost_jobs: retry, job: {image: \
         'alpine:3', network: per-job, privileged: false, volumes: [], environment: {A: b}}",
    );
    assert_eq!(faults(&text, &limits("", "")), Vec::<String>::new());
}

#[test]
fn what_gives_more_than_pools_is_refused_by_its_key() {
    let host = |keys: &str| format!("{BASE}hosts: {{ local: {{ {keys} }} }}\n");
    let top = |keys: &str| format!("{BASE}{keys}\n");
    for (key, text) in [
        ("pools.job.privileged", pool("job: {privileged: true}")),
        ("pools.job.docker_socket", pool("job: {docker_socket: true}")),
        ("pools.job.volumes", pool("job: {volumes: ['/:/host']}")),
        ("pools.job.network", pool("job: {network: host}")),
        ("pools.job.capabilities.add", pool("job: {capabilities: {add: [SYS_ADMIN]}}")),
        ("pools.runner_image", pool("runner_image: 'evil.example/runner:v18.9.0'")),
        ("pools.runner_config", pool("runner_config: {docker: {privileged: true}}")),
        ("pools.labels", pool("labels: {ofelia.enabled: 'true'}")),
        ("pools.proxy", pool("proxy: {http: 'http://evil.example:1'}")),
        ("pools.proxy", pool("proxy: {}")),
        ("proxy", top("proxy: {}")),
        ("pools.job.privileged", top("defaults: {job: {privileged: true}}")),
        ("hosts.docker", host("docker: 'ssh://root@evil.example'")),
        ("hosts.docker", host("docker: 'tcp://evil.example:2375'")),
        ("hosts.tls", host("docker: 'tcp://e:1', tls: {ca: a, cert: b, key: c}")),
        ("hosts.socket", host("docker: 'unix:///x', socket: /etc")),
        ("network", top("network: other_default")),
        // Its network would be that of `other-network`, its runners those of that installation.
        ("instance", top("instance: other")),
        ("api.listen", top("api: {listen: '0.0.0.0:8080'}")),
        ("api.external_url", top("api: {external_url: 'https://evil.example'}")),
        ("api.token", top("api: {token: my-own-token-in-git}")),
        ("api.token", top("api: {token: 'false'}")),
        // A pusher would know all or a part of it.
        ("gitlab.token", gitlab("token: '${GITLAB_TOKEN:-glpat-mine}'")),
        ("gitlab.token", gitlab("token: 'glpat-${GITLAB_TOKEN}'")),
        ("gitlab.token", gitlab("token: '${GITLAB_TOKEN}${GITLAB_TOKEN}'")),
        // `false` opens nothing where something else than a boolean stands.
        ("instance", top("instance: false")),
        ("instance", top("instance: 'false'")),
        ("network", top("network: false")),
        ("hosts.docker", host("docker: 'false'")),
        ("pools.runner_image", pool("runner_image: 'false'")),
        ("pools.job.volumes", pool("job: {volumes: false}")),
        ("pools.job.privileged", pool("job: {privileged: 'true'}")),
        ("pools.job.privileged", pool("job: {privileged: True}")),
        ("gitlab.url", BASE.replace("${GITLAB_URL}", "https://evil.example")),
        ("gitlab.url", BASE.replace("${GITLAB_URL}", "https://git.example/pages")),
        ("gitlab.url", BASE.replace("${GITLAB_URL}", "http://git.example")),
        ("gitlab.url", BASE.replace("${GITLAB_URL}", "https://git.example@evil.example")),
        (
            "gitlab.runner_url",
            gitlab("token: '${GITLAB_TOKEN}', runner_url: 'https://evil.example'"),
        ),
        ("gitlab.clone_url", gitlab("token: '${GITLAB_TOKEN}', clone_url: 'https://evil.example'")),
        ("gitlab.token", gitlab("token: glpat-mine")),
        ("gitlab.token_cache", gitlab("token: '${GITLAB_TOKEN}', token_cache: /root")),
        ("gitlab.token_file", gitlab("token_file: /etc/shadow")),
        ("gitlab.token_file", gitlab("token_file: ../../../etc/shadow")),
        ("gitlab.token_file", gitlab("token_file: /run/credentials/autogit/../other/x")),
        ("gitlab.token_file", gitlab("token_file: /run/credentials/autogit2/x")),
        ("gitlab.ca_file", gitlab("token: '${GITLAB_TOKEN}', ca_file: /etc/ssl/evil.pem")),
        ("pools.runner_token_file", pool("runner_token_file: /etc/shadow")),
        ("pools.runner_token", pool("runner_token: glrt-mine-mine-mine")),
    ] {
        let told = faults(&text, &limits("", ""));
        let begins = format!("`{key}` is not for a spec from GitLab: ");
        assert!(told.iter().any(|line| line.starts_with(&begins)), "{key}: {told:?}\n{text}");
    }
}

#[test]
fn a_variable_stands_only_where_the_operator_gave_it() {
    let leaks = [
        ("GITLAB_TOKEN", pool("job: {environment: {A: '${GITLAB_TOKEN}'}}")),
        ("GITLAB_TOKEN", pool("tags: ['x${GITLAB_TOKEN}']").replace("tags: [docker], ", "")),
        ("GITLAB_TOKEN", BASE.replace("${GITLAB_URL}", "https://evil.example/${GITLAB_TOKEN}")),
        ("GITLAB_TOKEN", format!("x-a: &t '${{GITLAB_TOKEN}}'\n{}", pool("job: {image: *t}"))),
        ("HOME", pool("job: {image: '${HOME}'}")),
        ("HOME", pool("job: {image: '${HOME:-alpine}'}")),
        ("HOOK", gitlab("token: '${GITLAB_TOKEN}', registration_token: '${HOOK}'")),
        ("HOOK", pool("job: {environment: {A: 'a${HOOK}'}}")),
        ("GITLAB_URL", pool("job: {image: '${GITLAB_URL}'}")),
        // A secret of which a pusher knows all.
        ("REGION", format!("{BASE}api: {{token: 'known-${{REGION}}'}}\n")),
    ];
    for (name, text) in leaks {
        let told = faults(&text, &limits("HOOK@gitlab.webhook_secret GITLAB_TOKEN REGION", ""));
        let begins = format!("a spec from GitLab may not name the variable `{name}` at ");
        assert!(told.iter().any(|line| line.starts_with(&begins)), "{name}: {told:?}\n{text}");
    }
    for known in ["${HOOK:-known}", "known${HOOK}", "$${x}${HOOK}"] {
        let text = gitlab(&format!("token: '${{GITLAB_TOKEN}}', webhook_secret: '{known}'"));
        let told = faults(&text, &limits("HOOK@gitlab.webhook_secret", ""));
        let begins =
            "`gitlab.webhook_secret` is not for a spec from GitLab: a secret is one variable";
        assert!(told.iter().any(|line| line.starts_with(begins)), "{known}: {told:?}");
    }
    let given = gitlab("token: '${GITLAB_TOKEN}', webhook_secret: '${HOOK:-}'");
    let given = given.replace("tags: [docker]", "tags: [docker], job: {image: '${REGION}'}");
    let list = limits("HOOK@gitlab.webhook_secret REGION", "");
    assert_eq!(faults(&given, &list), Vec::<String>::new());
}

#[test]
fn the_operator_opens_keys_whole_or_for_one_value() {
    let volumes = |list: &str| pool(&format!("job: {{volumes: {list}}}"));
    let open = limits("", "pools.job.volumes=/cache pools.job.volumes=/a:/b hosts network=n");
    for (text, count) in [
        (volumes("['/cache']"), 0),
        (volumes("['/a:/b', '/cache']"), 0),
        (volumes("['/cache', '/:/host']"), 1),
        (pool("job: {privileged: true}"), 1),
        (format!("{BASE}hosts: {{a: {{docker: 'ssh://b'}}}}\nnetwork: n\n"), 0),
        (format!("{BASE}network: o\n"), 1),
    ] {
        assert_eq!(faults(&text, &open).len(), count, "{text}");
    }
    let inside = limits("", "gitlab.runner_url=http://gitlab:3000");
    let runner_url = "token: '${GITLAB_TOKEN}', runner_url: 'http://gitlab:3000'";
    assert_eq!(faults(&gitlab(runner_url), &inside), Vec::<String>::new());
}

#[test]
fn files_lie_in_the_operators_folder() {
    for file in ["gitlab-token", "sub/token", "/run/credentials/autogit/gitlab-token"] {
        let text = gitlab(&format!("token_file: {file}"));
        assert_eq!(faults(&text, &limits("", "")), Vec::<String>::new(), "{file}");
    }
    let none = Limits::new("https://git.example", None, "", "");
    let told = faults(&gitlab("token_file: gitlab-token"), &none);
    assert!(told[0].contains("there is no folder"), "{told:?}");
}

#[test]
fn the_same_address_may_be_written_otherwise() {
    for url in ["https://git.example/", "https://GIT.example:443", "HTTPS://git.example"] {
        let text = BASE.replace("${GITLAB_URL}", url);
        assert_eq!(faults(&text, &limits("", "")), Vec::<String>::new(), "{url}");
    }
}
