//! Images that are kept ready for jobs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::image::serves;
use super::{HostState, Look, pools_on};
use crate::duration::signed;
use crate::spec::{Arch, HostName, InstanceName, Pool, Spec, hex, registry_in, runner_release};

/// The repository of the marks. No registry has it: nothing is ever pulled or pushed under it.
pub(crate) const MARKS: &str = "autogit-kept";

/// What ends the tag of a mark whose image's name was there before AutoGit pulled it.
const FOUND: &str = "found";

/// Where gitlab-runner has its helper image from, unless its configuration names another:
/// `GitLabRegistryName` in its `helpers/container/helperimage`.
const HELPER_IMAGE: &str = "registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper";

/// A mark that AutoGit put on an image which it pulled to keep it ready. It is a further name of the
/// image on its engine, for an image that is there cannot be given a label: it tells whose it is, of
/// which reference and since when, and what has it is not dangling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptImage {
    /// The reference that was pulled.
    pub image: ImageKey,
    /// When, by our clock, in whole seconds.
    pub pulled_at: Timestamp,
    /// The reference was there before AutoGit pulled it for the first time: it is somebody else's,
    /// and stays when the mark goes.
    pub found: bool,
}

/// A short name of a reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageKey(String);

impl ImageKey {
    /// Of that reference, however it is written.
    pub fn of(reference: &str) -> Self {
        let digest = Sha256::digest(full_name(reference));
        Self(hex(digest.iter().take(8)))
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeptImage {
    /// The tag that says so, in the repository of the marks.
    pub fn tag(&self, instance: &InstanceName) -> String {
        let Self { image, pulled_at, found } = self;
        let end = if *found { format!(".{FOUND}") } else { String::new() };
        format!("{instance}.{image}.{}{end}", pulled_at.as_second())
    }

    /// The newest mark of that reference among `marks`.
    pub(crate) fn newest<'m>(
        marks: impl IntoIterator<Item = &'m Self>,
        image: &ImageKey,
    ) -> Option<&'m Self> {
        let its = marks.into_iter().filter(|mark| mark.image == *image);
        its.max_by_key(|mark| mark.pulled_at)
    }

    /// What a tag in the repository of the marks says, if it is a mark of `instance`.
    pub fn of_tag(instance: &InstanceName, tag: &str) -> Option<Self> {
        let said = tag.strip_prefix(instance.as_str())?.strip_prefix('.')?;
        let mut parts = said.split('.');
        let (image, pulled_at, end) = (parts.next()?, parts.next()?, parts.next());
        let found = match end {
            None => false,
            Some(FOUND) if parts.next().is_none() => true,
            Some(_) => return None,
        };
        let hex = |image: &str| image.len() == 16 && image.bytes().all(|b| b.is_ascii_hexdigit());
        let pulled_at = Timestamp::from_second(pulled_at.parse().ok()?).ok()?;
        hex(image).then(|| Self { image: ImageKey(image.to_owned()), pulled_at, found })
    }
}

/// A reference as one writes it who leaves out nothing that an engine knows: Docker Hub's host, its
/// library, `latest`; beside a digest a tag says nothing.
fn full_name(reference: &str) -> String {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let end = digest.map_or_else(|| format!(":{tag}"), |digest| format!("@{digest}"));
    let host = match path.contains('/') {
        _ if registry_in(path).is_some() => "",
        true => "docker.io/",
        false => "docker.io/library/",
    };
    format!("{host}{path}{end}")
}

/// The images that a host has before a job needs them, and how often each is pulled again; `None`:
/// only where it is missing.
pub(crate) fn images_kept<'s>(
    spec: &'s Spec,
    host: &'s HostName,
    arch: Arch,
) -> BTreeMap<String, Option<Duration>> {
    let mut kept: BTreeMap<String, Option<Duration>> = BTreeMap::new();
    for pool in pools_on(spec, host, arch) {
        let refresh = Some(pool.image_refresh).filter(|every| !every.is_zero());
        for image in named_by(pool, arch) {
            // What has a digest is the same for ever.
            let refresh = refresh.filter(|_| !image.contains('@'));
            let before = kept.entry(image).or_insert(refresh);
            *before = (*before).into_iter().chain(refresh).min();
        }
    }
    kept
}

/// The pool wants that image to be ready on hosts of that architecture.
pub(crate) fn names(pool: &Pool, arch: Arch, image: &str) -> bool {
    named_by(pool, arch).any(|named| named == image)
}

fn named_by(pool: &Pool, arch: Arch) -> impl Iterator<Item = String> {
    let images = pool.images.as_ref();
    let helper = images.and_then(|_| helper_image(pool, arch));
    images.into_iter().flatten().cloned().chain(helper)
}

