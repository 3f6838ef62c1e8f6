//! Why a job has no runner yet.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::facts::{brief, disk_words};
use super::gpus::{GpuBusy, NoGpu};
use crate::spec::{Arch, Cpus, HostName, PoolName};
use crate::world::{DiskRoom, JobId, OtherRunner, RecordId, Trouble, Variant};

/// A pending job that does not get a runner now.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldJob {
    /// The job.
    pub job: JobId,
    /// The reason that it waits.
    pub hold: Arc<JobHold>,
    /// When GitLab drops it, as far as no runner that may take it is online.
    pub dropped_in: Option<SignedDuration>,
}

impl fmt::Display for HeldJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.fmt(f)?;
        match self.dropped_in {
            Some(left) if left.is_zero() => f.write_str("; GitLab may drop it any time"),
            Some(left) => write!(f, "; GitLab drops it in {}", brief(left)),
            None => Ok(()),
        }
    }
}

/// Warm runners that a variant lacks and does not get now.
#[derive(Debug, Clone, PartialEq)]
pub struct UnmetWarm {
    /// The variant.
    pub variant: Variant,
    /// How many runners it lacks.
    pub missing: u32,
    /// Why: what a job would be told.
    pub hold: Arc<JobHold>,
}

/// Why a job does not get a runner now.
#[derive(Debug, Clone, PartialEq)]
pub enum JobHold {
    /// No pool has its tags.
    NoPoolMatches {
        /// The tags that no pool has, or that no single pool has together; empty: the job has none.
        missing: BTreeSet<String>,
        /// A pool's tag that differs from a missing one in letter case only.
        meant: Option<String>,
    },
    /// No pool may take it, and that is no fault: a runner of others may.
    OtherRunner {
        /// Why no pool may.
        misfit: Arc<JobHold>,
        /// The runner; `None`: the spec leaves such jobs to others.
        runner: Option<OtherRunner>,
    },
    /// Only pools for protected refs would fit.
    Protected {
        /// The nearest.
        pool: PoolName,
    },
    /// Only pools of another scope would fit.
    Scope {
        /// The nearest.
        pool: PoolName,
    },
    /// What a fitting pool's scope is at GitLab is not known.
    ScopeUnresolved {
        /// The nearest.
        pool: PoolName,
        /// Why, in GitLab's words.
        error: Arc<str>,
    },
    /// The project takes no runners of the fitting pools' kind.
    SwitchedOff {
        /// The nearest.
        pool: PoolName,
    },
    /// A fitting pool is disabled.
    Disabled {
        /// The first.
        pool: PoolName,
    },
    /// The pool has as many runners as it may.
    PoolAtMax {
        /// The pool.
        pool: PoolName,
        /// Its maximum.
        max: u32,
        /// How many of them only GitLab tells of: their host cannot be seen, or is not declared.
        unseen: u32,
    },
    /// No host has room.
    HostBudget {
        /// One that may serve it.
        host: HostName,
        /// What it lacks.
        lacks: Lack,
    },
    /// As many runners were started as may be in a minute.
    StartRate {
        /// How many that are.
        per_minute: u32,
    },
    /// The variant failed lately.
    BackingOff {
        /// The variant.
        variant: Variant,
        /// When it is tried again.
        until: Timestamp,
        /// For how long from now.
        left: SignedDuration,
        /// What went wrong.
        error: Arc<str>,
    },
    /// Fitting idle runners did not take it.
    Unclaimed {
        /// How often it was left alone in a row.
        times: u32,
        /// For how long no runner is started for it.
        left: SignedDuration,
    },
    /// A runner for it is starting.
    Starting {
        /// Its variant.
        variant: Variant,
        /// What the log of one of them says is wrong.
        trouble: Option<Trouble>,
    },
    /// Something that is needed to decide could not be read.
    Unseen {
        /// What, and why.
        what: Arc<str>,
    },
    /// The runner's image is on its way.
    ImagePull {
        /// To where.
        host: HostName,
        /// The image.
        image: String,
    },
    /// The host lacks the runner's image, and a person has to bring it.
    NoImage {
        /// The host.
        host: HostName,
        /// The image.
        image: String,
        /// The architecture of what is there under its name.
        found: Option<Arch>,
    },
    /// The runners' network could not be made on the host.
    NoNetwork {
        /// The host.
        host: HostName,
        /// For how long it is not tried again.
        left: SignedDuration,
        /// What the engine said.
        error: Arc<str>,
    },
    /// The host's disk is full, as far as runners may use it.
    DiskFull {
        /// The host.
        host: HostName,
        /// What is used, and what may be.
        disk: DiskRoom,
    },
    /// The host is in maintenance, and no other can take it now.
    Maintenance {
        /// The host.
        host: HostName,
    },
    /// A record with marks of none of our hosts stands under the variant's name.
    ForeignRecord {
        /// The variant.
        variant: Variant,
        /// The record.
        record: RecordId,
    },
    /// Another AutoGit of this instance made a record for the variant, and its token is not at hand.
    AnotherAutogit {
        /// The variant.
        variant: Variant,
        /// The record.
        record: RecordId,
        /// For how long from now it is waited for, unless somebody uses it.
        left: SignedDuration,
    },
    /// A person paused the variant's record.
    Paused {
        /// The variant.
        variant: Variant,
        /// Its record.
        record: RecordId,
    },
}

