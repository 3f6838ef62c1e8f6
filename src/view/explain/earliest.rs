//! When a job may start at the earliest, and by when what it waits for is over.

use jiff::{SignedDuration, Timestamp};

use super::AsOf;
use crate::duration::signed;
use crate::plan::{JobHold, Lack, brief};
use crate::spec::{HostName, PoolName};
use crate::view::queue::Waiting;
use crate::world::{Phase, RunnerView};

/// Busy runners named in a reason at most.
const NAMED_MAX: usize = 3;

/// When a job may start.
pub(super) struct Earliest {
    /// In words.
    pub(super) words: String,
    /// What it waits for is over by then; none where that is not known.
    pub(super) by: Option<Timestamp>,
}

impl Earliest {
    fn unbounded(words: impl Into<String>) -> Self {
        Self { words: words.into(), by: None }
    }
}

impl AsOf<'_> {
    pub(super) fn earliest(&self, found: Waiting<'_>, runners: &[RunnerView<'_>]) -> Earliest {
        let after = |left: SignedDuration| self.now().checked_add(left).ok();
        match found.hold.map(|hold| hold.later(self.view_age())).as_deref() {
            None => Earliest::unbounded("within seconds of a runner asking GitLab for a job"),
            Some(JobHold::Starting { variant, .. }) => self.in_contact(&variant.pool),
            Some(JobHold::PoolAtMax { pool, .. }) => {
                self.ends(runners, |view| view.runner.variant.pool == *pool)
            }
            Some(JobHold::HostBudget { host, lacks: Lack::Gpus(_) }) => {
                let has_gpus =
                    |view: &RunnerView<'_>| !self.world.cost_of(view.runner).gpus.is_empty();
                self.ends(runners, |view| view.host == host && has_gpus(view))
            }
            Some(JobHold::HostBudget { host, .. }) => self.ends(runners, |view| view.host == host),
            Some(JobHold::StartRate { .. }) => self.next_start(),
            Some(
                JobHold::BackingOff { left, .. }
                | JobHold::NoNetwork { left, .. }
                | JobHold::Unclaimed { left, .. },
            ) => Earliest { words: format!("checked again in {}", brief(*left)), by: after(*left) },
            Some(JobHold::OtherRunner { .. }) => {
                Earliest::unbounded("when a runner of others takes it")
            }
            Some(JobHold::AnotherAutogit { left, .. }) => Earliest {
                words: format!(
                    "when a container shows that record's token, or in {}",
                    brief(*left)
                ),
                by: after(*left),
            },
            Some(JobHold::Paused { .. }) => Earliest::unbounded("when a person resumes it"),
            Some(JobHold::Maintenance { .. }) => {
                Earliest::unbounded("when the maintenance is over")
            }
            Some(JobHold::ImagePull { host, image }) => self.pulled(host, image),
            Some(JobHold::NoImage { .. }) => {
                Earliest::unbounded("when a person brings the image: it is never pulled")
            }
            Some(JobHold::DiskFull { .. }) => {
                Earliest::unbounded("when that disk has room again; by when is not known")
            }
            Some(JobHold::Unseen { .. } | JobHold::ScopeUnresolved { .. }) => {
                Earliest::unbounded("when that can be read again; by when is not known")
            }
            Some(
                JobHold::NoPoolMatches { .. }
                | JobHold::Protected { .. }
                | JobHold::Scope { .. }
                | JobHold::SwitchedOff { .. }
                | JobHold::Disabled { .. }
                | JobHold::ForeignRecord { .. },
            ) => Earliest::unbounded("never, unless the spec or the job changes"),
        }
    }

    fn in_contact(&self, pool: &PoolName) -> Earliest {
        let pool = self.world.spec.pool(pool);
        let limit = pool.map(|pool| signed(pool.startup_timeout));
        let words = limit.map(|limit| format!(", within {}", brief(limit)));
        let words = words.unwrap_or_default();
        Earliest::unbounded(format!("when that runner is in contact{words}"))
    }

    fn next_start(&self) -> Earliest {
        let minute = SignedDuration::from_mins(1);
        let oldest = self.world.memory.starts_of_the_minute().min();
        let free = oldest.and_then(|at| at.checked_add(minute).ok());
        let free = free.unwrap_or(self.world.now);
        let words = format!("a runner may be started in {}", self.left(free));
        Earliest { words, by: Some(free) }
    }

    fn pulled(&self, host: &HostName, image: &str) -> Earliest {
        let brake = self.world.pulling_waits_until(host, image);
        match brake.filter(|until| *until > self.world.now) {
            Some(until) => Earliest::unbounded(format!(
                "when the image is there: its pull failed, and is tried again in {}",
                self.left(until)
            )),
            None => {
                Earliest::unbounded("when the image is there; how long its pull takes is not known")
            }
        }
    }

    /// When one of those that hold the room ends. GitLab ends a job that takes longer than its record
    /// allows, whatever its project says; what the project allows is not known here.
    fn ends(
        &self,
        runners: &[RunnerView<'_>],
        concerns: impl Fn(&RunnerView<'_>) -> bool,
    ) -> Earliest {
        let busy: Vec<&RunnerView<'_>> = runners.iter().filter(|view| concerns(view)).collect();
        let words = self.busy_words(&busy);
        if words.is_empty() {
            return Earliest::unbounded("when a runner is gone");
        }
        let bound = |view: &&RunnerView<'_>| {
            let limit = self.world.spec.pool(&view.runner.variant.pool)?.maximum_timeout?;
            let began = matches!(view.phase, Phase::Busy { .. }).then(|| self.since(view))??;
            began.checked_add(signed(limit)).ok()
        };
        let by = busy.iter().filter_map(bound).min();
        let by_words = match by {
            Some(at) if at <= self.now() => "; by `maximum_timeout` it is over".to_owned(),
            Some(at) => format!("; in {} at the latest, by `maximum_timeout`", self.left(at)),
            None => "; by when is not known, for no `maximum_timeout` bounds it".to_owned(),
        };
        Earliest { words: format!("when a job ends: {words}{by_words}"), by }
    }

    /// Who is busy, with what and for how long.
    pub(super) fn busy_words(&self, runners: &[&RunnerView<'_>]) -> String {
        let busy = runners.iter().filter(|view| matches!(view.phase, Phase::Busy { .. }));
        let words: Vec<String> = busy
            .map(|view| {
                let job = if let Phase::Busy { job: Some(job) } = view.phase {
                    format!("job {job}")
                } else {
                    "a job".to_owned()
                };
                let since = self.since(view);
                let long = since.map(|at| format!(" for {}", self.lasting(at)));
                format!("{} runs {job}{}", view.runner.name, long.unwrap_or_default())
            })
            .collect();
        let more = words.len().saturating_sub(NAMED_MAX);
        let named = words.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{named}, and {more} more") } else { named }
    }
}
