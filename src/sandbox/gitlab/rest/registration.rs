//! Records made and given up: by a person's token, by a registration token, by a runner's own.

use serde_json::{Map, Value, json};

use crate::sandbox::gitlab::access::{AccessLevel, Caller};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::state::{GroupId, Owner, RecordForm, State};
use crate::sandbox::gitlab::switches::Registration;
use crate::spec::Scope;
use crate::world::{ProjectId, RecordId};

const CREATE: &[&str] = &["api", "create_runner"];
const TAGS_MAX: usize = 50;
const TEXT_MAX: usize = 1024;
const TIMEOUT_MIN: u64 = 600;
/// GitLab's default limit per group and per project; there is none for the instance.
const RECORDS_MAX: usize = 1000;

/// One thing wrong with a record: the field and what is wrong with it.
type Fault = (&'static str, &'static str);

/// `POST /user/runners`.
pub(super) fn create(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, CREATE)?;
    let owner = owner(call, state, caller)?;
    let form = with_changes(call, blank())?;
    if let Some((field, problem)) = faults(&form).first() {
        return Err(Answer::bad_request(&format!("{} {problem}", spoken(field))));
    }
    let held = state.records.values().filter(|record| record.owner == owner).count();
    if owner != Owner::Instance && held >= RECORDS_MAX {
        return Err(Answer::bad_request("Maximum number of ci registered runners (1000) exceeded"));
    }
    let token = state.mint_record_token();
    let id = state.add_record(owner, form, token, Some(caller.user));
    registered(call, state, id)
}

/// Where the record shall be, if the caller may make one there.
fn owner(call: &Call, state: &State, caller: Caller) -> Result<Owner, Answer> {
    let scope_needed = || Answer::bad_request("Missing/invalid scope");
    let owner = match call.params.required("runner_type")?.as_str() {
        "instance_type" => Owner::Instance,
        "group_type" => {
            let id = call.params.number("group_id")?;
            let id = id.ok_or_else(|| Answer::bad_parameter("group_id is missing"))?;
            Owner::Group(state.groups.get(&GroupId(id)).ok_or_else(scope_needed)?.id)
        }
        "project_type" => {
            let id = call.params.number("project_id")?;
            let id = id.ok_or_else(|| Answer::bad_parameter("project_id is missing"))?;
            Owner::Project(state.projects.get(&ProjectId(id)).ok_or_else(scope_needed)?.id)
        }
        _ => return Err(Answer::bad_parameter("runner_type does not have a valid value")),
    };
    if state.level_at(caller, &owner) < AccessLevel::Owner {
        return Err(Answer::forbidden_because("Insufficient permissions"));
    }
    Ok(owner)
}

/// `POST /runners`, the legacy way.
pub(super) fn register(call: &Call, state: &mut State) -> Outcome {
    match state.switches.registration {
        Registration::Allowed => {}
        Registration::Refused => {
            return Err(Answer::forbidden_because("runner registration disallowed"));
        }
        Registration::Gone => {
            let text = "Runner registration tokens have been deprecated and removed";
            return Err(Answer::refused(410, &format!("Gone - {text}")));
        }
    }
    let token = call.params.required("token")?;
    let groups = state
        .groups
        .values()
        .map(|group| (Scope::Group(group.path.clone()), Owner::Group(group.id)));
    let projects = state
        .projects
        .values()
        .map(|project| (Scope::Project(project.path.clone()), Owner::Project(project.id)));
    let mut places = [(Scope::Instance, Owner::Instance)].into_iter().chain(groups).chain(projects);
    let place = places.find(|(scope, _)| state.registration_token(scope) == token);
    let (_, owner) = place.ok_or_else(Answer::forbidden)?;
    let form = with_changes(call, blank())?;
    let faults = faults(&form);
    if !faults.is_empty() {
        return Err(refuse(&faults));
    }
    let token = state.mint("");
    let id = state.add_record(owner, form, token, None);
    registered(call, state, id)
}

