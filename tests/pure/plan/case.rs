//! A case file: a spec, and in a few words each what is there. Everything else is as AutoGit leaves
//! it: each variant has its record, each engine its network, each runner that made contact its row.

mod hosts;
mod remembered;

use std::collections::BTreeMap;

use autogit::spec::{Cost, Cpus, GpuIds, HostName, PoolName};
use autogit::world::{
    Caller, ContainerState, DiskUse, GroupId, HostState, JobId, JobNetworkObject, JobVolume, Look,
    Manager, Observed, Origin, Owner, ProjectId, RecordId, Runner, RunnerLog, SetAside, SpecHash,
    SystemId, Token, VolumeKind, VolumeUse, WorkloadId, World,
};
use serde::Deserialize;

use crate::plan::harness::{
    add_runner, ago, deny_missing, host_spec, id_of, job, job_container, known, look, lose, queue,
    record, records_of, spec, state_of, system_id, tell,
};
use crate::plan::words::{Line, arch_of, doing, host, number, seconds, spot, variant};
use hosts::{change_host, declare, lose_host};
use remembered::remember;

/// A case file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    spec: serde_yaml::Value,
    /// Hosts beside `local`, and what is special of one: `arm64, budget runners 2, no network, lost
    /// 41s timed out`.
    #[serde(default)]
    hosts: BTreeMap<String, String>,
    /// `linux/0 idle 5m, changed`
    #[serde(default)]
    runners: Vec<String>,
    /// `8001 docker,arm64 30s, in other/app`, where `-` is no tag.
    #[serde(default)]
    jobs: Vec<String>,
    /// What is special of the records: `linux, token lost`, `also 9 linux`, `row 17 linux/3 2h`.
    #[serde(default)]
    records: Vec<String>,
    /// Why GitLab does not know what the scope of a pool is.
    #[serde(default)]
    scopes: BTreeMap<String, String>,
    /// What jobs left: `volume cache-1 linux/3, reusable` (or `temporary`, or neither).
    #[serde(default)]
    objects: Vec<String>,
    /// `backoff linux 40s no such image`
    #[serde(default)]
    memory: Vec<String>,
    /// How old GitLab's answers are: `40s`.
    told: Option<String>,
    /// `gitlab failed with 502`: why the queue is unknown.
    queue: Option<String>,
}

/// The look that a case file describes.
pub(crate) fn read(text: &str) -> World {
    let case: Case = serde_yaml::from_str(text).unwrap_or_else(|fault| panic!("{fault}"));
    let mut spec = spec(&serde_yaml::to_string(&case.spec).unwrap());
    let lines: BTreeMap<HostName, Line<'_>> =
        case.hosts.iter().map(|(name, words)| (host(name), Line::of(words))).collect();
    for (name, line) in &lines {
        let declared = spec.hosts.entry(name.clone()).or_insert_with(host_spec);
        line.attributes.iter().for_each(|words| declare(declared, words));
    }
    let mut look = look(spec, |name| {
        let first = lines.get(name).and_then(|line| line.head.first());
        arch_of(first.copied().unwrap_or("amd64"))
    });
    let (late, early): (Vec<&String>, Vec<&String>) =
        case.records.iter().partition(|line| line.contains("unknown"));
    for line in early {
        add_record_words(&mut look, line);
    }
    case.runners.iter().for_each(|line| add_runner_words(&mut look, line));
    queue(&mut look, case.jobs.iter().map(|line| job_of(line)).collect());
    let limited: Vec<HostName> = look
        .spec
        .hosts
        .iter()
        .filter(|(_, host)| host.budget.disk.is_some() || host.budget.disk_free.is_some())
        .map(|(name, _)| name.clone())
        .collect();
    for name in limited {
        let disk = Observed::Known { at: ago(60), value: DiskUse::default() };
        look.disks.insert(name, disk);
    }
    case.objects.iter().for_each(|line| add_object(&mut look, line));
    for (name, line) in &lines {
        line.attributes.iter().for_each(|words| change_host(&mut look, name, line, words));
    }
    for (pool, error) in &case.scopes {
        let scope = &look.spec.pool(&PoolName::new(pool).unwrap()).unwrap().scope;
        look.scopes.insert(scope.clone(), Err(error.as_str().into()));
    }
    deny_missing(&mut look);
    case.memory.iter().for_each(|line| remember(&mut look, line));
    for (name, line) in &lines {
        line.attributes.iter().for_each(|words| lose_host(&mut look, name, words));
    }
    for line in late {
        add_record_words(&mut look, line);
    }
    if let Some(since) = case.told.as_deref() {
        tell(&mut look, ago(seconds(since)));
    }
    match case.queue.as_deref() {
        Some("more") => known(&mut look.queue).more = true,
        Some(error) => lose(&mut look.queue, 90, error),
        None => {}
    }
    World::of(look)
}

