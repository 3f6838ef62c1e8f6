//! What happens to the world and what people do in it, while things go wrong.

#![expect(clippy::wildcard_enum_match_arm, reason = "a kind that is not named is not of hands")]

use std::collections::BTreeMap;

use autogit::sandbox::engine::{ContainerView, Hiding, SimulatedEngine};
use autogit::sandbox::gitlab::{Down, RecordView, Status};
use autogit::spec::HostName;
use autogit::world::{ContainerState, RecordId, WorkloadId};
use jiff::{SignedDuration, Timestamp};

use crate::chaos::Kind;
use crate::harness::Harness;
use crate::others::{self, is_planted};

/// What was broken and is to be mended, and when.
#[derive(Debug, Default)]
pub(crate) struct Tampering {
    mends: Vec<(u64, Mend)>,
}

#[derive(Debug, Clone)]
enum Mend {
    Gitlab,
    Drips,
    Pause(RecordId),
    Host(HostName),
    Token,
    Odd(HostName, WorkloadId),
    /// Who is told of a container from then on.
    Shown(HostName, WorkloadId, Hiding),
    /// Goes on.
    Paused(HostName, WorkloadId),
    /// Nothing but `docker rm --force`, as the hint says, ends one that does not heed SIGQUIT.
    Deaf(HostName, WorkloadId),
}

/// Exit codes that a process may end with.
const CODES: &[i64] = &[0, 1, 2, 137, 137, 139, 143];

impl Tampering {
    /// One second of a history in which things go wrong.
    pub(crate) fn work(&mut self, harness: &Harness, second: u64) {
        self.mend(harness, |due| due <= second);
        let now = harness.clock().now();
        end_removals(harness, |due| due <= now);
        for kind in Kind::ALL {
            if is_of_hands(*kind) && harness.chaos().strikes(*kind) {
                self.strike(harness, *kind, second);
            }
        }
    }

    /// Mends all that is broken: from here on nothing goes wrong.
    pub(crate) fn mend_all(&mut self, harness: &Harness) {
        self.mend(harness, |_| true);
        end_removals(harness, |_| true);
        for engine in harness.engines().values() {
            for image in crate::harness::IMAGES {
                engine.publish_image(image);
            }
        }
    }

    fn mend(&mut self, harness: &Harness, due: impl Fn(u64) -> bool) {
        let (now, later) =
            std::mem::take(&mut self.mends).into_iter().partition(|(at, _)| due(*at));
        self.mends = later;
        let now: Vec<(u64, Mend)> = now;
        for (_, mend) in now {
            match &mend {
                Mend::Gitlab => harness.gitlab().set_down(Down::None),
                Mend::Drips => harness.switches().drip(false),
                Mend::Host(host) => harness.engines()[host].set_reachable(true),
                Mend::Pause(record) => harness.gitlab().pause_record(*record, false),
                Mend::Token => harness.gitlab().restore_token(&harness.api_token()),
                // Either may be gone by now.
                Mend::Odd(host, id) => drop(harness.engines()[host].say_of_state(id, None)),
                Mend::Shown(host, id, hiding) => drop(harness.engines()[host].hide(id, *hiding)),
                Mend::Paused(host, id) => drop(harness.engines()[host].pause_by_hand(id, false)),
                Mend::Deaf(host, id) => {
                    doom_jobs_of(harness, &harness.engines()[host], id);
                    drop(harness.engines()[host].remove_by_hand(id));
                }
            }
            harness.note(&format!("mended: {mend:?}"));
        }
    }

