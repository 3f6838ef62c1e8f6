//! What was last seen, planned and done: all that commands and the API print.
//!
//! The `…Output` structs are the public JSON: fields are added, never renamed, and durations are
//! words such as `2m13s`, counted to the moment of the answer (see [`AsOf`]).

mod as_of;
mod events;
mod explain;
mod facts;
mod hanging;
mod held;
mod ids;
mod memory;
mod plan;
mod projects;
mod proxies;
mod queue;
mod runners;
mod selftest;
mod source;
mod status;
mod trend;
mod unplaced;
mod unread;
mod warm;
mod why;
pub(crate) mod words;

pub use as_of::AsOf;
pub use events::{EventOutput, FailureOutput, PhaseOutput, SourceChangeOutput, SpecChangeOutput};
pub use explain::{
    ExplainJobOutput, ExplainOutput, ExplainPoolOutput, ExplainRunnerOutput, FitOutput, LifeOutput,
    NumberOutput, PlaceOutput, PoolRunnerOutput, Subject, UnknownSubject,
};
pub use held::{HeldCountOutput, HeldGroupOutput};
pub use ids::{JobIdOutput, RecordIdOutput, SlotOutput};
pub use memory::{
    AskedOutput, BackoffOutput, DoubtOutput, MemoryOutput, NetworkOutput, OtherRunnerOutput,
    OwnRecordsOutput, UnclaimedOutput,
};
pub use plan::{
    DecisionOutput, HeldJobOutput, HeldOutput, HeldRunnerOutput, LostJobOutput, PlanOutput,
    SpecOutput, UnmetWarmOutput, WaitingOutput,
};
pub use projects::{PipelineOutput, ProjectJobOutput, ProjectOutput};
pub use proxies::ProxyOutput;
pub use queue::{QueueJobOutput, QueueOutput};
pub use runners::{RunnerJobOutput, RunnerOutput};
pub use selftest::{FollowedOutput, RunOutput, SelftestOutput, SpreadOutput, StageOutput};
pub use source::SourceOutput;
pub use status::{
    BudgetOutput, CommitOutput, DiskOutput, HostOutput, NextOutput, PoolOutput, SpecStatusOutput,
    StatusOutput, commit_words,
};
pub use trend::{Load, TrendOutput, TrendPointOutput};
pub use unplaced::UnplacedOutput;
pub use warm::WarmNowOutput;

pub(crate) use explain::nearest;
pub(crate) use plan::decision as decision_output;
pub(crate) use proxies::proxies;

use std::sync::Arc;

use jiff::Timestamp;

use crate::gitlab::Commit;
use crate::plan::Plan;
use crate::spec::Spec;
use crate::world::World;

/// One look, the plan it led to, and the spec it was made for; shared as a snapshot.
#[derive(Debug, Clone)]
pub struct View {
    /// What was observed.
    pub world: Arc<World>,
    /// What shall be done about it.
    pub plan: Arc<Plan>,
    /// Where the spec came from.
    pub spec: SpecInfo,
    /// Requests that this look sent to GitLab.
    pub requests: u64,
    /// GitLab's web address, for links.
    pub gitlab_url: String,
    /// What stands in the way of the work beyond what is unknown: each with a hint.
    pub notices: Vec<String>,
}

/// Where the spec in force came from, and what is wrong with the one that is not.
#[derive(Debug, Clone)]
pub struct SpecInfo {
    /// The file's name as it was given.
    pub source: String,
    /// A short hash of the spec in force.
    pub hash: String,
    /// When it came into force.
    pub loaded_at: Timestamp,
    /// The commit that has it; none where it comes from a file.
    pub commit: Option<Commit>,
    /// The rendered fault of a newer file that was refused.
    pub pending_fault: Option<String>,
    /// The spec itself.
    pub spec: Arc<Spec>,
}
