//! What happened in a history, and the first promise that was broken.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::invariants::{Broken, Injected, Watch, no_secret_in};
use autogit::spec::{HostName, Spec};
use autogit::view::View;
use autogit::world::WorkloadId;
use jiff::Timestamp;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// What happened, line by line.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) lines: Vec<String>,
    pub(crate) broken: Option<Broken>,
    pub(crate) injected: Injected,
    pub(crate) watch: Watch,
    /// The spec that the running AutoGit has taken up.
    pub(crate) spec: Arc<Spec>,
    /// What AutoGit published last.
    pub(crate) view: Option<Arc<View>>,
    pub(crate) ticks: u64,
    /// Ticks in a row whose plan was empty.
    pub(crate) empty_plans: u32,
    pub(crate) jumps: u64,
    /// GitLab's clock was set: how old its records are by it is something else.
    pub(crate) gitlab_was_set: bool,
    /// The highest id that a record had so far.
    pub(crate) newest_record: u64,
    /// With its next tick the AutoGit that is left is alone.
    pub(crate) twins_end: bool,
    /// Runners that a list lacked once.
    pub(crate) lacked: BTreeSet<WorkloadId>,
    /// Containers that their engine is removing, and until when.
    pub(crate) removing: BTreeMap<WorkloadId, (HostName, Timestamp)>,
    began: Timestamp,
    log: Log,
}

impl Recorder {
    pub(crate) fn new(began: Timestamp, spec: Arc<Spec>) -> Self {
        Self {
            lines: Vec::new(),
            broken: None,
            injected: Injected::default(),
            watch: Watch::default(),
            spec,
            view: None,
            ticks: 0,
            empty_plans: 0,
            jumps: 0,
            gitlab_was_set: false,
            newest_record: 0,
            twins_end: false,
            lacked: BTreeSet::new(),
            removing: BTreeMap::new(),
            began,
            log: Log::default(),
        }
    }

    /// Adds what the log said meanwhile, then `line`.
    pub(crate) fn note(&mut self, now: Timestamp, line: &str) {
        self.take_log(now);
        self.write(now, line);
    }

    /// Adds what the log said.
    pub(crate) fn take_log(&mut self, now: Timestamp) {
        let said = std::mem::take(&mut *self.log.0.lock().unwrap());
        let said = String::from_utf8_lossy(&said).into_owned();
        if said.is_empty() {
            return;
        }
        if let Err(how) = no_secret_in(&self.injected.secrets, &said, "the log") {
            self.break_promise("no_secret_is_logged", "no token is in a line of the log", how);
        }
        said.lines().for_each(|line| self.write(now, &format!("  log: {}", line.trim())));
    }

    /// What the AutoGit that published `view` cannot count: hosts that it has never seen, and
    /// runners that the list lacks which it has.
    pub(crate) fn plans_on(&mut self, view: &View) {
        let hosts = view.world.hosts.iter();
        let unseen = hosts.clone().filter(|(_, host)| host.state.last().is_none());
        self.injected.unseen = unseen.map(|(name, _)| name.clone()).collect();
        let lists = hosts.filter_map(|(_, host)| host.state.last());
        let listed: BTreeSet<&WorkloadId> =
            lists.flat_map(|state| &state.runners).map(|runner| &runner.id).collect();
        let unlisted = self.lacked.iter().filter(|id| !listed.contains(id));
        self.injected.unlisted = unlisted.cloned().collect();
    }

    fn write(&mut self, now: Timestamp, line: &str) {
        let millis = now.duration_since(self.began).as_millis();
        self.lines.push(format!("{:>8}.{:03} {line}", millis / 1000, millis % 1000));
    }

    /// Keeps the first promise that is broken.
    pub(crate) fn broke(&mut self, now: Timestamp, broken: Option<Broken>) {
        if let Some(broken) = broken.filter(|_| self.broken.is_none()) {
            self.note(now, &format!("BROKEN {broken}"));
            self.broken = Some(broken);
        }
    }

    pub(crate) fn break_promise(
        &mut self,
        promise: &'static str,
        sentence: &'static str,
        how: String,
    ) {
        if self.broken.is_none() {
            self.broken = Some(Broken { promise, sentence, how });
        }
    }

    /// Catches this thread's log until the guard is dropped.
    pub(crate) fn catch_log(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.log.clone())
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .with_max_level(tracing::Level::INFO)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

/// A log in memory.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
