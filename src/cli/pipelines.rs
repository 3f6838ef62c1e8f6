//! `autogit pipelines`: a project's pipelines, newest first.

use std::process::ExitCode;

use super::arguments::{Format, Pipelines};
use super::job::project_of;
use super::shell::{Shell, say};
use super::text::{RenderOptions, Table, json};
use crate::operate::{Adapters, Failure};
use crate::view::{PipelineOutput, words};

pub(super) async fn pipelines(
    arguments: &Pipelines,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let (gitlab, project) = project_of(&arguments.about, shell, adapters).await?;
    let ref_name = arguments.ref_name.as_deref();
    let found = gitlab.pipelines(project.id, ref_name, arguments.limit).await;
    let found = found.map_err(|error| Failure::Failed(error.to_string()))?;
    let output: Vec<PipelineOutput> = found.iter().map(PipelineOutput::from).collect();
    say(&match arguments.format {
        Format::Json => json(&output),
        Format::Text if output.is_empty() => {
            format!("no pipelines in {}\n", words::plain(&project.path))
        }
        Format::Text => render(&output, &shell.render_options(false)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn render(pipelines: &[PipelineOutput], options: &RenderOptions) -> String {
    let mut table = Table::new(&["pipeline", "status", "ref", "commit", "by", "began", "page"]);
    for pipeline in pipelines {
        table.row([
            format!("#{}", pipeline.id),
            words::plain(&pipeline.status).into_owned(),
            words::plain(&pipeline.ref_name).into_owned(),
            words::plain(&pipeline.sha).chars().take(8).collect(),
            words::plain(&pipeline.source).into_owned(),
            options.day(pipeline.created_at.as_deref()),
            words::plain(&pipeline.url).into_owned(),
        ]);
    }
    table.text(options)
}
