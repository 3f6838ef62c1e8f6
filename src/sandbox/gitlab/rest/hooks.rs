//! A project's webhooks: kept and shown, never called.

use serde_json::{Value, json};

use crate::sandbox::gitlab::access::{AccessLevel, READ, WRITE};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::merge;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{Hook, State};
use crate::world::ProjectId;

/// The events of a hook, and whether a hook has them unless it says otherwise.
const EVENTS: &[(&str, bool)] = &[
    ("push_events", true),
    ("tag_push_events", false),
    ("merge_requests_events", false),
    ("issues_events", false),
    ("note_events", false),
    ("job_events", false),
    ("pipeline_events", false),
    ("wiki_page_events", false),
    ("deployment_events", false),
    ("releases_events", false),
    ("enable_ssl_verification", true),
];

pub(super) fn list(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, READ)?;
    let hooks = state.hooks.iter().filter(|(_, hook)| hook.project == project);
    let items = hooks.map(|(id, hook)| (*id, hook)).collect();
    present(call, state, Listing { items, counted: true }, |hook| hook.form.clone())
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, READ)?;
    let hook = state.hooks.get(&call.id("hook")).filter(|hook| hook.project == project);
    Ok(Answer::ok(hook.ok_or_else(|| Answer::not_found(""))?.form.clone()))
}

pub(super) fn create(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, WRITE)?;
    let url = call.params.required("url")?;
    check(&url)?;
    let id = state.count("hook", 901);
    let mut form = json!({
        "id": id,
        "url": url,
        "name": call.params.text("name"),
        "description": call.params.text("description"),
        "created_at": state.time(state.now),
        "push_events_branch_filter": "",
        "branch_filter_strategy": "wildcard",
        "alert_status": "executable",
        "disabled_until": null,
        "custom_webhook_template": "",
        "project_id": project.0,
    });
    merge(&mut form, events(call, None)?);
    state.hooks.insert(id, Hook { project, form: form.clone() });
    Ok(Answer::created(form))
}

pub(super) fn update(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, WRITE)?;
    let hook = state.hooks.get_mut(&call.id("hook")).filter(|hook| hook.project == project);
    let hook = hook.ok_or_else(|| Answer::not_found(""))?;
    if let Some(url) = call.params.text("url") {
        check(&url)?;
        merge(&mut hook.form, json!({ "url": url }));
    }
    let events = events(call, Some(&hook.form))?;
    merge(&mut hook.form, events);
    Ok(Answer::ok(hook.form.clone()))
}

pub(super) fn delete(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, WRITE)?;
    let id = call.id("hook");
    if state.hooks.get(&id).is_none_or(|hook| hook.project != project) {
        return Err(Answer::not_found(""));
    }
    state.hooks.remove(&id);
    Ok(Answer::no_content())
}

fn check(url: &str) -> Result<(), Answer> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    Err(Answer::json(422, json!({ "error": "Invalid url given" })))
}

fn events(call: &Call, before: Option<&Value>) -> Result<Value, Answer> {
    let mut events = json!({});
    for (name, default) in EVENTS.iter().copied() {
        let had = before.and_then(|form| form.get(name)).and_then(Value::as_bool);
        let value = call.params.flag(name)?.or(had).unwrap_or(default);
        merge(&mut events, Value::Object([(name.to_owned(), json!(value))].into_iter().collect()));
    }
    Ok(events)
}

/// The project, if the caller may see to its hooks.
fn administered(call: &Call, state: &State, scopes: &[&str]) -> Result<ProjectId, Answer> {
    let caller = call.caller(state, scopes)?;
    let project = super::project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Maintainer {
        return Err(Answer::forbidden());
    }
    Ok(project.id)
}
