//! The engine's events, as a wake-up only: what happened is looked up, never taken from them.

use std::time::Duration;

use super::client::Client;
use super::refused::Refused;
use super::{jobs, labels};
use crate::engine::Wakes;
use crate::world::{ContainerId, JobId, SystemId};
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;

/// What changes the set of runners or a runner's phase.
const EVENTS: [&str; 5] = ["create", "start", "die", "rename", "destroy"];
/// The pause before the stream is opened again.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause; the loop's own poll covers the gap meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Wakes at each event of a container of ours, until nobody listens.
pub(super) async fn watch(client: &Client, refused: &Refused, wakes: &Wakes) {
    let mut pause = PAUSE_FIRST;
    loop {
        tokio::select! {
            biased;
            () = wakes.closed() => return,
            heard = follow(client, refused, wakes) => if heard { pause = PAUSE_FIRST },
        }
        tokio::select! {
            biased;
            () = wakes.closed() => return,
            () = client.clock().sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
        // What happened while nobody listened is not told again.
        wakes.missed();
    }
}

/// Follows the stream to its end; says whether anything was heard on it.
///
/// How a job's container ended is asked for at once, for it is removed soon. Labels of one filter
/// must all be there, so those of runners and of jobs are told apart here.
async fn follow(client: &Client, refused: &Refused, wakes: &Wakes) -> bool {
    let Ok(docker) = client.docker().await else { return false };
    let filters = [
        ("type".to_owned(), vec!["container".to_owned()]),
        ("event".to_owned(), EVENTS.map(str::to_owned).to_vec()),
    ];
    let options = EventsOptions { filters: Some(filters.into()), ..EventsOptions::default() };
    let mut events = std::pin::pin!(docker.events(Some(options)));
    let mut heard = false;
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(endpoint = %client.endpoint(), %error, "the event stream broke");
                break;
            }
        };
        heard = true;
        let Some(actor) = event.actor else { continue };
        let Some(marks) = actor.attributes else { continue };
        wakes.runner_changed(marks.get(labels::INSTANCE).map(String::as_str));
        let Some(system_id) = marks.get(jobs::SYSTEM_ID) else { continue };
        let mark = |name: &str| marks.get(name).map(String::as_str).unwrap_or_default();
        let failed = event.action.as_deref() == Some("die") && mark("exitCode") != "0";
        if failed && mark(jobs::TYPE) == "build" && wakes.is_ours(system_id) {
            let id = ContainerId::from_observed(&actor.id.unwrap_or_default());
            let job = mark(jobs::JOB_ID).parse().ok().map(JobId);
            refused.judge(client, &id, job, &SystemId::from_observed(system_id)).await;
        }
        wakes.job_changed(system_id);
    }
    heard
}
