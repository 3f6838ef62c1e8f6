//! The jobs that wait, put together by what they wait for, so that a long queue stays readable.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::cli::text::{RenderOptions, Table};
use crate::view::{HeldJobOutput, HeldOutput, JobIdOutput, PlanOutput, words};

/// Groups shown at most without `--verbose`: what fits a screen beside the rest of a plan.
const GROUPS_MAX: usize = 12;
/// Job ids shown of a group at most without `--verbose`.
const IDS_MAX: usize = 5;

/// Jobs of one project with the same tags that wait for the same.
#[derive(Debug)]
pub(crate) struct WaitGroup<'a> {
    /// The oldest.
    pub(crate) first: &'a HeldJobOutput,
    pub(crate) tags: String,
    /// Oldest first.
    pub(crate) ids: Vec<JobIdOutput>,
}

/// The jobs that wait; those for which a runner is starting do not.
fn held_jobs(plan: &PlanOutput) -> impl Iterator<Item = &HeldJobOutput> {
    plan.held.iter().filter_map(|held| match held {
        HeldOutput::Job(job) => (job.reason != "starting").then_some(job),
        HeldOutput::Runner(_) => None,
    })
}

/// Held jobs by reason, project and tags: the reason with the most jobs first, within it what
/// waits for the same together.
pub(crate) fn wait_groups(plan: &PlanOutput) -> Vec<WaitGroup<'_>> {
    let mut groups: BTreeMap<(&str, &str, String), WaitGroup<'_>> = BTreeMap::new();
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    for job in held_jobs(plan) {
        let tags = job.tags.join(", ");
        *by_reason.entry(&job.reason).or_default() += 1;
        let group = groups.entry((&job.reason, &job.project, tags.clone()));
        let group = group.or_insert_with(|| WaitGroup { first: job, tags, ids: Vec::new() });
        group.ids.push(job.job);
    }
    let mut groups: Vec<WaitGroup<'_>> = groups.into_values().collect();
    let key = |group: &WaitGroup<'_>| {
        let HeldJobOutput { reason, why, queued_at, .. } = group.first;
        let of_reason = Reverse(by_reason.get(&**reason).copied());
        (of_reason, reason.clone(), why.clone(), Reverse(group.ids.len()), queued_at.clone())
    };
    groups.sort_by_cached_key(key);
    groups
}

/// How many jobs are held, those excluded for which a runner is starting.
pub(crate) fn held_count(plan: &PlanOutput) -> usize {
    held_jobs(plan).count()
}

/// `8 jobs: 5 have a runner now or by this plan, 3 are held`
pub(crate) fn summary(plan: &PlanOutput) -> String {
    let Some(count) = plan.waiting.jobs else {
        return "the queue is unknown, so nothing is started for it".to_owned();
    };
    let at_least = if plan.waiting.more { "at least " } else { "" };
    let jobs = words::count(count, "job");
    let (served, held) = (plan.waiting.served, held_count(plan));
    match (count, held) {
        (0, _) => "no jobs".to_owned(),
        (_, 0) => format!("{at_least}{jobs}: all have a runner now or by this plan"),
        _ => format!(
            "{at_least}{jobs}: {served} {} a runner now or by this plan, {held} {} held",
            if served == 1 { "has" } else { "have" },
            if held == 1 { "is" } else { "are" },
        ),
    }
}

/// The groups as lines, each reason once below the groups that it holds for.
pub(crate) fn lines(plan: &PlanOutput, options: &RenderOptions) -> Vec<String> {
    let groups = wait_groups(plan);
    let shown = if options.verbose { groups.len() } else { GROUPS_MAX.min(groups.len()) };
    let (shown, rest) = groups.split_at_checked(shown).unwrap_or((&groups, &[]));
    let mut table = Table::bare().right(&[0]);
    for group in shown {
        let tags = if group.tags.is_empty() { "no tags" } else { &group.tags };
        table.row([
            format!("  {}×", group.ids.len()),
            group.first.reason.to_string(),
            words::plain(&group.first.project).into_owned(),
            format!("[{}]", words::plain(tags)),
            format!("oldest {}", group.first.waiting),
            ids(&group.ids, options.verbose),
        ]);
    }
    let mut lines = Vec::new();
    for (index, line) in table.lines().into_iter().enumerate() {
        lines.push(line);
        let why = shown.get(index).map(|group| &group.first.why);
        if why != shown.get(index + 1).map(|group| &group.first.why) {
            let why = why.map(|why| words::plain(why).into_owned()).unwrap_or_default();
            lines.push(format!("     {}", options.paint.faint(&why)));
        }
    }
    if !rest.is_empty() {
        let jobs: usize = rest.iter().map(|group| group.ids.len()).sum();
        lines.push(format!(
            "  and {} in {}   (--verbose lists them)",
            words::count(jobs, "job"),
            words::count(rest.len(), "more group"),
        ));
    }
    lines
}

/// `#1 #2 #3 and 4 more`
pub(crate) fn ids(ids: &[JobIdOutput], all: bool) -> String {
    let shown = if all { ids.len() } else { IDS_MAX };
    let mut words: Vec<String> = ids.iter().take(shown).map(|id| format!("#{id}")).collect();
    let more = ids.len().saturating_sub(shown);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join(" ")
}
