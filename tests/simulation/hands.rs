//! What happens to the world and what people do in it, while things go wrong.

#![expect(clippy::wildcard_enum_match_arm, reason = "a kind that is not named is not of hands")]

use std::collections::BTreeMap;

use autogit::sandbox::engine::{ContainerView, Hiding, SimulatedEngine};
use autogit::sandbox::gitlab::{Down, RecordView, Status};
use autogit::spec::HostName;
use autogit::world::{ContainerId, ContainerState, RecordId};
use jiff::{SignedDuration, Timestamp};

use crate::chaos::Kind;
use crate::others::{self, is_planted};
use crate::stage::Stage;

/// What was broken and is to be mended, and when.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    mends: Vec<(u64, Mend)>,
}

#[derive(Debug, Clone)]
enum Mend {
    Gitlab,
    Drips,
    Pause(RecordId),
    Host(HostName),
    Token,
    Odd(HostName, ContainerId),
    /// Who is told of a container from then on.
    Shown(HostName, ContainerId, Hiding),
    /// Goes on.
    Paused(HostName, ContainerId),
    /// Nothing but `docker rm --force`, as the hint says, ends one that does not heed SIGQUIT.
    Deaf(HostName, ContainerId),
}

/// Exit codes that a process may end with.
const CODES: &[i64] = &[0, 1, 2, 137, 137, 139, 143];

impl Hands {
    /// One second of a history in which things go wrong.
    pub(crate) fn work(&mut self, stage: &Stage, second: u64) {
        self.mend(stage, |due| due <= second);
        let now = stage.clock().now();
        end_removals(stage, |due| due <= now);
        for kind in Kind::ALL {
            if is_of_hands(*kind) && stage.chaos().strikes(*kind) {
                self.strike(stage, *kind, second);
            }
        }
    }

    /// Mends all that is broken: from here on nothing goes wrong.
    pub(crate) fn mend_all(&mut self, stage: &Stage) {
        self.mend(stage, |_| true);
        end_removals(stage, |_| true);
        for engine in stage.engines().values() {
            for image in crate::stage::IMAGES {
                engine.publish_image(image);
            }
        }
    }

    fn mend(&mut self, stage: &Stage, due: impl Fn(u64) -> bool) {
        let (now, later) =
            std::mem::take(&mut self.mends).into_iter().partition(|(at, _)| due(*at));
        self.mends = later;
        let now: Vec<(u64, Mend)> = now;
        for (_, mend) in now {
            match &mend {
                Mend::Gitlab => stage.gitlab().set_down(Down::None),
                Mend::Drips => stage.switches().drip(false),
                Mend::Host(host) => stage.engines()[host].set_reachable(true),
                Mend::Pause(record) => stage.gitlab().pause_record(*record, false),
                Mend::Token => stage.gitlab().restore_token(&stage.api_token()),
                // Either may be gone by now.
                Mend::Odd(host, id) => drop(stage.engines()[host].say_of_state(id, None)),
                Mend::Shown(host, id, hiding) => drop(stage.engines()[host].hide(id, *hiding)),
                Mend::Paused(host, id) => drop(stage.engines()[host].pause_by_hand(id, false)),
                Mend::Deaf(host, id) => {
                    doom_jobs_of(stage, &stage.engines()[host], id);
                    drop(stage.engines()[host].remove_by_hand(id));
                }
            }
            stage.note(&format!("mended: {mend:?}"));
        }
    }

