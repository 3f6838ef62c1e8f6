//! References of images, and what an image's tag tells of the gitlab-runner in it.

use super::Unreadable;

/// An image as an engine takes it: `[host[:port]/]name[:tag][@digest]`.
pub(in crate::spec) fn image(word: &str) -> Result<String, Unreadable> {
    let hint = "write it as for `docker pull`, as in `registry.example.com/team/image:1.2`";
    if is_reference(word) { Ok(word.to_owned()) } else { Err(Unreadable { is: "no image", hint }) }
}

/// The same, which a job's variables may complete.
pub(in crate::spec) fn image_of_a_job(word: &str) -> Result<String, Unreadable> {
    let fits = word.contains('$') && !word.contains(char::is_whitespace);
    if fits { Ok(word.to_owned()) } else { image(word) }
}

/// The host of the registry that a reference begins with, and what follows; `None`: it names none.
pub(crate) fn registry_in(reference: &str) -> Option<(&str, &str)> {
    let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
    reference.split_once('/').filter(|(first, _)| is_host(first))
}

/// By the grammar of github.com/distribution/reference.
fn is_reference(word: &str) -> bool {
    let (named, digest) = match word.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (word, None),
    };
    let last = named.rsplit('/').next().unwrap_or_default();
    let (name, tag) = match last.split_once(':') {
        Some((_, tag)) => (named.strip_suffix(tag).unwrap_or(named), Some(tag)),
        None => (named, None),
    };
    let name = name.strip_suffix(':').unwrap_or(name);
    let (host, path) = registry_in(name).map_or((None, name), |(host, path)| (Some(host), path));
    host.is_none_or(is_host)
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
        && name.len() <= 255
}

fn is_host(word: &str) -> bool {
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (word, None),
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    !host.is_empty()
        && host.chars().all(letters)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_component(word: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    word.starts_with(edge)
        && word.ends_with(edge)
        && word.chars().all(inner)
        && !["..", "._", "_.", "___", ".-", "-.", "_-", "-_"].iter().any(|two| word.contains(two))
}

fn is_tag(word: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word.starts_with(letter)
        && word.len() <= 128
        && word.chars().all(|c| letter(c) || c == '.' || c == '-')
}

fn is_digest(word: &str) -> bool {
    word.split_once(':').is_some_and(|(kind, hex)| {
        !kind.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// The oldest gitlab-runner that AutoGit takes: the first that marks what jobs leave with its runner.
pub(crate) const RUNNER_VERSION_MIN: (u32, u32) = (18, 4);

/// The version of gitlab-runner that an official image's tag names, as in `alpine-v18.6.0`.
/// `None` for other images and tags that tell nothing.
pub(crate) fn runner_version(image: &str) -> Option<(u32, u32)> {
    let mut numbers = version_in(image)?.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

/// The release of gitlab-runner that it names, as in `18.6.0`.
pub(crate) fn runner_release(image: &str) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let version = version_in(image)?;
    (version.split('.').count() == 3 && version.split('.').all(is_number)).then_some(version)
}

fn version_in(image: &str) -> Option<&str> {
    let without_digest = image.split('@').next()?;
    let (repository, tag) = without_digest.rsplit_once(':')?;
    if tag.contains('/') || repository.rsplit('/').next() != Some("gitlab-runner") {
        return None;
    }
    tag.rsplit('-').find_map(|part| part.strip_prefix('v'))
}

#[cfg(test)]
mod tests {
    use super::{image, image_of_a_job, runner_version};

    #[test]
    fn images_are_what_an_engine_takes() {
        let digest = "a".repeat(64);
        for word in [
            "alpine",
            "alpine:3",
            "gitlab/gitlab-runner:alpine-v18.6.0",
            "registry.example.com:5000/team/app_x/run--er:V1.2_3",
            "localhost/x",
            &format!("alpine:3@sha256:{digest}"),
        ] {
            assert!(image(word).is_ok(), "{word}");
        }
        for word in [
            "",
            "Alpine",
            "alpine:",
            "alpine:3:4",
            "alpine 3",
            "https://registry.example.com/x",
            "a//b",
            "/a",
            "a/",
            "registry:99999/x",
            "alpine@sha256:12",
            "alpine:-x",
        ] {
            assert!(image(word).is_err(), "{word}");
        }
        assert!(image_of_a_job("alpine:$VERSION").is_ok());
        assert!(image_of_a_job("al pine:$VERSION").is_err());
    }

    #[test]
    fn the_tag_tells_the_version_where_it_names_one() {
        assert_eq!(runner_version("gitlab/gitlab-runner:alpine-v18.6.0"), Some((18, 6)));
        assert_eq!(runner_version("reg:5000/gitlab-runner:v17.11.1@sha256:aa"), Some((17, 11)));
        assert_eq!(runner_version("gitlab/gitlab-runner:alpine3.19-v16.0.2"), Some((16, 0)));
        for image in ["gitlab/gitlab-runner:latest", "reg:5000/gitlab-runner", "me/own:v1.2.0"] {
            assert_eq!(runner_version(image), None, "{image}");
        }
    }
}
