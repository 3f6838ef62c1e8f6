//! Several hosts that are engines of their own: one is away for a while, loses its power, gets
//! another name, leaves the file, or is another engine one day.

use autogit::plan::JobHold;
use autogit::sandbox::gitlab::Status;
use autogit::view::View;
use autogit::world::{JobId, Phase};
use bollard::Docker;

use crate::hosts::harness::{Harness, Operator};
use crate::hosts::line::Line;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{Folder, until};
use crate::support::image;

/// A host: its name in the spec, its engine, and AutoGit's own way there. Runners have the engine's
/// socket.
struct Room {
    name: &'static str,
    engine: OwnEngine,
    line: Line,
    docker: Docker,
}

impl Room {
    fn new(name: &'static str, engine: OwnEngine) -> Self {
        let (line, docker) = (Line::to(&engine), engine.docker());
        Self { name, engine, line, docker }
    }

    /// In the spec, under that name, with room for one runner.
    fn called(&self, name: &str) -> String {
        let (docker, socket) = (self.line.endpoint(), self.engine.socket());
        let socket = socket.display();
        format!("{name}: {{docker: '{docker}', socket: '{socket}', budget: {{runners: 1}}}}")
    }
}

async fn rooms() -> Option<(Harness, [Room; 2])> {
    let images = image::ensure()?;
    let (one, two) = tokio::join!(
        OwnEngine::start(Folder::new(), &[]),
        OwnEngine::start_second(Folder::new(), &[])
    );
    let (one, two) = (one?, two?);
    let mut harness = Harness::new(&one, images).await;
    harness.join(&two);
    Some((harness, [Room::new("one", one), Room::new("two", two)]))
}

fn both(rooms: &[Room; 2]) -> String {
    rooms.each_ref().map(|room| room.called(room.name)).join(", ")
}

/// The room that has a runner, and the one that has none.
async fn taken_and_free(harness: &Harness, rooms: [Room; 2]) -> [Room; 2] {
    let [one, two] = rooms;
    if harness.runners_on(&one.docker).await.is_empty() { [two, one] } else { [one, two] }
}

async fn until_held(operator: &Operator, job: JobId) {
    let held = |view: &View| {
        let found = view.plan.held_jobs.iter().find(|held| held.job == job)?;
        matches!(*found.hold, JobHold::HostBudget { .. }).then_some(())
    };
    operator.until(&format!("job {job} waits for room"), held).await;
}

/// Waits until the host of that name has a runner that has its job and is not asked to exit.
async fn until_busy_on(operator: &Operator, host: &str) {
    let busy = |view: &View| {
        let runners = view.world.runners();
        let of_host = |view: &&autogit::world::RunnerView<'_>| view.host.as_str() == host;
        let found = runners.iter().find(of_host)?;
        matches!(found.phase, Phase::Busy { .. }).then_some(())
    };
    operator.until(&format!("a runner on {host} has its job"), busy).await;
}