    fn strike(&mut self, stage: &Stage, kind: Kind, second: u64) {
        match kind {
            Kind::GitlabDown => {
                let down = [Down::Unreachable, Down::Status(502), Down::Html, Down::EmptyBody];
                let down = stage.chaos().pick(kind, &down).unwrap();
                stage.gitlab().set_down(down);
                stage.note(&format!("GitLab is down: {down:?}"));
                self.mends.push((second + 5 + stage.chaos().below(kind, 180), Mend::Gitlab));
            }
            Kind::GitlabDrips => {
                stage.switches().drip(true);
                stage.note("GitLab drips");
                self.mends.push((second + 5 + stage.chaos().below(kind, 180), Mend::Drips));
            }
            Kind::HostDown => {
                let Some((host, engine)) = a_host(stage, kind) else { return };
                engine.set_reachable(false);
                stage.note(&format!("{host} cannot be reached"));
                self.mends.push((second + 5 + stage.chaos().below(kind, 240), Mend::Host(host)));
            }
            Kind::TokenRevoked => {
                stage.gitlab().revoke_token(&stage.api_token());
                stage.note("the API token is revoked");
                self.mends.push((second + 5 + stage.chaos().below(kind, 120), Mend::Token));
            }
            Kind::GitlabClock | Kind::HostClock | Kind::ClockJumps => clock_strikes(stage, kind),
            Kind::EngineRestarts | Kind::ImageGone => engine_strikes(stage, kind),
            Kind::RunnerUnlisted => self.hide(stage, second),
            Kind::RunnerOdd => self.spoil(stage, second),
            Kind::RunnerPaused | Kind::RunnerDeaf => self.hold(stage, kind, second),
            Kind::QueueFlooded => others::flood(stage),
            Kind::JobCancelled => cancel_a_job(stage, kind),
            Kind::PlaceMoved => move_a_place(stage, kind),
            Kind::RecordLent
            | Kind::RecordDeleted
            | Kind::RecordPaused
            | Kind::RecordRetagged
            | Kind::RecordTokenReset => {
                let struck = record_strikes(stage, kind);
                // AutoGit lets it stand, so a person has to take it back.
                if let Some(record) = struck.filter(|_| kind == Kind::RecordPaused) {
                    let until = second + 5 + stage.chaos().below(kind, 180);
                    self.mends.push((until, Mend::Pause(record)));
                }
            }
            _ => container_strikes(stage, kind),
        }
    }

    /// What stands in front of the engine leaves a runner out of its lists for minutes; for the first
    /// seconds it also denies it to who asks, as one that was just started does.
    fn hide(&mut self, stage: &Stage, second: u64) {
        let kind = Kind::RunnerUnlisted;
        let Some((host, runner)) = a_runner(stage, kind) else { return };
        if runner.name.starts_with("renamed-") {
            return;
        }
        let denied = stage.chaos().below(kind, 50);
        let shown = denied + 30 + stage.chaos().below(kind, 400);
        stage.engines()[&host].hide(&runner.id, Hiding::Wholly).unwrap();
        stage.note(&format!("{} is hidden for {shown}s, wholly for {denied}s", runner.name));
        for (after, hiding) in [(denied, Hiding::FromLists), (shown, Hiding::None)] {
            let mend = Mend::Shown(host.clone(), runner.id.clone(), hiding);
            self.mends.push((second + after, mend));
        }
    }

    /// A person freezes a runner for minutes, or its process does not heed SIGQUIT until a person
    /// removes it. Neither costs a promise: a frozen runner keeps its job and is left alone, and one
    /// that does not go when it is asked counts for as long as it is there, and may take a job.
    fn hold(&mut self, stage: &Stage, kind: Kind, second: u64) {
        let Some((host, runner)) = a_runner(stage, kind).filter(|(_, it)| runs(it)) else { return };
        let (engine, id) = (&stage.engines()[&host], runner.id.clone());
        let mend = if kind == Kind::RunnerPaused {
            engine.pause_by_hand(&id, true).unwrap();
            Mend::Paused(host.clone(), id)
        } else {
            engine.deafen(&id).unwrap();
            Mend::Deaf(host.clone(), id)
        };
        stage.note(&format!("{kind}: {} on {host}", runner.name));
        self.mends.push((second + 5 + stage.chaos().below(kind, 300), mend));
    }

