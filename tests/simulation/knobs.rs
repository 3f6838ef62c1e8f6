//! What one seed draws: the world, the load, and how often what fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use autogit::sandbox::rng::Rng;
use jiff::SignedDuration;

use crate::chaos::Kind;
use crate::harness::IMAGES;

const BOTH: &[&str] = &["alpha", "beta"];

/// A history before it happens.
#[derive(Debug, Clone)]
pub(crate) struct Knobs {
    pub(crate) seed: u64,
    /// In a thousand, by kind.
    pub(crate) rates: BTreeMap<Kind, u64>,
    /// How long things fail.
    pub(crate) fault_secs: u64,
    /// How many jobs come in that time.
    pub(crate) jobs: u64,
    /// What a page of a list holds.
    pub(crate) page_size: Option<u64>,
    /// A second AutoGit runs under the same name.
    pub(crate) twins: bool,
    /// How far the clocks of GitLab and of the hosts are ahead from the beginning.
    pub(crate) skews: [SignedDuration; 2],
    pub(crate) hosts: &'static [&'static str],
    /// How long runner tokens are valid.
    pub(crate) token_lifetime: Option<SignedDuration>,
    pub(crate) frame: Frame,
    pub(crate) pools: Vec<PoolKnobs>,
}

/// What of the file is the same all the time.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// How many runners each host may have.
    pub(crate) budget: u64,
    /// How many cpus each host may spend; none: what it has, and no pool asks for any.
    pub(crate) cpus: Option<u64>,
    /// The host that is in maintenance.
    pub(crate) maintenance: Option<&'static str>,
    /// Lost jobs are queued again.
    pub(crate) retry: bool,
    /// The runners' image.
    pub(crate) image: &'static str,
}

/// A pool as it stands in the file.
#[derive(Debug, Clone)]
pub(crate) struct PoolKnobs {
    pub(crate) name: &'static str,
    pub(crate) tags: Vec<&'static str>,
    pub(crate) untagged: bool,
    pub(crate) max: u64,
    pub(crate) warm: u64,
    pub(crate) cooldown: u64,
    pub(crate) jobs_per_runner: u64,
    pub(crate) discard: bool,
    pub(crate) enabled: bool,
    /// Whose jobs, as it stands in the file; none: everyone's.
    pub(crate) scope: Option<&'static str>,
    pub(crate) image: &'static str,
    /// What a job may use, in thousandths of a cpu.
    pub(crate) cpus: Option<u64>,
}

/// What a kind's rate is at most, in a thousand: of the calls it may strike, else of the seconds.
fn most(kind: Kind) -> u64 {
    match kind {
        Kind::GitlabUnreachable
        | Kind::GitlabTimesOut
        | Kind::GitlabAnswerLost
        | Kind::GitlabFails
        | Kind::GitlabWebPage
        | Kind::GitlabEmptyBody
        | Kind::GitlabRedirects
        | Kind::GitlabStale
        | Kind::ListLags
        | Kind::EngineUnreachable
        | Kind::EngineRefuses
        | Kind::EngineTimesOut
        | Kind::EngineAnswerLost
        | Kind::ListPartial
        | Kind::RunnerCutOff => 60,
        Kind::GitlabSlow | Kind::EngineSlow | Kind::RunnerNeverConnects => 100,
        Kind::PageShifts
        | Kind::WokenEarly
        | Kind::PagingDropped
        | Kind::GitlabNormalises
        | Kind::RemovalHangs => 300,
        Kind::CrashBeforeCall | Kind::CrashAfterCall => 8,
        Kind::RunnerDies | Kind::RunnerHangs | Kind::RunnerPaused | Kind::SpecEdited => 20,
        Kind::GitlabLimits
        | Kind::ImagePruned
        | Kind::JobWithheld
        | Kind::Crash
        | Kind::RunnerRenamed
        | Kind::JobCancelled
        | Kind::JobContainerRemoved
        | Kind::RunnerUnlisted
        | Kind::RunnerOdd
        | Kind::RunnerDeaf
        | Kind::QueueFlooded
        | Kind::SpecBroken
        | Kind::HostMaintained => 10,
        Kind::RunnerRemoved
        | Kind::PlaceMoved
        | Kind::RecordLent
        | Kind::RecordDeleted
        | Kind::RecordPaused
        | Kind::RecordRetagged
        | Kind::RecordTokenReset
        | Kind::GitlabDown
        | Kind::GitlabDrips
        | Kind::HostDown
        | Kind::ClockJumps => 6,
        Kind::GitlabClock
        | Kind::HostClock
        | Kind::EngineRestarts
        | Kind::ImageGone
        | Kind::TokenRevoked => 3,
    }
}

