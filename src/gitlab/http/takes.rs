//! Whether GitLab itself would hand a pending job to a record's runners: `compatibleRunnerId` of
//! GraphQL's `jobs`, an experiment since 18.1.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::HttpGitlab;
use super::graphql::Reply;
use crate::gitlab::GitlabError;
use crate::world::{JobId, RecordId};

/// Pages that are read: beyond a thousand jobs nobody waits for the answer.
const PAGES_MAX: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Jobs {
    page_info: PageInfo,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    #[serde(default)]
    has_previous_page: bool,
    start_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

impl HttpGitlab {
    /// `None`: this GitLab does not tell, or not within the pages that are read.
    pub(super) async fn takes(
        &self,
        record: RecordId,
        job: JobId,
    ) -> Result<Option<bool>, GitlabError> {
        let mut before = String::new();
        for _ in 0..PAGES_MAX {
            let query = format!(
                "query{{ jobs(statuses:[PENDING], \
                 compatibleRunnerId:\"gid://gitlab/Ci::Runner/{record}\", last:100{before}){{ \
                 pageInfo{{hasPreviousPage startCursor}} nodes{{id}} }} }}"
            );
            let attempt = "ask which jobs a runner may take";
            let reply: Reply<BTreeMap<String, Value>> =
                self.wire.reply(attempt, &query, Value::Null).await?;
            let told = reply.data.and_then(|mut data| data.remove("jobs"));
            let Some(jobs) = told.and_then(|told| serde_json::from_value::<Jobs>(told).ok()) else {
                return Ok(None);
            };
            let is_it = |node: &Node| node.id.rsplit('/').next() == Some(&job.to_string());
            if jobs.nodes.iter().any(is_it) {
                return Ok(Some(true));
            }
            match jobs.page_info.start_cursor.filter(|_| jobs.page_info.has_previous_page) {
                Some(cursor) => before = format!(", before:\"{cursor}\""),
                None => return Ok(Some(false)),
            }
        }
        Ok(None)
    }
}
