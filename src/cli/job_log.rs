//! `autogit job-log`: what a job wrote, also while it runs.

mod text;

use std::process::ExitCode;
use std::time::Duration;

use super::arguments::JobLog;
use super::job::{JobPlace, place};
use super::shell::{Shell, say, say_bytes, talk};
use crate::error_policy::{EXIT_FAILED, ErrorKind};
use crate::gitlab::GitlabError;
use crate::gitlab::user::{ProjectJob, UserGitlab};
use crate::operate::{Adapters, Failure};
use crate::view::words;
use crate::world::{JobId, ProjectId};
use text::LogText;

/// Between two questions for more of a log. A runner sends it every three seconds at first
/// (gitlab-runner's `trace_update_interval`), and GitLab has no way to ask for the new part alone.
const PAUSE: Duration = Duration::from_secs(3);

pub(super) async fn job_log(
    arguments: &JobLog,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let JobPlace { gitlab, project, id } =
        place(&arguments.job, &arguments.about, shell, adapters).await?;
    let failed = |error: GitlabError| Failure::Failed(error.to_string());
    if arguments.raw {
        say_bytes(&gitlab.log(project, id).await.map_err(failed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = LogText::default();
    let (mut waits, mut trouble) = (false, false);
    loop {
        let (job, log) = match look(gitlab.as_ref(), project, id).await {
            Ok(told) => told,
            Err(error) if arguments.follow && error.kind() == ErrorKind::Unreachable => {
                if !trouble {
                    talk(&format!("{error}; asked again"));
                }
                trouble = true;
                shell.clock().sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        trouble = false;
        let over = job.status.is_over();
        say(&text.news(&log, over || !arguments.follow))?;
        if over {
            let word = words::plain(&job.status.0).into_owned();
            let why = job.failure_reason.map(|why| format!(" ({})", words::plain(&why)));
            talk(&format!("job {id} ended: {word}{}", why.unwrap_or_default()));
            let fine = !arguments.follow || job.status.is_success();
            return Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) });
        }
        if !arguments.follow {
            talk(&format!("job {id} is {}; `-f` follows it", words::plain(&job.status.0)));
            return Ok(ExitCode::SUCCESS);
        }
        if job.started_at.is_none() && !waits {
            waits = true;
            talk(&format!("job {id} waits for a runner; `autogit explain {id}` tells why"));
        }
        shell.clock().sleep(PAUSE).await;
    }
}

/// The job and its log. The job is asked for first: what it wrote until it ended is told then.
async fn look(
    gitlab: &dyn UserGitlab,
    project: ProjectId,
    id: JobId,
) -> Result<(ProjectJob, Vec<u8>), GitlabError> {
    Ok((gitlab.job(project, id).await?, gitlab.log(project, id).await?))
}
