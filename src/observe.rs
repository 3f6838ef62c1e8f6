//! The two ports to a [`Look`]: what is there, how old each part is, and what could not be read.
//!
//! The order of looking is what makes a lost race harmless: per host, what jobs made is read before
//! the runners, and the queue after both, so that a job that starts in between is seen twice rather
//! than not at all.

mod disks;
mod engines;
mod gitlab;
mod host;
mod missing;
mod read;
mod reads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::gitlab::{Gitlab, Server};
use crate::spec::{HostName, Spec};
use crate::tokens::Tokens;
use crate::world::{
    Host, HostState, JobId, Look, Memory, Observed, Unclaimed, World, note_observed,
};

use engines::Engines;

/// The two ports: GitLab, and an engine per declared host.
#[derive(Debug, Clone)]
pub struct Ports {
    /// GitLab.
    pub gitlab: Arc<dyn Gitlab>,
    /// The engines, by host.
    pub engines: BTreeMap<HostName, Arc<dyn Engine>>,
}

/// Looks at both ports, again and again, and remembers what was last seen.
#[derive(Debug)]
pub struct Observer {
    clock: Clock,
    reads: reads::Reads,
    disks: disks::Disks,
    /// Hosts whose disk was nearly full at the last look.
    nearly_full: BTreeSet<HostName>,
    hosts: BTreeMap<HostName, Host>,
    gitlab: gitlab::GitlabSide,
    remembered: missing::Remembered,
}

impl Observer {
    /// Has seen nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            gitlab: gitlab::GitlabSide::new(clock.clone()),
            clock,
            reads: reads::Reads::default(),
            disks: disks::Disks::default(),
            nearly_full: BTreeSet::new(),
            hosts: BTreeMap::new(),
            remembered: missing::Remembered::default(),
        }
    }

    /// The next look asks GitLab anew what server and token these are.
    pub fn reconnect(&mut self) {
        self.gitlab.reconnect();
        self.reads.forget();
        self.disks.forget();
    }

    /// The same, of a GitLab that may be another one: nothing that the last one told counts.
    pub fn reconnect_to_another(&mut self) {
        self.reconnect();
        self.gitlab.forget();
    }

    /// When AutoGit's own token ends, as far as GitLab told.
    pub fn token_ends(&self) -> Option<Timestamp> {
        self.server()?.token_expires_at
    }

    /// What server and token these are, once that was asked.
    pub fn server(&self) -> Option<&Server> {
        self.gitlab.server()
    }

    /// One look at everything, with `memory` brought up to what was seen.
    pub async fn look(
        &mut self,
        ports: &Ports,
        spec: &Arc<Spec>,
        tokens: &mut Tokens,
        memory: Memory,
    ) -> World {
        let before = self.hosts.clone();
        self.look_at_hosts(ports, spec).await;
        let is_near = |host: &HostName| self.nearly_full.contains(host);
        self.disks.read(ports, spec, &self.clock, is_near).await;
        let mut look = Look {
            now: self.clock.now(),
            spec: Arc::clone(spec),
            queue: self.gitlab.queue.clone(),
            records: self.gitlab.records.clone(),
            scopes: self.gitlab.scopes.clone(),
            hosts: self.hosts.clone(),
            disks: self.disks.told.clone(),
            memory,
        };
        self.gitlab.read_records(ports, &mut look, tokens).await;
        let engines = &ports.engines;
        self.remembered.complete(engines, &mut look, &before, &self.clock).await;
        self.hosts = look.hosts.clone();
        let is_wanting =
            |host: &&HostName| look.disk_room(host).is_some_and(|room| room.wanting() > 0);
        self.nearly_full = look.disks.keys().filter(is_wanting).cloned().collect();
        self.gitlab.read_queue(ports, &mut look).await;
        look.now = self.clock.now();
        let before = look.memory.unclaimed.clone();
        note_observed(&mut look);
        doubt_projects(ports, &look, &before);
        self.gitlab.read_single(ports, &mut look).await;
        World::of(look)
    }

    async fn look_at_hosts(&mut self, ports: &Ports, spec: &Arc<Spec>) {
        let answers = self.reads.take(ports, spec, &self.hosts, &self.clock).await;
        let now = self.clock.now();
        let mut before = std::mem::take(&mut self.hosts);
        let engines = Engines::of(spec, &before, &answers);
        for (name, answer) in answers {
            let unread =
                || Observed::Unknown { since: now, error: "not read yet".into(), last: None };
            let mut state = before.remove(&name).map_or_else(unread, |host| host.state);
            let (at, mut read) = match answer {
                // As old as the first of what was read.
                reads::Answer::Over(began, Ok(state)) => (began, Ok(*state)),
                reads::Answer::Over(_, Err(error)) => (now, Err(Arc::from(error.to_string()))),
                reads::Answer::Waits(words) => (now, Err(words.into())),
            };
            if let Some(words) = engines.of_another(&name) {
                (state, read) = (without_last(state, now), Err(words));
            }
            self.hosts.insert(name, Host { state: state.next(at, read) });
        }
        self.hosts.retain(|name, host| engines.may_be_looked_at(name, host));
    }

    /// Goes on with what is being read until a part is over; for ever where nothing is.
    pub(crate) async fn read_over(&mut self) {
        tokio::select! {
            biased;
            () = self.reads.one_over() => {}
            () = self.disks.one_over() => {}
            () = self.gitlab.one_over() => {}
        }
    }

    /// This process changed something at GitLab since a read of it may have begun.
    pub(crate) fn gitlab_changed(&mut self) {
        self.gitlab.changed();
    }

    /// Who looks does so once, and waits for what takes long.
    pub(crate) fn look_once(&mut self) {
        self.reads.look_once();
        self.disks.look_once();
        self.gitlab.look_once();
    }

    /// Since when that host is being read, if a read goes on from one look to the next.
    pub(crate) fn reads_since(&self, host: &HostName) -> Option<Timestamp> {
        self.reads.began(host)
    }
}

