//! `autogit projects`: the projects that the token's user works in.

use std::process::ExitCode;

use super::arguments::{Format, Projects};
use super::shell::{Shell, say};
use super::text::{RenderOptions, Table, json};
use crate::operate::{Adapters, Failure, user_gitlab};
use crate::view::{ProjectOutput, words};

pub(super) async fn projects(
    arguments: &Projects,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let gitlab = user_gitlab(&arguments.spec.place(shell), shell, adapters).await?;
    let search = arguments.search.as_deref();
    let found = gitlab.projects(search, arguments.all, arguments.limit).await;
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    let output: Vec<ProjectOutput> = found.iter().map(ProjectOutput::from).collect();
    say(&match arguments.format {
        Format::Json => json(&output),
        Format::Text => render(&output, &shell.render_options(false)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn render(projects: &[ProjectOutput], options: &RenderOptions) -> String {
    if projects.is_empty() {
        return "no projects (`--all` lists those of others, too)\n".to_owned();
    }
    let mut table = Table::new(&["project", "branch", "active", "page"]);
    for project in projects {
        table.row([
            words::plain(&project.path).into_owned(),
            words::plain(project.default_branch.as_deref().unwrap_or("-")).into_owned(),
            options.day(project.last_activity_at.as_deref()),
            words::plain(&project.url).into_owned(),
        ]);
    }
    table.text(options)
}
