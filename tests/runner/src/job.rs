//! One job: its network and volumes, a container for each of its steps, and their removal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gitlab_runner::job::Job;
use gitlab_runner::{JobHandler, JobResult, Phase};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::config::Runner;
use crate::container::{self, Build};
use crate::docker::{Docker, DockerError};
use crate::labels::{self, Labels};
use crate::signals::Stop;
use crate::version::{Version, hex};

/// How long what a job made is still there after its script ended: the helper's container is
/// started once more, which removes the job's file variables (`cleanup_file_variables`; 19.4). Not
/// waited for after a success, where nobody looks for what was wrong.
const LAST_STAGE: Duration = Duration::from_secs(1);

/// What all jobs of this process share.
pub struct Surroundings {
    pub version: Version,
    pub config: Runner,
    pub system_id: String,
    pub docker: Docker,
    pub stop: watch::Receiver<Stop>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Job failed: exit code {0}")]
    Script(i64),
    #[error("Job failed (system failure): {0}")]
    System(#[from] DockerError),
    #[error("Job failed (system failure): aborted: interrupt")]
    Aborted,
}

pub struct ContainerJob {
    job: Job,
    shared: Arc<Surroundings>,
    labels: Labels,
    began: Instant,
    /// How the script ended; still nothing when GitLab cancelled the job.
    outcome: Option<Result<(), Failure>>,
    // Names are noted before what they name is created: a cancelled step leaves nothing behind.
    containers: Vec<String>,
    volumes: Vec<(String, String)>,
    network: Option<String>,
}

impl ContainerJob {
    pub fn new(job: Job, shared: Arc<Surroundings>) -> Self {
        let repo_url = labels::repository(&job);
        info!(job = job.id(), repo_url, "Checking for jobs... received");
        let Surroundings { config, system_id, .. } = shared.as_ref();
        job.trace(format!(
            "Running with the test runner on {} {}, system ID: {system_id}\n\
             Using Docker executor with image {} ...\n",
            config.name,
            config.short_token(),
            config.docker.image,
        ));
        let labels = Labels::of(&job, config, system_id);
        Self {
            job,
            labels,
            began: Instant::now(),
            outcome: None,
            containers: Vec::new(),
            volumes: Vec::new(),
            network: None,
            shared,
        }
    }

    async fn run(&mut self, script: &[String]) -> Result<(), Failure> {
        self.prepare().await?;
        let name = format!("{}-{}-build", self.name(), self.containers.len());
        self.containers.push(name.clone());

        let Surroundings { config, docker, .. } = self.shared.as_ref();
        let script = format!("set -e\n{}\n{}", config.pre_build_script, script.join("\n"));
        let variables = self.job.variables().map(|v| format!("{}={}", v.key(), v.value()));
        let environment: Vec<String> =
            config.environment.iter().cloned().chain(variables).collect();
        let build = Build {
            labels: &self.labels,
            script: &script,
            environment: &environment,
            volumes: &self.volumes,
            network: self.network.as_deref(),
        };
        docker.create_container(&name, &container::spec(config, &build)).await?;
        let mut output = docker.attach(&name).await?;
        docker.start(&name).await?;
        while let Some(piece) = output.next().await? {
            self.job.trace(piece);
        }
        match docker.wait(&name).await? {
            0 => Ok(()),
            code => Err(Failure::Script(code)),
        }
    }

    /// Creates what the job's containers share, once.
    async fn prepare(&mut self) -> Result<(), DockerError> {
        if !self.containers.is_empty() {
            return Ok(());
        }
        let Surroundings { version, config, docker, .. } = self.shared.as_ref();
        let project = self.variable("CI_PROJECT_ID");
        for destination in config.docker.volume_destinations() {
            let name = self.volume_name(&project, destination);
            self.volumes.push((name.clone(), destination.to_owned()));
            let mut labels = self
                .labels
                .with_type("cache")
                .and("destination", destination)
                .and("protected", "false");
            if version.labels_reusable() {
                let reusable = if config.docker.disable_cache { "false" } else { "true" };
                labels = labels.and("reusable", reusable);
            }
            docker.create_volume(&name, &labels.into_json()).await?;
        }
        if config.network_per_build() {
            let name = format!("{}-network", self.name());
            self.network = Some(name.clone());
            docker.create_network(&name, &self.labels.clone().into_json()).await?;
        }
        Ok(())
    }

