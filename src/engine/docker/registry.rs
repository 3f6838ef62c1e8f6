//! Image names and the registry credentials in Docker's own `config.json`. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;

/// The registry of names that have none.
const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub goes by in `config.json`.
const DOCKER_HUB_KEY: &str = "index.docker.io";

/// What `config.json` has for a registry.
pub(super) enum Access {
    /// Credentials.
    Known(Box<DockerCredentials>),
    /// A program would have to be asked, which AutoGit does not do.
    Helper(String),
    /// Nothing.
    Anonymous,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: BTreeMap<String, Login>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Login {
    /// `user:password` in base64.
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The host of the registry that an image comes from.
pub(super) fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DOCKER_HUB,
    }
}

/// The image with a tag: without one Docker's API pulls all there are.
pub(super) fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// What the text of a `config.json` has for `registry`.
pub(super) fn access(config: &str, registry: &str) -> Access {
    let config: Config = serde_json::from_str(config).unwrap_or_default();
    let key = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
    let found = config.auths.into_iter().find(|(address, _)| host_of(address) == key);
    let known = found.and_then(|(address, login)| credentials(address, login));
    if let Some(credentials) = known {
        return Access::Known(Box::new(credentials));
    }
    let helper = config.cred_helpers.into_iter().find(|(address, _)| host_of(address) == key);
    let helper = helper.map(|(_, helper)| helper).or(config.creds_store);
    helper.filter(|helper| !helper.is_empty()).map_or(Access::Anonymous, Access::Helper)
}

/// `docker login` writes hosts; older versions and Docker Hub's key are URLs.
fn host_of(address: &str) -> &str {
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    bare.split('/').next().unwrap_or(bare)
}

fn credentials(address: String, login: Login) -> Option<DockerCredentials> {
    let decoded = login.auth.and_then(|auth| STANDARD.decode(auth).ok());
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let pair = decoded.split_once(':').map(|(user, password)| {
        // Docker pads what it stores.
        (user.to_owned(), password.trim_end_matches('\0').to_owned())
    });
    let (username, password) = match pair {
        Some((user, password)) => (Some(user), Some(password)),
        None => (login.username, login.password),
    };
    let identitytoken = login.identitytoken.filter(|token| !token.is_empty());
    if identitytoken.is_none() && username.as_deref().unwrap_or_default().is_empty() {
        return None;
    }
    Some(DockerCredentials {
        username,
        password,
        identitytoken,
        serveraddress: Some(address),
        ..DockerCredentials::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(config: &str, registry: &str) -> String {
        match access(config, registry) {
            Access::Known(found) => {
                let word = |word: Option<String>| word.unwrap_or_default();
                format!(
                    "{}/{}/{}",
                    word(found.username),
                    word(found.password),
                    word(found.identitytoken)
                )
            }
            Access::Helper(helper) => format!("helper {helper}"),
            Access::Anonymous => "anonymous".to_owned(),
        }
    }

    #[test]
    fn an_images_registry_is_its_first_part_if_that_is_a_host() {
        for (image, registry) in [
            ("alpine", "docker.io"),
            ("gitlab/gitlab-runner:alpine", "docker.io"),
            ("registry.example.com/a/b:1", "registry.example.com"),
            ("localhost/a", "localhost"),
            ("rack:5000/a@sha256:00", "rack:5000"),
        ] {
            assert_eq!(registry_of(image), registry, "{image}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_the_latest_one() {
        assert_eq!(with_tag("rack:5000/a"), "rack:5000/a:latest");
        assert_eq!(with_tag("rack:5000/a:1"), "rack:5000/a:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }

    #[test]
    fn credentials_are_found_by_host_in_every_form_that_docker_writes() {
        let config = r#"{
            "auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnA6dw=="},
                "registry.example.com": {"username": "u", "password": "p"},
                "https://old.example.com/v2": {"auth": "bzpwAAA=", "identitytoken": "t"},
                "empty.example.com": {}
            },
            "credHelpers": {"cloud.example.com": "cloud"}
        }"#;
        assert_eq!(words(config, "docker.io"), "hub/p:w/");
        assert_eq!(words(config, "registry.example.com"), "u/p/");
        assert_eq!(words(config, "old.example.com"), "o/p/t");
        assert_eq!(words(config, "empty.example.com"), "anonymous");
        assert_eq!(words(config, "cloud.example.com"), "helper cloud");
        assert_eq!(words(config, "example.com"), "anonymous");
        assert_eq!(
            words(r#"{"auths":{"r.io":{}},"credsStore":"desktop"}"#, "r.io"),
            "helper desktop"
        );
        assert_eq!(words("not json", "docker.io"), "anonymous");
    }
}
