//! A [`Plan`](crate::plan::Plan) to port calls: one task per decision, no choices left to make.
//!
//! No action waits for another, but for what it needs: a runner for its own network and record, and
//! the removal of a volume or network for the containers of its host that have it. Each step is safe
//! to lose half-way and to repeat; one that fails, or hangs, never stops the others.

mod act;
mod reap;
mod start;
mod sweep;
mod work;

pub use work::Work;

use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::EngineError;
use crate::engine::runner_config::RunnerConfigError;
use crate::gitlab::GitlabError;
use crate::plan::Decision;
use crate::spec::HostName;
use crate::world::{RecordId, RunnerName, Variant, WorkloadId, World};

/// What came of one decision.
#[derive(Debug)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// The same was done before, and what came of it was not seen when it was decided again.
    pub repeated: bool,
    /// The world that it was decided on.
    pub seen: Arc<World>,
    /// Its effect, or why it has none.
    pub result: Result<Effect, ApplyError>,
}

/// What a decision brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What it says.
    Done,
    /// A runner runs in that container.
    Started(WorkloadId),
    /// GitLab took an operator's own token.
    Verified {
        /// When it ends, if it does.
        expires_at: Option<Timestamp>,
    },
    /// A record was made.
    Recorded(RecordId),
    /// Nothing yet: the engine is at it, and a later look shows what comes of that.
    Pending,
    /// Nothing: what it was to act on is gone, or in use after all.
    Skipped(&'static str),
}

/// Why a decision had no effect, or an unknown one.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// GitLab.
    #[error(transparent)]
    Gitlab(#[from] GitlabError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No `config.toml` can be made for the pool.
    #[error(transparent)]
    Config(#[from] RunnerConfigError),
    /// GitLab does not take an operator's own token.
    #[error("the pool's `runner_token` is not usable: {0}")]
    Token(#[source] GitlabError),
    /// The variant has no record with a token.
    #[error("`{0}` has no record yet")]
    NoRecord(Variant),
    /// What the pool's scope is at GitLab is not known.
    #[error("what the pool's scope holds is not known: {0}")]
    Scope(Arc<str>),
    /// A living container has the slot: another AutoGit under this name was faster.
    #[error(
        "the slot of `{0}` is taken by another container\nhint: does a second AutoGit run under this `instance`?"
    )]
    SlotTaken(RunnerName),
    /// What was made on the way could not be removed again, so it still counts.
    #[error(transparent)]
    NotUndone(Box<Self>),
    /// The plan names a host that there is no port to.
    #[error("host `{0}` is not connected")]
    NoHost(HostName),
}
