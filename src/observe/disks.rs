//! What takes room on the hosts' disks. An engine measures it by walking through the files, which may
//! take minutes: so it is asked rarely, only where a budget has a limit, and no look waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::Ports;
use super::read::{PATIENCE_ONCE, Read, one_over};
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::spec::{HostName, Spec};
use crate::world::{DiskUse, Observed};

/// How often it is asked for.
const EVERY: SignedDuration = SignedDuration::from_mins(5);
/// The same where the limit is near: a job writes gigabytes in a minute.
const EVERY_NEAR: SignedDuration = SignedDuration::from_mins(1);
/// How long a look waits for it, once: a small disk is measured at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// What was told so long ago, while the engine still measures, is known no more.
const OUTDATED: SignedDuration = SignedDuration::from_mins(15);

/// What was told last, and what is being asked.
#[derive(Debug, Default)]
pub(super) struct Disks {
    reads: BTreeMap<HostName, Read<Result<DiskUse, EngineError>>>,
    asked_at: BTreeMap<HostName, Timestamp>,
    pub(super) told: BTreeMap<HostName, Observed<DiskUse>>,
    looks_once: bool,
}

impl Disks {
    /// Asks where it is time, and takes up what was answered; `is_near`: a host's limit is.
    pub(super) async fn read(
        &mut self,
        ports: &Ports,
        spec: &Spec,
        clock: &Clock,
        is_near: impl Fn(&HostName) -> bool,
    ) {
        let limited = |name: &HostName| {
            let budget = spec.hosts.get(name).map(|host| &host.budget);
            budget.is_some_and(|budget| budget.disk.is_some() || budget.disk_free.is_some())
        };
        self.told.retain(|name, _| limited(name));
        self.asked_at.retain(|name, _| limited(name));
        self.reads.retain(|name, _| limited(name) && ports.engines.contains_key(name));
        for (name, engine) in ports.engines.iter().filter(|(name, _)| limited(name)) {
            let now = clock.now();
            let every = if is_near(name) { EVERY_NEAR } else { EVERY };
            let is_due = self.asked_at.get(name).is_none_or(|at| {
                // A clock that was set back must not make this longer.
                now.duration_since(*at) >= every || now < *at
            });
            if is_due && !self.reads.contains_key(name) {
                let (engine, instance) = (Arc::clone(engine), spec.instance.clone());
                let read = Read::begin(now, async move { engine.disk(&instance).await });
                self.reads.insert(name.clone(), read);
                self.asked_at.insert(name.clone(), now);
            }
        }
        let patience = if self.looks_once { PATIENCE_ONCE } else { PATIENCE };
        let reads = self.reads.iter_mut().map(|(name, read)| async move {
            let answer = read.within(clock, patience).await;
            (name.clone(), read.began(), read.words(clock.now()), answer)
        });
        for (name, began, words, answer) in join_all(reads).await {
            self.take(&name, (began, words), answer, clock.now());
        }
    }

    /// Takes up what a read that began then has told, or that it goes on, as the words say.
    fn take(
        &mut self,
        name: &HostName,
        (began, words): (Timestamp, String),
        answer: Option<Result<DiskUse, EngineError>>,
        now: Timestamp,
    ) {
        let unread =
            || Observed::Unknown { since: began, error: "not read yet".into(), last: None };
        let before = self.told.remove(name).unwrap_or_else(unread);
        let is_outdated = matches!(&before, Observed::Known { at, .. }
            if now.duration_since(*at) > OUTDATED);
        let told = match answer {
            Some(Ok(disk)) => before.next(began, Ok(disk)),
            Some(Err(error)) => before.next(now, Err(error.to_string().into())),
            None if is_outdated => before.next(now, Err(words.into())),
            None => before,
        };
        if self.is_over(name) {
            self.reads.remove(name);
        }
        self.told.insert(name.clone(), told);
    }

    fn is_over(&mut self, name: &HostName) -> bool {
        self.reads.get_mut(name).is_some_and(|read| read.going_on().is_none())
    }

    /// Goes on with what is being asked until one answer came; for ever where nothing is.
    pub(super) async fn one_over(&mut self) {
        one_over(self.reads.values_mut()).await;
    }

    /// Who looks waits for each answer: there is no next look.
    pub(super) fn look_once(&mut self) {
        self.looks_once = true;
    }

    /// The hosts are reached in another way.
    pub(super) fn forget(&mut self) {
        self.reads.clear();
        self.asked_at.clear();
    }
}
