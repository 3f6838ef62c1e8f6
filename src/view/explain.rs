//! Why a job waits, why a pool has its size, what a runner does and why it is still there.

mod earliest;
mod job;
mod life;
mod nearest;
mod pool;
mod runner;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use job::{ExplainJobOutput, FitOutput, PlaceOutput};
pub use life::LifeOutput;
pub(crate) use nearest::nearest;
pub use pool::{ExplainPoolOutput, NumberOutput, PoolRunnerOutput};
pub use runner::ExplainRunnerOutput;

use super::{AsOf, View};
use crate::gitlab::JobDetail;
use crate::spec::PoolName;
use crate::world::{JobId, RunnerName};

/// What can be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A job, pending or not.
    Job(JobId),
    /// A declared pool.
    Pool(PoolName),
    /// A runner that was seen.
    Runner(RunnerName),
}

impl Subject {
    /// The word for its kind.
    fn kind(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Pool(_) => "pool",
            Self::Runner(_) => "runner",
        }
    }
}

/// A word that names no pool, runner or pending job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no pool, runner or pending job is called `{word}`{}", hint(nearest))]
pub struct UnknownSubject {
    /// The word.
    pub word: String,
    /// Names that are nearly it, nearest first.
    pub nearest: Vec<String>,
}

/// What to do about a word that names nothing, where these names are nearly it.
fn hint(nearest: &[String]) -> String {
    let names: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "\nhint: give a job's id, a pool's name or a runner's name".to_owned()
    } else {
        format!("\nhint: did you mean {}?", names.join(" or "))
    }
}

/// An explanation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ExplainOutput {
    /// Of a job.
    Job(ExplainJobOutput),
    /// Of a pool.
    Pool(ExplainPoolOutput),
    /// Of a runner.
    Runner(ExplainRunnerOutput),
}

impl View {
    /// What `word` means: a job's id (`8812`, `#8812`, `train#8812`), a pool's name (also as
    /// `pool/arch`), a runner's name, or the name of a pending job; also with its kind, as in
    /// `job 8812`.
    pub fn subject(&self, word: &str) -> Result<Subject, UnknownSubject> {
        let (kind, rest) = word.split_once(' ').unwrap_or_default();
        let of_kind = self.meanings(rest.trim()).into_iter().find(|one| one.kind() == kind);
        if let Some(subject) = of_kind {
            return Ok(subject);
        }
        if let Some(subject) = self.meanings(word).into_iter().next() {
            return Ok(subject);
        }
        let last = word.rsplit(' ').next().unwrap_or(word);
        let runners = self.runner_views();
        let pools = self.world.spec.pools.iter().map(|pool| pool.name.as_str());
        let nearest = nearest(last, pools.chain(runners.keys().copied()));
        Err(UnknownSubject { word: word.to_owned(), nearest })
    }

    /// All that `word` may mean, the likeliest first.
    fn meanings(&self, word: &str) -> Vec<Subject> {
        let after_hash = word.rsplit_once('#').map_or(word, |(_, id)| id);
        let pool_word = word.split_once('/').map_or(word, |(pool, _)| pool);
        let mut pools = self.world.spec.pools.iter();
        let pool = pools.find(|pool| pool.name.as_str() == pool_word);
        let runners = self.runner_views();
        let runner = runners.get(word).map(|view| view.runner.name.clone());
        let mut jobs = self.world.queue.known().into_iter().flat_map(|queue| &queue.jobs);
        let job = jobs.find(|job| *job.name == *word).map(|job| job.id);
        let meanings = [
            pool.map(|pool| Subject::Pool(pool.name.clone())),
            runner.map(Subject::Runner),
            after_hash.parse().ok().map(|id| Subject::Job(JobId(id))),
            job.map(Subject::Job),
        ];
        meanings.into_iter().flatten().collect()
    }
}

impl AsOf<'_> {
    /// The explanation of `subject`. `detail` is what GitLab tells about a job that is not pending,
    /// where it was asked; none where a pool or runner is gone since it was named.
    pub fn explain(&self, subject: &Subject, detail: Option<&JobDetail>) -> Option<ExplainOutput> {
        match subject {
            Subject::Job(id) => Some(ExplainOutput::Job(self.explain_job(*id, detail))),
            Subject::Pool(pool) => self.explain_pool(pool).map(ExplainOutput::Pool),
            Subject::Runner(runner) => self.explain_runner(runner).map(ExplainOutput::Runner),
        }
    }
}
