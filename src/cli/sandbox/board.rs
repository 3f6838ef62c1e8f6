//! What a sandbox shows while the loop runs: a board that is drawn again, or, where there is no
//! terminal, one line per change.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use crate::cli::plan::decision_line;
use crate::cli::text::{Paint, RenderOptions, Table, cut};
use crate::plan::{Decision, JobHold};
use crate::view::{View, decision_output, words};
use crate::world::{Offer, Phase, RunnerView, Variant};

/// Recent decisions for which there is room on any terminal.
const DECISIONS_MIN: usize = 4;
/// Pools for which there is room on any terminal.
const POOLS_MIN: usize = 2;
/// The narrowest row of slots that says anything.
const CELLS_MIN: usize = 8;

/// What the letters mean.
const LEGEND: [&str; 6] = ["B busy", "i idle", "s starting", "d draining", "x ended", "· free"];

/// How the demo's jobs stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SandboxStats {
    /// Jobs that succeeded.
    pub done: usize,
    /// Jobs that failed.
    pub failed: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that wait.
    pub pending: usize,
}

/// What a board shows.
#[derive(Debug)]
pub struct Board<'a> {
    /// The newest look.
    pub view: &'a View,
    /// How the demo's jobs stand.
    pub stats: SandboxStats,
    /// What was decided lately, newest last; it stays until newer ones need its place.
    pub recent: &'a [String],
}

/// The board: each variant with its slots as letters, the queue, and what was decided. No line is
/// wider than `width`, and there are fewer than `height`, so that it can be drawn over.
pub fn render_live(
    board: &Board<'_>,
    (width, height): (usize, usize),
    options: &RenderOptions,
) -> String {
    let lines_max = height.saturating_sub(1);
    let Board { view, stats, recent } = board;
    let paint = options.paint;
    let mut lines = vec![paint.strong(&cut(&options.plain_heading(view), width))];
    let SandboxStats { done, failed, running, pending } = stats;
    let jobs = [
        format!("jobs: {done} done"),
        format!("{failed} failed"),
        format!("{running} running"),
        format!("{pending} pending"),
    ];
    lines.extend(folded(&jobs.each_ref().map(String::as_str), ", ", width));
    lines.extend(troubles(view, width, paint));
    lines.push(String::new());
    let legend = folded(&LEGEND, "  ", width);
    let unmatched = unmatched(view).map(|line| paint.notable(&cut(&line, width)));
    let below = legend.len() + usize::from(unmatched.is_some()) + 1 + DECISIONS_MIN;
    let rows_max = lines_max.saturating_sub(lines.len() + 1 + below).max(POOLS_MIN);
    lines.extend(pools(view, rows_max, width));
    lines.extend(legend.iter().map(|line| paint.faint(line)));
    lines.extend(unmatched);
    lines.push(String::new());
    let room = lines_max.saturating_sub(lines.len());
    lines.extend(recent.iter().skip(recent.len().saturating_sub(room)).map(|one| cut(one, width)));
    lines.truncate(lines_max);
    lines.join("\n") + "\n"
}

/// What is wrong: sources that cannot be read, and a file that is not in force.
fn troubles(view: &View, width: usize, paint: Paint) -> Vec<String> {
    let unknown = view.unknown_sources().into_iter().map(|name| format!("{name} is UNKNOWN"));
    let fault = view.spec.pending_fault.as_deref().map(|fault| {
        let first = fault.lines().next().unwrap_or_default();
        format!("the file is refused, the last good one stays: {}", words::plain(first))
    });
    unknown.chain(fault).map(|line| paint.bad(&cut(&line, width))).collect()
}

/// `2 jobs that no pool takes: #7 docs 3 [macos], #9 …`
fn unmatched(view: &View) -> Option<String> {
    let offers = view.world.offers();
    let jobs: Vec<String> = view
        .waiting(&offers)
        .iter()
        .filter(|waiting| waiting.offer.is_none())
        .filter(|waiting| !matches!(waiting.hold, Some(JobHold::OtherRunner { .. })))
        .map(|waiting| {
            let job = waiting.job;
            let tags = job.tags.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("#{} {} [{}]", job.id, words::plain(&job.name), words::plain(&tags))
        })
        .collect();
    let first = jobs.first()?;
    let rest = if jobs.len() > 1 { ", …" } else { "" };
    Some(format!("{} that no pool takes: {first}{rest}", words::count(jobs.len(), "job")))
}

