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
/// has the last news is held until there is news for its record, any update of it included. Then it
/// is told so and gets no job with it: the runner asks again (Workhorse answers a held poll itself,
/// with 204, when it sees the queue's mark change; `internal/builds/register.go`, GitLab 18.6).
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
    match gitlab.with(|state| look(&call, state, record, &system_id)) {
        Look::Answered(answer) => return answer.into_response(),
        Look::NoNews => {}
    }
    loop {
        let changed = gitlab.changes().notified();
        if gitlab.with(|state| has_news(&call, state, record)) {
            return Answer::no_content().into_response();
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

/// Its record's mark is another than the one that the runner told, or there is no record any more.
fn has_news(call: &Call, state: &State, id: RecordId) -> bool {
    let latest = state.records.get(&id).map(|record| state.last_update(record));
    latest.is_none() || call.params.text("last_update") != latest
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
