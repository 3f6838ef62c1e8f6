//! What an image's tag tells of the gitlab-runner in it.

/// The oldest gitlab-runner that AutoGit takes: the first that marks what jobs leave with its runner.
pub(crate) const RUNNER_VERSION_MIN: (u32, u32) = (18, 4);

/// The version of gitlab-runner that an official image's tag names, as in `alpine-v18.6.0`.
/// `None` for other images and tags that tell nothing.
pub(crate) fn runner_version(image: &str) -> Option<(u32, u32)> {
    let without_digest = image.split('@').next()?;
    let (repository, tag) = without_digest.rsplit_once(':')?;
    if tag.contains('/') || repository.rsplit('/').next() != Some("gitlab-runner") {
        return None;
    }
    let version = tag.rsplit('-').find_map(|part| part.strip_prefix('v'))?;
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::runner_version;

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
