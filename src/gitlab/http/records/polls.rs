//! The long polls in which a record's runners wait: an update of the record ends them.

use std::time::Duration;

use ::http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::super::HttpGitlab;
use super::super::call::Call;
use super::super::probe::older;
use super::Known;
use crate::gitlab::GitlabError;
use crate::world::RecordId;

/// How long the polls of a record's runners are left alone after they were ended.
const ENDED_AGAIN: Duration = Duration::from_secs(10);

impl HttpGitlab {
    /// GitLab answers the held polls of a record's runners when the record is updated, and gives no
    /// job with that (`UpdateRunnerService` ticks the runner's queue; GitLab 18.6). The description
    /// is sent as it was read and nothing else: our other settings would undo a person's pause.
    pub(in super::super) async fn touch(
        &self,
        id: RecordId,
        since: Timestamp,
    ) -> Result<(), GitlabError> {
        let now = self.wire.now();
        let Some(description) = self.records.with(|known| known.due_touch(id, since, now)) else {
            return Ok(());
        };
        let call = Call::rest(Method::PUT, "PUT /runners/:id", format!("/runners/{id}"))
            .body(json!({ "description": description }))
            .attempt(format!("end the polls of runner {id}"))
            .object(format!("runner {id}"));
        self.wire.done(&call).await
    }
}

impl Known {
    /// The record's description, if its runners' polls are to be ended now.
    fn due_touch(&mut self, id: RecordId, since: Timestamp, now: Timestamp) -> Option<String> {
        let description = self.details.get(&id)?.description.clone();
        let last = self.polls_ended.get(&id);
        if last.is_some_and(|&last| last >= since || !older(now, last, ENDED_AGAIN)) {
            return None;
        }
        self.polls_ended.insert(id, now);
        Some(description)
    }
}