/// The variants with their slots, in at most `rows_max` lines below the heading.
fn pools(view: &View, rows_max: usize, width: usize) -> Vec<String> {
    let runners = view.world.runners();
    let offers = view.world.offers();
    let mut pending: BTreeMap<&Variant, usize> = BTreeMap::new();
    for waiting in view.waiting(&offers) {
        if let Some(offer) = waiting.offer {
            *pending.entry(&offer.variant).or_default() += 1;
        }
    }
    let name_width = offers.iter().map(|offer| offer.variant.to_string().len()).max().unwrap_or(0);
    let cells_max = width.saturating_sub(name_width + "  pending  ".len()).max(CELLS_MIN);
    let shown = if offers.len() > rows_max { rows_max.saturating_sub(1) } else { offers.len() };
    let mut table = Table::new(&["pool", "pending", "slots"]).right(&[1]);
    for offer in offers.iter().take(shown) {
        let count = pending.get(&offer.variant).copied().unwrap_or(0);
        let cells = cells(offer, &runners, cells_max);
        table.row([offer.variant.to_string(), count.to_string(), cells]);
    }
    let mut lines: Vec<String> = table.lines().iter().map(|line| cut(line, width)).collect();
    let more = offers.len().saturating_sub(shown);
    if more > 0 {
        lines.push(cut(&format!("and {}", words::count(more, "more pool")), width));
    }
    lines
}

/// `parts` on as few lines as `width` allows.
fn folded(parts: &[&str], between: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let fits = |line: &String| line.width() + between.len() + part.width() <= width;
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => {
                line.push_str(between);
                line.push_str(part);
            }
            None => lines.push(cut(part, width)),
        }
    }
    lines
}

/// What was decided since the look before, one line each.
pub(crate) fn decided(before: Option<&View>, after: &View) -> Vec<String> {
    let same = |decision: &Decision| {
        let decided = before.map(|view| view.plan.decisions.as_slice()).unwrap_or_default();
        decided.iter().any(|one| one.action == decision.action && one.rule == decision.rule)
    };
    let decisions = after.plan.decisions.iter().filter(|decision| !same(decision));
    decisions.map(|decision| decision_line(&decision_output(decision))).collect()
}

/// One letter per slot of a variant, up to its pool's maximum.
fn cells(offer: &Offer<'_>, runners: &[RunnerView<'_>], cells_max: usize) -> String {
    let of_variant = runners.iter().filter(|view| view.runner.variant == offer.variant);
    let filled: BTreeMap<u32, char> =
        of_variant.map(|view| (view.runner.slot.0, letter(&view.phase))).collect();
    let highest = filled.keys().next_back().map_or(0, |slot| slot.saturating_add(1));
    let slots = offer.pool.max.max(highest);
    let shown = slots.min(u32::try_from(cells_max).unwrap_or(u32::MAX));
    let mut cells: String =
        (0..shown).map(|slot| filled.get(&slot).copied().unwrap_or('·')).collect();
    if shown < slots && cells.pop().is_some() {
        cells.push('…');
    }
    cells
}

fn letter(phase: &Phase) -> char {
    match phase {
        Phase::Busy { .. } => 'B',
        Phase::Idle { .. } => 'i',
        Phase::Created | Phase::Starting { .. } => 's',
        Phase::Draining { .. } => 'd',
        Phase::Exited { .. } | Phase::Failed { .. } => 'x',
    }
}

/// What changed between two looks, one line each: what was decided, which runner went into another
/// phase, which source came or went. None where nothing changed.
pub fn render_changes(before: Option<&View>, after: &View, options: &RenderOptions) -> Vec<String> {
    let zone = options.zone.clone();
    let at = after.world.now.to_zoned_datetime(zone).strftime("%H:%M:%S").to_string();
    let mut changes = Vec::new();
    let unknown_before = before.map(View::unknown_sources).unwrap_or_default();
    let unknown = after.unknown_sources();
    let lost = unknown.iter().filter(|name| !unknown_before.contains(name));
    changes.extend(lost.map(|name| format!("! {name} is unknown")));
    let found = unknown_before.iter().filter(|name| !unknown.contains(name));
    changes.extend(found.map(|name| format!("! {name} is known again")));
    changes.extend(phase_changes(before, after));
    changes.extend(decided(before, after));
    changes.into_iter().map(|change| format!("{at} {change}")).collect()
}

fn phase_changes(before: Option<&View>, after: &View) -> Vec<String> {
    let was = before.map(View::runner_views).unwrap_or_default();
    let is = after.runner_views();
    let mut changes = Vec::new();
    for (name, view) in &is {
        let (word, before) = (view.phase.as_str(), was.get(name).map(|view| view.phase.as_str()));
        let job = if let Phase::Busy { job: Some(job) } = view.phase {
            format!(" (job {job})")
        } else {
            String::new()
        };
        match before {
            Some(before) if before == word => {}
            Some(before) => changes.push(format!("  {name} {before} → {word}{job}")),
            None => changes.push(format!("  {name} {word}{job}")),
        }
    }
    let gone = was.keys().filter(|name| !is.contains_key(*name));
    changes.extend(gone.map(|name| format!("  {name} gone")));
    changes
}
