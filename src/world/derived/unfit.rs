//! Runners that are of no use to us, though they run: too old a gitlab-runner, or one that does not
//! take the system id that it was given. Such an image serves nobody until it is another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::phase::CLOCK_ERROR;
use crate::spec::RUNNER_VERSION_MIN;
use crate::world::{
    ContainerState, Look, Manager, Phase, Record, RecordId, RunnerView, SystemId, Variant,
    WorkloadId,
};

/// How long a runner takes at most from its start to its first poll, which GitLab answers at once.
const FIRST_POLL: SignedDuration = SignedDuration::from_secs(15);

/// Why a runner is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Its gitlab-runner is older than AutoGit takes.
    TooOld {
        /// Which it is.
        version: Arc<str>,
    },
    /// It made itself known to GitLab under another system id than its slot's, by all we know.
    OwnSystemId {
        /// Under which.
        system_id: SystemId,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = RUNNER_VERSION_MIN;
        match self {
            Self::TooOld { version } => {
                write!(f, "its gitlab-runner is {version}, which is too old")?;
            }
            Self::OwnSystemId { system_id } => write!(
                f,
                "it probably calls itself {system_id} at GitLab, where it was to take its slot's id"
            )?,
        }
        write!(
            f,
            "; hint: set `runner_image` to an official gitlab-runner, {major}.{minor} or newer"
        )
    }
}

impl Look {
    /// Which of these runners are of no use, and why.
    pub fn unfit(&self, views: &[RunnerView<'_>]) -> BTreeMap<WorkloadId, Unfit> {
        let works =
            |view: &&RunnerView<'_>| matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. });
        let working: BTreeSet<&Variant> =
            views.iter().filter(works).map(|view| &view.runner.variant).collect();
        let mut strangers = None;
        let mut unfit = BTreeMap::new();
        for view in views {
            let ContainerState::Running { started_at } = view.runner.state else { continue };
            let Some(log) = &view.runner.log else { continue };
            let old = log.version.as_ref().filter(|version| is_too_old(version));
            let why = if let Some(version) = old {
                Some(Unfit::TooOld { version: Arc::clone(version) })
            } else {
                let unheard = matches!(view.phase, Phase::Starting { .. } | Phase::Failed { .. });
                let polled = self.records_told_at().duration_since(started_at) > FIRST_POLL;
                let proven = log.poll_failure.is_some() || working.contains(&view.runner.variant);
                if unheard && polled && !proven {
                    let strangers = strangers.get_or_insert_with(|| self.strangers());
                    own_system_id(strangers, view.runner.record, started_at)
                } else {
                    None
                }
            };
            unfit.extend(why.map(|why| (view.runner.id.clone(), why)));
        }
        unfit
    }

    /// Managers that no host accounts for and that are of no slot of ours.
    fn strangers(&self) -> Vec<(&Record, &Manager)> {
        if !self.all_hosts_known() {
            return Vec::new();
        }
        let prefixes = self.prefixes();
        let records = self.records.known().map(Vec::as_slice).unwrap_or_default();
        let mut strangers = self.unplaced_managers(records);
        strangers.retain(|(_, row)| !prefixes.has(&row.system_id));
        strangers
    }
}

/// A row that came to the runner's record after the runner's start.
fn own_system_id(
    strangers: &[(&Record, &Manager)],
    record: RecordId,
    started_at: Timestamp,
) -> Option<Unfit> {
    let made = |row: &Manager| row.caller.as_ref().and_then(|caller| caller.created_at);
    let since = |at: Timestamp| started_at.duration_since(at) <= CLOCK_ERROR;
    let appeared = |row: &Manager| made(row).is_some_and(since);
    let mut appeared = strangers.iter().filter(|(of, row)| of.id == record && appeared(row));
    let (_, row) = appeared.next()?;
    let version = row.caller.as_ref().and_then(|caller| caller.version.as_deref());
    Some(match version.filter(|version| is_too_old(version)) {
        Some(version) => Unfit::TooOld { version: version.into() },
        None => Unfit::OwnSystemId { system_id: row.system_id.clone() },
    })
}

/// A version that cannot be read is nobody's fault.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < RUNNER_VERSION_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_too_old;

    #[test]
    fn a_version_is_too_old_where_its_first_two_numbers_say_so() {
        for version in ["17.4.2", "18.3.9", "18.0.0~pre.1.gabc", "9.5.0"] {
            assert!(is_too_old(version), "{version}");
        }
        for version in ["18.4.0", "18.6.2", "19.0.0~pre.1.gabc", "development version", "", "18"] {
            assert!(!is_too_old(version), "{version}");
        }
    }
}
