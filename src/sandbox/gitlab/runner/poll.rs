//! `POST /jobs/request`: a job, or the wait for one.

use axum::response::{IntoResponse, Response};

use super::payload;
use crate::sandbox::gitlab::SimulatedGitlab;
use crate::sandbox::gitlab::answer::Answer;
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::state::State;
use crate::world::RecordId;

const LAST_UPDATE: &str = "X-GitLab-Last-Update";

/// What a look at the queue came to.
enum Look {
    Answered(Answer),
    /// The runner has the last news: it is told to wait.
    NoNews,
}

/// Answers a poll. The first of a runner knows no `last_update` and is answered at once; one that
/// has the last news is held until there is news for its record.
pub(super) async fn request(gitlab: SimulatedGitlab, call: Call) -> Response {
    gitlab.counted("POST /api/v4/jobs/request");
    let met = gitlab.with(|state| super::authenticate(&call, state));
    let (record, system_id) = match met {
        Ok(met) => met,
        Err(refusal) => return refusal.into_response(),
    };
    let held_for = gitlab.with(|state| state.switches.poll_held_for);
    let timer = gitlab.clock().sleep(held_for);
    tokio::pin!(timer);
    loop {
        let changed = gitlab.changes().notified();
        match gitlab.with(|state| look(&call, state, record, &system_id)) {
            Look::Answered(answer) => return answer.into_response(),
            Look::NoNews => {}
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = &mut timer => {
                return gitlab.with(|state| nothing(state, record)).into_response();
            }
        }
    }
}

fn look(call: &Call, state: &mut State, id: RecordId, system_id: &str) -> Look {
    let Some(record) = state.records.get(&id) else { return Look::Answered(Answer::forbidden()) };
    let latest = state.last_update(record);
    if call.params.text("last_update").is_some_and(|known| known == latest) {
        return Look::NoNews;
    }
    if record.form.paused {
        return Look::Answered(nothing(state, id));
    }
    let answer = match state.pick(id, system_id) {
        Some(job) => payload::job(call, state, job),
        None => nothing(state, id),
    };
    Look::Answered(answer)
}

fn nothing(state: &State, id: RecordId) -> Answer {
    let record = state.records.get(&id);
    let latest = record.map(|record| state.last_update(record)).unwrap_or_default();
    Answer::no_content().header(LAST_UPDATE, latest)
}
