//! One job, from its pick-up to the removal of what it made.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Heard};
use super::config::Section;
use super::footprint::{Footprint, JobIdentity, NewContainer, Surroundings, digest};
use super::job::Job;
use super::log::LogLine;
use super::trace::Trace;
use super::version::Version;
use super::{BETWEEN_POLLS, ContainerLife, Machine};
use crate::clock::Clock;
use crate::world::{ContainerId, SystemId};

/// How often a trace is sent until GitLab asks for another interval.
const TRACE_INTERVAL: Duration = Duration::from_secs(3);
/// How soon a container is looked at again that should have ended just now.
const SHORTEST_STEP: Duration = Duration::from_millis(100);
/// The longest interval that GitLab may ask for.
const LONGEST_STEP: Duration = Duration::from_mins(1);

/// The process, once its files are read.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) version: Version,
    pub(super) client: Client,
    pub(super) section: Section,
    pub(super) system_id: SystemId,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) clock: Clock,
    pub(super) seed: u64,
}

/// How a job ended.
#[derive(Debug)]
enum Outcome {
    Succeeded,
    Exited(i64),
    TimedOut,
    Cancelled,
    /// GitLab does not want to hear of it any more, so nothing is reported.
    Unwanted,
    Broken(String),
}

/// What was made so far; it is removed whatever happens next.
#[derive(Debug, Default)]
struct Made {
    network: Option<String>,
    volumes: Vec<String>,
    containers: Vec<ContainerId>,
}

impl Worker {
    /// Runs `job` to its end, reports it and cleans up.
    pub(super) async fn run(&self, job: &Job) {
        self.machine.log(&LogLine::Received { job: job.id(), repo_url: job.repo_url() });
        let began = self.clock.now();
        let mut made = Made::default();
        let mut trace = Trace::default();
        trace.line(&format!("Running with gitlab-runner {} (simulated)", self.version));
        let outcome = match self.execute(job, &mut made, &mut trace).await {
            Ok(outcome) => outcome,
            Err(problem) => Outcome::Broken(problem),
        };
        self.report(job, &outcome, &mut trace).await;
        let took = self.clock.now().duration_since(began).try_into().unwrap_or_default();
        self.machine.log(&outcome.line(job, took));
        self.clock.sleep(self.delay(job, "clean up", 100, 300)).await;
        self.clean_up(&made);
    }

    /// Makes the job's containers and follows them until the last one ends.
    async fn execute(
        &self,
        job: &Job,
        made: &mut Made,
        trace: &mut Trace,
    ) -> Result<Outcome, String> {
        self.clock.sleep(self.delay(job, "prepare", 400, 1000)).await;
        let footprint = self.footprint(job);
        self.prepare(&footprint, made)?;
        let cloning = self.run_container(&footprint.predefined, made)?;
        trace.line("Getting source from Git repository");
        match trace.beat(&self.client, job, Duration::ZERO).await {
            Heard::Cancelled => return Ok(Outcome::Cancelled),
            Heard::Unwanted => return Ok(Outcome::Unwanted),
            Heard::Taken(_) | Heard::Offset(_) | Heard::Unanswered => {}
        }
        while self.machine.container(&cloning) == ContainerLife::Running {
            self.clock.sleep(SHORTEST_STEP).await;
        }
        let build = self.run_container(&footprint.build, made)?;
        for line in job.output() {
            trace.line(&line);
        }
        Ok(self.follow(job, &build, trace).await)
    }

    async fn follow(&self, job: &Job, build: &ContainerId, trace: &mut Trace) -> Outcome {
        let mut interval = TRACE_INTERVAL;
        let mut passed = Duration::ZERO;
        loop {
            let left = job.duration().min(job.timeout()).saturating_sub(passed);
            let step = interval.min(left).max(SHORTEST_STEP);
            self.clock.sleep(step).await;
            passed += step;
            match self.machine.container(build) {
                ContainerLife::Running if passed >= job.timeout() => return Outcome::TimedOut,
                ContainerLife::Running => trace.line(&format!("{}s passed", passed.as_secs())),
                ContainerLife::Exited(0) => return Outcome::Succeeded,
                ContainerLife::Exited(code) => return Outcome::Exited(code),
                ContainerLife::Gone => {
                    return Outcome::Broken("the build container is gone".to_owned());
                }
            }
            match trace.beat(&self.client, job, step).await {
                Heard::Taken(Some(wanted)) => interval = wanted.clamp(SHORTEST_STEP, LONGEST_STEP),
                Heard::Taken(None) | Heard::Offset(_) | Heard::Unanswered => {}
                Heard::Cancelled => return Outcome::Cancelled,
                Heard::Unwanted => return Outcome::Unwanted,
            }
        }
    }

