//! An explanation as text.

use crate::cli::text::{RenderOptions, Table, sources, unplaced};
use crate::view::{ExplainJobOutput, ExplainOutput, ExplainPoolOutput, ExplainRunnerOutput, words};

/// An explanation as text; `unknown` are the sources that could not be read, `notices` what else
/// stands in the way.
pub fn render_explain(
    output: &ExplainOutput,
    unknown: &[&str],
    notices: &[String],
    options: &RenderOptions,
) -> String {
    let mut lines = match output {
        ExplainOutput::Job(job) => job_lines(job, options),
        ExplainOutput::Pool(pool) => pool_lines(pool, options),
        ExplainOutput::Runner(runner) => runner_lines(runner, options),
    };
    if !notices.is_empty() {
        lines.push(String::new());
        lines.extend(sources::notes(notices, options));
    }
    if !unknown.is_empty() {
        lines.push(String::new());
        let verb = if unknown.len() == 1 { "is" } else { "are" };
        let unknown = unknown.join(", ");
        let line = format!("This may be incomplete: {unknown} {verb} unknown.");
        lines.push(options.paint.notable(&line));
    }
    let text = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    text + "\n"
}

fn job_lines(job: &ExplainJobOutput, options: &RenderOptions) -> Vec<String> {
    let mut first = vec![format!("job {}", job.id)];
    first.extend(job.name.iter().map(|name| format!(" `{}`", words::plain(name))));
    first.extend(job.project.iter().map(|project| format!(" in {}", words::plain(project))));
    if job.name.is_some() {
        let tags = job.tags.join(", ");
        let tags = if tags.is_empty() { "no tags".to_owned() } else { format!("tags {tags}") };
        first.push(format!(", {}", words::plain(&tags)));
    }
    first.extend(job.ref_name.iter().map(|ref_name| format!(", ref {}", words::plain(ref_name))));
    first.extend(job.protected.map(|protected| {
        if protected { " (protected)".to_owned() } else { " (not protected)".to_owned() }
    }));
    let first = first.concat();
    let mut lines = vec![options.paint.strong(&first), standing(job)];
    if !job.pools.is_empty() {
        lines.push(String::new());
        lines.extend(fits(job));
    }
    let place = job.place.as_ref().map(|place| {
        let (position, of, pool) = (ordinal(place.position), place.of, &place.pool);
        format!("{position} of {of} for {pool} (oldest first, priority {})", place.priority)
    });
    let by = job.starts_by.as_ref().map(|at| options.time(words::parsed(at)));
    let rows = [
        ("place in line", place.as_ref()),
        ("earliest start", job.earliest_start.as_ref()),
        ("at the latest", by.as_ref()),
        ("GitLab says", job.gitlab_says.as_ref()),
        ("GitLab drops it", job.dropped.as_ref()),
        ("page", job.url.as_ref()),
    ];
    let mut table = Table::bare();
    for (word, value) in rows {
        if let Some(value) = value {
            table.row([word.to_owned(), words::plain(value).into_owned()]);
        }
    }
    let rows = table.lines();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.extend(rows);
    }
    lines
}

/// `pending 4m10s, not started: pool `cuda` is at its max of 1`
fn standing(job: &ExplainJobOutput) -> String {
    let waiting = job.waiting.as_ref().map(|waiting| format!(" {waiting}")).unwrap_or_default();
    let why = words::plain_lines(&job.why);
    match (&job.reason, job.status.as_str()) {
        (Some(_), status) => format!("{status}{waiting}, not started: {why}"),
        (None, "unknown") => format!("not pending: {why}"),
        (None, status) => format!("{status}{waiting}: {why}"),
    }
}

fn fits(job: &ExplainJobOutput) -> Vec<String> {
    let mut table = Table::new(&["pool", "fits", "why"]);
    for fit in &job.pools {
        let arch = fit.arch.as_ref().map(|arch| format!("/{arch}")).unwrap_or_default();
        let yes = if fit.fits { "yes" } else { "no" };
        let why = words::plain(&fit.why).into_owned();
        table.row([format!("{}{arch}", fit.pool), yes.to_owned(), why]);
    }
    table.lines()
}