/// What a host lacks for one more runner.
#[derive(Debug, Clone, PartialEq)]
pub enum Lack {
    /// Runners: how many it may have.
    Runners(u32),
    /// Cpus: how many are free.
    Cpus(Cpus),
    /// Memory: how many bytes are free.
    Memory(u64),
    /// GPUs that others have.
    Gpus(GpuBusy),
    /// GPUs at all.
    NoGpu(NoGpu),
    /// A host of that architecture.
    Architecture,
    /// A host of that architecture, or one that runs it through QEMU.
    Qemu,
    /// Its next room is for a job that GitLab would drop.
    Kept,
}

impl JobHold {
    /// All words that [`JobHold::as_str`] has, for metrics and docs.
    pub const REASONS: [&str; 20] = [
        "another-autogit",
        "backing-off",
        "disk-full",
        "foreign-record",
        "gpu-busy",
        "host-budget",
        "image-pull",
        "maintenance",
        "no-image",
        "no-network",
        "no-pool-matches",
        "other-runner",
        "paused",
        "pool-at-max",
        "protected",
        "scope",
        "start-rate",
        "starting",
        "unclaimed",
        "unseen",
    ];

    /// The pool that it is about by itself, if one.
    pub fn pool(&self) -> Option<&PoolName> {
        match self {
            Self::Protected { pool }
            | Self::Scope { pool }
            | Self::ScopeUnresolved { pool, .. }
            | Self::SwitchedOff { pool }
            | Self::Disabled { pool }
            | Self::PoolAtMax { pool, .. } => Some(pool),
            Self::BackingOff { variant, .. }
            | Self::Starting { variant, .. }
            | Self::ForeignRecord { variant, .. }
            | Self::AnotherAutogit { variant, .. }
            | Self::Paused { variant, .. } => Some(&variant.pool),
            Self::NoPoolMatches { .. }
            | Self::OtherRunner { .. }
            | Self::HostBudget { .. }
            | Self::StartRate { .. }
            | Self::Unclaimed { .. }
            | Self::Unseen { .. }
            | Self::ImagePull { .. }
            | Self::NoImage { .. }
            | Self::NoNetwork { .. }
            | Self::DiskFull { .. }
            | Self::Maintenance { .. } => None,
        }
    }

