//! The managers of records: one GraphQL request for several records, by alias.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::HttpGitlab;
use super::call::Call;
use super::graphql::{Connection, Reply, whole};
use super::probe::{Proof, older};
use super::wire::readable;
use crate::error_policy::ErrorKind;
use crate::gitlab::GitlabError;
use crate::world::{Caller, Manager, RecordId, SystemId};

/// Records asked for in one request: each costs about 18 of GitLab's 250 points of complexity.
const RECORDS_PER_REQUEST: usize = 12;
/// Pages of one record's managers: 1000 runners. A record with more is left out.
const PAGES_MAX: usize = 10;
/// Records whose managers are read by REST at one look.
const REST_RECORDS_MAX: usize = 10;
/// How long rows that were read by REST are good, where there are more records than that.
const ROWS_AGE_MAX: Duration = Duration::from_mins(1);
const ATTEMPT: &str = "read the managers of runners";
/// A manager that runs no job; all else is busy, whatever a newer server calls it.
const IDLE: &str = "IDLE";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runner {
    /// REST tells it once, when the token is made.
    token_expires_at: Option<Timestamp>,
    managers: Option<Connection<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    system_id: String,
    contacted_at: Option<Timestamp>,
    job_execution_status: Option<String>,
}

/// A manager as REST tells it (`API::Entities::Ci::RunnerManager`, GitLab 18.6).
#[derive(Deserialize)]
struct Told {
    created_at: Option<Timestamp>,
    system_id: Option<String>,
    ip_address: Option<String>,
    version: Option<String>,
    contacted_at: Option<Timestamp>,
    job_execution_status: Option<String>,
}

/// Managers as REST told them last, by record.
#[derive(Default)]
pub(super) struct Rows(BTreeMap<RecordId, (Timestamp, Vec<Manager>)>);

/// A record of which a page is still to be read.
struct Wanted {
    id: RecordId,
    after: Option<String>,
    pages: usize,
}