    fn strike(&mut self, harness: &Harness, kind: Kind, second: u64) {
        match kind {
            Kind::GitlabDown => {
                let down = [Down::Unreachable, Down::Status(502), Down::Html, Down::EmptyBody];
                let down = harness.chaos().pick(kind, &down).unwrap();
                harness.gitlab().set_down(down);
                harness.note(&format!("GitLab is down: {down:?}"));
                self.mends.push((second + 5 + harness.chaos().below(kind, 180), Mend::Gitlab));
            }
            Kind::GitlabDrips => {
                harness.switches().drip(true);
                harness.note("GitLab drips");
                self.mends.push((second + 5 + harness.chaos().below(kind, 180), Mend::Drips));
            }
            Kind::HostDown => {
                let Some((host, engine)) = a_host(harness, kind) else { return };
                engine.set_reachable(false);
                harness.note(&format!("{host} cannot be reached"));
                self.mends.push((second + 5 + harness.chaos().below(kind, 240), Mend::Host(host)));
            }
            Kind::TokenRevoked => {
                harness.gitlab().revoke_token(&harness.api_token());
                harness.note("the API token is revoked");
                self.mends.push((second + 5 + harness.chaos().below(kind, 120), Mend::Token));
            }
            Kind::GitlabClock | Kind::HostClock | Kind::ClockJumps => clock_strikes(harness, kind),
            Kind::EngineRestarts | Kind::ImageGone | Kind::ImagePruned => {
                engine_strikes(harness, kind);
            }
            Kind::RunnerUnlisted => self.hide(harness, second),
            Kind::RunnerOdd => self.spoil(harness, second),
            Kind::RunnerPaused | Kind::RunnerDeaf => self.hold(harness, kind, second),
            Kind::QueueFlooded => others::flood(harness),
            Kind::JobCancelled => cancel_a_job(harness, kind),
            Kind::PlaceMoved => move_a_place(harness, kind),
            Kind::RecordLent
            | Kind::RecordDeleted
            | Kind::RecordPaused
            | Kind::RecordRetagged
            | Kind::RecordTokenReset => {
                let struck = record_strikes(harness, kind);
                // AutoGit lets it stand, so a person has to take it back.
                if let Some(record) = struck.filter(|_| kind == Kind::RecordPaused) {
                    let until = second + 5 + harness.chaos().below(kind, 180);
                    self.mends.push((until, Mend::Pause(record)));
                }
            }
            _ => container_strikes(harness, kind),
        }
    }

    /// What stands in front of the engine leaves a runner out of its lists for minutes; for the first
    /// seconds it also denies it to who asks, as one that was just started does.
    fn hide(&mut self, harness: &Harness, second: u64) {
        let kind = Kind::RunnerUnlisted;
        let Some((host, runner)) = a_runner(harness, kind) else { return };
        if runner.name.starts_with("renamed-") {
            return;
        }
        let denied = harness.chaos().below(kind, 50);
        let shown = denied + 30 + harness.chaos().below(kind, 400);
        harness.engines()[&host].hide(&runner.id, Hiding::Wholly).unwrap();
        harness.note(&format!("{} is hidden for {shown}s, wholly for {denied}s", runner.name));
        for (after, hiding) in [(denied, Hiding::FromLists), (shown, Hiding::None)] {
            let mend = Mend::Shown(host.clone(), runner.id.clone(), hiding);
            self.mends.push((second + after, mend));
        }
    }

    /// A person freezes a runner for minutes, or its process does not heed SIGQUIT until a person
    /// removes it. Neither costs a promise: a frozen runner keeps its job and is left alone, and one
    /// that does not go when it is asked counts for as long as it is there, and may take a job.
    fn hold(&mut self, harness: &Harness, kind: Kind, second: u64) {
        let Some((host, runner)) = a_runner(harness, kind).filter(|(_, it)| runs(it)) else {
            return;
        };
        let (engine, id) = (&harness.engines()[&host], runner.id.clone());
        let mend = if kind == Kind::RunnerPaused {
            engine.pause_by_hand(&id, true).unwrap();
            Mend::Paused(host.clone(), id)
        } else {
            engine.deafen(&id).unwrap();
            Mend::Deaf(host.clone(), id)
        };
        harness.note(&format!("{kind}: {} on {host}", runner.name));
        self.mends.push((second + 5 + harness.chaos().below(kind, 300), mend));
    }

    /// A runner's state is told in Podman's word, or one of its labels cannot be read.
    fn spoil(&mut self, harness: &Harness, second: u64) {
        let kind = Kind::RunnerOdd;
        let Some((host, runner)) = a_runner(harness, kind) else { return };
        let engine = &harness.engines()[&host];
        let labels = [None, None, Some("slot"), Some("system-id"), Some("record"), Some("pool")];
        match harness.chaos().pick(kind, &labels).unwrap() {
            None => engine.say_of_state(&runner.id, Some("stopped")).unwrap(),
            Some(label) => engine.spoil_label(&runner.id, label).unwrap(),
        }
        harness.note(&format!("{} of {host} cannot be read", runner.name));
        let mend = Mend::Odd(host, runner.id.clone());
        self.mends.push((second + 5 + harness.chaos().below(kind, 240), mend));
    }
}

