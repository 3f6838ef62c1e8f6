//! What a look does to what the process remembers.

use autogit::plan::{Rule, plan};
use autogit::spec::Cost;
use autogit::world::{
    Backoff, Cause, FailedStart, InDoubt, JobId, Look, Memory, Phase, RecordId, RunnerName, Slot,
    World, note_observed,
};
use jiff::SignedDuration;

use crate::plan::harness::{
    Doing, NOW, add_runner, ago, deny_missing, job, known, look, queue, record, records_of, spec,
    tell,
};
use crate::plan::words::{host, spot, variant};

const PLAIN: &str = "pools: {linux: {tags: [docker]}}";
const ONE_JOB: &str = "pools: {linux: {tags: [docker], jobs_per_runner: 1}}";

/// That long after the beginning GitLab tells the same.
fn pass(look: &mut Look, seconds: i64) {
    look.now = NOW + SignedDuration::from_secs(seconds);
    let now = look.now;
    tell(look, now);
}

fn plain(text: &str) -> Look {
    look(spec(text), |_| autogit::spec::Arch::Amd64)
}

/// One look, as the observer takes it.
fn note(look: &mut Look, memory: &mut Memory) {
    look.memory = std::mem::take(memory);
    note_observed(look);
    *memory = judged(look).next_memory();
}

fn judged(look: &Look) -> World {
    World::of(look.clone())
}

fn failing(look: &Look) -> Memory {
    let (until, error) = (NOW + SignedDuration::from_secs(10), "no such image".into());
    let backoff = Backoff { cause: Cause::Start, failures: 1, until, error };
    let mut memory = look.memory.clone();
    memory.backoffs.insert(variant("linux"), backoff);
    memory
}

#[test]
fn a_first_contact_ends_the_back_off() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(5));
    let mut memory = failing(&look);
    note(&mut look, &mut memory);
    assert!(memory.backoffs.is_empty() && look.memory.backoffs.is_empty());
}

#[test]
fn a_runner_from_before_the_failure_does_not_end_the_back_off() {
    let mut look = plain(PLAIN);
    let id = add_runner(&mut look, &spot("linux/0"), Doing::Idle(500));
    look.memory.runner_mut(&id).contacted = true;
    let mut memory = failing(&look);
    note(&mut look, &mut memory);
    assert_eq!(memory.backoffs.len(), 1);
}

#[test]
fn a_job_beside_a_runner_that_is_idle_for_a_minute_is_unclaimed() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(61));
    let jobs = [(1, "docker", 61), (2, "docker", 59), (3, "macos", 61)];
    queue(&mut look, jobs.map(|(id, tag, since)| job(id, &[tag], since)).into());
    note(&mut look, &mut Memory::default());
    assert_eq!(look.memory.unclaimed.keys().collect::<Vec<_>>(), [&JobId(1)]);
}

/// What somebody else took since is still in a queue that took long to read.
#[test]
fn a_queue_that_was_told_long_ago_leaves_no_job_alone() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(90));
    queue(&mut look, vec![job(1, &["docker"], 70), job(2, &["docker"], 95)]);
    tell(&mut look, ago(20));
    note(&mut look, &mut Memory::default());
    assert_eq!(look.memory.unclaimed.keys().collect::<Vec<_>>(), [&JobId(2)]);
}

#[test]
fn a_source_that_cannot_be_read_leaves_what_was_left_over_as_it_was_found() {
    let mut look = plain(PLAIN);
    let row = autogit::world::Manager {
        system_id: look.system_id(&host("local"), &variant("linux"), Slot(7)).unwrap(),
        contacted_at: Some(ago(3_600)),
        busy: false,
        job: None,
        caller: None,
    };
    known(&mut records_of(&mut look)[0].managers).push(row);
    deny_missing(&mut look);
    let mut memory = Memory::default();
    note(&mut look, &mut memory);
    let found = memory.leftovers.clone();
    assert_eq!(found.len(), 1);
    let told = look.records.clone();
    look.records = told.clone().next(NOW, Err("timed out".into()));
    note(&mut look, &mut memory);
    assert_eq!(memory.leftovers, found);
    assert!(plan(&judged(&look)).is_empty(), "nobody can tell");
    look.records = told;
    note(&mut look, &mut memory);
    assert!(plan(&judged(&look)).decisions.iter().any(|it| it.rule == Rule::SweepLeftover));
}

/// GitLab's clock was set, so the record looks as if it were made long after it was asked for.
#[test]
fn what_appears_soon_after_an_unanswered_request_may_be_what_came_of_it() {
    let mut look = plain(PLAIN);
    let mut memory = Memory::begun(ago(60));
    note(&mut look, &mut memory);
    memory.own_records.asked(&variant("linux"), NOW);
    pass(&mut look, 20);
    let mut made = record(&look, RecordId(28), &variant("linux"));
    made.created_at = Some(ago(-600));
    records_of(&mut look).push(made);
    let mut unasked = memory.clone();
    note(&mut look, &mut memory);
    assert_eq!(look.sign_of_another(), None);
    unasked.own_records.unanswered.clear();
    note(&mut look, &mut unasked);
    assert!(look.sign_of_another().is_some(), "else somebody else made it");
}

/// After an outage of GitLab each job of that time is older than the runners' last contact.
#[test]
fn a_runner_without_contact_since_left_no_job_alone() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(90));
    known(&mut records_of(&mut look)[0].managers)[0].contacted_at = Some(ago(62));
    let jobs = [(1, "docker", 61), (2, "docker", 63)];
    queue(&mut look, jobs.map(|(id, tag, since)| job(id, &[tag], since)).into());
    note(&mut look, &mut Memory::default());
    assert_eq!(look.memory.unclaimed.keys().collect::<Vec<_>>(), [&JobId(2)]);
    assert_eq!(look.memory.overlooked.len(), 2);
}

