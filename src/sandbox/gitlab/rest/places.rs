//! Groups, projects and what projects protect.

use serde_json::json;

use crate::sandbox::gitlab::access::{AccessLevel, Caller, lies_under};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{Group, Project, State, UserId};

use super::users::reader;
use super::{group as find_group, project as find_project};

/// A group is seen by its members and by those of anything below it.
pub(super) fn sees_group(state: &State, caller: Caller, group: &Group) -> bool {
    let below =
        |(user, path): &(UserId, String)| *user == caller.user && lies_under(path, &group.path);
    state.level(caller, &group.path) >= AccessLevel::Guest || state.members.keys().any(below)
}

pub(super) fn groups(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let search = call.params.text("search").unwrap_or_default().to_lowercase();
    let top_level = call.params.flag("top_level_only")?.unwrap_or(false);
    let least = call.params.number("min_access_level")?;
    // An administrator has a role in those groups only that say so.
    let member = Caller { administrator: false, ..caller };
    let wanted = |group: &&Group| {
        sees_group(state, caller, group)
            && least.is_none_or(|least| state.level(member, &group.path) as u64 >= least)
            && group.path.to_lowercase().contains(&search)
            && (!top_level || !group.path.contains('/'))
    };
    let mut groups: Vec<&Group> = state.groups.values().filter(wanted).collect();
    groups.sort_by(|a, b| a.path.cmp(&b.path));
    let items = groups.into_iter().map(|group| (group.id.0, group)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: true }, |group| show.group(group))
}

pub(super) fn group(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let group = find_group(call, state, caller)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).group(group)))
}

/// A member, by inheritance, too (docs of the members API: `GET /groups/:id/members/all/:user_id`).
pub(super) fn group_member(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let path = find_group(call, state, caller)?.path.clone();
    member(call, state, &path)
}

pub(super) fn project_member(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let path = find_project(call, state, caller)?.path.clone();
    member(call, state, &path)
}

fn member(call: &Call, state: &State, path: &str) -> Outcome {
    let user = UserId(call.id("user"));
    let level = state.level(Caller { user, administrator: false }, path);
    let found = state.users.get(&user).filter(|_| level > AccessLevel::None);
    let user = found.ok_or_else(|| Answer::not_found(""))?;
    let member = json!({
        "id": user.id.0,
        "username": user.username,
        "state": "active",
        "access_level": level as u8,
        "expires_at": null,
    });
    Ok(Answer::ok(member))
}

pub(super) fn group_projects(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let group = find_group(call, state, caller)?;
    let deep = call.params.flag("include_subgroups")?.unwrap_or(false);
    let inside = |project: &&Project| {
        let parent = project.path.rsplit_once('/').map(|(parent, _)| parent);
        parent == Some(&group.path) || (deep && lies_under(&project.path, &group.path))
    };
    list_projects(call, state, caller, inside)
}

pub(super) fn projects(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let membership = call.params.flag("membership")?.unwrap_or(false);
    // An administrator sees every project and is a member of those only that say so.
    let member = Caller { administrator: false, ..caller };
    let least = call.params.number("min_access_level")?;
    let mine = |project: &&Project| {
        let level = state.level(member, &project.path);
        (!membership || level >= AccessLevel::Guest)
            && least.is_none_or(|least| level as u64 >= least)
    };
    list_projects(call, state, caller, mine)
}

fn list_projects(
    call: &Call,
    state: &State,
    caller: Caller,
    keep: impl Fn(&&Project) -> bool,
) -> Outcome {
    let archived = call.params.flag("archived")?;
    let search = call.params.text("search").unwrap_or_default().to_lowercase();
    let wanted = |project: &&Project| {
        keep(project)
            && state.sees(caller, project)
            && archived.is_none_or(|archived| project.settings.archived == archived)
            && project.path.to_lowercase().contains(&search)
    };
    let mut projects: Vec<&Project> = state.projects.values().filter(wanted).collect();
    match call.params.text("order_by").as_deref() {
        Some("id") => projects.sort_by_key(|project| project.id),
        Some("name" | "path") => projects.sort_by(|a, b| a.path.cmp(&b.path)),
        Some("last_activity_at" | "updated_at") => {
            projects.sort_by_key(|project| (project.active_at, project.id));
        }
        Some(_) | None => projects.sort_by_key(|project| (project.created_at, project.id)),
    }
    if call.params.text("sort").as_deref() != Some("asc") {
        projects.reverse();
    }
    let simple = call.params.flag("simple")?.unwrap_or(false);
    let items = projects.into_iter().map(|project| (project.id.0, project)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: true }, |project| {
        if simple { show.project_simple(project) } else { show.project(project) }
    })
}

pub(super) fn project(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let project = find_project(call, state, caller)?;
    let mut shown = Show::new(state, call.base(state)).project(project);
    // The caller's own role, at the group or the project: an administrator may have none.
    let member = Caller { administrator: false, ..caller };
    let level = state.level(member, &project.path);
    if level > AccessLevel::None
        && let Some(access) = shown.pointer_mut("/permissions/group_access")
    {
        *access = json!({ "access_level": level as u8, "notification_level": 3 });
    }
    Ok(Answer::ok(shown))
}

pub(super) fn protected_branches(call: &Call, state: &mut State) -> Outcome {
    list_protected(call, state, false)
}

pub(super) fn protected_tags(call: &Call, state: &mut State) -> Outcome {
    list_protected(call, state, true)
}

pub(super) fn protected_branch(call: &Call, state: &mut State) -> Outcome {
    one_protected(call, state, false)
}

pub(super) fn protected_tag(call: &Call, state: &mut State) -> Outcome {
    one_protected(call, state, true)
}

fn list_protected(call: &Call, state: &State, tags: bool) -> Outcome {
    let items = protected(call, state, tags)?.iter().enumerate();
    let items = items.map(|(at, name)| (u64::try_from(at).unwrap_or(0), (at, name))).collect();
    present(call, state, Listing { items, counted: true }, |(at, name)| {
        Show::protected_ref(at + 1, name, tags)
    })
}

fn one_protected(call: &Call, state: &State, tags: bool) -> Outcome {
    let wanted = call.part("name");
    let found = protected(call, state, tags)?.iter().position(|name| name == wanted);
    let at = found.ok_or_else(|| Answer::not_found(""))?;
    Ok(Answer::ok(Show::protected_ref(at + 1, wanted, tags)))
}

fn protected<'a>(call: &Call, state: &'a State, tags: bool) -> Result<&'a [String], Answer> {
    let caller = reader(call, state)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Developer {
        return Err(Answer::forbidden());
    }
    let settings = &project.settings;
    Ok(if tags { &settings.protected_tags } else { &settings.protected_branches })
}