    /// The word for it in output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoPoolMatches { .. } | Self::Disabled { .. } => "no-pool-matches",
            Self::OtherRunner { .. } => "other-runner",
            Self::Protected { .. } => "protected",
            Self::Scope { .. } | Self::ScopeUnresolved { .. } | Self::SwitchedOff { .. } => "scope",
            Self::PoolAtMax { .. } => "pool-at-max",
            Self::HostBudget { lacks: Lack::Gpus(_), .. } => "gpu-busy",
            Self::HostBudget { .. } => "host-budget",
            Self::StartRate { .. } => "start-rate",
            Self::BackingOff { .. } => "backing-off",
            Self::Unclaimed { .. } => "unclaimed",
            Self::Starting { .. } => "starting",
            Self::Unseen { .. } => "unseen",
            Self::ImagePull { .. } => "image-pull",
            Self::NoImage { .. } => "no-image",
            Self::NoNetwork { .. } => "no-network",
            Self::DiskFull { .. } => "disk-full",
            Self::Maintenance { .. } => "maintenance",
            Self::ForeignRecord { .. } => "foreign-record",
            Self::AnotherAutogit { .. } => "another-autogit",
            Self::Paused { .. } => "paused",
        }
    }
}

impl fmt::Display for JobHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPoolMatches { missing, meant } => {
                no_pool_matches(f, missing)?;
                no_pool_hint(f, missing, meant.as_deref())
            }
            Self::OtherRunner { misfit, runner } => other_runner(f, misfit, runner.as_ref()),
            Self::Protected { pool } => write!(
                f,
                "pool `{pool}` takes jobs on protected refs only, and this ref is not protected"
            ),
            Self::Scope { pool } => {
                write!(f, "the scope of pool `{pool}` does not hold the job's project")
            }
            Self::ScopeUnresolved { pool, error } => {
                write!(f, "what the scope of pool `{pool}` holds is not known: {error}")
            }
            Self::SwitchedOff { pool } => {
                write!(f, "the project has runners of the kind of pool `{pool}` switched off")
            }
            Self::Disabled { pool } => write!(f, "pool `{pool}` would take it and is disabled"),
            Self::PoolAtMax { pool, max, unseen: 0 } => {
                write!(f, "pool `{pool}` is at its max of {max}")
            }
            Self::PoolAtMax { pool, max, unseen } => write!(
                f,
                "pool `{pool}` is at its max of {max}, {unseen} of them on no host that is seen"
            ),
            Self::HostBudget { lacks: lacks @ (Lack::Architecture | Lack::Qemu), .. } => {
                lacks.fmt(f)
            }
            Self::HostBudget { host, lacks } => write!(f, "host `{host}` has no room: {lacks}"),
            Self::StartRate { per_minute } => {
                write!(f, "{per_minute} runners were started within a minute")
            }
            Self::BackingOff { variant, left, error, .. } => {
                write!(f, "`{variant}` failed and is tried again in {}: {error}", brief(*left))
            }
            Self::Unclaimed { times, left } => unclaimed(f, *times, *left),
            Self::Starting { variant, trouble } => {
                write!(f, "a runner of `{variant}` is starting")?;
                trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
            }
            Self::Unseen { what } => f.write_str(what),
            Self::ImagePull { host, image } => write!(f, "host `{host}` is pulling `{image}`"),
            Self::NoImage { host, image, found } => no_image(f, host, image, *found),
            Self::NoNetwork { host, left, error } => no_network(f, host, *left, error),
            Self::DiskFull { host, disk } => disk_full(f, host, disk),
            Self::Maintenance { host } => in_maintenance(f, host),
            Self::Paused { variant, record } => write!(
                f,
                "record {record} of `{variant}` is paused at GitLab by a person; hint: resume it there"
            ),
            Self::AnotherAutogit { variant, record, left } => beside(f, variant, *record, *left),
            Self::ForeignRecord { variant, record } => write!(
                f,
                "record {record} stands under the name of `{variant}` and is of none of our hosts: another installation made it, or the engine was reinstalled since; hint: set `instance:` to a name of your own, or delete the record if it was made here"
            ),
        }
    }
}

fn in_maintenance(f: &mut fmt::Formatter<'_>, host: &HostName) -> fmt::Result {
    let hint = "hint: set its `maintenance` to false when that is over";
    write!(f, "host `{host}` is in maintenance; {hint}")
}

fn unclaimed(f: &mut fmt::Formatter<'_>, times: u32, left: SignedDuration) -> fmt::Result {
    write!(
        f,
        "fitting runners were idle and GitLab did not give it to them ({times}×); checked again in {}",
        brief(left)
    )
}

