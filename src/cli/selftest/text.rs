//! A self-test as text: a table of stages for each run, what is worth a word, and the verdict.

use crate::cli::text::{RenderOptions, Table};
use crate::operate::selftest::Stage;
use crate::view::{FollowedOutput, RunOutput, SelftestOutput, words};

/// The runs, and of several the median with the range.
pub(super) fn render_selftest(output: &SelftestOutput, options: &RenderOptions) -> String {
    let mut lines = Vec::new();
    for (number, run) in output.runs.iter().enumerate() {
        let of = output.runs.len();
        let which = if of > 1 { format!("run {} of {of}, ", number + 1) } else { String::new() };
        lines.push(options.paint.strong(&format!("{which}pipeline #{}", run.pipeline)));
        lines.extend(stages(run, options));
        lines.extend(run.jobs.iter().filter_map(remark));
        lines.push(String::new());
    }
    if output.runs.len() > 1 {
        lines.push(options.paint.strong("median, and from the shortest to the longest"));
        lines.extend(spreads(output, options));
        lines.push(String::new());
    }
    for (pool, why) in &output.skipped {
        lines.push(format!("not tried: {pool}, which {}", words::plain(why)));
    }
    for left in &output.left {
        let line = format!("it stays: {}", words::plain(left));
        lines.push(options.paint.notable(&line));
    }
    lines.push(verdict(output, options));
    lines.join("\n") + "\n"
}

fn heading() -> Vec<String> {
    let words = Stage::ALL.iter().map(|stage| stage.as_str().replace('-', " "));
    ["pool".to_owned(), "job".to_owned()].into_iter().chain(words).collect()
}

/// Numbers stand to the right.
fn table(heading: &[String]) -> Table {
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let columns: Vec<usize> = (1..heading.len()).collect();
    Table::new(&heading).right(&columns)
}

fn stages(run: &RunOutput, options: &RenderOptions) -> Vec<String> {
    let mut table = table(&heading());
    for job in &run.jobs {
        let reached = |stage: &Stage| {
            let found = job.stages.iter().find(|one| one.stage == stage.as_str());
            found.map_or_else(|| "-".to_owned(), |one| format!("{:.1}s", one.secs))
        };
        let id = job.job.map_or_else(|| "-".to_owned(), |id| format!("#{id}"));
        let cells = Stage::ALL.iter().map(reached);
        table.row([job.pool.clone(), id].into_iter().chain(cells));
    }
    table.headed(options)
}

fn spreads(output: &SelftestOutput, options: &RenderOptions) -> Vec<String> {
    let mut heading = heading();
    heading.remove(1);
    let mut table = table(&heading);
    for (pool, stages) in &output.summary {
        let cells = Stage::ALL.iter().map(|stage| match stages.get(stage.as_str()) {
            Some(spread) => format!(
                "{:.1}s ({:.1}-{:.1})",
                spread.median_secs, spread.min_secs, spread.max_secs
            ),
            None => "-".to_owned(),
        });
        table.row(std::iter::once(pool.clone()).chain(cells));
    }
    table.headed(options)
}

/// What the numbers do not say.
fn remark(job: &FollowedOutput) -> Option<String> {
    if let Some(problem) = &job.problem {
        return Some(format!("{}: {}", job.pool, words::plain_lines(problem)));
    }
    let note = job.note.as_ref()?;
    let runner = job.runner.as_deref().unwrap_or("its runner");
    Some(format!("{}: {} {}", job.pool, words::plain(runner), words::plain(note)))
}

fn verdict(output: &SelftestOutput, options: &RenderOptions) -> String {
    let jobs = output.runs.iter().flat_map(|run| &run.jobs);
    if !output.pass {
        let pools = jobs.filter(|job| job.problem.is_some()).map(|job| job.pool.as_str());
        let pools: Vec<&str> = pools.collect();
        return options.paint.bad(&format!("fail: {}", pools.join(", ")));
    }
    let first = jobs.flat_map(|job| &job.stages).filter(|one| one.stage == "first-line");
    let slowest = first.map(|one| one.secs).max_by(f64::total_cmp);
    let slowest = slowest
        .map(|secs| format!("; from the trigger to the first line of a script {secs:.1}s at most"));
    let pools = output.runs.first().map_or(0, |run| run.jobs.len());
    let pools = words::count(pools, "pool");
    options.paint.good(&format!("pass: {pools}{}", slowest.unwrap_or_default()))
}
