//! The compose files, read as compose reads them.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;
use serde_yaml::Value;

use crate::deploy::{find, folder, read, spec};
use crate::support::skipped::note_skipped;

const FOLDERS: [&str; 3] = ["gitlab", "beside-gitlab", "socket-proxy"];

#[derive(Debug, Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Service {
    image: String,
    restart: String,
    healthcheck: Value,
    mem_limit: String,
    logging: Value,
    user: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    volumes: Vec<Mount>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
    #[serde(default)]
    security_opt: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Network {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Mount {
    Short(String),
    Long { source: String, target: String, read_only: bool },
}

impl Mount {
    fn source(&self) -> &str {
        match self {
            Self::Short(words) => words.rsplit_once(':').unwrap().0,
            Self::Long { source, .. } => source,
        }
    }

    fn target(&self) -> &str {
        match self {
            Self::Short(words) => words.rsplit_once(':').unwrap().1,
            Self::Long { target, .. } => target,
        }
    }
}

fn compose(folder: &str) -> Compose {
    let mut value: Value = serde_yaml::from_str(&read(&format!("{folder}/compose.yaml"))).unwrap();
    value.apply_merge().unwrap();
    serde_yaml::from_value(value).unwrap()
}

/// What the filter of `socket-proxy` is told.
pub(super) fn proxy_arguments() -> Vec<String> {
    compose("socket-proxy").services.remove("socket-proxy").unwrap().command
}

#[test]
fn each_image_has_a_version_and_no_registry() {
    for folder in FOLDERS {
        for (name, service) in compose(folder).services {
            let (image, tag) = service.image.split_once(':').unwrap();
            assert!(
                tag.starts_with(|first: char| first.is_ascii_digit()),
                "{folder}/{name}: {tag}"
            );
            assert!(!image.split('/').next().unwrap().contains('.'), "{folder}/{name}: {image}");
            let own = format!("autogit:{}", env!("CARGO_PKG_VERSION"));
            assert!(name != "autogit" || service.image == own, "{folder}: {}", service.image);
        }
    }
    let gitlab = &compose("gitlab").services["gitlab"];
    assert!(gitlab.image.starts_with("gitlab/gitlab-ce:18."), "{}", gitlab.image);
}

#[test]
fn each_service_is_watched_started_again_and_bounded() {
    for folder in FOLDERS {
        for (name, service) in compose(folder).services {
            assert_eq!(service.restart, "unless-stopped", "{folder}/{name}");
            assert_eq!(service.healthcheck["test"][0], "CMD", "{folder}/{name}");
            assert!(!service.mem_limit.is_empty(), "{folder}/{name}");
            assert!(service.logging["options"]["max-size"].is_string(), "{folder}/{name}");
        }
    }
}

#[test]
fn autogit_and_the_proxy_may_do_no_more_than_they_need() {
    for folder in FOLDERS {
        let confined = |name: &String| name == "autogit" || name == "socket-proxy";
        let services = compose(folder).services.into_iter().filter(|(name, _)| confined(name));
        for (name, service) in services {
            assert!(service.read_only, "{folder}/{name}");
            assert_eq!(service.cap_drop, ["ALL"], "{folder}/{name}");
            assert_eq!(service.security_opt, ["no-new-privileges:true"], "{folder}/{name}");
            let user = service.user.unwrap();
            assert!(user.starts_with("${AUTOGIT_USER:?"), "{folder}/{name}: {user}");
        }
    }
}

/// A file that is mounted by itself stays the old one when it is replaced.
#[test]
fn the_configuration_and_the_secrets_are_mounted_as_folders() {
    for name in FOLDERS {
        let compose = compose(name);
        let autogit = &compose.services["autogit"];
        let mounted: BTreeMap<&str, &str> =
            autogit.volumes.iter().map(|mount| (mount.target(), mount.source())).collect();
        assert_eq!(mounted["/etc/autogit"], "./config", "{name}");
        assert!(folder().join(name).join("config/autogit.yaml").is_file(), "{name}");
        assert_eq!(mounted["/run/secrets"], "./secrets/autogit", "{name}");
        assert!(compose.volumes.contains_key(mounted["/var/lib/autogit"]), "{name}");
        for mount in &autogit.volumes {
            if let Mount::Long { read_only, source, .. } = mount {
                assert!(read_only, "{name}: {source}");
            }
        }
        let cache = spec(&format!("{name}/config/autogit.yaml")).gitlab.token_cache;
        assert_eq!(cache.unwrap().to_str(), Some("/var/lib/autogit"), "{name}");
    }
}

#[test]
fn autogit_gets_the_engine_by_the_socket_that_is_mounted() {
    for (name, source) in [
        ("gitlab", "${DOCKER_SOCKET:-/var/run/docker.sock}"),
        ("beside-gitlab", "${DOCKER_SOCKET:-/var/run/docker.sock}"),
        ("socket-proxy", "engine"),
    ] {
        let compose = compose(name);
        let volumes = &compose.services["autogit"].volumes;
        let sockets: Vec<&str> = volumes.iter().map(Mount::source).collect();
        let engine: Vec<&str> =
            sockets.into_iter().filter(|source| !source.starts_with("./")).collect();
        assert_eq!(engine, [source, "autogit-tokens"], "{name}");
    }
    let host = spec("socket-proxy/config/autogit.yaml").hosts.into_values().next().unwrap();
    let behind = proxy_arguments();
    let served = behind.iter().find_map(|word| word.strip_prefix("-proxysocketendpoint=")).unwrap();
    assert_eq!(host.docker.as_deref(), Some(format!("unix://{served}").as_str()));
    // Runners need the engine's own, and the proxy lets them have that.
    let socket = host.socket.unwrap();
    let bind = format!("-allowbindmountfrom={}", socket.display());
    assert!(behind.contains(&bind), "{bind}");
}

#[test]
fn compose_and_autogit_share_the_runners_network() {
    for name in FOLDERS {
        let compose = compose(name);
        let network = spec(&format!("{name}/config/autogit.yaml")).network;
        assert_eq!(compose.networks[&network].name, network, "{name}");
        assert!(compose.services["autogit"].networks.contains(&network), "{name}");
    }
    let gitlab = &compose("gitlab").services["gitlab"];
    assert_eq!(gitlab.networks, ["autogit-network"]);
    let config = &gitlab.environment["GITLAB_OMNIBUS_CONFIG"];
    assert!(config.contains("nginx['listen_port'] = 3000"), "{config}");
    let spec = spec("gitlab/config/autogit.yaml");
    for url in [spec.gitlab.url, spec.gitlab.clone_url.unwrap()] {
        assert_eq!(url, "http://autogit-git-server:3000");
    }
}

#[test]
fn the_api_is_published_to_this_machine_alone() {
    for name in FOLDERS {
        let listen = spec(&format!("{name}/config/autogit.yaml")).api.listen;
        assert_eq!(compose(name).services["autogit"].ports, ["127.0.0.1:8080:8080"], "{name}");
        assert_eq!(listen.to_string(), "0.0.0.0:8080", "{name}");
    }
    for port in &compose("gitlab").services["gitlab"].ports {
        assert!(port.starts_with("${GITLAB_LISTEN:-127.0.0.1}:"), "{port}");
    }
}

#[test]
fn the_readme_makes_each_secret_that_is_named() {
    let readme = read("README.md");
    for name in FOLDERS {
        let text = read(&format!("{name}/config/autogit.yaml"));
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let secrets = lines.filter_map(|line| line.split_once("_file: /run/secrets/"));
        let secrets: Vec<&str> = secrets.map(|(_, secret)| secret).collect();
        assert_eq!(secrets.len(), 2, "{name}: {secrets:?}");
        for secret in secrets {
            assert!(readme.contains(&format!("> secrets/autogit/{secret}")), "{name}: {secret}");
        }
    }
    assert!(readme.contains("> secrets/gitlab_root_password"));
}

#[test]
fn compose_itself_finds_no_fault_in_them() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    let is_there = version.is_ok_and(|version| version.status.success());
    let mut program = match (is_there, find("docker-compose")) {
        (true, _) => vec!["docker".to_owned(), "compose".to_owned()],
        (false, Some(alone)) => vec![alone.to_str().unwrap().to_owned()],
        (false, None) => return note_skipped("there is no compose"),
    };
    program.push("--file".to_owned());
    for name in FOLDERS {
        let file = folder().join(name).join("compose.yaml");
        let mut command = Command::new(&program[0]);
        command.args(&program[1..]).arg(file).args(["config", "--quiet"]);
        let checked = command.env("AUTOGIT_USER", "1000:999").output().unwrap();
        assert!(checked.status.success(), "{name}: {checked:?}");
    }
}
