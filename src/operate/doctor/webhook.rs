//! GitLab's webhook, by which AutoGit hears of jobs at once.

use std::collections::BTreeMap;

use super::check::Check;
use super::finding::{Finding, Fix};
use crate::gitlab::GitlabError;
use crate::gitlab::inspection::{Delivery, HookSeen, Inspection};
use crate::spec::{ApiSpec, Spec};

/// The hooks of the projects that the spec names.
pub type Hooks = BTreeMap<String, Result<Vec<HookSeen>, GitlabError>>;

/// Where GitLab delivers it; `None`: the spec does not say.
pub(super) fn address(spec: &Spec) -> Option<String> {
    let url = spec.api.external_url.as_ref()?;
    Some(format!("{}{}", url.trim_end_matches('/'), ApiSpec::WEBHOOK_PATH))
}

/// Asks for the hooks where one is declared. Changes nothing.
pub(super) async fn ask(inspection: &dyn Inspection, spec: &Spec) -> Hooks {
    let mut hooks = Hooks::new();
    if spec.gitlab.webhook_secret.is_some() && address(spec).is_some() {
        for project in &spec.gitlab.projects {
            hooks.insert(project.clone(), inspection.hooks(project).await);
        }
    }
    hooks
}

/// What is to be said of them.
pub fn judge(spec: &Spec, hooks: &Hooks) -> Vec<Finding> {
    let check = Check::Webhook;
    let every = humantime::format_duration(spec.gitlab.poll_interval);
    if spec.gitlab.webhook_secret.is_none() {
        let found = format!("none is declared: GitLab is asked every {every}");
        return vec![Finding::ok(check, found)];
    }
    let Some(address) = address(spec) else {
        return vec![
            Finding::unknown(check, "where GitLab would deliver it is not known").remedy(format!(
                "set `api.external_url` to AutoGit's API as GitLab reaches it; its webhook is {} there",
                ApiSpec::WEBHOOK_PATH
            )),
        ];
    };
    if spec.gitlab.projects.is_empty() {
        let found = "webhooks belong to projects, and `gitlab.projects` names none to look at";
        return vec![Finding::unknown(check, found).remedy(format!(
            "in a project's Settings > Webhooks make one with the URL {address}, your \
             `webhook_secret` and `Job events`, and press `Test`: 200 is right"
        ))];
    }
    let projects = spec.gitlab.projects.iter();
    let judged = projects.map(|project| {
        let finding = match hooks.get(project) {
            Some(Ok(hooks)) => of_project(project, &address, hooks),
            Some(Err(error)) => Finding::unknown(check, error.to_string()),
            None => Finding::behind(check, Check::Gitlab, "GitLab could not be asked"),
        };
        finding.about(project)
    });
    judged.collect()
}

fn of_project(project: &str, address: &str, hooks: &[HookSeen]) -> Finding {
    let check = Check::Webhook;
    let same = |hook: &&HookSeen| hook.url.trim_end_matches('/') == address;
    let Some(hook) = hooks.iter().find(same) else {
        return Finding::warning(check, format!("it has no webhook to {address}"))
            .remedy(
                "`autogit doctor --fix` makes it; without it, new jobs are seen at the next look",
            )
            .fix(Fix::MakeWebhook { project: project.to_owned() });
    };
    if !hook.job_events {
        return Finding::warning(check, "its webhook does not tell about jobs")
            .remedy("switch on `Job events` in the project's Settings > Webhooks");
    }
    let stopped = hook.alert_status.as_deref().is_some_and(|word| word != "executable");
    if stopped || hook.disabled_until.is_some() {
        let until = hook.disabled_until.as_ref().map(|until| format!(" until {until}"));
        let found =
            format!("GitLab stopped delivering it after failures{}", until.unwrap_or_default());
        return Finding::failed(check, found).remedy(
            "correct what refuses it (its `Recent events` in Settings > Webhooks show what), then press \
             `Test` there",
        );
    }
    match &hook.last_delivery {
        Some(Some(delivery)) if delivery.is_fine() => {
            Finding::ok(check, format!("delivered{}", when(delivery)))
        }
        Some(Some(delivery)) => {
            let found = format!(
                "the last delivery was answered with {}{}",
                delivery.status,
                when(delivery)
            );
            Finding::failed(check, found).remedy(
                "401: `webhook_secret` is not the hook's; no answer: GitLab does not reach that address \
                 (private ones only if its administrator allows requests to the local network)",
            )
        }
        Some(None) => Finding::unknown(check, "it was never delivered yet")
            .remedy("press `Test` > `Job events` in the project's Settings > Webhooks"),
        None => Finding::unknown(check, "this GitLab does not tell what became of deliveries")
            .remedy(
                "press `Test` > `Job events` in the project's Settings > Webhooks: 200 is right",
            ),
    }
}

fn when(delivery: &Delivery) -> String {
    delivery.at.as_ref().map(|at| format!(", {at}")).unwrap_or_default()
}
