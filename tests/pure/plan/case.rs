//! A case file: a spec, and in a few words each what is there. Everything else is as AutoGit leaves
//! it: each variant has its record, each engine its network, each runner that made contact its row.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::spec::{HostName, HostSpec, PoolName, ServedPools};
use autogit::world::{
    AtWork, Backoff, Caller, Cause, ContainerState, Deed, GroupId, HostState, ImageState, JobId,
    JobNetworkObject, JobVolume, Look, Made, Manager, Observed, Origin, OtherRunner, Owner,
    ProjectId, RecordId, Runner, RunnerLog, RunnerName, SetAside, SpecHash, SystemId, Token,
    Unclaimed, VolumeKind, WorkloadId, World,
};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::plan::harness::{
    Doing, NOW, Spot, add_runner, ago, deny_missing, failed_start, host_spec, id_of, job,
    job_container, known, look, look_before, lose, queue, record, records_of, spec, state_of,
    system_id, tell,
};
use crate::plan::words::{Line, arch_of, doing, host, number, seconds, spot, variant};

/// A case file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    spec: serde_yaml::Value,
    /// Hosts beside `local`, and what is special of one: `arm64, budget runners 2, no network, lost
    /// 41s timed out`. The spec takes one host only, so far; the planner knows no such limit.
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

/// What the words say of the host's spec; the others are for the engine.
fn declare(host: &mut HostSpec, words: &[&str]) {
    match words {
        ["budget", "runners", most] => host.budget.runners = Some(number(most)),
        ["budget", "cpus", most] => host.budget.cpus = Some(number(most)),
        ["budget", "memory", gib] => host.budget.memory = Some(number::<u64>(gib) << 30),
        ["serves", pools @ ..] => {
            let pools = pools.iter().map(|pool| PoolName::new(pool).unwrap());
            host.pools = ServedPools::These(pools.collect());
        }
        _ => {}
    }
}

fn change_host(look: &mut Look, name: &HostName, line: &Line<'_>, words: &[&str]) {
    let state = state_of(look, name);
    match words {
        ["budget" | "serves" | "lost" | "never", ..] => {}
        ["undeclared"] => drop(Arc::make_mut(&mut look.spec).hosts.remove(name)),
        ["cpus", cpus] => state.engine.node.cpus = number(cpus),
        ["memory", gib] => state.engine.node.memory = number::<u64>(gib) << 30,
        ["no", "network"] => state.network = None,
        ["no", "image"] => {
            state.images.values_mut().for_each(|image| *image = Ok(ImageState::Absent));
        }
        ["image", "for", arch] => {
            let other = ImageState::OtherArch(arch_of(arch));
            state.images.values_mut().for_each(|image| *image = Ok(other));
        }
        ["image", "untold", error @ ..] => {
            let error = Arc::<str>::from(error.join(" "));
            state.images.values_mut().for_each(|image| *image = Err(Arc::clone(&error)));
        }
        ["empty", "network"] => known_network(state).containers = 0,
        ["foreign", "network"] => known_network(state).ours = false,
        other => line.unknown(other),
    }
}

fn lose_host(look: &mut Look, name: &HostName, words: &[&str]) {
    let host = look.hosts.get_mut(name).unwrap();
    match words {
        ["lost", since, error @ ..] => lose(&mut host.state, seconds(since), &error.join(" ")),
        ["never", "seen"] => {
            let error = "connect timed out".into();
            host.state = Observed::Unknown { since: ago(60), error, last: None };
        }
        _ => {}
    }
}

