//! The engine's socket as the engine's own host sees it, for mounting into runners.
//!
//! The path that AutoGit itself uses is not it where AutoGit runs in a container: what is mounted
//! there has another path outside. A wrong guess does no harm, for Docker refuses to create a
//! runner whose socket does not exist.

use std::path::{Path, PathBuf};

use bollard::models::MountPoint;
use bollard::query_parameters::InspectContainerOptions;
use tokio::sync::OnceCell;

use super::client::{Client, READ_LIMIT};
use crate::engine::EngineError;

const USUAL: &str = "/var/run/docker.sock";

/// The socket's path, found once.
#[derive(Debug)]
pub(super) struct Found(OnceCell<PathBuf>);

impl Found {
    /// `given` is the operator's word, which settles it.
    pub(super) fn new(given: Option<PathBuf>) -> Self {
        Self(OnceCell::new_with(given))
    }

    pub(super) async fn path(&self, client: &Client) -> Result<PathBuf, EngineError> {
        self.0.get_or_try_init(|| find(client)).await.cloned()
    }
}

async fn find(client: &Client) -> Result<PathBuf, EngineError> {
    if let Some(path) = client.endpoint().unix_path() {
        let outside = own_mounts(client).await?.and_then(|mounts| source_of(&mounts, path));
        return Ok(outside.unwrap_or_else(|| path.to_owned()));
    }
    if let Some(path) = client.endpoint().path_there() {
        return Ok(path.to_owned());
    }
    if client.facts().await?.rootless {
        return Err(EngineError::Refused {
            attempt: "tell the path of its socket".to_owned(),
            problem: "it runs without root, so its socket is in its user's runtime folder\n\
                hint: set `socket` of this host, as in /run/user/1000/docker.sock"
                .to_owned(),
        });
    }
    Ok(USUAL.into())
}

/// The mounts of the container that AutoGit runs in, if it is one of this engine.
async fn own_mounts(client: &Client) -> Result<Option<Vec<MountPoint>>, EngineError> {
    let mounts = tokio::fs::read_to_string("/proc/self/mountinfo").await.unwrap_or_default();
    let hostname = tokio::fs::read_to_string("/etc/hostname").await.unwrap_or_default();
    let Some(id) = own_container(&mounts, &hostname) else { return Ok(None) };
    let shown = client.call("show AutoGit's own container", READ_LIMIT, |docker| async move {
        docker.inspect_container(&id, None::<InspectContainerOptions>).await
    });
    match shown.await {
        Ok(container) => Ok(container.mounts),
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// The id of the container that a process with these mounts and this host name runs in.
///
/// Docker and Podman mount `/etc/hostname` from a folder that is named by the id; a hostname of
/// twelve hex digits is the id's beginning, unless it was set.
fn own_container(mountinfo: &str, hostname: &str) -> Option<String> {
    let is_hex = |word: &str, length| {
        word.len() == length && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let by_mount = mountinfo.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let (root, target) = (fields.get(3)?, fields.get(4)?);
        let ours = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].contains(target);
        root.split('/').find(|part| ours && is_hex(part, 64)).map(str::to_owned)
    });
    let hostname = hostname.trim();
    by_mount.or_else(|| is_hex(hostname, 12).then(|| hostname.to_owned()))
}

/// What is mounted at `path`, or at a folder above it, as the host sees it.
fn source_of(mounts: &[MountPoint], path: &Path) -> Option<PathBuf> {
    let candidates = mounts.iter().filter_map(|mount| {
        let target = Path::new(mount.destination.as_deref()?);
        let rest = path.strip_prefix(target).ok()?;
        let source = Path::new(mount.source.as_deref()?);
        let joined =
            if rest.as_os_str().is_empty() { source.to_owned() } else { source.join(rest) };
        Some((target.components().count(), joined))
    });
    candidates.max_by_key(|(depth, _)| *depth).map(|(_, source)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn the_own_container_is_known_by_its_mounts_or_its_host_name() {
        let docker = format!(
            "600 500 0:50 / / rw - overlay overlay rw\n\
             601 600 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw"
        );
        assert_eq!(own_container(&docker, "").as_deref(), Some(ID));
        let podman = format!(
            "601 600 0:26 /containers/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw"
        );
        assert_eq!(own_container(&podman, "autogit\n").as_deref(), Some(ID));
        assert_eq!(own_container("", "0123456789ab\n").as_deref(), Some("0123456789ab"));
        let bare = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /proc rw - proc proc rw";
        assert_eq!(own_container(bare, "workstation"), None);
    }

    #[test]
    fn a_mounted_sockets_path_is_its_source() {
        let mount = |source: &str, target: &str| MountPoint {
            source: Some(source.to_owned()),
            destination: Some(target.to_owned()),
            ..MountPoint::default()
        };
        let mounts = [
            mount("/srv", "/var"),
            mount("/run/user/1000/docker.sock", "/var/run/docker.sock"),
            mount("/srv/autogit", "/etc/autogit"),
        ];
        let source = |path: &str| source_of(&mounts, Path::new(path));
        let expected = PathBuf::from("/run/user/1000/docker.sock");
        assert_eq!(source("/var/run/docker.sock"), Some(expected));
        assert_eq!(source("/var/run/other.sock"), Some("/srv/run/other.sock".into()));
        assert_eq!(source("/run/podman/podman.sock"), None);
    }
}