    /// A runner's state is told in Podman's word, or one of its labels cannot be read.
    fn spoil(&mut self, stage: &Stage, second: u64) {
        let kind = Kind::RunnerOdd;
        let Some((host, runner)) = a_runner(stage, kind) else { return };
        let engine = &stage.engines()[&host];
        let labels = [None, None, Some("slot"), Some("system-id"), Some("record"), Some("pool")];
        match stage.chaos().pick(kind, &labels).unwrap() {
            None => engine.say_of_state(&runner.id, Some("stopped")).unwrap(),
            Some(label) => engine.spoil_label(&runner.id, label).unwrap(),
        }
        stage.note(&format!("{} of {host} cannot be read", runner.name));
        let mend = Mend::Odd(host, runner.id.clone());
        self.mends.push((second + 5 + stage.chaos().below(kind, 240), mend));
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
fn clock_strikes(stage: &Stage, kind: Kind) {
    match kind {
        Kind::GitlabClock => {
            let skew = minutes(stage, kind);
            stage.gitlab().set_clock_skew(skew);
            stage.recorder().gitlab_was_set = true;
            stage.note(&format!("GitLab's clock is off by {skew:#}"));
        }
        Kind::HostClock => {
            let Some((host, engine)) = a_host(stage, kind) else { return };
            let skew = minutes(stage, kind);
            engine.set_skew(skew);
            stage.clock_was_set();
            stage.note(&format!("the clock of {host} is off by {skew:#}"));
        }
        _ => {
            let by = minutes(stage, kind);
            stage.jump(by);
            stage.note(&format!("AutoGit's clock jumps by {by:#}"));
        }
    }
}

fn minutes(stage: &Stage, kind: Kind) -> SignedDuration {
    let seconds = i64::try_from(stage.chaos().below(kind, 1_200)).unwrap() - 600;
    SignedDuration::from_secs(seconds)
}

fn a_host(stage: &Stage, kind: Kind) -> Option<(HostName, SimulatedEngine)> {
    let hosts: Vec<_> =
        stage.engines().iter().map(|(name, it)| (name.clone(), it.clone())).collect();
    stage.chaos().pick(kind, &hosts)
}

/// A runner of ours that a hand may strike.
fn a_runner(stage: &Stage, kind: Kind) -> Option<(HostName, ContainerView)> {
    let (host, engine) = a_host(stage, kind)?;
    let others = stage.ledger().others;
    let fits = |container: &ContainerView| {
        container.runner.is_some() && !is_planted(&others, &host, container)
    };
    let containers: Vec<_> = engine.containers().into_iter().filter(fits).collect();
    stage.chaos().pick(kind, &containers).map(|container| (host, container))
}

fn engine_strikes(stage: &Stage, kind: Kind) {
    let Some((host, engine)) = a_host(stage, kind) else { return };
    if kind == Kind::ImageGone {
        for image in crate::stage::IMAGES {
            engine.forget_image(image);
        }
        stage.note(&format!("{host} has no runner image, and no registry has it"));
        return;
    }
    stage.doom(engine.running_jobs().into_iter().map(|running| running.job));
    stage.note_killed(engine.containers().into_iter().map(|container| container.id));
    let mut recorder = stage.recorder();
    let others = &mut recorder.ledger.others;
    let planted = others.containers.remove(&host).unwrap_or_default();
    drop(recorder);
    engine.restart_engine();
    // They are still somebody's, only not running any more.
    let now =
        engine.containers().into_iter().filter(|it| planted.iter().any(|then| then.id == it.id));
    let now: Vec<ContainerView> = now.collect();
    stage.recorder().ledger.others.containers.insert(host.clone(), now);
    stage.note(&format!("the engine of {host} restarts"));
}

fn cancel_a_job(stage: &Stage, kind: Kind) {
    let jobs = stage.gitlab().jobs().into_iter();
    let open: Vec<_> = jobs
        .filter(|job| matches!(job.status, Status::Pending | Status::Running))
        .map(|job| job.id)
        .collect();
    let Some(job) = stage.chaos().pick(kind, &open) else { return };
    stage.doom([job]);
    stage.gitlab().cancel_job(job);
    stage.note(&format!("a person cancels job {job}"));
}

/// A project moves, which its old path tells for ever; of a group only the letters change, for its
/// old path nobody knows.
fn move_a_place(stage: &Stage, kind: Kind) {
    let gitlab = stage.gitlab();
    let number = stage.chaos().below(kind, 1_000_000);
    if number.is_multiple_of(3) {
        let path = stage.chaos().pick(kind, &["Team", "team", "TEAM"]).unwrap();
        gitlab.move_group(gitlab.add_group("team"), path);
        stage.note(&format!("the group team is {path} now"));
        return;
    }
    let project = stage.chaos().pick(kind, stage.projects()).unwrap();
    let group = stage.chaos().pick(kind, &["team", "infra"]).unwrap();
    let group = gitlab.group_path(gitlab.add_group(group));
    gitlab.move_project(project, &format!("{group}/moved-{number}"));
    stage.note(&format!("project {project} moves to {group}/moved-{number}"));
}

fn record_strikes(stage: &Stage, kind: Kind) -> Option<RecordId> {
    let planted = stage.ledger().others.records;
    let ours = |record: &RecordView| {
        record.description.starts_with("autogit/autogit/")
            && !planted.iter().any(|planted| planted.id == record.id)
    };
    let records: Vec<_> =
        stage.gitlab().records().into_iter().filter(ours).map(|record| record.id).collect();
    let record = stage.chaos().pick(kind, &records)?;
    let gitlab = stage.gitlab();
    match kind {
        Kind::RecordDeleted => {
            stage.note_deleted(record);
            gitlab.delete_record_by_hand(record);
        }
        Kind::RecordPaused => gitlab.pause_record(record, true),
        Kind::RecordLent => {
            let project = stage.chaos().pick(kind, stage.projects()).unwrap();
            gitlab.lend_record(record, project);
        }
        Kind::RecordTokenReset => {
            gitlab.reset_record_token(record);
            stage.recorder().ledger.tokens_reset.insert(record);
            stage.learn_secrets();
        }
        _ => gitlab.retag_record(record, &["somebodys", "tags"]),
    }
    stage.note(&format!("{kind}: {record}"));
    Some(record)
}

fn container_strikes(stage: &Stage, kind: Kind) {
    let Some((host, engine)) = a_host(stage, kind) else { return };
    let others = stage.ledger().others;
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
    let Some(container) = stage.chaos().pick(kind, &containers) else { return };
    let id = &container.id;
    let doom = |of: &ContainerId| doom_jobs_of(stage, &engine, of);
    match kind {
        Kind::RunnerHangs => {
            doom(id);
            let runner = container.runner.as_ref().unwrap();
            stage.hung().insert(runner.system_id.clone(), id.clone());
        }
        Kind::RunnerDies => {
            doom(id);
            stage.note_killed([id.clone()]);
            let code = stage.chaos().pick(kind, CODES).unwrap();
            engine.kill_container(id, code).unwrap();
        }
        Kind::RunnerRemoved => {
            doom(id);
            engine.remove_by_hand(id).unwrap();
        }
        Kind::RunnerRenamed => {
            let name = format!("renamed-{}", stage.chaos().below(kind, 1_000_000));
            engine.rename_by_hand(id, &name).unwrap();
        }
        _ => {
            let job = container.job.as_ref().and_then(|job| job.job);
            stage.doom(job);
            engine.remove_by_hand(id).unwrap();
        }
    }
    stage.note(&format!("{kind}: {} on {host}", container.name));
}

fn doom_jobs_of(stage: &Stage, engine: &SimulatedEngine, runner: &ContainerId) {
    let jobs = engine.running_jobs().into_iter().filter(|running| running.runner == *runner);
    stage.doom(jobs.map(|running| running.job));
}

/// The engine is done with removals that hung.
fn end_removals(stage: &Stage, due: impl Fn(Timestamp) -> bool) {
    let removing = std::mem::take(&mut stage.recorder().removing);
    let (now, later) = removing.into_iter().partition(|(_, (_, until))| due(*until));
    stage.recorder().removing = later;
    let now: BTreeMap<ContainerId, (HostName, Timestamp)> = now;
    for (id, (host, _)) in now {
        // A person may have removed it.
        drop(stage.engines()[&host].remove_by_hand(&id));
        stage.note(&format!("{host} is done with removing {id}"));
    }
}

fn runs(container: &ContainerView) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}
