//! Runners, in GitLab's sense: listed, shown, changed, deleted.

use serde_json::Value;

use crate::sandbox::gitlab::access::{AccessLevel, Caller, lies_under};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{Owner, Record, State};
use crate::world::RecordId;

use super::registration::{faults, refuse, with_changes};
use super::users::reader;

const READ_ONE: &[&str] = &["api", "read_api", "manage_runner"];
const MANAGE: &[&str] = &["api", "manage_runner"];

/// The records of the groups the caller owns and the projects the caller maintains.
pub(super) fn owned(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let member = Caller { administrator: false, ..caller };
    listed(call, state, |record| {
        let level = state.level_at(member, &record.owner);
        let least = match record.owner {
            Owner::Project(_) => AccessLevel::Maintainer,
            Owner::Group(_) | Owner::Instance => AccessLevel::Owner,
        };
        level >= least
    })
}

pub(super) fn all(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    if !caller.administrator {
        return Err(Answer::forbidden());
    }
    listed(call, state, |_| true)
}

/// A group's own records, those of the groups above it, and instance runners.
pub(super) fn of_group(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let group = super::group(call, state, caller)?;
    of_place(call, state, caller, &group.path)
}

/// A project's own records, those of the groups above it, and instance runners.
pub(super) fn of_project(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let project = super::project(call, state, caller)?;
    of_place(call, state, caller, &project.path)
}

fn of_place(call: &Call, state: &State, caller: Caller, path: &str) -> Outcome {
    if state.level(caller, path) < AccessLevel::Maintainer {
        return Err(Answer::forbidden());
    }
    listed(call, state, |record| {
        let owner = state.owner_path(&record.owner);
        owner.is_none_or(|owner| owner == path || lies_under(path, &owner))
    })
}

fn listed(call: &Call, state: &State, keep: impl Fn(&Record) -> bool) -> Outcome {
    let show = Show::new(state, call.base(state));
    let kind = call.params.text("type");
    let (status, scope) = (call.params.text("status"), call.params.text("scope"));
    let paused = call.params.flag("paused")?;
    let tags = call.params.list("tag_list").unwrap_or_default();
    let is = |shown: &Value, name: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| shown.get(name).and_then(Value::as_str) == Some(wanted))
    };
    let fits_scope = |record: &Record, shown: &Value| match scope.as_deref() {
        None => true,
        Some("active") => !record.form.paused,
        Some("paused") => record.form.paused,
        Some("shared") => record.owner == Owner::Instance,
        Some("specific") => record.owner != Owner::Instance,
        Some(_) => is(shown, "status", &scope),
    };
    let mut items = Vec::new();
    for record in state.records.values().rev().filter(|record| keep(record)) {
        let shown = show.record(record);
        if is(&shown, "runner_type", &kind)
            && is(&shown, "status", &status)
            && fits_scope(record, &shown)
            && paused.is_none_or(|paused| record.form.paused == paused)
            && tags.iter().all(|tag| record.form.tags.contains(tag))
        {
            items.push((record.id.0, shown));
        }
    }
    present(call, state, Listing { items, counted: true }, Clone::clone)
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, READ_ONE)?;
    let record = readable(call, state, caller)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).record_details(record, caller)))
}

pub(super) fn managers(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, READ_ONE)?;
    let record = readable(call, state, caller)?;
    let show = Show::new(state, call.base(state));
    let managers =
        record.managers.iter().map(|(name, row)| (row.id, show.manager(record, name, row)));
    let mut managers: Vec<(u64, Value)> = managers.collect();
    managers.sort_by_key(|(id, _)| *id);
    Ok(Answer::ok(managers.into_iter().map(|(_, shown)| shown).collect()))
}

pub(super) fn jobs(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, READ_ONE)?;
    let record = find(call, state)?;
    if state.level_at(caller, &record.owner) < AccessLevel::Maintainer {
        return Err(Answer::forbidden_because("No access granted"));
    }
    let (status, system_id) = (call.params.text("status"), call.params.text("system_id"));
    let jobs = state.jobs.values().rev().filter(|job| {
        job.record == Some(record.id)
            && status.as_ref().is_none_or(|status| job.status.as_str() == status)
            && system_id.as_ref().is_none_or(|wanted| job.system_id.as_ref() == Some(wanted))
    });
    let items = jobs.map(|job| (job.id.0, job)).collect();
    let show = Show::new(state, call.base(state));
    let counted = system_id.is_none();
    present(call, state, Listing { items, counted }, |job| show.job_with_project(job))
}

pub(super) fn update(call: &Call, state: &mut State) -> Outcome {
    let (id, caller) = manageable(call, state)?;
    let record = state.records.get(&id).ok_or_else(|| Answer::not_found(""))?;
    let form = state.kept(with_changes(call, record.form.clone())?);
    let faults = faults(&form);
    if !faults.is_empty() {
        return Err(refuse(&faults));
    }
    state.edit_record(id, |old| *old = form);
    let record = state.records.get(&id).ok_or_else(|| Answer::not_found(""))?;
    Ok(Answer::ok(Show::new(state, call.base(state)).record_details(record, caller)))
}

pub(super) fn delete(call: &Call, state: &mut State) -> Outcome {
    let (id, _) = manageable(call, state)?;
    state.delete_record(id);
    Ok(Answer::no_content())
}

fn find<'a>(call: &Call, state: &'a State) -> Result<&'a Record, Answer> {
    state.records.get(&RecordId(call.id("id"))).ok_or_else(|| Answer::not_found(""))
}

fn readable<'a>(call: &Call, state: &'a State, caller: Caller) -> Result<&'a Record, Answer> {
    let record = find(call, state)?;
    if !state.sees_record(caller, record) {
        return Err(Answer::forbidden_because("No access granted"));
    }
    Ok(record)
}

/// The record, if the caller may change it: who may make one there may.
fn manageable(call: &Call, state: &State) -> Result<(RecordId, Caller), Answer> {
    let caller = call.caller(state, MANAGE)?;
    let record = find(call, state)?;
    if state.level_at(caller, &record.owner) < AccessLevel::Owner {
        return Err(Answer::forbidden_because("No access granted"));
    }
    Ok((record.id, caller))
}
