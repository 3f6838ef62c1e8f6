//! The hash as the first versions made it: of what Rust's `Debug` printed of its structs. Frozen:
//! runners that carry it are compared by it, so that an upgrade replaces none of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::spec::{self, Pool, Spec};
use crate::world::SpecHash;

/// The revision of that time's containers.
const CONTAINER_REVISION: &str = "1";

/// What `pool` would have had as its hash then.
pub(super) fn hash(spec: &Spec, pool: &Pool) -> SpecHash {
    let gitlab = &spec.gitlab;
    let resources = pool.resources.as_ref().map(Resources::of);
    let cache = match pool.cache {
        spec::Cache::Keep => Cache::Keep,
        spec::Cache::Discard => Cache::Discard,
    };
    let container = format!("{:?}", (&pool.runner_image, pool.jobs_per_runner, &spec.network));
    let job = JobSpec::of(&pool.job);
    let config = format!("{:?}", (job, resources, cache, &pool.runner_config));
    let ca_file: &Option<PathBuf> = &gitlab.ca_file;
    let reach = format!("{:?}", (&gitlab.runner_url, &gitlab.clone_url, ca_file));
    SpecHash::first_form(&[CONTAINER_REVISION, &container, &config, &reach])
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`, which is what this form is made of")]
struct JobSpec<'a> {
    image: &'a str,
    network: JobNetwork,
    privileged: bool,
    docker_socket: bool,
    cap_drop: &'a [String],
    cap_add: &'a [String],
    pull_policy: Vec<PullPolicy>,
    volumes: &'a [String],
    allowed_images: &'a [String],
    allowed_services: &'a [String],
    environment: &'a BTreeMap<String, String>,
}

impl<'a> JobSpec<'a> {
    fn of(job: &'a spec::JobSpec) -> Self {
        Self {
            image: &job.image,
            network: match job.network {
                spec::JobNetwork::Auto => JobNetwork::Auto,
                spec::JobNetwork::PerJob => JobNetwork::PerJob,
                spec::JobNetwork::Shared => JobNetwork::Shared,
                spec::JobNetwork::Host => JobNetwork::Host,
            },
            privileged: job.privileged,
            docker_socket: job.docker_socket,
            cap_drop: &job.capabilities.drop,
            cap_add: &job.capabilities.add,
            pull_policy: job.pull_policy.iter().copied().map(PullPolicy::of).collect(),
            volumes: &job.volumes,
            allowed_images: &job.allowed_images,
            allowed_services: &job.allowed_services,
            environment: &job.environment,
        }
    }
}

#[derive(Debug)]
enum JobNetwork {
    Auto,
    PerJob,
    Shared,
    Host,
}

#[derive(Debug)]
enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    fn of(policy: spec::PullPolicy) -> Self {
        match policy {
            spec::PullPolicy::Always => Self::Always,
            spec::PullPolicy::IfNotPresent => Self::IfNotPresent,
            spec::PullPolicy::Never => Self::Never,
        }
    }
}

#[derive(Debug)]
enum Cache {
    Keep,
    Discard,
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`, which is what this form is made of")]
struct Resources {
    cpus: Option<f64>,
    memory: Option<u64>,
    services: Option<ServiceResources>,
}

impl Resources {
    fn of(resources: &spec::Resources) -> Self {
        Self {
            cpus: resources.cpus,
            memory: resources.memory,
            services: resources.services.as_ref().map(|services| ServiceResources {
                max: services.max,
                cpus: services.cpus,
                memory: services.memory,
            }),
        }
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`, which is what this form is made of")]
struct ServiceResources {
    max: u32,
    cpus: Option<f64>,
    memory: Option<u64>,
}