impl Knobs {
    /// Those of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        // One in five is calm, one in five violent; of the others each has its own few kinds.
        let temper = rng.below(5);
        let mut rates = BTreeMap::new();
        for kind in Kind::ALL {
            // Not the generator with which it strikes.
            let mut its = kind.rng(!seed);
            let (struck, rate) = (its.below(10), 1 + its.below(most(*kind)));
            let strikes = match temper {
                0 => struck < 1,
                4 => struck < 8,
                _ => struck < 4,
            };
            if strikes {
                rates.insert(*kind, rate);
            }
        }
        let fault_secs = 60 + rng.below(if temper == 4 { 1_200 } else { 600 });
        Self {
            seed,
            rates,
            fault_secs,
            jobs: rng.below(30),
            page_size: *rng.pick(&[None, Some(3), Some(5)]).unwrap(),
            twins: rng.below(8) == 0,
            skews: skews(seed),
            hosts: rng.pick(&[&BOTH[..1], BOTH]).unwrap(),
            token_lifetime: token_lifetime(seed),
            frame: frame(seed),
            pools: with_resources(seed, with_scopes(seed, pools(&mut rng))),
        }
    }

    /// What can be left out, in words.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        let kinds = self.rates.keys().map(|kind| kind.as_str());
        ["twins", "more-hosts", "small-pages", "skews", "jobs", "token-lifetime", "scopes"]
            .into_iter()
            .chain(kinds)
            .collect()
    }

    /// The same without these.
    pub(crate) fn without(&self, left_out: &BTreeSet<&'static str>) -> Self {
        let mut knobs = self.clone();
        knobs.rates.retain(|kind, _| !left_out.contains(kind.as_str()));
        knobs.twins &= !left_out.contains("twins");
        if left_out.contains("more-hosts") {
            knobs.hosts = &BOTH[..1];
        }
        if left_out.contains("small-pages") {
            knobs.page_size = None;
        }
        if left_out.contains("skews") {
            knobs.skews = Default::default();
        }
        if left_out.contains("jobs") {
            knobs.jobs = 0;
        }
        if left_out.contains("scopes") {
            knobs.pools.iter_mut().for_each(|pool| pool.scope = None);
        }
        if left_out.contains("token-lifetime") {
            knobs.token_lifetime = None;
        }
        knobs
    }

    /// The same, with faults for so long.
    pub(crate) fn lasting(&self, fault_secs: u64) -> Self {
        Self { fault_secs, ..self.clone() }
    }

    /// `autogit.yaml`.
    pub(crate) fn text(&self) -> String {
        text(&self.frame, &self.pools)
    }
}

fn skews(seed: u64) -> [SignedDuration; 2] {
    let mut rng = Rng::new(seed ^ 0xc10c);
    [(); 2].map(|()| match rng.below(2) {
        0 => SignedDuration::ZERO,
        _ => SignedDuration::from_secs(i64::try_from(rng.below(1_800)).unwrap() - 900),
    })
}

fn token_lifetime(seed: u64) -> Option<SignedDuration> {
    let mut rng = Rng::new(seed ^ 0x70ce);
    let minutes = 15 + i64::try_from(rng.below(30)).unwrap();
    (rng.below(4) == 0).then(|| SignedDuration::from_mins(minutes))
}

fn frame(seed: u64) -> Frame {
    let mut rng = Rng::new(seed ^ 0xb0d6);
    let (budget, retry) = (2 + rng.below(5), rng.below(3) == 0);
    let (cpus, maintenance) = (cpus(seed), None);
    Frame { budget, cpus, maintenance, retry, image: rng.pick(&IMAGES).unwrap() }
}

/// One file in four says what jobs may use, and what the hosts may spend.
fn cpus(seed: u64) -> Option<u64> {
    let mut rng = Rng::new(seed ^ 0xc905);
    (rng.below(4) == 0).then(|| 2 + rng.below(3))
}