/// The helper image that a gitlab-runner of the pool pulls at its first job, as far as it can be told
/// before.
fn helper_image(pool: &Pool, arch: Arch) -> Option<String> {
    let docker = pool.runner_config.get("docker");
    let configured = |key: &str| docker.and_then(|docker| docker.get(key));
    if let Some(image) = configured("helper_image") {
        return image.as_str().filter(|image| !image.contains(['$', '%'])).map(ToOwned::to_owned);
    }
    let release = runner_release(&pool.runner_image)?;
    // Of `linuxInfo` in gitlab-runner's `helpers/container/helperimage`: the standard flavor, `alpine`,
    // is not in the tag.
    let flavor = configured("helper_image_flavor").and_then(Value::as_str);
    let (standard, arch) = match arch {
        Arch::Amd64 => ("alpine", "x86_64"),
        Arch::Arm64 => ("alpine", "arm64"),
        Arch::Armv7 => ("alpine", "arm"),
        Arch::S390x => ("alpine", "s390x"),
        Arch::Ppc64le => ("alpine", "ppc64le"),
        Arch::Riscv64 => ("alpine-edge", "riscv64"),
    };
    let flavor = match flavor.unwrap_or(standard) {
        "alpine" => String::new(),
        flavor => format!("{flavor}-"),
    };
    Some(format!("{HELPER_IMAGE}:{flavor}{arch}-v{release}"))
}

impl HostState {
    /// The newest mark of that reference there, if the marks were told.
    pub fn newest_mark(&self, image: &ImageKey) -> Option<&KeptImage> {
        KeptImage::newest(self.kept_images.iter().flatten(), image)
    }
}

impl Look {
    /// Whether a mark is of no use: no pool names its reference, or the same was pulled again since.
    pub(crate) fn is_spent(&self, host: &HostName, state: &HostState, mark: &KeptImage) -> bool {
        let newest = state.newest_mark(&mark.image).is_none_or(|newest| newest == mark);
        !newest || !self.is_named(host, state.engine.node.arch, &mark.image)
    }

    /// A pool that the host serves names that reference, enabled or not.
    pub(crate) fn is_named(&self, host: &HostName, arch: Arch, image: &ImageKey) -> bool {
        let pools = self.spec.pools.iter().filter(|pool| serves(&self.spec, host, pool));
        pools.flat_map(|pool| named_by(pool, arch)).any(|named| ImageKey::of(&named) == *image)
    }
}

/// When an image is pulled again: later on some hosts and for some images than for others, so that a
/// registry is not asked for all at once.
pub(crate) fn refreshed_at(
    pulled_at: Timestamp,
    every: Duration,
    host: &HostName,
    image: &ImageKey,
) -> Timestamp {
    let spread = Sha256::digest(format!("{host} {image}")).first().copied().unwrap_or(0);
    let every = signed(every);
    let later = every.checked_div(2560).unwrap_or(SignedDuration::ZERO) * i32::from(spread);
    pulled_at.saturating_add(every.saturating_add(later)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::constant(1_700_000_000, 0);

    #[test]
    fn a_mark_says_all_that_is_known_of_it() {
        for (name, found) in [("home", true), ("a-b-1", false)] {
            let instance = InstanceName::new(name).unwrap();
            let mark = KeptImage { image: ImageKey::of("alpine:3"), pulled_at: AT, found };
            let tag = mark.tag(&instance);
            assert_eq!(KeptImage::of_tag(&instance, &tag), Some(mark), "{tag}");
        }
    }

    #[test]
    fn what_is_no_mark_of_the_instance_is_left_alone() {
        let instance = InstanceName::new("home").unwrap();
        let key = ImageKey::of("alpine");
        for tag in [
            format!("home2.{key}.1700000000"),
            format!("home.b.{key}.1700000000"),
            format!("home.{key}.1700000000.lost"),
            format!("home.{key}.1700000000.found.found"),
            format!("home.{key}.soon"),
            format!("home.{key}"),
            "home.alpine.1700000000".to_owned(),
            "latest".to_owned(),
        ] {
            assert_eq!(KeptImage::of_tag(&instance, &tag), None, "{tag}");
        }
    }

    #[test]
    fn a_reference_is_known_however_it_is_written() {
        for (short, full) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3", "docker.io/library/alpine:3"),
            ("team/app", "docker.io/team/app:latest"),
            ("localhost/app:1", "localhost/app:1"),
            ("registry.example.com:5000/app", "registry.example.com:5000/app:latest"),
            ("registry.example.com:5000/app:1", "registry.example.com:5000/app:1"),
            ("alpine:3@sha256:00", "docker.io/library/alpine@sha256:00"),
            ("alpine@sha256:00", "docker.io/library/alpine@sha256:00"),
        ] {
            assert_eq!(full_name(short), full);
            assert_eq!(full_name(full), full);
        }
    }

    #[test]
    fn images_are_pulled_again_one_after_the_other() {
        let every = Duration::from_hours(24);
        let host = HostName::new("here").unwrap();
        let due = |image| refreshed_at(AT, every, &host, &ImageKey::of(image));
        let (one, other) = (due("alpine:3"), due("busybox:1"));
        assert_ne!(one, other);
        for due in [one, other] {
            let after = due.duration_since(AT);
            assert!(after >= SignedDuration::from_hours(24), "{after}");
            assert!(after <= SignedDuration::from_mins(24 * 66), "{after}");
        }
    }
}