/// `DELETE /runners`, by a runner's own token.
pub(super) fn unregister(call: &Call, state: &mut State) -> Outcome {
    let id = runner(call, state)?;
    state.delete_record(id);
    Ok(Answer::no_content())
}

/// `DELETE /runners/managers`, by a runner's own token.
pub(super) fn unregister_manager(call: &Call, state: &mut State) -> Outcome {
    let system_id = call.params.required("system_id")?;
    let id = runner(call, state)?;
    let record = state.records.get_mut(&id).ok_or_else(Answer::forbidden)?;
    if record.managers.remove(&system_id).is_none() {
        return Err(Answer::not_found("Runner manager"));
    }
    state.touch();
    Ok(Answer::no_content())
}

fn runner(call: &Call, state: &State) -> Result<RecordId, Answer> {
    let token = call.params.required("token")?;
    state.record_by_token(&token).ok_or_else(Answer::forbidden)
}

fn registered(call: &Call, state: &State, id: RecordId) -> Outcome {
    let record = state.records.get(&id).ok_or_else(Answer::forbidden)?;
    Ok(Answer::created(Show::new(state, call.base(state)).registered(record)))
}

fn blank() -> RecordForm {
    RecordForm {
        description: String::new(),
        maintenance_note: None,
        paused: false,
        locked: false,
        protected: false,
        run_untagged: true,
        tags: Vec::new(),
        maximum_timeout: None,
    }
}

/// The form with what the request gives.
pub(super) fn with_changes(call: &Call, mut form: RecordForm) -> Result<RecordForm, Answer> {
    let params = &call.params;
    form.description = params.text("description").unwrap_or(form.description);
    if params.has("maintenance_note") {
        form.maintenance_note = params.text("maintenance_note");
    }
    let active = params.flag("active")?;
    form.paused = params.flag("paused")?.or(active.map(|active| !active)).unwrap_or(form.paused);
    form.locked = params.flag("locked")?.unwrap_or(form.locked);
    form.run_untagged = params.flag("run_untagged")?.unwrap_or(form.run_untagged);
    form.protected = match params.text("access_level").as_deref() {
        None => form.protected,
        Some("not_protected") => false,
        Some("ref_protected") => true,
        Some(_) => return Err(Answer::bad_parameter("access_level does not have a valid value")),
    };
    if params.has("tag_list") {
        form.tags = Vec::new();
        for tag in params.list("tag_list").unwrap_or_default() {
            if !form.tags.contains(&tag) {
                form.tags.push(tag);
            }
        }
    }
    if params.has("maximum_timeout") {
        form.maximum_timeout = params.number("maximum_timeout")?;
    }
    Ok(form)
}

/// What GitLab would not save.
pub(super) fn faults(form: &RecordForm) -> Vec<Fault> {
    let long = |text: &str| text.chars().count() > TEXT_MAX;
    let checks = [
        (
            form.tags.is_empty() && !form.run_untagged,
            ("tags_list", "can not be empty when runner is not allowed to pick untagged jobs"),
        ),
        (
            form.tags.len() > TAGS_MAX,
            ("tags_list", "Too many tags specified. Please limit the number of tags to 50"),
        ),
        (long(&form.description), ("description", "is too long (maximum is 1024 characters)")),
        (
            form.maintenance_note.as_deref().is_some_and(long),
            ("maintenance_note", "is too long (maximum is 1024 characters)"),
        ),
        (
            form.maximum_timeout.is_some_and(|seconds| seconds < TIMEOUT_MIN),
            ("maximum_timeout", "needs to be at least 10 minutes"),
        ),
    ];
    checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, fault)| fault).collect()
}

/// The faults by field, as GitLab's validation errors are told.
pub(super) fn refuse(faults: &[Fault]) -> Answer {
    let mut message = Map::new();
    for (field, problem) in faults.iter().copied() {
        let problems = message.entry(field).or_insert_with(|| json!([]));
        if let Value::Array(problems) = problems {
            problems.push(json!(problem));
        }
    }
    Answer::json(400, json!({ "message": message }))
}

/// A field's name at the beginning of a sentence.
fn spoken(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