fn beside(
    f: &mut fmt::Formatter<'_>,
    variant: &Variant,
    record: RecordId,
    left: SignedDuration,
) -> fmt::Result {
    write!(
        f,
        "another AutoGit of this instance made record {record} for `{variant}`, whose token is not available here; checked again in {}, unless a container shows it before; hint: stop one of the two, or give one another `instance`",
        brief(left)
    )
}

fn no_image(
    f: &mut fmt::Formatter<'_>,
    host: &HostName,
    image: &str,
    found: Option<Arch>,
) -> fmt::Result {
    match found {
        None => write!(f, "host `{host}` has no image `{image}`")?,
        Some(arch) => write!(f, "host `{host}` has image `{image}` for {arch} only")?,
    }
    f.write_str(", and `pull_policy` is `never`; hint: pull it there, or correct `runner_image`")
}

fn disk_full(f: &mut fmt::Formatter<'_>, host: &HostName, disk: &DiskRoom) -> fmt::Result {
    let said = disk_words(disk);
    write!(
        f,
        "the disk of host `{host}` is full: {said}; hint: `docker system df -v` shows what takes it; raise `budget.disk` of the host, or lower `max` of pools that keep caches"
    )
}

fn no_network(
    f: &mut fmt::Formatter<'_>,
    host: &HostName,
    left: SignedDuration,
    error: &str,
) -> fmt::Result {
    let left = brief(left);
    write!(f, "host `{host}` has no network for runners, and it is tried again in {left}: {error}")
}

fn no_pool_matches(f: &mut fmt::Formatter<'_>, missing: &BTreeSet<String>) -> fmt::Result {
    if missing.is_empty() {
        return f.write_str("the job has no tags and no pool takes such jobs");
    }
    let tags: Vec<String> = missing.iter().map(|tag| format!("`{tag}`")).collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    write!(f, "no pool has tag{plural} {}", tags.join(", "))
}

fn no_pool_hint(
    f: &mut fmt::Formatter<'_>,
    missing: &BTreeSet<String>,
    meant: Option<&str>,
) -> fmt::Result {
    match meant {
        _ if missing.is_empty() => f.write_str("; hint: set `run_untagged` on a pool"),
        Some(meant) => write!(f, "; hint: GitLab tells letter case apart, a pool has `{meant}`"),
        None => f.write_str("; hint: add to a pool, or correct the job's tags"),
    }
}

/// Nobody has to do anything, so there is no hint.
fn other_runner(
    f: &mut fmt::Formatter<'_>,
    misfit: &JobHold,
    runner: Option<&OtherRunner>,
) -> fmt::Result {
    if let JobHold::NoPoolMatches { missing, .. } = misfit {
        no_pool_matches(f, missing)?;
    } else {
        fmt::Display::fmt(misfit, f)?;
    }
    match runner {
        None => f.write_str("; `gitlab.unmatched: ignore` leaves it to runners of others"),
        Some(OtherRunner { id, name, .. }) if name.is_empty() => {
            write!(f, "; runner {id} of GitLab may take it")
        }
        Some(OtherRunner { id, name, .. }) => {
            write!(f, "; runner {id} `{name}` of GitLab may take it")
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runners(1) => f.write_str("it may have 1 runner"),
            Self::Runners(most) => write!(f, "it may have {most} runners"),
            Self::Cpus(free) => write!(f, "{free} cpus are free"),
            Self::Memory(free) => write!(f, "{} MiB of memory are free", free / (1024 * 1024)),
            Self::Gpus(busy) => busy.fmt(f),
            Self::NoGpu(none) => none.fmt(f),
            Self::Kept => f.write_str("the next is for a job that GitLab would drop soon"),
            Self::Qemu => f.write_str(
                "no host that takes the pool has its architecture or runs it through QEMU; hint: register that there, as with `docker run --privileged --rm tonistiigi/binfmt --install all`, and declare it by `emulates` of a host on which AutoGit does not run",
            ),
            Self::Architecture => f.write_str("no host that takes the pool has its architecture"),
        }
    }
}
