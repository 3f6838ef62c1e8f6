//! `autogit runners`: each runner, what it does, and why it stays.

use super::style::RenderOptions;
use super::table::Table;
use crate::plan::brief;
use crate::view::{View, since, words};
use crate::world::phases;

/// The runners as a table.
pub fn render_runners(view: &View, options: &RenderOptions) -> String {
    let runners = phases(&view.world);
    if runners.is_empty() {
        return "no runners\n".to_owned();
    }
    let mut table = Table::new(&["runner", "host", "phase", "for", "job", "why"]);
    for runner in &runners {
        let for_ = since(runner).map(|at| brief(view.world.now.duration_since(at)));
        let job = view.job_of(runner).map(|job| {
            let id = job.id.map_or_else(|| "?".to_owned(), |id| format!("#{id}"));
            job.project.map_or(id.clone(), |project| format!("{id} {}", words::plain(&project)))
        });
        let phase = if runner.seen { runner.phase.as_str() } else { "unseen" };
        table.row([
            runner.runner.name.to_string(),
            runner.host.to_string(),
            phase.to_owned(),
            for_.unwrap_or_else(|| "-".to_owned()),
            job.unwrap_or_else(|| "-".to_owned()),
            words::plain(&view.why_of_runner(&runner.runner.name)).into_owned(),
        ]);
    }
    let mut lines = table.lines();
    if let Some(heading) = lines.first_mut() {
        *heading = options.paint.faint(heading);
    }
    lines.join("\n") + "\n"
}
