//! The loop of `run-single`: ask for a job, run it to its end, ask again.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gitlab_runner::{GitlabLayer, RunnerBuilder};
use reqwest::StatusCode;
use tracing::level_filters::LevelFilter;
use tracing::{error, info, warn};

use crate::arguments::RunSingle;
use crate::config::{self, Runner};
use crate::docker::Docker;
use crate::job::{ContainerJob, Surroundings};
use crate::log;
use crate::signals::{self, Stop};
use crate::version::Version;

const POLL_INTERVAL: Duration = Duration::from_secs(3);
/// How long gitlab-runner leaves a server alone that refused its token.
const UNHEALTHY_PAUSE: Duration = Duration::from_secs(300);

/// Returns when the wished number of jobs ran or the outside asked to stop.
pub async fn run_single(options: &RunSingle, level: LevelFilter) -> Result<(), Box<dyn Error>> {
    let (client_layer, jobs) = GitlabLayer::new();
    log::install(client_layer, level);
    let version = Version::of_image();
    info!(%version, os = "linux", "Runtime platform");
    let mut stop = signals::listen()?;
    let config = Runner::load(&options.config, &options.runner)?;
    let system_id = config::system_id(&options.config)?;
    let (url, token) = (config.url.clone(), config.token.clone());
    let client = RunnerBuilder::new(url, token, std::env::temp_dir(), jobs);
    let mut client = introduce(client, &system_id, version).build().await;
    let docker = Docker::at(&config.docker.host);
    let stopped = stop.clone();
    let surroundings = Surroundings { version, config, system_id, docker, stop: stopped };
    let surroundings = Arc::new(surroundings);
    let mut builds = 0;

    while *stop.borrow() == Stop::No {
        let shared = Arc::clone(&surroundings);
        // Never raced against a signal: a request that is dropped half-way can lose a job.
        let answer = client.request_job(|job| async { Ok(ContainerJob::new(job, shared)) }).await;
        let pause = match answer {
            Ok(true) => {
                client.drain().await;
                builds += 1;
                if builds == options.max_builds {
                    info!("This runner has processed its build limit, so now exiting");
                    return Ok(());
                }
                continue;
            }
            Ok(false) => POLL_INTERVAL,
            Err(fault) if is_forbidden(&fault) => {
                error!("Checking for jobs... forbidden");
                error!("Runner is not healthy! It pauses for {}s", UNHEALTHY_PAUSE.as_secs());
                UNHEALTHY_PAUSE
            }
            Err(fault) => {
                let status = with_causes(&fault);
                warn!(status, "Checking for jobs... failed");
                POLL_INTERVAL
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|asked| *asked > Stop::No) => {}
        }
    }
    Ok(())
}

/// What GitLab shows of this runner.
fn introduce(client: RunnerBuilder, system_id: &str, version: Version) -> RunnerBuilder {
    client
        .system_id(system_id)
        .version(version.to_string())
        .platform("linux")
        .architecture(if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" })
}

/// A fault with what led to it, on one line, as Go's errors are told.
fn with_causes(fault: &dyn Error) -> String {
    let mut words = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        words = format!("{words}: {fault}");
        cause = fault.source();
    }
    words
}

/// The client's error type cannot be named; its cause can.
fn is_forbidden(fault: &dyn Error) -> bool {
    let cause = fault.source().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    cause.and_then(reqwest::Error::status) == Some(StatusCode::FORBIDDEN)
}
