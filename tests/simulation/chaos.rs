//! Which faults strike, each kind from a generator of its own: to leave one kind out does not
//! change what the others draw.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use autogit::sandbox::rng::Rng;

macro_rules! kinds {
    ($($name:ident $word:literal,)*) => {
        /// A kind of fault, or of a hand's work.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($name,)* }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    // Of a request to GitLab.
    GitlabUnreachable "gitlab-unreachable",
    GitlabTimesOut "gitlab-times-out",
    GitlabAnswerLost "gitlab-answer-lost",
    GitlabSlow "gitlab-slow",
    GitlabFails "gitlab-fails",
    GitlabWebPage "gitlab-web-page",
    GitlabEmptyBody "gitlab-empty-body",
    GitlabLimits "gitlab-limits",
    GitlabRedirects "gitlab-redirects",
    GitlabStale "gitlab-stale",
    PageShifts "page-shifts",
    PagingDropped "paging-dropped",
    ListLags "list-lags",
    GitlabNormalises "gitlab-normalises",
    // Of a call to an engine.
    EngineUnreachable "engine-unreachable",
    EngineRefuses "engine-refuses",
    EngineTimesOut "engine-times-out",
    EngineAnswerLost "engine-answer-lost",
    EngineSlow "engine-slow",
    ListPartial "list-partial",
    RemovalHangs "removal-hangs",
    // Of a runner's request to GitLab.
    RunnerCutOff "runner-cut-off",
    // Of AutoGit itself.
    Crash "crash",
    CrashBeforeCall "crash-before-call",
    CrashAfterCall "crash-after-call",
    ClockJumps "clock-jumps",
    WokenEarly "woken-early",
    // Of the world.
    GitlabDown "gitlab-down",
    GitlabDrips "gitlab-drips",
    GitlabClock "gitlab-clock",
    HostDown "host-down",
    HostClock "host-clock",
    EngineRestarts "engine-restarts",
    ImageGone "image-gone",
    ImagePruned "image-pruned",
    RunnerUnlisted "runner-unlisted",
    RunnerOdd "runner-odd",
    RunnerDies "runner-dies",
    RunnerHangs "runner-hangs",
    RunnerDeaf "runner-deaf",
    RunnerNeverConnects "runner-never-connects",
    JobWithheld "job-withheld",
    // Of people.
    RunnerRemoved "runner-removed",
    RunnerRenamed "runner-renamed",
    RunnerPaused "runner-paused",
    JobCancelled "job-cancelled",
    QueueFlooded "queue-flooded",
    JobContainerRemoved "job-container-removed",
    PlaceMoved "place-moved",
    RecordLent "record-lent",
    RecordDeleted "record-deleted",
    RecordPaused "record-paused",
    RecordRetagged "record-retagged",
    RecordTokenReset "record-token-reset",
    TokenRevoked "token-revoked",
    SpecEdited "spec-edited",
    SpecBroken "spec-broken",
    HostMaintained "host-maintained",
}

impl Kind {
    /// Its own generator, which no kind that is added or left out changes.
    pub(crate) fn rng(self, seed: u64) -> Rng {
        let word = self.as_str().bytes();
        // FNV-1a.
        let hash = word.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Rng::new(seed ^ hash)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Draws what strikes.
#[derive(Debug)]
pub(crate) struct Chaos(Mutex<State>);

#[derive(Debug)]
struct State {
    active: bool,
    /// In a thousand.
    rates: BTreeMap<Kind, u64>,
    rng: BTreeMap<Kind, Rng>,
}

impl Chaos {
    /// Faults of these rates, once [`Chaos::set_active`].
    pub(crate) fn new(seed: u64, rates: BTreeMap<Kind, u64>) -> Self {
        let rng = Kind::ALL.iter().map(|kind| (*kind, kind.rng(seed))).collect();
        Self(Mutex::new(State { active: false, rates, rng }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_active(&self, active: bool) {
        self.state().active = active;
    }

    /// Whether that kind strikes at all in this history.
    pub(crate) fn may_strike(&self, kind: Kind) -> bool {
        self.state().rates.contains_key(&kind)
    }

    /// Whether that kind strikes here and now.
    pub(crate) fn strikes(&self, kind: Kind) -> bool {
        let mut state = self.state();
        let rate = state.rates.get(&kind).copied().unwrap_or(0);
        state.active && rate > 0 && state.rng.get_mut(&kind).unwrap().below(1000) < rate
    }

    /// A number below `limit`, from that kind's generator.
    pub(crate) fn below(&self, kind: Kind, limit: u64) -> u64 {
        self.state().rng.get_mut(&kind).unwrap().below(limit)
    }

    /// One of `choices`, by that kind's generator.
    pub(crate) fn pick<T: Clone>(&self, kind: Kind, choices: &[T]) -> Option<T> {
        self.state().rng.get_mut(&kind).unwrap().pick(choices).cloned()
    }
}