fn pool_lines(pool: &ExplainPoolOutput, options: &RenderOptions) -> Vec<String> {
    let counts = &pool.counts;
    let tags = if pool.counts.tags.is_empty() {
        "no tags".to_owned()
    } else {
        pool.counts.tags.join(", ")
    };
    let architectures = match pool.architectures.as_slice() {
        [] => "architectures unknown until a host is".to_owned(),
        known => known.join(", "),
    };
    let first = format!(
        "pool {}: {tags}; {architectures}; max {}, warm {}, cooldown {}, priority {}",
        pool.pool, counts.max, counts.warm, pool.cooldown, pool.priority
    );
    let live = counts.starting + counts.idle + counts.busy + counts.draining;
    let mut lines = vec![
        options.paint.strong(&first),
        format!(
            "{}: {} busy, {} idle, {} starting, {} draining; {}",
            words::count(live, "runner"),
            counts.busy,
            counts.idle,
            counts.starting,
            counts.draining,
            match counts.pending {
                _ if !pool.queue_known => "the queue is unknown".to_owned(),
                1 => "1 job waits for it".to_owned(),
                pending => format!("{pending} jobs wait for it"),
            },
        ),
        format!("why: {}", words::plain(&counts.why)),
    ];
    lines.extend(unplaced::lines(&counts.unplaced));
    if !pool.held.is_empty() {
        lines.push(String::new());
        let mut table = Table::new(&["jobs", "oldest", "wait because"]).right(&[0]);
        for held in &pool.held {
            let why = format!("{}: {}", held.reason, words::plain(&held.why));
            table.row([held.jobs.to_string(), held.oldest.clone(), why]);
        }
        lines.extend(table.lines());
    }
    if options.verbose && !pool.numbers.is_empty() {
        lines.push(String::new());
        lines.extend(numbers(pool));
    }
    if !pool.runners.is_empty() {
        lines.push(String::new());
        let mut table = Table::new(&["runner", "phase", "why"]);
        for runner in &pool.runners {
            let why = words::plain(&runner.why).into_owned();
            table.row([runner.name.clone(), runner.phase.to_string(), why]);
        }
        lines.extend(table.lines());
    }
    lines
}

fn runner_lines(explained: &ExplainRunnerOutput, options: &RenderOptions) -> Vec<String> {
    let runner = &explained.runner;
    let first = format!(
        "runner {}: {}/{}, slot {} on {}",
        runner.name, runner.pool, runner.arch, runner.slot, runner.host
    );
    let phase = if runner.seen {
        runner.phase.to_string()
    } else {
        format!("{} when last seen", runner.phase)
    };
    let job = runner.job.as_ref().map(|job| {
        let id = job.id.map_or_else(|| "one that is not known".to_owned(), |id| id.to_string());
        let name = job.name.as_ref().map(|name| format!(" `{}`", words::plain(name)));
        let project = job.project.as_ref().map(|project| format!(" of {}", words::plain(project)));
        let url = job.url.as_ref().map(|url| format!("  {}", words::plain(url)));
        let long = job.lasting.as_ref().map(|lasting| format!(", for {lasting}"));
        let words = [name, project, long, url];
        words.into_iter().flatten().fold(id, |said, word| said + &word)
    });
    let stays = if explained.action.is_some() { "now" } else { "stays because" };
    let spec = if runner.up_to_date { "up to date" } else { "made from an older spec" };
    let jobs_ended = explained.jobs_ended.map(|count| words::count(count as usize, "job"));
    let rows = [
        (stays, Some(words::plain_lines(&explained.runner.why))),
        ("job", job),
        ("jobs ended", jobs_ended),
        ("container", Some(format!("{}, made {} ago", short(&runner.container), explained.age))),
        ("system id", Some(runner.system_id.clone())),
        ("record", Some(explained.record.to_string())),
        ("spec", Some(spec.to_owned())),
    ];
    let mut table = Table::bare();
    for (word, value) in rows {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            table.row([word.to_owned(), value]);
        }
    }
    let life = life(explained, options);
    [vec![options.paint.strong(&first), phase, String::new()], table.lines(), life].concat()
}

/// Each number with where it is from.
fn numbers(pool: &ExplainPoolOutput) -> Vec<String> {
    let mut table = Table::new(&["number", "", "from"]).right(&[1]);
    for number in &pool.numbers {
        let from = words::plain(&number.source).into_owned();
        table.row([number.name.to_string(), number.value.to_string(), from]);
    }
    table.lines()
}

/// `03:04:05  2m ago  its process began (engine)`
fn life(explained: &ExplainRunnerOutput, options: &RenderOptions) -> Vec<String> {
    let mut table = Table::bare();
    for event in &explained.life {
        let (time, ago) = (options.time(words::parsed(&event.at)), format!("{} ago", event.ago));
        table.row([time, ago, format!("{} ({})", words::plain(&event.words), event.source)]);
    }
    let lines = table.lines();
    if lines.is_empty() { lines } else { [vec![String::new()], lines].concat() }
}

/// Docker's own short form of a container's id.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// `1st`, `2nd`, `11th`
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn eleven_is_no_first() {
        assert_eq!(
            [1, 2, 3, 4, 11, 21, 112].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 21st 112th"
        );
    }
}
