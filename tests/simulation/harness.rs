//! The simulated world of one history, and what every part of the harness shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::invariants::{Broken, Fixture, Injected, SAFETY, Snapshot, first_broken};
use autogit::clock::Clock;
use autogit::reconcile::Planner;
use autogit::sandbox::engine::{Latencies, SimulatedEngine, SimulatedEngineSettings};
use autogit::sandbox::gitlab::{NewJob, NewRecord, RouterTransport, SimulatedGitlab, WaitsFor};
use autogit::spec::{Arch, HostName, LostJobs, Missing, Scope, Spec};
use autogit::view::View;
use autogit::world::{EngineId, JobId, ProjectId, RecordId, WorkloadId};
use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::chaos::{Chaos, Kind};
use crate::edits::{names, with_hosts};
use crate::engine_side::lead;
use crate::lags::Lags;
use crate::mutations::Mutation;
use crate::others;
use crate::recorder::Recorder;
use crate::runner_side::{Hung, RunnerSide};
use crate::switches::Switches;

pub(crate) const URL: &str = "http://gitlab.sim";
/// The oldest gitlab-runner that AutoGit takes, and the newest.
pub(crate) const IMAGES: [&str; 2] = [IMAGE, "gitlab/gitlab-runner:alpine-v19.4.0"];
pub(crate) const IMAGE: &str = "gitlab/gitlab-runner:alpine-v18.4.0";

/// The simulated world of one history; clones are the same one.
#[derive(Clone)]
pub(crate) struct Harness {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").finish_non_exhaustive()
    }
}

struct Inner {
    clock: Clock,
    ours: Clock,
    gitlab: SimulatedGitlab,
    transport: RouterTransport,
    api: SecretString,
    projects: Vec<ProjectId>,
    engines: BTreeMap<HostName, SimulatedEngine>,
    hosts: Mutex<&'static [&'static str]>,
    hung: Hung,
    chaos: Arc<Chaos>,
    page_size: Option<u64>,
    /// What GitLab answered last to each question, while it may be stale.
    answers: Mutex<BTreeMap<String, Response<Bytes>>>,
    lags: Lags,
    mutation: Option<&'static Mutation>,
    switches: Switches,
    /// When a host's list lacked something last.
    lacked: Mutex<BTreeMap<(HostName, &'static str), Timestamp>>,
    wanted: Mutex<Arc<Spec>>,
    /// Wakes in the order in which they wait, which a `watch` channel does not.
    edits: Notify,
    crashes: Notify,
    recorder: Mutex<Recorder>,
}

/// What a history begins with.
pub(crate) struct Setup {
    pub(crate) seed: u64,
    /// `autogit.yaml`.
    pub(crate) text: String,
    pub(crate) hosts: &'static [&'static str],
    /// Engines that no host is declared for yet.
    pub(crate) spare: &'static [&'static str],
    pub(crate) chaos: Chaos,
    /// What a page of a list holds; `None`: as many as is asked for.
    pub(crate) page_size: Option<u64>,
    pub(crate) mutation: Option<&'static Mutation>,
}

/// Reads a spec; `Err` says why it is not valid.
pub(crate) fn parse(text: &str) -> Result<Spec, String> {
    let parsed = Spec::parse("autogit.yaml", text, &|_| None, Missing::Fault);
    parsed.map(|parsed| parsed.spec).map_err(|faults| format!("{faults:?}\n{text}"))
}

fn engine(host: &HostName, seed: u64, clock: &Clock, gitlab: &Arc<RunnerSide>) -> SimulatedEngine {
    let engine = SimulatedEngine::new(SimulatedEngineSettings {
        emulates: std::collections::BTreeSet::new(),
        id: EngineId::from_observed(host.as_str()),
        arch: Arch::Amd64,
        cpus: 8.0,
        memory: 16 << 30,
        gpus: autogit::world::GpusSeen::default(),
        clock: clock.clone(),
        gitlab: Arc::clone(gitlab) as _,
        gitlab_url: URL.to_owned(),
        seed,
        latencies: Latencies::default(),
    });
    for image in IMAGES {
        engine.publish_image(image);
    }
    engine
}

