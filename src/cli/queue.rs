//! `autogit queue`: the pending jobs, oldest first, and what each waits for.

use super::style::RenderOptions;
use super::table::Table;
use crate::view::{View, words};
use crate::world::Observed;

/// Jobs listed at most without `--verbose`: a screen.
const JOBS_MAX: usize = 40;

/// The queue as a table.
pub fn render_queue(view: &View, options: &RenderOptions) -> String {
    let queue = match &view.world.queue {
        Observed::Known { value, .. } => value,
        Observed::Unknown { error, .. } => {
            return format!("the queue is unknown: {}\n", words::plain_lines(error));
        }
    };
    if queue.jobs.is_empty() {
        return "no pending jobs\n".to_owned();
    }
    let offers = view.world.offers();
    let waiting = view.waiting(&offers);
    let shown = if options.verbose { waiting.len() } else { JOBS_MAX };
    let heading = ["job", "project", "name", "tags", "waiting", "pool", "state"];
    let mut table = Table::new(&heading);
    for one in waiting.iter().take(shown) {
        let tags = one.job.tags.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        table.row([
            format!("#{}", one.job.id),
            words::plain(&one.job.project_path).into_owned(),
            words::plain(&one.job.name).into_owned(),
            if tags.is_empty() { "-".to_owned() } else { words::plain(&tags).into_owned() },
            words::since(view.world.now, one.job.queued_at),
            one.offer.map_or_else(|| "-".to_owned(), |offer| offer.pool.name.to_string()),
            one.hold.map_or("served", |hold| hold.as_str()).to_owned(),
        ]);
    }
    let mut lines = table.lines();
    if let Some(heading) = lines.first_mut() {
        *heading = options.paint.faint(heading);
    }
    let more = waiting.len().saturating_sub(shown);
    if more > 0 {
        let jobs = words::count(more, "more job");
        lines.push(format!("and {jobs}   (--verbose lists them; `autogit plan` groups them)"));
    }
    if queue.more {
        lines.push("GitLab has more jobs than these: reading stopped at its bound".to_owned());
    }
    lines.join("\n") + "\n"
}