    /// What the names of a job's own things begin with.
    fn name(&self) -> String {
        let token = self.shared.config.short_token();
        let project = self.variable("CI_PROJECT_ID");
        format!("runner-{token}-project-{project}-concurrent-0-{}", self.job.id())
    }

    /// The same for each job of a project on a slot, unless the cache is off: that is what lets a
    /// reused slot find its volumes again.
    fn volume_name(&self, project: &str, destination: &str) -> String {
        let Surroundings { config, system_id, .. } = self.shared.as_ref();
        let token = config.short_token();
        let place = [hex(&["place", destination]), hex(&[destination])].concat();
        let stem = if config.docker.disable_cache {
            let own = hex(&[system_id, &self.job.id().to_string()]);
            format!("{token}-project-{project}-concurrent-0-{own}")
        } else {
            let parts = [token.as_str(), system_id, project];
            [hex(&parts), hex(&[&parts[..], &["0"]].concat())].concat()
        };
        format!("runner-{stem}-cache-{place}")
    }

    fn variable(&self, key: &str) -> String {
        self.job.variable(key).map(|found| found.value().to_owned()).unwrap_or_default()
    }

    fn report(&self) {
        let (job, duration_s) = (self.job.id(), self.began.elapsed().as_secs_f64());
        match &self.outcome {
            Some(Ok(())) => {
                self.job.trace("Job succeeded\n");
                info!(job, duration_s, "Job succeeded");
            }
            Some(Err(failure)) => {
                self.job.trace(format!("ERROR: {failure}\n"));
                match failure {
                    Failure::Script(exit_code) => {
                        let failure_reason = "script_failure";
                        warn!(job, duration_s, exit_code, failure_reason, "{failure}");
                    }
                    Failure::System(_) | Failure::Aborted => {
                        let failure_reason = "runner_system_failure";
                        error!(job, duration_s, failure_reason, "{failure}");
                    }
                }
            }
            None => {
                let failure_reason = "job_canceled";
                warn!(job, duration_s, failure_reason, "Job failed: canceled");
            }
        }
    }
}

#[async_trait]
impl JobHandler for ContainerJob {
    async fn step(&mut self, script: &[String], phase: Phase) -> JobResult {
        let mut stop = self.shared.stop.clone();
        let ended = tokio::select! {
            ended = self.run(script) => ended,
            _ = stop.wait_for(|asked| *asked == Stop::Now) => Err(Failure::Aborted),
        };
        let result = if ended.is_ok() { Ok(()) } else { Err(()) };
        if phase == Phase::Script {
            self.outcome = Some(ended);
        }
        result
    }

    async fn cleanup(&mut self) {
        if matches!(self.outcome, Some(Err(Failure::Script(_)))) {
            tokio::time::sleep(LAST_STAGE).await;
        }
        let docker = &self.shared.docker;
        for name in &self.containers {
            note(docker.remove_container(name).await);
        }
        if self.shared.config.docker.disable_cache {
            for (name, _) in &self.volumes {
                note(docker.remove_volume(name).await);
            }
        }
        if let Some(name) = &self.network {
            note(docker.remove_network(name).await);
        }
        self.report();
    }
}

/// What could not be removed is AutoGit's to sweep; the job's result stands.
fn note(removal: Result<(), DockerError>) {
    if let Err(fault) = removal {
        warn!("Failed to clean up: {fault}");
    }
}
