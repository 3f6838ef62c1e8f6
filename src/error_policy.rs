//! What an error means, each said once: who has to act, whether the effect may have come about, what
//! is paused, the exit code and the metric label.
//!
//! It names the error types of the two ports and of what is applied, and does nothing itself.

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::gitlab::{GitlabError, TransportError};
use crate::plan::Action;

/// Exit code: the spec is fine, and something else is not. So does a command end that a port failed,
/// whoever has to act.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: the spec or the command line is wrong.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of `plan --detailed-exitcode` if there is something to do.
pub const EXIT_CHANGES: u8 = 3;

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// A bug of AutoGit.
    Ours,
    /// The other side cannot be reached or fails: wait and try again.
    Unreachable,
    /// The other side refuses this one thing.
    Refused,
    /// The operator: spec or token.
    Yours,
}

impl ErrorKind {
    /// All kinds, for metrics and docs.
    pub const ALL: [Self; 4] = [Self::Ours, Self::Unreachable, Self::Refused, Self::Yours];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Yours => "yours",
        }
    }
}

/// Whether what was asked for came about all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CameAbout {
    /// No: it was refused, or never asked for.
    No,
    /// Nothing came back that says so, and most likely nothing arrived.
    Unlikely,
    /// It may have: only the answer is lost.
    Perhaps,
}

/// What an error means, whatever was attempted.
#[derive(Debug, Clone, Copy)]
struct Policy {
    kind: ErrorKind,
    came_about: CameAbout,
}

const fn policy(kind: ErrorKind, came_about: CameAbout) -> Policy {
    Policy { kind, came_about }
}

const AWAY: Policy = policy(ErrorKind::Unreachable, CameAbout::Unlikely);
const ANSWER_LOST: Policy = policy(ErrorKind::Unreachable, CameAbout::Perhaps);
const LATER: Policy = policy(ErrorKind::Unreachable, CameAbout::No);
const REFUSED: Policy = policy(ErrorKind::Refused, CameAbout::No);
const YOURS: Policy = policy(ErrorKind::Yours, CameAbout::No);
const ANOTHER_ANSWERS: Policy = policy(ErrorKind::Yours, CameAbout::Unlikely);
const OURS: Policy = policy(ErrorKind::Ours, CameAbout::No);

impl From<&GitlabError> for Policy {
    fn from(error: &GitlabError) -> Self {
        match error {
            GitlabError::Unreachable { source: TransportError::Unreachable(_), .. } => AWAY,
            GitlabError::Unreachable {
                source: TransportError::TimedOut(_) | TransportError::TooLong(_),
                ..
            }
            | GitlabError::ServerFailed { .. } => ANSWER_LOST,
            GitlabError::Limited { .. } => LATER,
            GitlabError::NotFound { .. } | GitlabError::Rejected { .. } => REFUSED,
            GitlabError::Unauthorized { .. } | GitlabError::Forbidden { .. } => YOURS,
            GitlabError::NotGitlab { .. } => ANOTHER_ANSWERS,
        }
    }
}

impl From<&EngineError> for Policy {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::Unreachable { .. } => AWAY,
            EngineError::TimedOut { .. } => ANSWER_LOST,
            EngineError::NameTaken { .. }
            | EngineError::Running { .. }
            | EngineError::BeingRemoved { .. }
            | EngineError::NotFound { .. }
            | EngineError::Refused { .. } => REFUSED,
            EngineError::NoImage { .. } => YOURS,
        }
    }
}

impl From<&ApplyError> for Policy {
    fn from(error: &ApplyError) -> Self {
        match error {
            ApplyError::Gitlab(error) => error.into(),
            ApplyError::Engine(error) => error.into(),
            // Asking about a token changes nothing that counts.
            ApplyError::Token(error) => policy(error.kind(), CameAbout::No),
            ApplyError::NotUndone(error) => policy(error.kind(), CameAbout::Perhaps),
            ApplyError::Config(_) => YOURS,
            ApplyError::NoRecord(_) | ApplyError::Scope(_) | ApplyError::SlotTaken(_) => REFUSED,
            ApplyError::NoHost(_) => OURS,
        }
    }
}

