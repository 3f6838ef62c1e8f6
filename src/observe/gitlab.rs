//! GitLab's parts of a look: the records, the queue, and what is told of single jobs. Each is asked
//! by itself and goes on over several looks where GitLab takes long.

mod callers;
mod given;
mod jobs;
mod others;
mod probe;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join, select_all};

use super::Ports;
use super::read::{PATIENCE_ONCE, Read};
use super::reads::PATIENCE as HOSTS_PATIENCE;
use crate::clock::Clock;
use crate::gitlab::{GitlabError, Server};
use crate::spec::{Scope, Spec};
use crate::tokens::Tokens;
use crate::world::{
    Job, JobId, Look, Observed, Origin, OtherRunner, Place, Queue, Record, RecordId, Variant,
};

/// How long a look waits for each part: a busy GitLab that tells hundreds of projects' queues answers
/// all of it in less.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for what decides nothing.
const PATIENCE_FOR_NAMES: Duration = Duration::from_secs(1);

/// What the observer knows of GitLab between two looks.
#[derive(Debug)]
pub(super) struct GitlabSide {
    clock: Clock,
    pub(super) queue: Observed<Queue>,
    pub(super) records: Observed<Vec<Record>>,
    pub(super) scopes: BTreeMap<Scope, Result<Place, Arc<str>>>,
    probe: probe::Probe,
    callers: callers::Callers,
    in_turn: jobs::InTurn,
    names: jobs::Names,
    others: others::Others,
    reading: Reading,
    looks_once: bool,
    /// Jobs that were seen with a runner since the queue is being read.
    taken: BTreeSet<JobId>,
}

/// What is being read.
#[derive(Debug, Default)]
struct Reading {
    records: Option<RecordsRead>,
    queue: Option<Read<QueueTold>>,
    single: Option<Read<SingleTold>>,
}

#[derive(Debug)]
struct RecordsRead {
    spec: Arc<Spec>,
    /// Those that are asked for by their id where the list lacks them.
    named: BTreeMap<RecordId, Variant>,
    read: Read<records::Told>,
}

/// The queue, and which of the jobs that were asked about are over.
#[derive(Debug)]
struct QueueTold {
    probe: probe::Probe,
    over: Vec<JobId>,
    queue: Result<Queue, GitlabError>,
}

/// What was told of single jobs: what they are called, and who may take them.
#[derive(Debug)]
struct SingleTold {
    named: Vec<jobs::Named>,
    takers: Vec<(Job, Option<OtherRunner>)>,
}

