//! Why a pool has its size.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::Waiting;
use super::{AsOf, WarmNowOutput, words};
use crate::plan::{Facts, JobHold, RunnerHold, images_never_pulled};
use crate::spec::{Pool, PoolName};
use crate::world::{Observed, Trouble};

impl AsOf<'_> {
    /// Why a pool has its size: what is about to change, what its jobs and its warm runners wait
    /// for, what keeps its runners.
    pub(crate) fn why_of(&self, pool: &Pool) -> String {
        let name = &pool.name;
        let mut reasons = Vec::new();
        if !pool.enabled {
            reasons.push("disabled, so its runners drain".to_owned());
        }
        for (variant, backoff) in &self.world.memory.backoffs {
            if variant.pool == *name && backoff.until > self.world.now {
                let left = self.left(backoff.until);
                let error = words::plain(&backoff.error);
                reasons.push(format!("`{variant}` failed and is tried again in {left}: {error}"));
            }
        }
        reasons.extend(self.changes(name));
        for reason in self.reasons_of(name) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        // Without a job nobody waits for it, and a misspelt scope gets none.
        if pool.enabled
            && let Some(Err(error)) = self.world.scopes.get(&pool.scope)
            && !reasons.iter().any(|reason| reason.contains(&**error))
        {
            let error = words::plain(error);
            reasons.push(format!("what the scope of pool `{name}` holds is not known: {error}"));
        }
        // Without a job nobody waits for it either.
        for (_, hold) in images_never_pulled(&self.world).filter(|(of, _)| of.name == *name) {
            let missing = words::plain_lines(&hold.to_string());
            if !reasons.iter().any(|reason| reason.contains(&missing)) {
                reasons.push(missing);
            }
        }
        for ((host, image), backoff) in &self.world.memory.unkept {
            let its = pool.images.as_ref().is_some_and(|images| images.contains(image));
            if its && backoff.until > self.world.now {
                let left = self.left(backoff.until);
                let error = words::plain(&backoff.error);
                let what = format!("image `{image}` is not kept ready on {host}");
                reasons.push(format!("{what}; tried again in {left}: {error}"));
            }
        }
        reasons.extend(self.troubles(name));
        reasons.extend(self.kept(name));
        reasons.extend(self.unread(pool));
        let warm = pool.enabled.then(|| WarmNowOutput::of(pool, self.world.now)).flatten();
        let warm = warm.map(|warm| warm.in_words(pool.warm.total(self.world.now)));
        let why = match &self.world.queue {
            _ if !reasons.is_empty() => reasons.join("; "),
            Observed::Known { value, .. } if value.more => {
                "no jobs among those that were read, so no runners".to_owned()
            }
            Observed::Known { .. } | Observed::Unknown { .. } => {
                "no jobs, so no runners".to_owned()
            }
        };
        [Some(why), warm].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// What this plan does about it.
    fn changes(&self, pool: &PoolName) -> Vec<String> {
        let decisions = self.plan.decisions.iter();
        let about = decisions.filter(|decision| {
            let variant = decision.action.variant();
            variant.is_some_and(|variant| variant.pool == *pool)
                && !matches!(
                    decision.facts,
                    Facts::Exited { .. } | Facts::Unstarted | Facts::Vanished { .. }
                )
        });
        let mut rules = BTreeSet::new();
        let first = about.filter(|it| rules.insert((it.rule, it.action.variant())));
        first.map(|decision| format!("{}: {}", decision.rule, decision.facts)).collect()
    }

    /// Each distinct reason of the jobs that wait for the pool, in the words of the oldest, and of
    /// warm runners that it lacks.
    fn reasons_of(&self, pool: &PoolName) -> Vec<String> {
        let offers = self.world.offers();
        let mut known = BTreeSet::new();
        let mut waits = Vec::new();
        for Waiting { offer, hold, .. } in self.waiting(&offers) {
            let Some(hold) = hold else { continue };
            let its = offer.is_some_and(|offer| offer.pool.name == *pool);
            if (its || hold.pool() == Some(pool)) && known.insert(hold.as_str()) {
                waits.extend(pool_words(&hold.later(self.view_age())));
            }
        }
        for unmet in self.plan.unmet_warm.iter().filter(|unmet| unmet.variant.pool == *pool) {
            if known.insert(unmet.hold.as_str()) {
                let short = words::count(unmet.missing as usize, "warm runner");
                let why = unmet.hold.later(self.view_age()).to_string();
                let why = words::plain_lines(&why);
                waits.push(format!("{short} short: {why}"));
            }
        }
        waits
    }

    /// What could not be read, so that it is not known whether jobs wait for it.
    fn unread(&self, pool: &Pool) -> Vec<String> {
        let mut unread = Vec::new();
        if pool.enabled && self.world.queue.known().is_none() {
            unread.push("the queue is unknown, so nothing is started for it".to_owned());
        }
        // Without its host nobody knows what it would take; else its jobs' reasons tell of hosts.
        let without_host = pool.enabled && self.world.may_have_more_architectures(pool);
        for (name, host) in self.world.hosts.iter().filter(|_| without_host) {
            if let Observed::Unknown { error, .. } = &host.state
                && self.world.serves(name, pool)
            {
                unread.push(format!("host `{name}` could not be read: {}", words::plain(error)));
            }
        }
        unread
    }

    /// What the logs of its runners say is wrong, each once.
    fn troubles(&self, pool: &PoolName) -> BTreeSet<String> {
        let views = self.world.runners().into_iter();
        let views = views.filter(|view| view.runner.variant.pool == *pool);
        let troubles = views.filter_map(|view| Trouble::of(view.runner, &view.phase));
        troubles.map(|trouble| words::plain(&trouble.to_string()).into_owned()).collect()
    }

    /// `2 busy, 1 warm`
    fn kept(&self, pool: &PoolName) -> Option<String> {
        let runners = self.runner_views();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for held in &self.plan.held_runners {
            let view = runners.get(held.runner.as_str());
            if view.is_some_and(|view| view.runner.variant.pool == *pool) {
                *counts.entry(RunnerHold::as_str(&held.hold)).or_default() += 1;
            }
        }
        let words: Vec<String> =
            counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// What a job waits for, said of its pool. A runner that starts is told among the runners.
fn pool_words(hold: &JobHold) -> Option<String> {
    match hold {
        JobHold::Starting { .. } => None,
        JobHold::PoolAtMax { max, unseen: 0, .. } => Some(format!("at its max of {max}")),
        JobHold::PoolAtMax { max, unseen, .. } => {
            Some(format!("at its max of {max}, {unseen} of them on no host that is seen"))
        }
        JobHold::NoPoolMatches { .. }
        | JobHold::OtherRunner { .. }
        | JobHold::Protected { .. }
        | JobHold::Scope { .. }
        | JobHold::ScopeUnresolved { .. }
        | JobHold::SwitchedOff { .. }
        | JobHold::Disabled { .. }
        | JobHold::HostBudget { .. }
        | JobHold::StartRate { .. }
        | JobHold::BackingOff { .. }
        | JobHold::Unclaimed { .. }
        | JobHold::Unseen { .. }
        | JobHold::ImagePull { .. }
        | JobHold::NoImage { .. }
        | JobHold::NoNetwork { .. }
        | JobHold::DiskFull { .. }
        | JobHold::Maintenance { .. }
        | JobHold::ForeignRecord { .. }
        | JobHold::AnotherAutogit { .. }
        | JobHold::Paused { .. } => Some(words::plain_lines(&hold.to_string())),
    }
}
