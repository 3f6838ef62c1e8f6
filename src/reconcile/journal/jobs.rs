//! What the log tells of jobs: taken, ended, and held for long.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::without_numbers;
use crate::view::{View, words};
use crate::world::{JobId, Phase, job_of};

/// A job that waits for longer than this is worth a line.
const LONG: SignedDuration = SignedDuration::from_mins(1);

/// Ids named in one line at most.
const NAMED_MAX: usize = 5;

/// What was said of jobs already.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// A view was seen before: what runs at the first one was not taken just now.
    begun: bool,
    /// Since when each pending job waits, as last read.
    queued: BTreeMap<JobId, Timestamp>,
    /// The jobs that runners of ours have.
    running: BTreeMap<JobId, Run>,
    /// What was said of jobs that are held for long, without its numbers.
    held: BTreeMap<JobId, String>,
    /// Those of which was said that their image is for another architecture.
    wrong_images: BTreeSet<JobId>,
}

/// A job in a runner of ours.
#[derive(Debug, Clone)]
struct Run {
    runner: String,
    pool: String,
    since: Timestamp,
}

impl Jobs {
    /// Says which jobs were taken, which ended, and which are held for long.
    pub(super) fn say(&mut self, view: &View) {
        self.say_runs(view);
        self.say_wrong_images(view);
        if let Some(queue) = view.world.queue.known() {
            self.say_held(view);
            self.queued = queue.jobs.iter().map(|job| (job.id, job.queued_at)).collect();
        }
        self.begun = true;
    }

    fn say_runs(&mut self, view: &View) {
        let (mut running, silent) = runs(view);
        let before = std::mem::take(&mut self.running);
        for (job, run) in &before {
            let goes_on = running.contains_key(job) || silent.contains(&run.runner);
            if goes_on {
                running.insert(*job, run.clone());
            } else {
                let lasted = words::since(view.world.now, run.since);
                tracing::info!(%job, pool = run.pool, runner = run.runner, lasted, "job ended");
            }
        }
        for (job, run) in running.iter().filter(|(job, _)| !before.contains_key(job)) {
            let queued_at = self.queued.get(job);
            let waited = queued_at.map(|queued_at| words::since(run.since, *queued_at));
            if self.begun {
                tracing::info!(%job, pool = run.pool, runner = run.runner, waited, "job taken");
            }
        }
        self.running = running;
    }

    fn say_wrong_images(&mut self, view: &View) {
        let found = &view.world.memory.wrong_images;
        for (job, wrong) in found.iter().filter(|(job, _)| !self.wrong_images.contains(job)) {
            tracing::warn!(%job, host = %wrong.host, "{wrong}");
        }
        self.wrong_images = found.keys().copied().collect();
    }

    /// Each job once, and again when it waits for something else; those that wait for the same in
    /// one line.
    fn say_held(&mut self, view: &View) {
        let jobs = view.jobs();
        let mut held = BTreeMap::new();
        let mut news: BTreeMap<String, (String, &str, Vec<String>)> = BTreeMap::new();
        for one in &view.plan.held_jobs {
            let Some(job) = jobs.get(&one.job) else { continue };
            if view.world.now.duration_since(job.queued_at) <= LONG {
                continue;
            }
            let (reason, why) = (one.hold.as_str(), one.hold.to_string());
            let key = format!("{reason} {}", without_numbers(&why));
            if self.held.get(&one.job) != Some(&key) {
                let first = || (why, reason, Vec::new());
                news.entry(key.clone()).or_insert_with(first).2.push(one.job.to_string());
            }
            held.insert(one.job, key);
        }
        self.held = held;
        for (why, reason, ids) in news.into_values() {
            let more = ids.len().saturating_sub(NAMED_MAX);
            let named: Vec<String> = ids.iter().take(NAMED_MAX).cloned().collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let jobs = format!("{}{more}", named.join(" "));
            let wait = if ids.len() == 1 { "job waits" } else { "jobs wait" };
            let why = words::plain_lines(&why);
            tracing::info!(reason, jobs, "{} {wait} for longer than a minute: {why}", ids.len());
        }
    }
}

/// The jobs that runners have, and the runners that have one that is not told.
fn runs(view: &View) -> (BTreeMap<JobId, Run>, BTreeSet<String>) {
    let (mut running, mut silent) = (BTreeMap::new(), BTreeSet::new());
    for runner in view.world.runners() {
        let name = runner.runner.name.to_string();
        if !matches!(runner.phase, Phase::Busy { .. } | Phase::Draining { busy: true, .. }) {
            continue;
        }
        match job_of(&view.world, &runner).and_then(|job| job.id) {
            Some(job) => {
                let busy = matches!(runner.phase, Phase::Busy { .. });
                let since = busy.then(|| view.since(&runner)).flatten();
                let pool = runner.runner.variant.pool.to_string();
                let since = since.unwrap_or(view.world.now);
                running.insert(job, Run { runner: name, pool, since });
            }
            None => {
                silent.insert(name);
            }
        }
    }
    (running, silent)
}
