//! Runners that stand still: frozen by a person, or asked to exit and not heeding it. Nothing is done
//! to either, for both may have a job again at any moment; who looks is told.

use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;

use crate::spec::HostName;
use crate::world::{Condition, ContainerState, Look, Phase, RunnerName, RunnerView, WorkloadId};

/// For how long a runner must be seen like that before it is worth a hint: one without a job heeds
/// SIGQUIT at the end of its long poll, within 50 s.
const TOLD_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// A runner that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// Frozen, or deaf.
    pub kind: StandstillKind,
    /// For how long that is seen.
    pub lasting: SignedDuration,
    /// Its host.
    pub host: HostName,
    /// The runner, whose name is its container's.
    pub runner: RunnerName,
}

/// How a runner stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandstillKind {
    /// `docker pause`.
    Paused,
    /// It was asked to exit, has no job, and is still there.
    Unheeding,
}

impl Standstill {
    /// It lasts for so long that somebody should look.
    pub fn is_long(&self) -> bool {
        self.lasting >= TOLD_AFTER
    }

    /// The same, `by` later.
    #[must_use]
    pub fn later(&self, by: SignedDuration) -> Self {
        Self { lasting: self.lasting + by, ..self.clone() }
    }
}

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, lasting, host, runner } = self;
        let minutes = lasting.as_mins();
        match kind {
            StandstillKind::Paused if !self.is_long() => f.write_str("its container is paused"),
            StandstillKind::Paused => write!(
                f,
                "its container is paused for {minutes}m; hint: `docker unpause {runner}` on host `{host}` lets it continue"
            ),
            StandstillKind::Unheeding => write!(
                f,
                "it has no job and does not exit for {minutes}m; hint: after a refusal by GitLab it may sleep for five minutes; `docker logs {runner}` on host `{host}` tells what it does, and `docker rm -f {runner}` ends it"
            ),
        }
    }
}

impl Look {
    /// How a runner stands still, if it does: a paused one at once, another one after a minute.
    pub fn standstill(&self, view: &RunnerView<'_>) -> Option<Standstill> {
        let id = &view.runner.id;
        let since = |condition| {
            let since = self.memory.since(id, condition);
            since.map_or(SignedDuration::ZERO, |at| self.now.duration_since(at))
        };
        let of = |kind, lasting| {
            let (host, runner) = (view.host.clone(), view.runner.name.clone());
            Standstill { kind, lasting, host, runner }
        };
        if is_paused(view) {
            return Some(of(StandstillKind::Paused, since(Condition::Paused)));
        }
        let unheeding = of(StandstillKind::Unheeding, since(Condition::Leaving));
        (is_leaving(view) && unheeding.is_long()).then_some(unheeding)
    }
}

/// It runs, and a person froze it.
fn is_paused(view: &RunnerView<'_>) -> bool {
    view.runner.paused && matches!(view.runner.state, ContainerState::Running { .. })
}

fn is_leaving(view: &RunnerView<'_>) -> bool {
    matches!(view.phase, Phase::Draining { busy: false, .. })
}

/// Runners that a person froze.
pub(super) fn paused(views: &[RunnerView<'_>]) -> BTreeSet<WorkloadId> {
    views.iter().filter(|view| is_paused(view)).map(|view| view.runner.id.clone()).collect()
}

/// Runners without a job that were asked to exit, and could.
pub(super) fn leaving(views: &[RunnerView<'_>]) -> BTreeSet<WorkloadId> {
    let leaving = views.iter().filter(|view| is_leaving(view) && !is_paused(view));
    leaving.map(|view| view.runner.id.clone()).collect()
}
