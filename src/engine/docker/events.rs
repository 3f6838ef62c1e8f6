//! The engine's events, as a wake-up only: what happened is looked up, never taken from them.

use std::time::Duration;

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::client::Client;
use super::labels;
use crate::spec::InstanceName;

/// What changes the set of runners or a runner's phase.
const EVENTS: [&str; 5] = ["create", "start", "die", "rename", "destroy"];
/// The pause before the stream is opened again.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause; the loop's own poll covers the gap meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Wakes at each event of a container of `instance`, until the receiver is gone.
pub(super) async fn watch(client: &Client, instance: &InstanceName, wake: mpsc::Sender<()>) {
    let mut pause = PAUSE_FIRST;
    loop {
        tokio::select! {
            biased;
            () = wake.closed() => return,
            heard = follow(client, instance, &wake) => if heard { pause = PAUSE_FIRST },
        }
        tokio::select! {
            biased;
            () = wake.closed() => return,
            () = client.clock().sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
        // What happened while nobody listened is not told again.
        send(&wake);
    }
}

/// Follows the stream to its end; says whether anything was heard on it.
async fn follow(client: &Client, instance: &InstanceName, wake: &mpsc::Sender<()>) -> bool {
    let Ok(docker) = client.docker().await else { return false };
    let filters = [
        ("type".to_owned(), vec!["container".to_owned()]),
        ("label".to_owned(), vec![labels::of_instance(instance)]),
        ("event".to_owned(), EVENTS.map(str::to_owned).to_vec()),
    ];
    let options = EventsOptions { filters: Some(filters.into()), ..EventsOptions::default() };
    let mut events = std::pin::pin!(docker.events(Some(options)));
    let mut heard = false;
    while let Some(event) = events.next().await {
        if let Err(error) = event {
            tracing::debug!(endpoint = %client.endpoint(), %error, "the event stream broke");
            break;
        }
        heard = true;
        send(wake);
    }
    heard
}

/// A wake-up that waits already stands for this one too.
fn send(wake: &mpsc::Sender<()>) {
    let _ = wake.try_send(());
}