fn is_of_hands(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::GitlabDown
            | Kind::GitlabDrips
            | Kind::HostDown
            | Kind::TokenRevoked
            | Kind::GitlabClock
            | Kind::HostClock
            | Kind::ClockJumps
            | Kind::EngineRestarts
            | Kind::ImageGone
            | Kind::ImagePruned
            | Kind::RunnerUnlisted
            | Kind::RunnerOdd
            | Kind::RunnerPaused
            | Kind::RunnerDeaf
            | Kind::JobCancelled
            | Kind::QueueFlooded
            | Kind::PlaceMoved
            | Kind::RecordLent
            | Kind::RecordDeleted
            | Kind::RecordPaused
            | Kind::RecordRetagged
            | Kind::RecordTokenReset
            | Kind::RunnerDies
            | Kind::RunnerHangs
            | Kind::RunnerRemoved
            | Kind::RunnerRenamed
            | Kind::JobContainerRemoved
    )
}

/// A clock is set.
fn clock_strikes(harness: &Harness, kind: Kind) {
    match kind {
        Kind::GitlabClock => {
            let skew = minutes(harness, kind);
            harness.gitlab().set_clock_skew(skew);
            harness.recorder().gitlab_was_set = true;
            harness.note(&format!("GitLab's clock is off by {skew:#}"));
        }
        Kind::HostClock => {
            let Some((host, engine)) = a_host(harness, kind) else { return };
            let skew = minutes(harness, kind);
            engine.set_skew(skew);
            harness.clock_was_set();
            harness.note(&format!("the clock of {host} is off by {skew:#}"));
        }
        _ => {
            let by = minutes(harness, kind);
            harness.jump(by);
            harness.note(&format!("AutoGit's clock jumps by {by:#}"));
        }
    }
}

fn minutes(harness: &Harness, kind: Kind) -> SignedDuration {
    let seconds = i64::try_from(harness.chaos().below(kind, 1_200)).unwrap() - 600;
    SignedDuration::from_secs(seconds)
}

fn a_host(harness: &Harness, kind: Kind) -> Option<(HostName, SimulatedEngine)> {
    let hosts: Vec<_> =
        harness.engines().iter().map(|(name, it)| (name.clone(), it.clone())).collect();
    harness.chaos().pick(kind, &hosts)
}

/// A runner of ours that a hand may strike.
fn a_runner(harness: &Harness, kind: Kind) -> Option<(HostName, ContainerView)> {
    let (host, engine) = a_host(harness, kind)?;
    let others = harness.injected().others;
    let fits = |container: &ContainerView| {
        container.runner.is_some() && !is_planted(&others, &host, container)
    };
    let containers: Vec<_> = engine.containers().into_iter().filter(fits).collect();
    harness.chaos().pick(kind, &containers).map(|container| (host, container))
}

fn engine_strikes(harness: &Harness, kind: Kind) {
    let Some((host, engine)) = a_host(harness, kind) else { return };
    if kind == Kind::ImageGone {
        for image in crate::harness::IMAGES {
            engine.forget_image(image);
        }
        harness.note(&format!("{host} has no runner image, and no registry has it"));
        return;
    }
    if kind == Kind::ImagePruned {
        for image in crate::harness::IMAGES {
            engine.prune_image(image);
        }
        harness.note(&format!("the images of {host} are pruned"));
        return;
    }
    harness.doom(engine.running_jobs().into_iter().map(|running| running.job));
    harness.note_killed(engine.containers().into_iter().map(|container| container.id));
    let mut recorder = harness.recorder();
    let others = &mut recorder.injected.others;
    let planted = others.containers.remove(&host).unwrap_or_default();
    drop(recorder);
    engine.restart_engine();
    // They are still somebody's, only not running any more.
    let now =
        engine.containers().into_iter().filter(|it| planted.iter().any(|then| then.id == it.id));
    let now: Vec<ContainerView> = now.collect();
    harness.recorder().injected.others.containers.insert(host.clone(), now);
    harness.note(&format!("the engine of {host} restarts"));
}

fn cancel_a_job(harness: &Harness, kind: Kind) {
    let jobs = harness.gitlab().jobs().into_iter();
    let open: Vec<_> = jobs
        .filter(|job| matches!(job.status, Status::Pending | Status::Running))
        .map(|job| job.id)
        .collect();
    let Some(job) = harness.chaos().pick(kind, &open) else { return };
    harness.doom([job]);
    harness.gitlab().cancel_job(job);
    harness.note(&format!("a person cancels job {job}"));
}

