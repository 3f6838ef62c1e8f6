//! The `job` section of a pool.

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::RawJob;
use crate::spec::values;
use crate::spec::{Capabilities, JobNetwork, JobSpec, PullPolicy};

/// What ordinary jobs do without, and what attacks begin with. Dropping all of them would break
/// jobs that run as root.
const CAP_DROP: [&str; 5] = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"];

pub(super) fn build(raw: RawJob, path: &Path, context: &mut Context<'_>) -> JobSpec {
    let environment = raw.environment.unwrap_or_default();
    for name in environment.keys() {
        let fits = !name.is_empty() && !name.contains(['=', '\0']);
        if !fits {
            let finding =
                Finding::error(Code::BadValue, format!("`{}` is no variable's name", named(name)));
            context.add_at_key(&path.join("environment").join(name), finding);
        }
    }
    let capabilities = raw.capabilities.unwrap_or_default();
    let standard = || CAP_DROP.iter().map(|&name| name.to_owned()).collect();
    JobSpec {
        image: context
            .read(&path.join("image"), raw.image, values::image_of_a_job)
            .unwrap_or_else(|| "alpine:3".to_owned()),
        network: raw.network.unwrap_or(JobNetwork::Auto),
        privileged: raw.privileged.unwrap_or(false),
        docker_socket: raw.docker_socket.unwrap_or(false),
        capabilities: Capabilities {
            drop: capabilities.drop.unwrap_or_else(standard),
            add: capabilities.add.unwrap_or_default(),
        },
        pull_policy: raw
            .pull_policy
            .unwrap_or_else(|| vec![PullPolicy::Always, PullPolicy::IfNotPresent]),
        volumes: raw.volumes.unwrap_or_default(),
        allowed_images: raw.allowed_images.unwrap_or_default(),
        allowed_services: raw.allowed_services.unwrap_or_default(),
        environment,
    }
}