fn add_runner_words(look: &mut Look, text: &str) {
    let line = Line::of(text);
    let (place, what) = line.head.split_first().unwrap();
    let spot = spot(place);
    let id = add_runner(look, &spot, doing(&line, what));
    let contacted = line.attributes.iter().any(|words| *words == ["contacted"]);
    if contacted {
        look.memory.runner_mut(&id).contacted = true;
    }
    let row = system_id(look, &spot);
    for words in &line.attributes {
        match words.as_slice() {
            ["contacted"] => {}
            ["unreadable", what] => set_aside(state_of(look, &spot.host), &id, what),
            ["no", "row"] => rows_of_all(look, |rows| rows.retain(|one| one.system_id != row)),
            ["row", since] => rows_of_all(look, |rows| {
                let rows = rows.iter_mut().filter(|one| one.system_id == row);
                rows.for_each(|one| one.contacted_at = Some(ago(seconds(since))));
            }),
            words => {
                let state = state_of(look, &spot.host);
                let runner = state.runners.iter_mut().find(|runner| runner.id == id).unwrap();
                match words {
                    ["paused"] => runner.paused = true,
                    ["made" | "with" | "untold", ..] => runner.cost = cost_of(&line, words),
                    ["changed"] => runner.spec = SpecHash::from_observed("older"),
                    ["of", "record", id] => runner.record = RecordId(number(id)),
                    ["jobs", ended] => {
                        runner.log.as_mut().unwrap().jobs_ended = number(ended);
                    }
                    ["received", job, since] => {
                        let received = Some((JobId(number(job)), ago(seconds(since))));
                        runner.log =
                            Some(RunnerLog { received, works: true, ..RunnerLog::default() });
                    }
                    ["started", "again", since] => {
                        let started_at = ago(seconds(since));
                        runner.state = ContainerState::Running { started_at };
                    }
                    ["said", version] => log_of(runner).version = Some((*version).into()),
                    ["cannot", "poll:", words @ ..] => {
                        log_of(runner).poll_failure = Some(words.join(" ").into());
                    }
                    ["failed", "a", "job:", words @ ..] => {
                        log_of(runner).job_failure = Some(words.join(" ").into());
                    }
                    ["oom"] => {
                        let ContainerState::Exited { oom_killed, .. } = &mut runner.state else {
                            line.unknown(words)
                        };
                        *oom_killed = true;
                    }
                    other => line.unknown(other),
                }
            }
        }
    }
}

/// What a runner's container says that it was made with.
fn cost_of(line: &Line<'_>, words: &[&str]) -> Option<Cost> {
    match words {
        ["made", "with", cpus, "cpus"] => {
            Some(Cost { cpus: Cpus::at_least(number(cpus)), ..Cost::default() })
        }
        ["with", "gpus", ids @ ..] => {
            let gpus = GpuIds::of(ids.iter().map(ToString::to_string).collect());
            Some(Cost { gpus, ..Cost::default() })
        }
        ["untold", "cost"] => None,
        other => line.unknown(other),
    }
}

fn log_of(runner: &mut Runner) -> &mut RunnerLog {
    runner.log.get_or_insert_default()
}

/// Nothing can be read of the runner's `state`, or of that label.
fn set_aside(state: &mut HostState, id: &WorkloadId, what: &str) {
    let index = state.runners.iter().position(|runner| runner.id == *id).unwrap();
    let runner = state.runners.remove(index);
    let why = match what {
        "state" => "its state is `stopped`, which AutoGit does not know".to_owned(),
        label => format!("its label `io.autogit.{label}` cannot be read"),
    };
    state.aside.push(SetAside {
        id: runner.id,
        name: runner.name,
        variant: Some(runner.variant).filter(|_| what != "pool"),
        slot: Some(runner.slot).filter(|_| what != "slot"),
        system_id: Some(runner.system_id).filter(|_| what != "system-id"),
        record: Some(runner.record).filter(|_| what != "record"),
        cost: runner.cost.filter(|_| what != "gpus"),
        why: why.into(),
    });
}

fn rows_of_all(look: &mut Look, mut change: impl FnMut(&mut Vec<Manager>)) {
    for record in records_of(look) {
        change(known(&mut record.managers));
    }
}

fn job_of(text: &str) -> autogit::world::Job {
    let line = Line::of(text);
    let [id, tags, since] = line.head.as_slice() else { line.unknown(&line.head) };
    let tags: Vec<&str> = tags.split(',').filter(|tag| *tag != "-").collect();
    let mut job = job(number(id), &tags, seconds(since));
    for words in &line.attributes {
        match words.as_slice() {
            ["in", path] => {
                (job.project, job.project_path) = (ProjectId(id_of(path)), (*path).into());
            }
            ["unprotected"] => job.protected = Some(false),
            ["protection", "unknown"] => job.protected = None,
            ["no", "instance", "runners"] => job.instance_runners = Some(false),
            ["no", "group", "runners"] => job.group_runners = Some(false),
            other => line.unknown(other),
        }
    }
    job
}

