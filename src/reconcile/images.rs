//! Runner images come to the hosts in the background, once, before they are needed: a pull of
//! minutes must hold up nothing but the starts that need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::engine::{EngineError, ImageRequest};
use crate::observe::Ports;
use crate::spec::{HostName, PullPolicy};
use crate::world::World;

/// How long a tick waits for an engine to say that it has the image: far longer than that takes,
/// far shorter than any pull.
const QUICK_ANSWER: Duration = Duration::from_millis(500);

/// An image that is not available.
#[derive(Debug)]
pub(super) struct ImageFailure {
    pub(super) request: ImageRequest,
    pub(super) error: EngineError,
}

type Key = (HostName, ImageRequest);

/// The images that were asked for since the spec came into force.
#[derive(Debug, Default)]
pub(super) struct Images {
    pulls: JoinSet<(Key, Result<(), EngineError>)>,
    running: BTreeSet<Key>,
    ready: BTreeSet<Key>,
    failures: BTreeMap<Key, EngineError>,
}

impl Images {
    /// Asks each host for the images of the pools that it serves, and gives quick answers a moment.
    pub(super) async fn keep(&mut self, ports: &Ports, world: &World, clock: &Clock) {
        let mut asked = false;
        for key in wanted(world) {
            let Some(engine) = ports.engines.get(&key.0) else { continue };
            if self.ready.contains(&key) || !self.running.insert(key.clone()) {
                continue;
            }
            asked = true;
            let engine = Arc::clone(engine);
            self.pulls.spawn(async move {
                let result = engine.ensure_image(&key.1).await;
                (key, result)
            });
        }
        let deadline = clock.sleep(QUICK_ANSWER);
        tokio::pin!(deadline);
        while asked && !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(Ok((key, result))) = self.pulls.join_next() => self.note(key, result),
                () = &mut deadline => return,
            }
        }
        while let Some(Ok((key, result))) = self.pulls.try_join_next() {
            self.note(key, result);
        }
    }

    fn note(&mut self, key: Key, result: Result<(), EngineError>) {
        self.running.remove(&key);
        match result {
            Ok(()) => drop(self.ready.insert(key)),
            Err(error) => drop(self.failures.insert(key, error)),
        }
    }

    /// What failed since the last call.
    pub(super) fn take_failures(&mut self) -> Vec<ImageFailure> {
        let failures = std::mem::take(&mut self.failures).into_iter();
        failures.map(|((_, request), error)| ImageFailure { request, error }).collect()
    }

    /// Hosts and images that are being pulled.
    pub(super) fn pulling(&self) -> BTreeSet<(HostName, String)> {
        self.running.iter().map(|(host, request)| (host.clone(), request.image.clone())).collect()
    }
}

/// The images that the enabled variants need on each host that can be seen; not those of variants
/// that failed lately.
fn wanted(world: &World) -> Vec<Key> {
    let mut wanted = Vec::new();
    for (name, host) in &world.hosts {
        let Some(state) = host.state.known() else { continue };
        for offer in world.offers() {
            let failed = world.memory.backoffs.get(&offer.variant);
            let here =
                state.engine.node.arch == offer.variant.arch && world.serves(name, offer.pool);
            if !here || failed.is_some_and(|backoff| backoff.until > world.now) {
                continue;
            }
            let policy = match offer.pool.pull_policy {
                // What is there serves until the start itself asks for what is newest.
                PullPolicy::Always | PullPolicy::IfNotPresent => PullPolicy::IfNotPresent,
                PullPolicy::Never => PullPolicy::Never,
            };
            let image = offer.pool.runner_image.clone();
            wanted.push((name.clone(), ImageRequest { image, arch: offer.variant.arch, policy }));
        }
    }
    wanted
}
