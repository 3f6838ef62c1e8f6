//! What a self-test saw, as JSON: each job with its stages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What a self-test saw.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SelftestOutput {
    /// Every job of every run ended well, and its runner with it.
    pub pass: bool,
    /// The project that it was in.
    pub project: String,
    /// It was made for this.
    pub created: bool,
    /// Pools without a job, and why.
    pub skipped: BTreeMap<String, String>,
    /// The runs, one after the other.
    pub runs: Vec<RunOutput>,
    /// Of each pool and stage, over all runs that reached it: seconds since the trigger.
    pub summary: BTreeMap<String, BTreeMap<&'static str, SpreadOutput>>,
    /// What could not be removed, and how a person does it.
    pub left: Vec<String>,
}

/// One pipeline.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RunOutput {
    /// GitLab's id of it.
    pub pipeline: u64,
    /// When it was asked for, in UTC.
    pub triggered_at: String,
    /// Its jobs, one for each pool, in the pools' order.
    pub jobs: Vec<FollowedOutput>,
}

/// One job and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FollowedOutput {
    /// The pool whose tags it has.
    pub pool: String,
    /// GitLab's id; none where the pipeline has no such job.
    pub job: Option<u64>,
    /// GitLab's word for how it stands.
    pub status: String,
    /// The runner that had it.
    pub runner: Option<String>,
    /// What the stages do not say of its runner: it was there before, or stays.
    pub note: Option<String>,
    /// Why it did not pass.
    pub problem: Option<String>,
    /// The stages that it reached, in their order.
    pub stages: Vec<StageOutput>,
}

/// A stage that was reached.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StageOutput {
    /// `pending`, `matched`, `started`, `online`, `picked-up`, `first-line`, `finished`, `drained` or
    /// `gone`.
    pub stage: &'static str,
    /// Seconds since the trigger.
    pub secs: f64,
    /// Who says so: `gitlab`, `autogit`, or `log`, which is the job's own.
    pub source: &'static str,
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct SpreadOutput {
    /// The middle one.
    pub median_secs: f64,
    /// The shortest.
    pub min_secs: f64,
    /// The longest.
    pub max_secs: f64,
}

impl SpreadOutput {
    /// None of nothing.
    pub(crate) fn of(mut secs: Vec<f64>) -> Option<Self> {
        secs.sort_by(f64::total_cmp);
        let middle = secs.len() / 2;
        let upper = *secs.get(middle)?;
        let even = secs.len().is_multiple_of(2);
        let lower = if even { *secs.get(middle.saturating_sub(1))? } else { upper };
        Some(Self {
            median_secs: f64::midpoint(lower, upper),
            min_secs: *secs.first()?,
            max_secs: *secs.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = SpreadOutput::of(vec![9.0, 1.0, 2.0, 3.0]).unwrap();
        let expected = SpreadOutput { median_secs: 2.5, min_secs: 1.0, max_secs: 9.0 };
        assert_eq!(spread, expected);
        assert_eq!(SpreadOutput::of(Vec::new()), None);
    }
}
