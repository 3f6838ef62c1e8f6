//! Two `AutoGit`s of one instance that share no lock: each may take the other's records for left over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::invariants::Look;
use autogit::plan::{Action, JobHold};
use autogit::sandbox::gitlab::{RecordView, Status};
use autogit::sandbox::rng::Rng;
use autogit::world::{JobId, RecordId, Token};
use bytes::Bytes;
use http::Response;
use jiff::SignedDuration;
use serde_json::Value;

use crate::calm::{TWO_POOLS, spec_of};
use crate::chaos::Chaos;
use crate::harness::{Harness, Setup};
use crate::mutations::{LOWER_IS_NOT_AWAITED, Mutation};
use crate::process::{Attempt, Process};

/// How young a record is that its maker alone may delete; less what clocks are off.
const YOUNG: SignedDuration = SignedDuration::from_mins(9);

/// How far a clock may be off.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_secs(5);

/// It was told of a record that it made.
pub(crate) fn note_made(attempt: &Attempt, answer: &Response<Bytes>) {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if answer.status() == 201
        && let Some(id) = body["id"].as_u64()
    {
        attempt.note_record(RecordId(id));
    }
}

/// It asks GitLab to delete that record.
pub(crate) fn may_delete(harness: &Harness, attempt: &Attempt, id: RecordId) {
    let records = harness.gitlab().records();
    let Some(record) = records.iter().find(|record| record.id == id) else { return };
    let age = harness.clock().now().duration_since(record.created_at);
    let steady = harness.jumps() == 0 && !harness.recorder().gitlab_was_set;
    if steady && age < YOUNG && !attempt.has_made_record(id) {
        let sentence = "a record is deleted by who made it, or when it is ten minutes old";
        let how = format!("{} deletes record {id}, which is {} s old", attempt.name, age.as_secs());
        harness.break_promise("a_young_record_is_its_makers", sentence, how);
    }
}

/// It starts runners by that plan.
pub(crate) fn may_start(harness: &Harness, attempt: &Attempt, look: &Look<'_>) {
    let steady = look.steady && !harness.recorder().gitlab_was_set;
    if !steady || look.failed.records || look.failed.managers {
        return;
    }
    let decisions = look.view.plan.decisions.iter();
    let starts = decisions.filter_map(|decision| {
        let Action::Start { variant, .. } = &decision.action else { return None };
        Some(variant)
    });
    for variant in starts {
        let instance = &look.view.world.spec.instance;
        let name = format!("autogit/{instance}/{}-{}", variant.pool, variant.arch);
        let of_it = |record: &&RecordView| record.description == name;
        let of_it: Vec<&RecordView> = look.before.records.iter().filter(of_it).collect();
        let used = |record: &RecordView| {
            !record.managers.is_empty()
                || look.before.runners().any(|(_, it)| it.record == record.id)
        };
        let own = of_it.iter().filter(|record| attempt.has_made_record(record.id));
        let Some(own) = own.max_by_key(|record| record.id).filter(|own| !used(own)) else {
            continue;
        };
        // It may start with one whose token it found in a container.
        let world = &look.view.world;
        let pool = world.spec.pool(&variant.pool);
        let with = pool.and_then(|pool| world.current_record(variant, pool));
        if with.is_none_or(|with| with.id != own.id) {
            continue;
        }
        let awaited = of_it.iter().find(|record| {
            record.id < own.id
                && record.scope == own.scope
                && record.created_at.duration_since(attempt.began) > CLOCK_ERROR
                && look.before.at.duration_since(record.created_at) < YOUNG
                && !attempt.has_made_record(record.id)
                && !record.paused
                && record.token_expires_at.is_none()
                && !used(record)
                && sees_lost(look, record.id)
        });
        let unanswered = look.view.world.memory.own_records.unanswered.contains_key(variant);
        if let Some(awaited) = awaited.filter(|_| !unanswered) {
            let sentence = "of two records that were made at once the lower one serves";
            let how = format!("{} starts with {} beside {}", attempt.name, own.id, awaited.id);
            harness.break_promise("the_lower_record_wins", sentence, how);
        }
    }
}

/// It saw the record, and not its token.
fn sees_lost(look: &Look<'_>, id: RecordId) -> bool {
    let records = look.view.world.records.known().into_iter().flatten();
    records
        .into_iter()
        .any(|record| record.id == id && record.token == Token::Lost && record.unseen.is_none())
}

/// Seeds of an ordinary run.
const SEEDS: u64 = 6;

/// Two on one GitLab and one engine, one of which begins so much later than the other.
struct Two {
    harness: Harness,
    both: [Process; 2],
    _log: tracing::subscriber::DefaultGuard,
}

fn harness(seed: u64, mutation: Option<&'static Mutation>) -> Harness {
    Harness::new(Setup {
        seed,
        text: spec_of(TWO_POOLS),
        hosts: &["alpha"],
        spare: &[],
        chaos: Chaos::new(seed, BTreeMap::new()),
        page_size: None,
        mutation,
    })
}

impl Two {
    async fn begin(seed: u64, apart: Duration) -> Self {
        Self::begin_on(harness(seed, None), apart).await
    }