#[tokio::test]
async fn a_host_that_is_away_keeps_its_job_and_its_budget_and_new_work_goes_elsewhere() {
    let Some((harness, rooms)) = rooms().await else { return };
    let operator = harness.operator_of(&both(&rooms), "max: 9");
    let first = harness.queue();
    harness.until_begun(first).await;
    let [away, near] = taken_and_free(&harness, rooms).await;
    let there = harness.found(&away.docker).await;

    away.line.cut();
    operator.until_unknown(away.name).await;
    let second = harness.queue();
    harness.until_begun(second).await;
    assert_eq!(harness.runners_on(&near.docker).await.len(), 1);
    let third = harness.queue();
    until_held(&operator, third).await;
    operator.until_looked_again().await;
    assert_eq!(harness.found(&away.docker).await, there);
    assert_eq!(harness.runners_on(&near.docker).await.len(), 1);
    assert_eq!(harness.gitlab.running(), [first, second]);

    away.line.lead_to(&away.engine);
    operator.until_it_sees().await;
    until_busy_on(&operator, away.name).await;
    assert_eq!(harness.found(&away.docker).await, there);
    harness.open_gate();
    for job in [first, second, third] {
        harness.until_succeeded(job).await;
    }
    harness.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_host_that_loses_its_power_loses_its_job_alone_and_it_runs_again() {
    let Some((harness, rooms)) = rooms().await else { return };
    let operator = harness.operator_of(&both(&rooms), "max: 9, lost_jobs: retry");
    let lost = harness.queue();
    harness.until_begun(lost).await;
    let [mut dead, near] = taken_and_free(&harness, rooms).await;
    dead.engine.crash().await;
    operator.until_unknown(dead.name).await;
    let second = harness.queue();
    harness.until_begun(second).await;
    assert_eq!(harness.runners_on(&near.docker).await.len(), 1);
    assert_eq!(harness.gitlab.running(), [lost, second], "nobody knows whether it is lost");

    dead.engine.start_again().await;
    operator.until_it_sees().await;
    let again = until("the lost job is queued again", async || {
        let jobs = harness.gitlab.jobs().into_iter().map(|job| job.id);
        jobs.into_iter().find(|id| ![lost, second].contains(id))
    })
    .await;
    harness.until_begun(again).await;
    assert_eq!(harness.gitlab.job(second).unwrap().status, Status::Running);
    harness.open_gate();
    for job in [second, again] {
        harness.until_succeeded(job).await;
    }
    harness.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_host_that_leaves_the_file_ends_its_jobs_first_and_keeps_nothing() {
    let Some((harness, rooms)) = rooms().await else { return };
    let operator = harness.operator_of(&both(&rooms), "max: 9");
    let (first, second) = (harness.queue(), harness.queue());
    for job in [first, second] {
        harness.until_begun(job).await;
    }
    let [stays, leaves] = rooms;
    harness.save(&stays.called(stays.name), "max: 9");
    operator.until_noticed("host `two` is not in the spec any more; left there: 1 runners").await;
    let third = harness.queue();
    until_held(&operator, third).await;
    operator.until_looked_again().await;
    assert_eq!(harness.gitlab.running(), [first, second]);
    harness.open_gate();
    for job in [first, second, third] {
        harness.until_succeeded(job).await;
    }
    harness.until_nothing_is_left().await;
    until("not even the network is left there", async || {
        harness.found(&leaves.docker).await.is_empty().then_some(())
    })
    .await;
    operator
        .until("nothing is said of it any more", |view| view.notices.is_empty().then_some(()))
        .await;
}

#[tokio::test]
async fn a_host_that_gets_another_name_keeps_its_runner() {
    let Some((harness, rooms)) = rooms().await else { return };
    let operator = harness.operator_of(&both(&rooms), "max: 9");
    let (first, second) = (harness.queue(), harness.queue());
    for job in [first, second] {
        harness.until_begun(job).await;
    }
    let [one, two] = &rooms;
    let there = harness.found(&one.docker).await;
    harness.save(&format!("{}, {}", one.called("first"), two.called("two")), "max: 9");
    until_busy_on(&operator, "first").await;
    operator.until_looked_again().await;
    until_busy_on(&operator, "first").await;
    assert_eq!(harness.found(&one.docker).await, there);
    harness.open_gate();
    for job in [first, second] {
        harness.until_succeeded(job).await;
    }
    let next = harness.queue();
    harness.until_succeeded(next).await;
    harness.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_host_that_is_another_engine_is_told_and_the_job_on_the_former_one_goes_on() {
    let Some((harness, [former, other])) = rooms().await else { return };
    let operator = harness.operator_of(&former.called("one"), "max: 9");
    let first = harness.queue();
    harness.until_begun(first).await;
    let there = harness.found(&former.docker).await;

    former.line.lead_to(&other.engine);
    operator.until_noticed("host `one` is another Docker Engine than before").await;
    operator.until_looked_again().await;
    assert_eq!(harness.found(&former.docker).await, there);
    assert_eq!(harness.gitlab.running(), [first]);
    harness.open_gate();
    harness.until_succeeded(first).await;

    former.line.lead_to(&former.engine);
    operator
        .until("it is the former engine again", |view| view.notices.is_empty().then_some(()))
        .await;
    let second = harness.queue();
    harness.until_succeeded(second).await;
    harness.until_nothing_is_left().await;
}