/// Less than any host may spend.
pub(crate) const POOL_CPUS: &[Option<u64>] =
    &[None, Some(100), Some(500), Some(700), Some(1_500), Some(2_000)];

fn with_resources(seed: u64, mut pools: Vec<PoolKnobs>) -> Vec<PoolKnobs> {
    let mut rng = Rng::new(seed ^ 0x9e50);
    for pool in pools.iter_mut().filter(|_| cpus(seed).is_some()) {
        pool.cpus = *rng.pick(POOL_CPUS).unwrap();
    }
    pools
}

fn pools(rng: &mut Rng) -> Vec<PoolKnobs> {
    let mut pools = vec![drawn(rng, "linux", vec!["docker"])];
    for (name, tags) in [("build", vec!["docker", "build"]), ("docs", vec!["docs"])] {
        if rng.below(3) > 0 {
            pools.push(drawn(rng, name, tags));
        }
    }
    pools
}

/// The same groups and projects, as people write them.
const SCOPES: &[&str] = &[
    "{group: team}",
    "{group: Team}",
    "{group: INFRA}",
    "{group: \"11\"}",
    "{project: Team/App}",
    "{project: team/site}",
    "{project: \"103\"}",
];

/// One pool in four takes the jobs of some projects only.
fn with_scopes(seed: u64, mut pools: Vec<PoolKnobs>) -> Vec<PoolKnobs> {
    let mut rng = Rng::new(seed ^ 0x5c09e);
    for pool in &mut pools {
        let scoped = rng.below(4) == 0;
        pool.scope = rng.pick(SCOPES).copied().filter(|_| scoped);
    }
    pools
}

/// A pool of any kind.
pub(crate) fn drawn(rng: &mut Rng, name: &'static str, tags: Vec<&'static str>) -> PoolKnobs {
    let max = 1 + rng.below(4);
    PoolKnobs {
        name,
        tags,
        untagged: rng.below(4) == 0,
        max,
        warm: if rng.below(2) == 0 { 0 } else { rng.below(max.min(2) + 1) },
        cooldown: *rng.pick(&[0, 5, 30, 60, 180]).unwrap(),
        jobs_per_runner: *rng.pick(&[0, 0, 0, 1]).unwrap(),
        discard: rng.below(3) == 0,
        enabled: true,
        scope: None,
        image: "alpine:3",
        cpus: None,
    }
}

/// `autogit.yaml` of these pools.
pub(crate) fn text(frame: &Frame, pools: &[PoolKnobs]) -> String {
    let (budget, lost) = (frame.budget, if frame.retry { "retry" } else { "report" });
    let cpus = frame.cpus.map(|cpus| format!(", cpus: {cpus}")).unwrap_or_default();
    let mut text = "gitlab: {url: http://gitlab.sim, token: glpat-of-the-spec}\n\
                    starts_per_minute: 4\nhosts:\n"
        .to_owned();
    for host in BOTH {
        let maintenance = frame.maintenance == Some(host);
        let _ = writeln!(
            text,
            "  {host}: {{docker: unix:///run/{host}.sock, maintenance: {maintenance}, \
             budget: {{runners: {budget}{cpus}}}}}",
        );
    }
    let _ = writeln!(text, "defaults: {{runner_image: \"{}\"}}\npools:", frame.image);
    for pool in pools {
        let tags = if pool.untagged {
            format!("tags: [{}], run_untagged: true", pool.tags.join(", "))
        } else {
            format!("tags: [{}]", pool.tags.join(", "))
        };
        let _ = writeln!(
            text,
            "  {}: {{{tags}, max: {}, warm: {}, cooldown: {}s, jobs_per_runner: {}, cache: {}, \
             lost_jobs: {lost}, enabled: {}, scope: {}, job: {{image: \"{}\"}}{}}}",
            pool.name,
            pool.max,
            pool.warm,
            pool.cooldown,
            pool.jobs_per_runner,
            if pool.discard { "discard" } else { "keep" },
            pool.enabled,
            pool.scope.unwrap_or("instance"),
            pool.image,
            resources(pool.cpus),
        );
    }
    text
}

fn resources(thousandths: Option<u64>) -> String {
    let Some(thousandths) = thousandths else { return String::new() };
    format!(", resources: {{cpus: {}.{:03}}}", thousandths / 1_000, thousandths % 1_000)
}
