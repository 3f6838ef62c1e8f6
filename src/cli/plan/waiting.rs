//! The jobs that wait, put together by what they wait for, so that a long queue stays readable.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cli::style::RenderOptions;
use crate::cli::table::Table;
use crate::plan::JobHold;
use crate::view::{View, words};
use crate::world::{JobId, Observed};

/// Groups shown at most without `--verbose`: what fits a screen beside the rest of a plan.
const GROUPS_MAX: usize = 12;
/// Job ids shown of a group at most without `--verbose`.
const IDS_MAX: usize = 5;

/// Jobs of one project with the same tags that wait for the same.
#[derive(Debug)]
pub(crate) struct WaitGroup<'a> {
    pub(crate) reason: &'static str,
    pub(crate) project: &'a str,
    pub(crate) tags: String,
    /// In words, of the oldest job.
    pub(crate) why: String,
    /// Since when the oldest waits.
    pub(crate) since: Timestamp,
    /// Oldest first.
    pub(crate) ids: Vec<JobId>,
}

/// Held jobs by reason, project and tags: the reason with the most jobs first, within it what
/// waits for the same together.
pub(crate) fn wait_groups(view: &View) -> Vec<WaitGroup<'_>> {
    let jobs = view.jobs();
    let mut groups: BTreeMap<(&str, &str, String), WaitGroup<'_>> = BTreeMap::new();
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    for held in &view.plan.held_jobs {
        let Some(job) = jobs.get(&held.job) else { continue };
        if matches!(*held.hold, JobHold::Starting { .. }) {
            continue;
        }
        let reason = held.hold.as_str();
        let tags = job.tags.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        *by_reason.entry(reason).or_default() += 1;
        let group = groups.entry((reason, &*job.project_path, tags.clone()));
        let group = group.or_insert_with(|| WaitGroup {
            reason,
            project: &job.project_path,
            tags,
            why: held.to_string(),
            since: job.queued_at,
            ids: Vec::new(),
        });
        group.ids.push(job.id);
    }
    let mut groups: Vec<WaitGroup<'_>> = groups.into_values().collect();
    let of_reason = |reason| std::cmp::Reverse(by_reason.get(reason).copied());
    groups.sort_by(|one, other| {
        let key = |group: &WaitGroup<'_>| (of_reason(group.reason), group.reason);
        let within = |group: &WaitGroup<'_>| (std::cmp::Reverse(group.ids.len()), group.since);
        (key(one), &one.why, within(one)).cmp(&(key(other), &other.why, within(other)))
    });
    groups
}

/// How many jobs are held, those excluded for which a runner is starting.
pub(crate) fn held_count(view: &View) -> usize {
    let held = view.plan.held_jobs.iter();
    held.filter(|held| !matches!(*held.hold, JobHold::Starting { .. })).count()
}

/// `8 jobs: 5 have a runner now or by this plan, 3 are held`
pub(crate) fn summary(view: &View) -> String {
    let queue = match &view.world.queue {
        Observed::Known { value, .. } => value,
        Observed::Unknown { .. } => {
            return "the queue is unknown, so nothing is started for it".to_owned();
        }
    };
    let at_least = if queue.more { "at least " } else { "" };
    let jobs = words::count(queue.jobs.len(), "job");
    let (served, held) = (view.plan.served_jobs, held_count(view));
    match (queue.jobs.len(), held) {
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
pub(crate) fn lines(view: &View, options: &RenderOptions) -> Vec<String> {
    let groups = wait_groups(view);
    let shown = if options.verbose { groups.len() } else { GROUPS_MAX.min(groups.len()) };
    let (shown, rest) = groups.split_at_checked(shown).unwrap_or((&groups, &[]));
    let mut table = Table::bare().right(&[0]);
    for group in shown {
        let tags = if group.tags.is_empty() { "no tags" } else { &group.tags };
        table.row([
            format!("  {}×", group.ids.len()),
            group.reason.to_owned(),
            words::plain(group.project).into_owned(),
            format!("[{}]", words::plain(tags)),
            format!("oldest {}", words::since(view.world.now, group.since)),
            ids(&group.ids, options.verbose),
        ]);
    }
    let mut lines = Vec::new();
    for (index, line) in table.lines().into_iter().enumerate() {
        lines.push(line);
        let why = shown.get(index).map(|group| &group.why);
        if why != shown.get(index + 1).map(|group| &group.why) {
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
pub(crate) fn ids(ids: &[JobId], all: bool) -> String {
    let shown = if all { ids.len() } else { IDS_MAX };
    let mut words: Vec<String> = ids.iter().take(shown).map(|id| format!("#{id}")).collect();
    let more = ids.len().saturating_sub(shown);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join(" ")
}