impl Harness {
    pub(crate) fn new(setup: Setup) -> Self {
        let began = Timestamp::constant(1_767_323_045, 0);
        let (clock, ours) = (Clock::simulated(began, 1.0), Clock::simulated(began, 1.0));
        let spec = with_hosts(parse(&setup.text).expect("it is valid"), setup.hosts);
        let gitlab = SimulatedGitlab::new(clock.clone(), setup.seed);
        let root = gitlab.add_administrator("root");
        let api = gitlab.new_token(root, &["api"], None);
        let projects =
            ["team/app", "team/site", "infra/images"].map(|path| gitlab.add_project(path));
        let chaos = Arc::new(setup.chaos);
        let hung = Hung::default();
        let runner_side = Arc::new(RunnerSide {
            gitlab: gitlab.clone(),
            transport: gitlab.transport(),
            chaos: Arc::clone(&chaos),
            hung: hung.clone(),
        });
        let engine = |host: &HostName| engine(host, setup.seed, &clock, &runner_side);
        let hosts = names(setup.hosts).chain(names(setup.spare));
        let engines: BTreeMap<_, _> = hosts.map(|host| (host.clone(), engine(&host))).collect();
        let mut recorder = Recorder::new(began, Arc::clone(&spec));
        recorder.injected.others = others::plant(&gitlab, &engines);
        recorder.injected.secrets = vec![api.clone()];
        let harness = Inner {
            transport: gitlab.transport(),
            clock,
            ours,
            gitlab,
            api,
            projects: projects.into(),
            engines,
            hosts: Mutex::new(setup.hosts),
            hung,
            chaos,
            page_size: setup.page_size,
            answers: Mutex::default(),
            lags: Lags::default(),
            mutation: setup.mutation,
            switches: Switches::default(),
            lacked: Mutex::default(),
            wanted: Mutex::new(spec),
            edits: Notify::new(),
            crashes: Notify::new(),
            recorder: Mutex::new(recorder),
        };
        Self { inner: Arc::new(harness) }
    }

    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.inner.recorder.lock().unwrap()
    }

    /// The clock of GitLab and of the engines.
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The clock of AutoGit's machine.
    pub(crate) fn our_clock(&self) -> Clock {
        self.inner.ours.clone()
    }

    /// How far AutoGit's clock is ahead.
    pub(crate) fn our_lead(&self) -> SignedDuration {
        lead(self.inner.ours.now(), self.inner.clock.now())
    }

    pub(crate) fn jump(&self, by: SignedDuration) {
        self.inner.ours.jump(by);
        self.clock_was_set();
        // What was started before looks long ago, or not yet begun.
        self.recorder().watch.forget_starts();
    }

    /// From here on, times from before are off: a log's lines carry those of the clock of their day.
    pub(crate) fn clock_was_set(&self) {
        self.recorder().jumps += 1;
    }

    pub(crate) fn jumps(&self) -> u64 {
        self.recorder().jumps
    }

    pub(crate) fn gitlab(&self) -> &SimulatedGitlab {
        &self.inner.gitlab
    }

    pub(crate) fn gitlab_transport(&self) -> &RouterTransport {
        &self.inner.transport
    }

    pub(crate) fn api_token(&self) -> SecretString {
        self.inner.api.clone()
    }

    pub(crate) fn engines(&self) -> &BTreeMap<HostName, SimulatedEngine> {
        &self.inner.engines
    }

    pub(crate) fn projects(&self) -> &[ProjectId] {
        &self.inner.projects
    }

    pub(crate) fn hung(&self) -> &Hung {
        &self.inner.hung
    }

    pub(crate) fn chaos(&self) -> &Chaos {
        &self.inner.chaos
    }

    pub(crate) fn page_size(&self) -> Option<u64> {
        self.inner.page_size
    }

    /// What GitLab answered to the same question before.
    pub(crate) fn answered_before(&self, asked: &str) -> Option<Response<Bytes>> {
        self.inner.answers.lock().unwrap().get(asked).cloned()
    }

    pub(crate) fn note_answer(&self, asked: String, answer: &Response<Bytes>) {
        if self.inner.chaos.may_strike(Kind::GitlabStale) {
            self.inner.answers.lock().unwrap().insert(asked, answer.clone());
        }
    }

    /// What a list that lags tells in place of that answer.
    pub(crate) fn lagging(&self, asked: &str, answer: &Response<Bytes>) -> Option<Response<Bytes>> {
        self.inner.lags.told(&self.inner.chaos, self.inner.clock.now(), asked, answer)
    }

    pub(crate) fn refuse_records(&self, refuses: bool) {
        self.inner.switches.refuse_records(refuses);
    }

    pub(crate) fn refuses_records(&self) -> bool {
        self.inner.switches.refuses_records()
    }

    pub(crate) fn switches(&self) -> &Switches {
        &self.inner.switches
    }

    /// A list lacks something at most once a minute.
    pub(crate) fn may_lack(&self, host: &HostName, what: &'static str) -> bool {
        let now = self.inner.clock.now();
        let mut lacked = self.inner.lacked.lock().unwrap();
        let last = lacked.get(&(host.clone(), what)).copied();
        let may = last.is_none_or(|last| now.duration_since(last) > SignedDuration::from_mins(1));
        if may {
            lacked.insert((host.clone(), what), now);
            self.note(&format!("the list of {what} of {host} lacks something"));
        }
        may
    }

    /// A list lacked that runner.
    pub(crate) fn note_lacked(&self, runner: &WorkloadId) {
        self.recorder().lacked.insert(runner.clone());
    }

    pub(crate) fn mutation(&self) -> Option<&'static Mutation> {
        self.inner.mutation
    }

    pub(crate) fn planner(&self) -> Option<Planner> {
        self.inner.mutation.and_then(|mutation| mutation.planner())
    }

    /// The spec that the file holds.
    pub(crate) fn wanted(&self) -> Arc<Spec> {
        Arc::clone(&self.inner.wanted.lock().unwrap())
    }

    /// Ends when the file is written, from this call on.
    pub(crate) fn edit(&self) -> Notified<'_> {
        self.inner.edits.notified()
    }

    /// Writes the file; one that is not valid changes nothing.
    pub(crate) fn write_spec(&self, text: &str) -> bool {
        let parsed = parse(text);
        let valid = parsed.is_ok();
        if let Ok(spec) = parsed {
            self.put_down(spec);
        }
        valid
    }

    /// From now on the file declares these hosts.
    pub(crate) fn declare_hosts(&self, hosts: &'static [&'static str]) {
        *self.inner.hosts.lock().unwrap() = hosts;
        self.put_down(Spec::clone(&self.wanted()));
    }

    fn put_down(&self, spec: Spec) {
        let hosts = *self.inner.hosts.lock().unwrap();
        *self.inner.wanted.lock().unwrap() = with_hosts(spec, hosts);
        self.inner.edits.notify_waiters();
    }

    /// Some pool has its lost jobs queued again.
    pub(crate) fn retries(&self) -> bool {
        self.spec().pools.iter().any(|pool| pool.lost_jobs == LostJobs::Retry)
    }

    /// The spec that the running AutoGit has taken up.
    pub(crate) fn spec(&self) -> Arc<Spec> {
        Arc::clone(&self.recorder().spec)
    }

    pub(crate) fn takes_up(&self, spec: &Arc<Spec>, name: &str) {
        if !Arc::ptr_eq(&self.spec(), spec) {
            self.note(&format!("{name}: takes up a spec"));
            self.recorder().spec = Arc::clone(spec);
        }
    }

    pub(crate) fn injected(&self) -> Injected {
        self.recorder().injected.clone()
    }

    pub(crate) fn secrets(&self) -> Vec<SecretString> {
        self.recorder().injected.secrets.clone()
    }

    pub(crate) fn has_twins(&self) -> bool {
        self.recorder().injected.twins
    }

    /// From here on one AutoGit is alone; a tick that it is in began while it was not.
    pub(crate) fn end_of_twins(&self) {
        self.recorder().twins_end = self.has_twins();
    }

    /// A tick begins. What two of AutoGit did to each other's records is theirs.
    pub(crate) fn begin_tick(&self) {
        if !std::mem::take(&mut self.recorder().twins_end) {
            return;
        }
        let snapshot = self.snapshot();
        let mut recorder = self.recorder();
        // It may still start a runner with one that it knows of and that the other deleted.
        let there = |id: &RecordId| snapshot.records.iter().any(|record| record.id == *id);
        let lost = (0..=recorder.newest_record).map(RecordId).filter(|id| !there(id));
        let lost: Vec<RecordId> = lost.collect();
        recorder.injected.records_deleted.extend(lost);
        recorder.injected.of_twins = snapshot.records.iter().map(|record| record.id).collect();
        recorder.injected.twins = false;
        // Each keeps the limit for itself; neither knows what the other one started.
        recorder.watch.forget_starts();
    }

    pub(crate) fn doom(&self, jobs: impl IntoIterator<Item = JobId>) {
        self.recorder().injected.doomed.extend(jobs);
    }

    pub(crate) fn note_killed(&self, runners: impl IntoIterator<Item = WorkloadId>) {
        self.recorder().injected.killed.extend(runners);
    }

    pub(crate) fn note_deleted(&self, record: RecordId) {
        self.recorder().injected.records_deleted.insert(record);
    }

    /// Tokens that were made meanwhile are to be kept secret, too.
    pub(crate) fn learn_secrets(&self) {
        use secrecy::ExposeSecret as _;
        let tokens = self.inner.gitlab.record_tokens();
        let secrets = &mut self.recorder().injected.secrets;
        for token in tokens {
            if !secrets.iter().any(|known| known.expose_secret() == token.expose_secret()) {
                secrets.push(token);
            }
        }
    }

    pub(crate) fn note(&self, line: &str) {
        self.recorder().note(self.inner.clock.now(), line);
    }

    pub(crate) fn broke(&self, broken: Option<Broken>) {
        self.recorder().broke(self.inner.clock.now(), broken);
    }

    pub(crate) fn break_promise(&self, promise: &'static str, sentence: &'static str, how: String) {
        self.broke(Some(Broken { promise, sentence, how }));
    }

    /// The world as it is.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.spec(), &self.inner.gitlab, &self.inner.engines)
    }

    /// Checks all that must hold at every snapshot.
    pub(crate) fn check(&self) -> Snapshot {
        let snapshot = self.snapshot();
        let mut recorder = self.recorder();
        let newest = snapshot.records.iter().map(|record| record.id.0).max().unwrap_or(0);
        recorder.newest_record = recorder.newest_record.max(newest);
        let (fresh, made_lately) = recorder.watch.fresh(&snapshot);
        let records_made = recorder.watch.records_made(&snapshot);
        let injected = &recorder.injected;
        let fixture =
            Fixture { snapshot: &snapshot, injected, fresh: &fresh, made_lately, records_made };
        let broken = first_broken(SAFETY, |check| check(&fixture));
        recorder.broke(snapshot.at, broken);
        drop(recorder);
        for (_, runner) in fresh {
            if self.inner.chaos.strikes(Kind::RunnerNeverConnects) {
                self.note(&format!("{} never reaches GitLab", runner.name));
                self.inner.hung.insert(runner.system_id, runner.id);
            }
        }
        snapshot
    }

    /// Takes note of what AutoGit published.
    pub(crate) fn saw(&self, view: &Arc<View>) {
        let mut recorder = self.recorder();
        let now = self.inner.clock.now();
        recorder.take_log(now);
        recorder.ticks += 1;
        recorder.view = Some(Arc::clone(view));
        let empty = view.plan.is_empty();
        recorder.empty_plans = if empty { recorder.empty_plans + 1 } else { 0 };
        recorder.plans_on(view);
    }

    pub(crate) fn crashed(&self) {
        self.inner.crashes.notify_one();
    }

    /// Waits until an AutoGit crashes.
    pub(crate) async fn crash(&self) {
        self.inner.crashes.notified().await;
    }

    /// Queues a job.
    pub(crate) fn job(&self, tags: &[&str], duration: Duration, fails: bool) -> JobId {
        self.add_job(tags, duration, fails, WaitsFor::Runner)
    }

    /// Queues a job that GitLab will give to nobody.
    pub(crate) fn withheld_job(&self, tags: &[&str]) -> JobId {
        self.add_job(tags, Duration::from_secs(1), false, WaitsFor::Nobody)
    }

    fn add_job(
        &self,
        tags: &[&str],
        duration: Duration,
        fails: bool,
        waits_for: WaitsFor,
    ) -> JobId {
        let open = self.inner.gitlab.jobs_without_logs().len();
        let project = self.inner.projects[open % self.inner.projects.len()];
        let mut job = NewJob::new(project).tagged(tags);
        (job.duration, job.fails, job.waits_for) = (duration, fails, waits_for);
        let id = self.inner.gitlab.add_job(job);
        let tags = tags.join(",");
        self.note(&format!("job {id} [{tags}] of {duration:?} arrives, for {waits_for:?}"));
        id
    }

    /// Adds a record of a person's, or deletes the newest: what a page holds shifts.
    pub(crate) fn shift_pages(&self) {
        let gitlab = &self.inner.gitlab;
        let filler = |description: &str| description == "filler";
        let newest = gitlab.records().into_iter().rev().find(|it| filler(&it.description));
        if let Some(newest) = newest {
            gitlab.delete_record_by_hand(newest.id);
            self.note("a record of others is deleted between two pages");
            return;
        }
        gitlab.add_record_by_hand(NewRecord {
            scope: Scope::Instance,
            description: "filler".to_owned(),
            tags: vec!["filler".to_owned()],
            run_untagged: false,
            protected: false,
        });
        self.note("a record of others is made between two pages");
    }
}