    async fn begin_on(harness: Harness, apart: Duration) -> Self {
        let log = harness.recorder().catch_log();
        harness.recorder().injected.twins = true;
        let first = Process::start(&harness, "one");
        harness.clock().sleep(apart).await;
        let second = Process::start(&harness, "another");
        Self { harness, both: [first, second], _log: log }
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.harness.clock().sleep(Duration::from_secs(1)).await;
            self.harness.check();
            let recorder = self.harness.recorder();
            if let Some(broken) = &recorder.broken {
                panic!("{broken}\n{}", recorder.lines.join("\n"));
            }
        }
    }

    fn told(&self) -> String {
        self.harness.recorder().lines.join("\n")
    }

    /// How many records were ever made for one of the pools, at most.
    fn records_made(&self) -> usize {
        let made = self.told().matches("POST /api/v4/user/runners: 201").count();
        made.div_ceil(2)
    }

    fn job(&self, tags: &[&str]) -> JobId {
        self.harness.job(tags, Duration::from_secs(20), false)
    }

    async fn until_succeeded(&self, job: JobId, within: u64) {
        for _ in 0..within {
            self.pass(1).await;
            if self.harness.gitlab().job(job).unwrap().status == Status::Success {
                return;
            }
        }
        panic!("job {job} did not succeed within {within} s\n{}", self.told());
    }

    /// Those of the two that say that there is another.
    fn know_of_another(&self) -> usize {
        let says = |process: &&Process| {
            let notices = process.view().map(|view| view.notices.clone()).unwrap_or_default();
            notices.iter().any(|notice| notice.starts_with("another AutoGit of this instance"))
        };
        self.both.iter().filter(says).count()
    }
}

/// Lets a history of two happen that share nothing but GitLab and an engine.
async fn two_without_a_lock(seed: u64) {
    let mut rng = Rng::new(seed);
    let apart = if rng.below(2) == 0 { 0 } else { rng.below(40_000) };
    let two = Two::begin(seed, Duration::from_millis(apart)).await;
    let idle = rng.below(25) * 60;
    two.pass(idle + 20).await;
    // One each for the beginning, and one after the later one took the other's for left over.
    let most = 3;
    let made = two.records_made();
    assert!(made <= most, "seed {seed}: {made} records within {idle} s\n{}", two.told());
    let jobs: Vec<JobId> =
        (0..6).map(|n| two.job(if n % 3 == 0 { &["build"] } else { &["docker"] })).collect();
    for job in jobs {
        two.until_succeeded(job, 300).await;
    }
    let served = two.records_made();
    two.pass(600).await;
    assert_eq!(
        two.records_made(),
        served,
        "seed {seed}: the token is known to both\n{}",
        two.told()
    );
}

#[test]
fn two_that_share_no_lock_make_few_records_and_serve_each_job() {
    let first = crate::campaign::number("AUTOGIT_FIRST_SEED").unwrap_or(0);
    let seeds = crate::campaign::number("AUTOGIT_SEEDS").unwrap_or(SEEDS).min(1_000);
    for seed in first..first + seeds {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(two_without_a_lock(seed));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_begin_at_once_the_later_record_waits_and_both_say_so() {
    let two = Two::begin(1, Duration::ZERO).await;
    two.pass(15).await;
    assert_eq!(two.records_made(), 2, "{}", two.told());
    assert_eq!(two.know_of_another(), 2, "{}", two.told());
    let job = two.job(&["docker"]);
    let mut held = 0;
    for _ in 0..60 {
        two.pass(1).await;
        let holds = |process: &&Process| {
            let view = process.view().unwrap();
            let mut jobs = view.plan.held_jobs.iter();
            jobs.any(|held| matches!(*held.hold, JobHold::AnotherAutogit { .. }))
        };
        held = held.max(two.both.iter().filter(holds).count());
    }
    assert_eq!(held, 1, "{}", two.told());
    two.until_succeeded(job, 60).await;
    let ours = |record: &&RecordView| record.description == "autogit/autogit/linux-amd64";
    assert_eq!(two.harness.gitlab().records().iter().filter(ours).count(), 1, "{}", two.told());
}

#[tokio::test(start_paused = true)]
async fn one_whose_rival_is_gone_serves_ten_minutes_later_and_deletes_what_it_left_in_an_hour() {
    let two = Two::begin(1, Duration::ZERO).await;
    two.pass(15).await;
    let Two { harness, both: [one, another], _log } = two;
    one.kill(&harness).await;
    let job = harness.job(&["docker"], Duration::from_secs(5), false);
    let pass = async |minutes| {
        for _ in 0..minutes * 12 {
            harness.clock().sleep(Duration::from_secs(5)).await;
            harness.check();
        }
    };
    pass(11).await;
    let told = harness.recorder().lines.join("\n");
    assert_eq!(harness.gitlab().job(job).unwrap().status, Status::Success, "{told}");
    pass(51).await;
    let told = harness.recorder().lines.join("\n");
    let ours = |record: &&RecordView| record.description.starts_with("autogit/autogit/linux");
    assert_eq!(harness.gitlab().records().iter().filter(ours).count(), 1, "{told}");
    assert!(!another.has_ended());
}

#[tokio::test(start_paused = true)]
async fn that_the_lower_record_is_not_awaited_is_noticed() {
    let harness = harness(1, Some(&LOWER_IS_NOT_AWAITED));
    // Both make their records well after they began, so that no clock's error hides it.
    harness.refuse_records(true);
    let two = Two::begin_on(harness, Duration::ZERO).await;
    two.pass(9).await;
    two.harness.refuse_records(false);
    two.pass(20).await;
    two.job(&["docker"]);
    two.harness.clock().sleep(Duration::from_secs(30)).await;
    let broken = two.harness.recorder().broken.clone().map(|broken| broken.promise);
    assert_eq!(broken, Some("the_lower_record_wins"), "{}", two.told());
}
