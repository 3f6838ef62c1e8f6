//! Runners that are none of ours and may take a job: those that the job's project may use, by
//! GitLab's own rule (`Ci::RegisterJobService`; GitLab 18.6).

use std::collections::BTreeSet;

use serde::Deserialize;

use super::HttpGitlab;
use super::call::{Call, segment};
use crate::gitlab::GitlabError;
use crate::world::{Job, OtherRunner, RecordId};

/// Runners whose details are read for one job: of those that have its tags nearly all may take it.
const READ_MAX: usize = 3;

#[derive(Deserialize)]
struct Listed {
    id: u64,
    description: Option<String>,
    runner_type: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    tag_list: BTreeSet<String>,
    run_untagged: bool,
    access_level: Option<String>,
}

impl Details {
    fn fits(&self, job: &Job) -> bool {
        let for_protected = self.access_level.as_deref() == Some("ref_protected");
        job.tags.is_subset(&self.tag_list)
            && (self.run_untagged || !job.tags.is_empty())
            && !(for_protected && job.protected == Some(false))
    }
}

impl HttpGitlab {
    pub(super) async fn find_other_runner(
        &self,
        job: &Job,
        ours: &BTreeSet<RecordId>,
    ) -> Result<Option<OtherRunner>, GitlabError> {
        let tags: Vec<String> = job.tags.iter().map(|tag| segment(tag)).collect();
        let tags =
            if tags.is_empty() { String::new() } else { format!("&tag_list={}", tags.join(",")) };
        let call =
            Call::get("GET /projects/:id/runners", format!("/projects/{}/runners", job.project))
                .query(format!("status=online&paused=false&per_page=100{tags}"))
                .attempt(format!("list the runners of `{}`", job.project_path))
                .object(format!("project `{}`", job.project_path));
        let listed = self.wire.page::<Listed>(&call).await?.items;
        let others = listed.into_iter().filter(|row| !ours.contains(&RecordId(row.id)));
        for row in others.take(READ_MAX) {
            let call = Call::get("GET /runners/:id", format!("/runners/{}", row.id))
                .attempt(format!("see runner {}", row.id))
                .object(format!("runner {}", row.id));
            let fits = match self.wire.json::<Details>(&call).await {
                Ok(details) => details.fits(job),
                // Only its owners see its details; that it has the tags was told.
                Err(GitlabError::Forbidden { .. }) => !job.tags.is_empty(),
                Err(GitlabError::NotFound { .. }) => false,
                Err(error) => return Err(error),
            };
            if fits {
                return Ok(Some(OtherRunner {
                    id: RecordId(row.id),
                    name: row.description.unwrap_or_default().into(),
                    of_instance: row.runner_type.as_deref() == Some("instance_type"),
                }));
            }
        }
        Ok(None)
    }
}