#[test]
fn a_runner_without_a_job_left_makes_no_job_unclaimed() {
    let mut look = plain(ONE_JOB);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(61));
    queue(&mut look, vec![job(1, &["docker"], 61)]);
    note(&mut look, &mut Memory::default());
    assert!(look.memory.unclaimed.is_empty());
}

#[test]
fn what_is_left_over_counts_at_the_next_look() {
    let mut look = plain("pools: {linux: {tags: [docker], enabled: false}}");
    look.records = look.records.clone().next(NOW, Ok(Vec::new()));
    let network = &mut crate::plan::harness::state_of(&mut look, &host("local")).network;
    network.as_mut().unwrap().containers = 0;
    let mut memory = Memory::default();
    note(&mut look, &mut memory);
    assert!(look.memory.leftovers.is_empty());
    assert_eq!(memory.leftovers.len(), 1);
}

#[test]
fn nothing_is_waited_for_longer_because_our_clock_was_set_back() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(5));
    let mut memory = failing(&look);
    let name = RunnerName::new(&look.spec.instance, &variant("linux"), Slot(1));
    let doubt = InDoubt { host: host("local"), at: NOW, cost: Cost::default() };
    memory.in_doubt.insert(name, doubt);
    judged(&look)
        .runners()
        .iter()
        .for_each(|view| memory.runner_mut(&view.runner.id).contacted = true);
    note(&mut look, &mut memory);
    let hour = SignedDuration::from_hours(1);
    look.now -= hour;
    note(&mut look, &mut memory);
    let until: Vec<_> = memory.backoffs.values().map(|backoff| backoff.until).collect();
    assert_eq!(until, [NOW - hour + SignedDuration::from_secs(10)]);
    assert!(memory.in_doubt.values().all(|doubt| doubt.at <= look.now));
}

#[test]
fn a_runner_whose_engine_was_set_back_is_idle_since_it_is_seen_so() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(-3_600));
    let mut memory = Memory::default();
    judged(&look)
        .runners()
        .iter()
        .for_each(|view| memory.runner_mut(&view.runner.id).contacted = true);
    note(&mut look, &mut memory);
    look.now += SignedDuration::from_mins(7);
    note(&mut look, &mut memory);
    let since: Vec<_> = judged(&look).runners().into_iter().map(|view| view.phase).collect();
    assert_eq!(since, [Phase::Idle { since: NOW }]);
}

#[test]
fn a_runner_whose_engine_was_set_back_is_late_since_it_is_seen_without_contact() {
    let mut look = plain("pools: {linux: {tags: [docker], startup_timeout: 2m}}");
    add_runner(&mut look, &spot("linux/0"), Doing::Starting(-3_600));
    let mut memory = Memory::default();
    for (seconds, late) in [(0, false), (119, false), (121, true)] {
        pass(&mut look, seconds);
        note(&mut look, &mut memory);
        let phases: Vec<_> = judged(&look).runners().into_iter().map(|view| view.phase).collect();
        let starting = Phase::Starting { since: NOW, late: false };
        let expected = if late { Phase::Failed { since: NOW } } else { starting };
        assert_eq!(phases, [expected], "after {seconds} s");
    }
}

/// When GitLab was away, each runner comes back within seconds.
#[test]
fn a_runner_is_seen_to_be_silent_for_a_minute_before_it_failed() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(7_200));
    let last = ago(66 * 60);
    known(&mut records_of(&mut look)[0].managers)[0].contacted_at = Some(last);
    let mut memory = Memory::default();
    for (seconds, failed) in [(0, false), (59, false), (60, true)] {
        look.now = NOW + SignedDuration::from_secs(seconds);
        note(&mut look, &mut memory);
        let phases: Vec<_> = judged(&look).runners().into_iter().map(|view| view.phase).collect();
        let idle = Phase::Idle { since: ago(7_200) };
        let expected = if failed { Phase::Failed { since: last } } else { idle };
        assert_eq!(phases, [expected], "after {seconds} s");
    }
}

/// Spread by a quarter at most.
#[test]
fn each_failure_in_a_row_waits_twice_as_long_up_to_ten_minutes() {
    let (variant, error) = (variant("linux"), "no such image");
    let mut before: Option<Backoff> = None;
    for least in [10, 20, 40, 80, 160, 320, 600, 600] {
        let next = Backoff::after(before.as_ref(), &variant, Cause::Start, error.into(), NOW);
        let pause = next.until.duration_since(NOW).as_secs();
        let most = (least + least / 4).min(600);
        assert!((least..=most).contains(&pause), "{pause} s, not {least} to {most}");
        before = Some(next);
    }
}

#[test]
fn a_failed_start_counts_no_more_once_its_container_is_seen() {
    let mut look = plain(PLAIN);
    add_runner(&mut look, &spot("linux/0"), Doing::Starting(5));
    let failed = |slot| {
        let name = RunnerName::new(&look.spec.instance, &variant("linux"), Slot(slot));
        FailedStart { at: ago(3), of: Some((spot("linux/0").host, name)) }
    };
    let starts = vec![failed(1), failed(0), failed(0), FailedStart { at: ago(9), of: None }];
    let mut memory = Memory { starts, ..Memory::default() };
    for _ in 0..2 {
        note(&mut look, &mut memory);
        assert_eq!(
            (memory.starts.len(), memory.runners.values().filter(|it| it.made.is_some()).count()),
            (3, 1),
            "{:?}",
            memory.starts
        );
    }
}