/// A project moves, which its old path tells for ever; of a group only the letters change, for its
/// old path nobody knows.
fn move_a_place(harness: &Harness, kind: Kind) {
    let gitlab = harness.gitlab();
    let number = harness.chaos().below(kind, 1_000_000);
    if number.is_multiple_of(3) {
        let path = harness.chaos().pick(kind, &["Team", "team", "TEAM"]).unwrap();
        gitlab.move_group(gitlab.add_group("team"), path);
        harness.note(&format!("the group team is {path} now"));
        return;
    }
    let project = harness.chaos().pick(kind, harness.projects()).unwrap();
    let group = harness.chaos().pick(kind, &["team", "infra"]).unwrap();
    let group = gitlab.group_path(gitlab.add_group(group));
    gitlab.move_project(project, &format!("{group}/moved-{number}"));
    harness.note(&format!("project {project} moves to {group}/moved-{number}"));
}

fn record_strikes(harness: &Harness, kind: Kind) -> Option<RecordId> {
    let planted = harness.injected().others.records;
    let ours = |record: &RecordView| {
        record.description.starts_with("autogit/autogit/")
            && !planted.iter().any(|planted| planted.id == record.id)
    };
    let records: Vec<_> =
        harness.gitlab().records().into_iter().filter(ours).map(|record| record.id).collect();
    let record = harness.chaos().pick(kind, &records)?;
    let gitlab = harness.gitlab();
    match kind {
        Kind::RecordDeleted => {
            harness.note_deleted(record);
            gitlab.delete_record_by_hand(record);
        }
        Kind::RecordPaused => gitlab.pause_record(record, true),
        Kind::RecordLent => {
            let project = harness.chaos().pick(kind, harness.projects()).unwrap();
            gitlab.lend_record(record, project);
        }
        Kind::RecordTokenReset => {
            gitlab.reset_record_token(record);
            harness.recorder().injected.tokens_reset.insert(record);
            harness.learn_secrets();
        }
        _ => gitlab.retag_record(record, &["somebodys", "tags"]),
    }
    harness.note(&format!("{kind}: {record}"));
    Some(record)
}

fn container_strikes(harness: &Harness, kind: Kind) {
    let Some((host, engine)) = a_host(harness, kind) else { return };
    let others = harness.injected().others;
    let fits = |container: &ContainerView| {
        let wanted = match kind {
            Kind::JobContainerRemoved => container.job.is_some(),
            Kind::RunnerHangs | Kind::RunnerDies => container.runner.is_some() && runs(container),
            // A runner that no list shows and that has not its name is known to nobody but itself.
            Kind::RunnerRenamed => container.runner.is_some() && !container.hidden,
            _ => container.runner.is_some(),
        };
        wanted && !is_planted(&others, &host, container)
    };
    let containers: Vec<_> = engine.containers().into_iter().filter(fits).collect();
    let Some(container) = harness.chaos().pick(kind, &containers) else { return };
    let id = &container.id;
    let doom = |of: &WorkloadId| doom_jobs_of(harness, &engine, of);
    match kind {
        Kind::RunnerHangs => {
            doom(id);
            let runner = container.runner.as_ref().unwrap();
            harness.hung().insert(runner.system_id.clone(), id.clone());
        }
        Kind::RunnerDies => {
            doom(id);
            harness.note_killed([id.clone()]);
            let code = harness.chaos().pick(kind, CODES).unwrap();
            engine.kill_container(id, code).unwrap();
        }
        Kind::RunnerRemoved => {
            doom(id);
            engine.remove_by_hand(id).unwrap();
        }
        Kind::RunnerRenamed => {
            let name = format!("renamed-{}", harness.chaos().below(kind, 1_000_000));
            engine.rename_by_hand(id, &name).unwrap();
        }
        _ => {
            let job = container.job.as_ref().and_then(|job| job.job);
            harness.doom(job);
            engine.remove_by_hand(id).unwrap();
        }
    }
    harness.note(&format!("{kind}: {} on {host}", container.name));
}

fn doom_jobs_of(harness: &Harness, engine: &SimulatedEngine, runner: &WorkloadId) {
    let jobs = engine.running_jobs().into_iter().filter(|running| running.runner == *runner);
    harness.doom(jobs.map(|running| running.job));
}

/// The engine is done with removals that hung.
fn end_removals(harness: &Harness, due: impl Fn(Timestamp) -> bool) {
    let removing = std::mem::take(&mut harness.recorder().removing);
    let (now, later) = removing.into_iter().partition(|(_, (_, until))| due(*until));
    harness.recorder().removing = later;
    let now: BTreeMap<WorkloadId, (HostName, Timestamp)> = now;
    for (id, (host, _)) in now {
        // A person may have removed it.
        drop(harness.engines()[&host].remove_by_hand(&id));
        harness.note(&format!("{host} is done with removing {id}"));
    }
}

fn runs(container: &ContainerView) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}
