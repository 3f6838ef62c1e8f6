//! A simulated `gitlab-runner run-single` (as 18.4 to 19.4 behave): polls GitLab, runs one job at a time,
//! leaves at SIGQUIT. It knows no engine: what it does on its machine goes through [`Machine`].
//!
//! SIGQUIT is a flag that is looked at between polls, as in gitlab-runner itself: no sleep and no
//! long poll is cut short by it, and a job handed over meanwhile is run to its end.

mod client;
mod config;
mod footprint;
mod job;
mod log;
mod trace;
mod version;
mod work;

pub use footprint::{
    Footprint, JobIdentity, Labels, NewContainer, NewVolume, PREFIX, Surroundings,
};
pub use log::LogLine;
pub use version::Version;

pub(in crate::sandbox) use footprint::digest;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use crate::clock::Clock;
use crate::gitlab::Transport;
use crate::world::{ContainerId, RunnerName, SystemId};

use client::{Answer, Client};
use work::Worker;

/// gitlab-runner's check interval, which run-single does not let one change.
const BETWEEN_POLLS: Duration = Duration::from_secs(3);
/// How long gitlab-runner leaves a server alone that refuses its token.
const UNHEALTHY: Duration = Duration::from_mins(5);

/// What gitlab-runner does on the machine it runs on: its log, and the engine's API.
pub trait Machine: Debug + Send + Sync {
    /// Writes to the process's log.
    fn log(&self, line: &LogLine);
    /// Makes a network.
    fn create_network(&self, name: &str, labels: &Labels) -> Result<(), String>;
    /// Makes a volume; one that exists is kept as it is.
    fn create_volume(&self, volume: &NewVolume) -> Result<(), String>;
    /// Makes and starts a container.
    fn run_container(&self, container: &NewContainer) -> Result<ContainerId, String>;
    /// What a container does.
    fn container(&self, id: &ContainerId) -> ContainerLife;
    /// Stops and removes a container; one that is gone is no error.
    fn remove_container(&self, id: &ContainerId);
    /// Removes a volume; one that is gone is no error.
    fn remove_volume(&self, name: &str);
    /// Removes a network; one that is gone is no error.
    fn remove_network(&self, name: &str);
}

/// What a job's container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerLife {
    /// It runs.
    Running,
    /// It ended with this code.
    Exited(i64),
    /// There is none.
    Gone,
}

/// SIGQUIT, as the process sees it.
#[derive(Debug, Clone, Default)]
pub struct Quit(Arc<AtomicBool>);

impl Quit {
    /// Sends it; harmless when repeated.
    pub fn send(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn was_sent(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One start of the process: its arguments, its files and the world around it.
#[derive(Debug)]
pub struct Invocation {
    /// Its version.
    pub version: Version,
    /// `config.toml`.
    pub config: SecretString,
    /// `.runner_system_id`.
    pub system_id: SystemId,
    /// `--runner`.
    pub runner: RunnerName,
    /// `--max-builds`; 0: no limit.
    pub max_builds: u32,
    /// Its SIGQUIT.
    pub quit: Quit,
    /// Its clock.
    pub clock: Clock,
    /// The way to GitLab.
    pub gitlab: Arc<dyn Transport>,
    /// The one server that `gitlab` leads to; a config that names another one reaches nothing.
    pub gitlab_url: String,
    /// Where its delays come from.
    pub seed: u64,
}

/// Runs until SIGQUIT or the last job of `--max-builds`, and returns the exit code.
pub async fn run_single(invocation: Invocation, machine: Arc<dyn Machine>) -> i64 {
    let section = match config::section(&invocation.config, &invocation.runner) {
        Ok(section) => section,
        Err(problem) => {
            machine.log(&LogLine::Fatal { problem });
            return 1;
        }
    };
    let started = [&invocation.seed.to_string(), &invocation.clock.now().to_string()];
    let start = ["system id", invocation.runner.as_str(), started[0], started[1]];
    let system_id = invocation.version.system_id(&invocation.system_id, &start);
    let Invocation { version, max_builds, quit, clock, gitlab, gitlab_url, seed, .. } = invocation;
    let client = Client::new(gitlab, &gitlab_url, &section, &system_id, version);
    let worker = Worker { version, client, section, system_id, machine, clock, seed };
    worker.machine.log(&LogLine::Platform { version });

    let mut jobs = 0;
    let mut last_update = None;
    while !quit.was_sent() {
        jobs += worker.poll(&mut last_update).await;
        if max_builds != 0 && jobs >= max_builds {
            worker.machine.log(&LogLine::Exiting { why: "This runner has reached its max builds" });
            return 0;
        }
        worker.clock.sleep(BETWEEN_POLLS).await;
    }
    worker.machine.log(&LogLine::Exiting { why: "This runner was asked to quit" });
    0
}

impl Worker {
    /// Asks for a job and runs it; returns how many it ran.
    async fn poll(&self, last_update: &mut Option<String>) -> u32 {
        match self.client.request_job(last_update.as_deref()).await {
            Answer::Job(job, update) => {
                *last_update = update.or_else(|| last_update.take());
                self.run(&job).await;
                return 1;
            }
            Answer::Nothing(update) => *last_update = update.or_else(|| last_update.take()),
            Answer::Forbidden => {
                self.machine.log(&LogLine::Forbidden);
                self.machine.log(&LogLine::Unhealthy);
                self.clock.sleep(UNHEALTHY).await;
            }
            Answer::Failed(problem) => self.machine.log(&LogLine::PollFailed { problem }),
        }
        0
    }
}
