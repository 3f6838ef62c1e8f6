//! Which pool fits a machine. Pure.

use super::Place;
use crate::spec::Arch;

const GIB: u64 = 1 << 30;
/// What a job may use where the machine has room for two and more of these.
const JOB: Resources = Resources { cpus: 2, memory: 4 * GIB };
/// What it may use on a small machine.
const SMALL_JOB: Resources = Resources { cpus: 1, memory: 2 * GIB };
/// What GitLab takes for itself (`doc/install/requirements.md` asks for 8 GiB and swap less of it).
const GITLABS: u64 = 6 * GIB;
/// Live runners that a first set-up is given at most: whoever wants more knows why.
const MAX: u64 = 16;

/// What was seen of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Its architecture.
    pub(crate) arch: Arch,
    /// Its cpus.
    pub(crate) cpus: u64,
    /// Its memory in bytes.
    pub(crate) memory: u64,
    /// GitLab runs there, too.
    pub(crate) has_gitlab: bool,
}

/// What a job may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resources {
    /// Its cpus.
    pub(crate) cpus: u64,
    /// Its memory in bytes.
    pub(crate) memory: u64,
}

/// A pool for a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// Live runners at most.
    pub(crate) max: u64,
    /// What a job may use; none where the machine is too small to share, or not known.
    pub(crate) resources: Option<Resources>,
    /// Whose jobs it takes.
    pub(crate) place: Place,
}

/// A pool that fits; without a machine, the least one.
pub(crate) fn proposal(machine: Option<&Machine>, place: Place) -> Proposal {
    let Some(machine) = machine else { return Proposal { max: 1, resources: None, place } };
    let taken = if machine.has_gitlab { GITLABS } else { GIB };
    let memory = machine.memory.saturating_sub(taken);
    let fitting = |job: Resources| (machine.cpus / job.cpus).min(memory / job.memory).min(MAX);
    let found = [JOB, SMALL_JOB].into_iter().find(|job| fitting(*job) >= 2);
    let found = found.or_else(|| (fitting(SMALL_JOB) >= 1).then_some(SMALL_JOB));
    match found {
        Some(job) => Proposal { max: fitting(job), resources: Some(job), place },
        None => Proposal { max: 1, resources: None, place },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(cpus: u64, gib: u64, has_gitlab: bool) -> (u64, Option<u64>) {
        let machine = Machine { arch: Arch::Amd64, cpus, memory: gib * GIB, has_gitlab };
        let proposal = proposal(Some(&machine), Place::Instance);
        (proposal.max, proposal.resources.map(|job| job.cpus))
    }

    #[test]
    fn a_pool_leaves_room_for_the_rest_of_the_machine() {
        assert_eq!(sized(8, 32, false), (4, Some(2)));
        assert_eq!(sized(8, 16, true), (2, Some(2)));
        assert_eq!(sized(4, 8, true), (1, Some(1)));
        assert_eq!(sized(2, 4, false), (1, Some(1)));
        assert_eq!(sized(1, 2, false), (1, None));
        assert_eq!(sized(128, 512, false), (16, Some(2)));
    }
}