impl GitlabError {
    /// Who has to act: the server's side, or the operator.
    pub fn kind(&self) -> ErrorKind {
        Policy::from(self).kind
    }

    /// The request may have had its effect although no answer came.
    pub fn in_doubt(&self) -> bool {
        Policy::from(self).came_about == CameAbout::Perhaps
    }
}

impl EngineError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        Policy::from(self).kind
    }

    /// The effect may have come about although no answer came.
    pub fn in_doubt(&self) -> bool {
        Policy::from(self).came_about == CameAbout::Perhaps
    }
}

/// What a failure pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Nothing: the next look shows how things stand.
    Nothing,
    /// The slot, whose name someone else's container has.
    Slot,
    /// All of the kind on that variant or host, longer with each failure in a row.
    BackOff,
}

impl ApplyError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        Policy::from(self).kind
    }

    /// The effect may have come about although no answer came.
    pub fn in_doubt(&self) -> bool {
        Policy::from(self).came_about == CameAbout::Perhaps
    }

    /// The effect did not come about: the other side said so, or was not asked.
    pub fn is_final(&self) -> bool {
        Policy::from(self).came_about == CameAbout::No
    }

    /// What it pauses where `action` failed with it.
    pub fn pause(&self, action: &Action) -> Pause {
        match action {
            Action::Start { .. } if self.is_slot_taken() => Pause::Slot,
            // A record that is missing shows as its own decision.
            Action::Start { .. } if matches!(self, Self::NoRecord(_)) => Pause::Nothing,
            // Who is away shows as such at the next look, and coming back needs no pause.
            Action::Start { .. } | Action::VerifyToken { .. } if self.is_away() => Pause::Nothing,
            Action::Start { .. }
            | Action::VerifyToken { .. }
            | Action::CreateRecord { .. }
            | Action::CreateNetwork { .. }
            | Action::PullImage { .. }
            | Action::KeepImage { .. } => Pause::BackOff,
            Action::UpdateRecord { .. }
            | Action::DeleteRecord { .. }
            | Action::Drain { .. }
            | Action::Reap { .. }
            | Action::Sweep { .. } => Pause::Nothing,
        }
    }

    fn is_away(&self) -> bool {
        self.kind() == ErrorKind::Unreachable && !self.in_doubt()
    }

    fn is_slot_taken(&self) -> bool {
        let cause = if let Self::NotUndone(cause) = self { cause } else { self };
        matches!(cause, Self::Engine(EngineError::NameTaken { .. }) | Self::SlotTaken(_))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::{Arch, PoolName};
    use crate::world::Variant;

    fn verify(variant: &Variant) -> Action {
        Action::VerifyToken { variant: variant.clone() }
    }

    fn create(variant: &Variant) -> Action {
        Action::CreateRecord { variant: variant.clone() }
    }

    #[test]
    fn a_token_is_asked_about_again_at_once_where_gitlab_was_away_and_a_record_is_not_made() {
        let variant = Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64);
        let late = || GitlabError::Limited { retry_after: Duration::from_secs(1) };
        let failed = || GitlabError::ServerFailed { status: 502, endpoint: "runners" };
        let unknown = || GitlabError::NotFound { object: "runner".to_owned() };
        for away in [late(), failed()] {
            let pause = ApplyError::Token(away.clone()).pause(&verify(&variant));
            assert_eq!(pause, Pause::Nothing, "{away}");
            assert_eq!(ApplyError::Gitlab(away).pause(&create(&variant)), Pause::BackOff);
        }
        assert_eq!(ApplyError::Token(unknown()).pause(&verify(&variant)), Pause::BackOff);
        let final_ones =
            [late(), failed(), unknown()].map(|one| ApplyError::Gitlab(one).is_final());
        assert_eq!(final_ones, [true, false, true]);
    }
}
