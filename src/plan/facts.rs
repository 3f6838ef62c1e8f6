//! The numbers behind a decision, typed; they are put into words late.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::{HostChoice, KeptImageReason, RecordReason};
use crate::duration::signed;
use crate::spec::Arch;
use crate::world::{Cause, DiskRoom, Trouble, Unfit, Variant};

/// The numbers behind a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// Why a record is made.
    Record {
        /// In words.
        reason: RecordReason,
    },
    /// GitLab was not asked yet about a pool's own token.
    Unverified,
    /// What differs between a record and the spec.
    Drift {
        /// The settings that differ.
        settings: Vec<&'static str>,
    },
    /// A runner image that a host lacks.
    ImageMissing {
        /// The image.
        image: String,
        /// The architecture of what is there under its name.
        found: Option<Arch>,
    },
    /// An image of jobs that is not ready on a host.
    ImageKept {
        /// The image.
        image: String,
        /// Why it is pulled.
        why: KeptImageReason,
    },
    /// A runner that ended.
    Exited {
        /// With which code.
        code: i64,
        /// How long ago.
        ago: SignedDuration,
        /// The kernel ended it for want of memory.
        oom_killed: bool,
    },
    /// A container that never ran.
    Unstarted,
    /// A runner whose container was removed while it had a job.
    Vanished {
        /// How long ago.
        ago: SignedDuration,
    },
    /// A runner that an operator asked to exit.
    Asked {
        /// It has a job.
        busy: bool,
    },
    /// Why a runner is not asked for.
    Orphan {
        /// In words.
        reason: &'static str,
        /// It has a job.
        busy: bool,
    },
    /// A runner without contact.
    NoContact {
        /// How long it runs.
        running: SignedDuration,
        /// How long it may take.
        startup_timeout: Duration,
        /// What its log says is wrong.
        trouble: Option<Trouble>,
    },
    /// A runner that is of no use to us.
    Unfit {
        /// Why, and what to do.
        unfit: Unfit,
    },
    /// Jobs against runners.
    Demand {
        /// Pending jobs that the variant serves.
        pending: u32,
        /// Its idle runners.
        idle: u32,
        /// Its starting runners.
        starting: u32,
        /// Runners that this plan starts for them.
        start: u32,
        /// The pool's maximum.
        max: u32,
        /// Why the runner goes to its host.
        choice: Option<HostChoice>,
    },
    /// Idle runners kept beyond the demand.
    Warm {
        /// How many are asked for.
        warm: u32,
        /// How many there are beyond the demand.
        spare: u32,
        /// Why the runner goes to its host.
        choice: Option<HostChoice>,
    },
    /// An idle runner beyond the demand.
    Idle {
        /// How long it is idle.
        idle: SignedDuration,
        /// How long it may be.
        cooldown: Duration,
        /// How many are kept warm.
        warm: u32,
    },
    /// An idle runner whose room a job waits for.
    Room {
        /// How long it is idle.
        idle: SignedDuration,
        /// What would serve the job.
        variant: Variant,
    },
    /// A runner whose room a job waits for that GitLab would drop soon.
    Urgent {
        /// What would serve the job.
        variant: Variant,
        /// When GitLab drops it.
        dropped_in: SignedDuration,
        /// The runner has a job.
        busy: bool,
    },
    /// More runners than the pool may have.
    OverMax {
        /// Live runners.
        live: u32,
        /// The maximum.
        max: u32,
        /// It has a job.
        busy: bool,
    },
    /// A runner made from an older spec.
    Changed {
        /// It has a job.
        busy: bool,
    },
    /// A network that runners need.
    NetworkMissing {
        /// Its name.
        network: String,
    },
    /// Something left over, twice seen.
    Leftover {
        /// What, in words.
        what: String,
    },
    /// A cache without a runner, on a disk that is nearly full.
    DiskRoom {
        /// The volume.
        volume: String,
        /// What it takes.
        bytes: u64,
        /// For how long its slot was not used, where that is known.
        unused: Option<SignedDuration>,
        /// What is used of the disk, and what may be.
        disk: DiskRoom,
    },
}

