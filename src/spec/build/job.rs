//! The `job` section of a pool.

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::path::Path;
use crate::spec::raw::{RawJob, RawJobNetwork, RawPullPolicy};
use crate::spec::report::Finding;
use crate::spec::values;
use crate::spec::{JobNetwork, JobSpec, PullPolicy};

/// What ordinary jobs do without, and what attacks begin with. Dropping all of them would break
/// jobs that run as root.
const CAP_DROP: [&str; 5] = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"];

pub(super) fn build(raw: RawJob, path: &Path, context: &mut Context<'_>) -> JobSpec {
    let pull_policy = raw.pull_policy.map_or_else(
        || vec![PullPolicy::Always, PullPolicy::IfNotPresent],
        |policies| policies.into_iter().map(pull_policy).collect(),
    );
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
        network: match raw.network.unwrap_or(RawJobNetwork::Auto) {
            RawJobNetwork::Auto => JobNetwork::Auto,
            RawJobNetwork::PerJob => JobNetwork::PerJob,
            RawJobNetwork::Shared => JobNetwork::Shared,
            RawJobNetwork::Host => JobNetwork::Host,
        },
        privileged: raw.privileged.unwrap_or(false),
        docker_socket: raw.docker_socket.unwrap_or(false),
        cap_drop: capabilities.drop.unwrap_or_else(standard),
        cap_add: capabilities.add.unwrap_or_default(),
        pull_policy,
        volumes: raw.volumes.unwrap_or_default(),
        allowed_images: raw.allowed_images.unwrap_or_default(),
        allowed_services: raw.allowed_services.unwrap_or_default(),
        environment,
    }
}

pub(super) fn pull_policy(raw: RawPullPolicy) -> PullPolicy {
    match raw {
        RawPullPolicy::Always => PullPolicy::Always,
        RawPullPolicy::IfNotPresent => PullPolicy::IfNotPresent,
        RawPullPolicy::Never => PullPolicy::Never,
    }
}
