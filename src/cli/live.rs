//! What a sandbox and a watching terminal show while the loop runs: a board that is drawn again,
//! or, where there is no terminal, one line per change.

use std::collections::BTreeMap;

use super::plan::decision_line;
use super::style::RenderOptions;
use super::table::Table;
use crate::plan::Decision;
use crate::view::{View, decision_output};
use crate::world::{Offer, Phase, RunnerView, Variant, phases};

/// Decisions shown below the board.
const DECISIONS_MAX: usize = 5;
/// The narrowest row of slots that says anything.
const CELLS_MIN: usize = 8;

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

impl std::fmt::Display for SandboxStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { done, failed, running, pending } = self;
        write!(f, "jobs: {done} done, {failed} failed, {running} running, {pending} pending")
    }
}

/// The board: each variant with its slots as letters, the queue, and what this look decided.
/// `width` is the terminal's.
pub fn render_live(
    view: &View,
    stats: &SandboxStats,
    width: usize,
    options: &RenderOptions,
) -> String {
    let runners = phases(&view.world);
    let offers = view.world.offers();
    let mut pending: BTreeMap<&Variant, usize> = BTreeMap::new();
    for waiting in view.waiting(&offers) {
        if let Some(offer) = waiting.offer {
            *pending.entry(&offer.variant).or_default() += 1;
        }
    }
    let name_width = offers.iter().map(|offer| offer.variant.to_string().len()).max().unwrap_or(0);
    let cells_max = width.saturating_sub(name_width + "  pending  ".len()).max(CELLS_MIN);
    let mut table = Table::new(&["pool", "pending", "slots"]).right(&[1]);
    for offer in &offers {
        let count = pending.get(&offer.variant).copied().unwrap_or(0);
        let cells = cells(offer, &runners, cells_max);
        table.row([offer.variant.to_string(), count.to_string(), cells]);
    }
    let mut lines = vec![options.heading(view), stats.to_string()];
    for name in view.unknown_sources() {
        lines.push(options.paint.bad(&format!("{name} is UNKNOWN")));
    }
    lines.push(String::new());
    lines.extend(table.lines());
    lines.push(options.paint.faint("B busy  i idle  s starting  d draining  x ended  · free"));
    lines.push(String::new());
    let decisions = &view.plan.decisions;
    let skipped = decisions.len().saturating_sub(DECISIONS_MAX);
    lines.extend(decisions.iter().skip(skipped).map(|one| cut(&line_of(one), width)));
    lines.join("\n") + "\n"
}

fn line_of(decision: &Decision) -> String {
    decision_line(&decision_output(decision))
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

/// At most `width` letters.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
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
    let same = |decision: &Decision| {
        let decided = before.map(|view| view.plan.decisions.as_slice()).unwrap_or_default();
        decided.iter().any(|one| one.action == decision.action && one.rule == decision.rule)
    };
    let decisions = after.plan.decisions.iter().filter(|decision| !same(decision));
    changes.extend(decisions.map(line_of));
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
