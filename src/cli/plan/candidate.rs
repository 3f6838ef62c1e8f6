//! `autogit plan --server URL FILE`: the file is sent to that AutoGit, which plans it on its own view
//! and with its own values. Where it takes no candidate of ours, this process looks by itself.

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::arguments::Plan;
use crate::cli::shell::{Shell, talk};
use crate::operate::{Adapters, Failure, Reply, Running, is_planned_for, plan_page};
use crate::source::load;
use crate::spec::Credential;
use crate::view::{PlanOutput, words};

/// What it says of the candidate.
#[derive(Debug, Deserialize)]
pub(super) struct Preview {
    /// Who planned, and on what.
    #[serde(skip)]
    pub(super) head: String,
    /// The plan.
    pub(super) plan: PlanOutput,
    changes: Vec<String>,
    not_planned: Vec<String>,
    without_value: Vec<Valueless>,
    warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
struct Valueless {
    at: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Warning {
    line: usize,
    message: String,
}

impl Preview {
    /// What the plan does not show, line by line.
    pub(super) fn notes(&self) -> Vec<String> {
        let changes = self.changes.iter().map(|line| format!("changes  {line}"));
        let as_now = self.not_planned.iter().map(|field| {
            format!("as now   {field}: differs, and the plan is made with what is in force there")
        });
        let valueless = self.without_value.iter().map(|Valueless { at, name }| {
            format!("no value ${{{name}}} at {at}: planned as if it were not given")
        });
        let warnings =
            self.warnings.iter().map(|Warning { line, message }| format!("line {line}: {message}"));
        let notes = changes.chain(as_now).chain(valueless).chain(warnings);
        notes.map(|line| words::plain(&line).into_owned()).collect()
    }
}

/// The answer of the AutoGit that `--server` names; `None`: it is to be planned from here.
pub(super) async fn preview(
    arguments: &Plan,
    at: Option<Timestamp>,
    shell: &Shell,
    adapters: Adapters,
) -> Result<Option<Preview>, Failure> {
    let (place, asking) = (arguments.spec.place(shell), arguments.asking.asking()?);
    let Some(url) = asking.server.as_ref().filter(|_| place.is_named) else {
        return Ok(None);
    };
    let origin = place.origin(shell, adapters)?;
    let Ok(text) = origin.read().await else { return Ok(None) };
    let token = match asking.token {
        Some(token) => Some(token),
        None => load(&origin, &shell.environment(&place.env_files), shell.clock().now())
            .await
            .ok()
            .and_then(|loaded| {
                let api = &loaded.spec.api;
                let own = [&api.plan_token, &api.token];
                own.into_iter().flatten().find_map(Credential::value).cloned()
            }),
    };
    let Some(token) = token else { return Ok(None) };
    let Some(running) = Running::named(url, shell, adapters).await else {
        return Err(Failure::Failed(format!("no AutoGit answers at {url}")));
    };
    let page = plan_page(at);
    match running.post::<Preview>(&page, &token, text.as_str().to_owned()).await? {
        Reply::Fine(preview) => {
            is_planned_for(&preview.plan, at)?;
            let head = format!("{}; it planned {} on that view", running.head(), origin);
            Ok(Some(Preview { head, ..*preview }))
        }
        // Its API takes no candidates, or none from us.
        Reply::Refused { status, words, .. } if [401, 403, 404, 405].contains(&status) => {
            talk(&format!("that AutoGit plans no file for us: {words}"));
            Ok(None)
        }
        Reply::Refused { faults: Some(faults), .. } => {
            Err(Failure::Usage(faults.trim_end().to_owned()))
        }
        Reply::Refused { status: 422, words, .. } => Err(Failure::Usage(format!("error: {words}"))),
        Reply::Refused { words, .. } => Err(Failure::Failed(words)),
    }
}
