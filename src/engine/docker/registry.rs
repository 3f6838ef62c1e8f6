//! Image names, and the registry credentials in Docker's own `config.json` and with its helpers.

use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use crate::spec::registry_in;

/// The registry of names that have none.
const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub goes by in `config.json`.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The host of the registry that an image comes from.
pub(super) fn registry_of(image: &str) -> &str {
    registry_in(image).map_or(DOCKER_HUB, |(host, _)| host)
}

/// The image with a tag: without one Docker's API pulls all there are.
pub(super) fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// What `config.json`, or the helper program that it names, has for `registry`; `None`: nothing.
/// Waits for the helper.
///
/// Errors: why there is no telling; never with a word of what a helper said.
pub(super) fn credentials(
    config: &str,
    registry: &str,
) -> Result<Option<DockerCredentials>, String> {
    let address = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
    let found = DockerCredentials {
        serveraddress: Some(address.to_owned()),
        ..DockerCredentials::default()
    };
    match get_credential_from_reader(config.as_bytes(), address) {
        Ok(DockerCredential::IdentityToken(token)) if !token.is_empty() => {
            Ok(Some(DockerCredentials { identitytoken: Some(token), ..found }))
        }
        Ok(DockerCredential::UsernamePassword(user, password)) if !user.is_empty() => {
            // Docker pads what it stores.
            let password = password.trim_end_matches('\0').to_owned();
            Ok(Some(DockerCredentials { username: Some(user), password: Some(password), ..found }))
        }
        Ok(DockerCredential::IdentityToken(_) | DockerCredential::UsernamePassword(..)) => Ok(None),
        Err(error) => match error {
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError => Ok(None),
            CredentialRetrievalError::HelperCommunicationError => {
                Err("the credential helper that Docker's `config.json` names cannot be run".into())
            }
            CredentialRetrievalError::HelperFailure { helper, .. } => {
                Err(format!("`{helper}` has no credentials for `{address}`"))
            }
            CredentialRetrievalError::MalformedHelperResponse => {
                Err("the answer of Docker's credential helper cannot be read".into())
            }
            CredentialRetrievalError::CredentialDecodingError
            | CredentialRetrievalError::CredentialMismatchError => Err(format!(
                "the credentials for `{address}` in Docker's `config.json` cannot be read"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(config: &str, registry: &str) -> String {
        match credentials(config, registry) {
            Ok(Some(found)) => {
                let word = |word: Option<String>| word.unwrap_or_default();
                format!(
                    "{}/{}/{}",
                    word(found.username),
                    word(found.password),
                    word(found.identitytoken)
                )
            }
            Ok(None) => "anonymous".to_owned(),
            Err(why) => why,
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
                "padded.example.com": {"auth": "bzpwAAA="},
                "empty.example.com": {}
            },
            "credHelpers": {"cloud.example.com": "of-no-machine"}
        }"#;
        assert_eq!(words(config, "docker.io"), "hub/p:w/");
        assert_eq!(words(config, "registry.example.com"), "u/p/");
        assert_eq!(words(config, "old.example.com"), "//t");
        assert_eq!(words(config, "padded.example.com"), "o/p/");
        assert_eq!(words(config, "empty.example.com"), "anonymous");
        let helper = "the credential helper that Docker's `config.json` names cannot be run";
        assert_eq!(words(config, "cloud.example.com"), helper);
        assert_eq!(words(config, "example.com"), "anonymous");
        assert_eq!(words(r#"{"auths":{"r.io":{}},"credsStore":"of-no-machine"}"#, "r.io"), helper);
        assert_eq!(words("not json", "docker.io"), "anonymous");
    }
}