impl fmt::Display for RecordReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it has none",
            Self::TokenLost => {
                "its token is lost; the new one takes over, the old one goes when no runner uses it"
            }
            Self::ScopeChanged => "its scope changed; the new one takes over",
            Self::TokenEndsSoon => "its token ends soon; the new one takes over",
        })
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { reason } => reason.fmt(f),
            Self::Unverified => {
                f.write_str("GitLab was not asked yet whether it takes the pool's `runner_token`")
            }
            Self::Drift { settings } => write!(f, "differs in {}", settings.join(", ")),
            Self::Exited { code, ago, oom_killed } => {
                write!(f, "exited {code}, {} ago", brief(*ago))?;
                if *oom_killed { f.write_str(", out of memory") } else { Ok(()) }
            }
            Self::Unstarted => f.write_str("created and never started"),
            Self::Vanished { ago } => {
                write!(f, "its container was removed {} ago, with its job", brief(*ago))
            }
            Self::Asked { busy } => write!(f, "an operator asked for it{}", its_job_first(*busy)),
            Self::Orphan { reason, busy } => write!(f, "{reason}{}", its_job_first(*busy)),
            Self::Unfit { unfit } => unfit.fmt(f),
            Self::NoContact { running, startup_timeout, trouble } => {
                let (running, limit) = (brief(*running), brief_std(*startup_timeout));
                write!(f, "runs {running} without contact to GitLab; startup_timeout {limit}")?;
                trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
            }
            Self::Demand { pending, idle, starting, start, max, choice } => {
                write!(
                    f,
                    "{pending} waiting, {idle} idle, {starting} starting → {start} more; max {max}"
                )?;
                choice.as_ref().map_or(Ok(()), |choice| choice.fmt(f))
            }
            Self::Warm { warm, spare, choice } => {
                write!(f, "warm {warm}, {spare} beyond the demand")?;
                choice.as_ref().map_or(Ok(()), |choice| choice.fmt(f))
            }
            Self::Idle { idle, cooldown, warm } => {
                write!(f, "idle {}, cooldown {}, warm {warm}", brief(*idle), brief_std(*cooldown))
            }
            Self::Room { idle, variant } => {
                write!(f, "idle {}; a job for `{variant}` waits for its room", brief(*idle))
            }
            Self::Urgent { variant, dropped_in, busy } => write!(
                f,
                "a job for `{variant}` waits for its room, and GitLab drops it in {}{}",
                brief(*dropped_in),
                its_job_first(*busy)
            ),
            Self::OverMax { live, max, busy } => {
                write!(f, "{live} live, max {max}{}", its_job_first(*busy))
            }
            Self::Changed { busy } => write!(f, "made from an older spec{}", its_job_first(*busy)),
            Self::ImageMissing { image, found } => match found {
                None => write!(f, "`{image}` is missing"),
                Some(arch) => write!(f, "`{image}` is there for {arch} only"),
            },
            Self::ImageKept { image, why } => write!(f, "`{image}` {why}"),
            Self::NetworkMissing { network } => write!(f, "`{network}` does not exist"),
            Self::Leftover { what } => f.write_str(what),
            Self::DiskRoom { volume, bytes, unused, disk } => {
                disk_room(f, volume, *bytes, *unused, disk)
            }
        }
    }
}

fn disk_room(
    f: &mut fmt::Formatter<'_>,
    volume: &str,
    bytes: u64,
    unused: Option<SignedDuration>,
    disk: &DiskRoom,
) -> fmt::Result {
    write!(f, "cache {volume} takes {}", size(bytes))?;
    if let Some(unused) = unused {
        write!(f, ", not used for {}", brief(unused))?;
    }
    write!(f, "; {}", disk_words(disk))
}

/// `93.0GiB of 100.0GiB are used`, `9.0GiB are free, and 10.0GiB have to stay so`
pub(super) fn disk_words(disk: &DiskRoom) -> String {
    let DiskRoom { used, most, free, least } = disk;
    let used = most.map(|most| format!("{} of {} are used", size(*used), size(most)));
    let free = free.zip(*least).map(|(free, least)| {
        format!("{} are free, and {} have to stay so", size(free), size(least))
    });
    used.into_iter().chain(free).collect::<Vec<_>>().join("; ")
}

/// `1.5GiB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes}B"),
        |(name, unit)| {
            let tenths = bytes / (unit / 10);
            format!("{}.{}{name}", tenths / 10, tenths % 10)
        },
    )
}

/// No job ends by a drain, and whoever reads of one should know.
fn its_job_first(busy: bool) -> &'static str {
    if busy { "; finishes its job first" } else { "" }
}

impl Facts {
    /// What kind of failure of its variant a failed runner with these facts is.
    pub(crate) fn cause_of_failure(&self) -> Cause {
        if matches!(self, Self::Unfit { .. }) { Cause::Unfit } else { Cause::Runner }
    }
}

/// `10m40s`: the two largest units.
pub(crate) fn brief(duration: SignedDuration) -> String {
    let secs = duration.as_secs().max(0);
    let (days, hours, mins) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, mins) {
        (0, 0, 0) => format!("{secs}s"),
        (0, 0, _) if secs % 60 == 0 => format!("{mins}m"),
        (0, 0, _) => format!("{mins}m{:02}s", secs % 60),
        (0, _, _) => format!("{hours}h{mins:02}m"),
        (_, _, _) => format!("{days}d{hours:02}h"),
    }
}

fn brief_std(duration: Duration) -> String {
    brief(signed(duration))
}