/// The same, as if nothing had been seen there.
fn without_last(state: Observed<HostState>, now: Timestamp) -> Observed<HostState> {
    match state {
        Observed::Known { .. } => Observed::Unknown { since: now, error: "".into(), last: None },
        Observed::Unknown { since, error, .. } => Observed::Unknown { since, error, last: None },
    }
}

/// A job that was just left alone shows that its project may have changed: it is asked again.
fn doubt_projects(ports: &Ports, look: &Look, before: &BTreeMap<JobId, Unclaimed>) {
    let times = |of: &BTreeMap<JobId, Unclaimed>, job| of.get(&job).map_or(0, |job| job.times);
    let jobs = look.queue.known().into_iter().flat_map(|queue| &queue.jobs);
    let left_alone =
        jobs.filter(|job| times(&look.memory.unclaimed, job.id) > times(before, job.id));
    let projects: BTreeSet<_> = left_alone.map(|job| job.project).collect();
    if !projects.is_empty() {
        ports.gitlab.doubt(&projects);
    }
}

/// Jobs that have a container, or that a runner's log says were picked up, are not pending. Jobs of
/// another GitLab on the same engine have the same numbers.
fn taken_jobs(look: &Look) -> BTreeSet<JobId> {
    let prefixes = look.prefixes();
    let states = look.hosts.values().filter_map(|host| host.state.known());
    let taken = states.flat_map(|state| {
        let containers = state.jobs.containers.iter().filter(|container| container.running);
        let containers = containers.filter(|container| {
            let url = container.job_url.as_deref();
            prefixes.has(&container.system_id) || url.is_some_and(|url| look.spec.gitlab.has(url))
        });
        let logs = state.runners.iter().filter_map(|runner| runner.log.as_ref()?.received);
        containers.filter_map(|container| container.job).chain(logs.map(|(job, _)| job))
    });
    taken.collect()
}
