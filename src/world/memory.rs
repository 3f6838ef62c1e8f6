//! What one process remembers between two ticks. Losing all of it costs time, never correctness.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Backoff, ContainerId, JobId, ProjectId, RecordId, Runner, RunnerName, SystemId, Variant,
    WorkloadId,
};
use crate::spec::{Cost, HostName};

/// What one process remembers between two ticks.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Of each runner. What a list lacks for a while is not forgotten.
    pub runners: BTreeMap<WorkloadId, super::RunnerMemory>,
    /// Variants that failed.
    pub backoffs: BTreeMap<Variant, Backoff>,
    /// Hosts on which the runners' network could not be made.
    pub networks: BTreeMap<HostName, Backoff>,
    /// Images that could not be pulled to be kept ready.
    pub unkept: BTreeMap<(HostName, String), Backoff>,
    /// Starts that failed within the last minute and are not among those that were made.
    pub starts: Vec<FailedStart>,
    /// Starts that are under way and whose container is among those that were made.
    pub shown: BTreeSet<(HostName, RunnerName)>,
    /// Jobs that no fitting idle runner took.
    pub unclaimed: BTreeMap<JobId, Unclaimed>,
    /// Jobs that wait although an idle runner had a minute to take them, whether or not it was in
    /// contact.
    pub overlooked: BTreeSet<JobId>,
    /// What the observation before this one found left over; a sweep needs two in a row.
    pub leftovers: BTreeSet<Leftover>,
    /// Slots whose engine call timed out, or whose host was not seen since it was made.
    pub in_doubt: BTreeMap<RunnerName, InDoubt>,
    /// Slots whose name a container has that is not theirs, and until when they are left alone.
    pub taken: BTreeMap<RunnerName, Timestamp>,
    /// Runners that are gone from an engine, also when it is asked for them, and since when.
    pub gone: BTreeMap<(HostName, SystemId), Timestamp>,
    /// Runners that were seen to have ended, while anything of them is there.
    pub ended: BTreeSet<(HostName, SystemId)>,
    /// When a runner was seen in each slot that has a cache, on hosts whose budget limits the disk.
    pub slots_used: BTreeMap<(HostName, SystemId), Timestamp>,
    /// Jobs with a container that still runs, or whose runner is gone, which GitLab says are over,
    /// or which were told as lost.
    pub over: BTreeSet<JobId>,
    /// Jobs that ended before they began, for their image is for another architecture.
    pub wrong_images: BTreeMap<JobId, super::WrongImage>,
    /// What GitLab told of the jobs that runners have.
    pub job_facts: BTreeMap<JobId, super::JobFacts>,
    /// Runners of others that may take a job which no pool may take.
    pub other_runners: BTreeMap<JobId, super::OtherRunner>,
    /// When GitLab was asked for the records last and did not tell them, though not for being slow.
    pub gitlab_failed_at: Option<Timestamp>,
    /// What this process is doing, since when: also what ended since the look began.
    pub under_way: BTreeMap<super::Deed, Timestamp>,
    /// Runners that an operator asks to exit.
    pub asked: BTreeSet<RunnerName>,
    /// What was done to each object within the hour, whatever came of it.
    pub efforts: BTreeMap<super::Deed, super::Efforts>,
    /// What it knows of the records under its mark.
    pub own_records: super::OwnRecords,
    /// The newest time that was noted.
    pub noted_at: Option<Timestamp>,
}

impl Memory {
    /// What a process that begins now remembers.
    pub fn begun(now: Timestamp) -> Self {
        Self { own_records: super::OwnRecords::begun(now), ..Self::default() }
    }

    /// It is `now`. Where that is before the last time, our clock was set back: all that was noted
    /// moves along, or it would be waited for until the clock is there again.
    pub fn note_time(&mut self, now: Timestamp) {
        let before = self.noted_at.replace(now);
        let by = before.map_or(SignedDuration::ZERO, |before| before.duration_since(now));
        if by.is_positive() {
            super::brake::set_back(&mut self.efforts, by);
            self.own_records.set_back(by);
            self.set_back(by);
        }
    }

    /// When each start of the last minute was, as `starts_per_minute` counts them.
    pub fn starts_of_the_minute(&self) -> impl Iterator<Item = Timestamp> {
        let made = self.runners.values().filter_map(|runner| runner.made);
        self.starts.iter().map(|start| start.at).chain(made)
    }

    fn set_back(&mut self, by: SignedDuration) {
        let times = self.runners.values_mut().flat_map(super::RunnerMemory::times_mut);
        let times = times
            .chain(self.backoffs.values_mut().map(|backoff| &mut backoff.until))
            .chain(self.networks.values_mut().map(|backoff| &mut backoff.until))
            .chain(self.unkept.values_mut().map(|backoff| &mut backoff.until))
            .chain(self.starts.iter_mut().map(|start| &mut start.at))
            .chain(self.unclaimed.values_mut().map(|unclaimed| &mut unclaimed.until))
            .chain(self.in_doubt.values_mut().map(|doubt| &mut doubt.at))
            .chain(self.taken.values_mut())
            .chain(self.slots_used.values_mut())
            .chain(self.under_way.values_mut())
            .chain(self.wrong_images.values_mut().map(|wrong| &mut wrong.at))
            .chain(self.gone.values_mut())
            .chain(&mut self.gitlab_failed_at);
        times.for_each(|at| *at = at.saturating_sub(by).unwrap_or(Timestamp::MIN));
    }
}

/// A runner that was started, of which its host did not tell since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    /// The host.
    pub host: HostName,
    /// When it was to be started.
    pub at: Timestamp,
    /// What it was made with, if it was made.
    pub cost: Cost,
}

/// A start that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedStart {
    /// When it was begun.
    pub at: Timestamp,
    /// Where and who, while a container of that name that is seen for the first time can only be the
    /// one that it made: until the slot is tried again.
    pub of: Option<(HostName, RunnerName)>,
}

/// A runner as it was last seen with a job; of one whose container this process never saw, what its
/// job's containers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    /// The host that has its container, or had it.
    pub host: HostName,
    /// The runner.
    pub runner: Runner,
    /// Its job.
    pub job: JobId,
    /// The job's page.
    pub url: Option<String>,
    /// The job's project.
    pub project: Option<ProjectId>,
    /// Since when its container is not there any more.
    pub gone_since: Option<Timestamp>,
}

/// A job that no fitting idle runner took: GitLab knows something that we do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclaimed {
    /// How often in a row.
    pub times: u32,
    /// Until when no runner is started for it.
    pub until: Timestamp,
}

/// Something of ours that has no runner any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A container that a job made.
    JobContainer(HostName, ContainerId),
    /// A volume that a job made.
    JobVolume(HostName, String),
    /// A network that a job made.
    JobNetwork(HostName, String),
    /// A manager's row at GitLab.
    Manager(RecordId, SystemId),
    /// A record that the spec does not ask for.
    Record(RecordId),
    /// Our network, without a pool that needs it.
    Network(HostName, String),
    /// An image that was pulled to be kept ready.
    KeptImage(HostName, super::KeptImage),
}

impl Leftover {
    /// The host it is on; what is at GitLab is on none.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::JobContainer(host, _)
            | Self::JobVolume(host, _)
            | Self::JobNetwork(host, _)
            | Self::Network(host, _)
            | Self::KeptImage(host, _) => Some(host),
            Self::Manager(..) | Self::Record(_) => None,
        }
    }
}