fn add_record_words(look: &mut Look, text: &str) {
    let line = Line::of(text);
    let id = match line.head.as_slice() {
        ["unknown", error @ ..] => return lose(&mut look.records, 60, &error.join(" ")),
        ["row", id, whose, since] => {
            let id = RecordId(number(id));
            return add_row(look, id, whose, seconds(since), &line);
        }
        ["also", id, of] => {
            let record = record(look, RecordId(number(id)), &variant(of));
            let id = record.id;
            records_of(look).push(record);
            id
        }
        [of] => {
            let of = variant(of);
            let mut records = records_of(look).iter();
            records.find(|record| record.variant == of).map(|record| record.id).unwrap()
        }
        other => line.unknown(other),
    };
    line.attributes.iter().for_each(|words| change_record(look, id, &line, words));
}

fn add_row(look: &mut Look, id: RecordId, whose: &str, since: i64, line: &Line<'_>) {
    let (mut busy, mut caller) = (false, None);
    for words in &line.attributes {
        match words.as_slice() {
            ["busy"] => busy = true,
            [version, "at", address] => {
                let (version, address) = (Some((*version).into()), Some((*address).into()));
                caller = Some(Caller { version, address, ..Caller::default() });
            }
            ["first", since] => {
                let created_at = Some(ago(seconds(since)));
                caller = Some(Caller { created_at, ..caller.unwrap_or_default() });
            }
            other => line.unknown(other),
        }
    }
    let system_id = match whose.strip_prefix("r_") {
        Some(_) => SystemId::from_observed(whose),
        None => system_id(look, &spot(whose)),
    };
    let row = Manager { system_id, contacted_at: Some(ago(since)), busy, job: None, caller };
    let record = records_of(look).iter_mut().find(|record| record.id == id).unwrap();
    known(&mut record.managers).push(row);
}

fn change_record(look: &mut Look, id: RecordId, line: &Line<'_>, words: &[&str]) {
    let records = records_of(look);
    let index = records.iter().position(|record| record.id == id).unwrap();
    let record = &mut records[index];
    match words {
        ["gone"] => drop(records.remove(index)),
        ["token", "lost"] => record.token = Token::Lost,
        ["token", "unread", error @ ..] => {
            record.token = Token::Unread { error: error.join(" ").into() };
        }
        ["token", used, "of", whole] => {
            record.created_at = Some(ago(seconds(used)));
            record.token_expires_at = Some(ago(seconds(used) - seconds(whole)));
        }
        ["young", since] => record.created_at = Some(ago(seconds(since))),
        ["foreign"] => record.origin = Origin::Foreign,
        ["given"] => record.origin = Origin::Given,
        ["tags", tags @ ..] => {
            record.settings.tags = tags.iter().map(ToString::to_string).collect();
        }
        ["paused"] => record.settings.paused = true,
        ["untagged"] => record.settings.run_untagged = true,
        ["scope", "group", path] => {
            record.owner = Owner::Group(GroupId(id_of(path)));
        }
        ["of", "projects", paths @ ..] => {
            let projects = paths.iter().map(|path| ProjectId(id_of(path)));
            record.owner = Owner::Projects(projects.collect());
        }
        ["unseen", why @ ..] => record.unseen = Some(why.join(" ").into()),
        ["untold", why @ ..] => {
            record.origin = Origin::Untold;
            record.token = Token::Lost;
            record.unseen = Some(why.join(" ").into());
        }
        ["rows", "unknown"] => lose(&mut record.managers, 60, "gitlab failed with 502"),
        other => line.unknown(other),
    }
}

/// What a volume takes of the disk, and when it was made.
fn note_size(look: &mut Look, host: &HostName, name: &str, line: &Line<'_>) {
    let mut volume = VolumeUse { bytes: 0, created_at: None };
    for words in &line.attributes {
        match words.as_slice() {
            ["takes", gib] => volume.bytes = number::<u64>(gib) << 30,
            ["made", since] => volume.created_at = Some(ago(seconds(since))),
            _ => {}
        }
    }
    if volume.bytes > 0 {
        let disk = known(look.disks.get_mut(host).unwrap());
        disk.volumes.insert(name.to_owned(), volume);
    }
}

fn add_object(look: &mut Look, text: &str) {
    let line = Line::of(text);
    let [what, name, place] = line.head.as_slice() else { line.unknown(&line.head) };
    let has = |word: &str| line.attributes.iter().any(|words| *words == [word]);
    // Anyone's, where it is no place of ours.
    let (host, system_id) = match place.split_once('!') {
        Some((host_name, system_id)) => (host(host_name), SystemId::from_observed(system_id)),
        None => (spot(place).host, system_id(look, &spot(place))),
    };
    note_size(look, &host, name, &line);
    let jobs = &mut state_of(look, &host).jobs;
    match *what {
        "container" => {
            jobs.containers.push(job_container(JobId(number(name)), &system_id, !has("stopped")));
        }
        "volume" => {
            let kind = match (has("reusable"), has("temporary")) {
                (true, _) => VolumeKind::Reusable,
                (false, true) => VolumeKind::Temporary,
                (false, false) => VolumeKind::Other,
            };
            jobs.volumes.push(JobVolume { name: (*name).to_owned(), system_id, kind });
        }
        "network" => jobs.networks.push(JobNetworkObject { id: (*name).to_owned(), system_id }),
        other => line.unknown(&[other]),
    }
}
