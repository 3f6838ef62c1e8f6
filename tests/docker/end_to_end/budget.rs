//! What runners cost their host, by the engine's own account of their containers, while jobs come
//! and go, the spec changes, and AutoGit is killed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::Docker;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;

use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::program::Program;

const MIB: u64 = 1 << 20;
const BUDGET: Cost = Cost { runners: 5, cpus: 3_000, memory: 600 * MIB };

/// What some containers cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    runners: u64,
    cpus: u64,
    memory: u64,
}

impl Cost {
    /// What the labels of a runner say that it was made with.
    fn of(labels: &BTreeMap<String, String>) -> Self {
        let number = |label: &str| labels[label].parse().unwrap();
        Self { runners: 1, cpus: number("io.autogit.cpus"), memory: number("io.autogit.memory") }
    }

    fn pairs(self, other: Self) -> [(u64, u64); 3] {
        [(self.runners, other.runners), (self.cpus, other.cpus), (self.memory, other.memory)]
    }

    fn exceeds(self, other: Self) -> bool {
        self.pairs(other).iter().any(|(one, other)| one > other)
    }

    fn plus(self, other: Self) -> Self {
        let [runners, cpus, memory] = self.pairs(other).map(|(one, other)| one + other);
        Self { runners, cpus, memory }
    }
}

/// The engine's events of an instance's runners, summed up: a container costs from the moment that
/// it is made until it ended, whether or not it ever ran.
#[derive(Debug, Default)]
struct Account {
    living: BTreeMap<String, Cost>,
    made: usize,
    /// The most cpus at one time.
    most_cpus: u64,
    /// Sums that were beyond the budget.
    beyond: Vec<Cost>,
}

impl Account {
    /// Begins to listen, so that nothing that is made later is missed.
    async fn open(harness: &Harness) -> Arc<Mutex<Self>> {
        let account = Arc::<Mutex<Self>>::default();
        let docker = Docker::connect_with_unix_defaults().unwrap();
        let since = docker.info().await.unwrap().system_time.unwrap();
        let since: jiff::Timestamp = since.parse().unwrap();
        let filters = [
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![format!("io.autogit.instance={}", harness.instance)]),
        ];
        // What the engine remembers since then it tells first.
        let options = EventsOptions {
            since: Some(since.as_second().to_string()),
            until: None,
            filters: Some(filters.into()),
        };
        let kept = Arc::clone(&account);
        tokio::spawn(async move {
            let mut events = std::pin::pin!(docker.events(Some(options)));
            while let Some(event) = events.next().await {
                let event = event.unwrap();
                let actor = event.actor.unwrap();
                let mut account = kept.lock().unwrap_or_else(PoisonError::into_inner);
                account.note(
                    &event.action.unwrap(),
                    actor.id.unwrap(),
                    &actor.attributes.unwrap_or_default().into_iter().collect(),
                );
            }
        });
        account
    }

    fn note(&mut self, action: &str, id: String, labels: &BTreeMap<String, String>) {
        match action {
            "create" => {
                self.living.insert(id, Cost::of(labels));
                self.made += 1;
            }
            "die" | "destroy" => {
                self.living.remove(&id);
            }
            _ => {}
        }
        let sum = self.living.values().fold(Cost::default(), |sum, cost| sum.plus(*cost));
        self.most_cpus = self.most_cpus.max(sum.cpus);
        self.beyond.extend(sum.exceeds(BUDGET).then_some(sum));
    }
}

/// The pools, each with what its runners cost: cpus, and MiB.
fn save(harness: &Harness, small: (&str, u64), large: (&str, u64)) {
    let pool = |name: &str, (cpus, memory): (&str, u64)| {
        let resources = format!("{{cpus: {cpus}, memory: {memory}MiB}}");
        format!("{name}: {{tags: [{name}], max: 9, resources: {resources}}}")
    };
    let budget = "runners: 5, cpus: 3, memory: 600MiB";
    harness.save_with_budget(budget, &[pool("small", small), pool("large", large)].join("\n"));
}

async fn until_running(harness: &Harness, count: usize) {
    until(&format!("{count} jobs run"), async || {
        (harness.gitlab.running().len() == count).then_some(())
    })
    .await;
}

/// Waits until what costs exactly that is there, and so what cost less is gone or counted.
async fn until_cpus(account: &Mutex<Account>, cpus: u64) {
    until(&format!("{cpus} thousandths of a cpu are used"), async || {
        let account = account.lock().unwrap_or_else(PoisonError::into_inner);
        let used: u64 = account.living.values().map(|cost| cost.cpus).sum();
        (used == cpus).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_budget_is_kept_while_jobs_come_and_resources_change_and_autogit_is_killed() {
    with_harness(async |harness| {
        let account = Account::open(&harness).await;
        save(&harness, ("0.5", 100), ("1", 200));
        let queue = |pools: &[&str], gate: &str| {
            let jobs = pools.iter().map(|pool| harness.queue_gated(&[*pool], gate));
            jobs.collect::<Vec<_>>()
        };
        let mut jobs = queue(&["large", "large", "small", "small", "small"], "first");
        let program = Program::start(&harness);
        until_running(&harness, 4).await;
        until_cpus(&account, 3_000).await;

        // The job that waits costs twice as much now; those that run cost what they were made with.
        save(&harness, ("1", 200), ("0.5", 100));
        jobs.extend(queue(&["large", "small"], "second"));
        harness.until_asked_twice().await;
        assert_eq!(harness.gitlab.running().len(), 4);
        program.victim().kill();
        program.until_dead().await;
        harness.gates.open("first");
        let program = Program::start(&harness);
        for job in &jobs[5..] {
            harness.until_begun(*job).await;
        }

        save(&harness, ("0.25", 50), ("0.25", 50));
        jobs.extend(queue(&["small", "large", "small", "large"], "second"));
        program.victim().kill();
        program.until_dead().await;
        let _last = Program::start(&harness);
        harness.until_asked_twice().await;
        harness.gates.open("second");
        for job in jobs {
            harness.until_succeeded(job).await;
        }
        harness.until_nothing_is_left().await;

        until("the engine told of each end", async || {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            account.living.is_empty().then_some(())
        })
        .await;
        let account = account.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(account.beyond, [], "{BUDGET:?}");
        assert_eq!(account.most_cpus, BUDGET.cpus, "of {} runners", account.made);
    })
    .await;
}