impl GitlabSide {
    /// Knows nothing yet.
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.now();
        let unread = || Arc::from("not read yet");
        Self {
            clock,
            queue: Observed::Unknown { since: now, error: unread(), last: None },
            records: Observed::Unknown { since: now, error: unread(), last: None },
            scopes: BTreeMap::new(),
            probe: probe::Probe::default(),
            callers: callers::Callers::default(),
            in_turn: jobs::InTurn::default(),
            names: jobs::Names::default(),
            others: others::Others::default(),
            reading: Reading::default(),
            looks_once: false,
            taken: BTreeSet::new(),
        }
    }

    /// GitLab is reached in another way: the next look asks anew what server and token these are.
    pub(super) fn reconnect(&mut self) {
        self.reading = Reading::default();
        self.probe = probe::Probe::default();
        self.callers = callers::Callers::default();
    }

    /// It may be another GitLab, where the same ids name other things.
    pub(super) fn forget(&mut self) {
        *self = Self { looks_once: self.looks_once, ..Self::new(self.clock.clone()) };
    }

    /// This process changed something there: what is being read of the records may be from before.
    pub(super) fn changed(&mut self) {
        self.reading.records = None;
    }

    /// Who looks does so once, and waits for what takes long.
    pub(super) fn look_once(&mut self) {
        self.looks_once = true;
    }

    /// What server and token these are, once that was asked.
    pub(super) fn server(&self) -> Option<&Server> {
        self.probe.server.as_ref()
    }

    fn patience(&self) -> Duration {
        if self.looks_once { PATIENCE_ONCE } else { PATIENCE }
    }

    /// The scopes, and our records with their managers, for the hosts that `look` shows.
    pub(super) async fn read_records(
        &mut self,
        ports: &Ports,
        look: &mut Look,
        tokens: &mut Tokens,
    ) {
        let named = records::named(look, tokens);
        let goes_on = self.reading.records.take().filter(|goes_on| {
            // Of what a host shows since, nobody was asked whether it is gone.
            let asks_all = named.keys().all(|id| goes_on.named.contains_key(id));
            asks_all && Arc::ptr_eq(&goes_on.spec, &look.spec)
        });
        let RecordsRead { spec, named, mut read } = goes_on.unwrap_or_else(|| {
            let asked = records::Asked {
                probe: self.probe.clone(),
                given: tokens.given().to_vec(),
                callers: self.callers.clone(),
                named: named.clone(),
            };
            let read = records::read(Arc::clone(&ports.gitlab), look.clone(), asked);
            let read = Read::begin(look.now, read);
            RecordsRead { spec: Arc::clone(&look.spec), named, read }
        });
        let patience = self.patience();
        let answer = read.within(&self.clock, patience).await;
        look.now = self.clock.now();
        let before = self.records.clone();
        self.records = if let Some(told) = answer {
            self.scopes = told.scopes.clone();
            look.scopes.clone_from(&self.scopes);
            match self.take_records(told, ports, look, tokens).await {
                Ok(records) => before.next(read.began(), Ok(records)),
                Err(error) => {
                    look.memory.gitlab_failed_at = Some(look.now);
                    before.next(look.now, Err(error))
                }
            }
        } else {
            let words = read.words(look.now).into();
            self.reading.records = Some(RecordsRead { spec, named, read });
            before.next(look.now, Err(words))
        };
        look.records = self.records.clone();
    }

    async fn take_records(
        &mut self,
        told: records::Told,
        ports: &Ports,
        look: &Look,
        tokens: &mut Tokens,
    ) -> Result<Vec<Record>, Arc<str>> {
        (self.probe, self.callers) = (told.probe, told.callers);
        let mut records = told.records?;
        for id in told.gone {
            tokens.forget(id);
        }
        // A person may have reset one meanwhile.
        records.retain(|record| record.origin != Origin::Given || tokens.has(record.id));
        given::warn(look, &records, tokens);
        let late = self.clock.sleep(HOSTS_PATIENCE).shared();
        records::find_tokens(ports, (look, &mut records), tokens, late).await;
        Ok(records)
    }

    /// The pending jobs, and which of the jobs are over whose containers run on, or whose runner is
    /// gone.
    pub(super) async fn read_queue(&mut self, ports: &Ports, look: &mut Look) {
        let mut read = self.reading.queue.take().unwrap_or_else(|| {
            self.taken.clear();
            let gitlab = Arc::clone(&ports.gitlab);
            let mut probe = self.probe.clone();
            let asked = self.in_turn.next(look);
            Read::begin(self.clock.now(), async move {
                let over = jobs::over(gitlab.as_ref(), asked).await;
                let queue = match probe.ask(gitlab.as_ref()).await {
                    Ok(()) => gitlab.queue().await,
                    Err(error) => Err(error),
                };
                probe.note(&queue);
                QueueTold { probe, over, queue }
            })
        });
        // A GitLab that is waited for already is not waited for twice.
        let waits = self.reading.records.is_some();
        let patience = if waits { Duration::ZERO } else { self.patience() };
        let answer = read.within(&self.clock, patience).await;
        let (now, before) = (self.clock.now(), self.queue.clone());
        self.queue = if let Some(told) = answer {
            look.memory.over.extend(told.over);
            self.probe = told.probe;
            let at = if told.queue.is_ok() { read.began() } else { now };
            before.next(at, told.queue.map_err(|error| words(&error)))
        } else {
            let words = read.words(now).into();
            self.reading.queue = Some(read);
            before.next(now, Err(words))
        };
        self.names.note_queue(&self.queue);
        self.taken.extend(super::taken_jobs(look));
        look.queue = self.queue.clone();
        if let Observed::Known { value, .. } = &mut look.queue {
            value.jobs.retain(|job| !self.taken.contains(&job.id));
        }
    }

    /// What jobs are called that runners have, and which runners of others may take those that no
    /// pool may take.
    pub(super) async fn read_single(&mut self, ports: &Ports, look: &mut Look) {
        let unknown = self.names.unknown(&mut look.memory);
        // A GitLab that did not tell its queue just now has other things to do.
        if self.reading.single.is_none() && look.queue.known().is_some() {
            let without_taker = self.others.unknown(look);
            let records = look.records.last().into_iter().flatten().map(|record| record.id);
            let ours: BTreeSet<RecordId> = records.chain(look.records_in_use()).collect();
            let gitlab = Arc::clone(&ports.gitlab);
            if !unknown.is_empty() || !without_taker.is_empty() {
                self.reading.single = Some(Read::begin(self.clock.now(), async move {
                    let named = jobs::name(gitlab.as_ref(), unknown);
                    let takers = others::ask(gitlab.as_ref(), without_taker, &ours);
                    let (named, takers) = join(named, takers).await;
                    SingleTold { named, takers }
                }));
            }
        }
        let patience = if self.looks_once { PATIENCE_ONCE } else { PATIENCE_FOR_NAMES };
        if let Some(read) = &mut self.reading.single
            && let Some(told) = read.within(&self.clock, patience).await
        {
            self.reading.single = None;
            self.names.take(told.named, &mut look.memory);
            self.others.take(told.takers, look.now);
        }
        self.others.tell(look);
    }

    /// Goes on with what is being read until a part is over; for ever where nothing is.
    pub(super) async fn one_over(&mut self) {
        let Reading { records, queue, single } = &mut self.reading;
        let records = records.as_mut().and_then(|it| it.read.going_on()).map(FutureExt::boxed);
        let queue = queue.as_mut().and_then(Read::going_on).map(FutureExt::boxed);
        let single = single.as_mut().and_then(Read::going_on).map(FutureExt::boxed);
        let all: Vec<_> = records.into_iter().chain(queue).chain(single).collect();
        if all.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(all).await;
    }
}

fn words(error: &GitlabError) -> Arc<str> {
    error.to_string().into()
}
