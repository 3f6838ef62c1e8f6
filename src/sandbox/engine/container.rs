//! A container on the simulated engine.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::task::AbortHandle;

use super::freeze::Freeze;
use super::labels;
use crate::engine::NewRunner;
use crate::sandbox::runner::{Labels, LogLine, Quit, Version};
use crate::spec::Arch;
use crate::world::{ContainerState, JobId, RunnerLog, RunnerName, SystemId};

/// Log lines kept, as a bounded log driver does.
const LINES_MAX: usize = 1000;

/// What of a container cannot be read.
#[derive(Debug, Clone)]
pub(super) enum Odd {
    /// Its state is told in a word that nobody knows, as Podman's `stopped` is one.
    State(String),
    /// The label of that name, without AutoGit's prefix.
    Label(String),
}

/// From whom what stands in front of the engine hides a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hiding {
    /// From nobody.
    None,
    /// No list has it; who asks for it is told.
    FromLists,
    /// Nobody is told of it.
    Wholly,
}

/// A container, with the times of the engine's own clock.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) labels: Labels,
    pub(super) network: Option<String>,
    pub(super) volumes: Vec<String>,
    pub(super) created_at: Timestamp,
    pub(super) state: ContainerState,
    /// Who is told of it.
    pub(super) hiding: Hiding,
    /// What of it cannot be read, if something.
    pub(super) odd: Option<Odd>,
    /// The architecture of its image, which the kernel did not execute.
    pub(super) refused: Option<Arch>,
    /// What it runs; `None`: nothing that is simulated.
    pub(super) task: Option<Task>,
    /// What makes it a runner.
    pub(super) process: Option<Process>,
}

impl Container {
    /// A runner's container, before it is started; `anonymous` is the volume with its files.
    pub(super) fn of_runner(
        runner: &NewRunner,
        version: Version,
        anonymous: &str,
        created_at: Timestamp,
    ) -> Self {
        Self {
            name: runner.name.to_string(),
            image: runner.image.clone(),
            labels: labels::of_runner(runner),
            network: Some(runner.network.clone()),
            volumes: vec![anonymous.to_owned()],
            created_at,
            state: ContainerState::Created,
            hiding: Hiding::None,
            odd: None,
            refused: None,
            task: None,
            process: Some(Process {
                version,
                config: runner.config.clone(),
                runner: runner.name.clone(),
                system_id: runner.system_id.clone(),
                jobs_max: runner.jobs_max,
                quit: Quit::default(),
                freeze: Freeze::default(),
                deaf: false,
                job: None,
                log: RunnerLog::default(),
                lines: VecDeque::new(),
            }),
        }
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    pub(super) fn is_paused(&self) -> bool {
        self.runs() && self.process.as_ref().is_some_and(|process| process.freeze.is_frozen())
    }

    pub(super) fn exited(&self) -> bool {
        matches!(self.state, ContainerState::Exited { .. })
    }
}

/// What a runner's container was given, and what its process did.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) version: Version,
    pub(super) config: SecretString,
    pub(super) runner: RunnerName,
    pub(super) system_id: SystemId,
    pub(super) jobs_max: u32,
    pub(super) quit: Quit,
    /// It gets no time.
    pub(super) freeze: Freeze,
    /// It does not heed SIGQUIT.
    pub(super) deaf: bool,
    pub(super) job: Option<JobId>,
    pub(super) log: RunnerLog,
    pub(super) lines: VecDeque<String>,
}

impl Process {
    /// Takes a line that the process wrote at `at`, and what a reader learns from it.
    pub(super) fn write(&mut self, line: &LogLine, at: Timestamp) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line.json(at));
        match line {
            LogLine::Received { job, .. } => {
                self.job = Some(*job);
                self.log.received = Some((*job, at));
                self.log.works = true;
                self.log.poll_failure = None;
            }
            LogLine::Succeeded { .. } | LogLine::Failed { .. } => {
                self.job = None;
                self.log.job_failure = line.system_failure().map(Arc::from);
                self.log.ended = Some(at);
                self.log.works = false;
                self.log.jobs_ended += 1;
            }
            LogLine::Platform { version } => {
                self.log.version = Some(version.to_string().into());
                self.log.poll_failure = None;
            }
            LogLine::Forbidden => self.log.poll_failure = Some("403 Forbidden".into()),
            LogLine::PollFailed { problem } => {
                let cause = problem.rsplit_once("\": ").map_or(&**problem, |(_, cause)| cause);
                self.log.poll_failure = Some(cause.into());
            }
            LogLine::Unhealthy | LogLine::Exiting { .. } | LogLine::Fatal { .. } => {}
        }
    }
}

/// A task that ends when its container does.
#[derive(Debug)]
pub(super) struct Task(pub(super) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