impl HttpGitlab {
    /// The managers by record. A record that is gone or may not be seen is left out.
    pub(super) async fn read_managers(
        &self,
        records: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<Manager>>, GitlabError> {
        let fine_grained = |proof: &Proof| proof.server.is_fine_grained();
        if self.proof.with(|proof| proof.as_ref().is_some_and(fine_grained)) {
            return self.read_managers_by_rest(records).await;
        }
        let mut found = BTreeMap::new();
        let mut wanted: Vec<Wanted> =
            records.iter().map(|&id| Wanted { id, after: None, pages: 0 }).collect();
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(RECORDS_PER_REQUEST));
            let mut next = self.ask_for(&wanted, &mut found).await?;
            next.extend(rest);
            wanted = next;
        }
        Ok(found)
    }

    /// Asks one page of each; tells which have another.
    async fn ask_for(
        &self,
        wanted: &[Wanted],
        found: &mut BTreeMap<RecordId, Vec<Manager>>,
    ) -> Result<Vec<Wanted>, GitlabError> {
        let (query, variables) = query(wanted);
        let mut reply: Reply<BTreeMap<String, Value>> =
            self.wire.reply(ATTEMPT, &query, variables).await?;
        // An error about one record must not hide the others, and its rows are not known then.
        let odd: BTreeSet<String> =
            reply.errors.iter().filter_map(|fault| fault.field().map(str::to_owned)).collect();
        reply.errors.retain(|fault| fault.field().is_none());
        let mut data = whole(ATTEMPT, reply)?;
        data.retain(|alias, _| !odd.contains(alias));
        let mut next = Vec::new();
        for record in wanted {
            let runner = data.remove(&alias(record.id));
            let runner = runner.and_then(|runner| serde_json::from_value::<Runner>(runner).ok());
            if let Some(runner) = &runner {
                let at = runner.token_expires_at.map(|at| self.wire.ours(at));
                self.records.with(|known| known.token_expires(record.id, at));
            }
            let connection = runner.and_then(|runner| runner.managers);
            let page = connection.map(|page| (page.page_info, readable::<Node>(page.nodes)));
            // Rows that cannot be read are not absent: none of them are told.
            let Some((page_info, (nodes, 0))) = page else {
                found.remove(&record.id);
                continue;
            };
            let managers = found.entry(record.id).or_default();
            managers.extend(nodes.into_iter().map(|node| self.manager(node)));
            if !page_info.has_next_page {
                continue;
            }
            let pages = record.pages + 1;
            let after = page_info.end_cursor;
            if pages < PAGES_MAX && after.is_some() {
                next.push(Wanted { id: record.id, after, pages });
            } else {
                found.remove(&record.id);
            }
        }
        Ok(next)
    }

    /// What the managers of a record say of themselves. GraphQL tells it, too, but each field more
    /// of each row would leave room for fewer records in a request.
    pub(super) async fn read_callers(
        &self,
        record: RecordId,
    ) -> Result<BTreeMap<SystemId, Caller>, GitlabError> {
        let callers = self.rows_of(record).await?.into_iter().filter_map(|row| {
            let given = |text: Option<String>| text.filter(|text| !text.is_empty());
            let caller = Caller {
                created_at: row.created_at.map(|at| self.wire.ours(at)),
                address: given(row.ip_address),
                version: given(row.version),
            };
            Some((SystemId::from_observed(&row.system_id?), caller))
        });
        Ok(callers.collect())
    }

    /// The managers by REST, a few records at a look and in turn: for a fine-grained token GraphQL
    /// leaves things out and says nothing.
    async fn read_managers_by_rest(
        &self,
        records: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<Manager>>, GitlabError> {
        let mut turn: Vec<(Option<Timestamp>, RecordId)> = self.rows.with(|rows| {
            records.iter().map(|id| (rows.0.get(id).map(|(at, _)| *at), *id)).collect()
        });
        turn.sort_unstable();
        for (_, id) in turn.into_iter().take(REST_RECORDS_MAX) {
            let rows = match self.rows_of(id).await {
                Ok(rows) => rows,
                Err(error) if error.kind() == ErrorKind::Unreachable => return Err(error),
                Err(error @ GitlabError::Unauthorized { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(record = %id, %error, "managers not read");
                    self.rows.with(|rows| rows.0.remove(&id));
                    continue;
                }
            };
            let managers: Option<Vec<Manager>> =
                rows.into_iter().map(|row| self.manager_of(row)).collect();
            let now = self.wire.now();
            self.rows.with(|rows| match managers {
                Some(managers) => drop(rows.0.insert(id, (now, managers))),
                // Rows that cannot be read are not absent: none of them are told.
                None => drop(rows.0.remove(&id)),
            });
        }
        let now = self.wire.now();
        Ok(self.rows.with(|rows| {
            rows.0.retain(|id, (at, _)| records.contains(id) && !older(now, *at, ROWS_AGE_MAX));
            rows.0.iter().map(|(id, (_, managers))| (*id, managers.clone())).collect()
        }))
    }

    async fn rows_of(&self, record: RecordId) -> Result<Vec<Told>, GitlabError> {
        let path = format!("/runners/{record}/managers");
        let call = Call::get("GET /runners/:id/managers", path)
            .attempt(format!("see the managers of runner {record}"))
            .object(format!("runner {record}"));
        self.wire.json(&call).await
    }

    fn manager_of(&self, row: Told) -> Option<Manager> {
        Some(Manager {
            system_id: SystemId::from_observed(&row.system_id?),
            contacted_at: row.contacted_at.map(|at| self.wire.ours(at)),
            busy: row.job_execution_status.is_some_and(|it| !it.eq_ignore_ascii_case(IDLE)),
            job: None,
            caller: None,
        })
    }

    fn manager(&self, node: Node) -> Manager {
        Manager {
            system_id: SystemId::from_observed(&node.system_id),
            contacted_at: node.contacted_at.map(|at| self.wire.ours(at)),
            busy: node.job_execution_status.is_some_and(|status| status != IDLE),
            job: None,
            caller: None,
        }
    }
}

fn alias(id: RecordId) -> String {
    format!("r{id}")
}

fn query(wanted: &[Wanted]) -> (String, Value) {
    let mut fields = String::new();
    let mut parameters = String::new();
    let mut variables = serde_json::Map::new();
    for Wanted { id, after, .. } in wanted {
        let mut page = String::new();
        if let Some(after) = after {
            // Writing to a string cannot fail.
            let _ = write!(parameters, "$a{id}:String ");
            let _ = write!(page, ", after:$a{id}");
            variables.insert(format!("a{id}"), json!(after));
        }
        let _ = write!(
            fields,
            "{}:runner(id:\"gid://gitlab/Ci::Runner/{id}\"){{ tokenExpiresAt \
             managers(first:100{page}){{ pageInfo{{hasNextPage endCursor}} \
             nodes{{ systemId contactedAt jobExecutionStatus }} }} }} ",
            alias(*id)
        );
    }
    let parameters =
        if parameters.is_empty() { parameters } else { format!("({})", parameters.trim_end()) };
    (format!("query{parameters}{{ {fields}}}"), Value::Object(variables))
}
