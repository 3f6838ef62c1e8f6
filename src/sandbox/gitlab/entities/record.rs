//! Runners, in GitLab's sense, and their managers.

use serde_json::{Value, json};

use super::{Show, merge};
use crate::sandbox::gitlab::access::Caller;
use crate::sandbox::gitlab::state::{Manager, Owner, Record};

impl Show<'_> {
    pub(crate) fn record(&self, record: &Record) -> Value {
        let online = self.state.is_online(record);
        json!({
            "id": record.id.0,
            "description": record.form.description,
            "ip_address": null,
            "active": !record.form.paused,
            "paused": record.form.paused,
            "is_shared": record.owner == Owner::Instance,
            "runner_type": owner_type(&record.owner),
            "name": null,
            "online": record.contacted_at.map(|_| online),
            "created_by": self.maybe_user(record.created_by),
            "created_at": self.state.time(record.created_at),
            "status": self.record_status(record),
            "job_execution_status": self.execution(record, None),
        })
    }

    /// `paused` goes before being online, as in API v4.
    fn record_status(&self, record: &Record) -> &'static str {
        match (record.contacted_at, record.form.paused) {
            (None, _) => "never_contacted",
            (Some(_), true) => "paused",
            (Some(at), false) if self.state.is_recent(at) => "online",
            (Some(_), false) => "offline",
        }
    }

    pub(crate) fn record_details(&self, record: &Record, caller: Caller) -> Value {
        let newest = record.managers.values().max_by_key(|manager| manager.contacted_at);
        let info = newest.map(|manager| manager.info.clone()).unwrap_or_default();
        let (mut projects, mut groups) = (Vec::new(), Vec::new());
        match &record.owner {
            Owner::Instance => {}
            Owner::Group(id) => {
                let group = self.state.groups.get(id);
                groups.extend(group.map(|group| {
                    json!({
                        "id": group.id.0,
                        "web_url": format!("{}/groups/{}", self.base, group.path),
                        "name": group.path,
                    })
                }));
            }
            Owner::Project(id) => {
                // In no order: those that it was lent to may come before its owner.
                let all = record.lent.iter().chain([id]);
                let all = all.filter_map(|id| self.state.projects.get(id));
                projects.extend(all.map(|project| self.project_simple(project)));
            }
        }
        let editable =
            self.state.level_at(caller, &record.owner) >= super::super::AccessLevel::Maintainer;
        let mut shown = self.record(record);
        let more = json!({
            "tag_list": record.form.tags,
            "run_untagged": record.form.run_untagged,
            "locked": record.form.locked,
            "maximum_timeout": record.form.maximum_timeout,
            "access_level": access_level(record),
            "version": info.version,
            "revision": info.revision,
            "platform": info.platform,
            "architecture": info.architecture,
            "contacted_at": self.state.maybe_time(record.contacted_at),
            "maintenance_note": record.form.maintenance_note.as_ref().filter(|_| editable),
            "projects": projects,
            "groups": groups,
        });
        merge(&mut shown, more);
        shown
    }

    /// A record and its secret, shown when it is made and when a runner asks who it is.
    pub(crate) fn registered(&self, record: &Record) -> Value {
        json!({
            "id": record.id.0,
            "token": record.token,
            "token_expires_at": self.state.maybe_time(record.token_expires_at),
        })
    }

    pub(crate) fn manager(&self, record: &Record, system_id: &str, manager: &Manager) -> Value {
        let recent = self.state.is_recent(manager.contacted_at);
        json!({
            "id": manager.id,
            "system_id": system_id,
            "version": manager.info.version,
            "revision": manager.info.revision,
            "platform": manager.info.platform,
            "architecture": manager.info.architecture,
            "created_at": self.state.time(manager.created_at),
            "contacted_at": self.state.time(manager.contacted_at),
            "ip_address": "127.0.0.1",
            "status": if recent { "online" } else { "offline" },
            "job_execution_status": self.execution(record, Some(system_id)),
        })
    }

    fn execution(&self, record: &Record, system_id: Option<&str>) -> &'static str {
        match (
            self.state.has_job(record.id, system_id),
            self.state.switches.version_is_at_least(17, 2),
        ) {
            (false, _) => "idle",
            (true, true) => "active",
            (true, false) => "running",
        }
    }
}

/// REST's word for whose jobs a record takes.
pub(crate) fn owner_type(owner: &Owner) -> &'static str {
    match owner {
        Owner::Instance => "instance_type",
        Owner::Group(_) => "group_type",
        Owner::Project(_) => "project_type",
    }
}

/// REST's word for which refs' jobs a record takes.
pub(crate) fn access_level(record: &Record) -> &'static str {
    if record.form.protected { "ref_protected" } else { "not_protected" }
}
