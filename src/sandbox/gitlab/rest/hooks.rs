//! Webhooks of projects and of the server: kept and shown, never called.

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
    let hooks = state.hooks.iter().filter(|(_, hook)| hook.project == Some(project));
    let items = hooks.map(|(id, hook)| (*id, hook)).collect();
    present(call, state, Listing { items, counted: true }, |hook| hook.form.clone())
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, READ)?;
    let hook = state.hooks.get(&call.id("hook")).filter(|hook| hook.project == Some(project));
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
    state.hooks.insert(id, Hook { project: Some(project), form: form.clone() });
    Ok(Answer::created(form))
}

pub(super) fn update(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, WRITE)?;
    let hook = state.hooks.get_mut(&call.id("hook")).filter(|hook| hook.project == Some(project));
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
    if state.hooks.get(&id).is_none_or(|hook| hook.project != Some(project)) {
        return Err(Answer::not_found(""));
    }
    state.hooks.remove(&id);
    Ok(Answer::no_content())
}

/// Delivers nothing: there is nobody to deliver to, and GitLab says so with a 422 (16.11 and newer).
pub(super) fn test(call: &Call, state: &mut State) -> Outcome {
    let project = administered(call, state, WRITE)?;
    let hook = state.hooks.get(&call.id("hook")).filter(|hook| hook.project == Some(project));
    hook.filter(|_| state.switches.version_is_at_least(16, 11))
        .ok_or_else(|| Answer::not_found(""))?;
    Err(Answer::json(422, json!({ "message": "Hook execution failed: nobody listens" })))
}

pub(super) fn list_system(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, READ)?;
    if !caller.administrator {
        return Err(Answer::forbidden());
    }
    let hooks = state.hooks.iter().filter(|(_, hook)| hook.project.is_none());
    let items = hooks.map(|(id, hook)| (*id, hook)).collect();
    present(call, state, Listing { items, counted: true }, |hook| hook.form.clone())
}

/// System hooks tell of pushes and no jobs (`doc/api/system_hooks.md`).
pub(super) fn create_system(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, WRITE)?;
    if !caller.administrator {
        return Err(Answer::forbidden());
    }
    let url = call.params.required("url")?;
    check(&url)?;
    let id = state.count("hook", 901);
    let form = json!({
        "id": id,
        "url": url,
        "created_at": state.time(state.now),
        "push_events": call.params.flag("push_events")?.unwrap_or(false),
        "tag_push_events": call.params.flag("tag_push_events")?.unwrap_or(false),
        "merge_requests_events": call.params.flag("merge_requests_events")?.unwrap_or(false),
        "repository_update_events": call.params.flag("repository_update_events")?.unwrap_or(true),
        "enable_ssl_verification": true,
    });
    state.hooks.insert(id, Hook { project: None, form: form.clone() });
    Ok(Answer::created(form))
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
