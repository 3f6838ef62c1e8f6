//! What the loop counts and measures, for Prometheus.
//!
//! A label's value comes from the spec or from a closed set, never from a job, a project or a
//! container: the number of series follows from the spec alone, whatever the queue holds.

mod families;
mod gauges;
mod labels;
mod process;
mod prometheus_text;
mod spans;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::apply::{Effect, Outcome};
use crate::lock::locked;
use crate::plan::Action;
use crate::view::View;
use families::Families;
use labels::{Endpoint, Event, Kind, Pool, Reason, RuleLabel, state};
use spans::Spans;

/// The longest time between two looks that counts as runner time: a machine that slept did not run.
const LOOK_GAP_MAX: SignedDuration = SignedDuration::from_mins(10);

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which is older and read by everything.
    Prometheus,
}

/// Requests to GitLab by endpoint and status; status 0: no answer.
pub type Requests = BTreeMap<(&'static str, u16), u64>;

/// All metrics; clones share them. Taking them takes the lock for as long as writing some hundred
/// lines takes, so the loop never waits for whoever reads the answer.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    registry: Registry,
    families: Families,
    described: Vec<Described>,
    spans: Spans,
    requests: Requests,
    newest: Option<Arc<View>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("autogit");
        let (families, described) = Families::register(&mut registry);
        let inner = Inner {
            registry,
            families,
            described,
            spans: Spans::default(),
            requests: Requests::new(),
            newest: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }
}

/// What there is to know of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Without the endings that counters and histograms get.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// What it says.
    pub meaning: String,
}

/// Why a webhook was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// No token and no signature.
    Unsigned,
    /// A token or signature that is not right.
    Forged,
    /// A signature that is too old, or from the future.
    Expired,
}

impl WebhookRefusal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unsigned, Self::Forged, Self::Expired];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Expired => "expired",
        }
    }
}

/// Why a bearer token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerRefusal {
    /// None was sent.
    Missing,
    /// It is nobody's.
    Wrong,
    /// It is good for something else.
    Insufficient,
}

impl BearerRefusal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Wrong, Self::Insufficient];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Insufficient => "insufficient",
        }
    }
}

/// What a webhook tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookEvent {
    /// A job.
    Job,
    /// A pipeline.
    Pipeline,
    /// A push, of a branch or a tag.
    Push,
    /// Something that does not concern us.
    Other,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Job, Self::Pipeline, Self::Push, Self::Other];

    /// Its label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Pipeline => "pipeline",
            Self::Push => "push",
            Self::Other => "other",
        }
    }
}

/// What else is known when a tick is over.
#[derive(Debug)]
pub struct Measured {
    /// How long the tick took.
    pub took: SignedDuration,
    /// Requests to GitLab so far.
    pub requests: Requests,
    /// When AutoGit's own token ends.
    pub token_ends: Option<Timestamp>,
}

impl Metrics {
    /// Takes in what a tick saw and did.
    pub fn observe(&self, view: &Arc<View>, outcomes: &[Outcome], measured: Measured) {
        self.with(|inner| inner.observe(view, outcomes, measured));
    }

    /// A webhook was authentic.
    pub fn webhook_received(&self, event: WebhookEvent) {
        let label = Event { event: event.as_str() };
        self.with(|inner| inner.families.webhooks.get_or_create(&label).inc());
    }

    /// A webhook was refused.
    pub fn webhook_refused(&self, why: WebhookRefusal) {
        let label = Reason { reason: why.as_str() };
        self.with(|inner| inner.families.webhooks_refused.get_or_create(&label).inc());
    }

    /// A bearer token was refused.
    pub fn bearer_refused(&self, why: BearerRefusal) {
        let label = Reason { reason: why.as_str() };
        self.with(|inner| inner.families.bearers_refused.get_or_create(&label).inc());
    }

    /// The name of each metric, without the endings that counters and histograms get.
    pub fn names(&self) -> Vec<String> {
        self.described().into_iter().map(|metric| metric.name).collect()
    }

    /// Each metric with what it says.
    pub fn described(&self) -> Vec<Described> {
        self.with(|inner| inner.described.clone())
    }

    /// All metrics as text, ages by the time `now`, and what this process uses of the machine.
    pub fn encode(&self, now: Timestamp, exposition: Exposition) -> Result<String, fmt::Error> {
        let mut process = Registry::default();
        process::register(&mut process);
        let text = self.with(|inner| {
            if let Some(view) = &inner.newest {
                inner.families.set_ages(view, now);
            }
            let mut text = String::new();
            encode_registry(&mut text, &inner.registry)?;
            encode_registry(&mut text, &process)?;
            encode_eof(&mut text)?;
            Ok(text)
        })?;
        Ok(match exposition {
            Exposition::OpenMetrics => text,
            Exposition::Prometheus => prometheus_text::of(&text),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut locked(&self.inner))
    }
}

impl Inner {
    fn observe(&mut self, view: &Arc<View>, outcomes: &[Outcome], measured: Measured) {
        self.families.tick.observe(measured.took.as_secs_f64().max(0.0));
        self.count_outcomes(view, outcomes);
        self.count_requests(measured.requests);
        self.count_runner_time(view);
        for (pool, secs) in self.spans.waits(view) {
            self.families.job_wait.get_or_create(&Pool { pool }).observe(secs);
        }
        for (pool, secs) in self.spans.starts(view, outcomes) {
            self.families.runner_start.get_or_create(&Pool { pool }).observe(secs);
        }
        self.families.show(view, measured.token_ends);
        self.newest = Some(Arc::clone(view));
    }

    fn count_outcomes(&self, view: &View, outcomes: &[Outcome]) {
        for Outcome { decision, result, .. } in outcomes {
            let rule = RuleLabel { rule: decision.rule.as_str() };
            self.families.decisions.get_or_create(&rule).inc();
            if let Err(error) = result {
                let kind = Kind { kind: error.kind().as_str() };
                self.families.failures.get_or_create(&kind).inc();
            }
            if let (Action::Reap { runner, lost_job: Some(_), .. }, Ok(Effect::Done)) =
                (&decision.action, result)
            {
                let pool = gauges::pool_of(view, runner);
                self.families.lost_jobs.get_or_create(&Pool { pool }).inc();
            }
        }
    }

    /// The adapter counts from its making, and a reload may make another.
    fn count_requests(&mut self, requests: Requests) {
        for (key, count) in &requests {
            let before = self.requests.get(key).copied().unwrap_or(0);
            let more = count.checked_sub(before).unwrap_or(*count);
            let label = Endpoint { endpoint: key.0, status: labels::status(key.1) };
            self.families.requests.get_or_create(&label).inc_by(more);
        }
        self.requests = requests;
    }

    /// What each runner did since the last look counts as what it does now.
    fn count_runner_time(&self, view: &View) {
        let Some(before) = &self.newest else { return };
        let passed = view.world.now.duration_since(before.world.now);
        let secs = passed.clamp(SignedDuration::ZERO, LOOK_GAP_MAX).as_secs_f64();
        for ((pool, word), count) in gauges::runner_states(view) {
            let label = state(pool, word);
            let runners = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            self.families.runner_seconds.get_or_create(&label).inc_by(secs * runners);
        }
    }
}
