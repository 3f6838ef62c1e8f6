//! Runners, in GitLab's sense, and their managers.

use serde_json::{Value, json};

use super::{Arguments, Node, Out, connect, gid, text, words};
use crate::sandbox::gitlab::access::{AccessLevel, lies_under};
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::graphql::execute::Execution;
use crate::sandbox::gitlab::graphql::value::Error;
use crate::sandbox::gitlab::state::{Manager, Owner, Record};
use crate::world::RecordId;

impl Execution<'_> {
    pub(super) fn runner(&self, arguments: &Arguments) -> Result<Out, Error> {
        let id = gid(arguments, "id", "Ci::Runner")?;
        let id =
            id.ok_or_else(|| Error::new("Field 'runner' is missing required arguments: id"))?;
        let record = self.state.records.get(&RecordId(id));
        let seen = |record: &&Record| {
            self.caller.is_some_and(|caller| self.state.sees_record(caller, record))
        };
        Ok(record.filter(seen).map(|record| Node::Record(record.id)).into())
    }

    /// All runners of the instance; only administrators may ask.
    pub(super) fn all_runners(&self, arguments: &Arguments) -> Result<Out, Error> {
        if !self.caller.is_some_and(|caller| caller.administrator) {
            return Ok(Out::Nothing);
        }
        self.runners(arguments, |_| true)
    }

    /// The runners of a group or project and of the groups above it.
    pub(super) fn runners_of(&self, path: &str, arguments: &Arguments) -> Result<Out, Error> {
        let level = self.caller.map(|caller| self.state.level(caller, path));
        if level.is_none_or(|level| level < AccessLevel::Maintainer) {
            return Ok(Out::Nothing);
        }
        self.runners(arguments, |record| {
            let owner = self.state.owner_path(&record.owner);
            owner.is_some_and(|owner| owner == path || lies_under(path, &owner))
        })
    }

    fn runners(&self, arguments: &Arguments, keep: impl Fn(&Record) -> bool) -> Result<Out, Error> {
        let paused = arguments.get("paused").and_then(Value::as_bool);
        let tags = words(arguments, "tagList").unwrap_or_default();
        let search = text(arguments, "search").unwrap_or_default();
        let is = |record: &Record, argument: &str, field: &str| {
            let asked = text(arguments, argument);
            asked.is_none_or(|asked| self.record_leaf(record, field).as_str() == Some(asked))
        };
        let records = self.state.records.values().filter(|record| {
            keep(record)
                && paused.is_none_or(|paused| record.form.paused == paused)
                && tags.iter().all(|tag| record.form.tags.iter().any(|had| had == tag))
                && record.form.description.contains(search)
                && is(record, "status", "status")
                && is(record, "type", "runnerType")
        });
        connect(records.map(|record| (record.id.0, Node::Record(record.id))), arguments)
    }

    pub(super) fn in_record(
        &self,
        id: RecordId,
        field: &str,
        arguments: &Arguments,
    ) -> Result<Out, Error> {
        let Some(record) = self.state.records.get(&id) else { return Ok(Out::Nothing) };
        match field {
            "managers" => {
                let (system_id, status) = (text(arguments, "systemId"), text(arguments, "status"));
                let managers = record.managers.iter().filter(|(name, manager)| {
                    system_id.is_none_or(|wanted| wanted == name.as_str())
                        && status.is_none_or(|wanted| wanted == self.manager_status(manager))
                });
                let nodes = managers.map(|(name, row)| (row.id, Node::Manager(id, name.clone())));
                connect(nodes, arguments)
            }
            "jobs" => self.jobs(arguments, |job| job.record == Some(id)),
            _ => self.projects(arguments, |project| record.owner == Owner::Project(project.id)),
        }
    }

    fn manager_status(&self, manager: &Manager) -> &'static str {
        if self.state.is_recent(manager.contacted_at) { "ONLINE" } else { "OFFLINE" }
    }

    pub(super) fn record_leaf(&self, record: &Record, field: &str) -> Value {
        let form = &record.form;
        let rest = || Show::new(self.state, self.base.clone()).record(record);
        let upper =
            |name: &str| json!(rest().get(name).and_then(Value::as_str).map(str::to_uppercase));
        match field {
            "id" => json!(format!("gid://gitlab/Ci::Runner/{}", record.id)),
            "description" => json!(form.description),
            "maintenanceNote" => json!(form.maintenance_note),
            "paused" => json!(form.paused),
            "active" => json!(!form.paused),
            "locked" => json!(form.locked),
            "runUntagged" => json!(form.run_untagged),
            "tagList" => json!(form.tags),
            "accessLevel" if form.protected => json!("REF_PROTECTED"),
            "accessLevel" => json!("NOT_PROTECTED"),
            "runnerType" => upper("runner_type"),
            "status" => match record.contacted_at {
                None => json!("NEVER_CONTACTED"),
                Some(at) if self.state.is_recent(at) => json!("ONLINE"),
                Some(_) => json!("OFFLINE"),
            },
            "jobExecutionStatus" => upper("job_execution_status"),
            "contactedAt" => self.maybe_time(record.contacted_at),
            "createdAt" => self.time(record.created_at),
            "tokenExpiresAt" => self.maybe_time(record.token_expires_at),
            "maximumTimeout" => json!(form.maximum_timeout),
            "jobCount" => {
                let jobs = self.state.jobs.values();
                json!(jobs.filter(|job| job.record == Some(record.id)).count())
            }
            "shortSha" => {
                let token = record.token.strip_prefix("glrt-").unwrap_or(&record.token);
                json!(token.get(..8))
            }
            "version" => {
                let newest = record.managers.values().max_by_key(|row| row.contacted_at);
                json!(newest.and_then(|manager| manager.info.version.clone()))
            }
            _ => Value::Null,
        }
    }

    pub(super) fn manager_leaf(&self, record: RecordId, system_id: &str, field: &str) -> Value {
        let record = self.state.records.get(&record);
        let Some(manager) = record.and_then(|record| record.managers.get(system_id)) else {
            return Value::Null;
        };
        let show = Show::new(self.state, self.base.clone());
        let upper = |name: &str| {
            let rest = record.map(|record| show.manager(record, system_id, manager));
            json!(rest.as_ref().and_then(|rest| rest.get(name)?.as_str()).map(str::to_uppercase))
        };
        match field {
            "id" => json!(format!("gid://gitlab/Ci::RunnerManager/{}", manager.id)),
            "systemId" => json!(system_id),
            "status" => json!(self.manager_status(manager)),
            "jobExecutionStatus" => upper("job_execution_status"),
            "contactedAt" => self.time(manager.contacted_at),
            "createdAt" => self.time(manager.created_at),
            "version" => json!(manager.info.version),
            "revision" => json!(manager.info.revision),
            "platformName" => json!(manager.info.platform),
            "architectureName" => json!(manager.info.architecture),
            "ipAddress" => json!("127.0.0.1"),
            _ => Value::Null,
        }
    }
}
