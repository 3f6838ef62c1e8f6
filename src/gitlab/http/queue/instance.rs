//! The whole instance's queue, for an administrator: one GraphQL request per hundred jobs.
//!
//! For anyone else the same query answers an empty list and no error, so emptiness only counts
//! with a fresh proof of the right to see.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::super::HttpGitlab;
use super::super::graphql::Gid;
use super::super::probe::Proof;
use super::{PAGES_MAX, Pending, Read};
use crate::gitlab::GitlabError;
use crate::world::{JobId, ProjectId};

/// The list is newest first, so its end is read first, backwards.
const QUERY: &str = "query($before:String){ jobs(statuses:[PENDING], last:100, before:$before){ \
     pageInfo{hasPreviousPage startCursor} \
     nodes{ id name tags queuedAt createdAt refName createdByTag project{id fullPath} } } }";
const ATTEMPT: &str = "read the instance's pending jobs";

#[derive(Deserialize)]
struct Data {
    jobs: Option<Connection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    page_info: PageInfo,
    nodes: Vec<Option<Node>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_previous_page: bool,
    start_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: Gid,
    name: Option<String>,
    tags: Option<Vec<String>>,
    queued_at: Option<Timestamp>,
    created_at: Timestamp,
    ref_name: Option<String>,
    created_by_tag: Option<bool>,
    project: Option<Project>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    id: Gid,
    full_path: String,
}

impl HttpGitlab {
    pub(super) async fn read_instance(&self, proof: &Proof) -> Result<Read, GitlabError> {
        let mut read = Read { jobs: BTreeMap::new(), more: true };
        let mut before = None;
        for _ in 0..PAGES_MAX {
            let variables = json!({ "before": before });
            let Data { jobs } = self.wire.graphql(ATTEMPT, QUERY, variables).await?;
            let Some(Connection { page_info, nodes }) = jobs else {
                return Err(unseen());
            };
            // A job whose project is being deleted has none, and will never be picked up.
            let pending = nodes.into_iter().flatten().filter_map(|node| self.pending(node));
            read.jobs.extend(pending.map(|job| (job.id, job)));
            before = page_info.start_cursor;
            if !page_info.has_previous_page || before.is_none() {
                read.more = false;
                break;
            }
        }
        if read.jobs.is_empty() {
            self.confirm_administrator(proof).await?;
        }
        Ok(read)
    }

    fn pending(&self, node: Node) -> Option<Pending> {
        let project = node.project?;
        Some(Pending {
            id: JobId(node.id.0),
            name: node.name.unwrap_or_default(),
            project: ProjectId(project.id.0),
            project_path: project.full_path.into(),
            tags: node.tags.unwrap_or_default(),
            queued_at: self.wire.ours(node.queued_at.unwrap_or(node.created_at)),
            ref_name: node.ref_name.unwrap_or_default(),
            of_tag: node.created_by_tag.unwrap_or(false),
        })
    }
}

fn unseen() -> GitlabError {
    GitlabError::Forbidden {
        attempt: ATTEMPT.to_owned(),
        hint: Some(
            "use an administrator's token, or set `gitlab.queue_source: projects`".to_owned(),
        ),
    }
}
