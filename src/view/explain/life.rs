//! The life of a runner so far, as its container, its log and GitLab tell it.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsOf;
use crate::view::words;
use crate::world::{ContainerState, Phase, RunnerView};

/// One thing that happened to a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LifeOutput {
    /// When, in UTC.
    pub at: String,
    /// How long ago.
    pub ago: String,
    /// What: `created`, `started`, `contact`, `received`, `ended`, `idle`, `draining`, `failed` or
    /// `exited`.
    pub what: Cow<'static, str>,
    /// The same in words, with what belongs to it.
    pub words: String,
    /// Who says so: `engine`, `gitlab`, `log` or `autogit`.
    pub source: Cow<'static, str>,
}

impl AsOf<'_> {
    /// What is known of a runner's life, oldest first. Only its last job is told, and of its contacts
    /// the last.
    pub(super) fn life(&self, view: &RunnerView<'_>) -> Vec<LifeOutput> {
        let runner = view.runner;
        let mut life: Vec<(Timestamp, &'static str, String, &'static str)> = Vec::new();
        life.push((runner.created_at, "created", "its container was made".to_owned(), "engine"));
        if let ContainerState::Running { started_at } = runner.state {
            life.push((started_at, "started", "its process began".to_owned(), "engine"));
        }
        let records = self.world.records.last().into_iter().flat_map(|records| records.iter());
        let own = records.filter(|record| record.id == runner.record);
        let rows = own.filter_map(|record| record.managers.last()).flatten();
        let contact = rows.filter(|row| row.system_id == runner.system_id);
        if let Some(at) = contact.filter_map(|row| row.contacted_at).max() {
            life.push((
                at,
                "contact",
                "its last contact that GitLab tells of".to_owned(),
                "gitlab",
            ));
        }
        if let Some(log) = &runner.log {
            if let Some((job, at)) = log.received {
                life.push((at, "received", format!("it took job {job}"), "log"));
            }
            if let Some(at) = log.ended {
                let jobs = words::count(log.jobs_ended as usize, "job");
                life.push((at, "ended", format!("a job ended; {jobs} so far"), "log"));
            }
        }
        match view.phase {
            Phase::Idle { since } => {
                life.push((since, "idle", "it is idle since then".to_owned(), "autogit"));
            }
            Phase::Draining { since, busy } => {
                let after = if busy { ", and ends its job first" } else { "" };
                life.push((since, "draining", format!("it was asked to exit{after}"), "autogit"));
            }
            Phase::Failed { since } => {
                let words = "it made no contact in time, counted from then";
                life.push((since, "failed", words.to_owned(), "autogit"));
            }
            Phase::Exited { code, at } => {
                life.push((at, "exited", format!("its process ended with {code}"), "engine"));
            }
            Phase::Created | Phase::Starting { .. } | Phase::Busy { .. } => {}
        }
        life.sort_by_key(|(at, ..)| *at);
        let shown = life.into_iter().map(|(at, what, words, source)| LifeOutput {
            at: words::instant(at),
            ago: self.lasting(at),
            what: what.into(),
            words,
            source: source.into(),
        });
        shown.collect()
    }
}