    /// Tells GitLab how it ended, until it is heard.
    ///
    /// gitlab-runner gives up after a number of tries. Here it never does, so that a job that is
    /// lost in a simulated history is AutoGit's fault and nobody else's.
    async fn report(&self, job: &Job, outcome: &Outcome, trace: &mut Trace) {
        let (state, failure) = match outcome {
            Outcome::Unwanted => return,
            Outcome::Succeeded => ("success", None),
            Outcome::Exited(_) | Outcome::TimedOut | Outcome::Cancelled | Outcome::Broken(_) => {
                ("failed", Some((outcome.reason(), outcome.exit_code())))
            }
        };
        trace.line(&outcome.text());
        loop {
            let sent = trace.send(&self.client, job).await;
            let heard = match sent {
                Heard::Taken(_) | Heard::Cancelled => {
                    self.client.update(job, state, failure, trace.size()).await
                }
                Heard::Offset(_) | Heard::Unwanted | Heard::Unanswered => sent,
            };
            match heard {
                Heard::Taken(_) | Heard::Cancelled | Heard::Unwanted => return,
                Heard::Offset(_) | Heard::Unanswered => self.clock.sleep(BETWEEN_POLLS).await,
            }
        }
    }

    fn footprint(&self, job: &Job) -> Footprint {
        let identity = JobIdentity {
            job: job.id(),
            url: job.url(),
            sha: job.git_info.sha.clone(),
            ref_name: job.git_info.r#ref.clone(),
            timeout: job.timeout(),
            project: job.info.project_id,
            pipeline: job.variable("CI_PIPELINE_ID").and_then(|id| id.parse().ok()).unwrap_or(0),
            runner: self.section.short_token(),
            system_id: self.system_id.clone(),
        };
        let docker = &self.section.docker;
        let around = Surroundings {
            version: self.version,
            network_per_job: self.section.network_per_build(),
            network: docker.network_mode.clone(),
            disable_cache: docker.disable_cache,
            container_labels: docker.container_labels.clone(),
            services: job.services.len(),
            image_arch: job.image_arch(),
        };
        Footprint::of(&identity, &around, (job.duration(), job.exit_code()))
    }

    fn prepare(&self, footprint: &Footprint, made: &mut Made) -> Result<(), String> {
        if let Some((name, labels)) = &footprint.network {
            self.machine.create_network(name, labels)?;
            made.network = Some(name.clone());
        }
        for volume in &footprint.volumes {
            self.machine.create_volume(volume)?;
            if !volume.reusable {
                made.volumes.push(volume.name.clone());
            }
        }
        for service in &footprint.services {
            self.run_container(service, made)?;
        }
        Ok(())
    }

    fn run_container(
        &self,
        container: &NewContainer,
        made: &mut Made,
    ) -> Result<ContainerId, String> {
        let id = self.machine.run_container(container)?;
        made.containers.push(id.clone());
        Ok(id)
    }

    fn clean_up(&self, made: &Made) {
        made.containers.iter().for_each(|id| self.machine.remove_container(id));
        made.volumes.iter().for_each(|name| self.machine.remove_volume(name));
        made.network.iter().for_each(|name| self.machine.remove_network(name));
    }

    /// Between `least` and `least + spread` milliseconds, by seed, job and purpose.
    fn delay(&self, job: &Job, purpose: &str, least: u64, spread: u64) -> Duration {
        let digest = digest(&[&self.seed.to_string(), &job.id().to_string(), purpose]);
        let drawn = digest.get(..8).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
        Duration::from_millis(least + drawn % spread)
    }
}

impl Outcome {
    fn reason(&self) -> &'static str {
        match self {
            Self::Succeeded => "",
            Self::Exited(_) => "script_failure",
            Self::TimedOut => "job_execution_timeout",
            Self::Cancelled | Self::Unwanted => "job_canceled",
            Self::Broken(_) => "runner_system_failure",
        }
    }

    fn exit_code(&self) -> Option<i64> {
        match self {
            Self::Exited(code) => Some(*code),
            Self::Succeeded
            | Self::TimedOut
            | Self::Cancelled
            | Self::Unwanted
            | Self::Broken(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Succeeded => "Job succeeded".to_owned(),
            Self::Exited(code) => format!("exit code {code}"),
            Self::TimedOut => "execution took longer than the job's timeout".to_owned(),
            Self::Cancelled => "canceled".to_owned(),
            Self::Unwanted => "aborted: no longer running at GitLab".to_owned(),
            Self::Broken(problem) => format!("system failure: {problem}"),
        }
    }

    fn line(&self, job: &Job, duration: Duration) -> LogLine {
        match self {
            Self::Succeeded => LogLine::Succeeded { job: job.id(), duration },
            Self::Exited(_)
            | Self::TimedOut
            | Self::Cancelled
            | Self::Unwanted
            | Self::Broken(_) => LogLine::Failed {
                job: job.id(),
                duration,
                problem: self.text(),
                reason: self.reason(),
                exit_code: self.exit_code(),
            },
        }
    }
}