fn known_network(state: &mut HostState) -> &mut autogit::world::NetworkState {
    state.network.as_mut().unwrap()
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

fn add_object(look: &mut Look, text: &str) {
    let line = Line::of(text);
    let [what, name, place] = line.head.as_slice() else { line.unknown(&line.head) };
    let has = |word: &str| line.attributes.iter().any(|words| *words == [word]);
    // Anyone's, where it is no place of ours.
    let (host, system_id) = match place.split_once('!') {
        Some((host_name, system_id)) => (host(host_name), SystemId::from_observed(system_id)),
        None => (spot(place).host, system_id(look, &spot(place))),
    };
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

fn remember(look: &mut Look, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let later = |word: &str| NOW + SignedDuration::from_secs(seconds(word));
    let instance = look.spec.instance.clone();
    let name = |word: &str| RunnerName::new(&instance, &spot(word).variant, spot(word).slot);
    match words.as_slice() {
        ["started", count, since] => {
            let starts = std::iter::repeat_n(failed_start(seconds(since)), number(count));
            look.memory.starts.extend(starts);
        }
        ["made", place, since] => {
            let id = WorkloadId::from_observed(&format!("{}-{}", spot(place).host, name(place)));
            look.memory.runner_mut(&id).made = Some(ago(seconds(since)));
        }
        ["gone", "with", job, place, since] => {
            // As it was last seen.
            let spot = spot(place);
            let id = add_runner(look, &spot, Doing::Busy(number(job), 300));
            let state = state_of(look, &spot.host);
            let index = state.runners.iter().position(|runner| runner.id == id).unwrap();
            let runner = state.runners.remove(index);
            state.jobs.containers.retain(|container| container.system_id != runner.system_id);
            let work = AtWork {
                host: spot.host,
                runner,
                job: JobId(number(job)),
                url: None,
                project: None,
                gone_since: Some(ago(seconds(since))),
            };
            look.memory.runner_mut(&id).at_work = Some(work);
        }
        ["backoff", of, left, error @ ..] => {
            let (of, until, error) = (variant(of), later(left), error.join(" ").into());
            let backoff = Backoff { cause: Cause::Start, failures: 2, until, error };
            look.memory.backoffs.insert(of, backoff);
        }
        ["network", host_name, left, error @ ..] => {
            let (until, error) = (later(left), error.join(" ").into());
            let backoff = Backoff { cause: Cause::Network, failures: 1, until, error };
            look.memory.networks.insert(host(host_name), backoff);
        }
        ["other", job, runner, name @ ..] => {
            let (id, name) = (RecordId(number(runner)), name.join(" ").into());
            let runner = OtherRunner { id, name, of_instance: false };
            look.memory.other_runners.insert(JobId(number(job)), runner);
        }
        ["unclaimed", job, times, left] => {
            let unclaimed = Unclaimed { times: number(times), until: later(left) };
            look.memory.unclaimed.insert(JobId(number(job)), unclaimed);
        }
        ["in", "doubt", place, since] => {
            let value = (spot(place).host, ago(seconds(since)));
            look.memory.in_doubt.insert(name(place), value);
        }
        ["taken", place, left] => drop(look.memory.taken.insert(name(place), later(left))),
        ["looked", "before"] => look_before(look),
        other => remember_deeds(look, other),
    }
}

/// What this process did before.
fn remember_deeds(look: &mut Look, words: &[&str]) {
    let own = &mut look.memory.own_records;
    match words {
        ["reaped", place, times, since] => {
            let spot = spot(place);
            let name = RunnerName::new(&look.spec.instance, &spot.variant, spot.slot);
            let id = WorkloadId::from_observed(&format!("{}-{name}", spot.host));
            for _ in 0..number(times) {
                look.memory.note_effort(Deed::Reap(id.clone()), None, ago(seconds(since)));
            }
        }
        ["pulling", image, "on", host_name] => {
            let (host, image) = (host(host_name), (*image).to_owned());
            state_of(look, &host).images.insert(image.clone(), Ok(ImageState::Absent));
            look.memory.under_way.insert(Deed::PullImage { host, image }, ago(20));
        }
        ["pulled", times, "times", since, "ago", "on", host_name] => {
            let (host, image) = (host(host_name), look.spec.pools[0].runner_image.clone());
            let pull = Deed::PullImage { host, image };
            for _ in 0..number(times) {
                look.memory.note_effort(pull.clone(), None, ago(seconds(since)));
            }
        }
        ["starting", place, since] => {
            let Spot { host, variant, slot } = spot(place);
            let runner = RunnerName::new(&look.spec.instance, &variant, slot);
            let start = Deed::Start { host, variant, slot, runner };
            look.memory.under_way.insert(start, ago(seconds(since)));
        }
        ["asked", place] => {
            let spot = spot(place);
            let name = RunnerName::new(&look.spec.instance, &spot.variant, spot.slot);
            look.memory.asked.insert(name);
        }
        ["began", since, "after", newest] => {
            own.began = Some(ago(seconds(since)));
            own.newest_before = Some(RecordId(number(newest)));
        }
        ["own", "record", id] => {
            own.made.insert(RecordId(number(id)), Made { at: ago(0), shown: true });
        }
        ["asked", "for", "record", of, since] => own.asked(&variant(of), ago(seconds(since))),
        other => panic!("`{}` is not understood", other.join(" ")),
    }
}
